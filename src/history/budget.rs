//! How much of the time a tenant may be down, and how much of that is used up. It is shown, and changes no verdict:
//! whoever missed a target last week serves today all the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::figures::{lasted, ratio};
use super::timeline::Timeline;
use super::{Status, figures};
use crate::words::{TenantName, Wall};

/// As long as changes are kept.
pub const SLO_WINDOW_MAX: Duration = super::SPAN_MAX;
/// A short and a long look back, as in the SRE workbook's alerts on burn rates.
pub const BURN_SPANS: [(&str, Duration); 2] =
    [("1h", Duration::from_secs(3600)), ("6h", Duration::from_secs(6 * 3600))];

/// What a tenant promises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slo {
    /// Share of judged time that it is to be up: more than 0, less than 1.
    pub target: f64,
    /// Over the time until now; at most [`SLO_WINDOW_MAX`].
    pub window: Duration,
}

/// Who promises what; who is not here promises nothing.
pub type Slos = BTreeMap<TenantName, Slo>;

/// One tenant's budget as of now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    pub target: f64,
    pub window: Duration,
    /// (1 − target) × window, in milliseconds.
    pub allowed_millis: i64,
    /// `down` in the window.
    pub used_millis: i64,
    pub burn: [Burn; BURN_SPANS.len()],
}

/// How fast it is used: 1 uses all of it in just the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burn {
    pub over: &'static str,
    /// Share of judged time that was down, ÷ (1 − target); `None`: never judged.
    pub rate: Option<f64>,
}

/// How far back the budgets look.
pub fn reach(slos: &Slos) -> Option<Duration> {
    let windows = slos.values().map(|slo| slo.window);
    // The longest look at burn rates may be longer.
    windows
        .chain(BURN_SPANS.map(|(_, span)| span))
        .max()
        .filter(|_| !slos.is_empty())
}

impl Budget {
    pub(super) fn of(slo: Slo, timeline: &Timeline, now: Wall) -> Budget {
        let back = |span: Duration| now.plus_millis(-i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        let window = lasted(&timeline.within(back(slo.window), now));
        #[expect(clippy::cast_precision_loss, reason = "90 days of milliseconds are below 2^53")]
        let allowed = (1.0 - slo.target) * slo.window.as_millis() as f64;
        #[expect(clippy::cast_possible_truncation, reason = "a share of 90 days of milliseconds")]
        let allowed_millis = allowed.round() as i64;
        Budget {
            target: slo.target,
            window: slo.window,
            allowed_millis,
            used_millis: window.millis(Status::Down),
            burn: BURN_SPANS.map(|(over, span)| {
                let uptime = figures::uptime(&lasted(&timeline.within(back(span), now)));
                Burn {
                    over,
                    rate: uptime.map(|uptime| (1.0 - uptime) / (1.0 - slo.target)),
                }
            }),
        }
    }

    /// Share of the budget that is left: 1 all, 0 none, below 0 overdrawn.
    pub fn remaining(&self) -> f64 {
        match self.allowed_millis {
            ..=0 => 0.0,
            allowed => 1.0 - ratio(self.used_millis, allowed),
        }
    }
}
