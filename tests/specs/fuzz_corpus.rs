//! What the fuzzer found worth keeping is read again on each run, by the same bodies.

#[path = "../../fuzz/targets/mod.rs"]
mod targets;

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;

use crate::harness::repository;

/// Of all targets together: a corpus that is kept is small, or nobody reads it.
const CORPUS_BYTES_MAX: u64 = 300_000;

#[test]
fn every_target_holds_for_all_that_is_in_its_corpus() {
    let mut bytes = 0;
    for (name, target) in targets::ALL {
        let directory = repository().join("fuzz/corpus").join(name);
        let inputs: Vec<_> = fs::read_dir(&directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            let data = fs::read(&input).unwrap();
            bytes += u64::try_from(data.len()).unwrap();
            assert!(
                catch_unwind(|| target(&data)).is_ok(),
                "{} breaks {name}",
                input.display()
            );
        }
    }
    assert!(bytes < CORPUS_BYTES_MAX, "the corpus has {bytes} bytes");
}

#[test]
fn every_corpus_is_some_targets() {
    let names: BTreeSet<String> = targets::ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    let kept = fs::read_dir(repository().join("fuzz/corpus")).unwrap();
    let kept: BTreeSet<String> = kept
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(kept, names);
}
