//! Histories that nobody thought of, by seed, and what must hold in each of them at every moment.

use std::collections::BTreeMap;

use super::world::{Store, World, begin, failures, millis, seconds, tenant};
use crate::engine::{Command, Input, Output};
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::words::{Cause, CheckId, Finding, Level};

const HISTORIES: u64 = 10;
const STEPS: u64 = 100;
const CHECKS: [&str; 6] = [
    "gateway@acme",
    "gateway@beta",
    "doctor@acme",
    "doctor@beta",
    "disk",
    "write",
];

fn yaml(tenants: &str) -> String {
    format!(
        "tenants: {tenants}\nprobes: {{doctor: {{every: 30s, timeout: 20s}}, host: {{enabled: false}}}}\nexec: {{heavy: 1}}\n"
    )
}

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.roll(words.len() as u64)).unwrap()]
    }
}

#[test]
fn in_every_history_each_check_is_asked_for_ever_and_what_is_on_disk_shows_the_same() {
    for seed in 0..HISTORIES {
        println!("seed {seed}");
        let mut dice = Dice(seed);
        let mut world = World::new(&yaml("{acme: {port: 18789}, beta: {port: 18790}}"));
        for _ in 0..STEPS {
            step(&mut world, &mut dice);
        }
        heals(&mut world);
        restores(&world);
    }
}

fn step(world: &mut World, dice: &mut Dice) {
    let about = tenant(dice.of(&["acme", "beta"]));
    match dice.roll(20) {
        0..=4 => {
            let finding = match dice.roll(5) {
                0 => Finding::down("refused"),
                1 => Finding::down("wedged").at_once(),
                2 => Finding::degraded("slow"),
                3 => Finding::unknown(Cause::Timeout, "no answer"),
                _ => Finding::ok("fine"),
            };
            world.says(dice.of(&CHECKS), finding);
        }
        5 => drop(world.takes(dice.of(&CHECKS), millis(dice.roll(30_000)))),
        6 => world.fails(about.as_str(), dice.of(&["crm", "hooks"]), dice.roll(40)),
        7 => world.sleep(seconds(dice.roll(2_000))),
        8 if world.store == Store::Commits => world.store_fails(),
        8 | 9 if world.store == Store::Fails => world.store_recovers(),
        9 => world.restart(seconds(dice.roll(100))),
        10 => {
            world.command(Command::Drain {
                tenant: (dice.roll(2) == 0).then_some(about),
                reason: "history".into(),
            });
        }
        11 => {
            world.command(Command::Undrain {
                tenant: (dice.roll(2) == 0).then_some(about),
            });
        }
        12 => {
            world.command(Command::MaintenanceStart {
                tenant: about,
                duration: seconds(1 + dice.roll(600)),
                reason: "history".into(),
                ticket: None,
            });
        }
        13 => {
            let tenants = [
                "{acme: {port: 18789}}",
                "{acme: {port: 18789}, beta: {port: 18790}}",
                "{beta: {port: 1}}",
            ];
            world.reload(&yaml(dice.of(&tenants)));
        }
        14 => drop(world.command(Command::Ask { check: None })),
        _ => {}
    }
    world.pass(millis(dice.roll(40_000)));
    let gaps = world.published.windows(2).map(|pair| pair[1].since(pair[0]));
    assert!(gaps.min().is_none_or(|gap| gap >= millis(100)));
    world.published.clear();
}

/// Once the world is well, so is the node: nothing was forgotten in flight, in a lane, or on its way to the disk.
fn heals(world: &mut World) {
    if world.store == Store::Fails {
        world.store_recovers();
    }
    world.answers.clear();
    world.slow.clear();
    world.reload(&yaml("{acme: {port: 18789}, beta: {port: 18790}}"));
    for about in [None, Some(tenant("acme")), Some(tenant("beta"))] {
        world.command(Command::Undrain { tenant: about });
    }
    for about in ["acme", "beta"] {
        world.command(Command::MaintenanceEnd { tenant: tenant(about) });
    }
    world.pass(seconds(700));
    assert_eq!(world.shows(), "ok");
    let before: Vec<usize> = CHECKS.iter().map(|id| world.asks_of(id)).collect();
    world.pass(seconds(70));
    for (id, before) in CHECKS.iter().zip(before) {
        assert!(world.asks_of(id) > before, "{id} is asked no more");
    }
    // Restored, it may show less than what it shows now: something that is not ok, on disk for ten seconds.
    world.says("gateway@beta", Finding::down("refused"));
    world.says("doctor@acme", Finding::unknown(Cause::Spawn, "no such file"));
    world.fails("acme", "crm", 77);
    world.pass(seconds(45));
    assert_eq!(world.level("gateway@beta"), Level::Down);
}

/// A kill now, and a start at the same moment.
fn restores(world: &World) {
    let mut next = begin(&world.config, world.boot, &world.disk, world.now);
    let published = next
        .handle(world.now, Input::Tick)
        .into_iter()
        .find_map(|output| match output {
            Output::Publish { snapshot, .. } => Some(snapshot),
            _ => None,
        });
    let restored = published.unwrap();
    assert_eq!(gist(&restored), gist(world.snapshot()));
    assert_eq!(failures(&restored), failures(world.snapshot()));
}

type Gist = (String, Phase, BTreeMap<CheckId, Level>, Vec<(String, String)>);

fn gist(snapshot: &Snapshot) -> Gist {
    let levels = snapshot.checks.iter().map(|view| (view.id.clone(), view.level));
    let tenants = snapshot.tenants.values();
    let tenants = tenants.map(|view| (view.name.to_string(), format!("{} {:?}", view.verdict, view.phase)));
    (
        snapshot.verdict.to_string(),
        snapshot.phase,
        levels.collect(),
        tenants.collect(),
    )
}
