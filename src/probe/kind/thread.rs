//! Shell: blocking work on threads of its own, given up when it sticks and never doubled.
//!
//! `statvfs` on a dead mount and `fsync` on a dying disk may not return for hours, and nothing can end
//! them. So each gets a thread that is left behind, and while it is stuck the same path is not asked
//! again by the same check: at most one thread a (check, path) is ever lost. tokio's own blocking pool would be used up.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock;
use crate::words::{Cause, Finding, Instant};

/// Work that has not returned yet, by check and path.
#[derive(Debug, Default)]
pub struct Threads {
    outstanding: Mutex<HashMap<Key, Instant>>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// It has not returned yet: asked now, or at an earlier time and still outstanding.
    #[error("does not return (asked {} s ago)", .since.as_secs())]
    Stuck { since: Duration },
    #[error("the thread that asked died")]
    Died,
    #[error("no thread could be started: {0}")]
    NotStarted(#[from] io::Error),
}

impl Lost {
    pub fn cause(&self) -> Cause {
        match self {
            Lost::Stuck { .. } => Cause::Timeout,
            Lost::Died | Lost::NotStarted(_) => Cause::Local,
        }
    }

    pub fn finding(&self, what: &str) -> Finding {
        Finding::unknown(self.cause(), format!("{what}: {self}"))
    }
}

/// Work that was begun.
#[derive(Debug)]
pub struct Begun<T> {
    result: oneshot::Receiver<T>,
    at: Instant,
}

type Key = (String, PathBuf);

impl Threads {
    /// Begins `work` on a thread of its own, unless what `check` began there is still stuck.
    pub fn begin<T: Send + 'static>(
        self: &Arc<Self>,
        check: &str,
        path: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Begun<T>, Lost> {
        let key = (check.to_owned(), path.to_owned());
        let at = clock::instant();
        {
            let mut outstanding = self.lock();
            if let Some(since) = outstanding.get(&key) {
                return Err(Lost::Stuck {
                    since: at.since(*since),
                });
            }
            outstanding.insert(key.clone(), at);
        }
        // Also when `work` panics, and when no thread could be started (the closure is dropped then).
        let done = Done {
            threads: Arc::clone(self),
            key,
        };
        let (send, result) = oneshot::channel();
        std::thread::Builder::new()
            .name(format!("probe {check}"))
            .spawn(move || {
                // In this order, so that a panic takes the path off the list before it tells the waiter.
                let send = send;
                let done = done;
                let returned = work();
                drop(done);
                // Nobody waits any more when it was given up.
                let _ = send.send(returned);
            })?;
        Ok(Begun { result, at })
    }

    #[cfg(test)]
    fn outstanding(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Instant>> {
        self.outstanding.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All results, each as soon as it is there, the late ones given up after `patience` for all together.
pub async fn gather<T>(begun: Vec<Result<Begun<T>, Lost>>, patience: Duration) -> Vec<Result<T, Lost>> {
    let mut over = std::pin::pin!(tokio::time::sleep(patience));
    let mut is_over = false;
    let mut results = Vec::with_capacity(begun.len());
    for one in begun {
        results.push(match one {
            Err(lost) => Err(lost),
            Ok(Begun { mut result, at }) => {
                let returned = if is_over {
                    result
                        .try_recv()
                        .map_err(|error| error == oneshot::error::TryRecvError::Empty)
                } else {
                    tokio::select! {
                        biased;
                        returned = &mut result => returned.map_err(|_| false),
                        () = &mut over => { is_over = true; Err(true) }
                    }
                };
                returned.map_err(|stuck| match stuck {
                    true => Lost::Stuck {
                        since: clock::instant().since(at),
                    },
                    false => Lost::Died,
                })
            }
        });
    }
    results
}

struct Done {
    threads: Arc<Threads>,
    key: Key,
}

impl Drop for Done {
    fn drop(&mut self) {
        self.threads.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    async fn one<T: Send + 'static>(
        threads: &Arc<Threads>,
        check: &str,
        path: &Path,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let begun = vec![threads.begin(check, path, work)];
        gather(begun, patience).await.pop().unwrap()
    }

    #[tokio::test]
    async fn a_stuck_path_is_given_up_once_and_not_asked_again_until_it_returns() {
        let threads = Arc::new(Threads::default());
        let (release, stuck) = mpsc::channel::<()>();
        let path = Path::new("/mnt/dead");
        let hang = move || stuck.recv().is_ok();

        let first = one(&threads, "disk", path, Duration::from_millis(20), hang).await;
        assert!(matches!(first, Err(Lost::Stuck { .. })));
        let second = one(&threads, "disk", path, Duration::from_secs(5), || true).await;
        assert!(
            matches!(second, Err(Lost::Stuck { .. })),
            "no second thread for a stuck path"
        );
        let other = one(&threads, "disk", Path::new("/mnt/fine"), Duration::from_secs(5), || {
            true
        })
        .await;
        assert!(other.unwrap(), "other paths are asked as ever");
        assert_eq!(threads.outstanding(), 1);

        release.send(()).unwrap();
        // The thread takes its name off the list by itself; wait for that, bounded.
        for _ in 0..500 {
            if threads.outstanding() == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let again = one(&threads, "disk", path, Duration::from_secs(5), || true).await;
        assert!(again.unwrap(), "asked again as soon as it returned");
    }

    #[tokio::test]
    async fn one_stuck_path_does_not_cost_the_others_their_answers() {
        let threads = Arc::new(Threads::default());
        let (_release, stuck) = mpsc::channel::<()>();
        let begun = vec![
            threads.begin("disk", Path::new("/dead"), move || stuck.recv().is_ok()),
            threads.begin("disk", Path::new("/fine"), || true),
        ];
        let results = gather(begun, Duration::from_millis(50)).await;
        assert!(matches!(results[0], Err(Lost::Stuck { .. })));
        assert!(matches!(results[1], Ok(true)));
    }

    #[tokio::test]
    async fn a_panic_is_a_lost_answer_and_leaves_nothing_outstanding() {
        let threads = Arc::new(Threads::default());
        let lost = one(&threads, "disk", Path::new("/p"), Duration::from_secs(5), || -> u8 {
            panic!("as a test wants it")
        })
        .await;
        assert!(matches!(lost, Err(Lost::Died)));
        assert_eq!(threads.outstanding(), 0);
    }
}
