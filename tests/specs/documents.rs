//! What the documents tell people to type works, and the configurations they show are valid.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::{Node, PATIENCE, READYD, repository};

/// Commands that stay in the foreground, ask the world beyond this test, or write where only root may.
const NOT_RUN_HERE: &[&str] = &[
    "readyd serve",
    "readyd demo",
    "readyd check",
    "readyd man /usr",
    "readyd completions bash > /etc",
    "doctor@acme",
    // Probes of a page's own: `write_a_probe` does what it says.
    "probe run backup",
    "probe run models@acme",
    "probe run load",
    "probe run ollama",
    "config@acme",
    "secrets@acme",
    // Of tenants whose state is somewhere.
    "readyd skills",
    "readyd lock",
    "cost@acme",
];

fn documents() -> Vec<PathBuf> {
    let mut paths = vec![repository().join("README.md")];
    paths.extend(
        fs::read_dir(repository().join("docs"))
            .unwrap()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "md")),
    );
    paths.sort();
    paths
}

/// Fenced blocks of a language, with the document that each stands in.
fn blocks(language: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        let mut block: Option<String> = None;
        for line in text.lines() {
            match &mut block {
                None if line == format!("```{language}") => block = Some(String::new()),
                Some(_) if line.starts_with("```") => found.push((path.clone(), block.take().unwrap())),
                Some(text) => {
                    text.push_str(line);
                    text.push('\n');
                }
                None => {}
            }
        }
    }
    found
}

#[test]
fn every_readyd_command_in_the_documents_runs() {
    let node = Node::start(
        "tenants: {acme: {endpoints: {crm: {budget: 50}}}, beta: {required: false}}\nprobes: {doctor: {enabled: false}}\n",
    );
    node.until_status("ok", PATIENCE);
    let place = node.dir.path().join("shell");
    fs::create_dir(&place).unwrap();
    let wrapper = place.join("readyd");
    fs::write(
        &wrapper,
        format!(
            "#!/bin/sh\nexec {READYD} \"$@\" --config {}\n",
            node.config_path().display()
        ),
    )
    .unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(
        place.join("failures.ndjson"),
        "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n",
    )
    .unwrap();

    let mut ran = 0;
    for (path, block) in blocks("console") {
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let line = line.split(" #").next().unwrap().trim_end();
            if !line.starts_with("readyd ") || NOT_RUN_HERE.iter().any(|skipped| line.contains(skipped)) {
                continue;
            }
            let output = Command::new("sh")
                .args(["-c", line])
                .current_dir(&place)
                .env("PATH", format!("{}:/usr/bin:/bin", place.display()))
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}: {line}\n{}{}",
                path.display(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            ran += 1;
        }
    }
    assert!(
        ran >= 18,
        "the documents show more commands than the {ran} that were found"
    );
}

#[test]
fn every_configuration_in_the_documents_is_valid() {
    let mut checked = 0;
    for (path, block) in blocks("yaml") {
        let node = Node::prepared("");
        let is_probe = block.contains("\nkind: ");
        let is_of_somebody_else = block.contains("scrape_configs:");
        if is_of_somebody_else {
            continue;
        }
        if is_probe {
            fs::write(node.dir.path().join("probes.d/shown.yaml"), &block).unwrap();
        } else {
            // A tenants directory and secrets of the machine that runs this are not what is asked.
            fs::write(node.config_path(), &block).unwrap();
        }
        let output = node.cli(&["config", "show"]);
        assert!(
            output.status.success(),
            "{}:\n{block}\n{}",
            path.display(),
            String::from_utf8_lossy(&output.stderr)
        );
        checked += 1;
    }
    assert!(
        checked >= 6,
        "the documents show more configurations than the {checked} that were found"
    );
}
