//! Who is due. Pure: `now` comes in, names go out; nothing here runs anything.
//!
//! Every check has a regular time and, while a run is open or the last finding was unknown, an earlier
//! one to retry at. Regular times tend to a grid that is shifted by a hash of the check, so that 256
//! tenants with one probe spread over its interval, on every start in the same way. First asks do not
//! wait for the grid (native ones go at once, exec ones as their lane allows), and the way to it leads
//! through shorter gaps: nobody waits for longer than its interval, except for a place in its lane.
//!
//! In a lane whoever has been due longest goes first, and whoever is due goes before whoever retries: a
//! lane that cannot keep up still asks everybody in turn, and broken probes do not crowd out sound ones.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::declaration::{Asks, Lane, Probe};
use crate::words::{CheckId, Instant};

/// The checks that are asked, when each is due, and which are in flight.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    checks: BTreeMap<CheckId, Entry>,
    /// By lane.
    lanes: [Line; 3],
}

/// Who waits in a lane. Kept beside `checks`, so that nobody is looked at before its time.
#[derive(Clone, Debug, Default)]
struct Line {
    /// Those that are not in flight, by when they are next due.
    waiting: BTreeSet<(Instant, CheckId)>,
    in_flight: usize,
    /// It was full when `due` was last asked: nothing here can begin before one of its runs is done.
    full: bool,
}

/// Places by lane: free ones, or taken ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    pub light: usize,
    pub heavy: usize,
    pub native: usize,
}

/// What an answer says about the next ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is settled: the regular time will do.
    No,
    /// A run of so many answers (one at least) is open, and more of them will decide: asked after
    /// `retry_every`, doubled with each further answer, up to `every`.
    RunOpen { heard: u32 },
    /// It could not be asked: asked after `retry_every`, doubled each time in a row, up to `every`. An
    /// answer ends that: patience with what cannot be asked is not taken out on a run that it opens.
    Unknown,
}

/// How many native asks may be in flight: each costs a socket or a short thread, and 256 tenants are
/// asked within one interval all the same.
pub const NATIVE_AT_ONCE: usize = 64;

impl Schedule {
    /// Takes on the checks as they are configured: new ones are due at once, gone ones are forgotten
    /// (also in flight), and those that stay keep their time. Checks that the engine answers itself
    /// are left out.
    pub fn configure(&mut self, checks: &[(CheckId, Arc<Probe>)], now: Instant) {
        let mut before = std::mem::take(self).checks;
        for (check, probe) in checks {
            if !probe.asks.is_scheduled() {
                continue;
            }
            let entry = match before.remove(check) {
                Some(entry) => entry.reconfigured(check, probe, now),
                None => Entry::new(probe, now),
            };
            self.enter(check, &entry);
            self.checks.insert(check.clone(), entry);
        }
    }

    /// Those to ask now, at most as many as are free, marked as in flight; native ones first.
    pub fn due(&mut self, now: Instant, free: Slots) -> Vec<CheckId> {
        let mut due = Vec::new();
        for (slot, free) in [
            (Slot::Native, free.native),
            (Slot::Light, free.light),
            (Slot::Heavy, free.heavy),
        ] {
            let line = &self.lanes[slot as usize].waiting;
            let come = line.iter().take_while(|(next, _)| *next <= now);
            let mut ranked: Vec<(Rank, &CheckId)> = come
                .filter_map(|(_, check)| Some((self.checks.get(check)?.rank(now), check)))
                .collect();
            ranked.sort();
            let begun: Vec<CheckId> = ranked.into_iter().take(free).map(|(_, check)| check.clone()).collect();
            for check in &begun {
                self.change(check, |entry| entry.begin(now));
            }
            self.lanes[slot as usize].full = begun.len() == free;
            due.extend(begun);
        }
        due
    }

    /// Whether it is in flight because its time had come, and for no other reason: nobody asked, nothing was in doubt,
    /// and the host had not slept since it was asked before.
    pub fn is_routine(&self, check: &CheckId) -> bool {
        self.checks.get(check).is_some_and(|entry| entry.routine)
    }

    /// Its run has ended; `again`: whether to ask before its regular time.
    pub fn done(&mut self, now: Instant, check: &CheckId, again: Again) {
        self.change(check, |entry| {
            if let Some(began) = entry.in_flight.take() {
                entry.regular = entry.next_regular(check, began, now);
                entry.retry = entry.next_retry(again).map(|wait| now + wait);
            }
        });
    }

    /// Ask it at once, whatever the schedule says; when it is in flight, once more after that.
    pub fn ask_now(&mut self, check: &CheckId) {
        self.change(check, |entry| entry.at_once = true);
    }

    /// Ask it at once, and forget that it is in flight: what that run answers is of no use.
    pub fn ask_anew(&mut self, check: &CheckId) {
        self.change(check, |entry| {
            entry.in_flight = None;
            entry.at_once = true;
        });
    }

    /// What it looks at has changed: ask it soon, but not before `retry_every` after its last run began. A run in
    /// flight goes on, since who is ended again and again never answers, and is followed by another one.
    pub fn touch(&mut self, now: Instant, check: &CheckId) {
        self.change(check, |entry| {
            let soonest = entry.began.map_or(now, |began| now.max(began + entry.retry_every));
            entry.touched = Some(entry.touched.map_or(soonest, |touched| touched.min(soonest)));
        });
    }

    /// The host was asleep: runs in flight are discarded and due at once, so are native checks, and
    /// retries start their patience afresh. Exec checks that became overdue follow as their lane allows.
    pub fn resume(&mut self, now: Instant) {
        let all: Vec<CheckId> = self.checks.keys().cloned().collect();
        for check in &all {
            self.change(check, |entry| {
                entry.retry = None;
                entry.unknown_wait = None;
                entry.unsettled = true;
                if entry.in_flight.take().is_some() || entry.slot == Slot::Native {
                    entry.regular = now;
                }
            });
        }
    }

    /// When `due` may next have something to say: not before, unless a run ends or somebody asks.
    /// `None`: nothing until then. In the past when something is due already.
    pub fn next_wake(&self) -> Option<Instant> {
        let open = self.lanes.iter().filter(|lane| !lane.full);
        open.filter_map(|lane| Some(lane.waiting.first()?.0)).min()
    }

    /// When a check is next due; `None` while it is in flight or when it is not asked at all.
    pub fn next_due(&self, check: &CheckId) -> Option<Instant> {
        let entry = self.checks.get(check)?;
        entry.in_flight.is_none().then(|| entry.next())
    }

    /// How many are in flight, by lane.
    pub fn in_flight(&self) -> Slots {
        let [light, heavy, native] = [0, 1, 2].map(|slot| self.lanes[slot].in_flight);
        Slots { light, heavy, native }
    }

    /// The only way to change an entry: its lane follows.
    fn change(&mut self, check: &CheckId, change: impl FnOnce(&mut Entry)) {
        let Some(mut entry) = self.checks.remove(check) else {
            return;
        };
        let line = &mut self.lanes[entry.slot as usize];
        let was_in_flight = entry.in_flight.is_some();
        if was_in_flight {
            line.in_flight -= 1;
        } else {
            line.waiting.remove(&(entry.next(), check.clone()));
        }
        change(&mut entry);
        line.full &= !was_in_flight || entry.in_flight.is_some();
        self.enter(check, &entry);
        self.checks.insert(check.clone(), entry);
    }

    fn enter(&mut self, check: &CheckId, entry: &Entry) {
        let line = &mut self.lanes[entry.slot as usize];
        if entry.in_flight.is_some() {
            line.in_flight += 1;
        } else {
            line.waiting.insert((entry.next(), check.clone()));
        }
    }
}

impl Slots {
    /// What is left of these when `taken` are in use; never below zero (limits may shrink).
    pub fn less(self, taken: Slots) -> Slots {
        Slots {
            light: self.light.saturating_sub(taken.light),
            heavy: self.heavy.saturating_sub(taken.heavy),
            native: self.native.saturating_sub(taken.native),
        }
    }
}

/// Asked for by a person, then due by time, then retried; the longest due first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Asked,
    Due(Instant),
    Retry(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Light = 0,
    Heavy = 1,
    Native = 2,
}

#[derive(Clone, Debug)]
struct Entry {
    slot: Slot,
    every: Duration,
    retry_every: Duration,
    regular: Instant,
    retry: Option<Instant>,
    /// How long the last retry waited, while it could not be asked.
    unknown_wait: Option<Duration>,
    at_once: bool,
    /// When it is due because of what it looks at.
    touched: Option<Instant>,
    /// It is new, or the host slept: the next ask is no routine.
    unsettled: bool,
    /// The last run began as a matter of routine.
    routine: bool,
    /// Since when.
    in_flight: Option<Instant>,
    /// When its last run began.
    began: Option<Instant>,
}

impl Entry {
    fn new(probe: &Probe, now: Instant) -> Entry {
        Entry {
            slot: slot_of(&probe.asks),
            every: at_least_a_milli(probe.every),
            retry_every: at_least_a_milli(probe.retry_every),
            regular: now,
            retry: None,
            unknown_wait: None,
            at_once: false,
            touched: None,
            unsettled: true,
            routine: false,
            in_flight: None,
            began: None,
        }
    }

    /// The same check with a probe that may have changed. Only a changed `every` moves its time, and
    /// never further away: whoever shortens an interval wants to see it.
    fn reconfigured(mut self, check: &CheckId, probe: &Probe, now: Instant) -> Entry {
        let fresh = Entry::new(probe, now);
        let moved = fresh.every != self.every;
        self.slot = fresh.slot;
        self.every = fresh.every;
        self.retry_every = fresh.retry_every;
        self.unknown_wait = None;
        if moved && self.in_flight.is_none() {
            self.regular = self.regular.min(self.next_regular(check, now, now));
        }
        self
    }

    fn begin(&mut self, now: Instant) {
        self.in_flight = Some(now);
        self.began = Some(now);
        self.routine = !self.at_once && !self.unsettled && self.retry.is_none() && self.touched.is_none();
        self.at_once = false;
        self.touched = None;
        self.unsettled = false;
        self.retry = None;
    }

    /// Among those whose time has come.
    fn rank(&self, now: Instant) -> Rank {
        match self.retry {
            _ if self.at_once => Rank::Asked,
            _ if self.touched.is_some_and(|touched| touched <= now) => Rank::Due(self.next()),
            Some(retry) if self.regular > now => Rank::Retry(retry),
            _ => Rank::Due(self.regular),
        }
    }

    fn next(&self) -> Instant {
        if self.at_once {
            return Instant::default();
        }
        let early = [self.retry, self.touched].into_iter().flatten();
        early.fold(self.regular, Instant::min)
    }

    /// How long to wait before it is asked again, where that is sooner than its regular time.
    fn next_retry(&mut self, again: Again) -> Option<Duration> {
        let before = self.unknown_wait.take();
        match again {
            Again::No => None,
            Again::RunOpen { heard } => {
                let doubled = 2_u32.saturating_pow(heard.saturating_sub(1));
                Some(self.retry_every.saturating_mul(doubled).min(self.every))
            }
            Again::Unknown => {
                let wait = before.map_or(self.retry_every, |wait| wait * 2).min(self.every);
                self.unknown_wait = Some(wait);
                Some(wait)
            }
        }
    }

    /// Half an interval to a whole one after the run that `began`, on the check's grid if that can be had:
    /// from more than half an interval beside it, it is reached in two equal steps, since a run that was
    /// late must not be followed by the next one right away. What a run took too long for is skipped.
    fn next_regular(&self, check: &CheckId, began: Instant, now: Instant) -> Instant {
        let every = millis(self.every);
        let phase = phase_of(check) % every;
        let past_grid = |millis: u64| (millis % every + every - phase) % every;
        let latest = began.as_millis() + every;
        if latest <= now.as_millis() {
            return Instant::from_millis(now.as_millis() + every - past_grid(now.as_millis()));
        }
        let surplus = past_grid(latest);
        let step = if surplus <= every / 2 { surplus } else { surplus / 2 };
        let next = latest - step;
        Instant::from_millis(if next > now.as_millis() { next } else { latest })
    }
}

fn slot_of(asks: &Asks) -> Slot {
    match asks.lane() {
        Some(Lane::Light) => Slot::Light,
        Some(Lane::Heavy) => Slot::Heavy,
        None => Slot::Native,
    }
}

/// FNV-1a (64 bit) of the check's name, stirred as SplitMix64 does, since names differ in few bits. The
/// same on every host and in every version, unlike a `Hasher`.
fn phase_of(check: &CheckId) -> u64 {
    let name = check.to_string();
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

fn at_least_a_milli(duration: Duration) -> Duration {
    duration.max(Duration::from_millis(1))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests;
