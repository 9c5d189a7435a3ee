//! What can be said on the command line. The help texts here are the reference: completions and manual
//! pages are made from them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::values;
use crate::install::layout::{Prefix, Supervisor};

/// One honest health answer for hosts that run OpenClaw gateways.
#[derive(Debug, Parser)]
#[command(name = "readyd", version, about, arg_required_else_help = true, max_term_width = 100)]
pub struct Arguments {
    #[command(flatten)]
    pub place: Place,
    /// Print JSON, for machines to read
    #[arg(long, global = true)]
    pub json: bool,
    /// When to colour what is printed
    #[arg(
        long = "color",
        alias = "colour",
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value_t
    )]
    pub colour: Colour,
    #[command(subcommand)]
    pub command: Command,
}

/// Where the configuration and the running daemon are.
#[derive(Clone, Debug, Default, Args)]
pub struct Place {
    /// Configuration file [default: $READYD_CONFIG, ./readyd.yaml, the XDG place, /etc/readyd/readyd.yaml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Control socket of the running daemon [default: by the configuration, /run/readyd, the XDG place]
    #[arg(long, global = true, value_name = "SOCKET")]
    pub socket: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch this host and serve the answer
    Serve(Serve),
    /// Ask everything once, in this process, and say the verdict with the exit code (0/1/2/3)
    ///
    /// Left out is what only a running daemon knows: webhook failures (probe webhook-digest), its own store
    /// (store) and its standing links to the gateways (gateway-link). `--daemon` takes the running daemon's
    /// answer, which has them.
    Check(Check),
    /// Show what the running daemon says: verdict, reasons, checks
    Status(Status),
    /// Show why it is so: the last change of the verdict, and what made it
    Why(Why),
    /// Show webhook failures by endpoint and family
    Digest(Digest),
    /// Report webhook deliveries, one by flags or many as NDJSON on standard input
    Emit(Emit),
    /// Explain one check: evidence, history, cause, what to do
    Explain(Explain),
    /// Show uptime, outages and changes of the node and its tenants over a time
    History(History),
    /// Walk a tenant's layers in the order of triage, and say where to look first (exit code as `check`)
    ///
    /// Directory drift, version skew, probes, tokens, then everything else, as the running daemon sees them. The
    /// exit code is 0 when nothing is wrong, 1 when something is degraded, 2 when something counts as down, and 3
    /// when something is merely not known, when no daemon answers, or for a usage error.
    Triage(Triage),
    /// Show what the verdict would be without some checks
    Simulate(Simulate),
    /// List, show or run probes
    #[command(subcommand)]
    Probe(Probe),
    /// Put a tenant into maintenance, end it, or list what is in force
    #[command(subcommand)]
    Maintenance(Maintenance),
    /// Take this node (or one tenant) out of rotation
    Drain(Drain),
    /// Put this node (or one tenant) back into rotation
    Undrain(Undrain),
    /// Read the configuration and the tenants' fragments anew
    Reload,
    /// Check, show or explain the configuration
    #[command(subcommand)]
    Config(Config),
    /// Compare what runs with openclaw.lock, or make one
    #[command(subcommand)]
    Lock(Lock),
    /// Write a redacted snapshot of everything readyd knows, for a ticket
    Bundle(Bundle),
    /// Record the skills of a tenant as they are, or compare them with what was recorded
    #[command(subcommand)]
    Skills(Skills),
    /// Run a daemon in a temporary directory, with a day of webhook trouble
    Demo(Demo),
    /// Put readyd on this host: program, unit, configuration, manual pages, after showing what would change
    ///
    /// Only what readyd wrote itself, and nobody changed since, is ever replaced. A second run changes nothing. Exits with 0; 1 when
    /// it failed or was refused; 64 when nobody could be asked (say --yes).
    Install(Install),
    /// Take back what `readyd install` wrote; configuration and state stay
    Uninstall(Uninstall),
    /// Print completions for a shell
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write one per command into a directory
    Man {
        #[arg(value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Log to this file instead of standard error; one that was renamed or removed is made anew at the next line
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// Where a terminal reads it, and the environment does not say otherwise
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
    /// One line with performance data, as a Nagios plugin
    Nagios,
}

#[derive(Debug, Args)]
pub struct Check {
    /// Only this tenant's checks (and the node's)
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Only this probe
    #[arg(long, value_name = "PROBE")]
    pub probe: Option<String>,
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// The same as --format json
    #[arg(long)]
    pub json: bool,
    /// Take the answer of the running daemon instead of asking anew
    #[arg(long)]
    pub daemon: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    /// Only this tenant
    #[arg(value_name = "TENANT", conflicts_with = "of")]
    pub tenant: Option<String>,
    /// The same
    #[arg(id = "of", long = "tenant", value_name = "TENANT")]
    pub of: Option<String>,
    /// Show every check, not only those that are not ok
    #[arg(long, short)]
    pub all: bool,
    /// Stay, and redraw as things change
    #[arg(long, short)]
    pub watch: bool,
}

impl Status {
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref().or(self.of.as_deref())
    }
}

#[derive(Debug, Args)]
pub struct Why {
    /// Why this tenant is what it is
    #[arg(value_name = "TENANT")]
    pub tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct Digest {
    /// sliding, last, or the start of an aligned window such as 2026-11-20T07:25:00Z
    #[arg(long, default_value = "sliding", value_name = "WINDOW", value_parser = values::window)]
    pub window: String,
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Rows at most
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub limit: u16,
    /// Stay, and redraw as things change
    #[arg(long, short)]
    pub watch: bool,
}

#[derive(Debug, Args)]
pub struct Emit {
    /// Tenant of one event; without it NDJSON is read from standard input
    #[arg(long, value_name = "TENANT", requires = "endpoint")]
    pub tenant: Option<String>,
    /// An id or a URL (its user info, query and fragment are not kept)
    #[arg(long, value_name = "ENDPOINT", requires = "tenant")]
    pub endpoint: Option<String>,
    /// HTTP status of the delivery
    #[arg(long, conflicts_with = "kind", value_parser = clap::value_parser!(u16).range(100..=599))]
    pub status: Option<u16>,
    /// Why there was no HTTP status
    #[arg(long, value_parser = ["timeout", "connect", "tls", "dns", "blocked", "other"])]
    pub kind: Option<String>,
    /// Error text, one line; secrets in it are redacted
    #[arg(long)]
    pub error: Option<String>,
    #[arg(long)]
    pub attempt: Option<u32>,
    #[arg(long, value_name = "ID")]
    pub request_id: Option<String>,
    #[arg(long, value_name = "ID")]
    pub task_id: Option<String>,
    /// Send the event this many times
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub count: u32,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// A check such as `disk` or `doctor@acme`
    #[arg(value_name = "CHECK[@TENANT]")]
    pub check: String,
}

#[derive(Debug, Args)]
pub struct History {
    /// This tenant and its checks
    #[arg(value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Only this check
    #[arg(long, value_name = "CHECK")]
    pub check: Option<String>,
    /// How far back, at most 90d
    #[arg(long, default_value = "24h", value_name = "DURATION", value_parser = values::span)]
    pub span: String,
}

#[derive(Debug, Args)]
pub struct Triage {
    pub tenant: String,
}

#[derive(Debug, Args)]
pub struct Simulate {
    /// A check that would not exist; may be repeated
    #[arg(long, value_name = "CHECK[@TENANT]", required = true)]
    pub without: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Probe {
    /// List the probes of this configuration
    List,
    /// Show one probe with every default filled in
    Show { probe: String },
    /// Ask one check once, in this process, and show all it found
    ///
    /// The checks of webhook-digest, store and gateway-link are not asked: only the running daemon knows them
    /// (`readyd explain`).
    Run {
        /// A check such as `disk` or `doctor@acme`
        #[arg(value_name = "CHECK[@TENANT]")]
        check: String,
    },
}

#[derive(Debug, Subcommand)]
pub enum Maintenance {
    /// From now on the tenant's findings count nothing; it stays in rotation
    Start {
        tenant: String,
        /// For how long, such as 30m or 2h
        #[arg(long = "for", value_name = "DURATION", value_parser = values::duration)]
        duration: String,
        #[arg(long, value_parser = values::reason)]
        reason: String,
        #[arg(long)]
        ticket: Option<String>,
    },
    /// End it before its time
    End { tenant: String },
    /// List what is in force
    List,
}

#[derive(Debug, Args)]
pub struct Drain {
    /// One tenant; without it the whole node
    pub tenant: Option<String>,
    #[arg(long, value_parser = values::reason)]
    pub reason: String,
}

#[derive(Debug, Args)]
pub struct Undrain {
    /// One tenant; without it the whole node
    pub tenant: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say what is wrong with the configuration, and how long each check takes to notice
    Check,
    /// Print the configuration in force, every default filled in
    Show,
    /// Name the file and line that set a value of a tenant
    Explain {
        tenant: String,
        /// Such as endpoints.crm.budget
        key: String,
    },
    /// Print the hash of tenants' fragments: equal on two nodes, the same fragments
    Hash {
        /// Only this tenant
        tenant: Option<String>,
    },
    /// Put a directory of fragments in force as a tenant's, at once; a running daemon notices by itself
    ///
    /// Fragments that do not merge are refused, and nothing is changed. TENANT.next in the tenants directory is moved
    /// into its place; any other directory is copied to TENANT.next first and stays. What was in force becomes
    /// TENANT.prev; an older TENANT.prev is removed (of a link, the link alone).
    Promote {
        /// Holds gateway.d, doctor.d or webhook.d
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// Whose fragments they are [default: the directory's name, without .next and its like]
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
    },
    /// Exchange a tenant's directory with TENANT.prev, at once; once more undoes it
    Rollback { tenant: String },
    /// Print a JSON Schema for editors
    Schema {
        /// Of a file in probes.d, instead of the config file
        #[arg(long)]
        probe: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Lock {
    /// Compare the CLI, the running gateways and files with openclaw.lock (exit 0/1/3: match, mismatch, cannot tell)
    ///
    /// Needs no daemon. A gateway that does not run is no mismatch: it may be started after this.
    Check(LockCheck),
    /// Write openclaw.lock from what runs
    ///
    /// Pins the CLI's version and build, and the version that all running gateways share.
    Write(LockWrite),
}

#[derive(Debug, Args)]
pub struct LockCheck {
    /// Only this tenant's gateway (and the host's CLI and files)
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
}

#[derive(Debug, Args)]
pub struct LockWrite {
    /// Where to write it; `-` for standard output [default: where the probe version-lock looks first]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace a lock that is there
    #[arg(long)]
    pub force: bool,
    /// Pin the SHA-256 of this file as well; may be repeated
    #[arg(long, value_name = "FILE")]
    pub checksum: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Bundle {
    /// Where to write it; `-` for standard output [default: readyd-bundle-NODE-TIME.json]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Skills {
    /// Record the skills as they are now, in readyd's state directory, and print what changed since the last time
    ///
    /// Look at what changed before you record it: from then on the probe `security` takes it for what you want. Nothing is
    /// recorded of a tenant whose skills cannot all be read. Exits with 0, or 1 when a tenant's were not recorded.
    Baseline {
        #[arg(value_name = "TENANT", required_unless_present = "all", conflicts_with = "all")]
        tenant: Option<String>,
        /// Every tenant of this node
        #[arg(long)]
        all: bool,
    },
    /// Compare the skills with what was recorded, and say it with the exit code (0/1/2/3)
    ///
    /// 0: as recorded (what is gone, and what changes by itself, is shown and does not count). 1: there is a new or changed
    /// skill. 2: nothing was recorded. 3: it could not be told. Of several tenants 1 comes before 3, and 3 before 2.
    Check {
        /// One tenant; without it every tenant of this node
        #[arg(value_name = "TENANT")]
        tenant: Option<String>,
    },
}

#[derive(Debug, Args)]
pub struct Install {
    #[command(flatten)]
    pub target: Target,
}

#[derive(Debug, Args)]
pub struct Uninstall {
    #[command(flatten)]
    pub target: Target,
    /// Remove the configuration file and readyd's state as well
    #[arg(long)]
    pub purge: bool,
}

/// Which host, and how it is asked for.
#[derive(Debug, Args)]
pub struct Target {
    /// Where programs and pages go: DIR/bin, DIR/share
    #[arg(long, value_name = "DIR", default_value = "/usr/local", value_parser = Prefix::parse)]
    pub prefix: Prefix,
    /// Write below this directory, as if it were / (to make an image)
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Who starts readyd [default: launchd on macOS, systemd elsewhere]
    #[arg(long, value_enum)]
    pub supervisor: Option<Supervisor>,
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run what makes it take effect as well (it is named otherwise)
    #[arg(long, conflicts_with_all = ["root", "dry_run"])]
    pub now: bool,
}

#[derive(Debug, Args)]
pub struct Demo {
    /// Listen here [default: 127.0.0.1:9099, or a free port]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
    /// End by itself after this many seconds [default: stay until interrupted]
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<u64>,
}
