#![expect(
    clippy::disallowed_methods,
    reason = "specs: how long a page takes, and the sources of its templates"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::build::{Build, degraded, now, operation, tenant};
use super::listen::{Answered, ask, get, served, stage};
use crate::digest::view::{Row, WindowView};
use crate::history::{Lasted, Report, Segment, Spread, Status, Subject, Who};
use crate::http::page::sparks::{self, Counts, Sparks};
use crate::http::page::timeline::{Range, Timelines};
use crate::http::page::{BYTES_MAX, Page, render};
use crate::http::server::start_public;
use crate::http::topic::Topic;
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::words::{Code, Cost, Family, Finding, Level, Verdict};

const BROWSER: &str = "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\n";
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'&";

fn page(snapshot: &Snapshot, name: Option<&str>) -> String {
    drawn(snapshot, name, &Sparks::none(), &Timelines::default())
}

fn drawn(snapshot: &Snapshot, name: Option<&str>, sparks: &Sparks, timelines: &Timelines) -> String {
    let topic = match name {
        None => Topic::node(snapshot),
        Some(name) => Topic::tenant(snapshot, &tenant(name)).unwrap(),
    };
    let page = render(&Page {
        topic: &topic,
        now: now(),
        sparks,
        timelines,
        range: Range::Day,
    });
    String::from_utf8(page.to_vec()).unwrap()
}

/// What a person reads: no tags, single spaces.
fn text(html: &str) -> String {
    let body = html.split_once("<main").map_or(html, |(_, main)| main);
    let body = body.split("<footer").next().unwrap();
    let mut out = String::new();
    let mut in_tag = true;
    for character in body.chars() {
        match character {
            '<' => in_tag = true,
            '>' => in_tag = false,
            _ if !in_tag => out.push(character),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn says(html: &str, parts: &[&str]) {
    let text = text(html);
    let mut rest = text.as_str();
    for part in parts {
        rest = match rest.split_once(part) {
            Some((_, rest)) => rest,
            None => panic!("{part:?} is not in, or stands before the parts before it:\n{text}"),
        };
    }
}

fn policy(answered: &Answered) -> &str {
    answered.header("content-security-policy").expect("a policy")
}

#[test]
fn it_is_answered_where_people_look() {
    let (_stage, _running, address) = served();
    for target in ["/", "/tenants/acme"] {
        let answered = get(address, target);
        assert_eq!(answered.status, 200, "{target}");
        assert_eq!(answered.header("content-type"), Some("text/html; charset=utf-8"));
    }
    for target in ["/ready", "/readyz", "/ready/acme", "/ready?exclude=disk"] {
        let answered = ask(address, "GET", target, BROWSER);
        assert_eq!(
            answered.header("content-type"),
            Some("text/html; charset=utf-8"),
            "{target}"
        );
        assert_eq!(
            answered.header("x-envoy-degraded"),
            Some("1"),
            "as for every other form"
        );
    }
    let verbose = ask(address, "GET", "/ready?verbose", BROWSER);
    assert_eq!(verbose.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(
        get(address, "/ready").body.starts_with('{'),
        "who does not ask for HTML gets none"
    );
}

#[test]
fn a_ready_that_is_a_503_is_one_as_a_page_too_and_the_page_itself_is_for_people() {
    let stage = stage(degraded().check("disk", Level::Down, "full").done());
    let running = start_public(stage.parts.clone(), "127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = running.address.unwrap();
    let ready = ask(address, "GET", "/ready", BROWSER);
    assert_eq!((ready.status, ready.header("retry-after")), (503, Some("7")));
    says(&ready.body, &["mac-3 is down", "load balancers get 503"]);
    assert_eq!(get(address, "/").status, 200);
}

#[test]
fn an_unknown_tenant_is_a_404_in_the_form_that_was_asked_for() {
    let (_stage, _running, address) = served();
    for (target, headers) in [
        ("/tenants/nobody", ""),
        ("/tenants/%3Cb%3E", ""),
        ("/ready/nobody", BROWSER),
    ] {
        let answered = ask(address, "GET", target, headers);
        assert_eq!(answered.status, 404, "{target}");
        assert!(answered.body.contains("No tenant"), "{target}: {}", answered.body);
        policy(&answered);
    }
    assert!(get(address, "/ready/nobody").body.starts_with('{'));
}

#[test]
fn who_may_not_see_all_sees_no_page() {
    let (_stage, _running, address) = served();
    let foreign = format!("Host: rebound.example\n{BROWSER}");
    for target in ["/", "/tenants/acme", "/tenants/nobody"] {
        assert_eq!(ask(address, "GET", target, &foreign).status, 421, "{target}");
    }
    let bare = ask(address, "GET", "/ready", &foreign);
    assert_eq!((bare.status, bare.body.as_str()), (200, "degraded\n"));
}

/// As CSP3 has it: the hash of what stands between the tags.
#[test]
fn the_policy_lets_in_the_style_and_the_script_that_are_there_and_nothing_else() {
    let (_stage, _running, address) = served();
    let answered = get(address, "/");
    let between = |tag: &str| {
        let (_, rest) = answered.body.split_once(&format!("<{tag}>")).unwrap();
        rest.split_once(&format!("</{tag}>")).unwrap().0
    };
    let hash = |text: &str| {
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", data_encoding::BASE64.encode(hash.as_ref()))
    };
    let expected = format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(between("style")),
        hash(between("script"))
    );
    assert_eq!(policy(&answered), expected);
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(answered.header(name), Some(value));
    }
    for inline in [" style=", " onclick=", " src=", "@import", "url("] {
        assert!(!answered.body.contains(inline), "{inline}");
    }
}

#[test]
fn the_order_is_that_of_questions_at_three_in_the_morning() {
    let snapshot = degraded()
        .with(|snapshot| {
            let acme = snapshot.tenants.get_mut(&tenant("acme")).unwrap();
            acme.maintenance = Some(operation("kernel upgrade"));
            snapshot.drain = Some(operation("power"));
        })
        .done();
    let html = page(&snapshot, None);
    assert!(html.contains("cluster=eu"));
    says(
        &html,
        &[
            "mac-3 is degraded",
            "for 10 min, since 07:21:07",
            "load balancers get 200, marked degraded",
            "mac-3 is drained",
            "uid 501 (ann)",
            "power",
            "OPS-1",
            "ends in 2 h",
            "acme is in maintenance",
            "kernel upgrade",
            "Why",
            "acme doctor: agent database refused",
            "Tenants",
            "acme",
            "Webhook failures",
            "History",
            "Probes",
            "disk",
            "Checks of the node itself",
        ],
    );
}

#[test]
fn a_reason_says_what_was_seen_what_to_do_and_the_command_that_is_known_good() {
    let snapshot = degraded()
        .with(|snapshot| {
            let check = snapshot
                .checks
                .iter_mut()
                .find(|check| check.id.to_string() == "doctor@acme")
                .unwrap();
            check.known_good = Some("openclaw doctor --lint".into());
            check.finding = Some(Arc::new(
                Finding::degraded("refused").with_evidence("agents.db", "permission denied"),
            ));
            let reason = &mut snapshot.reasons[0];
            reason.hint = "Run: readyd digest --tenant acme".into();
            reason.symptoms = vec![crate::words::CheckId::parse("doctor@beta").unwrap()];
        })
        .done();
    says(
        &page(&snapshot, None),
        &[
            "Why",
            "degraded",
            "acme doctor: agent database refused",
            "Next readyd digest --tenant acme",
            "Known good",
            "openclaw doctor --lint",
            "agents.db",
            "permission denied",
            "Explains 1 more check",
            "doctor@beta: nothing to complain about",
        ],
    );
}

#[test]
fn a_tenants_page_has_every_check_of_its_answer_with_its_evidence() {
    let snapshot = degraded()
        .with(|snapshot| {
            for check in &mut snapshot.checks {
                check.finding = Some(Arc::new(
                    Finding::ok("x").with_evidence("looked at", format!("{} it is", check.id)),
                ));
                check.cost = Some(Cost {
                    wall: Duration::from_millis(900),
                    cpu: Duration::from_millis(410),
                    peak_rss_bytes: 212 << 20,
                });
            }
        })
        .done();
    let html = page(&snapshot, Some("acme"));
    says(
        &html,
        &[
            "acme is degraded",
            "Why",
            "doctor@acme it is",
            "0.41 s CPU",
            "212 MiB peak",
            "disk it is",
        ],
    );
    assert!(!html.contains("doctor@beta"), "that is another's");
    says(
        &page(&snapshot, None),
        &[
            "Probes",
            "doctor",
            "1 degraded",
            "1 ok",
            "12 s ago",
            "0.82 s CPU",
            "212 MiB peak",
        ],
    );
}

#[test]
fn a_node_that_has_just_begun_and_one_without_tenants_say_so() {
    let starting = degraded().phase(Phase::Starting).done();
    says(
        &page(&starting, None),
        &["mac-3 is starting", "503", "until every required check has answered"],
    );
    says(&page(&starting, Some("acme")), &["acme is starting"]);
    let draining = Build::node().tenant("acme").phase(Phase::Draining).done();
    says(
        &page(&draining, None),
        &["mac-3 is draining", "503", "although every check is ok"],
    );
    let empty = page(&Build::node().done(), None);
    says(
        &empty,
        &[
            "mac-3 is ok",
            "Nothing is asked here",
            "No tenant is configured",
            "No delivery has failed",
        ],
    );
}

#[test]
fn whatever_comes_from_outside_is_text() {
    let snapshot = degraded()
        .check("disk", Level::Down, HOSTILE)
        .with(|snapshot| {
            snapshot.node = HOSTILE.into();
            snapshot.labels = BTreeMap::from([(HOSTILE.into(), HOSTILE.into())]);
            let mut hostile = operation(HOSTILE);
            (hostile.actor, hostile.ticket) = (HOSTILE.into(), Some(HOSTILE.into()));
            snapshot.drain = Some(hostile.clone());
            snapshot.tenants.get_mut(&tenant("acme")).unwrap().maintenance = Some(hostile);
            snapshot.config.reload_error = Some(HOSTILE.into());
            snapshot.config.warnings = vec![HOSTILE.into()];
            for check in &mut snapshot.checks {
                (check.title, check.summary, check.hint) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
                check.known_good = Some(HOSTILE.into());
                let mut finding = Finding::degraded(HOSTILE).with_evidence(HOSTILE, HOSTILE);
                finding.note_push(HOSTILE);
                check.finding = Some(Arc::new(finding));
            }
            for reason in &mut snapshot.reasons {
                (reason.text, reason.hint) = (HOSTILE.into(), HOSTILE.into());
            }
            Arc::make_mut(&mut snapshot.digest).sliding = Arc::new(window(&[row("acme", HOSTILE, 7)]));
        })
        .done();
    for name in [None, Some("acme")] {
        let html = page(&snapshot, name);
        assert_eq!(html.matches("<script").count(), 1, "ours");
        assert!(
            !html.contains("<img") && !html.contains("\"'&\""),
            "an attribute ends where it should"
        );
        assert!(html.matches("&lt;script&gt;alert(1)").count() > 10);
    }
}

/// The one way past the escaping is a type, and it is used for the two files of ours alone.
#[test]
fn nothing_but_our_style_and_script_is_written_as_it_is() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/page");
    let mut raw = Vec::new();
    for file in fs::read_dir(folder).unwrap().flatten() {
        let text = fs::read_to_string(file.path()).unwrap();
        raw.extend(
            text.lines()
                .filter(|line| line.contains("PreEscaped("))
                .map(|line| line.trim().to_owned()),
        );
    }
    assert_eq!(
        raw,
        ["style { (PreEscaped(STYLE)) }", "script { (PreEscaped(SCRIPT)) }"]
    );
}

fn row(name: &str, endpoint: &str, count: u64) -> Row {
    Row {
        tenant: tenant(name),
        endpoint: endpoint.into(),
        family: Family::ServerError,
        count,
        statuses: vec![(Code::Status(503), count)],
        gateways: Vec::new(),
        max_attempt: 1,
        first_seen: now().wall,
        last_seen: now().wall,
        sample: crate::ingest::delta::Sample {
            request_id: None,
            task_id: None,
            error: Some(HOSTILE.into()),
        },
        node: None,
    }
}

fn window(rows: &[Row]) -> WindowView {
    WindowView {
        rows: rows.to_vec().into(),
        ..WindowView::quiet(now().wall.plus_millis(-300_000), now().wall)
    }
}

#[test]
fn a_row_has_its_last_two_hours_and_who_is_well_again_is_still_there() {
    let starts: Vec<i64> = sparks::starts(now().wall).collect();
    assert_eq!(
        (starts.len(), starts[23]),
        (24, 1_795_159_800),
        "the newest window is that of now"
    );
    let count = |count| {
        Some(Arc::new(Counts::of(&window(&[
            row("acme", "crm", count),
            row("beta", "hook", 2),
        ]))))
    };
    let stored = BTreeMap::from([(starts[0], count(10)), (starts[1], None), (starts[2], count(1000))]);
    let sparks = Sparks::new(now().wall, &BTreeMap::new(), &stored);
    let snapshot = degraded()
        .with(|snapshot| Arc::make_mut(&mut snapshot.digest).sliding = Arc::new(window(&[row("acme", "crm", 7)])))
        .done();
    let html = drawn(&snapshot, None, &sparks, &Timelines::default());
    says(
        &html,
        &[
            "last five minutes: 7 failed",
            "5xx ×7",
            "crm",
            "1,010 failures in two hours, at most 1,000 in five minutes",
        ],
    );
    says(&html, &["hook", "beta · 5xx", "4 failures in two hours", "earlier"]);
    assert!(
        html.contains("d=\"M0 19.5h4M8 19.5h4\""),
        "where nobody watched there is no line"
    );
    assert!(html.contains("d=\"M2 20v-2M10 20v-20\""), "little is still seen");
    says(
        &drawn(&snapshot, Some("beta"), &sparks, &Timelines::default()),
        &["0 failed", "hook", "earlier"],
    );
}

/// Half a day unwatched, then ok with a minute of down.
fn subject(who: Who, hours: i64) -> Subject {
    let at = |minutes: i64| now().wall.plus_millis(-minutes * 60_000);
    let begins = at(hours * 60);
    let segment = |status, from, until| Segment { status, from, until };
    Subject {
        who,
        segments: vec![
            segment(Status::NotWatched, begins, at(hours * 30)),
            segment(Status::Ok, at(hours * 30), at(10)),
            segment(Status::Down, at(10), at(9)),
            segment(Status::Ok, at(9), at(0)),
        ],
        lasted: Lasted::default(),
        uptime: Some(0.999_99),
        outages: 1,
        flaps: 0,
        time_to_detect: Spread::default(),
        time_to_recover: Spread::default(),
        budget: None,
    }
}

fn report(names: &[String], hours: i64) -> Option<Arc<Report>> {
    let tenants = names.iter().map(|name| Who::tenant(tenant(name)));
    Some(Arc::new(Report {
        node: "mac-3".into(),
        generated_at: now().wall,
        from: now().wall.plus_millis(-hours * 3_600_000),
        until: now().wall,
        transitions: Vec::new(),
        subjects: std::iter::once(Who::node())
            .chain(tenants)
            .map(|who| subject(who, hours))
            .collect(),
        truncated_before: None,
    }))
}

#[test]
fn a_strip_shows_a_minute_of_outage_in_a_quarter_and_no_hundred_percent_with_one() {
    let names = ["acme".to_owned(), "beta".to_owned()];
    let timelines = Timelines::new([report(&names, 24), None, report(&names, 90 * 24)]);
    let snapshot = degraded().done();
    let html = drawn(&snapshot, None, &Sparks::none(), &timelines);
    says(
        &html,
        &[
            "History",
            "24 h",
            "7 d",
            "90 d",
            "mac-3 (node)",
            "one outage",
            "99.99 %",
            "–",
            "99.99 %",
            "acme",
        ],
    );
    assert!(
        html.contains("class=\"t-down\" d=\"M596 18h2v-18h-2z\""),
        "ten minutes ago, of a day"
    );
    let html = drawn(&snapshot, Some("acme"), &Sparks::none(), &timelines);
    assert!(
        html.contains("class=\"t-down\" d=\"M598 18h2v-18h-2z\""),
        "ten minutes ago, of 90 days"
    );
    assert!(html.contains("not known yet"), "7 d");
    says(&page(&snapshot, None), &["History", "cannot be read now"]);
}

#[test]
fn what_is_asked_for_is_one_of_three_ranges() {
    let of = |value: &str| Range::of_query(&[("range".to_owned(), value.to_owned())]);
    assert_eq!(
        (of("7d"), of("90d"), of("24h")),
        (Range::Week, Range::Quarter, Range::Day)
    );
    assert_eq!((of("1y"), Range::of_query(&[])), (Range::Day, Range::Day));
}

/// The largest node there may be, all of it in trouble.
#[test]
fn a_page_of_256_tenants_with_20_checks_each_is_bounded() {
    let names: Vec<String> = (0..256).map(|nth| format!("tenant-with-a-name-{nth:03}")).collect();
    let mut build = Build::node();
    for name in &names {
        build = build.tenant(name);
    }
    let mut snapshot = build.check("disk", Level::Degraded, "nearly full").done();
    let model = snapshot.checks[0].clone();
    let reason = snapshot.reasons[0].clone();
    let summary = "the gateway refused the connection on its port, as it has for the last ninety seconds";
    // Made once: each text is looked through for secrets.
    let finding = (0..64).fold(Finding::down(summary), |finding, _| {
        finding.with_evidence("seen", "x".repeat(2048))
    });
    let finding = Arc::new(finding);
    for name in &names {
        for nth in 0..20 {
            let mut check = model.clone();
            check.id = crate::words::CheckId::parse(&format!("probe-number-{nth}@{name}")).unwrap();
            check.summary = summary.into();
            let mut reason = reason.clone();
            (reason.text, reason.check, reason.tenant) = (
                format!("{name} {}: {summary}", check.id.probe),
                Some(check.id.clone()),
                Some(tenant(name)),
            );
            check.finding = Some(Arc::clone(&finding));
            snapshot
                .tenants
                .get_mut(&tenant(name))
                .unwrap()
                .reasons
                .push(reason.clone());
            snapshot.reasons.push(reason);
            snapshot.checks.push(check);
        }
    }
    snapshot.verdict = Verdict::Degraded;
    let rows: Vec<Row> = names
        .iter()
        .map(|name| row(name, "https://hooks.partner.example/orders", 3))
        .collect();
    Arc::make_mut(&mut snapshot.digest).sliding = Arc::new(window(&rows));
    let counts = Some(Arc::new(Counts::of(&window(&rows))));
    let stored = sparks::starts(now().wall)
        .map(|start| (start, counts.clone()))
        .collect();
    let sparks = Sparks::new(now().wall, &BTreeMap::new(), &stored);
    let timelines = Timelines::new([report(&names, 24), report(&names, 168), report(&names, 2160)]);

    let began = Instant::now();
    let node = drawn(&snapshot, None, &sparks, &timelines);
    let took = began.elapsed();
    let of_tenant = drawn(&snapshot, Some(&names[7]), &sparks, &timelines);
    println!(
        "the node: {} bytes in {took:?}; a tenant: {} bytes",
        node.len(),
        of_tenant.len()
    );
    assert!(node.contains(&names[255]), "every tenant is listed");
    assert!(node.len() < BYTES_MAX, "{} bytes", node.len());
    assert!(of_tenant.len() < BYTES_MAX, "{} bytes", of_tenant.len());
    // Some milliseconds when it is optimised; this is neither that nor alone on its machine.
    assert!(took < Duration::from_secs(2), "{took:?}");
}
