//! "Why is acme degraded?", answered from the page, from `curl` and from the terminal, each in ten seconds of reading.

use std::fs;

use crate::harness::backend::Backend;
use crate::harness::{Node, PATIENCE, repository};

/// Ten seconds at 240 words a minute, which is how fast adults read plain text (Brysbaert 2019: 238).
const WORDS: usize = 40;

/// A question, and what answers it: whose, which check, the cause in words, the next step.
struct Answer {
    tenant: &'static str,
    check: &'static str,
    cause: &'static str,
    next: &'static str,
}

impl Answer {
    /// Fails where one of them is not said within ten seconds.
    fn is_read_in(&self, place: &str, words: &[String]) {
        let read = words.iter().take(WORDS).cloned().collect::<Vec<_>>().join(" ");
        for part in [self.tenant, self.check, self.cause, self.next] {
            assert!(
                read.contains(part),
                "{place}: {part:?} is not among the first {WORDS} words:\n{read}\n\nof\n{}",
                words.join(" ")
            );
        }
    }

    fn is_read_everywhere(&self, node: &Node) {
        for path in ["/", "/tenants/acme", "/ready/acme"] {
            self.is_read_in(path, &words(&main_of(&asked(node, path, "text/html"))));
        }
        for path in ["/ready", "/ready/acme"] {
            self.is_read_in(path, &words(&asked(node, path, "text/plain")));
            let json = words(&asked(node, path, "application/json"));
            let cause = Answer { next: "", ..*self };
            cause.is_read_in(path, &json);
        }
        for command in [&["status"][..], &["status", "acme"], &["why"], &["why", "acme"]] {
            self.is_read_in(&command.join(" "), &words(&without_table(&node.cli_ok(command))));
        }
        // It walks, and stops at the answer: the eye is where the prompt is.
        let walked = node.cli(&["triage", "acme"]);
        let walked = words(&String::from_utf8_lossy(&walked.stdout));
        self.is_read_in("triage acme", &walked[walked.len().saturating_sub(WORDS)..]);
    }
}

/// A dot, a dash or an arrow is none.
fn words(text: &str) -> Vec<String> {
    let all = text.split_whitespace();
    all.filter(|word| word.contains(char::is_alphanumeric))
        .map(str::to_owned)
        .collect()
}

/// Paragraphs: a table is for looking up, and the eye goes around it to the next step at the end.
fn without_table(text: &str) -> String {
    let paragraphs = text.split("\n\n").filter(|paragraph| !paragraph.starts_with("TENANT "));
    paragraphs.collect::<Vec<_>>().join("\n")
}

fn asked(node: &Node, path: &str, form: &str) -> String {
    let answer = node.request(&format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: {form}\r\nconnection: close\r\n\r\n"
    ));
    answer.unwrap().body
}

/// What a person reads of a page, from the verdict on.
fn main_of(page: &str) -> String {
    let main = page.split_once("<main").unwrap().1.split_once('>').unwrap().1;
    let main = main.split_once("</main>").unwrap().0;
    let text: String = main
        .split('<')
        .map(|piece| piece.split_once('>').map_or(piece, |(_, text)| text))
        .collect::<Vec<_>>()
        .join(" ");
    [("&quot;", "\""), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        .into_iter()
        .fold(text, |text, (escaped, meant)| text.replace(escaped, meant))
}

#[test]
fn a_failing_endpoint_is_found_in_ten_seconds() {
    let node = Node::start(
        "node: mac-3\ntenants: {acme: {endpoints: {crm: {budget: 50}}}, beta: {}}\nprobes: {doctor: {enabled: false}}\n",
    );
    node.until_status("ok", PATIENCE);
    for (tenant, endpoint, count) in [("acme", "crm", "214"), ("beta", "erp", "3")] {
        node.cli_ok(&[
            "emit",
            "--tenant",
            tenant,
            "--endpoint",
            endpoint,
            "--status",
            "503",
            "--count",
            count,
        ]);
    }
    node.until("/ready", PATIENCE, |answer| answer.body.contains("×214"));
    let answer = Answer {
        tenant: "acme",
        check: "webhook-digest",
        cause: "crm ×214 in 5 min (budget 50)",
        next: "readyd digest --tenant acme",
    };
    answer.is_read_everywhere(&node);

    // The first screen of docs/triage.md shows what was just said.
    let page = fs::read_to_string(repository().join("docs/triage.md")).unwrap();
    let said = asked(&node, "/ready/acme", "text/plain") + &node.cli_ok(&["why", "acme"]);
    let blocks = page.split("```console\n").skip(1).take(2);
    let shown = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    let is_output = |line: &&str| !line.starts_with("$ ") && !line.ends_with(" ago");
    for line in shown.filter(is_output) {
        assert!(said.lines().any(|other| other == line), "{line:?} is not in\n{said}");
    }
}

#[test]
fn a_dead_gateway_is_found_in_ten_seconds_and_not_its_symptoms() {
    let node = Node::prepared("");
    let gateway = Backend::saying(r#"{"ready":true,"failing":[],"uptimeMs":86400000}"#);
    node.configure(&format!(
        "node: mac-3\ntenants: {{acme: {{port: {}}}, beta: {{}}}}\nprobes: {{doctor: {{enabled: false}}, gateway: {{every: 1s, retry_every: 200ms}}}}\n",
        gateway.port
    ));
    let works = node.dir.path().join("works");
    fs::write(&works, "").unwrap();
    for symptom in ["chat", "jobs"] {
        let declared = format!(
            "name: {symptom}\nlayer: transport\nscope: tenant\nkind: exec\ncommand: [/bin/sh, -c, 'test \"$0\" = beta || test -e {}', '{{tenant}}']\n\
             parse: exit-code\nevery: 1s\nretry_every: 200ms\ntimeout: 10s\nexplained_by: [gateway]\n",
            works.display()
        );
        fs::write(node.dir.path().join(format!("probes.d/{symptom}.yaml")), declared).unwrap();
    }
    let node = node.started();
    node.until_status("ok", PATIENCE);
    drop(gateway);
    node.until_status("down", PATIENCE);
    fs::remove_file(works).unwrap();
    node.until("/ready", PATIENCE, |answer| answer.body.contains("(explains 2 more)"));
    let answer = Answer {
        tenant: "acme",
        check: "gateway",
        cause: "refused",
        next: "openclaw gateway status --require-rpc",
    };
    answer.is_read_everywhere(&node);
}
