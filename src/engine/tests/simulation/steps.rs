//! What may happen, as data: a history is a list of it, and means the same when a part is left out.

use std::fmt;
use std::time::Duration;

use super::configs;
use crate::dice::Dice;
use crate::words::{Cause, Code, Finding, Kind, Via};

/// Checks that answer from outside. Not all of them are configured at all times.
pub const CHECKS: [&str; 8] = [
    "gateway@acme",
    "gateway@beta",
    "gateway@gamma",
    "doctor@acme",
    "doctor@beta",
    "config@acme",
    "disk",
    "write",
];
/// The first three are configured now and then.
pub const TENANTS: [&str; 7] = ["acme", "beta", "gamma", "stray-1", "stray-2", "stray-3", "stray-4"];
pub const ENDPOINTS: [&str; 3] = ["crm", "hooks", "__other__"];
pub const CODES: [Code; 5] = [
    Code::Status(503),
    Code::Status(404),
    Code::Status(200),
    Code::Status(302),
    Code::Kind(Kind::Timeout),
];
/// Seconds from the event to its arrival; below zero its sender's clock is ahead.
const AGES: [i64; 11] = [0, 0, 0, 1, 100, 299, 301, 700, 1100, 4000, -25];
pub const FLOOD: u64 = 530;

/// What a check finds from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    Ok,
    Degraded,
    Down,
    DownAtOnce,
    Unknown,
    /// Could not be asked, and was seen to live.
    Alive,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Of [`TENANTS`], [`ENDPOINTS`], [`CODES`].
    pub tenant: usize,
    pub endpoint: usize,
    pub code: usize,
    pub count: u64,
    pub age_secs: i64,
    pub via: Via,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Says {
        check: usize,
        says: Says,
    },
    /// Its answers take so long from now on.
    Takes {
        check: usize,
        millis: u64,
    },
    Delivers(Delivery),
    /// More endpoints at once than are kept apart.
    Floods {
        tenant: usize,
    },
    Reporter {
        connected: bool,
    },
    LinkFinding(Says),
    LinkStands(bool),
    LinkGap,
    LinkEnds,
    /// Nobody calls the engine for so long; up to ten seconds that is a busy host.
    Lags {
        millis: u64,
    },
    Sleeps {
        secs: u64,
    },
    WallSteps {
        secs: i64,
    },
    /// Killed, and begun again so long after.
    Restarts {
        after_millis: u64,
    },
    Reboots {
        after_secs: u64,
    },
    StoreFails,
    StoreHangs,
    StoreRecovers,
    BeginsAnew,
    Reloads {
        config: usize,
    },
    Maintenance {
        tenant: usize,
        secs: u64,
    },
    MaintenanceEnds {
        tenant: usize,
    },
    /// `None`: the node.
    Drains {
        tenant: Option<usize>,
    },
    Undrains {
        tenant: Option<usize>,
    },
    Asks,
    Touches {
        check: usize,
    },
    Nothing,
}

/// One step, and how long life goes on after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    pub step: Step,
    pub then: Duration,
}

/// The configuration at first, and all that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    pub config: usize,
    pub moments: Vec<Moment>,
}

impl History {
    pub fn of(seed: u64, steps: usize) -> History {
        let mut dice = Dice::new(seed);
        let config = dice.index(configs::CONFIGS);
        let moment = |dice: &mut Dice| Moment {
            step: step(dice),
            then: Duration::from_millis([0, 20, 100, 250, 600, 1500][dice.index(6)]),
        };
        History {
            config,
            moments: (0..steps).map(|_| moment(&mut dice)).collect(),
        }
    }
}

fn step(dice: &mut Dice) -> Step {
    let check = dice.index(CHECKS.len());
    let tenant = dice.index(3);
    let some_tenant = if dice.one_in(2) { Some(tenant) } else { None };
    match dice.below(64) {
        0..=15 => Step::Says {
            check,
            says: says(dice),
        },
        16..=17 => Step::Takes {
            check,
            millis: [10, 10, 1500, 9000, 30_000][dice.index(5)],
        },
        18..=25 => Step::Delivers(delivery(dice)),
        26 if dice.one_in(6) => Step::Floods { tenant },
        26..=27 => Step::Reporter {
            connected: dice.one_in(2),
        },
        28..=29 => Step::LinkFinding(says(dice)),
        30 => Step::LinkStands(dice.one_in(2)),
        31 => match dice.one_in(2) {
            true => Step::LinkGap,
            false => Step::LinkEnds,
        },
        32..=37 => Step::Lags {
            millis: 500 + dice.below(9400),
        },
        38..=39 => Step::Sleeps {
            secs: [11, 60, 600, 7200, 90_000][dice.index(5)],
        },
        40..=41 => Step::WallSteps {
            secs: [-10_800, -600, -20, -1, 1, 20, 600, 10_800][dice.index(8)],
        },
        42..=44 => Step::Restarts {
            after_millis: [0, 0, 50, 3000, 40_000][dice.index(5)],
        },
        45 => Step::Reboots {
            after_secs: 5 + dice.below(300),
        },
        46..=47 => Step::StoreFails,
        48 => Step::StoreHangs,
        49..=51 => Step::StoreRecovers,
        52 if dice.one_in(3) => Step::BeginsAnew,
        52..=53 => Step::Reloads {
            config: dice.index(configs::CONFIGS),
        },
        54..=55 => Step::Maintenance {
            tenant,
            secs: [1, 5, 60, 7200][dice.index(4)],
        },
        56 => Step::MaintenanceEnds { tenant },
        57 => Step::Drains { tenant: some_tenant },
        58..=59 => Step::Undrains { tenant: some_tenant },
        60 => Step::Asks,
        61 => Step::Touches { check },
        _ => Step::Nothing,
    }
}

fn says(dice: &mut Dice) -> Says {
    use Says::{Alive, Degraded, Down, DownAtOnce, Ok, Unknown};
    [Ok, Ok, Degraded, Down, Down, DownAtOnce, Unknown, Alive][dice.index(8)]
}

fn delivery(dice: &mut Dice) -> Delivery {
    let tenants = if dice.one_in(4) { TENANTS.len() } else { 2 };
    Delivery {
        tenant: dice.index(tenants),
        endpoint: dice.index(ENDPOINTS.len()),
        code: dice.index(CODES.len()),
        count: 1 + dice.below(40),
        age_secs: AGES[dice.index(AGES.len())],
        via: [
            Via::Socket,
            Via::Socket,
            Via::Socket,
            Via::Link,
            Via::Log,
            Via::Operator,
        ][dice.index(6)],
    }
}

impl Says {
    pub fn finding(self) -> Finding {
        match self {
            Says::Ok => Finding::ok("fine"),
            Says::Degraded => Finding::degraded("slow"),
            Says::Down => Finding::down("refused"),
            Says::DownAtOnce => Finding::down("wedged").at_once(),
            Says::Unknown => Finding::unknown(Cause::Timeout, "no answer"),
            Says::Alive => Finding::unknown(Cause::Misconfigured, "not our token").but_alive(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |tenant: &Option<usize>| tenant.map_or("the node", |tenant| TENANTS[tenant]);
        match self {
            Step::Says { check, says } => write!(f, "{} says {says:?} from now on", CHECKS[*check]),
            Step::Takes { check, millis } => write!(f, "{} takes {millis} ms from now on", CHECKS[*check]),
            Step::Delivers(delivery) => write!(f, "{delivery}"),
            Step::Floods { tenant } => write!(f, "{FLOOD} endpoints of {} fail once each", TENANTS[*tenant]),
            Step::Reporter { connected: true } => f.write_str("gw-1 connects"),
            Step::Reporter { connected: false } => f.write_str("gw-1 disconnects"),
            Step::LinkFinding(says) => write!(f, "acme's link finds {says:?}"),
            Step::LinkStands(true) => f.write_str("acme's link stands"),
            Step::LinkStands(false) => f.write_str("acme's link breaks"),
            Step::LinkGap => f.write_str("acme's link may have missed events"),
            Step::LinkEnds => f.write_str("acme's link is given up"),
            Step::Lags { millis } => write!(f, "nobody calls for {millis} ms"),
            Step::Sleeps { secs } => write!(f, "the host sleeps for {secs} s"),
            Step::WallSteps { secs } => write!(f, "the wall clock steps by {secs} s"),
            Step::Restarts { after_millis } => write!(f, "killed, and begun again after {after_millis} ms"),
            Step::Reboots { after_secs } => write!(f, "the host reboots, for {after_secs} s"),
            Step::StoreFails => f.write_str("commits fail"),
            Step::StoreHangs => f.write_str("commits hang"),
            Step::StoreRecovers => f.write_str("commits succeed again"),
            Step::BeginsAnew => f.write_str("the database is deleted"),
            Step::Reloads { config } => write!(f, "reload: {}", configs::described(*config)),
            Step::Maintenance { tenant, secs } => write!(f, "maintenance of {} for {secs} s", TENANTS[*tenant]),
            Step::MaintenanceEnds { tenant } => write!(f, "maintenance of {} ends", TENANTS[*tenant]),
            Step::Drains { tenant } => write!(f, "drain {}", place(tenant)),
            Step::Undrains { tenant } => write!(f, "undrain {}", place(tenant)),
            Step::Asks => f.write_str("everything is asked"),
            Step::Touches { check } => write!(f, "files of {} change", CHECKS[*check]),
            Step::Nothing => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenant, endpoint, code) = (TENANTS[self.tenant], ENDPOINTS[self.endpoint], CODES[self.code]);
        let (count, age, via) = (self.count, self.age_secs, self.via);
        write!(f, "{count} × {tenant} {endpoint} {code}, {age} s old, by {via}")
    }
}
