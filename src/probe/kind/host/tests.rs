use super::super::Scene;
use super::*;
use crate::words::Answer;

const LIMITS: Host = Host {
    warn_memory: 0.95,
    warn_descriptors: 0.8,
    warn_load_per_core: 4.0,
};

fn calm() -> Seen {
    Seen {
        memory_total_bytes: 100 << 30,
        memory_available_bytes: 60 << 30,
        load: [0.5, 0.4, 0.3],
        cores: 2,
        host_descriptors: Some((2000, 100_000)),
        own_descriptors: Some((40, 1024)),
    }
}

fn told(seen: Seen) -> String {
    let finding = judge(&LIMITS, &seen);
    format!("{}: {}", finding.answer.as_str(), finding.summary)
}

#[test]
fn each_shortage_degrades_and_says_how_much() {
    assert_eq!(told(calm()), "ok: 60.0 GiB of memory available");
    let table = [
        (
            Seen {
                memory_available_bytes: 4 << 30,
                ..calm()
            },
            "degraded: memory: 96 % used, 4.0 GiB of 100.0 GiB available",
        ),
        (
            Seen {
                load: [1.0, 8.1, 9.0],
                ..calm()
            },
            "degraded: load: 1.00 8.10 9.00 on 2 cores, 4.05 a core",
        ),
        (
            Seen {
                host_descriptors: Some((81, 100)),
                ..calm()
            },
            "degraded: descriptors of the host: 81 of 100",
        ),
        (
            Seen {
                own_descriptors: Some((900, 1024)),
                ..calm()
            },
            "degraded: descriptors of readyd: 900 of 1024",
        ),
    ];
    for (seen, expected) in table {
        assert_eq!(told(seen), expected);
    }
}

#[test]
fn a_short_peak_of_load_is_no_reason() {
    assert_eq!(
        judge(
            &LIMITS,
            &Seen {
                load: [50.0, 3.0, 1.0],
                ..calm()
            }
        )
        .answer,
        Answer::Ok
    );
}

#[test]
fn what_a_host_does_not_tell_is_not_judged() {
    let finding = judge(&LIMITS, &Seen::default());
    assert_eq!((finding.answer, finding.evidence.len()), (Answer::Ok, 0));
}

#[test]
fn the_kernels_table_of_open_files_is_read() {
    assert_eq!(
        file_nr("2080\t0\t9223372036854775807\n"),
        Some((2080, 9_223_372_036_854_775_807))
    );
    assert_eq!(file_nr("100 20 500"), Some((80, 500)));
    for broken in ["", "1 2", "a b c"] {
        assert_eq!(file_nr(broken), None, "{broken:?}");
    }
}

#[tokio::test]
async fn this_host_tells_of_memory_load_and_descriptors() {
    let generous = Host {
        warn_memory: 1.0,
        warn_descriptors: 1.0,
        warn_load_per_core: 1e9,
    };
    let finding = ask(&generous, &Scene::node().ask()).await;
    assert_eq!(finding.answer, Answer::Ok, "{}", finding.summary);
    let mut told: Vec<&str> = finding.evidence.iter().map(|fact| fact.what.as_str()).collect();
    told.sort_unstable();
    let expected = ["descriptors of readyd", "descriptors of the host", "load", "memory"];
    let expected = if cfg!(target_os = "linux") {
        &expected[..]
    } else {
        &["descriptors of readyd", "load", "memory"]
    };
    assert_eq!(told, expected);
}
