//! What as many links as a node can have add to it. `make bench` watches longer, and a real gateway as well.

use std::time::Duration;

use crate::harness::cost::{CORE_PERCENT_MAX, LINKS, MIB_MAX, many_links};

/// Two rounds of questions to every gateway.
const WATCHED: Duration = Duration::from_secs(20);
/// How much slower the code is when it is not optimised, as in specs: seven to ten times. `make bench` measures what ships.
const UNOPTIMISED: f64 = if cfg!(debug_assertions) { 10.0 } else { 1.0 };

#[test]
fn two_hundred_and_fifty_six_links_cost_little_memory_and_hardly_any_time() {
    let (beside, _token) = many_links();
    let percent = beside.added_cpu(WATCHED) * 100.0 / WATCHED.as_secs_f64();
    let mib = beside.added_mib();
    println!("{LINKS} links: {percent:.2} % of a core and {mib:.1} MiB more");
    assert!(percent < CORE_PERCENT_MAX * UNOPTIMISED, "{percent} % of a core");
    assert!(mib < MIB_MAX, "{mib} MiB");
}
