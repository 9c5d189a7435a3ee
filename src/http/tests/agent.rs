use super::build::{Build, degraded};
use crate::http::agent::line;
use crate::http::topic::Topic;
use crate::readiness::snapshot::Phase;
use crate::words::Level;

#[test]
fn haproxy_gets_a_weight_for_each_verdict_and_phase() {
    let ok = || Build::node().check("disk", Level::Ok, "40 GiB free");
    let of = |build: Build| line(&Topic::node(&build.done()));
    assert_eq!(of(ok()), "up 100%\n");
    assert_eq!(of(degraded()), "up 50%\n");
    assert_eq!(of(ok().phase(Phase::Draining)), "up 0%\n");
    assert_eq!(of(ok().phase(Phase::Starting)), "down #starting\n");
}

#[test]
fn down_names_checks_and_says_nothing_that_came_from_outside() {
    let snapshot =
        degraded()
            .check("write", Level::Down, "up 100% \n#; DROP")
            .check("gateway@acme", Level::Down, "refused");
    assert_eq!(line(&Topic::node(&snapshot.done())), "down #gateway@acme,write\n");
}

#[test]
fn a_crowd_of_names_is_cut() {
    let mut build = Build::node();
    for number in 0..30 {
        build = build.check(&format!("probe-{number:02}"), Level::Down, "no");
    }
    let line = line(&Topic::node(&build.done()));
    assert_eq!(line.matches("probe-").count(), 8);
}
