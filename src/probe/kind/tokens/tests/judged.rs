//! What was seen goes in, the finding comes out.

use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::super::*;
use super::*;
use crate::fingerprint::Fingerprint;
use crate::probe::declaration::TokenPolicy;
use crate::words::Answer;

const SECRETS: [&str; 4] = ["one", "two", "old", "else"];

fn print(secret: &str) -> Fingerprint {
    BY.of(&format!("-{secret}-"))
}

fn file(secret: &str, age: Duration) -> File {
    File {
        modified: Wall::from_millis(NOW.as_millis() - i64::try_from(age.as_millis()).unwrap()),
        guard: Guard {
            uid: 0,
            gid: 501,
            mode: 0o400,
        },
        content: Content::Whole(print(secret)),
    }
}

fn torn(why: &'static str, age: Duration) -> Found {
    Found::File(File {
        content: Content::Torn(why),
        ..file("one", age)
    })
}

fn found(secret: &str, age: Duration) -> Found {
    Found::File(file(secret, age))
}

fn with_mode(mode: u32) -> Found {
    let mut file = file("one", DAY);
    file.guard.mode = mode;
    Found::File(file)
}

/// Of the class `token`.
fn token(current: Found, next: Found, prev: Found) -> Credential {
    let kept = |suffix: &str, found| Kept {
        shown: format!("token.{suffix}"),
        found,
    };
    Credential {
        class: "token".to_owned(),
        is_gateways: false,
        current: kept("current", current),
        next: kept("next", next),
        prev: kept("prev", prev),
    }
}

fn alone(current: Found) -> Credential {
    token(current, Found::Absent, Found::Absent)
}

fn known() -> Known<'static> {
    Known {
        strict: false,
        owners: &[0, 1000],
        public_listener: None,
        in_use: None,
        shared: &[],
    }
}

fn judged_by(tokens: &Tokens, known: &Known<'_>, credentials: Vec<Credential>) -> Finding {
    let seen = Seen {
        credentials,
        ..Seen::default()
    };
    judge(tokens, &seen, known, NOW)
}

fn check(credential: Credential, expected: Expect) {
    check_by(&shipped(), &known(), credential, expected);
}

fn check_by(tokens: &Tokens, known: &Known<'_>, credential: Credential, expected: Expect) {
    let finding = judged_by(tokens, known, vec![credential]);
    expected.assert_eq(&told(&finding, &SECRETS));
}

#[test]
fn a_young_token_is_ok_and_its_fingerprint_is_evidence() {
    let finding = judged_by(&shipped(), &known(), vec![alone(found("one", 12 * DAY))]);
    expect!["ok: 1 credential in order, the oldest written 12 d ago"].assert_eq(&told(&finding, &SECRETS));
    let [fact] = &finding.evidence[..] else {
        panic!("{finding:?}")
    };
    let seen = named(format!("{}: {}", fact.what, fact.seen), &SECRETS);
    expect!["token.current: <one>, written 12 d ago, 0400"].assert_eq(&seen);
}

#[test]
fn a_token_is_noted_after_45_days_and_degraded_after_90() {
    let at = |age| {
        told(
            &judged_by(&shipped(), &known(), vec![alone(found("one", age))]),
            &SECRETS,
        )
    };
    let second = Duration::from_secs(1);
    assert!(!at(45 * DAY).contains("note"));
    expect![[r#"
        ok: 1 credential in order, the oldest written 45 d ago
        note: token.current was written 45 d ago: it is due within 44 d"#]]
    .assert_eq(&at(45 * DAY + second));
    assert!(at(90 * DAY).starts_with("ok"));
    expect!["degraded: token.current: was written 90 d ago, longer than 90 d: rotate it"]
        .assert_eq(&at(90 * DAY + second));
}

#[test]
fn thirty_days_are_all_that_a_token_has_that_faces_the_internet() {
    let public = Known {
        public_listener: Some("0.0.0.0:18789".to_owned()),
        ..known()
    };
    check_by(
        &shipped(),
        &public,
        alone(found("one", 31 * DAY)),
        expect![
            "degraded: token.current: was written 31 d ago, longer than 30 d, because it faces the internet on 0.0.0.0:18789: rotate it"
        ],
    );
    let mut tokens = shipped();
    tokens.policy.internet_facing = Some(false);
    check_by(
        &tokens,
        &public,
        alone(found("one", 31 * DAY)),
        expect!["ok: 1 credential in order, the oldest written 31 d ago"],
    );
    tokens.policy.internet_facing = Some(true);
    check_by(
        &tokens,
        &known(),
        alone(found("one", 31 * DAY)),
        expect![
            "degraded: token.current: was written 31 d ago, longer than 30 d, because it faces the internet: rotate it"
        ],
    );
}

#[test]
fn a_class_has_a_policy_of_its_own() {
    let mut tokens = shipped();
    let slack = TokenPolicy {
        cadence: 10 * DAY,
        ..tokens.policy
    };
    tokens.classes.insert("slack".to_owned(), slack);
    let mut credential = alone(found("two", 11 * DAY));
    credential.class = "slack".to_owned();
    credential.current.shown = "slack.current".to_owned();
    check_by(
        &tokens,
        &known(),
        credential,
        expect!["degraded: slack.current: was written 11 d ago, longer than 10 d: rotate it"],
    );
}

#[test]
fn a_rotation_is_under_way_then_late_then_forgotten() {
    let at = |age| token(found("one", 60 * DAY), found("two", age), Found::Absent);
    check(
        at(3 * HOUR),
        expect![[r#"
            ok: 1 credential in order, the oldest written 60 d ago, rotation under way of token
            note: token.current was written 60 d ago: it is due within 30 d"#]],
    );
    let finding = judged_by(&shipped(), &known(), vec![at(3 * HOUR)]);
    let next = finding.evidence.iter().find(|fact| fact.what == "token.next").unwrap();
    expect!["<two>, written 3 h ago, 0400: rotation under way since 2026-11-20T05:34:04Z"]
        .assert_eq(&named(next.seen.clone(), &SECRETS));
    check(
        at(13 * HOUR),
        expect![[r#"
            ok: 1 credential in order, the oldest written 60 d ago, rotation under way of token
            note: token.current was written 60 d ago: it is due within 30 d
            note: token.next was written 13 h ago, and the overlap of 12 h is over: promote it"#]],
    );
    check(
        at(73 * HOUR),
        expect![[r#"
            degraded: token.next: was never promoted: it was written 3 d ago, longer than 3 d
            note: token.current was written 60 d ago: it is due within 30 d"#]],
    );
}

#[test]
fn a_next_that_is_the_same_rotates_nothing() {
    check(
        token(found("one", DAY), found("one", HOUR), Found::Absent),
        expect!["degraded: token.next: is the same as token.current: promoting it rotates nothing"],
    );
    check(
        token(found("one", DAY), found("old", HOUR), found("old", 9 * DAY)),
        expect![[r#"
            ok: 1 credential in order, the oldest written 24 h ago, rotation under way of token
            note: token.next is the same as token.prev, the retired one"#]],
    );
}

#[test]
fn a_retired_token_is_to_be_revoked_when_the_overlap_is_long_over() {
    check(
        token(found("one", 20 * HOUR), Found::Absent, found("old", 60 * DAY)),
        expect!["ok: 1 credential in order, the oldest written 20 h ago"],
    );
    check(
        token(found("one", 25 * HOUR), Found::Absent, found("old", 60 * DAY)),
        expect![[r#"
            ok: 1 credential in order, the oldest written 25 h ago
            note: token.prev has been retired for up to 25 h, and the overlap is 12 h: revoke it, then remove it"#]],
    );
    check(
        token(found("old", 2 * HOUR), Found::Absent, found("old", 60 * DAY)),
        expect![[r#"
            ok: 1 credential in order, the oldest written 2 h ago
            note: token.current is the same as token.prev, the retired one"#]],
    );
}

#[test]
fn a_promotion_that_was_cut_off_between_its_renames_says_how_to_end_it() {
    check(
        token(Found::Absent, found("two", HOUR), found("one", DAY)),
        expect![
            "degraded: token.current: is not there, and token.next is: end the rotation with mv -f token.next token.current"
        ],
    );
    check(
        token(Found::Absent, Found::Absent, found("one", DAY)),
        expect![[r#"
            ok: 1 credential in order
            note: token.prev is left of a credential that is no more: revoke it, then remove it"#]],
    );
    let mut gateways = alone(Found::Absent);
    gateways.is_gateways = true;
    check(gateways, expect!["degraded: token.current: is not there (token_file)"]);
}

#[test]
fn what_everybody_or_a_group_may_do_with_a_file() {
    let at = |mode, strict| {
        let known = Known { strict, ..known() };
        told(&judged_by(&shipped(), &known, vec![alone(with_mode(mode))]), &SECRETS)
    };
    for (mode, expected) in [
        (0o400, "ok: "),
        (0o600, "ok: "),
        (0o644, "degraded: token.current: everybody may read it (0644): chmod o="),
        (0o444, "degraded: token.current: everybody may read it (0444): chmod o="),
        (
            0o666,
            "degraded: token.current: everybody may write it (0666): chmod o=",
        ),
        (
            0o602,
            "degraded: token.current: everybody may write it (0602): chmod o=",
        ),
        (
            0o660,
            "degraded: token.current: group 501 may write it (0660): chmod g-w",
        ),
    ] {
        assert!(at(mode, false).starts_with(expected), "{mode:o}: {}", at(mode, false));
    }
    for mode in [0o440, 0o640] {
        let note = format!("\nnote: token.current: group 501 may read it ({mode:04o})");
        assert!(
            at(mode, false).starts_with("ok: ") && at(mode, false).ends_with(&note),
            "{}",
            at(mode, false)
        );
        let strict = format!("degraded: token.current: group 501 may read it ({mode:04o})");
        assert_eq!(at(mode, true), strict);
    }
}

#[test]
fn a_strangers_file_is_degraded() {
    let mut file = file("one", DAY);
    file.guard.uid = 4711;
    check(
        alone(Found::File(file)),
        expect!["degraded: token.current: belongs to user 4711, who is neither root nor us nor the tenant's user"],
    );
}

#[test]
fn a_folder_in_which_others_may_replace_files_is_degraded() {
    let at = |mode, strict| {
        let folder = Folder {
            path: PathBuf::from("/s/acme"),
            guard: Guard { uid: 0, gid: 501, mode },
        };
        let seen = Seen {
            folders: vec![folder],
            ..Seen::default()
        };
        told(&judge(&shipped(), &seen, &Known { strict, ..known() }, NOW), &SECRETS)
    };
    assert_eq!(at(0o755, true), "ok: no credential is kept in files");
    expect!["degraded: /s/acme: everybody may replace what lies in it (0777): chmod o-w"].assert_eq(&at(0o777, false));
    expect!["degraded: /s/acme: group 501 may replace what lies in it (0775): chmod g-w"].assert_eq(&at(0o775, true));
    expect![[r#"
        ok: no credential is kept in files
        note: /s/acme: group 501 may replace what lies in it (0775): chmod g-w"#]]
    .assert_eq(&at(0o775, false));
    expect![[r#"
        ok: no credential is kept in files
        note: /s/acme: others may add files to it (1777)"#]]
    .assert_eq(&at(0o1777, false));
}

#[test]
fn a_torn_current_is_degraded_and_a_torn_next_when_nobody_is_writing_it_any_more() {
    check(
        alone(torn("is empty", DAY)),
        expect!["degraded: token.current: is empty"],
    );
    check(
        token(
            found("one", DAY),
            torn("is empty", Duration::from_secs(59)),
            Found::Absent,
        ),
        expect!["ok: 1 credential in order, the oldest written 24 h ago"],
    );
    check(
        token(found("one", DAY), torn("is empty", 2 * MINUTE), Found::Absent),
        expect!["degraded: token.next: is empty: it must not be promoted"],
    );
    check(
        token(found("one", HOUR), Found::Absent, torn("is empty", DAY)),
        expect![[r#"
            ok: 1 credential in order, the oldest written 60 min ago
            note: token.prev is empty: there is no way back to it"#]],
    );
}

#[test]
fn what_is_no_file_is_said_and_what_cannot_be_seen_is_unknown() {
    let other = || Found::Other("is a symbolic link".to_owned());
    let unread = || {
        Found::Unread(
            Cause::Misconfigured,
            "Permission denied (os error 13), as user 1000".to_owned(),
        )
    };
    check(
        alone(other()),
        expect!["degraded: token.current: is a symbolic link: it must be a regular file, and no link is followed"],
    );
    check(
        token(found("one", DAY), other(), other()),
        expect![[r#"
            ok: 1 credential in order, the oldest written 24 h ago
            note: token.next is a symbolic link: once promoted it is not read
            note: token.prev is a symbolic link"#]],
    );
    check(
        alone(unread()),
        expect![
            "unknown (misconfigured): token.current: cannot be looked at: Permission denied (os error 13), as user 1000"
        ],
    );
    check(
        token(found("one", DAY), unread(), unread()),
        expect![[r#"
            unknown (misconfigured): token.next: cannot be looked at: Permission denied (os error 13), as user 1000
            note: token.prev cannot be looked at: Permission denied (os error 13), as user 1000"#]],
    );
    let mut unreadable = file("one", DAY);
    unreadable.content = Content::Unread(Cause::Misconfigured, "Permission denied".to_owned());
    check(
        alone(Found::File(unreadable.clone())),
        expect!["unknown (misconfigured): token.current: cannot be read: Permission denied"],
    );
    // Its date is seen all the same, and what is certainly wrong is not hidden by what could not be seen.
    unreadable.modified = Wall::from_millis(NOW.as_millis() - 91 * 86_400_000);
    check(
        alone(Found::File(unreadable)),
        expect![[r#"
            degraded: token.current: was written 91 d ago, longer than 90 d: rotate it
            note: token.current cannot be read: Permission denied"#]],
    );
}

#[test]
fn a_gateway_that_goes_by_another_token_than_the_one_on_disk_is_to_be_restarted() {
    let gateways = |prev| {
        let mut credential = token(found("one", HOUR), Found::Absent, prev);
        credential.is_gateways = true;
        credential
    };
    let by = |secret: Option<&str>, credential| {
        let known = Known {
            in_use: secret.map(print),
            ..known()
        };
        told(&judged_by(&shipped(), &known, vec![credential]), &SECRETS)
    };
    assert!(by(Some("one"), gateways(Found::Absent)).starts_with("ok"));
    assert!(by(None, gateways(Found::Absent)).starts_with("ok"));
    expect![
        "degraded: token.current: is <one>, and the gateway still goes by <else>: restart it, or reload its secrets"
    ]
    .assert_eq(&by(Some("else"), gateways(Found::Absent)));
    expect!["degraded: token.current: is <one>, and the gateway still goes by <old> (token.prev): restart it, or reload its secrets"]
        .assert_eq(&by(Some("old"), gateways(found("old", 9 * DAY))));
    // Which of several credentials the link read is known of the configured file alone.
    assert!(by(Some("else"), alone(found("one", HOUR))).starts_with("ok"));
}

#[test]
fn the_one_in_use_is_marked() {
    let known = Known {
        in_use: Some(print("two")),
        ..known()
    };
    let finding = judged_by(
        &shipped(),
        &known,
        vec![token(found("one", HOUR), found("two", HOUR), Found::Absent)],
    );
    let next = finding.evidence.iter().find(|fact| fact.what == "token.next").unwrap();
    assert!(
        next.seen.contains(&format!("{}, in use", print("two"))),
        "{}",
        next.seen
    );
}

#[test]
fn one_secret_in_two_places_is_degraded_and_names_both() {
    let shared = |theirs: &str, is_copy| {
        vec![Shared {
            mine: "token.current".to_owned(),
            theirs: theirs.to_owned(),
            is_copy,
        }]
    };
    for (shared, expected) in [
        (
            shared("beta's slack.current", false),
            expect!["degraded: token.current: is the same secret as beta's slack.current: give each its own"],
        ),
        (
            shared("slack.next", false),
            expect!["degraded: token.current: is the same secret as slack.next: give each its own"],
        ),
        (
            shared("/etc/gateway.token", true),
            expect![[r#"
                ok: 1 credential in order, the oldest written 60 min ago
                note: token.current is a copy of /etc/gateway.token: rotate both"#]],
        ),
    ] {
        let known = Known {
            shared: &shared,
            ..known()
        };
        check_by(&shipped(), &known, alone(found("one", HOUR)), expected);
    }
}

#[test]
fn a_date_in_the_future_is_noted_and_makes_nothing_old() {
    let mut ahead = file("one", Duration::ZERO);
    ahead.modified = NOW + 10 * MINUTE;
    check(
        alone(Found::File(ahead)),
        expect![[r#"
            ok: 1 credential in order, the oldest written 0 s ago
            note: token.current is dated in the future (2026-11-20T08:44:04Z)"#]],
    );
}

#[test]
fn nothing_is_worse_than_degraded_and_no_date_or_mode_makes_it_fall_over() {
    let mut dice = crate::dice::Dice::new(7);
    let tokens = shipped();
    for _ in 0..20_000 {
        let mut any = || match dice.index(6) {
            0 => Found::Absent,
            1 => Found::Other("is a socket".to_owned()),
            2 => Found::Unread(Cause::Local, "x".to_owned()),
            3 => torn("is empty", Duration::from_secs(dice.index(400) as u64 * 30_000)),
            _ => {
                let mut file = file(SECRETS[dice.index(4)], Duration::ZERO);
                let dates = [i64::MIN, -1, 0, NOW.as_millis(), i64::MAX];
                file.modified = Wall::from_millis(dates[dice.index(5)]);
                file.guard.mode = dice.index(0o10000) as u32;
                file.guard.uid = dice.index(3) as u32;
                Found::File(file)
            }
        };
        let mut credential = token(any(), any(), any());
        credential.is_gateways = dice.index(2) == 0;
        let known = Known {
            in_use: Some(print("one")),
            strict: dice.index(2) == 0,
            ..known()
        };
        let finding = judged_by(&tokens, &known, vec![credential]);
        assert_ne!(finding.answer, Answer::Down, "{finding:?}");
    }
}
