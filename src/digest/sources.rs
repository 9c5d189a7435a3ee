//! Who reports, for whom, and since when they are away: what blindness is judged by.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::aligned::LATE_AFTER_GAP_SECONDS;
use super::gaps::{Gaps, first_missed};
use crate::ingest::delta::Reporter;
use crate::words::{Instant, Now, TenantName, Via, Wall};

/// A producer counts as a tenant's source for this long after its last report for it.
const COUNTS_MILLIS: i64 = 24 * 3600 * 1000;
/// How exactly the store needs to know when a report was the last one.
const REPORTED_STORED_EVERY_MILLIS: i64 = 600_000;
/// Ingest keeps 1 024 producers; as many again may have been retired within a day.
const SOURCES_MAX: usize = 2048;

#[derive(Clone, Debug, Default)]
pub(super) struct Sources(BTreeMap<Reporter, Source>);

/// One producer's name. Times in milliseconds are filing times, see [`super::filing::Filing`].
#[derive(Clone, Debug)]
struct Source {
    /// A name may hold several connections, with different epochs.
    connections: u32,
    /// When the last connection went, by the wall clock: shown, and what its late events are forgiven by.
    away_since: Wall,
    /// From when its absence is counted.
    patience_from: Instant,
    /// When it last connected, went or reported.
    seen: i64,
    /// The tenants it reported for, with when it last did.
    reported: BTreeMap<TenantName, Reported>,
    /// Windows in which it was away.
    gaps: Gaps,
}

#[derive(Clone, Copy, Debug)]
struct Reported {
    last: i64,
    stored: i64,
}

/// A source as the state table keeps it. Times are wall milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct StoredSource {
    connected: bool,
    away_since: Wall,
    tenants: BTreeMap<TenantName, Wall>,
    gaps: Gaps,
}

/// A source that is missed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missed<'a> {
    pub name: &'a str,
    pub since: Wall,
}

/// Whether it is connected as long as it is at work: a hook of a gateway may connect for each event.
fn stands_by_itself(reporter: &Reporter) -> bool {
    matches!(reporter.via(), Via::Link | Via::Log | Via::Plugin)
}

impl Sources {
    pub fn connected(&mut self, now: Now, filed: i64, reporter: &Reporter) {
        let source = self.known_or_new(now, filed, reporter);
        if source.connections == 0 {
            source.gaps.add(source.away_since, now.wall);
        }
        source.connections = source.connections.saturating_add(1);
        source.seen = filed;
    }

    pub fn disconnected(&mut self, now: Now, filed: i64, reporter: &Reporter) {
        let source = self.known_or_new(now, filed, reporter);
        source.connections = source.connections.saturating_sub(1);
        source.seen = filed;
        if source.connections == 0 {
            source.away_since = now.wall;
            source.patience_from = now.at;
        }
    }

    /// It reported for a tenant, in a batch that arrived at `arrival`. `true` when the store should know.
    pub fn reported(&mut self, now: Now, filed: i64, arrival: Wall, reporter: &Reporter, tenant: &TenantName) -> bool {
        let then = Now { wall: arrival, ..now };
        let source = self.known_or_new(then, filed, reporter);
        source.seen = source.seen.max(filed);
        let is_new = !source.reported.contains_key(tenant);
        let reported = source.reported.entry(tenant.clone()).or_insert(Reported {
            last: filed,
            stored: filed,
        });
        reported.last = reported.last.max(filed);
        let behind = reported.last - reported.stored >= REPORTED_STORED_EVERY_MILLIS;
        if behind {
            reported.stored = reported.last;
        }
        is_new || behind
    }

    /// Whether a reporter was away in a window: what it sends for it now is no surprise.
    pub fn was_away(&self, reporter: &Reporter, window: i64) -> bool {
        self.0.get(reporter).is_none_or(|source| {
            let still_away = source.connections == 0 && window >= first_missed(source.away_since);
            still_away || source.gaps.contains(window)
        })
    }

    /// The tenant's sources that are away for longer than `patience`, by name; `counting`: of this way alone.
    pub fn missed<'a>(
        &'a self,
        now: Now,
        filed: i64,
        tenant: &'a TenantName,
        counting: Option<Via>,
        patience: Duration,
    ) -> impl Iterator<Item = Missed<'a>> {
        let of_way = move |reporter: &Reporter| counting.is_none_or(|via| via == reporter.via());
        self.0
            .iter()
            .filter(move |(reporter, _)| of_way(reporter))
            .filter_map(move |(reporter, source)| {
                let reported = source.reported.get(tenant)?;
                let counts = filed.saturating_sub(reported.last) <= COUNTS_MILLIS;
                let is_away = source.connections == 0 && now.at.since(source.patience_from) > patience;
                (counts && is_away).then_some(Missed {
                    name: &reporter.0,
                    since: source.away_since,
                })
            })
    }

    /// Sources that keep a connection of their own would tell if there were something to tell.
    pub fn refresh_standing(&mut self, filed: i64) {
        let standing =
            |(reporter, source): &(&Reporter, &mut Source)| source.connections > 0 && stands_by_itself(reporter);
        for (_, source) in self.0.iter_mut().filter(standing) {
            for reported in source.reported.values_mut() {
                reported.last = reported.last.max(filed);
            }
        }
    }

    /// The tenants of whom such a source stands.
    pub fn standing(&self) -> impl Iterator<Item = (Via, &TenantName)> {
        let standing = self
            .0
            .iter()
            .filter(|(reporter, source)| source.connections > 0 && stands_by_itself(reporter));
        standing.flat_map(|(reporter, source)| source.reported.keys().map(|tenant| (reporter.via(), tenant)))
    }

    /// The machine slept (or this process did): nobody could connect meanwhile.
    pub fn resume(&mut self, now: Now) {
        for source in self.0.values_mut() {
            source.patience_from = now.at;
        }
    }

    /// Forgets who has not reported for a day, and gaps before the window `oldest`. `true` when anybody was forgotten.
    pub fn forget(&mut self, oldest: i64, filed: i64) -> bool {
        let mut changed = false;
        self.0.retain(|_, source| {
            source.gaps.forget_before(oldest);
            let tenants = source.reported.len();
            source
                .reported
                .retain(|_, reported| filed.saturating_sub(reported.last) <= COUNTS_MILLIS);
            changed |= tenants != source.reported.len();
            let keep = source.connections > 0 || filed.saturating_sub(source.seen) <= COUNTS_MILLIS;
            changed |= !keep;
            keep
        });
        changed
    }

    /// As the state table keeps them; `wall_of` turns filing time into wall time.
    pub fn stored(&self, wall_of: impl Fn(i64) -> Wall) -> BTreeMap<Reporter, StoredSource> {
        let stored = |source: &Source| StoredSource {
            connected: source.connections > 0,
            away_since: source.away_since,
            tenants: (source.reported.iter())
                .map(|(tenant, reported)| (tenant.clone(), wall_of(reported.last)))
                .collect(),
            gaps: source.gaps.clone(),
        };
        self.0
            .iter()
            .map(|(name, source)| (name.clone(), stored(source)))
            .collect()
    }

    /// Everybody is away after a restart, with patience from now on. Who was connected has been
    /// away since `alive_until`.
    pub fn restore(
        &mut self,
        now: Now,
        alive_until: Wall,
        stored: BTreeMap<Reporter, StoredSource>,
        filed_of: impl Fn(Wall) -> i64,
    ) {
        let filed_now = filed_of(now.wall);
        for (reporter, stored) in stored.into_iter().take(SOURCES_MAX) {
            let reported = |last: Wall| {
                // A report from the future (the clock was set back) is taken as one of now:
                // a broken clock does not make a blind tenant see.
                let last = filed_of(last).min(filed_now);
                Reported { last, stored: last }
            };
            let mut gaps = stored.gaps;
            gaps.tidy();
            let source = Source {
                connections: 0,
                away_since: if stored.connected {
                    alive_until
                } else {
                    stored.away_since
                },
                patience_from: now.at,
                seen: filed_now,
                reported: stored
                    .tenants
                    .into_iter()
                    .map(|(tenant, last)| (tenant, reported(last)))
                    .collect(),
                gaps,
            };
            self.0.insert(reporter, source);
        }
    }

    fn known_or_new(&mut self, now: Now, filed: i64, reporter: &Reporter) -> &mut Source {
        if self.0.len() >= SOURCES_MAX && !self.0.contains_key(reporter) {
            let idle = self.0.iter().filter(|(_, source)| source.connections == 0);
            if let Some(oldest) = idle.min_by_key(|(_, source)| source.seen).map(|(name, _)| name.clone()) {
                self.0.remove(&oldest);
            }
        }
        self.0.entry(reporter.clone()).or_insert_with(|| {
            // Nobody knew it: it was away for as long as anybody would remember.
            let mut gaps = Gaps::default();
            gaps.add(now.wall.plus_millis(-LATE_AFTER_GAP_SECONDS * 1000), now.wall);
            Source {
                connections: 0,
                away_since: now.wall,
                patience_from: now.at,
                seen: filed,
                reported: BTreeMap::new(),
                gaps,
            }
        })
    }
}
