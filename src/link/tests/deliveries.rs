//! What a link tells of webhooks: each delivery once, those that were missed too, and what cannot be known.

use std::time::Duration;

use super::*;
use crate::ingest::delta::{Mark, Reporter};

const FAILED: &str = r#""deliveryStatus":"not-delivered","deliveryError":"Webhook request failed with HTTP 503","delivery":{"resolved":{"to":"https://hooks.example/crm?key=s3cret"}}"#;

#[test]
fn a_failed_webhook_is_delivered_once_however_often_it_is_told() {
    let mut line = Line::established();
    let frame = finished("j1", START, FAILED);
    assert_eq!(
        line.says(&frame),
        ["0 deliver https://hooks.example/crm 503 2026-11-20T08:34:04Z"]
    );
    assert_eq!(line.says(&frame), [""; 0]);
    let ok = finished("j2", START, r#""deliveryStatus":"delivered","delivered":true"#);
    assert_eq!(line.says(&ok), ["0 deliver j2-name 200 2026-11-20T08:34:04Z"]);
    let none = finished("j3", START, r#""deliveryStatus":"not-requested""#);
    assert_eq!(line.says(&none), [""; 0]);
}

#[test]
fn a_replay_after_a_restart_of_readyd_counts_once() {
    let reporter = Reporter::link(&TenantName::parse("acme").unwrap());
    let mut marks: Vec<Mark> = Vec::new();
    let mut line = Line::established();
    marks.extend(line.session.memory().mark(&reporter, START));
    for act in line.acts(&finished("j1", START, FAILED)) {
        if let Act::Deliver(event) = act {
            marks.extend(event.mark(&reporter, START));
        }
    }
    let memory = Memory::restore(&marks);
    assert_eq!(&memory, line.session.memory());
    let anew = memory.marks(&reporter, START);
    assert_eq!(
        Memory::restore(&anew),
        memory,
        "and all of it in a database that begins anew"
    );
    let mut line = Line::established_with(memory, "boot-1");
    assert_eq!(line.says(&finished("j1", START, FAILED)), [""; 0]);
    let next = line.says(&finished("j1", START.plus_millis(1), FAILED));
    assert!(next[0].contains("deliver "), "{next:?}");
}

#[test]
fn what_was_missed_while_the_link_was_away_is_filled_once_and_with_its_own_time() {
    let mut line = Line::established();
    line.says(&finished("j1", START, FAILED));
    line.alive(30_000);
    let missed = START.plus_millis(70_000).as_millis();
    line.away_for_a_minute();
    let old = START.as_millis();
    let runs = format!(
        r#"{{"entries":[
        {{"jobId":"j2","ts":{},"runAtMs":{},"deliveryStatus":"delivered","jobName":"daily"}},
        {{"jobId":"j1","ts":{missed},"runAtMs":{missed},"deliveryStatus":"not-delivered","deliveryError":"getaddrinfo ENOTFOUND x.invalid"}},
        {{"jobId":"j1","ts":{},"runAtMs":{old},"deliveryStatus":"not-delivered","deliveryError":"HTTP 503"}}],"hasMore":true}}"#,
        missed + 5_000,
        missed + 5_000,
        old + 40,
    );
    assert_eq!(
        line.answers("cron.runs", &runs),
        ["90000 ask cron.list"],
        "the last tick is reached: no more pages"
    );
    assert_eq!(
        line.answers("cron.list", r#"{"jobs":[]}"#),
        [
            "90000 deliver j1 dns 2026-11-20T08:35:14Z filled",
            "90000 deliver daily 200 2026-11-20T08:35:19Z filled",
            "90000 keep",
            "90000 ask models.authStatus"
        ]
    );
}

#[test]
fn a_job_whose_last_run_the_history_does_not_know_is_counted_and_the_gap_is_said() {
    let mut line = Line::established();
    line.away_for_a_minute();
    line.answers("cron.runs", r#"{"entries":[]}"#);
    let jobs = format!(
        r#"{{"jobs":[{{"id":"j9","name":"wh","delivery":{{"to":"http://h/x"}},"state":{{"lastRunAtMs":{},"lastDurationMs":9,
        "lastDeliveryStatus":"not-delivered","lastDeliveryError":"Blocked hostname or private/internal/special-use IP address"}}}}]}}"#,
        START.plus_millis(30_000).as_millis()
    );
    assert_eq!(
        line.answers("cron.list", &jobs),
        [
            "60000 deliver http://h/x blocked 2026-11-20T08:34:34Z filled",
            "60000 keep",
            "60000 gap: the gateway's history of runs is not whole",
            "60000 ask models.authStatus"
        ]
    );
}

#[test]
fn a_gateway_that_tells_no_history_leaves_a_gap_and_is_not_wedged() {
    let mut line = Line::established();
    line.does(Happening::Closed {
        code: 1006,
        reason: String::new(),
    });
    line.to(line.session.next_wake());
    line.handshake("boot-1");
    line.answers_health("{}");
    let transcript = line.alive(61_000);
    assert!(
        findings(&transcript).iter().all(|finding| finding.contains("ok:")),
        "{transcript:?}"
    );
    assert!(
        transcript
            .iter()
            .any(|line| line.contains("gap: the gateway does not tell its history")),
        "{transcript:?}"
    );
}

#[test]
fn the_first_connection_ever_counts_nothing_of_before() {
    let mut line = Line::new(Memory::default());
    line.handshake("b");
    line.answers_health("{}");
    let old = START.plus_millis(-600_000).as_millis();
    line.answers(
        "cron.runs",
        &format!(
            r#"{{"entries":[{{"jobId":"j","ts":{old},"runAtMs":{old},"deliveryStatus":"delivered"}}],"hasMore":true}}"#
        ),
    );
    let jobs = format!(r#"{{"jobs":[{{"id":"k","state":{{"lastRunAtMs":{old},"lastDeliveryStatus":"delivered"}}}}]}}"#);
    assert_eq!(line.answers("cron.list", &jobs), ["0 keep", "0 ask models.authStatus"]);
}

#[test]
fn a_gateway_whose_clock_went_back_loses_no_event_and_says_so() {
    let mut line = Line::established();
    line.says(&finished("j1", START, FAILED));
    line.does(Happening::Closed {
        code: 1006,
        reason: String::new(),
    });
    line.to(line.now.at + Duration::from_secs(20));
    line.does(Happening::TimeUp);
    line.does(Happening::Connected);
    let an_hour_ago = START.plus_millis(-3_600_000);
    line.says(&challenge(an_hour_ago));
    let frame = hello(line.ask("connect"), "boot-1");
    line.says(&frame);
    line.answers_health("{}");
    let (during, before) = (an_hour_ago.plus_millis(-3_000).as_millis(), START.as_millis());
    let runs = format!(
        r#"{{"entries":[
        {{"jobId":"j1","ts":{before},"runAtMs":{before},"deliveryStatus":"not-delivered","deliveryError":"HTTP 503"}},
        {{"jobId":"j1","ts":{during},"runAtMs":{during},"deliveryStatus":"not-delivered","deliveryError":"HTTP 500"}}]}}"#
    );
    line.answers("cron.runs", &runs);
    assert_eq!(
        line.answers("cron.list", "{}"),
        [
            "20000 deliver j1 500 2026-11-20T08:34:21Z filled",
            "20000 keep",
            "20000 gap: the gateway's clock went back",
            "20000 ask models.authStatus"
        ],
        "its time is corrected by its clock's error"
    );
    let tick = tick_at(an_hour_ago.plus_millis(-7_200_000));
    line.says(&tick);
    let later = finished("j1", an_hour_ago.plus_millis(-7_200_000), FAILED);
    assert!(
        line.says(&later)[0].contains("deliver "),
        "and again, while it is connected"
    );
}

#[test]
fn frames_that_the_gateway_dropped_are_read_back() {
    let mut line = Line::established();
    line.alive(70_000);
    let mut numbered = |seq: u64| line.says(&format!(r#"{{"type":"event","event":"presence","seq":{seq}}}"#));
    assert_eq!(numbered(1), [""; 0]);
    assert_eq!(numbered(2), [""; 0]);
    assert_eq!(numbered(5), ["70000 ask cron.runs"]);
}

#[test]
fn a_frame_that_is_lost_while_the_history_is_read_is_asked_for_again() {
    let mut line = Line::established();
    line.alive(60_000);
    line.away_for_a_minute();
    let numbered = |seq: u64| format!(r#"{{"type":"event","event":"other","seq":{seq},"payload":{{}}}}"#);
    line.says(&numbered(1));
    line.says(&numbered(3));
    let before = line.session.memory().standing.synced;
    for method in ["cron.runs", "cron.list"] {
        line.answers(method, r#"{"jobs":[],"entries":[],"hasMore":false}"#);
    }
    let tick = tick_at(line.now.wall);
    line.says(&tick);
    assert_eq!(
        line.session.memory().standing.synced,
        before,
        "what was lost is after this"
    );
    let asked = line.alive(70_000);
    assert!(asked.iter().any(|act| act.contains("cron.runs")), "{asked:?}");
}
