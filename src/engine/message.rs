//! What goes into the engine and what comes out of it.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::digest::Counts;
use crate::digest::view::WindowView;
use crate::ingest::delta::Reporter;
use crate::link::session::LinkFacts;
use crate::probe::declaration::{Order, RunId, StateDir};
use crate::readiness::snapshot::Snapshot;
use crate::store::{Persist, StoreEvent};
use crate::words::{CheckId, Cost, Finding, ProbeName, TenantName, Wall};

/// All that can wake the program.
#[derive(Debug)]
pub enum Input {
    /// At least once a second.
    Tick,
    /// Somebody waits to see what was counted: it is published soon, and not within a second.
    Show,
    /// A run has ended (or could not begin).
    Finding {
        run: RunId,
        check: CheckId,
        finding: Finding,
        cost: Cost,
    },
    Store(StoreEvent),
    /// A tenant's link heard or learned something.
    Link {
        tenant: TenantName,
        news: LinkNews,
    },
    /// A source within this process stands or does not: a log file that can be read.
    Source {
        tenant: TenantName,
        reporter: Reporter,
        stands: bool,
    },
    /// Files that these probes read of a tenant are others than before: they are asked soon, each at most every
    /// `retry_every`, however often that happens. Those that do not exist are left out.
    Touched {
        tenant: TenantName,
        probes: Vec<ProbeName>,
    },
    /// A producer's connection opened or closed.
    Reporter {
        reporter: Reporter,
        connected: bool,
    },
    /// Another node's digest, or why it could not be had. `source`: who was asked, as configured; what an
    /// earlier configuration asked for is not taken for the present one's.
    Remote {
        source: String,
        answer: Result<Remote, String>,
    },
    /// Somebody at the control socket wants something done; answered by [`Output::Reply`].
    Command {
        id: u64,
        actor: String,
        command: Command,
    },
    /// A valid configuration was read. `state_dirs`: as [`crate::probe::target::state_dirs`] found them.
    /// `whole`: all files were read again, not changed fragments alone, which say nothing of a file that was refused.
    Config {
        config: Arc<Config>,
        state_dirs: Vec<StateDir>,
        whole: bool,
    },
    /// A configuration was read and refused; the old one stays.
    ConfigRefused(String),
    /// All that is wrong with the bearer and the certificate of `listen` now.
    ListenTroubles(Vec<String>),
    /// SIGTERM: answer `draining` from now on, and ask nobody any more.
    Shutdown,
}

#[derive(Debug)]
pub enum Output {
    Run(Order),
    /// Its answer is no longer wanted.
    Cancel(RunId),
    Persist(Persist),
    Publish {
        snapshot: Arc<Snapshot>,
        /// Webhook totals since the start of the process.
        counts: Arc<Counts>,
    },
    Reply {
        id: u64,
        reply: Result<Done, Refused>,
    },
}

/// What comes from a link.
#[derive(Clone, Debug, PartialEq)]
pub enum LinkNews {
    Finding(Finding),
    Facts(Box<LinkFacts>),
    /// Events may be missing from `since` (`None`: it cannot be told) until now.
    Gap {
        why: &'static str,
        since: Option<Wall>,
    },
    /// The link is given up: the tenant has none any more, or another one begins.
    Ended,
}

/// Another node's sliding window as it was answered.
#[derive(Clone, Debug)]
pub struct Remote {
    pub node: Arc<str>,
    pub age_sec: u64,
    pub window: WindowView,
}

/// What an operator can ask of the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    MaintenanceStart {
        tenant: TenantName,
        duration: Duration,
        reason: String,
        ticket: Option<String>,
    },
    MaintenanceEnd {
        tenant: TenantName,
    },
    /// `None`: the node.
    Drain {
        tenant: Option<TenantName>,
        reason: String,
    },
    Undrain {
        tenant: Option<TenantName>,
    },
    /// Ask now, whatever the schedule says; `None`: every check.
    Ask {
        check: Option<CheckId>,
    },
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub message: String,
    /// `false`: in force, and lost if the process dies before the store commits again.
    pub durable: bool,
}

/// Why nothing was done, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    UnknownTenant(TenantName),
    UnknownCheck(CheckId),
    Invalid(String),
}
