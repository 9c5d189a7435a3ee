//! Histories that nobody thought of, by seed, and the rules that hold in each of them at every moment.
//!
//! A history is a list of steps (`steps`); a world carries it out (`world`), a witness keeps what was seen and what should be so
//! (`witness`, `model`, `ledger`), and rules compare (`rules`). One that breaks a rule is cut to what breaks it (`shrink`).
//!
//! `make simulate SEED=7` tells a history step by step; `make simulate HISTORIES=1000000` looks for one that breaks.
#![expect(
    clippy::disallowed_methods,
    reason = "a seed is given on the command line of the tests"
)]

mod configs;
mod deliveries;
mod ledger;
mod model;
mod rules;
mod saboteur;
mod shrink;
mod steps;
mod witness;
mod world;

use std::env;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use rules::{Broken, Rules};
use saboteur::{ACTS, Saboteur};
use steps::{History, Moment};
use world::World;

use super::world::shows;

const HISTORIES: u64 = 10_000;
/// Steps of a history, by its seed: most are short, since what breaks mostly breaks soon.
const STEPS: [usize; 8] = [2, 3, 4, 4, 5, 6, 8, 16];
/// One history of so many goes on until everything is well again.
const HEALS: u64 = 64;
const WORKERS: u64 = 2;
/// Histories until each act of sabotage has been noticed.
const SABOTAGED: u64 = 400;

/// How a history went: the step that broke a rule (its length: what followed the last one), and the rule.
type Outcome = Result<(), (usize, Broken)>;

#[test]
fn whatever_happens_the_rules_hold() {
    let rules = Rules {
        only: env::var("RULE").ok().map(|rule| &*rule.leak()),
    };
    if let Ok(seed) = env::var("SEED") {
        return tell(seed.parse().expect("SEED is a number"), rules);
    }
    let histories = env::var("HISTORIES").map_or(HISTORIES, |many| many.parse().expect("HISTORIES is a number"));
    let next = AtomicU64::new(0);
    let broken = std::thread::scope(|scope| {
        let worker = || loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= histories {
                return None;
            }
            if live(&history(seed), heals(seed), rules, Saboteur::default()).is_err() {
                next.store(histories, Ordering::Relaxed);
                return Some(seed);
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().find_map(|worker| worker.join().unwrap())
    });
    if let Some(seed) = broken {
        tell(seed, rules);
    }
}

#[test]
fn each_rule_notices_the_defect_that_it_is_there_for() {
    for (act, rule) in ACTS {
        let rules = Rules { only: Some(rule) };
        let notices = |seed: &u64| {
            let history = history(*seed);
            matches!(live(&history, true, rules, Saboteur(Some(act))), Err((_, broken)) if broken.rule == rule)
        };
        assert!(
            (0..SABOTAGED).any(|seed| notices(&seed)),
            "{act:?} goes unnoticed by: {rule}"
        );
    }
}

#[test]
fn a_history_that_breaks_a_rule_is_cut_to_what_breaks_it() {
    let rules = Rules {
        only: Some(rules::ORDERS),
    };
    let lives = |history: &History| live(history, false, rules, Saboteur(Some(saboteur::Act::ForgetsADrain)));
    let seed = (0..SABOTAGED).find(|seed| lives(&history(*seed)).is_err()).unwrap();
    let cut = shrink::shrink(&history(seed), lives);
    let steps: Vec<String> = cut.moments.iter().map(|moment| moment.step.to_string()).collect();
    assert_eq!(steps, ["drain the node"], "seed {seed}");
}

fn history(seed: u64) -> History {
    History::of(seed, STEPS[usize::try_from(seed % 8).unwrap()])
}

fn heals(seed: u64) -> bool {
    seed % HEALS == HEALS - 1
}

/// Lives a history to its end, or to the first rule that breaks.
fn live(history: &History, heals: bool, rules: Rules, saboteur: Saboteur) -> Outcome {
    observe(history, heals, rules, saboteur, &mut |_, _| {})
}

fn observe(
    history: &History,
    heals: bool,
    rules: Rules,
    saboteur: Saboteur,
    told: &mut dyn FnMut(&Moment, &World),
) -> Outcome {
    let mut at = 0;
    let lived = catch_unwind(AssertUnwindSafe(|| {
        let mut world = World::new(history.config, rules, saboteur)?;
        for moment in &history.moments {
            world.live(moment)?;
            told(moment, &world);
            at += 1;
        }
        if heals {
            world.heal(history.config)?;
            world.check_well()?;
        }
        world.rest()?;
        world.check_disk()
    }));
    match lived {
        Ok(lived) => lived.map_err(|broken| (at, broken)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let why = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let why = why.unwrap_or_default();
            Err((
                at,
                Broken {
                    rule: rules::PANIC,
                    why,
                },
            ))
        }
    }
}

/// Tells a history and what became of it; one that breaks a rule is cut first.
fn tell(seed: u64, rules: Rules) {
    let history = history(seed);
    let lives = |history: &History| live(history, heals(seed), rules, Saboteur::default());
    if lives(&history).is_ok() {
        println!("{}", transcript(&history, heals(seed), rules));
        return println!("every rule held");
    }
    let cut = shrink::shrink(&history, lives);
    let Err((_, broken)) = lives(&cut) else { return };
    panic!(
        "\n{}\nbroken: {}\n  {}\n\nsee it again: make simulate SEED={seed}\n",
        transcript(&cut, heals(seed), rules),
        broken.rule,
        broken.why
    );
}

fn transcript(history: &History, heals: bool, rules: Rules) -> String {
    let mut text = format!("config: {}\n", configs::described(history.config));
    let mut told = |moment: &Moment, world: &World| {
        let shown = world.witness.shown.as_deref().map_or("nothing yet".to_owned(), shows);
        let lived = world.lived;
        let _ = writeln!(
            text,
            "{:>10} ms  {}, then {:?}\n               {shown}",
            lived, moment.step, moment.then
        );
    };
    let outcome = observe(history, heals, rules, Saboteur::default(), &mut told);
    if let Err((at, broken)) = outcome {
        let step = history
            .moments
            .get(at)
            .map_or("the end".to_owned(), |moment| moment.step.to_string());
        let _ = writeln!(text, "       then: {step}\n  {}: {}", broken.rule, broken.why);
    }
    text
}
