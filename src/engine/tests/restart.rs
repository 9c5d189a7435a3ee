//! Killed and begun again: what was shown is shown, and history does not tell of what nobody saw.

use super::world::{World, seconds};
use crate::engine::Input;
use crate::words::{Cause, Finding};

#[test]
fn a_silence_that_was_shown_since_the_last_checkpoint_is_shown_by_the_next_process_from_the_start() {
    let mut world = World::new(
        "tenants: {acme: {port: 18789}}\nprobes: {gateway: {every: 2s, retry_every: 500ms, timeout: 1s, max_stale: 4s}}\n",
    );
    world.says("gateway@acme", Finding::unknown(Cause::Local, "no descriptors"));
    world.pass(seconds(8));
    assert_eq!(world.shows(), "down | gateway@acme unknown");
    let told = world.disk.transitions.len();

    world.restart(seconds(0));
    world.give(Input::Tick);
    assert_eq!(world.shows(), "down | gateway@acme unknown");
    world.pass(seconds(4));
    let told = &world.disk.transitions[told..];
    assert!(told.is_empty(), "{told:?}");
}
