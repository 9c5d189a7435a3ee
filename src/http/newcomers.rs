//! Connections that have not asked anything yet: a bounded number, in which the oldest makes room.
//!
//! Who is slow (with a handshake or with a first head) has at most until as many others as there are places have come after it;
//! who is not is through within milliseconds. And it is the oldest of whoever holds the most places: so clients without
//! end that say nothing keep nobody from an answer, however fast they come, unless they come from everywhere.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// All newcomers of one listener.
#[derive(Clone, Debug)]
pub struct Newcomers(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    /// Places.
    most: usize,
    last: u64,
    /// A sender that is dropped turns its connection away.
    here: BTreeMap<u64, oneshot::Sender<()>>,
    /// The same by where they come from, each in the order of arrival; none is empty.
    by_origin: BTreeMap<IpAddr, BTreeSet<u64>>,
}

/// One connection's place; dropped when it has asked, or is gone.
#[derive(Debug)]
pub struct Newcomer {
    number: u64,
    origin: IpAddr,
    turned_away: oneshot::Receiver<()>,
    all: Newcomers,
}

impl Newcomers {
    /// So many places, one at the least.
    pub fn new(most: usize) -> Newcomers {
        Newcomers(Arc::new(Mutex::new(Waiting {
            most: most.max(1),
            last: 0,
            here: BTreeMap::new(),
            by_origin: BTreeMap::new(),
        })))
    }

    /// A place for one more. When there is none, somebody is turned away.
    pub fn arrive(&self, from: IpAddr) -> Newcomer {
        let (keep, turned_away) = oneshot::channel();
        let origin = origin(from);
        let mut waiting = self.waiting();
        waiting.last += 1;
        let number = waiting.last;
        waiting.here.insert(number, keep);
        waiting.by_origin.entry(origin).or_default().insert(number);
        if waiting.here.len() > waiting.most {
            waiting.make_room();
        }
        Newcomer {
            number,
            origin,
            turned_away,
            all: self.clone(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn make_room(&mut self) {
        let crowd = self.by_origin.iter();
        let crowd = crowd.max_by_key(|(_, numbers)| (numbers.len(), Reverse(numbers.first().copied())));
        let oldest = crowd.and_then(|(origin, numbers)| Some((*origin, *numbers.first()?)));
        if let Some((origin, number)) = oldest {
            self.leave(origin, number);
        }
    }

    fn leave(&mut self, origin: IpAddr, number: u64) {
        self.here.remove(&number);
        if let Some(numbers) = self.by_origin.get_mut(&origin) {
            numbers.remove(&number);
            if numbers.is_empty() {
                self.by_origin.remove(&origin);
            }
        }
    }
}

/// One host has a whole /64 of IPv6 addresses.
fn origin(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() >> 64 << 64).to_be_bytes()),
        v4 => v4,
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
        self.all.waiting().leave(self.origin, self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    const NEWCOMERS_MAX: usize = 256;

    fn must_go(newcomer: &mut Newcomer) -> bool {
        newcomer
            .poll_turned_away(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    fn at(last: u16) -> IpAddr {
        let [high, low] = last.to_be_bytes();
        IpAddr::from([10, 0, high, low])
    }

    #[test]
    fn the_oldest_makes_room_and_who_has_asked_takes_none() {
        let all = Newcomers::new(NEWCOMERS_MAX);
        let arrive = || all.arrive(at(1));
        let mut first = arrive();
        let asked = arrive();
        let mut third = arrive();
        let others: Vec<_> = (3..NEWCOMERS_MAX).map(|_| arrive()).collect();
        assert!(!must_go(&mut first));
        drop(asked);
        let _one_more = arrive();
        assert!(!must_go(&mut first), "one has gone");
        let _two_more = arrive();
        assert!(must_go(&mut first) && !must_go(&mut third));
        drop((first, others));
        for _ in 0..2 * NEWCOMERS_MAX {
            drop(arrive());
        }
        assert!(!must_go(&mut third), "those who came and asked count for nothing");
        drop(third);
        assert_eq!(all.waiting().here.len(), 2);
    }

    #[test]
    fn a_crowd_makes_room_before_anybody_else() {
        let all = Newcomers::new(NEWCOMERS_MAX);
        let mut balancer = all.arrive(at(1));
        let crowd: Vec<_> = (0..10 * NEWCOMERS_MAX).map(|_| all.arrive(at(2))).collect();
        assert!(!must_go(&mut balancer));
        assert_eq!(all.waiting().here.len(), NEWCOMERS_MAX);
        drop(crowd);
        // A crowd from everywhere has no single origin: the oldest goes.
        let _crowd: Vec<_> = (10..10 + NEWCOMERS_MAX as u16)
            .map(|last| all.arrive(at(last)))
            .collect();
        assert!(must_go(&mut balancer));
    }

    #[test]
    fn a_network_of_ipv6_is_one_host_and_a_mapped_address_is_the_one_it_maps() {
        let of = |text: &str| origin(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }
}
