//! Connections that have not asked anything yet: a bounded number, in which the oldest makes room.
//!
//! Who is slow (with a handshake or with a first head) has at most until [`NEWCOMERS_MAX`] others have come after it;
//! who is not is through within milliseconds. So clients without end that say nothing keep nobody from an answer.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Half of [`super::server::CONNECTIONS_MAX`]: the rest is for those who ask.
pub const NEWCOMERS_MAX: usize = 256;

/// All newcomers of one listener.
#[derive(Clone, Debug, Default)]
pub struct Newcomers(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    last: u64,
    /// In the order of arrival. A sender that is dropped turns its connection away.
    here: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One connection's place; dropped when it has asked, or is gone.
#[derive(Debug)]
pub struct Newcomer {
    number: u64,
    turned_away: oneshot::Receiver<()>,
    all: Newcomers,
}

impl Newcomers {
    /// A place for one more. When there is none, the oldest is turned away.
    pub fn arrive(&self) -> Newcomer {
        let (keep, turned_away) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.here.insert(number, keep);
        if waiting.here.len() > NEWCOMERS_MAX {
            waiting.here.pop_first();
        }
        Newcomer {
            number,
            turned_away,
            all: self.clone(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newcomer {
    /// Ready when it must go.
    pub fn poll_turned_away(&mut self, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.turned_away).poll(context).map(|_| ())
    }

    /// Waits until it must go.
    pub async fn turned_away(&mut self) {
        let _ = (&mut self.turned_away).await;
    }
}

impl Drop for Newcomer {
    fn drop(&mut self) {
        self.all.waiting().here.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn must_go(newcomer: &mut Newcomer) -> bool {
        newcomer
            .poll_turned_away(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    #[test]
    fn the_oldest_makes_room_and_who_has_asked_takes_none() {
        let all = Newcomers::default();
        let mut first = all.arrive();
        let asked = all.arrive();
        let mut third = all.arrive();
        let others: Vec<_> = (3..NEWCOMERS_MAX).map(|_| all.arrive()).collect();
        assert!(!must_go(&mut first));
        drop(asked);
        let _one_more = all.arrive();
        assert!(!must_go(&mut first), "one has gone");
        let _two_more = all.arrive();
        assert!(must_go(&mut first) && !must_go(&mut third));
        drop((first, others));
        for _ in 0..NEWCOMERS_MAX - 4 {
            drop(all.arrive());
        }
        assert!(!must_go(&mut third), "those who came and asked count for nothing");
    }
}
