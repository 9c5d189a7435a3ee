//! The page "write a probe in five minutes", done as it says.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Node, READYD, repository};

/// The page's fenced blocks of a language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let blocks = page.split(fence.as_str()).skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

/// The file that a block is, named in its first comment that is a path.
fn file_of(block: &str) -> &str {
    let mut lines = block.lines();
    lines.find_map(|line| line.strip_prefix("# /")).unwrap()
}

/// Everything on the page in its place below the node's own directory, instead of `/`.
fn installed(node: &Node, page: &str) -> Vec<String> {
    let root = node.dir.path();
    let scripts = root.join("lib");
    let backups = root.join("backups");
    fs::create_dir_all(&scripts).unwrap();
    fs::create_dir_all(&backups).unwrap();
    fs::write(backups.join("monday.tar"), "").unwrap();
    let moved = |block: &str| {
        block
            .replace("/usr/local/lib/readyd", scripts.to_str().unwrap())
            .replace("/var/backups/openclaw", backups.to_str().unwrap())
            .replace(
                "http://127.0.0.1:11434/api/version",
                &format!("http://127.0.0.1:{}/livez", node.port),
            )
    };
    for block in blocks(page, "sh") {
        let name = Path::new(file_of(&block)).file_name().unwrap().to_owned();
        let path = scripts.join(name);
        fs::write(&path, moved(&block)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut names = Vec::new();
    for block in blocks(page, "yaml") {
        let name = Path::new(file_of(&block)).file_name().unwrap().to_owned();
        fs::write(root.join("probes.d").join(&name), moved(&block)).unwrap();
        names.push(name.into_string().unwrap().trim_end_matches(".yaml").to_owned());
    }
    names
}

#[test]
fn everything_on_the_page_works_as_it_says() {
    let page = fs::read_to_string(repository().join("docs/write-a-probe.md")).unwrap();
    let node = Node::prepared("");
    let state = node.dir.path().join("openclaw");
    fs::create_dir(&state).unwrap();
    node.configure(&format!(
        "tenants: {{acme: {{state_dir: {}}}}}\nprobes: {{doctor: {{enabled: false}}}}\n",
        state.display()
    ));
    let names = installed(&node, &page);
    assert_eq!(names, ["backup", "models", "load", "ollama"]);
    let node = node.started();

    let commands: Vec<String> = blocks(&page, "console")
        .iter()
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|line| line.strip_prefix("$ readyd probe run ").map(str::to_owned))
        .collect();
    assert_eq!(commands, ["backup", "models@acme", "load", "ollama"]);
    for check in &commands {
        let output = node.cli(&["probe", "run", check]);
        let said = String::from_utf8_lossy(&output.stdout);
        let code = output.status.code().unwrap();
        let plugins_are_here = Path::new("/usr/lib/nagios/plugins/check_load").is_file();
        match check.as_str() {
            "backup" => assert!(code == 0 && said.contains("monday.tar"), "{said}"),
            "models@acme" => assert!(code == 1 && said.contains("no local model for acme"), "{said}"),
            // The load of the machine that runs the specs is not what they are about.
            "load" if plugins_are_here => assert!(code <= 2 && said.contains("load average"), "{said}"),
            "load" => assert!(code == 3, "{said}"),
            _ => assert!(code == 0 && said.contains("answered 200"), "{said}"),
        }
    }

    // The other half of what the page says of them.
    fs::remove_file(node.dir.path().join("backups/monday.tar")).unwrap();
    let output = node.cli(&["probe", "run", "backup"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.code() == Some(2) && said.contains("no backup of the last 24 h"),
        "{READYD}: {said}"
    );
    fs::write(state.join("small.gguf"), "").unwrap();
    let said = node.cli_ok(&["probe", "run", "models@acme"]);
    assert!(said.contains("1 local models for acme"), "{said}");
    node.cli_ok(&["config", "check"]);
}

#[test]
fn every_field_of_a_declaration_is_on_the_page() {
    let page = fs::read_to_string(repository().join("docs/write-a-probe.md")).unwrap();
    let node = Node::prepared("");
    let schema = node.cli_ok(&["config", "schema", "--probe"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    // Those of the kinds that the page is about.
    for field in [
        "title",
        "layer",
        "scope",
        "kind",
        "every",
        "retry_every",
        "timeout",
        "max_stale",
        "on_silence",
        "worst",
        "required",
        "fall",
        "rise",
        "explained_by",
        "hint",
        "enabled",
        "lane",
        "command",
        "parse",
        "env",
        "url",
        "address",
    ] {
        assert!(
            schema.to_string().contains(&format!("\"{field}\"")),
            "{field} is no field"
        );
        assert!(page.contains(&format!("`{field}")), "{field} is not on the page");
    }
}
