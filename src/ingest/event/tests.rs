use serde_json::{Map, Value as Json};

use super::*;
use crate::dice::Dice;
use crate::ingest::scan::scan;

fn read(line: &str) -> Result<String, Reject> {
    let fields = scan(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    Event::read(&fields, false).map(|event| shown(&event))
}

fn shown(event: &Event<'_>) -> String {
    let text = |text: Option<Text<'_>>| text.map(|text| text.decoded().into_owned());
    format!(
        "{} {} {:?} {} {:?} ×{} {:?} {:?} {:?}",
        event.tenant,
        event.endpoint,
        event.gateway,
        event.code,
        event.ts.map(Wall::as_millis),
        event.attempt,
        text(event.request_id),
        text(event.task_id),
        text(event.error),
    )
}

/// An event line with one more member, or another value for one.
fn with(member: &str) -> String {
    format!(r#"{{"tenant":"acme","endpoint":"crm","status":503,{member}}}"#)
}

#[test]
fn an_event_carries_all_that_its_line_says() {
    let line = with(
        r#""ts":1795163644479,"gateway":"gw-1","seq":7,"attempt":4,"latency_ms":12,"task_id":"t","request_id":"r","error":"e""#,
    );
    let expected = r#"acme crm "gw-1" 503 Some(1795163644479) ×4 Some("r") Some("t") Some("e")"#;
    assert_eq!(read(&line).unwrap(), expected);
}

#[test]
fn what_is_null_is_absent() {
    let line = with(r#""ts":null,"gateway":null,"seq":null,"attempt":null,"error":null,"kind":null"#);
    assert_eq!(read(&line).unwrap(), r#"acme crm "" 503 None ×0 None None None"#);
    assert_eq!(read(&with(r#""tenant":null"#)), Err(Reject::MissingField));
}

#[test]
fn tenant_endpoint_and_an_outcome_are_required_and_seq_when_acknowledged() {
    for line in [
        "{}",
        r#"{"endpoint":"crm","status":503}"#,
        r#"{"tenant":"acme","status":503}"#,
        r#"{"tenant":"acme","endpoint":"crm"}"#,
    ] {
        assert_eq!(read(line), Err(Reject::MissingField), "{line}");
    }
    let line = with(r#""attempt":1"#);
    assert_eq!(Event::read(&scan(&line).unwrap(), true), Err(Reject::MissingField));
    let line = with(r#""seq":1"#);
    assert!(Event::read(&scan(&line).unwrap(), true).is_ok());
}

#[test]
fn a_missing_field_is_told_before_a_bad_one() {
    assert_eq!(read(r#"{"tenant":7,"status":503}"#), Err(Reject::MissingField));
    assert_eq!(
        read(r#"{"tenant":7,"endpoint":"crm","status":503}"#),
        Err(Reject::BadField)
    );
}

#[test]
fn a_status_and_a_kind_exclude_each_other() {
    assert_eq!(read(&with(r#""kind":"timeout""#)), Err(Reject::BadField));
    assert_eq!(
        read(&with(r#""status":null,"kind":"timeout""#)).unwrap(),
        r#"acme crm "" timeout None ×0 None None None"#
    );
}

#[test]
fn a_status_is_an_integer_of_three_digits_below_600() {
    for (status, valid) in [
        ("100", true),
        ("599", true),
        ("99", false),
        ("600", false),
        ("-503", false),
        ("503.0", false),
        ("5.03e2", false),
        ("\"503\"", false),
        ("true", false),
        ("[503]", false),
        ("65736", false),
    ] {
        assert_eq!(read(&with(&format!(r#""status":{status}"#))).is_ok(), valid, "{status}");
    }
}

#[test]
fn a_kind_is_one_of_six_words() {
    for (kind, valid) in [
        (r#""timeout""#, true),
        (r#""connect""#, true),
        (r#""tls""#, true),
        (r#""dns""#, true),
        (r#""blocked""#, true),
        (r#""other""#, true),
        (r#""\u006fther""#, true),
        (r#""Timeout""#, false),
        (r#""""#, false),
        ("503", false),
    ] {
        assert_eq!(
            read(&with(&format!(r#""status":null,"kind":{kind}"#))).is_ok(),
            valid,
            "{kind}"
        );
    }
}

#[test]
fn a_time_is_rfc_3339_or_unix_milliseconds() {
    for (ts, millis) in [
        ("1795163644479", Some(1_795_163_644_479_i64)),
        ("0", Some(0)),
        ("-1", Some(-1)),
        ("253402300799999", Some(253_402_300_799_999)),
        ("253402300800000", None),
        ("-62167219200001", None),
        ("18446744073709551615", None),
        ("1795163644.5", None),
        (r#""1795163644479""#, None),
        (r#""2026-11-20T08:34:04.479Z""#, Some(1_795_163_644_479_i64)),
        (r#""2026-11-20T09:34:04.479+01:00""#, Some(1_795_163_644_479_i64)),
        (r#""2026-11-20""#, None),
        (r#""2026-11-20T08:34:04""#, None),
        (r#""yesterday""#, None),
        (r#""""#, None),
        ("{}", None),
    ] {
        let expected = millis.map(|millis| format!(r#"acme crm "" 503 Some({millis}) ×0 None None None"#));
        assert_eq!(read(&with(&format!(r#""ts":{ts}"#))).ok(), expected, "{ts}");
    }
}

#[test]
fn texts_have_their_lengths_counted_in_bytes_once_decoded() {
    for (name, bytes_max) in [
        ("endpoint", 512),
        ("gateway", 64),
        ("task_id", 128),
        ("request_id", 128),
        ("tenant", 64),
    ] {
        for (text, valid) in [
            ("x".repeat(bytes_max), true),
            ("x".repeat(bytes_max + 1), false),
            ("é".repeat(bytes_max / 2), true),
            ("é".repeat(bytes_max / 2 + 1), false),
            ("\\u00e9".repeat(bytes_max / 2), true),
            ("\\u00e9".repeat(bytes_max / 2 + 1), false),
        ] {
            assert_eq!(
                read(&with(&format!(r#""{name}":"{text}""#))).is_ok(),
                valid,
                "{name} {text}"
            );
        }
        assert_eq!(read(&with(&format!(r#""{name}":7"#))), Err(Reject::BadField), "{name}");
    }
}

#[test]
fn an_error_of_any_length_is_taken_and_cut_later() {
    assert!(read(&with(&format!(r#""error":"{}""#, "x".repeat(10_000)))).is_ok());
    assert_eq!(read(&with(r#""error":{"message":"x"}"#)), Err(Reject::BadField));
}

#[test]
fn counters_are_natural_numbers() {
    for name in ["attempt", "latency_ms", "seq"] {
        for (number, valid) in [
            ("0", true),
            ("18446744073709551615", true),
            ("18446744073709551616", false),
            ("-1", false),
            ("1.0", false),
            ("1e3", false),
            ("\"1\"", false),
            ("false", false),
        ] {
            assert_eq!(
                read(&with(&format!(r#""{name}":{number}"#))).is_ok(),
                valid,
                "{name} {number}"
            );
        }
    }
    assert!(read(&with(r#""attempt":5000000000"#)).unwrap().contains("×4294967295"));
}

/// The same rules, written down a second time on top of `serde_json`.
fn reference(line: &str, seq_required: bool) -> Result<String, Reject> {
    let object: Map<String, Json> = serde_json::from_str(line).map_err(|_| Reject::NotJson)?;
    let field = |name: &str| object.get(name).filter(|value| !value.is_null());
    if field("tenant").is_none()
        || field("endpoint").is_none()
        || (field("status").is_none() && field("kind").is_none())
        || (seq_required && field("seq").is_none())
    {
        return Err(Reject::MissingField);
    }
    let text = |name: &str, bytes_max: usize| match field(name) {
        None => Ok(None),
        Some(Json::String(text)) if text.len() <= bytes_max => Ok(Some(text.clone())),
        Some(_) => Err(Reject::BadField),
    };
    let natural = |name: &str| match field(name) {
        None => Ok(0),
        Some(value) => value.as_u64().ok_or(Reject::BadField),
    };
    natural("seq")?;
    natural("latency_ms")?;
    let code = match (field("status"), field("kind")) {
        (Some(status), None) => status
            .as_u64()
            .filter(|status| (100..600).contains(status))
            .map(|status| status.to_string()),
        (None, Some(Json::String(kind))) => Kind::parse(kind).map(|kind| Code::Kind(kind).to_string()),
        _ => None,
    };
    let ts = match field("ts") {
        None => None,
        Some(Json::String(ts)) => Some(Wall::parse_rfc3339(ts).ok_or(Reject::BadField)?.as_millis()),
        Some(ts) => Some(
            ts.as_i64()
                .filter(|millis| TS_MILLIS.contains(millis))
                .ok_or(Reject::BadField)?,
        ),
    };
    Ok(format!(
        "{} {} {:?} {} {ts:?} ×{} {:?} {:?} {:?}",
        text("tenant", 64)?.unwrap_or_default(),
        text("endpoint", 512)?.unwrap_or_default(),
        text("gateway", 64)?.unwrap_or_default(),
        code.ok_or(Reject::BadField)?,
        natural("attempt")?.min(u64::from(u32::MAX)),
        text("request_id", 128)?,
        text("task_id", 128)?,
        text("error", usize::MAX)?,
    ))
}

#[test]
fn it_agrees_with_the_rules_on_top_of_serde_json_on_random_lines() {
    const SEED: u64 = 0xe7e7_2026;
    println!("seed {SEED:#x}");
    let mut dice = Dice::new(SEED);
    let long = format!("\"{}\"", "y".repeat(100));
    let longer = format!("\"{}\"", "é\\n".repeat(65));
    let values = [
        "null",
        "503",
        "200",
        "99",
        "-1",
        "0",
        "1e2",
        "1795163644479",
        "true",
        "[]",
        "{\"a\":[1]}",
        "\"acme\"",
        "\"timeout\"",
        "\"dns\"",
        "\"\"",
        "\"2026-11-20T08:34:04Z\"",
        "\"\\u0041\\ud83d\\ude00\"",
        "\"https://h/x?y\"",
        &long,
        &longer,
        "18446744073709551616",
    ];
    let names = [
        "tenant",
        "endpoint",
        "status",
        "kind",
        "ts",
        "gateway",
        "seq",
        "attempt",
        "latency_ms",
        "task_id",
        "request_id",
        "error",
        "more",
    ];
    let mut outcomes = std::collections::BTreeMap::new();
    for _ in 0..40_000 {
        let mut line = r#"{"tenant":"acme","endpoint":"crm","status":503"#.to_owned();
        for _ in 0..dice.index(6) {
            line += &format!(",\"{}\":{}", dice.pick(&names), dice.pick(&values));
        }
        line += "}";
        let seq_required = dice.index(2) == 0;
        let read = Event::read(&scan(&line).unwrap(), seq_required).map(|event| shown(&event));
        assert_eq!(read, reference(&line, seq_required), "{line}");
        *outcomes.entry(read.err()).or_insert(0) += 1;
    }
    println!("{outcomes:?}");
    assert!(
        outcomes.len() == 3 && outcomes.values().all(|count| *count > 1_000),
        "{outcomes:?}"
    );
}
