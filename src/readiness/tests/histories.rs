//! Random histories: what must hold whatever happens. The seed of a failing one is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::probes::{advisory, config, digest_probe, disk, doctor, explained_by, gateway, named};
use super::timeline::{Node, World, finding, fresh, node, shown};
use crate::dice::Dice;
use crate::probe::declaration::Probe;
use crate::readiness::freshness::Moment;
use crate::readiness::snapshot::{CheckView, Phase, Reason, Snapshot};
use crate::readiness::{TenantWithout, without};
use crate::words::{CheckId, Cost, CountsAs, Level, TenantName, Verdict};

const HISTORIES: u64 = 2000;
const STEPS: u64 = 20;
const WORKERS: u64 = 4;

#[test]
fn whatever_happens_the_rules_hold() {
    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            scope.spawn(move || (0..HISTORIES).filter(|seed| seed % WORKERS == worker).for_each(history));
        }
    });
}

fn history(seed: u64) {
    let mut history = History::new(seed);
    for step in 0..STEPS {
        let context = format!("seed {seed}, step {step}");
        history.step(&context);
        if step % 4 == 3 {
            let view = history.world.view();
            the_verdict_is_a_function_of_what_is_shown(&view, &context);
            no_explained_symptom_is_a_reason_of_its_own(&history.probes, &view, &context);
        }
    }
}

struct History {
    dice: Dice,
    world: World,
    probes: BTreeMap<String, Probe>,
    /// What each check should remember, by the definition of a run instead of its bookkeeping.
    model: BTreeMap<CheckId, Remembered>,
}

#[derive(Default)]
struct Remembered {
    level: Option<Verdict>,
    /// All answers so far.
    answers: Vec<Verdict>,
}

impl History {
    fn new(seed: u64) -> History {
        let mut dice = Dice::new(seed);
        let mut probes = vec![
            gateway(),
            explained_by(doctor(), &["gateway", "disk"]),
            explained_by(config(), &["doctor"]),
            disk(),
            digest_probe(),
            named("extra", advisory(explained_by(config(), &["gateway"]))),
        ];
        for probe in &mut probes {
            probe.fall = 1 + u32::try_from(dice.below(3)).unwrap();
            probe.rise = 1 + u32::try_from(dice.below(3)).unwrap();
            probe.required = probe.required && !dice.one_in(6);
        }
        let tenants: &[&'static str] = match dice.below(4) {
            0 => &["acme"],
            1 => &["acme?", "beta"],
            2 => &["acme", "beta", "gamma?"],
            _ => &[],
        };
        let node: Node = match dice.one_in(4) {
            true => fresh(tenants, &probes),
            false => node(tenants, &probes),
        };
        History {
            dice,
            world: World::new(node),
            probes: probes
                .into_iter()
                .map(|probe| (probe.name.to_string(), probe))
                .collect(),
            model: BTreeMap::new(),
        }
    }

    fn step(&mut self, context: &str) {
        match self.dice.below(20) {
            0..=11 => self.finding(context),
            12..=15 => self.silence(context),
            16 => self.restart(context),
            17 => self.operation(),
            18 => self.world.input("wall -3h"),
            _ => {
                let nap = Duration::from_secs(self.dice.below(2000));
                self.world.pass(nap);
                let before = self.world.view();
                self.world.readiness.tick(self.world.now);
                silence_has_healed_nothing(&before, &self.world.view(), context);
            }
        }
    }

    fn finding(&mut self, context: &str) {
        let ids = self.world.readiness.checks.keys().cloned().collect::<Vec<_>>();
        let Some(id) = ids.get(self.dice.index(ids.len())) else {
            return;
        };
        let answer = ["ok", "ok", "degraded", "down", "down!", "unknown:spawn", "unknown"][self.dice.index(7)];
        let pause = Duration::from_secs(self.dice.below(9));
        self.world.pass(pause);
        self.world.readiness.tick(self.world.now);

        let before = self.world.view();
        let before = view_of(&before, id);
        let (before, was_pending) = (before.counts_as, before.level == Level::Pending);
        let heard = finding(answer, "");
        let (said, immediate) = (heard.answer, heard.immediate);
        self.world.readiness.finding(self.world.now, id, heard, Cost::default());
        let after = self.world.view();
        let after = view_of(&after, id);
        let Some(said) = said.answered() else {
            // It ends `pending`, of which no answer has ever been heard.
            let healed = after.counts_as < before && !was_pending;
            assert!(!healed, "{context}: ignorance healed {id}");
            return;
        };
        let probe = &self.probes[id.probe.as_str()];
        let model = self.model.entry(id.clone()).or_default();
        model.hear(said, immediate, probe, after.flapping);
        assert_eq!(after.answered, model.level, "{context}: {id}");
    }

    /// Time alone.
    fn silence(&mut self, context: &str) {
        let operated = |view: &Snapshot| {
            view.tenants
                .values()
                .filter(|tenant| tenant.maintenance.is_some())
                .count()
        };
        for _ in 0..self.dice.below(4) {
            let before = self.world.view();
            let pause = Duration::from_secs(self.dice.below(10));
            self.world.pass(pause);
            self.world.readiness.tick(self.world.now);
            let after = self.world.view();
            silence_has_healed_nothing(&before, &after, context);
            if operated(&before) == operated(&after) && before.phase == after.phase {
                assert!(
                    after.verdict >= before.verdict || before.verdict < Verdict::Down,
                    "{context}"
                );
            }
        }
    }

    /// A restart at any point changes nothing that is shown.
    fn restart(&mut self, context: &str) {
        let dirty = self.world.readiness.dirty_state();
        super::timeline::keep(&mut self.world.store, dirty);
        self.world.readiness.tick(self.world.now);
        let before = self.world.view();
        let at = Moment::from(self.world.now.at);
        let forgotten = self
            .world
            .readiness
            .checks
            .iter()
            .filter(|(_, check)| check.is_native() && check.is_stale(at));
        for (id, _) in forgotten {
            self.model.remove(id);
        }
        self.world.restart(Duration::ZERO);
        let after = self.world.view();
        if before.phase != Phase::Starting {
            assert_eq!(shown(&after), shown(&before), "{context}");
            assert_eq!(texts(&after.reasons), texts(&before.reasons), "{context}");
            assert_eq!(after.since, before.since, "{context}");
            assert_eq!(after.last_change, before.last_change, "{context}");
            assert_eq!(
                (after.cycle, after.green_cycles),
                (before.cycle, before.green_cycles),
                "{context}"
            );
        }
        // A check that never answered has nothing to restore: its grace begins anew.
        let heard = |check: &&CheckView| check.finding.is_some();
        let pairs = after
            .checks
            .iter()
            .filter(heard)
            .zip(before.checks.iter().filter(heard));
        for (after, before) in pairs {
            let memory = |check: &CheckView| {
                let finding = check.finding.clone();
                (
                    check.id.clone(),
                    check.since,
                    check.history.clone(),
                    finding,
                    check.checked_instant,
                )
            };
            assert_eq!(memory(after), memory(before), "{context}");
        }
    }

    fn operation(&mut self) {
        let tenants = self.world.readiness.tenants.keys().cloned().collect::<Vec<_>>();
        let operation = match tenants.get(self.dice.index(tenants.len())) {
            None => ["drain", "undrain"][self.dice.index(2)].to_owned(),
            Some(tenant) => match self.dice.below(6) {
                0 => "drain".to_owned(),
                1 => "undrain".to_owned(),
                2 => format!("drain {tenant}"),
                3 => format!("undrain {tenant}"),
                4 => format!("end {tenant}"),
                _ => format!("maintenance {tenant} {}s", 1 + self.dice.below(100)),
            },
        };
        self.world.input(&operation);
    }
}

impl Remembered {
    /// The longest run of latest answers that are all worse (or all better) than the level decides.
    fn hear(&mut self, answer: Verdict, immediate: bool, probe: &Probe, flapping: bool) {
        self.answers.push(answer);
        let Some(level) = self.level else {
            self.level = Some(answer);
            self.answers = vec![answer];
            return;
        };
        if immediate && answer > level {
            self.level = Some(answer);
            self.answers = vec![answer];
            return;
        }
        let latest = self.answers.iter().rev();
        let worse = latest.clone().take_while(|answer| **answer > level).collect::<Vec<_>>();
        let better = latest.take_while(|answer| **answer < level).collect::<Vec<_>>();
        let rise = probe.rise + u32::from(flapping);
        if worse.len() >= usize::try_from(probe.fall).unwrap() {
            self.level = worse.into_iter().min().copied();
        } else if better.len() >= usize::try_from(rise).unwrap() {
            self.level = better.into_iter().max().copied();
        }
    }
}

fn silence_has_healed_nothing(before: &Snapshot, after: &Snapshot, context: &str) {
    for check in &after.checks {
        let was = view_of(before, &check.id);
        assert_eq!(
            check.answered, was.answered,
            "{context}: time answered for {}",
            check.id
        );
        if was.in_maintenance == check.in_maintenance {
            assert!(check.counts_as >= was.counts_as, "{context}: time healed {}", check.id);
        }
    }
}

fn the_verdict_is_a_function_of_what_is_shown(view: &Snapshot, context: &str) {
    let again = without(view, &[]);
    assert_eq!(again.verdict, view.verdict, "{context}");
    assert_eq!(again.reasons, view.reasons, "{context}");
    let tenants = view.tenants.iter().map(|(name, tenant)| {
        let shown = TenantWithout {
            verdict: tenant.verdict,
            counts_as: tenant.counts_as,
            answer: tenant.answer,
            reasons: tenant.reasons.clone(),
        };
        (name.clone(), shown)
    });
    assert_eq!(again.tenants, tenants.collect(), "{context}");

    // And by the rules of `docs/verdict.md`, without the code that fuses.
    let worst = |tenant: Option<&TenantName>| {
        let own = view.checks.iter().filter(|check| check.id.tenant.as_ref() == tenant);
        own.map(|check| check.counts_as.verdict()).max().unwrap_or(Verdict::Ok)
    };
    let mut verdict = worst(None);
    for tenant in view.tenants.values() {
        assert_eq!(tenant.verdict, worst(Some(&tenant.name)), "{context}");
        assert_eq!(tenant.answer, tenant.verdict.max(worst(None)), "{context}");
        let cap = match tenant.required && tenant.phase == Phase::Serving {
            true => Verdict::Down,
            false => Verdict::Degraded,
        };
        if tenant.drain.is_none() && tenant.maintenance.is_none() {
            verdict = verdict.max(tenant.verdict.min(cap));
        } else {
            assert_eq!(tenant.counts_as, CountsAs::Nothing, "{context}");
        }
    }
    let mut required = view.tenants.values().filter(|tenant| tenant.required).peekable();
    let nothing_judged = required.peek().is_some() && required.all(|tenant| tenant.counts_as == CountsAs::Nothing);
    if view.tenants.is_empty() || nothing_judged {
        verdict = verdict.max(Verdict::Degraded);
    }
    assert_eq!(view.verdict, verdict, "{context}");
    // Every verdict that is not ok has a reason as bad as itself.
    let worst_reason = view.reasons.first().map_or(Verdict::Ok, |reason| reason.severity);
    assert!(worst_reason >= verdict, "{context}: {:?}", view.reasons);
}

fn no_explained_symptom_is_a_reason_of_its_own(probes: &BTreeMap<String, Probe>, view: &Snapshot, context: &str) {
    let own = view
        .tenants
        .values()
        .map(|tenant| (&tenant.reasons, Some(&tenant.name)));
    for (reasons, of_tenant) in own.chain([(&view.reasons, None)]) {
        for reason in reasons.iter().filter(|reason| !reason.text.starts_with("probe_fault")) {
            let Some(id) = &reason.check else { continue };
            for cause in &probes[id.probe.as_str()].explained_by {
                let explains = |check: &&CheckView| {
                    let same = check.id.tenant == id.tenant || check.id.tenant.is_none();
                    let counts = check.counts_as > CountsAs::Ok;
                    same && &check.id.probe == cause && counts && check.answered == Some(Verdict::Down)
                };
                let cause = view.checks.iter().find(explains);
                assert!(cause.is_none(), "{context}: {of_tenant:?} {} hides {}", reason.text, id);
            }
        }
    }
}

fn view_of<'a>(view: &'a Snapshot, id: &CheckId) -> &'a CheckView {
    view.checks.iter().find(|check| &check.id == id).unwrap()
}

fn texts(reasons: &[Reason]) -> Vec<&str> {
    reasons.iter().map(|reason| reason.text.as_str()).collect()
}
