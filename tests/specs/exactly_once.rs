//! Every acknowledged event is counted exactly once, whenever readyd is killed.

use std::time::Duration;

use crate::harness::Node;
use crate::harness::dice::Dice;
use crate::harness::producer::{Pace, Producer, last_seq};

const ROUNDS: u64 = 100;

#[test]
fn a_hundred_kills_under_load_lose_nothing_and_count_nothing_twice() {
    let mut dice = Dice::thrown(0);
    let mut node = Node::start(
        "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n",
    );
    let producer = Producer::start(&node, Pace::LOAD);
    for _ in 0..ROUNDS {
        producer.until_progress(&node);
        std::thread::sleep(Duration::from_micros(dice.below(40_000)));
        node.kill();
        node.spawn();
    }
    producer.hold();
    node.kill();
    node.spawn();
    node.wait_until_it_answers();
    let counted = producer.settle(&node);
    println!("{ROUNDS} kills, {counted} counted");
    drop(producer);
    assert_eq!(last_seq(&node), counted);
}
