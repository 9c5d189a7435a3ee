//! A node in virtual time: a script of inputs in, a transcript of what was shown out.
//!
//! ```text
//! 10s gateway@acme down refused    a finding; `down!` is immediate, `unknown:spawn` has that cause
//! 5m                               nothing but ticks, one a second, until then
//! 5m sleep 8h                      no ticks for 8 h, then one
//! 5m wall -1h                      the wall clock is stepped
//! 5m restart 30s                   the process ends in order, and begins again 30 s later
//! 5m reboot 60s                    so does the host
//! 5m maintenance acme 2h           also: end acme, drain [acme], undrain [acme], shutdown
//! 5m tenants acme beta?            a reload with these tenants; `?` is an advisory one
//! ```
//!
//! A line of the transcript is `time node | tenants | checks`, printed when it differs from the one before.
//! A check is `name level`, with `(what it counts as)` where that is another word, and `~` while it flaps.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use expect_test::Expect;

use super::probes::gateway;
use crate::digest::view::{DigestView, WindowView};
use crate::probe::declaration::{Probe, Scope};
use crate::readiness::snapshot::{CheckView, ConfigStatus, Phase, Snapshot, Transition};
use crate::readiness::{Noted, Readiness, Request, Settings, TenantSettings};
use crate::words::{
    Answer, Cause, CheckId, Cost, CountsAs, Finding, Instant, Level, Now, ProbeName, TenantName, Verdict, Wall,
};

/// Runs a script on a node and compares the transcript.
pub fn check(node: Node, script: &str, expected: Expect) {
    expected.assert_eq(&play(node, script).transcript);
}

/// The same, with the node's reasons below each line.
pub fn check_reasons(node: Node, script: &str, expected: Expect) {
    let mut world = World::new(node);
    world.reasons = true;
    world.play(script);
    expected.assert_eq(&world.transcript);
}

pub fn play(node: Node, script: &str) -> World {
    let mut world = World::new(node);
    world.play(script);
    world
}

/// What is configured.
#[derive(Clone)]
pub struct Node {
    pub tenants: Vec<&'static str>,
    pub probes: Vec<Probe>,
    pub no_tenants_on_purpose: bool,
    /// Begin as a node that has served before, so that no test has to wait through `starting`.
    pub fresh: bool,
}

/// A node with these tenants (`beta?` is advisory) and probes, past its first start.
pub fn node(tenants: &[&'static str], probes: &[Probe]) -> Node {
    Node {
        tenants: tenants.to_vec(),
        probes: probes.to_vec(),
        no_tenants_on_purpose: false,
        fresh: false,
    }
}

pub fn fresh(tenants: &[&'static str], probes: &[Probe]) -> Node {
    Node {
        fresh: true,
        ..node(tenants, probes)
    }
}

/// One tenant `acme` with one probe `gateway`.
pub fn gateway_node() -> Node {
    node(&["acme"], &[gateway()])
}

pub struct World {
    pub readiness: Readiness,
    pub now: Now,
    /// Since the script began, reboots and naps included.
    pub elapsed: Duration,
    pub transcript: String,
    pub noted: Vec<Noted>,
    pub transitions: Vec<Transition>,
    pub store: BTreeMap<String, String>,
    node: Node,
    reasons: bool,
    last: String,
}

impl World {
    pub const BEGINS: Now = Now {
        at: Instant::from_millis(1_000_000),
        wall: Wall::from_millis(1_795_163_400_000),
    };

    pub fn new(node: Node) -> World {
        let settings = settings(&node.tenants, &node);
        let mut store = BTreeMap::new();
        if !node.fresh {
            // A node without any tenant serves at once; its state is that of one that has served.
            let empty = Settings {
                tenants: BTreeMap::new(),
                checks: Vec::new(),
                ..settings.clone()
            };
            keep(
                &mut store,
                Readiness::new(empty, Self::BEGINS, None, true).dirty_state(),
            );
            for tenant in settings.tenants.keys() {
                let known = r#"{"is_new":false,"shown":null,"since":0}"#;
                store.insert(format!("tenant/{tenant}"), known.to_owned());
            }
        }
        let mut world = World {
            readiness: Readiness::new(settings, Self::BEGINS, Some(&store), true),
            now: Self::BEGINS,
            elapsed: Duration::ZERO,
            transcript: String::new(),
            noted: Vec::new(),
            transitions: Vec::new(),
            store,
            node,
            reasons: false,
            last: String::new(),
        };
        world.readiness.take_transitions();
        world
    }

    pub fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let (time, input) = line.split_once(' ').unwrap_or((line, ""));
            self.advance(duration(time));
            self.input(input.trim());
            self.print();
        }
    }

    /// Ticks once a second until `elapsed` is `until`.
    pub fn advance(&mut self, until: Duration) {
        assert!(until >= self.elapsed, "the script goes back in time");
        while self.elapsed < until {
            let step = (until - self.elapsed).min(Duration::from_secs(1));
            self.pass(step);
            self.readiness.tick(self.now);
            self.print();
        }
    }

    pub fn pass(&mut self, time: Duration) {
        self.now = self.now + time;
        self.elapsed += time;
    }

    pub fn input(&mut self, input: &str) {
        let words = input.split_whitespace().collect::<Vec<_>>();
        let request = Request {
            actor: "uid 501 (ann)",
            reason: "upgrade",
            ticket: None,
        };
        let now = self.now;
        match words.as_slice() {
            [] => {
                self.readiness.tick(now);
            }
            ["sleep", time] => {
                self.pass(duration(time));
                self.readiness.tick(self.now);
            }
            ["wall", step] => {
                let (sign, time) = step.split_at(1);
                let millis = i64::try_from(duration(time).as_millis()).unwrap();
                self.now.wall = now.wall.plus_millis(if sign == "-" { -millis } else { millis });
                self.readiness.tick(self.now);
            }
            ["restart", time] => self.restart(duration(time)),
            ["reboot", time] => self.reboot(duration(time)),
            ["maintenance", tenant, time] => {
                let done = self
                    .readiness
                    .maintenance_start(now, &name(tenant), duration(time), request);
                done.unwrap();
            }
            ["end", tenant] => {
                self.readiness.maintenance_end(now, &name(tenant)).unwrap();
            }
            ["drain", tenant @ ..] => {
                let tenant = tenant.first().map(|tenant| name(tenant));
                self.readiness.drain(now, tenant.as_ref(), request).unwrap();
            }
            ["undrain", tenant @ ..] => {
                let tenant = tenant.first().map(|tenant| name(tenant));
                self.readiness.undrain(now, tenant.as_ref()).unwrap();
            }
            ["shutdown"] => self.readiness.shutdown(now),
            ["tenants", tenants @ ..] => {
                let settings = settings(tenants, &self.node);
                self.readiness.configure(now, settings);
            }
            [check, answer, summary @ ..] => {
                let noted = self.readiness.finding(
                    now,
                    &CheckId::parse(check).unwrap(),
                    finding(answer, &summary.join(" ")),
                    Cost::default(),
                );
                self.noted.push(noted);
            }
            [_] => panic!("{input:?} is not an input"),
        }
        self.transitions.extend(self.readiness.take_transitions());
        let dirty = self.readiness.dirty_state();
        keep(&mut self.store, dirty);
    }

    pub fn restart(&mut self, away: Duration) {
        self.stop();
        self.pass(away);
        self.start(true);
    }

    /// What a SIGKILL leaves: whatever was written before.
    pub fn stop(&mut self) {
        let ages = self.readiness.ages_state(self.now);
        keep(&mut self.store, ages);
    }

    pub fn start(&mut self, same_boot: bool) {
        let tenants = self.readiness.tenants.iter().map(|(name, tenant)| {
            let mark = if tenant.required { "" } else { "?" };
            format!("{name}{mark}")
        });
        let tenants = tenants.collect::<Vec<_>>();
        let tenants = tenants.iter().map(String::as_str).collect::<Vec<_>>();
        let settings = settings(&tenants, &self.node);
        self.readiness = Readiness::new(settings, self.now, Some(&self.store), same_boot);
        self.transitions.extend(self.readiness.take_transitions());
        let dirty = self.readiness.dirty_state();
        keep(&mut self.store, dirty);
    }

    pub fn view(&self) -> Snapshot {
        let every = |id: &CheckId| self.readiness.checks.get(id).map(|check| check.probe.every);
        let due = |id: &CheckId| every(id).map(|every| self.now.at + every);
        self.readiness
            .view(self.now, digest(), &due, ConfigStatus::default(), false)
    }

    fn reboot(&mut self, away: Duration) {
        self.stop();
        self.pass(away);
        self.now.at = Instant::from_millis(20_000);
        self.start(false);
    }

    fn print(&mut self) {
        let view = self.view();
        let mut line = shown(&view);
        if self.reasons {
            for reason in &view.reasons {
                write!(line, "\n    - {}", reason.text).unwrap();
            }
        }
        if line != self.last {
            writeln!(self.transcript, "{:<6} {line}", short_time(self.elapsed)).unwrap();
            self.last = line;
        }
    }
}

/// `node | tenants | checks`
pub fn shown(view: &Snapshot) -> String {
    let word = |verdict: Verdict, phase: Phase| match phase {
        Phase::Serving => verdict.to_string(),
        phase => format!("{}/{verdict}", phase.as_str()),
    };
    let tenants = view.tenants.values().map(|tenant| {
        let maintenance = if tenant.maintenance.is_some() {
            " in maintenance"
        } else {
            ""
        };
        format!(
            "{} {}{maintenance}",
            tenant.name,
            word(tenant.answer, tenant.answer_phase)
        )
    });
    let mut checks = view.checks.iter().collect::<Vec<_>>();
    checks.sort_by_key(|check| &check.id);
    let tenants = tenants.collect::<Vec<_>>().join(", ");
    let checks = checks.into_iter().map(shown_check).collect::<Vec<_>>().join(", ");
    format!("{} | {tenants} | {checks}", word(view.verdict, view.phase))
}

fn shown_check(check: &CheckView) -> String {
    let own = match check.level {
        Level::Ok => Some(CountsAs::Ok),
        Level::Degraded => Some(CountsAs::Degraded),
        Level::Down => Some(CountsAs::Down),
        Level::Unknown | Level::Pending => None,
    };
    let counts = match own == Some(check.counts_as) {
        true => String::new(),
        false => format!(" ({})", check.counts_as),
    };
    let flaps = if check.flapping { "~" } else { "" };
    format!("{} {}{flaps}{counts}", check.id, check.level)
}

pub fn keep(store: &mut BTreeMap<String, String>, state: BTreeMap<String, Option<String>>) {
    for (key, json) in state {
        match json {
            Some(json) => store.insert(key, json),
            None => store.remove(&key),
        };
    }
}

pub fn settings(tenants: &[&str], node: &Node) -> Settings {
    let tenants = tenants.iter().map(|tenant| {
        let required = !tenant.ends_with('?');
        (name(tenant.trim_end_matches('?')), TenantSettings { required })
    });
    let tenants = tenants.collect::<BTreeMap<_, _>>();
    let mut checks = Vec::new();
    for probe in &node.probes {
        let probe = Arc::new(probe.clone());
        if probe.scope != Scope::Tenant {
            checks.push((CheckId::node(probe.name.clone()), probe.clone()));
        }
        if probe.scope != Scope::Node {
            let of = |tenant: &TenantName| (CheckId::of(probe.name.clone(), tenant.clone()), probe.clone());
            checks.extend(tenants.keys().map(of));
        }
    }
    Settings {
        node: "mac-3".into(),
        labels: BTreeMap::new(),
        startup_grace: Duration::from_secs(60),
        tenants,
        no_tenants_on_purpose: node.no_tenants_on_purpose,
        checks,
    }
}

pub fn name(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

pub fn probe_name(name: &str) -> ProbeName {
    ProbeName::parse(name).unwrap()
}

pub fn finding(answer: &str, summary: &str) -> Finding {
    let (answer, cause) = answer.split_once(':').unwrap_or((answer, "timeout"));
    let (answer, immediate) = match answer.strip_suffix('!') {
        Some(answer) => (answer, true),
        None => (answer, false),
    };
    let cause = Cause::ALL.into_iter().find(|known| known.as_str() == cause).unwrap();
    let summary = if summary.is_empty() { answer } else { summary };
    let answers = [Answer::Ok, Answer::Degraded, Answer::Down, Answer::Unknown];
    let finding = match answers.into_iter().find(|known| known.as_str() == answer) {
        Some(Answer::Ok) => Finding::ok(summary),
        Some(Answer::Degraded) => Finding::degraded(summary),
        Some(Answer::Down) => Finding::down(summary),
        Some(Answer::Unknown) => Finding::unknown(cause, summary),
        None => panic!("{answer:?} is not an answer"),
    };
    if immediate { finding.at_once() } else { finding }
}

fn digest() -> Arc<DigestView> {
    Arc::new(DigestView {
        rolled_at: World::BEGINS.at,
        rolled_wall: World::BEGINS.wall,
        sliding: Arc::new(WindowView::quiet(World::BEGINS.wall, World::BEGINS.wall)),
        aligned: BTreeMap::new(),
        remote: None,
        sources: BTreeMap::new(),
        upto: 0,
    })
}

/// `90s`, `5m`, `2h`, `1h30m`
fn duration(text: &str) -> Duration {
    let mut seconds = 0;
    let mut digits = String::new();
    for character in text.chars() {
        let unit = match character {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            digit => {
                digits.push(digit);
                continue;
            }
        };
        seconds += digits.parse::<u64>().unwrap() * unit;
        digits.clear();
    }
    assert!(digits.is_empty(), "{text:?} lacks a unit");
    Duration::from_secs(seconds)
}

/// What [`duration`] reads.
fn short_time(time: Duration) -> String {
    let seconds = time.as_secs();
    let part = |count: u64, unit: &str| match count {
        0 => String::new(),
        count => format!("{count}{unit}"),
    };
    match seconds {
        0 => "0s".to_owned(),
        seconds => part(seconds / 3600, "h") + &part(seconds / 60 % 60, "m") + &part(seconds % 60, "s"),
    }
}
