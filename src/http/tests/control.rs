use std::time::Duration;

use super::build::tenant;
use crate::engine::{Command, Done, Refused};
use crate::http::control;
use crate::http::reply::Reply;
use crate::ingest::submit::{Receipt, SubmitError};
use crate::words::{CheckId, Reject};

fn said(reply: &Reply) -> (u16, serde_json::Value) {
    (reply.status, serde_json::from_slice(&reply.body).unwrap())
}

/// Status and error of what is refused.
fn refused(command: Result<Command, Reply>) -> String {
    let (status, body) = said(&command.unwrap_err());
    assert!(!body["hint"].as_str().unwrap().is_empty(), "{body}");
    format!("{status} {}", body["error"].as_str().unwrap())
}

#[test]
fn maintenance_is_read_with_its_expiry() {
    let body = br#"{"tenant": "acme", "for": "2h", "reason": "upgrade\n to 26", "ticket": "OPS-1"}"#;
    assert_eq!(
        control::maintenance_start(body).unwrap(),
        Command::MaintenanceStart {
            tenant: tenant("acme"),
            duration: Duration::from_secs(7200),
            reason: "upgrade  to 26".into(),
            ticket: Some("OPS-1".into()),
        }
    );
}

#[test]
fn maintenance_without_an_end_is_refused() {
    let of = |body: &[u8]| refused(control::maintenance_start(body));
    let missing = of(br#"{"tenant": "acme", "reason": "x"}"#);
    assert!(
        missing.starts_with("422") && missing.contains("missing field `for`"),
        "{missing}"
    );
    for wrong in [
        "",
        "2",
        "h",
        "0h",
        "-1h",
        "1.5h",
        "2 h",
        "2w",
        "99999999999999999999h",
        "9999999999999999h",
    ] {
        let body = serde_json::json!({"tenant": "acme", "for": wrong}).to_string();
        assert!(of(body.as_bytes()).starts_with("422 for: "), "{wrong}");
    }
}

#[test]
fn bodies_that_are_not_understood_change_nothing() {
    let of = |body: &[u8]| refused(control::drain(body));
    assert!(of(b"reason=x").starts_with("400"));
    assert!(of(br#"{"reason": "#).starts_with("400"));
    assert!(of(br#"{"tennant": "acme"}"#).contains("unknown field `tennant`"));
    assert!(of(br#"{"tenant": "Acme!"}"#).starts_with("422 tenant: "));
    assert!(of(br#"{"tenant": 7}"#).starts_with("422"));
    let misspelt = [("tennant".to_owned(), "acme".to_owned())];
    assert_eq!(refused(control::undrain(&misspelt)), "422 tennant: not known here");
}

#[test]
fn a_drain_is_the_nodes_unless_a_tenant_is_named() {
    let no_reason = || "no reason given".to_owned();
    assert_eq!(
        control::drain(b"").unwrap(),
        Command::Drain {
            tenant: None,
            reason: no_reason()
        }
    );
    assert_eq!(
        control::drain(br#"{"tenant": "acme", "reason": " \u0007 "}"#).unwrap(),
        Command::Drain {
            tenant: Some(tenant("acme")),
            reason: no_reason()
        }
    );
    assert_eq!(control::undrain(&[]).unwrap(), Command::Undrain { tenant: None });
    let pairs = [("tenant".to_owned(), "acme".to_owned())];
    assert_eq!(
        control::undrain(&pairs).unwrap(),
        Command::Undrain {
            tenant: Some(tenant("acme"))
        }
    );
}

#[test]
fn one_check_or_all_are_asked() {
    assert_eq!(control::ask(b"{}").unwrap(), Command::Ask { check: None });
    assert_eq!(
        control::ask(br#"{"check": "doctor@acme"}"#).unwrap(),
        Command::Ask {
            check: CheckId::parse("doctor@acme")
        }
    );
    assert!(refused(control::ask(br#"{"check": "doctor acme"}"#)).starts_with("422"));
}

#[test]
fn what_was_done_says_whether_it_would_survive() {
    let done = |durable| {
        said(&control::outcome(Ok(Done {
            message: "acme is in maintenance".into(),
            durable,
        })))
    };
    assert_eq!(
        done(true),
        (
            200,
            serde_json::json!({"ok": true, "message": "acme is in maintenance", "durable": true})
        )
    );
    let (status, body) = done(false);
    assert_eq!((status, &body["durable"]), (200, &false.into()));
    assert!(body["message"].as_str().unwrap().contains("not yet durable"));
}

#[test]
fn refusals_name_the_next_step() {
    let of = |refused| {
        let (status, body) = said(&control::outcome(Err(refused)));
        assert!(!body["hint"].as_str().unwrap().is_empty());
        (status, body["error"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        of(Refused::UnknownTenant(tenant("nobody"))),
        (404, "there is no tenant nobody".into())
    );
    assert_eq!(
        of(Refused::UnknownCheck(CheckId::parse("x@y").unwrap())),
        (404, "there is no check x@y".into())
    );
    assert_eq!(
        of(Refused::Invalid("at most 30 days".into())),
        (422, "at most 30 days".into())
    );
    assert_eq!(said(&control::reloaded(Err("line 3: no".into()))).0, 422);
}

#[test]
fn events_are_answered_line_by_line() {
    let taken = Receipt {
        accepted: 2,
        rejected: vec![(3, Reject::NotJson)],
    };
    assert_eq!(
        said(&control::events(Ok(taken))),
        (
            200,
            serde_json::json!({"accepted": 2, "rejected": [{"line": 3, "reason": "not_json"}]})
        )
    );
    let failed = control::events(Err(SubmitError::StoreFailing));
    assert_eq!(failed.status, 503);
    assert!(failed.headers.iter().any(|(name, _)| *name == "retry-after"));
}

#[test]
fn events_that_cannot_be_taken_say_whose_fault_it_is_and_whether_to_send_them_again() {
    let answers = [
        SubmitError::TooLarge,
        SubmitError::NotAnArray,
        SubmitError::StoreFailing,
        SubmitError::Unknown,
    ]
    .map(|why| {
        let (status, body) = said(&control::events(Err(why)));
        format!("{status} {}", body["hint"].as_str().unwrap())
    });
    expect_test::expect![[r#"
        413 nothing was counted
        400 nothing was counted
        503 nothing was counted: send the same again
        504 if it is sent again, some of it may be counted twice"#]]
    .assert_eq(&answers.join("\n"));
}
