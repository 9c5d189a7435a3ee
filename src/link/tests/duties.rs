//! What a link learns of what its gateway does by the clock, and when it asks again.

use std::time::Duration;

use super::*;
use crate::link::duties::Credentials;

const POLL: &str = r#"{"id":"1","name":"poll","agentId":"main","schedule":{"kind":"every","everyMs":30000},
    "payload":{"kind":"agentTurn","message":"markerofaprompt"},"delivery":{"to":"markerofatarget"}}"#;

fn names(line: &Line) -> Vec<String> {
    let duties = line.session.facts().duties.as_ref();
    let jobs = duties.map(|duties| duties.jobs.list.as_slice()).unwrap_or_default();
    jobs.iter().map(|job| job.called().to_owned()).collect()
}

fn changed(action: &str) -> String {
    format!(r#"{{"type":"event","event":"cron","payload":{{"action":"{action}","jobId":"1"}}}}"#)
}

/// Questions about jobs and models in that time.
fn asked(line: &mut Line, seconds: u64) -> Vec<String> {
    let told = line.alive(seconds * 1000);
    told.into_iter()
        .filter(|told| told.contains("ask cron.list") || told.contains("ask models"))
        .collect()
}

#[test]
fn jobs_and_credentials_are_known_once_the_handshake_is_filled() {
    let mut line = Line::new(Memory::default());
    line.handshake("b");
    line.answers_health("{}");
    line.answers("cron.runs", "{}");
    line.answers("cron.list", &format!(r#"{{"jobs":[{POLL}],"hasMore":false}}"#));
    assert_eq!(names(&line), [""; 0], "not before all of it is known");
    let providers = r#"{"providers":[{"provider":"openai","status":"missing"},{"provider":"x","status":"ok"}]}"#;
    line.answers("models.authStatus", providers);
    assert_eq!(names(&line), ["poll"]);
    let facts = line.session.facts();
    let duties = facts.duties.as_ref().unwrap();
    let providers = duties.providers.as_ref().unwrap();
    assert_eq!((providers.len(), providers[0].state), (1, Credentials::Missing));
    assert_eq!(facts.duties_at, Some(line.now.at));
    let held = format!("{:?}", line.session);
    assert!(held.contains("poll") && !held.contains("markerof"), "{held}");
}

#[test]
fn a_gateway_that_does_not_know_the_question_about_models_tells_its_jobs_all_the_same() {
    let mut line = Line::new(Memory::default());
    line.handshake("b");
    line.answers_health("{}");
    line.answers("cron.runs", "{}");
    line.answers("cron.list", &format!(r#"{{"jobs":[{POLL}]}}"#));
    let ask = line.ask("models.authStatus");
    line.says(&format!(
        r#"{{"type":"res","id":"{ask}","ok":false,"error":{{"code":"INVALID_REQUEST"}}}}"#
    ));
    assert_eq!(names(&line), ["poll"]);
    assert_eq!(line.session.facts().duties.as_ref().unwrap().providers, None);
}

#[test]
fn a_change_of_jobs_or_configuration_is_asked_about_a_minute_after_the_last_answer_at_the_soonest() {
    for news in [
        changed("added"),
        changed("updated"),
        changed("removed"),
        r#"{"type":"event","event":"config.changed","payload":{"path":"x"}}"#.to_owned(),
    ] {
        let mut line = Line::established();
        line.alive(10_000);
        line.says(&news);
        assert_eq!(asked(&mut line, 49), [""; 0]);
        line.says(&news);
        assert_eq!(asked(&mut line, 2), ["60000 ask cron.list"]);
        line.answers("cron.list", &format!(r#"{{"jobs":[{POLL}]}}"#));
        line.answers("models.authStatus", r#"{"providers":[]}"#);
        assert_eq!(names(&line), ["poll"]);
        assert_eq!(asked(&mut line, 600), [""; 0], "that was all");
    }
}

#[test]
fn runs_of_jobs_are_no_change_of_them() {
    let mut line = Line::established();
    for action in ["started", "finished"] {
        line.says(&changed(action));
    }
    assert_eq!(asked(&mut line, 600), [""; 0]);
}

#[test]
fn without_news_jobs_are_asked_every_half_hour_also_where_nobody_answers() {
    let mut line = Line::established();
    assert_eq!(asked(&mut line, 1799), [""; 0]);
    assert_eq!(asked(&mut line, 2), ["1800000 ask cron.list"]);
    let asked = asked(&mut line, 1900);
    assert_eq!(asked, ["3630000 ask cron.list"], "given up after 30 s");
    assert_eq!(names(&line), [""; 0]);
}

#[test]
fn what_was_known_stays_known_while_the_link_is_away_and_until_it_is_told_anew() {
    let mut line = Line::new(Memory::default());
    line.handshake("b");
    line.answers_health("{}");
    line.answers("cron.runs", "{}");
    line.answers("cron.list", &format!(r#"{{"jobs":[{POLL}]}}"#));
    line.answers("models.authStatus", "{}");
    let known_at = line.session.facts().duties_at;
    line.away_for_a_minute();
    assert_eq!(names(&line), ["poll"]);
    assert_eq!(line.session.facts().duties_at, known_at);
    line.answers("cron.runs", "{}");
    line.answers("cron.list", "{}");
    line.answers("models.authStatus", "{}");
    assert_eq!(names(&line), [""; 0]);
}

#[test]
fn a_list_of_several_pages_is_read_to_its_end() {
    let mut line = Line::established();
    line.says(&changed("added"));
    line.alive(60_000);
    let page = |from: u32, more: bool| {
        let jobs: Vec<String> = (from..from + 50).map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        format!(r#"{{"jobs":[{}],"hasMore":{more}}}"#, jobs.join(","))
    };
    assert_eq!(line.answers("cron.list", &page(0, true)), ["60000 ask cron.list"]);
    assert_eq!(
        line.answers("cron.list", &page(50, false)),
        ["60000 ask models.authStatus"]
    );
    line.answers("models.authStatus", "{}");
    assert_eq!(names(&line).len(), 100);
}

#[test]
fn the_gateways_clock_is_known_from_its_ticks_and_news_of_it_is_told() {
    let mut line = Line::established();
    assert_eq!(line.session.facts().skew_millis, Some(0));
    let mut told = Vec::new();
    for _ in 0..4 {
        line.alive(20_000);
        let frame = tick_at(line.now.wall.plus_millis(-45_000));
        told.extend(line.says(&frame));
    }
    assert_eq!(line.session.facts().skew_millis, Some(-45_000));
    assert_eq!(told.iter().filter(|told| told.contains("know")).count(), 1, "{told:?}");
    line.to(line.now.at + Duration::from_secs(1));
}

#[test]
fn news_while_the_jobs_are_being_asked_is_asked_about_afterwards() {
    let mut line = Line::established();
    line.says(&changed("added"));
    assert_eq!(asked(&mut line, 60), ["60000 ask cron.list"]);
    line.answers("cron.list", &format!(r#"{{"jobs":[{POLL}]}}"#));
    // The list that was read does not know it.
    line.says(&changed("removed"));
    line.answers("models.authStatus", r#"{"providers":[]}"#);
    assert_eq!(names(&line), ["poll"]);
    assert_eq!(asked(&mut line, 61), ["120000 ask cron.list"]);
    line.answers("cron.list", "{}");
    line.answers("models.authStatus", "{}");
    assert_eq!(names(&line), [""; 0]);
    assert_eq!(asked(&mut line, 600), [""; 0], "once");
}
