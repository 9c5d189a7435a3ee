use super::*;
use crate::link::events::{Synced, ended};
use crate::link::protocol::Method;
use crate::words::Instant;

const NOW: Now = Now {
    at: Instant::from_millis(9),
    wall: Wall::from_millis(1_000_000),
};

fn run(started: i64) -> Run {
    Run {
        job_id: "j".into(),
        run_id: None,
        endpoint: "e".into(),
        started: Some(Wall::from_millis(started)),
        ended: Some(Wall::from_millis(started)),
        delivery: ended(Some("delivered"), None, None, false),
    }
}

fn page(starts: impl IntoIterator<Item = i64>) -> Page {
    let runs: Vec<Run> = starts.into_iter().map(run).collect();
    Page {
        entries: runs.len(),
        jobs: Vec::new(),
        runs,
        has_more: true,
    }
}

fn asked(fill: &Fill) -> Option<Method> {
    let (ask, _) = fill.request(|method| Ask { method, number: 1 })?;
    Some(ask.method)
}

fn memory() -> Memory {
    let mut memory = Memory::default();
    memory.standing.synced = Some(Synced {
        gateway: Wall::from_millis(500_000),
        ours: Wall::from_millis(500_000),
    });
    memory
}

#[test]
fn pages_are_read_until_the_last_tick_is_reached() {
    let mut fill = Fill::begin(&memory(), Some(NOW.wall), NOW);
    fill.runs(page([900_000, 800_000]));
    assert_eq!(asked(&fill), Some(Method::CronRuns));
    fill.runs(page([700_000, 400_000]));
    assert_eq!(asked(&fill), Some(Method::CronList));
    fill.jobs(Page::default(), &memory());
    assert_eq!(asked(&fill), None);
    let filled = fill.finish(&TenantName::parse("acme").unwrap(), &mut memory(), NOW, 0);
    let times: Vec<i64> = filled.events.iter().map(|event| event.ts.as_millis()).collect();
    assert_eq!((times, filled.gap), (vec![700_000, 800_000, 900_000], None));
}

#[test]
fn a_history_without_end_is_read_in_bounds_and_the_rest_is_a_gap() {
    let mut fill = Fill::begin(&memory(), Some(NOW.wall), NOW);
    let mut pages = 0;
    while asked(&fill) == Some(Method::CronRuns) {
        pages += 1;
        fill.runs(page([999_000 - pages]));
        assert!(pages <= PAGES_MAX as i64);
    }
    while asked(&fill) == Some(Method::CronList) {
        fill.jobs(page([]), &memory());
    }
    let filled = fill.finish(&TenantName::parse("acme").unwrap(), &mut memory(), NOW, 0);
    assert_eq!(filled.events.len(), PAGES_MAX);
    assert_eq!(filled.gap, Some("more happened than is read back"));
}

#[test]
fn an_empty_page_that_promises_more_ends_the_list() {
    let mut fill = Fill::begin(&memory(), Some(NOW.wall), NOW);
    fill.runs(page([]));
    assert_eq!(asked(&fill), Some(Method::CronList));
}
