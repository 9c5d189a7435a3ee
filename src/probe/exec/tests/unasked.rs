//! Answers without a run: repeated ones, and those that the tenant's link has had.

use super::*;
use crate::link::duties::{Duties, Job, Jobs};
use crate::link::session::LinkFacts;

/// Says how often it was asked.
const COUNTING: &str = r#"#!/bin/sh
echo x >> ${0%/*}/asked
echo '{"ok":true,"summary":"fine"}'
"#;

#[tokio::test]
async fn a_stretched_check_runs_once_and_again_when_something_changed_or_somebody_asks() {
    let mut bench = Bench::new();
    bench.install("counting", COUNTING);
    bench.command(Parse::Json, &["counting"]);
    bench.exec.stretch = Some(Duration::from_secs(7200));
    let env_file = bench.folder.path().join("acme.env");
    std::fs::write(&env_file, "A=1\n").unwrap();
    bench.target.env_file = Some(env_file.clone());
    bench.target.instance = Instance::Unknown;
    let runs = |bench: &Bench| bench.read("asked").lines().count();

    let first = bench.ask().await;
    assert!(first.0.notes.is_empty() && first.1.wall > Duration::ZERO);
    for _ in 0..3 {
        let (finding, cost) = bench.ask().await;
        assert_eq!((finding.answer, finding.summary.as_str()), (Answer::Ok, "fine"));
        assert!(finding.notes[0].starts_with("nothing it looks at has changed; asked "));
        assert_eq!(cost, Cost::default());
    }
    assert_eq!(runs(&bench), 1);

    bench.routine = false;
    bench.ask().await;
    assert_eq!(runs(&bench), 2, "somebody asked");
    bench.routine = true;
    bench.ask().await;
    assert_eq!(runs(&bench), 2);
    std::fs::write(&env_file, "A=2\n").unwrap();
    bench.ask().await;
    assert_eq!(runs(&bench), 3, "its environment changed");
    bench.exec.stretch = None;
    bench.ask().await;
    assert_eq!(runs(&bench), 4, "it is not stretched any more");
}

/// A CLI that must not be started.
const FORBIDDEN: &str = "#!/bin/sh\necho started >> ${0%/*}/asked\nexit 1\n";

fn linked() -> LinkFacts {
    let job = r#"{"id":"1","name":"poll","schedule":{"kind":"every","everyMs":5000},"payload":{"argv":["x"]}}"#;
    let mut jobs = Jobs::default();
    jobs.add(vec![Job::read(job).unwrap()]);
    LinkFacts {
        connected: true,
        duties: Some(Arc::new(Duties {
            jobs,
            providers: Some(Vec::new()),
        })),
        duties_at: Some(clock::instant()),
        ..LinkFacts::default()
    }
}

#[tokio::test]
async fn jobs_that_the_link_knows_are_judged_without_a_process() {
    let mut bench = Bench::with_cli(FORBIDDEN);
    bench.exec.parse = Parse::Cost;
    bench.target.link = Some(linked());
    assert_eq!(
        bench.answer().await,
        "degraded: job poll is due every 5s, more often than every 1m, and is not approved"
    );
    let (finding, cost) = bench.ask().await;
    assert!(
        finding
            .evidence
            .iter()
            .any(|fact| fact.seen.starts_with("over the link, "))
    );
    assert_eq!(cost, Cost::default());
    bench.target.approved_jobs = ["poll".to_owned()].into();
    assert_eq!(bench.answer().await, "ok: 1 job, due every 5s");
    assert_eq!(bench.read("asked"), "");
    let order = bench.order();
    let told = bench.target.link.as_ref().unwrap().duties_at.unwrap();
    let answered = |seconds| over_the_link(&order, &bench.exec, told + Duration::from_secs(seconds)).is_some();
    assert_eq!([answered(3600), answered(3601)], [true, false], "an hour old at most");
}

#[tokio::test]
async fn jobs_are_asked_of_the_cli_where_the_link_is_away_or_has_not_told_for_long() {
    let real = r#"#!/bin/sh
echo "$*" >> ${0%/*}/asked
case "$*" in
  --version) echo "OpenClaw 2026.9.6 (eb377ac)" ;;
  "--profile beta cron list --json") echo '{"jobs":[]}' ;;
esac
"#;
    let mut bench = Bench::with_cli(real);
    bench.exec.parse = Parse::Cost;
    let away = LinkFacts {
        connected: false,
        ..linked()
    };
    let untold = LinkFacts {
        duties_at: None,
        ..linked()
    };
    for facts in [None, Some(away), Some(untold)] {
        bench.target.link = facts;
        assert_eq!(bench.answer().await, "ok: no job is enabled");
    }
    assert_eq!(bench.read("asked").lines().count(), 4, "--version once");
}

#[tokio::test]
async fn the_articles_cli_has_no_jobs_to_tell() {
    let mut bench = Bench::with_cli(ARTICLE);
    bench.exec.parse = Parse::Cost;
    assert_eq!(bench.answer().await, "ok: the articles' openclaw has no such question");
}
