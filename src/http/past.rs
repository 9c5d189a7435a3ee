//! Shell: what pages show of the past: read off the loop, and kept so that a reader who looks again costs no disk.
#![expect(clippy::disallowed_methods, reason = "shell: how long ago something was read")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as Slot, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::sync::Mutex;

use super::off_loop::off_loop;
use super::page::sparks::{self, Counts, Sparks};
use super::page::timeline::{Range, Timelines};
use super::site::{HistoryQuery, Parts};
use crate::history::Report;
use crate::words::Wall;

/// A closed window changes by late events alone.
const WINDOW_KEPT: Duration = Duration::from_secs(300);
/// After a failure the disk is left alone for so long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long a page waits for each of windows and history; then it goes out with what was read before, or without.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was read, of one listener.
#[derive(Debug, Default)]
pub(super) struct Past {
    windows: Mutex<Windows>,
    reports: Mutex<Reports>,
}

type ByRange = [Option<(Instant, Arc<Report>)>; Range::ALL.len()];
/// By their starts.
type ByStart = BTreeMap<i64, (Instant, Option<Arc<Counts>>)>;

#[derive(Debug, Default)]
struct Windows {
    /// As of reports.
    read: Arc<Slot<ByStart>>,
    reading: Reading,
}

#[derive(Debug, Default)]
struct Reports {
    /// Filled as each is read, whether or not anybody still waits: else a disk that is slower than a page's patience
    /// would be read for nothing, again and again.
    read: Arc<Slot<ByRange>>,
    reading: Reading,
}

/// Keeps a slow disk from more than one thread, and a broken one from being asked at each look.
#[derive(Debug, Default)]
struct Reading {
    is_at_work: Arc<AtomicBool>,
    failed: Option<Instant>,
}

impl Past {
    /// The windows of the last two hours that the snapshot does not hold are read, where they are not known.
    pub async fn sparks(&self, parts: &Parts, wall: Wall) -> Sparks {
        let mut windows = self.windows.lock().await;
        let held = Arc::clone(&parts.board.read().snapshot.digest);
        windows.forget(wall);
        let known = open(&windows.read).clone();
        let starts = sparks::starts(wall).filter(|start| !held.aligned.contains_key(start));
        let missing: Vec<i64> = starts.filter(|start| !known.contains_key(start)).collect();
        if !missing.is_empty() {
            let read = Arc::clone(&parts.window);
            let slot = Arc::clone(&windows.read);
            let read_them = move || {
                missing.into_iter().try_for_each(|start| {
                    let counts = read(start)?.map(|window| Arc::new(Counts::of(&window)));
                    open(&slot).insert(start, (Instant::now(), counts));
                    Ok(())
                })
            };
            windows.reading.read(read_them).await;
        }
        let read = open(&windows.read);
        let known = read.iter().map(|(start, (_, counts))| (*start, counts.clone()));
        Sparks::new(wall, &held.aligned, &known.collect())
    }

    /// The longer the span, the longer it looks the same.
    pub async fn timelines(&self, parts: &Parts) -> Timelines {
        let mut reports = self.reports.lock().await;
        let known = open(&reports.read).clone();
        let is_old = |range: &Range| {
            let read = known[*range as usize].as_ref();
            read.is_none_or(|(read, _)| read.elapsed() >= kept(*range))
        };
        let old: Vec<Range> = Range::ALL.into_iter().filter(is_old).collect();
        if !old.is_empty() {
            let read = Arc::clone(&parts.history);
            let slot = Arc::clone(&reports.read);
            let read_them = move || {
                old.into_iter().try_for_each(|range| {
                    let query = HistoryQuery {
                        span: Some(range.span()),
                        limit: 0,
                        ..HistoryQuery::default()
                    };
                    let report = Arc::new(read(&query)?);
                    open(&slot)[range as usize] = Some((Instant::now(), report));
                    Ok(())
                })
            };
            reports.reading.read(read_them).await;
        }
        let report = |read: &Option<(Instant, Arc<Report>)>| read.as_ref().map(|(_, report)| Arc::clone(report));
        Timelines::new(open(&reports.read).each_ref().map(report))
    }
}

const fn kept(range: Range) -> Duration {
    Duration::from_secs(match range {
        Range::Day => 5,
        Range::Week => 60,
        Range::Quarter => 300,
    })
}

impl Reading {
    /// Waits for `read`, which keeps what it reads by itself: no longer than a page's patience, and not at all where the last
    /// one is still at work or failed a moment ago.
    async fn read(&mut self, read: impl FnOnce() -> Result<(), String> + Send + 'static) {
        let may_ask = self.failed.is_none_or(|failed| failed.elapsed() >= AGAIN_AFTER);
        if !may_ask || self.is_at_work.swap(true, Ordering::AcqRel) {
            return;
        }
        let at_work = AtWork(Arc::clone(&self.is_at_work));
        let reading = off_loop(move || {
            let _at_work = at_work;
            read()
        });
        let why = match rt::time::timeout(PATIENCE, reading).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(why))) => why,
            Ok(Err(undone)) => undone.to_string(),
            Err(_) => "the disk is slow".to_owned(),
        };
        tracing::warn!(why, "a page shows less of the past");
        self.failed = Some(Instant::now());
    }
}

/// Says that it is over however it ends: also by a panic, or before it has begun.
#[derive(Debug)]
struct AtWork(Arc<AtomicBool>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// Nothing is half done where the lock is held.
fn open<T>(slot: &Slot<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Windows {
    fn forget(&mut self, wall: Wall) {
        let oldest = sparks::starts(wall).next().unwrap_or(i64::MIN);
        let is_kept = |start: &i64, read: &Instant| *start >= oldest && read.elapsed() < WINDOW_KEPT;
        open(&self.read).retain(|start, (read, _)| is_kept(start, read));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    async fn is_over(reading: &Reading) {
        let until = Instant::now() + Duration::from_secs(20);
        while reading.is_at_work.load(Ordering::Acquire) && Instant::now() < until {
            rt::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn what_takes_longer_than_a_page_waits_is_kept_when_it_comes() {
        let mut reading = Reading::default();
        let kept = Arc::new(Slot::new(None));
        let (go, wait) = mpsc::channel::<()>();
        let slot = Arc::clone(&kept);
        let slow = move || {
            let _ = wait.recv();
            *open(&slot) = Some("read");
            Ok(())
        };
        reading.read(slow).await;
        assert_eq!(*open(&kept), None, "the page went out without it");
        drop(go);
        is_over(&reading).await;
        assert_eq!(*open(&kept), Some("read"));
    }

    #[tokio::test]
    async fn a_panic_while_reading_is_a_failure_like_any_other() {
        let mut reading = Reading::default();
        reading.read(|| panic!("a row that nobody expected")).await;
        assert!(reading.failed.is_some());
        // Telling of the panic may take longer than a page waits.
        is_over(&reading).await;
        assert!(!reading.is_at_work.load(Ordering::Acquire), "it can be asked again");
    }
}
