//! Shell: work that waits for the disk or for whoever names users, each on a thread of its own.
//!
//! Not `web::block`: its pool panics where the system has no thread to give (a full pids cgroup, a limit of processes), and
//! whoever asked is hung up on. Here that is an error to answer with. And no idle thread is kept for what is seldom asked.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::{Semaphore, oneshot};

/// At once, of each worker: a slow disk takes no more threads, the others wait.
const THREADS_MAX: usize = 4;
/// Of those that only compute: they have places of their own, so that a disk that hangs keeps nobody from what is in memory.
const COMPUTING_MAX: usize = 2;

thread_local! {
    static PLACES: Arc<Semaphore> = Arc::new(Semaphore::new(THREADS_MAX));
    static COMPUTING: Arc<Semaphore> = Arc::new(Semaphore::new(COMPUTING_MAX));
}

/// Why nothing came of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Undone {
    #[error("this host has no thread to spare: {0}")]
    NoThread(io::Error),
    #[error("the thread has panicked")]
    Panicked,
}

/// Does `work` elsewhere, and waits for it; who no longer waits does not end it.
pub(super) async fn off_loop<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Undone> {
    elsewhere(PLACES.with(Arc::clone), work).await
}

/// The same for what needs neither disk nor system and is only much.
pub(super) async fn computed<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Undone> {
    elsewhere(COMPUTING.with(Arc::clone), work).await
}

async fn elsewhere<T: Send + 'static>(
    places: Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Undone> {
    // Never closed; were it, the work would be done all the same.
    let place = places.acquire_owned().await.ok();
    let (tell, told) = oneshot::channel();
    let thread = thread::Builder::new().name("http-off-loop".into());
    let started = thread.spawn(move || {
        let _place = place;
        let _ = tell.send(work());
    });
    started.map_err(Undone::NoThread)?;
    told.await.map_err(|_| Undone::Panicked)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Barrier, mpsc};

    use super::*;

    #[tokio::test]
    async fn what_it_came_to_is_told_and_so_is_a_panic() {
        assert_eq!(off_loop(|| 7).await.unwrap(), 7);
        let panicked = off_loop(|| panic!("of this test")).await;
        assert!(matches!(panicked, Err::<(), _>(Undone::Panicked)));
    }

    #[tokio::test]
    async fn a_disk_that_hangs_keeps_nobody_from_what_is_in_memory() {
        let (let_go, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let local = tokio::task::LocalSet::new();
        for _ in 0..THREADS_MAX {
            let held = Arc::clone(&held);
            local.spawn_local(off_loop(move || {
                let _ = held.lock().unwrap().recv();
            }));
        }
        assert_eq!(local.run_until(computed(|| 7)).await.unwrap(), 7);
        drop(let_go);
    }

    #[tokio::test]
    async fn a_disk_that_hangs_takes_few_threads() {
        static BEGUN: AtomicUsize = AtomicUsize::new(0);
        let all_there = Arc::new(Barrier::new(THREADS_MAX + 1));
        let (let_go, held) = mpsc::channel::<()>();
        let held = Arc::new(std::sync::Mutex::new(held));
        let local = tokio::task::LocalSet::new();
        let work = |number: usize| {
            let (all_there, held) = (Arc::clone(&all_there), Arc::clone(&held));
            off_loop(move || {
                BEGUN.fetch_add(1, Ordering::SeqCst);
                if number < THREADS_MAX {
                    all_there.wait();
                    let _ = held.lock().unwrap().recv();
                }
            })
        };
        let waiting: Vec<_> = (0..THREADS_MAX + 2)
            .map(|number| local.spawn_local(work(number)))
            .collect();
        local.run_until(tokio::task::yield_now()).await;
        all_there.wait();
        assert_eq!(BEGUN.load(Ordering::SeqCst), THREADS_MAX);
        drop(let_go);
        local
            .run_until(async {
                for one in waiting {
                    one.await.unwrap().unwrap();
                }
            })
            .await;
        assert_eq!(BEGUN.load(Ordering::SeqCst), THREADS_MAX + 2);
    }
}
