//! What the documents tell people to type works, and the configurations they show are valid.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::harness::{Node, PATIENCE, READYD, free_port, pause, peer, repository, signal};

/// Commands that no spec can run as they are shown: what they contain, and why not.
const NOT_RUN_HERE: &[(&str, &str)] = &[
    ("sudo ", "changes the host: `install` does the same below a directory"),
    ("cargo build", "builds what these specs already run"),
    (
        "make deb",
        "builds a package: the peer spec `debian` does it and installs it",
    ),
    ("make run", "builds, then serves on the port that people use"),
    ("make bench", "measures for half an hour"),
    ("make faults", "does harm for half an hour; the suite has a few rounds"),
    ("cargo test --test faults", "is part of the suite"),
    ("make soak", "takes half an hour; the suite has half a minute"),
    (
        "make simulate",
        "builds the tests of the library, which play the same histories",
    ),
    ("make fuzz", "fuzzes for minutes; the suite replays the corpus"),
    ("scp ", "asks another host"),
    ("ssh ", "asks another host"),
    (
        "nc -UN",
        "netcat is no tool of the tests: `exactly_once` writes to that socket",
    ),
    (
        "https://mac-3.example.net",
        "asks another host over TLS: `access` asks one that is here",
    ),
];

/// Pages whose commands have a spec of their own.
const RUN_ELSEWHERE: &[(&str, &str)] = &[("write-a-probe.md", "write_a_probe")];

/// Commands whose exit code is their answer, and what it is here.
const ANSWERED_BY_EXIT_CODE: &[(&str, i32)] = &[
    // Nothing was recorded yet.
    ("readyd skills check", 2),
    // It is drained: `curl --fail` of a 503.
    ("curl -sw", 22),
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

/// Every command that people are shown, in the order of reading.
fn commands() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (path, block) in blocks("console") {
        let page = path.file_name().unwrap().to_str().unwrap().to_owned();
        let lines = block.lines().filter_map(|line| line.strip_prefix("$ "));
        found.extend(lines.map(|line| (page.clone(), line.split(" #").next().unwrap().trim_end().to_owned())));
    }
    found
}

fn reason_not_to(page: &str, command: &str) -> Option<&'static str> {
    let of_page = RUN_ELSEWHERE.iter().find(|(other, _)| page == *other);
    let of_command = NOT_RUN_HERE.iter().find(|(part, _)| command.contains(part));
    of_page.or(of_command).map(|(_, why)| *why)
}

/// A host as the documents take it to be: OpenClaw on the path, tenants acme and beta, readyd serving.
struct Desk {
    node: Node,
    /// Where `readyd serve` of the documents serves.
    other: Node,
    place: PathBuf,
}

impl Desk {
    fn new() -> Desk {
        let node = Node::prepared("");
        let place = node.dir.path().join("desk");
        for folder in [
            "acme/skills/web",
            "beta",
            "tenants/acme/webhook.d",
            "checkout/acme/webhook.d",
        ] {
            fs::create_dir_all(place.join(folder)).unwrap();
        }
        let desk = Desk {
            node,
            other: Node::prepared(""),
            place,
        };
        desk.write("acme/openclaw.json", "{}");
        desk.write("beta/openclaw.json", "{}");
        desk.write("acme/skills/web/SKILL.md", "Look things up.");
        for whose in ["tenants", "checkout"] {
            desk.write(
                &format!("{whose}/acme/webhook.d/10-base.yaml"),
                "endpoints: {crm: {budget: 50}}\n",
            );
        }
        desk.write(
            "failures.ndjson",
            "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n",
        );
        desk.programs();
        let place = desk.place.display();
        desk.node.configure(&format!(
            "tenants_dir: {place}/tenants\ntenants: {{acme: {{state_dir: {place}/acme}}, beta: {{state_dir: {place}/beta, required: false}}}}\n\
             exec: {{path: [{place}, /usr/bin, /bin]}}\n\
             probes: {{config: {{enabled: true}}, secrets: {{enabled: true}}, security: {{enabled: true}}, cost: {{enabled: true}}}}\n"
        ));
        desk
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.place.join(name), text).unwrap();
    }

    fn program(&self, name: &str, script: &str) {
        self.write(name, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.place.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// `readyd` finds its configuration; `openclaw` says what a healthy one said; `curl` fails at 404 and 503.
    fn programs(&self) {
        let (config, other) = (self.node.config_path(), self.other.config_path());
        self.program(
            "readyd",
            &format!(
                "case \"$1\" in\nserve) exec {READYD} \"$@\" --config {} ;;\ndemo) exec {READYD} \"$@\" --listen 127.0.0.1:{} --seconds 1 ;;\nesac\nexec {READYD} \"$@\" --config {}",
                other.display(),
                free_port(),
                config.display()
            ),
        );
        let recorded = repository().join("tests/fixtures/openclaw").display().to_string();
        self.program(
            "openclaw",
            &format!(
                "case \"$*\" in\n--version) echo 'OpenClaw 2026.9.6 (eb377ac)' ;;\n*doctor*) cat {recorded}/doctor-lint.severity-error.out ;;\n\
                 *'config validate'*) cat {recorded}/config-validate.valid.out ;;\n*'secrets audit'*) cat {recorded}/secrets-audit.healthy.out; exit 1 ;;\n\
                 *'security audit'*) cat {recorded}/security-audit.healthy.out ;;\n*'cron list'*) cat {recorded}/cron-list.healthy.out ;;\n*'gateway restart'*) ;;\n*) exit 1 ;;\nesac"
            ),
        );
        if let Some(curl) = peer("curl", &[]) {
            self.program("curl", &format!("exec {} --fail --max-time 20 \"$@\"", curl.display()));
        }
    }

    /// With the places of a host as they are here.
    fn moved(&self, command: &str) -> String {
        let address = self.node.address().to_string();
        let place = self.place.to_str().unwrap();
        [
            ("localhost:9099", address.as_str()),
            ("127.0.0.1:9099", address.as_str()),
            ("/run/readyd", self.node.runtime_dir().to_str().unwrap()),
            ("/tmp/readyd.etag", &format!("{place}/etag")),
            ("/srv/checkout", &format!("{place}/checkout")),
            ("/opt/openclaw/openclaw.mjs", &format!("{place}/acme/openclaw.json")),
        ]
        .into_iter()
        .fold(command.to_owned(), |command, (there, here)| {
            command.replace(there, here)
        })
    }

    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &self.moved(command)])
            .current_dir(&self.place)
            .env_remove("READYD_CONFIG")
            .env("HOME", &self.place)
            .env("TMPDIR", &self.place)
            .env("PATH", format!("{}:/usr/bin:/bin", self.place.display()))
            .stdin(Stdio::null());
        shell
    }

    fn run(&self, page: &str, command: &str) {
        if command == "readyd serve" {
            return self.serve();
        }
        let output = self.shell(command).output().unwrap();
        let answer = ANSWERED_BY_EXIT_CODE.iter().find(|(part, _)| command.starts_with(part));
        assert_eq!(
            output.status.code(),
            Some(answer.map_or(0, |(_, code)| *code)),
            "{page}: {command}\n{}{}\n{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
            self.node.log()
        );
    }

    /// What stays in the foreground: until it answers, then to its end.
    fn serve(&self) {
        let mut child = self.shell("exec readyd serve").stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while self.other.try_get("/livez").is_none_or(|answer| answer.status != 200) {
            assert!(began.elapsed() < PATIENCE, "readyd serve does not answer");
            pause();
        }
        signal(child.id(), "TERM");
        let status = child.wait().unwrap();
        assert!(status.success(), "readyd serve: {status}");
    }
}

#[test]
fn every_command_in_the_documents_runs() {
    let mut desk = Desk::new();
    desk.node.spawn();
    desk.node.wait_until_it_answers();
    desk.node.until_status("ok", PATIENCE);
    let has_curl = desk.place.join("curl").exists();
    let mut ran = 0;
    for (page, command) in commands() {
        let is_for_curl = command.starts_with("curl ") && !has_curl;
        if reason_not_to(&page, &command).is_none() && !is_for_curl {
            desk.run(&page, &command);
            ran += 1;
        }
    }
    assert!(
        ran >= 70 || !has_curl,
        "the documents show more commands than the {ran} that ran"
    );
}

#[test]
fn what_is_not_run_is_still_shown_somewhere_and_has_its_reason() {
    let commands = commands();
    for (part, why) in NOT_RUN_HERE {
        assert!(
            commands.iter().any(|(_, command)| command.contains(part)),
            "no document shows {part:?}"
        );
        assert!(!why.is_empty(), "{part}");
    }
    for (part, _) in ANSWERED_BY_EXIT_CODE {
        assert!(
            commands.iter().any(|(_, command)| command.starts_with(part)),
            "no document shows {part:?}"
        );
    }
    for (page, spec) in RUN_ELSEWHERE {
        assert!(commands.iter().any(|(other, _)| other == page), "{page}");
        let text = fs::read_to_string(repository().join(format!("tests/specs/{spec}.rs"))).unwrap();
        assert!(text.contains(page), "{spec} does not read {page}");
    }
}

/// `[text](target)` of a page, but for the world outside.
fn links(text: &str) -> Vec<&str> {
    let ends = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = ends.map(|(target, _)| target.split('#').next().unwrap());
    targets
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn every_link_leads_to_a_file_and_every_page_is_in_the_index() {
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap();
        for link in links(&text) {
            assert!(path.parent().unwrap().join(link).exists(), "{}: {link}", path.display());
        }
    }
    let index = fs::read_to_string(repository().join("docs/README.md")).unwrap();
    let listed: BTreeSet<&Path> = links(&index).into_iter().map(Path::new).collect();
    for path in documents() {
        let name = Path::new(path.file_name().unwrap());
        let is_index = name == Path::new("README.md");
        assert!(
            is_index || listed.contains(name),
            "{} is not in docs/README.md",
            name.display()
        );
    }
}

/// What the page shows as code and begins with `readyd`, up to the first word that is none of a command.
#[test]
fn every_command_that_the_page_names_exists() {
    let mut named = BTreeSet::new();
    for entry in fs::read_dir(repository().join("src/http/page")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for literal in text.split("code { \"readyd ").skip(1) {
            let literal = literal.split('"').next().unwrap();
            let words = literal
                .split(' ')
                .take_while(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()));
            named.insert(words.map(str::to_owned).collect::<Vec<_>>());
        }
    }
    assert!(named.len() >= 3, "{named:?}");
    for words in named {
        let output = Command::new(READYD).args(&words).arg("--help").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let usage = format!("Usage: readyd {}", words.join(" "));
        assert!(output.status.success() && told.contains(&usage), "{words:?}\n{told}");
    }
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
