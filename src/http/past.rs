//! Shell: what pages show of the past: read off the loop, and kept so that a reader who looks again costs no disk.
#![expect(clippy::disallowed_methods, reason = "shell: how long ago something was read")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{rt, web};
use tokio::sync::Mutex;

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

#[derive(Debug, Default)]
struct Windows {
    read: BTreeMap<i64, (Instant, Option<Arc<Counts>>)>,
    reading: Reading,
}

#[derive(Debug, Default)]
struct Reports {
    read: [Option<(Instant, Arc<Report>)>; Range::ALL.len()],
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
        let starts = sparks::starts(wall).filter(|start| !held.aligned.contains_key(start));
        let missing: Vec<i64> = starts.filter(|start| !windows.read.contains_key(start)).collect();
        if !missing.is_empty() {
            let read = Arc::clone(&parts.window);
            let windows_of = move || {
                let windows = missing.into_iter().map(|start| {
                    let counts = read(start)?.map(|window| Arc::new(Counts::of(&window)));
                    Ok((start, (Instant::now(), counts)))
                });
                windows.collect::<Result<Vec<_>, String>>()
            };
            if let Some(read) = windows.reading.read(windows_of).await {
                windows.read.extend(read);
            }
        }
        let known = windows.read.iter().map(|(start, (_, counts))| (*start, counts.clone()));
        Sparks::new(wall, &held.aligned, &known.collect())
    }

    /// The longer the span, the longer it looks the same.
    pub async fn timelines(&self, parts: &Parts) -> Timelines {
        let mut reports = self.reports.lock().await;
        let is_old = |range: &Range| {
            let read = reports.read[*range as usize].as_ref();
            read.is_none_or(|(read, _)| read.elapsed() >= kept(*range))
        };
        let old: Vec<Range> = Range::ALL.into_iter().filter(is_old).collect();
        if !old.is_empty() {
            let read = Arc::clone(&parts.history);
            let reports_of = move || {
                let reports = old.into_iter().map(|range| {
                    let query = HistoryQuery {
                        span: Some(range.span()),
                        limit: 0,
                        ..HistoryQuery::default()
                    };
                    Ok((range, Arc::new(read(&query)?)))
                });
                reports.collect::<Result<Vec<_>, String>>()
            };
            for (range, report) in reports.reading.read(reports_of).await.unwrap_or_default() {
                reports.read[range as usize] = Some((Instant::now(), report));
            }
        }
        let report = |read: &Option<(Instant, Arc<Report>)>| read.as_ref().map(|(_, report)| Arc::clone(report));
        Timelines::new(reports.read.each_ref().map(report))
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
    /// `None`: it failed or is too slow; or it was, a moment ago.
    async fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce() -> Result<T, String> + Send + 'static,
    ) -> Option<T> {
        let may_ask = self.failed.is_none_or(|failed| failed.elapsed() >= AGAIN_AFTER);
        if !may_ask || self.is_at_work.swap(true, Ordering::AcqRel) {
            return None;
        }
        let is_at_work = Arc::clone(&self.is_at_work);
        let reading = web::block(move || {
            let read = read();
            is_at_work.store(false, Ordering::Release);
            read
        });
        let why = match rt::time::timeout(PATIENCE, reading).await {
            Ok(Ok(Ok(read))) => return Some(read),
            Ok(Ok(Err(why))) => why,
            // The server stops.
            Ok(Err(_)) => return None,
            Err(_) => "the disk is slow".to_owned(),
        };
        tracing::warn!(why, "a page shows less of the past");
        self.failed = Some(Instant::now());
        None
    }
}

impl Windows {
    fn forget(&mut self, wall: Wall) {
        let oldest = sparks::starts(wall).next().unwrap_or(i64::MIN);
        let is_kept = |start: &i64, read: &Instant| *start >= oldest && read.elapsed() < WINDOW_KEPT;
        self.read.retain(|start, (read, _)| is_kept(start, read));
    }
}
