//! The last two hours of webhook failures, five minutes a bar.
//!
//! Closed windows come from the store, those that still take events from the snapshot: the newest bar is of now.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use maud::{Markup, html};

use super::{Page, times};
use crate::digest::view::WindowView;
use crate::words::{Family, TenantName, Wall};

/// Bars: two hours.
pub const WINDOWS: usize = 24;
pub const WINDOW_SECONDS: i64 = 300;
/// Rows of one window that are remembered, those with most failures.
const ROWS_MAX: usize = 1000;

/// Failures of one window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    rows: BTreeMap<(TenantName, Arc<str>, Family), u64>,
    tenants: BTreeMap<TenantName, u64>,
}

/// The windows, oldest first; `None` where nobody was watching.
#[derive(Clone, Debug)]
pub struct Sparks {
    windows: Vec<Option<Arc<Counts>>>,
}

/// Whose failures are drawn.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    Tenant(&'a TenantName),
    Row(&'a TenantName, &'a str, Family),
}

impl Counts {
    pub fn of(window: &WindowView) -> Counts {
        let mut counts = Counts::default();
        for row in &window.rows {
            let of_tenant = counts.tenants.entry(row.tenant.clone()).or_default();
            *of_tenant = of_tenant.saturating_add(row.count);
        }
        for row in window.rows.iter().take(ROWS_MAX) {
            let key = (row.tenant.clone(), Arc::clone(&row.endpoint), row.family);
            counts.rows.insert(key, row.count);
        }
        counts
    }

    fn count(&self, subject: &Subject<'_>) -> u64 {
        let found = match subject {
            Subject::Tenant(tenant) => self.tenants.get(tenant),
            Subject::Row(tenant, endpoint, family) => {
                self.rows.get(&((*tenant).clone(), Arc::from(*endpoint), *family))
            }
        };
        found.copied().unwrap_or(0)
    }
}

impl Sparks {
    /// `held`: the windows of the snapshot; `stored`: what was read of the others.
    pub fn new(
        now: Wall,
        held: &BTreeMap<i64, Arc<WindowView>>,
        stored: &BTreeMap<i64, Option<Arc<Counts>>>,
    ) -> Sparks {
        let windows = starts(now).map(|start| match held.get(&start) {
            Some(window) => Some(Arc::new(Counts::of(window))),
            None => stored.get(&start).cloned().flatten(),
        });
        Sparks {
            windows: windows.collect(),
        }
    }

    /// Nobody was watching.
    pub fn none() -> Sparks {
        Sparks {
            windows: vec![None; WINDOWS],
        }
    }

    /// Rows that failed in these two hours, most failures first.
    pub(super) fn rows(&self, tenant: Option<&TenantName>) -> Vec<((&TenantName, &str, Family), u64)> {
        let mut sums: BTreeMap<(&TenantName, &str, Family), u64> = BTreeMap::new();
        for counts in self.windows.iter().flatten() {
            for ((of, endpoint, family), count) in &counts.rows {
                if tenant.is_none_or(|tenant| tenant == of) {
                    let sum = sums.entry((of, endpoint, *family)).or_default();
                    *sum = sum.saturating_add(*count);
                }
            }
        }
        let mut rows: Vec<_> = sums.into_iter().collect();
        rows.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
        rows
    }

    fn counts(&self, subject: &Subject<'_>) -> Vec<Option<u64>> {
        let count = |window: &Option<Arc<Counts>>| window.as_ref().map(|counts| counts.count(subject));
        self.windows.iter().map(count).collect()
    }
}

/// The starts (Unix seconds) of the windows that are drawn at `now`, oldest first.
pub fn starts(now: Wall) -> impl Iterator<Item = i64> {
    let newest = now.as_secs().div_euclid(WINDOW_SECONDS) * WINDOW_SECONDS;
    (0..WINDOWS as i64).rev().map(move |ago| newest - ago * WINDOW_SECONDS)
}

/// Bars, and what they say in words. Nothing where nothing failed.
pub(super) fn drawn(page: &Page<'_>, subject: &Subject<'_>) -> Markup {
    let counts = page.sparks.counts(subject);
    let most = counts.iter().flatten().copied().max().unwrap_or(0);
    if most == 0 {
        return html! { span.quiet { "none" } };
    }
    let sum: u64 = counts.iter().flatten().fold(0, |sum, count| sum.saturating_add(*count));
    let (bars, base) = paths(&counts, most);
    let text = format!(
        "{} failures in two hours, at most {} in five minutes",
        times::grouped(sum),
        times::grouped(most)
    );
    html! {
        svg.spark role="img" viewBox="0 0 96 20" preserveAspectRatio="none" {
            title { (text) }
            path.base d=(base) {}
            path d=(bars) {}
        }
    }
}

const HEIGHT: u64 = 20;
/// However little failed, it is seen.
const HEIGHT_MIN: u128 = 2;

/// One path of all bars, and one of the line below the windows that somebody watched.
fn paths(counts: &[Option<u64>], most: u64) -> (String, String) {
    let (mut bars, mut base) = (String::new(), String::new());
    let mut watched_until = None;
    for (at, count) in counts.iter().enumerate() {
        let Some(count) = *count else { continue };
        let left = at * 4;
        if watched_until == Some(left) {
            base.push_str("h4");
        } else {
            let _ = write!(base, "M{left} 19.5h4");
        }
        watched_until = Some(left + 4);
        if count > 0 {
            let height = u128::from(count) * u128::from(HEIGHT) / u128::from(most.max(1));
            let _ = write!(bars, "M{} {HEIGHT}v-{}", left + 2, height.max(HEIGHT_MIN));
        }
    }
    (bars, base)
}
