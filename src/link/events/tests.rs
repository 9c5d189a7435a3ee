use super::*;
use crate::ingest::fold::{FoldSettings, Folder, Mode};
use crate::words::{Family, Outcome, Via};

#[test]
fn every_error_text_that_was_seen_has_its_family() {
    let table = [
        ("Webhook request failed with HTTP 500", "500", ""),
        ("Webhook request failed with HTTP 404", "404", ""),
        ("Webhook request failed with HTTP 429", "429", ""),
        ("Webhook request failed with HTTP 503", "503", ""),
        (
            "fetch failed | connect ECONNREFUSED 127.0.0.1:9912 | ECONNREFUSED",
            "connect",
            "ECONNREFUSED",
        ),
        ("getaddrinfo ENOTFOUND no-such-host.invalid", "dns", "ENOTFOUND"),
        (
            "Blocked hostname or private/internal/special-use IP address",
            "blocked",
            "blocked hostname",
        ),
        (
            "cron webhook delivery deadline exceeded",
            "timeout",
            "deadline exceeded",
        ),
        ("This operation was aborted", "timeout", "operation was aborted"),
        ("fetch failed", "connect", "fetch failed"),
        ("fetch failed | read ECONNRESET | ECONNRESET", "connect", "ECONNRESET"),
        (
            "fetch failed | Connect Timeout Error | UND_ERR_CONNECT_TIMEOUT",
            "timeout",
            "UND_ERR_CONNECT_TIMEOUT",
        ),
        ("connect ETIMEDOUT 192.0.2.1:443", "timeout", "ETIMEDOUT"),
        (
            "fetch failed | self-signed certificate | DEPTH_ZERO_SELF_SIGNED_CERT",
            "tls",
            "DEPTH_ZERO_SELF_SIGNED_CERT",
        ),
        ("unable to verify the first certificate", "tls", "certificate"),
        ("getaddrinfo ENOTFOUND timeout.blocked.example", "dns", "ENOTFOUND"),
        ("getaddrinfo EAI_AGAIN hooks.example", "dns", "EAI_AGAIN"),
        ("socket hang up", "connect", "socket hang up"),
        ("upstream answered with status code 502", "502", ""),
        ("HTTP 204 and then it broke", "other", ""),
        ("HTTP 5000", "other", ""),
        ("HTTP", "other", ""),
        (
            "delivery state is unknown_after_send; refusing blind replay without adapter reconciliation",
            "other",
            "",
        ),
        ("cron webhook delivery.to must be a valid http(s) URL", "other", ""),
        ("", "other", ""),
        ("ümläut HTTP ‰‰‰ ", "other", ""),
    ];
    for (error, code, why) in table {
        let ended = failure(error);
        assert_eq!((ended.code.to_string().as_str(), ended.why), (code, why), "{error}");
        assert_ne!(ended.code.outcome(), Outcome::Delivered, "{error}");
    }
}

#[test]
fn every_error_text_of_the_recordings_is_understood() {
    let mut seen = 0;
    for recording in [
        include_str!("../../../tests/fixtures/openclaw/rpc-cron-list.txt"),
        include_str!("../../../tests/fixtures/openclaw/gateway-link.ndjson"),
    ] {
        for part in recording.split("eliveryError\":").skip(1) {
            let error: String = serde_json::Deserializer::from_str(part)
                .into_iter()
                .next()
                .unwrap()
                .unwrap();
            seen += 1;
            assert_ne!(
                failure(&error).code.outcome(),
                Outcome::Failed(Family::Other),
                "{error}"
            );
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn what_was_not_requested_or_held_back_is_no_event() {
    let code = |status, delivered, error, suppressed| {
        ended(status, delivered, error, suppressed).map(|ended| ended.code.to_string())
    };
    assert_eq!(code(Some("delivered"), None, None, false).as_deref(), Some("200"));
    assert_eq!(code(None, Some(true), None, false).as_deref(), Some("200"));
    assert_eq!(
        code(Some("not-delivered"), Some(false), None, false).as_deref(),
        Some("other")
    );
    assert_eq!(code(Some("not-delivered"), None, None, true), None);
    assert_eq!(
        code(Some("not-delivered"), None, Some("HTTP 500"), true).as_deref(),
        Some("500")
    );
    assert_eq!(code(Some("not-requested"), Some(false), None, false), None);
    assert_eq!(code(Some("unknown"), None, Some("HTTP 500"), false), None);
    assert_eq!(code(None, Some(false), None, false), None);
    assert_eq!(code(None, Some(false), Some("HTTP 500"), false).as_deref(), Some("500"));
    assert_eq!(code(None, None, None, false), None);
}

fn run(job: &str, started: Option<i64>, run_id: Option<&str>) -> Run {
    Run {
        job_id: job.into(),
        run_id: run_id.map(str::to_owned),
        endpoint: "https://hooks.example/x".into(),
        started: started.map(Wall::from_millis),
        ended: None,
        delivery: Some(failure("HTTP 503")),
    }
}

#[test]
fn a_run_is_known_by_job_and_start_and_by_its_id_only_where_it_has_no_start() {
    let mut memory = Memory::default();
    let now = Wall::from_millis(1_000);
    assert!(memory.observe(&run("a", Some(1), Some("manual:1")), now));
    assert!(
        !memory.observe(&run("a", Some(1), Some("cron:1")), now),
        "the lists name their ids otherwise"
    );
    assert!(memory.observe(&run("a", Some(2), None), now));
    assert!(memory.observe(&run("b", Some(1), None), now));
    assert!(memory.observe(&run("a", None, Some("r")), now));
    assert!(!memory.observe(&run("b", None, Some("r")), now));
    assert!(memory.observe(&run("a", None, None), now));
    assert!(memory.observe(&run("a", None, None), now), "nothing to know it by");
}

#[test]
fn the_memory_is_bounded_in_number_and_time() {
    let mut memory = Memory::default();
    for started in 0..10_000 {
        memory.observe(&run("a", Some(started), None), Wall::from_millis(started));
    }
    assert_eq!(memory.len(), SEEN_MAX);
    assert!(!memory.has(&run("a", Some(0), None)));
    assert!(memory.has(&run("a", Some(9_999), None)));
    memory.observe(&run("b", Some(1), None), Wall::from_millis(10_001 + 24 * 3_600_000));
    assert_eq!(memory.len(), 1);
}

#[test]
fn the_key_of_a_run_is_the_same_in_every_build() {
    assert_eq!(
        key(&run("a", Some(1), None)),
        Some(RunKey(16_625_041_030_713_337_062)),
        "a stored memory must stay readable"
    );
}

#[test]
fn lines_fold_as_those_of_any_producer() {
    let mut memory = Memory::default();
    let tenant = TenantName::parse("acme").unwrap();
    let now = Now::default();
    let ts = Wall::from_millis(1_795_163_651_702);
    let mut event = |run: &Run| memory.event(&tenant, run, ts, now, false);
    let long_id = "x".repeat(128);
    let lines = [
        event(&run("a", Some(1), Some(&long_id))),
        event(&run("a", Some(1), Some("again"))),
        event(&Run {
            delivery: Some(failure("getaddrinfo ENOTFOUND x")),
            ..run("a", Some(2), None)
        }),
        event(&Run {
            delivery: ended(Some("delivered"), None, None, false),
            ..run("a", Some(3), None)
        }),
        event(&Run {
            delivery: None,
            ..run("a", Some(4), None)
        }),
    ];
    let lines: Vec<String> = lines.into_iter().flatten().map(|event| event.line() + "\n").collect();
    assert_eq!(lines.len(), 3);
    let settings = std::sync::Arc::new(FoldSettings {
        node: "n".into(),
        allowed: None,
        via: Via::Socket,
    });
    let mut folder = Folder::new(settings, Mode::Plain, Some(0));
    let mut rejections = Vec::new();
    folder.read(lines.concat().as_bytes(), Now { at: now.at, wall: ts }, &mut rejections);
    assert_eq!(rejections, []);
    let delta = folder.take().unwrap();
    assert_eq!(
        (delta.tally.accepted, delta.cells.len(), delta.tenants),
        (3, 3, vec![tenant])
    );
}
