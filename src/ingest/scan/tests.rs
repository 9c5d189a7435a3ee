use serde_json::{Map, Value as Json};

use super::*;
use crate::dice::Dice;

const LINES: [&str; 8] = [
    r#"{"tenant":"acme","endpoint":"https://hooks.example.com/crm?x=1","status":503,"ts":1795163644479,"gateway":"gw-1","seq":81,"attempt":4,"latency_ms":1203,"task_id":"t-9","request_id":"req-81","error":"upstream connect error"}"#,
    r#"{"tenant":"beta","endpoint":"crm","kind":"timeout","ts":"2026-11-20T07:25:00.123Z","error":"a \"quoted\" \u00e9 \ud83d\ude00 \\ \/ \b\f\n\r\t text","seq":18446744073709551615}"#,
    r#" { "tenant" : "acme" , "extra" : { "list" : [ 1 , -2.5e-3 , true , false , null , [ ] , { } , [[{"a":[]}]] ] } , "status" : 200 } "#,
    r#"{"endpoint":"é漢字😀","kind":null,"status":1e2,"ts":-9223372036854775808,"seq":0,"attempt":-0,"latency_ms":0.5}"#,
    r#"{"tenant":"first","tenant":"second","\u0074enant":"third","status":99999999999999999999,"x":1e308,"y":0e999999999999}"#,
    r#"{"a":{"b":{"c":{"d":[[[[[[0]]]]],"",""]}}},"kind":"dns","tenant":["not","a","text"],"endpoint":{"not":"a text"}}"#,
    "{}",
    r#"{"tenant":"","endpoint":"\u0000","seq":-1,"status":true,"error":"\ud800\udc00\uDBFF\uDFFF","ts":12.0}"#,
];

/// What mutations put in: what breaks grammars.
const SHARDS: [&str; 48] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    ",",
    ":",
    "-",
    "+",
    ".",
    "0",
    "1",
    "9",
    "e",
    "E",
    "null",
    "true",
    "false",
    "nul",
    " ",
    "\t",
    "\n",
    "\r",
    "\u{b}",
    "\0",
    "\u{1f}",
    "\u{7f}",
    "\u{a0}",
    "\u{feff}",
    "é",
    "😀",
    "\\u",
    "\\u00",
    "\\ud800",
    "\\udc00",
    "\\ud83d\\ude00",
    "\\x",
    "\\\"",
    "1e999",
    "1e-999",
    "-0",
    "00",
    "1.",
    "18446744073709551616",
    "-9223372036854775809",
    "[[[[[[[[[[[[[[[[",
    "\"tenant\":",
];

fn mutate(dice: &mut Dice) -> Vec<u8> {
    let mut line = dice.pick(&LINES).as_bytes().to_vec();
    for _ in 0..=dice.index(4) {
        let at = dice.index(line.len() + 1);
        let end = at + dice.index((line.len() - at).min(24) + 1);
        match dice.index(7) {
            0 => line.truncate(at),
            1 => drop(line.drain(at..end)),
            2 => drop(line.splice(at..at, dice.pick(&SHARDS).bytes())),
            3 => drop(line.splice(at..end, dice.pick(&SHARDS).bytes())),
            4 => {
                let copy = line[at..end].to_vec();
                drop(line.splice(at..at, copy));
            }
            5 if at < line.len() => line[at] = dice.index(256) as u8,
            _ => {
                let other = dice.pick(&LINES).as_bytes();
                let from = dice.index(other.len());
                line.truncate(at);
                line.extend_from_slice(&other[from..]);
            }
        }
    }
    line
}

/// The reference's view of the same value.
fn reference(object: &Map<String, Json>, name: &str) -> String {
    match object.get(name) {
        None | Some(Json::Null) => "absent".to_owned(),
        Some(Json::String(text)) => format!("text {text}"),
        Some(Json::Number(number)) => match (number.as_u64(), number.as_i64()) {
            (Some(unsigned), _) => format!("unsigned {unsigned}"),
            (None, Some(negative)) => format!("negative {negative}"),
            (None, None) => "other".to_owned(),
        },
        Some(_) => "other".to_owned(),
    }
}

fn shown(value: Value<'_>) -> String {
    match value {
        Value::Absent => "absent".to_owned(),
        Value::Text(text) => format!("text {}", text.decoded()),
        Value::Unsigned(number) => format!("unsigned {number}"),
        Value::Negative(number) => format!("negative {number}"),
        Value::Other => "other".to_owned(),
    }
}

/// Compares one line with the reference, as the first of its sender; whether it was accepted.
fn check(line: &str) -> bool {
    check_like(line, &mut Shape::default())
}

/// The same, of a sender whose lines had that shape.
fn check_like(line: &str, shape: &mut Shape) -> bool {
    let expected = serde_json::from_str::<Map<String, Json>>(line).ok();
    let mut fields = Fields::default();
    let scanned = scan_like(line, shape, &mut fields).ok().map(|()| fields);
    assert_eq!(scanned.is_some(), expected.is_some(), "accepted? {line:?}");
    let (Some(fields), Some(object)) = (scanned, expected) else {
        return false;
    };
    for (name, value) in [
        ("tenant", fields.tenant),
        ("endpoint", fields.endpoint),
        ("status", fields.status),
        ("kind", fields.kind),
        ("ts", fields.ts),
        ("gateway", fields.gateway),
        ("seq", fields.seq),
        ("attempt", fields.attempt),
        ("latency_ms", fields.latency_ms),
        ("task_id", fields.task_id),
        ("request_id", fields.request_id),
        ("error", fields.error),
    ] {
        assert_eq!(shown(value), reference(&object, name), "{name} of {line:?}");
    }
    true
}

#[test]
fn it_agrees_with_serde_json_on_mutated_lines() {
    const SEED: u64 = 0x5eed_2026_1120;
    const LINES_MUTATED: usize = 150_000;
    println!("seed {SEED:#x}");
    let mut dice = Dice::new(SEED);
    let (mut accepted, mut refused, mut not_utf8) = (0, 0, 0);
    // Of one sender whose lines were anything: what it learned must not change what is seen.
    let mut shape = Shape::default();
    for _ in 0..LINES_MUTATED {
        match String::from_utf8(mutate(&mut dice)) {
            Ok(line) if check(&line) => {
                assert!(check_like(&line, &mut shape));
                accepted += 1;
            }
            Ok(line) if check_like(&line, &mut shape) => panic!("accepted of this sender alone: {line:?}"),
            Ok(_) => refused += 1,
            Err(_) => not_utf8 += 1,
        }
    }
    println!("{accepted} accepted, {refused} refused, {not_utf8} not UTF-8");
    assert!(
        accepted > LINES_MUTATED / 20 && refused > LINES_MUTATED / 4,
        "the mutations do not reach both sides"
    );
}

#[test]
fn it_agrees_with_serde_json_on_every_prefix_and_every_single_shard() {
    for line in LINES {
        let mut shape = Shape::default();
        assert!(check_like(line, &mut shape), "{line}");
        for at in (0..=line.len()).filter(|at| line.is_char_boundary(*at)) {
            check(&line[..at]);
            check_like(&line[..at], &mut shape.clone());
            for shard in SHARDS {
                let line = format!("{}{shard}{}", &line[..at], &line[at..]);
                check(&line);
                // After its whole self: all but what the shard broke is known.
                check_like(&line, &mut shape.clone());
            }
        }
    }
}

#[test]
fn a_sender_with_more_fields_than_are_remembered_is_read_all_the_same() {
    let mut shape = Shape::default();
    for round in 0..3 {
        for count in [0, 1, 19, 20, 21, 60] {
            let extra: String = (0..count).map(|n| format!(r#""x{n}":{round},"#)).collect();
            let long = "y".repeat(40);
            assert!(check_like(
                &format!(r#"{{{extra}"tenant":"t","{long}":1,"seq": {count} ,"status":5{round}3}}"#),
                &mut shape
            ));
        }
    }
}

#[test]
fn what_led_to_one_kind_of_value_leads_to_any() {
    let values = [
        "1",
        "-1",
        "\"a\"",
        "\"\\u0041\"",
        "null",
        "true",
        "1.5",
        "[1]",
        "{}",
        " 7",
        "x",
        "",
        "}",
    ];
    let mut shape = Shape::default();
    for first in values {
        for second in values {
            check_like(&format!(r#"{{"seq":{first},"error":{second}}}"#), &mut shape);
            check_like(&format!(r#"{{"seq":{second}}}"#), &mut shape);
        }
    }
}

#[test]
fn it_nests_as_deeply_as_serde_json_and_no_deeper() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        for depth in [1usize, 2, 125, 126, 127, 128, 129, 2_000] {
            let value = format!("{}0{}", open.repeat(depth), close.repeat(depth));
            let accepted = check(&format!(r#"{{"x":{value},"tenant":"t"}}"#));
            assert_eq!(accepted, depth < DEPTH_MAX as usize, "{depth} levels of {open}");
        }
    }
}

#[test]
fn it_takes_numbers_as_serde_json_does_up_to_the_edge_of_a_double() {
    let zeros = "0".repeat(400);
    for number in [
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1.8e308",
        "-1e309",
        "4.9e-324",
        "0e400",
        "0.0e99999999999999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        &format!("1{zeros}"),
        &format!("1{zeros}e-400"),
        &format!("0.{zeros}1"),
        &format!("0.{zeros}1e800"),
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
    ] {
        check(&format!(r#"{{"seq":{number}}}"#));
        check(&format!(r#"{{"ignored":[{number}]}}"#));
    }
}

#[test]
fn every_string_length_finds_its_end_whatever_stands_around_the_eight_byte_steps() {
    for length in 0..40 {
        for special in ["", "\\n", "\u{1}", "é", "\u{7f}", "\u{80}"] {
            for at in 0..=length {
                let text = format!("{}{special}{}", "a".repeat(at), "b".repeat(length - at));
                check(&format!(r#"{{"error":"{text}","tenant":"t"}}"#));
            }
        }
    }
}

#[test]
fn json_that_is_no_object_is_not_an_event() {
    for line in ["[]", "\"{}\"", "1", "null", "true", "", "{}{}", "{},", "\u{feff}{}"] {
        assert_eq!(scan(line), Err(NotJson), "{line:?}");
    }
}

#[test]
fn plain_text_is_borrowed_and_escaped_text_is_decoded() {
    let fields = scan(r#"{"tenant":"acme","endpoint":"a\/b"}"#).unwrap();
    let (Value::Text(plain), Value::Text(escaped)) = (fields.tenant, fields.endpoint) else {
        panic!("{fields:?}");
    };
    assert!(matches!(plain.decoded(), Cow::Borrowed("acme")));
    assert_eq!(escaped.decoded(), "a/b");
    assert!(escaped.fits(3) && !escaped.fits(2));
}

#[test]
fn surrogates_come_in_pairs_or_not_at_all() {
    let codes = [
        "0000", "0041", "d7ff", "d800", "D83d", "dbff", "dc00", "De00", "dfff", "e000", "e0ff", "ffff", "00g0", "12",
    ];
    for first in codes {
        check(&format!(r#"{{"error":"\u{first}"}}"#));
        for second in codes {
            check(&format!(
                r#"{{"error":"\u{first}\u{second}","x":["\u{first}\u{second}x"]}}"#
            ));
            check(&format!(
                r#"{{"error":"\u{first}x\u{second}","\u{first}\n\u{second}":0}}"#
            ));
        }
    }
}
