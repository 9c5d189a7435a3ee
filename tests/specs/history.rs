//! A tenant's trouble, and readyd's own death, as history tells them afterwards.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Answer, Node, PATIENCE, free_port, pause};

fn config(port: u16, budget: u32) -> String {
    format!(
        "tenants: {{acme: {{tenant_budget: {budget}}}, beta: {{}}}}\nslo: {{target: 90%, window: 1h}}\n\
         probes:\n  doctor: {{enabled: false}}\n  backend: {{kind: tcp, address: \"127.0.0.1:{port}\", every: 1s, retry_every: 250ms}}\n"
    )
}

fn tenant(answer: &Answer, tenant: &str) -> Value {
    let body = answer.json();
    let subjects = body["subjects"].as_array().unwrap().iter();
    let mut found = subjects.filter(|subject| subject["tenant"] == tenant && subject["check"].is_null());
    found
        .next()
        .unwrap_or_else(|| panic!("no {tenant} in {body:#}"))
        .clone()
}

fn statuses(subject: &Value) -> Vec<&str> {
    let segments = subject["segments"].as_array().unwrap().iter();
    segments.map(|segment| segment["status"].as_str().unwrap()).collect()
}

fn is_well(answer: &Answer) -> bool {
    statuses(&tenant(answer, "acme")).last() == Some(&"ok")
}

fn seconds(subject: &Value, status: &str) -> f64 {
    subject["seconds"][status].as_f64().unwrap()
}

#[test]
fn trouble_recovery_and_the_time_in_which_readyd_was_dead_are_told_as_they_were() {
    let port = free_port();
    let backend = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut node = Node::start(&config(port, 3));
    node.until_status("ok", PATIENCE);

    node.fails(9);
    node.until_status("degraded", PATIENCE);
    node.configure(&config(port, 1000));
    node.cli_ok(&["reload"]);
    node.until_status("ok", PATIENCE);
    drop(backend);
    // Of two tenants that ask, this one too.
    node.until("/ready/acme", PATIENCE, |answer| answer.status == 503);
    let _backend = TcpListener::bind(("127.0.0.1", port)).unwrap();
    node.until_status("ok", PATIENCE);
    // What was shown is on disk a moment later: a kill in between would make that moment one that nobody watched.
    node.until("/v1/history?span=1h&tenant=acme", PATIENCE, is_well);

    node.kill();
    let died = Instant::now();
    while died.elapsed() < Duration::from_secs(2) {
        pause();
    }
    node.spawn();
    node.wait_until_it_answers();
    let dead = died.elapsed().as_secs_f64();

    let (answer, _) = node.until("/v1/history?span=1h&tenant=acme", PATIENCE, is_well);
    let acme = tenant(&answer, "acme");
    let seen = statuses(&acme);
    // It is degraded for a moment until it is first asked, or it is not.
    let first_ok = seen.iter().position(|status| *status == "ok").unwrap();
    // It is well for a moment before it is killed: one that is too short for the store to have said that readyd lived in it.
    let before = ["ok", "degraded", "ok", "down"];
    let after = seen[first_ok..].strip_prefix(&before[..]);
    let after = after.map(|seen| seen.strip_prefix(&["ok"][..]).unwrap_or(seen));
    assert_eq!(after, Some(&["not_watched", "ok"][..]), "{acme:#}");
    assert_eq!(seen[0], "not_watched");
    let body = answer.json();
    let all = acme["seconds"]
        .as_object()
        .unwrap()
        .values()
        .map(|seconds| seconds.as_f64().unwrap());
    assert!((all.sum::<f64>() - 3600.0).abs() < 0.01, "{acme:#}");
    assert_eq!(body["span_sec"], 3600);
    assert!(
        body["truncated_before"].is_string(),
        "the record is younger than the span"
    );
    assert_eq!(acme["outages"], 1, "{acme:#}");
    assert!(acme["flaps"].as_u64() >= Some(3), "{acme:#}");
    assert_eq!(
        (&acme["time_to_detect"]["n"], &acme["time_to_recover"]["n"]),
        (&1.into(), &1.into())
    );
    let recover = acme["time_to_recover"]["mean_sec"].as_f64().unwrap();
    assert!((recover - seconds(&acme, "down")).abs() < 0.01, "{acme:#}");
    let (up, down) = (
        seconds(&acme, "ok") + seconds(&acme, "degraded"),
        seconds(&acme, "down"),
    );
    assert!(
        (acme["uptime"].as_f64().unwrap() - up / (up + down)).abs() < 1e-9,
        "{acme:#}"
    );
    let budget = &acme["budget"];
    assert_eq!(budget["allowed_sec"], 360.0);
    assert!((budget["used_sec"].as_f64().unwrap() - down).abs() < 0.01, "{budget:#}");

    // What lies between the first and the last moment that were watched was dark as long as readyd was dead, and not much longer.
    let dark = acme["segments"].as_array().unwrap().iter().rev().nth(1).unwrap();
    let second = |key: &str| {
        readyd::words::Wall::parse_rfc3339(dark[key].as_str().unwrap())
            .unwrap()
            .as_secs()
    };
    let lasted = second("until") - second("from");
    assert!(
        (1..=i64::from(dead.ceil() as u32) + 11).contains(&lasted),
        "{lasted} s dark, {dead} s dead"
    );

    let of_checks: Vec<&Value> = body["subjects"].as_array().unwrap().iter().collect();
    let backend = of_checks.iter().find(|subject| subject["check"] == "backend").unwrap();
    assert_eq!(backend["outages"], 1, "{backend:#}");
    let down = body["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|change| change["to"] == "down")
        .unwrap();
    assert!(
        down["last_good_at"].as_str() <= down["first_bad_at"].as_str(),
        "{down:#}"
    );
    assert!(down["first_bad_at"].as_str() <= down["at"].as_str(), "{down:#}");

    as_people_see_it(&node);
    as_prometheus_sees_it(&node);
}

fn as_people_see_it(node: &Node) {
    let drawn = |locale: &str, arguments: &[&str]| {
        let output = node.command(arguments).env("LC_ALL", locale).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let told = drawn("en_US.UTF-8", &["history", "--span", "1h"]);
    println!("{told}");
    let lines: Vec<&str> = told.lines().collect();
    let of = |name: &str| lines.iter().position(|line| line.starts_with(name)).unwrap();
    let row: Vec<&str> = lines[of("acme")].split_whitespace().collect();
    assert_eq!(row[2], "1", "{told}");
    assert!(row[1].ends_with('%') && row.last() == Some(&"left"), "{told}");
    assert_eq!(lines[of("acme") + 1].trim_start().chars().count(), 40, "{told}");
    assert!(told.contains("down > ok"), "{told}");
    assert!(
        lines[..of("AT")].iter().all(|line| line.chars().count() <= 80),
        "{told}"
    );

    let ascii = drawn("C", &["history", "acme", "--check", "backend", "--span", "1h"]);
    assert!(
        ascii
            .lines()
            .take_while(|line| !line.starts_with("AT"))
            .all(str::is_ascii),
        "{ascii}"
    );
    assert!(ascii.contains("backend@acme") && !ascii.contains("beta"), "{ascii}");
    let json: Value = serde_json::from_str(&drawn("C", &["history", "--json"])).unwrap();
    let named: Vec<&Value> = json["subjects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|subject| &subject["tenant"])
        .collect();
    assert_eq!(named, [&Value::Null, &"acme".into(), &"beta".into()]);

    let nobody = node.cli(&["history", "nobody"]);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&nobody.stderr).contains("no such tenant"),
        "{nobody:?}"
    );
    assert_eq!(node.cli(&["history", "--span", "91d"]).status.code(), Some(64));
    assert_eq!(node.get("/v1/history?span=91d").status, 400);
}

fn as_prometheus_sees_it(node: &Node) {
    let wanted = [
        "readyd_slo_target_ratio{tenant=\"acme\"} 0.9",
        "readyd_slo_budget_remaining_ratio{tenant=\"beta\"} ",
        "readyd_slo_burn_rate{tenant=\"acme\",over=\"1h\"} ",
    ];
    node.until("/metrics", PATIENCE, |answer| {
        wanted.iter().all(|sample| answer.body.contains(sample))
    });
}
