use std::sync::Arc;

use expect_test::expect;

use super::*;
use crate::digest::view::Dropped;
use crate::ingest::delta::Sample;
use crate::words::{Instant, Kind};

const NOW: Now = Now {
    at: Instant::from_millis(1_001_900),
    wall: Wall::from_millis(1_795_159_867_000),
};

fn row(family: Family, count: u64, statuses: &[(Code, u64)]) -> Row {
    Row {
        tenant: TenantName::parse("acme").unwrap(),
        endpoint: "crm".into(),
        family,
        count,
        statuses: statuses.to_vec(),
        gateways: vec!["gw-1".into(), "gw-2".into()],
        max_attempt: 4,
        first_seen: NOW.wall.plus_millis(-200_000),
        last_seen: NOW.wall.plus_millis(-1_000),
        sample: Sample {
            request_id: Some("req-81".into()),
            task_id: Some("t-9".into()),
            error: Some("upstream connect error".into()),
        },
        node: None,
    }
}

fn window(kind: WindowKind, start: i64, is_final: bool, rows: Vec<Row>) -> Arc<WindowView> {
    let start = Wall::from_millis(start * 1000);
    Arc::new(WindowView {
        head: WindowHead {
            kind,
            start,
            end: start.plus_millis(300_000),
            is_final,
            revision: 0,
        },
        rows: rows.into(),
        delivered: [(TenantName::parse("acme").unwrap(), 12_000)].into(),
        dropped: Dropped::default(),
    })
}

fn view() -> DigestView {
    let rows = vec![
        row(
            Family::ServerError,
            500,
            &[(Code::Status(503), 498), (Code::Status(502), 2)],
        ),
        row(Family::Timeout, 12, &[(Code::Kind(Kind::Timeout), 12)]),
    ];
    DigestView {
        rolled_at: Instant::from_millis(1_000_000),
        rolled_wall: NOW.wall.plus_millis(-1_900),
        sliding: window(WindowKind::Sliding, 1_795_159_570, false, rows),
        aligned: [
            (
                1_795_159_500,
                window(WindowKind::Aligned, 1_795_159_500, true, Vec::new()),
            ),
            (
                1_795_159_800,
                window(WindowKind::Aligned, 1_795_159_800, false, Vec::new()),
            ),
        ]
        .into(),
        remote: None,
        sources: BTreeMap::new(),
        upto: 0,
    }
}

impl Query {
    /// Of a query string in which nothing is encoded.
    pub(crate) fn of(text: &str) -> Result<Query, BadQuery> {
        let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Query::parse(&pairs.map(|(key, value)| (key.into(), value.into())).collect::<Vec<_>>())
    }
}

fn asked(query: &str) -> String {
    let view = view();
    match Query::of(query).map(|query| answer(&view, &query, "mac-3", NOW).map(|a| serde_json::to_string(&a))) {
        Ok(Ok(answer)) => answer.unwrap(),
        Ok(Err(not_held)) => format!("404 {not_held}"),
        Err(bad) => format!("400 {bad}"),
    }
}

#[test]
fn the_answer_has_the_contracts_shape_and_order() {
    let view = view();
    let answer = answer(&view, &Query::default(), "mac-3", NOW).unwrap();
    expect![[r#"
        {
          "age_sec": 1,
          "generated_at": "2026-11-20T07:31:07Z",
          "node": "mac-3",
          "window": {
            "kind": "sliding",
            "start": "2026-11-20T07:26:10Z",
            "end": "2026-11-20T07:31:10Z",
            "seconds": 300,
            "final": false,
            "revision": 0
          },
          "totals": {
            "failures": 512,
            "delivered": 12000,
            "rows": 2,
            "by_family": {
              "5xx": 500,
              "timeout": 12
            }
          },
          "top": [
            {
              "tenant": "acme",
              "endpoint": "crm",
              "family": "5xx",
              "count": 500,
              "share": 0.98,
              "statuses": {
                "503": 498,
                "502": 2
              },
              "gateways": [
                "gw-1",
                "gw-2"
              ],
              "max_attempt": 4,
              "first_seen": "2026-11-20T07:27:47Z",
              "last_seen": "2026-11-20T07:31:06Z",
              "sample": {
                "request_id": "req-81",
                "task_id": "t-9",
                "error": "upstream connect error"
              }
            },
            {
              "tenant": "acme",
              "endpoint": "crm",
              "family": "timeout",
              "count": 12,
              "share": 0.02,
              "statuses": {
                "timeout": 12
              },
              "gateways": [
                "gw-1",
                "gw-2"
              ],
              "max_attempt": 4,
              "first_seen": "2026-11-20T07:27:47Z",
              "last_seen": "2026-11-20T07:31:06Z",
              "sample": {
                "request_id": "req-81",
                "task_id": "t-9",
                "error": "upstream connect error"
              }
            }
          ],
          "dropped": {
            "late": 0,
            "rejected": 0,
            "folded": 0
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&answer).unwrap());
}

#[test]
fn a_script_that_reads_age_sec_and_top_finds_a_number_and_a_list() {
    let answer: serde_json::Value = serde_json::from_str(&asked("")).unwrap();
    assert_eq!(answer["age_sec"].as_u64(), Some(1));
    assert_eq!(answer["top"].as_array().map(Vec::len), Some(2));
    let quiet: serde_json::Value = serde_json::from_str(&asked("window=last")).unwrap();
    assert_eq!(quiet["top"], serde_json::json!([]));
}

#[test]
fn totals_of_one_tenant_are_its_own_and_the_limit_cuts_rows_alone() {
    let one: serde_json::Value = serde_json::from_str(&asked("tenant=acme&limit=1")).unwrap();
    assert_eq!(
        (&one["totals"]["rows"], one["top"].as_array().map(Vec::len)),
        (&2.into(), Some(1))
    );
    let none: serde_json::Value = serde_json::from_str(&asked("tenant=beta")).unwrap();
    assert_eq!(
        none["totals"],
        serde_json::json!({"failures": 0, "delivered": 0, "rows": 0, "by_family": {}})
    );
    let head = serde_json::from_str::<serde_json::Value>(&asked("limit=0")).unwrap();
    assert_eq!(
        (&head["totals"]["failures"], &head["top"]),
        (&512.into(), &serde_json::json!([]))
    );
}

#[test]
fn windows_are_named_by_word_or_by_their_start() {
    let start = |query: &str| {
        let answer: serde_json::Value = serde_json::from_str(&asked(query)).unwrap();
        format!(
            "{} {} {}",
            answer["window"]["kind"], answer["window"]["start"], answer["window"]["final"]
        )
    };
    let open = r#""aligned" "2026-11-20T07:30:00Z" false"#;
    assert_eq!(start("window=last"), r#""aligned" "2026-11-20T07:25:00Z" true"#);
    assert_eq!(start("window=2026-11-20T07:30:00Z"), open);
    assert_eq!(start("window=2026-11-20T08:30:00+01:00&other=1"), open);
    assert_eq!(
        start("window=2026-11-20T08:30:00 01:00"),
        open,
        "a + that nobody encoded"
    );
    assert!(start("window=sliding").starts_with(r#""sliding""#));
}

#[test]
fn the_last_window_is_the_closed_one_and_thirty_seconds_after_its_end_the_next() {
    for (seconds, expected) in [(0, -600), (29, -600), (30, -300), (299, -300)] {
        let wall = Wall::from_millis((1_795_159_800 + seconds) * 1000);
        assert_eq!(
            last_closed(wall),
            1_795_159_800 + expected,
            "{seconds} s into the window"
        );
    }
}

#[test]
fn what_cannot_be_answered_says_why() {
    expect![[r#"
        400 window: "yesterday" is neither `sliding`, `last` nor the start of a window such as 2026-11-20T07:25:00Z
        400 window: 2026-11-20T07:31:07Z starts no window, they start at multiples of five minutes; 2026-11-20T07:30:00Z does
        404 the window of 2026-11-20T06:30:00Z is not kept: readyd was not at work then, it has not begun, or it is older than 7 days
        400 tenant: "No!" is not a tenant name ([a-z0-9][a-z0-9._-]{0,63})
        400 limit: "-1" is not a number from 0 to 100
        400 limit: "" is not a number from 0 to 100
        400 scope: "all" is not known; leave it out, or ask for `local`"#]]
    .assert_eq(
        &[
            "window=yesterday",
            "window=2026-11-20T07:31:07Z",
            "window=2026-11-20T06:30:00Z",
            "tenant=No!",
            "limit=-1",
            "limit",
            "scope=all",
        ]
        .map(asked)
        .join("\n"),
    );
}

#[test]
fn queries_are_read_with_tolerance() {
    let tolerant = Query::of("limit=1000&limit=99999999999999999999&x=%zz&&=").unwrap();
    assert_eq!(tolerant.limit, 100);
    assert_eq!(Query::of("").unwrap(), Query::default());
    assert_eq!(Query::of("tenant=__other__").unwrap().tenant, Some(TenantName::other()));
}

fn read(body: &str) -> String {
    match read_remote(body.as_bytes(), "http://peer", NOW) {
        Err(error) => error.to_string(),
        Ok(remote) => {
            let rows: Vec<String> = (remote.window.rows.iter())
                .map(|row| format!("{} {} {} {}", row.tenant, row.endpoint, row.family, row.count))
                .collect();
            format!(
                "{} {} {:?} {:?}",
                remote.node, remote.age_sec, rows, remote.window.delivered
            )
        }
    }
}

#[test]
fn another_nodes_answer_is_read_as_it_was_written() {
    let body = asked("scope=local");
    let remote = read_remote(body.as_bytes(), "http://peer", NOW).unwrap();
    let mut rows = view().sliding.rows.to_vec();
    for row in &mut rows {
        row.node = Some("mac-3".into());
    }
    assert_eq!(remote.window.rows.to_vec(), rows);
    assert_eq!(remote.window.head, view().sliding.head);
    assert_eq!(remote.window.delivered, view().sliding.delivered);
    assert_eq!(remote.age_sec, 1);
}

#[test]
fn another_nodes_answer_is_read_with_tolerance() {
    expect![[r#"
        http://peer 3 [] {}
        n 3 ["acme a 5xx 2"] {TenantName("__other__"): 7}
        n 0 [] {}
        its answer has no `age_sec`
        its answer has no `age_sec`
        its answer is not the JSON of a digest: invalid type: string "x", expected a list of rows at line 1 column 22
        its answer is not the JSON of a digest: expected value at line 1 column 1"#]]
    .assert_eq(
        &[
            r#"{"age_sec":3.9,"new_field":{}}"#,
            r#"{"age_sec":3,"node":"n\u202e","totals":{"delivered":7},"top":[7,{},{"tenant":"acme","endpoint":"a\u0007","family":"5xx","count":2},{"tenant":"BAD","endpoint":"a","family":"5xx","count":2},{"tenant":"acme","endpoint":"a","family":"6xx","count":2},{"tenant":"acme","endpoint":"a","family":"5xx","count":-2}]}"#,
            r#"{"age_sec":0,"node":"n","top":null,"delivered":{"BAD":1}}"#,
            r#"{"error":"not found"}"#,
            r#"{"age_sec":-1}"#,
            r#"{"age_sec":1,"top":"x"}"#,
            "<html>",
        ]
        .map(read)
        .join("\n"),
    );
}

#[test]
fn more_rows_than_two_hundred_thousand_are_refused() {
    let rows = vec!["0"; 200_001].join(",");
    assert_eq!(
        read(&format!(r#"{{"age_sec":1,"top":[{rows}]}}"#)),
        "its answer has more than 200000 rows"
    );
}
