use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/openclaw/rpc-cron-list.txt");

fn recorded() -> Vec<Job> {
    let answer: Value = serde_json::from_str(RECORDED.lines().next().unwrap()).unwrap();
    let jobs = answer["payload"]["jobs"].as_array().unwrap();
    jobs.iter().map(|job| Job::read(&job.to_string()).unwrap()).collect()
}

fn job(text: &str) -> Job {
    Job::read(text).unwrap()
}

#[test]
fn a_real_list_of_jobs_is_read_and_nothing_of_what_they_do() {
    let jobs = recorded();
    let told: Vec<String> = jobs
        .iter()
        .map(|job| format!("{} {} {:?}", job.called(), job.agent, job.schedule))
        .collect();
    assert_eq!(told[0], "heartbeat-main main Every { millis: 1800000 }");
    assert_eq!(
        told[1],
        "Memory Dreaming Promotion main Cron { expression: \"0 3 * * *\", zone: None }"
    );
    assert_eq!(jobs.iter().filter(|job| job.is_heartbeat).count(), 1);
    assert!(jobs.iter().all(|job| job.enabled && job.work.is_some()));
    let kept = format!("{jobs:?}");
    for marker in ["echo hello", "dream__", "toolsAllow", "9911", "Skill Workshop"] {
        assert!(RECORDED.contains(marker), "{marker}");
        assert!(!kept.contains(marker), "{marker} is kept");
    }
}

#[test]
fn the_same_work_is_the_same_whatever_the_order_of_its_words() {
    let one =
        job(r#"{"id":"1","agentId":"a","payload":{"kind":"agentTurn","message":"m"},"delivery":{"mode":"none"}}"#);
    let same = job(
        r#"{"id":"2","name":"x","effectiveAgentId":"a","delivery":{"mode":"none"},"payload":{ "message":"m", "kind":"agentTurn" }}"#,
    );
    assert_eq!(one.work, same.work);
    for other in [
        r#"{"id":"3","agentId":"b","payload":{"kind":"agentTurn","message":"m"},"delivery":{"mode":"none"}}"#,
        r#"{"id":"3","agentId":"a","payload":{"kind":"agentTurn","message":"n"},"delivery":{"mode":"none"}}"#,
        r#"{"id":"3","agentId":"a","payload":{"kind":"agentTurn","message":"m"},"delivery":{"mode":"webhook"}}"#,
        r#"{"id":"3","agentId":"a","payload":{"kind":"agentTurn","message":"m"}}"#,
        r#"{"id":"3","agentId":"a","sessionTarget":"main","payload":{"kind":"agentTurn","message":"m"},"delivery":{"mode":"none"}}"#,
    ] {
        assert_ne!(one.work, job(other).work, "{other}");
    }
    assert_eq!(job(r#"{"id":"4"}"#).work, None);
}

#[test]
fn strange_jobs_are_read_as_far_as_they_go() {
    assert_eq!(Job::read("[]"), None);
    assert_eq!(Job::read(r#"{"id":7}"#), None);
    assert_eq!(Job::read(r#"{"name":"x"}"#), None);
    let schedule = |text: &str| job(&format!(r#"{{"id":"j","schedule":{text}}}"#)).schedule;
    assert_eq!(schedule("7"), Schedule::Unknown);
    assert_eq!(schedule(r#"{"kind":"every","everyMs":"soon"}"#), Schedule::Unknown);
    assert_eq!(schedule(r#"{"kind":"every","everyMs":-5}"#), Schedule::Unknown);
    assert_eq!(schedule(r#"{"kind":"at","at":"2026-01-01"}"#), Schedule::NotByTheClock);
    assert_eq!(schedule(r#"{"kind":"on-exit"}"#), Schedule::NotByTheClock);
    assert_eq!(schedule(r#"{"kind":"moon"}"#), Schedule::Unknown);
    let long = job(&format!(
        r#"{{"id":"j","name":"{}","enabled":false}}"#,
        "n".repeat(9000)
    ));
    assert!(long.name.len() <= 128 && !long.enabled);
    assert_eq!(job(r#"{"id":"j","name":" "}"#).called(), "j");
}

#[test]
fn more_jobs_than_are_kept_are_said_to_be_more() {
    let mut jobs = Jobs::default();
    for _ in 0..11 {
        jobs.add((0..50).map(|number| job(&format!(r#"{{"id":"{number}"}}"#))).collect());
    }
    assert_eq!((jobs.list.len(), jobs.cut), (JOBS_MAX, true));
}

#[test]
fn only_providers_in_trouble_are_kept_and_nothing_of_their_profiles() {
    let told = providers(
        r#"{"ts":1,"providers":[{"provider":"anthropic","status":"ok","profiles":[{"email":"a@b.example"}]},
        {"provider":"openai","status":"missing"},{"provider":"google","status":"expired"},{"provider":"x"},7]}"#,
    );
    let provider = |name: &str, state| Provider {
        name: name.into(),
        state,
    };
    let wanted = [
        provider("openai", Credentials::Missing),
        provider("google", Credentials::Expired),
    ];
    assert_eq!(told.unwrap(), wanted);
    assert_eq!(providers(r#"{"providers":[]}"#), Some(Vec::new()));
    assert_eq!(providers(r#"{"providers":[],"unavailable":{"code":"X"}}"#), None);
    assert_eq!(providers("{}"), None);
    assert_eq!(providers("[]"), None);
}
