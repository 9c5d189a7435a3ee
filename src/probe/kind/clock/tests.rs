use expect_test::{Expect, expect};

use super::*;
use crate::probe::kind::Scene;
use crate::words::Answer;

const CLOCK: Clock = Clock {
    warn_skew: Duration::from_secs(30),
    down_skew: Duration::from_secs(120),
};

const KEPT: Kernel = Kernel::Told(Discipline {
    is_kept: true,
    offset_micros: -40,
    estimated_error_micros: 250,
    maximum_error_micros: 5_000,
});

fn senders(skews: &[(&str, i64)]) -> Vec<Sender> {
    let sender = |(name, seconds): &(&str, i64)| Sender {
        name: (*name).into(),
        skew_millis: seconds * 1000,
    };
    skews.iter().map(sender).collect()
}

fn shown(finding: &Finding) -> String {
    let mut shown = format!("{}: {}", finding.answer, finding.summary);
    for evidence in &finding.evidence {
        shown.push_str(&format!("\n- {}: {}", evidence.what, evidence.seen));
    }
    for note in &finding.notes {
        shown.push_str(&format!("\nnote: {note}"));
    }
    shown
}

fn check(skews: &[(&str, i64)], kernel: &Kernel, posture: Posture, expected: Expect) {
    expected.assert_eq(&shown(&judge(&CLOCK, &senders(skews), kernel, posture)));
}

#[test]
fn a_senders_clock_beyond_thirty_seconds_degrades_and_beyond_two_minutes_is_down() {
    check(
        &[("gw-1", 0), ("gw-2", 45), ("link:acme", -300)],
        &KEPT,
        Posture::Relaxed,
        expect![[r#"
            down: clock of link:acme: 5 min ahead of ours, more than 2m (and 1 more)
            - clock of link:acme: 5 min ahead of ours, more than 2m
            - clock of gw-2: 45 s behind ours, more than 30s
            - clock of gw-1: agrees with ours
            - the clock of this host: is kept, and off by about 0 ms"#]],
    );
    check(
        &[("gw-1", 30), ("gw-2", -30)],
        &KEPT,
        Posture::Strict,
        expect![[r#"
            ok: 2 senders' clocks agree with ours
            - clock of gw-1: 30 s behind ours
            - clock of gw-2: 30 s ahead of ours
            - the clock of this host: is kept, and off by about 0 ms"#]],
    );
}

#[test]
fn where_all_senders_agree_against_us_the_clock_that_is_off_is_ours() {
    let finding = judge(
        &CLOCK,
        &senders(&[("a", 50), ("b", 52), ("c", 51)]),
        &KEPT,
        Posture::Relaxed,
    );
    expect!["the clock of this host: seems to be 50 s ahead of everybody else's: all 3 senders say so (and 3 more)"]
        .assert_eq(&finding.summary);
    let one = judge(&CLOCK, &senders(&[("a", 50)]), &KEPT, Posture::Relaxed);
    assert!(one.summary.starts_with("clock of a"), "{}", one.summary);
}

#[test]
fn a_clock_that_nobody_keeps_is_a_note_unless_posture_is_strict() {
    let unkept = |is_kept, maximum_error_micros| {
        Kernel::Told(Discipline {
            is_kept,
            offset_micros: 0,
            estimated_error_micros: 0,
            maximum_error_micros,
        })
    };
    for kernel in [unkept(false, 5_000), unkept(true, 16_000_000)] {
        check(
            &[],
            &kernel,
            Posture::Relaxed,
            expect![[r#"
                ok: no sender has told its clock
                note: nobody keeps this clock: the kernel says that it is not synchronised"#]],
        );
        let strict = judge(&CLOCK, &[], &kernel, Posture::Strict);
        assert_eq!(strict.answer, Answer::Degraded);
    }
}

#[test]
fn a_kernel_that_may_not_be_asked_is_a_note_in_any_posture() {
    for kernel in [Kernel::NotAllowed, Kernel::NotAsked, Kernel::Failed("odd".into())] {
        for posture in [Posture::Relaxed, Posture::Strict] {
            let finding = judge(&CLOCK, &[], &kernel, posture);
            assert_eq!((finding.answer, finding.notes.len()), (Answer::Ok, 1), "{kernel:?}");
        }
    }
}

#[test]
fn a_kept_clock_that_is_known_to_be_off_degrades() {
    let told = |offset_micros, estimated_error_micros| {
        Kernel::Told(Discipline {
            is_kept: true,
            offset_micros,
            estimated_error_micros,
            maximum_error_micros: 1_000,
        })
    };
    for kernel in [told(-31_000_000, 0), told(0, 31_000_000)] {
        let finding = judge(&CLOCK, &[], &kernel, Posture::Relaxed);
        assert_eq!(finding.answer, Answer::Degraded, "{}", finding.summary);
    }
    for kernel in [told(i64::MIN, 0), told(0, i64::MIN), told(0, -1)] {
        judge(&CLOCK, &[], &kernel, Posture::Relaxed);
    }
}

#[test]
fn senders_without_end_are_judged_all_and_shown_as_far_as_there_is_room() {
    let skews: Vec<(String, i64)> = (0..2000).map(|number| (format!("gw-{number}"), number)).collect();
    let skews: Vec<(&str, i64)> = skews.iter().map(|(name, skew)| (name.as_str(), *skew)).collect();
    let finding = judge(&CLOCK, &senders(&skews), &KEPT, Posture::Relaxed);
    assert!(
        finding.summary.starts_with("clock of gw-1999: 33 min behind"),
        "{}",
        finding.summary
    );
    assert_eq!(finding.evidence.len(), Finding::EVIDENCE_MAX);
    assert_eq!(finding.measurements.len(), SENDERS_MEASURED_MAX);
    let extreme = senders(&[("a", i64::MIN / 1000), ("b", i64::MAX / 1000)]);
    assert_eq!(judge(&CLOCK, &extreme, &KEPT, Posture::Relaxed).answer, Answer::Down);
}

#[tokio::test]
async fn this_host_is_ok_in_relaxed_posture_whoever_keeps_its_clock() {
    let finding = ask(&CLOCK, &Scene::node().ask(), Posture::Relaxed).await;
    assert_eq!(finding.answer, Answer::Ok, "{}", finding.summary);
}
