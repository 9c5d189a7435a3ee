//! One binary for all targets: `FUZZ_TARGET` names the one, since each of them would link the whole product again.

#![no_main]

#[path = "../targets/mod.rs"]
mod targets;

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use targets::Target;

fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
        let named = |(of, target): &(&str, Target)| (*of == name).then_some(*target);
        targets::ALL
            .iter()
            .find_map(named)
            .unwrap_or_else(|| panic!("FUZZ_TARGET={name}: it is one of {:?}", targets::ALL.map(|(of, _)| of)))
    });
    target(data);
});
