//! Shell: how many files this process may open, and what share of them its listeners' clients may hold.
//!
//! Where few may be open (a hard limit of 256, say), clients must take neither from each other nor from what asks and
//! stores: else a crowd on `events.sock` would keep load balancers from `/ready`, whose `accept` fails.

use rustix::process::{Resource, getrlimit};

/// Kept from all clients: what is open at rest (some 45), and what a probe, the store and a reload open for a while.
const RESERVED: u64 = 64;
/// Shares are counted in these.
const PARTS: u64 = 16;

/// A listener with clients; their shares leave two parts of sixteen for what is asked meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    Events,
    Http,
    Control,
    AgentCheck,
}

impl Clients {
    /// How many connections it may hold: `most` where there are files enough.
    pub fn connections_max(self, most: usize) -> usize {
        self.of(getrlimit(Resource::Nofile).current, most)
    }

    /// `None`: there is no limit of files.
    fn of(self, files: Option<u64>, most: usize) -> usize {
        let Some(files) = files else { return most };
        let parts = match self {
            Clients::Events => 8,
            Clients::Http => 4,
            Clients::Control | Clients::AgentCheck => 1,
        };
        let share = files.saturating_sub(RESERVED) * parts / PARTS;
        // One at the least: who asks is gone within milliseconds, the next waits.
        usize::try_from(share).unwrap_or(usize::MAX).clamp(1, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [(Clients, usize); 4] = [
        (Clients::Events, 1024),
        (Clients::Http, 512),
        (Clients::Control, 64),
        (Clients::AgentCheck, 64),
    ];

    fn shares(files: Option<u64>) -> [usize; 4] {
        ALL.map(|(clients, most)| clients.of(files, most))
    }

    #[test]
    fn whoever_may_open_enough_has_all_places_and_who_may_not_shares_them() {
        assert_eq!(shares(None), [1024, 512, 64, 64]);
        assert_eq!(
            shares(Some(4096)),
            [1024, 512, 64, 64],
            "what is asked for at the start"
        );
        assert_eq!(shares(Some(1024)), [480, 240, 60, 60]);
        assert_eq!(shares(Some(256)), [96, 48, 12, 12]);
        assert_eq!(shares(Some(10)), [1, 1, 1, 1]);
    }

    #[test]
    fn some_are_always_left() {
        for files in RESERVED + PARTS..5000 {
            let held: usize = shares(Some(files)).iter().sum();
            assert!(held as u64 + RESERVED <= files, "{files} files, {held} held");
        }
    }
}
