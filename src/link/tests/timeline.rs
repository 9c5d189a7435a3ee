//! Each rule a sentence.

use std::time::Duration;

use super::*;
use crate::link::session::{Breach, ConnectFailure};

fn refused(line: &Line, error: &str) -> String {
    format!(
        r#"{{"type":"res","id":"{}","ok":false,"error":{error}}}"#,
        line.ask("connect")
    )
}

fn challenged() -> Line {
    let mut line = Line::new(Memory::default());
    line.does(Happening::TimeUp);
    line.does(Happening::Connected);
    line.says(&challenge(START));
    line
}

#[test]
fn a_link_connects_is_greeted_and_asks_for_health_and_then_for_history() {
    let mut line = Line::new(Memory::default());
    assert_eq!(line.does(Happening::TimeUp), ["0 connect"]);
    assert_eq!(line.does(Happening::Connected), [""; 0]);
    assert_eq!(line.says(&challenge(START)), ["0 authenticate"]);
    let frame = hello(line.ask("connect"), "b");
    assert_eq!(line.says(&frame), ["0 know connected=true restarts=0", "0 ask health"]);
    assert_eq!(
        line.answers_health(r#"{"ok":true}"#),
        ["0 ok: connected, and its health is ok", "0 ask cron.runs"]
    );
    assert_eq!(line.answers("cron.runs", r#"{"entries":[]}"#), ["0 ask cron.list"]);
    assert_eq!(
        line.answers("cron.list", r#"{"jobs":[]}"#),
        ["0 keep", "0 ask models.authStatus"]
    );
    assert_eq!(
        line.answers("models.authStatus", r#"{"providers":[]}"#),
        ["0 know connected=true restarts=0"]
    );
}

#[test]
fn health_is_asked_every_ten_seconds_and_sooner_at_first() {
    let mut line = Line::established();
    let asks: Vec<String> = line
        .alive(35_000)
        .into_iter()
        .filter(|line| line.contains("ask"))
        .collect();
    assert_eq!(
        asks,
        [
            "2000 ask health",
            "4000 ask health",
            "6000 ask health",
            "16000 ask health",
            "26000 ask health"
        ]
    );
}

#[test]
fn a_gateway_that_answers_stays_ok_for_an_hour() {
    let mut line = Line::established();
    let findings = findings(&line.alive(3_600_000));
    assert!(findings.len() > 350, "{}", findings.len());
    assert!(findings.iter().all(|finding| finding.contains("ok:")), "{findings:?}");
}

#[test]
fn a_stopped_gateway_is_down_at_once_within_thirteen_seconds_and_given_up_after_thirty() {
    let mut line = Line::established();
    line.alive(10_000);
    let stopped = line.at();
    let transcript = line.silence(32_000);
    let relative: Vec<String> = transcript
        .iter()
        .map(|line| {
            let (at, said) = line.split_once(' ').unwrap();
            format!("{} {said}", at.parse::<u64>().unwrap() - stopped)
        })
        .collect();
    let first_down = findings(&relative)[0].clone();
    assert_eq!(
        first_down, "12000 down at once: wedged: nothing was heard on the open link for 13 s",
        "{relative:?}"
    );
    let close = relative.iter().position(|line| line.ends_with(" close")).unwrap();
    assert!(relative[close].starts_with("29000"), "{relative:?}");
    assert!(
        findings(&relative)
            .iter()
            .all(|finding| finding.contains("down at once"))
    );
}

#[test]
fn one_that_goes_on_after_a_stop_is_ok_twice_within_three_seconds() {
    let mut line = Line::established();
    line.alive(10_000);
    line.silence(15_000);
    let resumed = line.at();
    line.does(Happening::Sign);
    let mut transcript = line.answers_health("{}");
    transcript.extend(line.alive(3_000));
    let oks: Vec<u64> = findings(&transcript)
        .iter()
        .filter(|finding| finding.contains("ok:"))
        .map(|finding| finding.split_once(' ').unwrap().0.parse::<u64>().unwrap() - resumed)
        .collect();
    assert!(oks.len() >= 2 && oks[1] <= 3_000, "{transcript:?}");
}

#[test]
fn health_unanswered_while_frames_arrive_is_down_by_fall_twice_within_thirty_seconds() {
    let mut line = Line::established();
    line.alive(10_000);
    let from = line.at();
    let transcript = line.passes(30_000, |line, acts| {
        if acts.contains(&Act::Ping) {
            line.does(Happening::Sign);
        }
    });
    let downs = findings(&transcript);
    assert!(
        downs
            .iter()
            .all(|finding| finding.contains("down: wedged: the link is open, and health")),
        "{downs:?}"
    );
    let second: u64 = downs[1].split_once(' ').unwrap().0.parse().unwrap();
    assert!(second - from < 30_000, "{downs:?}");
}

#[test]
fn missing_ticks_are_down_by_fall_although_health_answers() {
    let mut line = Line::established();
    let mut reports = Vec::new();
    line.passes(75_000, |line, acts| {
        for act in acts {
            match act {
                Act::Send(_) => reports.extend(line.answers_health("{}")),
                Act::Ping => reports.extend(line.does(Happening::Sign)),
                Act::Report(_) => reports.push(format!("{} {}", line.at(), transcript(act))),
                _ => {}
            }
        }
    });
    let downs: Vec<_> = reports.iter().filter(|report| report.contains("down")).collect();
    assert!(
        downs[0].starts_with("60000 down: wedged: no tick for 60 s (one is due every 30 s)"),
        "{downs:?}"
    );
    assert!(downs.len() >= 2);
    let frame = tick_at(line.now.wall);
    assert_eq!(line.says(&frame), ["75000 ask health"], "the trouble is over: ask");
    assert_eq!(line.answers_health("{}"), ["75000 ok: connected, and its health is ok"]);
}

#[test]
fn a_shutdown_is_down_at_once_and_its_close_is_unknown() {
    let mut line = Line::established();
    assert_eq!(
        line.says(&recorded_event("shutdown", 0)),
        ["0 down at once: the gateway is shutting down"]
    );
    line.passes(2_000, |_, _| {});
    assert_eq!(
        findings(&line.answers_health(r#"{"ok":true}"#)),
        ["2000 down at once: the gateway is shutting down"],
        "an answer on the way out heals nothing"
    );
    assert_eq!(
        line.does(Happening::Closed {
            code: 1012,
            reason: "service restart".into()
        }),
        [
            "2000 close",
            "2000 know connected=false restarts=0",
            "2000 unknown: the gateway closed the link as it said, with 1012 service restart"
        ]
    );
}

#[test]
fn refused_connections_are_unknown_and_tried_again_with_a_capped_back_off() {
    let mut line = Line::new(Memory::default());
    let mut tries = Vec::new();
    for _ in 0..8 {
        line.to(line.session.next_wake().max(line.now.at));
        assert_eq!(line.does(Happening::TimeUp).len(), 1);
        tries.push(line.at());
        let transcript = line.does(Happening::ConnectFailed(ConnectFailure::Refused));
        assert!(transcript[1].ends_with("unknown: the gateway's port refuses connections"));
    }
    let waits: Vec<u64> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    for (wait, at_most) in waits.iter().zip([1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 10_000]) {
        assert!((at_most / 2..=at_most).contains(wait), "{waits:?}");
    }
    let mut other = Session::new(
        TenantName::parse("beta").unwrap(),
        Memory::default(),
        Patience::default(),
        8,
        line.now,
    );
    other.handle(line.now, Happening::TimeUp);
    other.handle(line.now, Happening::ConnectFailed(ConnectFailure::Refused));
    assert_ne!(
        other.next_wake().since(line.now.at),
        Duration::from_millis(waits[0]),
        "links are spread"
    );
}

#[test]
fn a_handshake_that_is_never_answered_is_unknown() {
    let mut line = Line::new(Memory::default());
    line.does(Happening::TimeUp);
    assert_eq!(
        findings(&line.silence(10_000)),
        ["10000 unknown: the gateway opens no WebSocket within 10 s"]
    );
    let mut line = Line::new(Memory::default());
    line.does(Happening::TimeUp);
    line.does(Happening::Connected);
    assert_eq!(
        findings(&line.silence(10_000)),
        ["10000 unknown: the gateway sends no challenge within 10 s"]
    );
    let mut line = challenged();
    assert_eq!(
        findings(&line.silence(10_000)),
        ["10000 unknown: the handshake is not answered within 10 s"]
    );
}

#[test]
fn wrong_credentials_are_unknown_and_alive_and_a_new_token_is_tried_at_once() {
    let mut line = challenged();
    let frame = refused(
        &line,
        r#"{"code":"INVALID_REQUEST","message":"unauthorized: m4rker","details":{"code":"AUTH_TOKEN_MISMATCH"}}"#,
    );
    let transcript = line.says(&frame);
    assert_eq!(
        transcript,
        [
            "0 close",
            "0 unknown (alive): the gateway does not know this token (AUTH_TOKEN_MISMATCH): look at the tenant's token_file"
        ]
    );
    assert!(line.session.wants_token());
    assert_eq!(line.silence(29_000), [""; 0], "gateways limit the rate of wrong tokens");
    assert_eq!(line.does(Happening::TokenChanged), ["29000 connect"]);
    assert!(!line.session.wants_token());
    assert_eq!(line.does(Happening::TokenChanged), [""; 0]);
}

#[test]
fn a_protocol_mismatch_is_unknown_and_names_the_versions() {
    let mut line = challenged();
    let frame = refused(
        &line,
        r#"{"code":"INVALID_REQUEST","message":"protocol mismatch",
        "details":{"code":"PROTOCOL_MISMATCH","expectedProtocol":5,"clientMinProtocol":3}}"#,
    );
    assert_eq!(
        findings(&line.says(&frame)),
        ["0 unknown (alive): the gateway speaks protocol 5, readyd speaks 3 to 4"]
    );
    let mut line = challenged();
    let frame = hello(line.ask("connect"), "b").replace("\"protocol\":4", "\"protocol\":9");
    assert_eq!(
        findings(&line.says(&frame)),
        ["0 unknown (alive): the gateway 2026.9.6 speaks protocol 9, readyd speaks 3 to 4"]
    );
}

#[test]
fn a_scope_that_is_not_granted_is_unknown_and_alive() {
    let mut line = challenged();
    let frame = hello(line.ask("connect"), "b").replace("operator.read", "operator.talk");
    assert_eq!(
        findings(&line.says(&frame)),
        ["0 unknown (alive): the gateway grants this token no operator.read"]
    );
}

#[test]
fn a_starting_gateway_is_degraded_and_asked_again_when_it_says_and_down_beyond_its_grace() {
    let starting = |line: &Line| {
        refused(
            line,
            r#"{"code":"UNAVAILABLE","retryable":true,"retryAfterMs":500,"details":{"reason":"startup-sidecars"}}"#,
        )
    };
    let mut line = challenged();
    let frame = starting(&line);
    assert_eq!(
        findings(&line.says(&frame)),
        ["0 degraded (alive): the gateway is starting for 0 s"]
    );
    let wait = line.session.next_wake().since(line.now.at).as_millis();
    assert!((500..=550).contains(&wait), "{wait}");
    let mut last = Vec::new();
    for _ in 0..130 {
        line.to(line.session.next_wake());
        line.does(Happening::TimeUp);
        line.does(Happening::Connected);
        let frame = challenge(line.now.wall);
        line.says(&frame);
        let frame = starting(&line);
        last = findings(&line.says(&frame));
    }
    assert!(
        last[0].contains("down (alive): the gateway is starting for 6"),
        "{last:?}"
    );
}

#[test]
fn an_impossible_retry_time_is_held_within_bounds() {
    for (millis, at_least, at_most) in [(0, 100, 110), (u64::MAX, 30_000, 33_000)] {
        let mut line = challenged();
        let error =
            format!(r#"{{"code":"UNAVAILABLE","retryAfterMs":{millis},"details":{{"reason":"startup-sidecars"}}}}"#);
        let frame = refused(&line, &error);
        line.says(&frame);
        let wait = line.session.next_wake().since(line.now.at).as_millis();
        assert!((at_least..=at_most).contains(&wait), "{wait}");
    }
}

#[test]
fn a_new_boot_id_is_a_restart_and_three_within_ten_minutes_are_a_crash_loop() {
    let mut line = Line::established();
    for restart in 1..=3 {
        line.does(Happening::Closed {
            code: 1006,
            reason: String::new(),
        });
        line.to(line.session.next_wake());
        line.handshake(&format!("boot-{}", restart + 1));
        assert_eq!(line.session.facts().restarts, restart);
        let findings = findings(&line.answers_health("{}"));
        let expected = if restart < 3 {
            "ok:"
        } else {
            "degraded: the gateway restarted 3 times in 10 min"
        };
        assert!(findings[0].contains(expected), "{findings:?}");
        for method in ["cron.runs", "cron.list"] {
            line.answers(method, "{}");
        }
    }
    let later = findings(&line.alive(605_000));
    assert!(later[0].contains("degraded"));
    assert!(
        later.last().unwrap().contains("ok"),
        "it is forgotten after ten minutes"
    );
    line.does(Happening::Closed {
        code: 1006,
        reason: String::new(),
    });
    line.to(line.session.next_wake());
    line.handshake("boot-4");
    assert_eq!(line.session.facts().restarts, 3, "the same process again is no restart");
}

#[test]
fn a_suspended_gateway_is_degraded_until_it_accepts_again() {
    let mut line = Line::established();
    let frame = r#"{"type":"event","event":"gateway.suspension","payload":{"phase":"prepared"}}"#;
    assert_eq!(line.says(frame), ["0 ask health"], "it is news: ask");
    assert_eq!(
        findings(&line.answers_health("{}")),
        ["0 degraded: the gateway is suspended (prepared)"]
    );
    line.says(&frame.replace("prepared", "accepting"));
    assert_eq!(
        findings(&line.answers_health("{}")),
        ["0 ok: connected, and its health is ok"]
    );
}

#[test]
fn bad_health_that_is_pushed_is_asked_about_at_once_and_counts_once() {
    let mut line = Line::established();
    line.alive(15_000);
    let bad = r#"{"channels":{"telegram":{"accounts":{"default":{"healthState":"terminal-disconnect"}}}}}"#;
    let push = format!(r#"{{"type":"event","event":"health","payload":{bad}}}"#);
    let transcript = line.says(&push);
    assert!(
        transcript.len() == 1 && transcript[0].ends_with("ask health"),
        "{transcript:?}"
    );
    assert_eq!(
        findings(&line.answers_health(bad)),
        ["15000 degraded: channels are not healthy: telegram/default: terminal-disconnect"]
    );
}

#[test]
fn an_error_instead_of_health_is_an_answer_and_not_ok() {
    let mut line = Line::established();
    line.silence(2_000);
    let frame = format!(
        r#"{{"type":"res","id":"{}","ok":false,"error":{{"code":"UNAVAILABLE","message":"ENOSPC: m4rker"}}}}"#,
        line.ask("health")
    );
    assert_eq!(
        findings(&line.says(&frame)),
        ["2000 degraded (alive): the gateway cannot tell its health (UNAVAILABLE)"]
    );
}

#[test]
fn after_a_sleep_of_the_host_patience_starts_afresh() {
    let mut line = Line::established();
    line.silence(4_000);
    line.to(line.now.at + Duration::from_secs(3_600));
    let transcript = line.does(Happening::TimeUp);
    assert_eq!(
        findings(&transcript),
        [""; 0],
        "nobody is blamed for an hour in which we slept"
    );
    assert!(
        transcript.iter().any(|line| line.contains("ask health")),
        "{transcript:?}"
    );
    let downs = findings(&line.silence(14_000));
    assert!(
        downs[0].contains("nothing was heard on the open link for 10 s"),
        "{downs:?}"
    );
}

#[test]
fn a_sleep_during_the_handshake_is_not_held_against_the_gateway() {
    let mut line = challenged();
    line.to(line.now.at + Duration::from_secs(600));
    assert_eq!(line.does(Happening::TimeUp), [""; 0]);
    let frame = hello(line.ask("connect"), "b");
    assert!(line.says(&frame)[0].contains("know connected=true"));
}

#[test]
fn garbage_instead_of_a_challenge_is_unknown() {
    for garbage in ["garbage", "[1,2]", "{}", "\u{0}\u{1}"] {
        let mut line = Line::new(Memory::default());
        line.does(Happening::TimeUp);
        line.does(Happening::Connected);
        let findings = findings(&line.says(garbage));
        assert!(
            findings[0].contains("unknown: no gateway answers: what it sends is not"),
            "{findings:?}"
        );
    }
}

#[test]
fn garbage_on_an_established_link_neither_ends_it_nor_stands_for_an_answer() {
    let mut line = Line::established();
    line.alive(10_000);
    let downs = findings(&line.passes(20_000, |line, _| {
        line.does(Happening::Sign);
        assert_eq!(line.says("{\"type\":\"res\",\"id\":\"health:0\""), [""; 0]);
    }));
    assert!(
        downs[0].contains("down: wedged: the link is open, and health is not answered"),
        "{downs:?}"
    );
}

#[test]
fn a_frame_above_the_cap_is_unknown() {
    let mut line = Line::established();
    assert_eq!(
        findings(&line.does(Happening::Broken(Breach::TooLarge))),
        ["0 unknown: the gateway sent more than 4 MiB in one frame"]
    );
}

#[test]
fn a_token_that_is_kept_back_is_unknown_and_says_why() {
    let mut line = challenged();
    let transcript = line.does(Happening::Withheld("port 1 belongs to user 7".into()));
    assert_eq!(transcript, ["0 close", "0 unknown: port 1 belongs to user 7"]);
    assert!(line.session.wants_token());
}

#[test]
fn only_a_token_that_was_accepted_is_known_as_the_one_in_use() {
    let by = crate::fingerprint::Fingerprints::default();
    let mut line = Line::new(Memory::default());
    line.does(Happening::TimeUp);
    let offered = |line: &mut Line, token: &str| {
        line.does(Happening::Connected);
        let challenge = challenge(line.now.wall);
        line.says(&challenge);
        line.does(Happening::Offered(by.of(token)));
    };
    offered(&mut line, "old");
    let frame = refused(
        &line,
        r#"{"code":"INVALID_REQUEST","message":"unauthorized","details":{"code":"AUTH_TOKEN_MISMATCH"}}"#,
    );
    line.says(&frame);
    assert_eq!(line.session.facts().token, None);

    line.does(Happening::TokenChanged);
    offered(&mut line, "new");
    let hello = hello(line.ask("connect"), "boot-1");
    line.says(&hello);
    let in_use = Some(by.of("new"));
    assert_eq!(
        (line.session.facts().connected, line.session.facts().token),
        (true, in_use)
    );

    line.does(Happening::Closed {
        code: 1012,
        reason: String::new(),
    });
    assert_eq!(
        (line.session.facts().connected, line.session.facts().token),
        (false, in_use)
    );
}
