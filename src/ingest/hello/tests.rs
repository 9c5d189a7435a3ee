use super::*;
use crate::words::Reject;

fn hello(producer: &str, epoch: &str, now: Option<i64>) -> FirstLine {
    FirstLine::Hello(Hello {
        producer: producer.to_owned(),
        epoch: epoch.to_owned(),
        now,
    })
}

#[test]
fn a_hello_names_the_producer_its_epoch_and_its_clock() {
    assert_eq!(
        FirstLine::read(br#"{"hello":{"producer":"gw-1","epoch":"b3f1","now":1795163644479}}"#),
        hello("gw-1", "b3f1", Some(1_795_163_644_479))
    );
}

#[test]
fn epoch_and_now_are_optional_and_more_is_ignored() {
    assert_eq!(
        FirstLine::read(br#"{"hello":{"producer":"gw-1"}}"#),
        hello("gw-1", "", None)
    );
    assert_eq!(
        FirstLine::read(b" {\"x\":1, \"hello\":{\"producer\":\"gw-1\",\"epoch\":null,\"now\":null,\"y\":[]}}\r"),
        hello("gw-1", "", None)
    );
}

#[test]
fn any_other_first_line_is_an_event_line_valid_or_not() {
    for line in [
        r#"{"tenant":"acme"}"#,
        r#"{"hello":null,"tenant":"acme"}"#,
        "",
        "GET / HTTP/1.1\r",
        "[{\"hello\":{}}]",
        "{",
    ] {
        assert_eq!(FirstLine::read(line.as_bytes()), FirstLine::Event, "{line}");
    }
    assert_eq!(FirstLine::read(b"\xff\xfe"), FirstLine::Event);
}

#[test]
fn a_hello_that_cannot_be_taken_says_what_is_wrong_with_it() {
    let long = "p".repeat(65);
    let (long_producer, long_epoch) = (
        format!(r#"{{"hello":{{"producer":"{long}"}}}}"#),
        format!(r#"{{"hello":{{"producer":"p","epoch":"{long}"}}}}"#),
    );
    for (line, error) in [
        (r#"{"hello":{"producer":"gw-1""#, HelloError::NotJson),
        (r#" { "hello" : gw-1 }"#, HelloError::NotJson),
        (r#"{"hello":"gw-1"}"#, HelloError::NotAnObject),
        (r#"{"hello":{}}"#, HelloError::Producer),
        (r#"{"hello":{"producer":""}}"#, HelloError::Producer),
        (r#"{"hello":{"producer":7}}"#, HelloError::Producer),
        (r#"{"hello":{"producer":"a\nb"}}"#, HelloError::Producer),
        (r#"{"hello":{"producer":"a\u202eb"}}"#, HelloError::Producer),
        (&long_producer, HelloError::Producer),
        (r#"{"hello":{"producer":"p","epoch":7}}"#, HelloError::Epoch),
        (&long_epoch, HelloError::Epoch),
        (r#"{"hello":{"producer":"p","now":1.5}}"#, HelloError::Now),
        (r#"{"hello":{"producer":"p","now":"now"}}"#, HelloError::Now),
        (
            r#"{"hello":{"producer":"p","now":9223372036854775808}}"#,
            HelloError::Now,
        ),
    ] {
        assert_eq!(FirstLine::read(line.as_bytes()), FirstLine::Invalid(error), "{line}");
    }
}

#[test]
fn replies_are_one_json_object_a_line() {
    let mut replies = Replies::default();
    replies.hello(0);
    replies.ack(u64::MAX);
    replies.reject(&Rejection {
        seq: Some(7),
        line: 3,
        reason: Reject::NotIncreasing,
    });
    replies.reject(&Rejection {
        seq: None,
        line: 4,
        reason: Reject::NotJson,
    });
    for refused in [
        HelloRefused::ProducerInUse,
        HelloRefused::TooManyProducers,
        HelloRefused::EpochRetired,
        HelloRefused::NotYours,
        HelloRefused::BadHello(HelloError::NotJson),
    ] {
        replies.error(refused);
    }
    let text = std::str::from_utf8(replies.as_bytes()).unwrap();
    expect_test::expect![[r#"
        {"hello":{"last_seq":0}}
        {"ack":18446744073709551615}
        {"reject":{"seq":7,"line":3,"reason":"not_increasing"}}
        {"reject":{"line":4,"reason":"not_json"}}
        {"error":"producer_in_use"}
        {"error":"too_many_producers"}
        {"error":"epoch_retired"}
        {"error":"not_yours"}
        {"error":"bad_hello","message":"the hello is not valid JSON: send {\"hello\":{\"producer\":\"name\"}} on one line"}
    "#]]
    .assert_eq(text);
    for line in text.lines() {
        serde_json::from_str::<Map<String, Value>>(line).unwrap();
    }
    replies.clear();
    assert!(replies.is_empty());
}
