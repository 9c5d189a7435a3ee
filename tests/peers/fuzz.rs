//! libFuzzer at each target for a minute, where continuous integration runs; `make fuzz` has hours.

use std::fs;
use std::process::Command;

use crate::harness::{peer, repository};

/// Of each target.
const SECONDS: &str = "60";
/// Less than this in a minute is not fuzzing but starting.
const RUNS_MIN: u64 = 200;

#[test]
fn each_target_is_fuzzed_for_a_minute_and_holds() {
    if !std::env::var("CI").is_ok_and(|value| value == "true") {
        eprintln!("left out: a minute each is for continuous integration; `make fuzz-ci` does it here");
        return;
    }
    if peer("c++", &[]).is_none() {
        return;
    }
    // What it takes is what others leave: it shares the machine with specs that watch.
    let mut fuzz = Command::new("nice");
    fuzz.args(["-n", "15", "scripts/fuzz.sh", SECONDS])
        .current_dir(repository());
    let output = fuzz.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    println!("{told}");
    assert!(
        output.status.success(),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for entry in fs::read_dir(repository().join("fuzz/corpus")).unwrap() {
        let target = entry.unwrap().file_name().into_string().unwrap();
        let mut lines = told.lines().map(str::split_whitespace);
        let runs = lines.find_map(|mut words| (words.next() == Some(&target)).then(|| words.next()).flatten());
        let runs = runs.and_then(|runs| runs.parse::<u64>().ok());
        assert!(
            runs.is_some_and(|runs| runs >= RUNS_MIN),
            "{target}: {runs:?} runs\n{told}"
        );
    }
}
