//! Shell: what pages show of the past: read off the loop, and kept so that a reader who looks again costs no disk.
#![expect(clippy::disallowed_methods, reason = "shell: how long ago something was read")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use actix_web::{rt, web};
use tokio::sync::Mutex;

use super::page::sparks::{self, Counts, Sparks};
use super::site::Parts;
use crate::words::Wall;

/// A closed window changes by late events alone.
const WINDOW_KEPT: Duration = Duration::from_secs(300);
/// After a failure the disk is left alone for so long.
const AGAIN_AFTER: Duration = Duration::from_secs(5);
/// How long a page waits for the disk; then it goes out without the past.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was read, of one listener.
#[derive(Debug, Default)]
pub(super) struct Past {
    windows: Mutex<Windows>,
    /// A read that nobody waits for any more still has its thread: another would only join it.
    is_reading: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Windows {
    read: BTreeMap<i64, (Instant, Option<Arc<Counts>>)>,
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
        let may_ask = windows.failed.is_none_or(|failed| failed.elapsed() >= AGAIN_AFTER);
        if !missing.is_empty() && may_ask && !self.is_reading.swap(true, Ordering::AcqRel) {
            match self.read(parts, missing).await {
                Some(read) => windows.read.extend(read),
                None => windows.failed = Some(Instant::now()),
            }
        }
        let known = windows.read.iter().map(|(start, (_, counts))| (*start, counts.clone()));
        Sparks::new(wall, &held.aligned, &known.collect())
    }

    async fn read(&self, parts: &Parts, starts: Vec<i64>) -> Option<Vec<(i64, (Instant, Option<Arc<Counts>>))>> {
        let (read, is_reading) = (Arc::clone(&parts.window), Arc::clone(&self.is_reading));
        let reading = web::block(move || {
            let windows = starts.into_iter().map(|start| {
                let window = read(start)?;
                let counts = window.map(|window| Arc::new(Counts::of(&window)));
                Ok((start, (Instant::now(), counts)))
            });
            let windows: Result<Vec<_>, String> = windows.collect();
            is_reading.store(false, Ordering::Release);
            windows
        });
        match rt::time::timeout(PATIENCE, reading).await {
            Ok(Ok(Ok(windows))) => Some(windows),
            Ok(Ok(Err(why))) => {
                tracing::warn!(why, "a page shows no earlier webhook failures");
                None
            }
            // Too slow, or the server stops.
            _ => None,
        }
    }
}

impl Windows {
    fn forget(&mut self, wall: Wall) {
        let oldest = sparks::starts(wall).next().unwrap_or(i64::MIN);
        let is_kept = |start: &i64, read: &Instant| *start >= oldest && read.elapsed() < WINDOW_KEPT;
        self.read.retain(|start, (read, _)| is_kept(start, read));
    }
}
