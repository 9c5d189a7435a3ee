use rustls::RootCertStore;

use super::super::certificate::{Certificate, of_pem};
use super::super::handshake::NoHandshake;
use super::super::judge::{FileSeen, Seen, Site, Trusted, Visit, judge};
use super::super::trust::Trust;
use super::*;
use crate::http::client::{FetchError, Phase};
use crate::link::place::Fingerprint;
use crate::probe::declaration::Tls;
use crate::words::{Answer, Cause, Finding};

const NOW: Day = (2026, 11, 25);

fn tls() -> Tls {
    Tls {
        warn_days: 21,
        down_days: 7,
        ..Tls::default()
    }
}

fn site(trusted: Trusted) -> Site {
    Site {
        address: "gw.example:443".into(),
        host: "gw.example".into(),
        port: 443,
        trusted,
        may_be_plain: false,
    }
}

fn believing(roots: &[&Made]) -> Trust {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().map(|made| made.der.clone()));
    Trust {
        roots: store,
        named: Vec::new(),
    }
}

fn seen(trusted: Trusted, chain: &[&Made], trust: Trust) -> Seen {
    Seen {
        visits: vec![Visit {
            site: site(trusted),
            served: Ok(chain.iter().map(|made| made.der.clone()).collect()),
        }],
        file: None,
        trust: Ok(trust),
        notes: Vec::new(),
        misread: Vec::new(),
    }
}

fn file_of(content: Result<&Made, &str>, is_declared: bool) -> Option<FileSeen> {
    Some(FileSeen {
        path: "/tls/cert.pem".into(),
        is_declared,
        content: match content {
            Ok(made) => Ok(vec![Certificate::parse(made.der.clone()).unwrap()]),
            Err(why) => Err(why.to_owned()),
        },
    })
}

fn judged(seen: &Seen) -> Finding {
    judge(&tls(), seen, noon(NOW))
}

fn told(finding: &Finding) -> (Answer, &str) {
    (finding.answer, finding.summary.as_str())
}

fn leaf(root: &Made, dates: (Day, Day)) -> Made {
    signed_by(root, params("gw", &["gw.example"], dates))
}

#[test]
fn a_believed_certificate_for_its_host_is_ok_with_what_is_left() {
    let root = root();
    let finding = judged(&seen(
        Trusted::ByAuthority,
        &[&leaf(&root, (LONG_AGO, (2027, 2, 1)))],
        believing(&[&root]),
    ));
    assert_eq!(told(&finding), (Answer::Ok, "the served certificate lasts for 67 days"));
    assert!(
        finding
            .evidence
            .iter()
            .any(|fact| fact.seen.contains("for gw.example, issued by CN=Root"))
    );
    assert_eq!(finding.measurements[0].name, "certificate_days_left");
    assert_eq!(finding.measurements[0].subject, "gw.example:443");
}

#[test]
fn what_is_left_decides_by_the_two_limits() {
    let root = root();
    for (from, to, answer, summary) in [
        (
            LONG_AGO,
            (2026, 12, 17),
            Answer::Ok,
            "the served certificate lasts for 21 days",
        ),
        (
            LONG_AGO,
            (2026, 12, 16),
            Answer::Degraded,
            "gw.example:443: expires in 20 days (2026-12-16)",
        ),
        (
            LONG_AGO,
            (2026, 12, 3),
            Answer::Degraded,
            "gw.example:443: expires in 7 days (2026-12-03)",
        ),
        (
            LONG_AGO,
            (2026, 12, 2),
            Answer::Down,
            "gw.example:443: expires in 6 days (2026-12-02)",
        ),
        (
            LONG_AGO,
            (2026, 11, 27),
            Answer::Down,
            "gw.example:443: expires in 1 day (2026-11-27)",
        ),
        (
            LONG_AGO,
            (2026, 11, 26),
            Answer::Down,
            "gw.example:443: expires within a day (2026-11-26T00:00:00Z)",
        ),
        (
            LONG_AGO,
            (2026, 11, 25),
            Answer::Down,
            "gw.example:443: expired 12 h ago (2026-11-25)",
        ),
        (
            (2026, 11, 26),
            FAR,
            Answer::Down,
            "gw.example:443: is not valid before 2026-11-26T00:00:00Z",
        ),
    ] {
        let made = leaf(&root, (from, to));
        let finding = judged(&seen(Trusted::ByAuthority, &[&made], believing(&[&root])));
        assert_eq!(told(&finding), (answer, summary));
    }
}

#[test]
fn another_name_an_unknown_issuer_and_a_self_signed_one_are_degraded() {
    let (root, stranger) = (
        root(),
        self_signed(as_authority(params("Stranger", &[], (LONG_AGO, FAR)))),
    );
    let wrong = signed_by(&root, params("other", &["other.example", "192.0.2.7"], (LONG_AGO, FAR)));
    let finding = judged(&seen(Trusted::ByAuthority, &[&wrong], believing(&[&root])));
    assert_eq!(
        told(&finding),
        (
            Answer::Degraded,
            "gw.example:443: is for other.example, 192.0.2.7, not for gw.example"
        )
    );
    let nameless = signed_by(&root, params("gw.example", &[], (LONG_AGO, FAR)));
    let finding = judged(&seen(Trusted::ByAuthority, &[&nameless], believing(&[&root])));
    assert!(finding.summary.contains("names nobody"), "{}", finding.summary);

    let finding = judged(&seen(
        Trusted::ByAuthority,
        &[&leaf(&stranger, (LONG_AGO, FAR))],
        believing(&[&root]),
    ));
    assert_eq!(finding.answer, Answer::Degraded);
    assert!(
        finding
            .summary
            .contains("nobody who is believed signed it (CN=Stranger)"),
        "{}",
        finding.summary
    );

    for own in [
        self_signed(params("gw", &["gw.example"], (LONG_AGO, FAR))),
        self_signed(as_authority(params("gw", &["gw.example"], (LONG_AGO, FAR)))),
    ] {
        let finding = judged(&seen(Trusted::ByAuthority, &[&own], believing(&[&root])));
        assert_eq!(finding.answer, Answer::Degraded);
        assert!(finding.summary.contains("is self-signed"), "{}", finding.summary);
    }
}

#[test]
fn a_chain_is_followed_and_what_is_missing_or_ends_in_it_is_told() {
    let root = root();
    let between = |to| signed_by(&root, as_authority(params("Between", &[], (LONG_AGO, to))));
    let long = between(FAR);
    let made = leaf(&long, (LONG_AGO, FAR));
    let with = |chain: &[&Made]| judged(&seen(Trusted::ByAuthority, chain, believing(&[&root])));
    assert_eq!(with(&[&made, &long]).answer, Answer::Ok);
    let alone = with(&[&made]);
    assert_eq!(alone.answer, Answer::Degraded);
    assert!(
        alone.summary.contains("served alone: serve its intermediate"),
        "{}",
        alone.summary
    );

    for (to, answer, part) in [
        (
            (2026, 12, 10),
            Answer::Degraded,
            "what vouches for it expires within 21 days",
        ),
        ((2026, 12, 1), Answer::Down, "what vouches for it expires within 7 days"),
        (
            (2026, 11, 1),
            Answer::Degraded,
            "a certificate that vouches for it has expired",
        ),
    ] {
        let short = between(to);
        let made = leaf(&short, (LONG_AGO, FAR));
        let finding = with(&[&made, &short]);
        assert_eq!(finding.answer, answer, "{}", finding.summary);
        assert!(finding.summary.contains(part), "{}", finding.summary);
    }
    // One that nobody needs (an old cross-signature) may end.
    let old = self_signed(as_authority(params("Old", &[], (LONG_AGO, (2021, 1, 1)))));
    assert_eq!(with(&[&made, &long, &old]).answer, Answer::Ok);
}

#[test]
fn a_certificate_that_the_authorities_file_names_itself_is_believed() {
    let own = self_signed(as_authority(params("gw", &["gw.example"], (LONG_AGO, FAR))));
    let trust = Trust {
        named: vec![own.der.clone()],
        ..believing(&[])
    };
    assert_eq!(judged(&seen(Trusted::ByAuthority, &[&own], trust)).answer, Answer::Ok);
}

#[test]
fn a_gateways_own_certificate_is_believed_by_its_file_and_names_are_not_asked() {
    let own = gateways_own((2036, 11, 22));
    let mut seen = seen(Trusted::ByFile, &[&own], believing(&[]));
    seen.trust = Err("no CA bundle could be read".into());
    seen.file = file_of(Ok(&own), false);
    let finding = judged(&seen);
    assert_eq!(
        told(&finding),
        (Answer::Ok, "the served certificate lasts for 3649 days")
    );
    assert!(finding.notes.is_empty(), "{:?}", finding.notes);
    // Somebody who is not shown the file says that much.
    seen.file = file_of(Err("cannot be read: Permission denied"), false);
    let finding = judged(&seen);
    assert_eq!(finding.answer, Answer::Ok);
    assert_eq!(
        finding.notes,
        ["what is served cannot be compared with its file: /tls/cert.pem cannot be read: Permission denied"]
    );
}

#[test]
fn a_file_that_is_not_what_is_served_asks_for_a_restart() {
    let (old, new) = (gateways_own((2026, 12, 30)), gateways_own((2036, 1, 1)));
    let mut seen = seen(Trusted::ByFile, &[&old], believing(&[]));
    seen.file = file_of(Ok(&new), false);
    let finding = judged(&seen);
    assert_eq!(
        told(&finding),
        (
            Answer::Degraded,
            "gw.example:443: does not serve the renewed certificate of /tls/cert.pem yet: read its log for a refused renewal, else restart it"
        )
    );
    let (served, held) = (gateways_own((2036, 1, 1)), gateways_own((2026, 11, 30)));
    seen.visits[0].served = Ok(vec![served.der.clone()]);
    seen.file = file_of(Ok(&held), false);
    let finding = judged(&seen);
    assert_eq!(
        told(&finding),
        (
            Answer::Down,
            "/tls/cert.pem: expires in 4 days (2026-11-30) (and 1 more)"
        ),
        "the file's own dates are judged as well"
    );
}

#[test]
fn a_declared_file_pins_a_self_signed_certificate_and_must_be_readable() {
    let own = gateways_own(FAR);
    let mut seen = seen(Trusted::ByAuthority, &[&own], believing(&[]));
    seen.file = file_of(Ok(&own), true);
    assert_eq!(judged(&seen).answer, Answer::Ok);
    seen.file = file_of(Err("cannot be read: No such file or directory"), true);
    let finding = judged(&seen);
    assert_eq!(
        (finding.answer, finding.cause),
        (Answer::Unknown, Some(Cause::Misconfigured))
    );
    assert!(
        finding.summary.starts_with("/tls/cert.pem: cannot be read"),
        "{}",
        finding.summary
    );
}

#[test]
fn a_pin_is_the_certificate_and_dates_count_all_the_same() {
    let own = gateways_own((2026, 12, 10));
    let pinned = |fingerprint| judged(&seen(Trusted::Pinned(fingerprint), &[&own], believing(&[])));
    let right = pinned(Fingerprint::of(&own.der));
    assert_eq!(
        told(&right),
        (Answer::Degraded, "gw.example:443: expires in 14 days (2026-12-10)")
    );
    let wrong = pinned(Fingerprint::of(b"another"));
    assert!(
        wrong
            .evidence
            .iter()
            .any(|fact| fact.seen.contains("another certificate than the pinned one"))
    );
}

#[test]
fn without_a_bundle_trust_is_unknown_and_dates_are_told() {
    let root = root();
    let mut seen = seen(Trusted::ByAuthority, &[&leaf(&root, (LONG_AGO, FAR))], believing(&[]));
    seen.trust = Err("no CA bundle could be read (tried /x)".into());
    assert_eq!(judged(&seen).cause, Some(Cause::Misconfigured));
    seen.visits[0].served = Ok(vec![leaf(&root, (LONG_AGO, (2021, 1, 1))).der]);
    assert_eq!(judged(&seen).answer, Answer::Down);
}

#[test]
fn who_is_not_reached_is_down_and_who_could_not_ask_knows_nothing() {
    let silent = |phase| FetchError::TimedOut {
        timeout: std::time::Duration::from_secs(9),
        phase,
    };
    let local = || FetchError::Local(std::io::ErrorKind::HostUnreachable.into());
    let finding = |why, may_be_plain| {
        let mut seen = seen(Trusted::ByFile, &[], believing(&[]));
        seen.visits[0].served = Err(why);
        seen.visits[0].site.may_be_plain = may_be_plain;
        judged(&seen)
    };
    for why in [
        NoHandshake::NotTls,
        NoHandshake::Impostor,
        NoHandshake::Failed(FetchError::Refused),
        NoHandshake::Failed(FetchError::Closed),
        NoHandshake::Failed(silent(Phase::Handshaking)),
        NoHandshake::Failed(FetchError::Tls("received fatal alert".into())),
    ] {
        let told = format!("{why:?}");
        assert_eq!(finding(why, false).answer, Answer::Down, "{told}");
    }
    for why in [local(), silent(Phase::Resolving)] {
        assert_eq!(finding(NoHandshake::Failed(why), false).cause, Some(Cause::Local));
    }
    // Nobody has said that it speaks TLS.
    for why in [
        NoHandshake::NotTls,
        NoHandshake::Failed(FetchError::Refused),
        NoHandshake::Failed(FetchError::Closed),
    ] {
        assert_eq!(told(&finding(why, true)), (Answer::Ok, "nothing serves TLS"));
    }
    let silent = finding(NoHandshake::Failed(silent(Phase::Handshaking)), true);
    assert_eq!(silent.cause, Some(Cause::Timeout));
    assert_eq!(finding(NoHandshake::Failed(local()), true).cause, Some(Cause::Local));
}

#[test]
fn what_is_served_and_is_no_certificate_is_degraded() {
    let mut seen = seen(Trusted::ByAuthority, &[], believing(&[]));
    assert_eq!(judged(&seen).answer, Answer::Degraded);
    seen.visits[0].served = Ok(vec![CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])]);
    assert_eq!(
        told(&judged(&seen)),
        (
            Answer::Degraded,
            "gw.example:443: what is served is no X.509 certificate"
        )
    );
}

#[test]
fn files_hold_certificates_between_other_things_or_say_what_is_wrong() {
    let made = gateways_own(FAR);
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let read = of_pem(format!("junk\n{key}{}{}", made.pem(), root().pem()).as_bytes()).unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(
        (read[0].subject.as_str(), read[0].is_self_issued),
        ("CN=openclaw-gateway", true)
    );
    for (bytes, why) in [
        (&b""[..], "holds no certificate (PEM)"),
        (b"\0\xff\x7fELF", "holds no certificate (PEM)"),
        (key.as_bytes(), "holds no certificate (PEM)"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB", "holds no certificate (PEM)"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "is no X.509 certificate",
        ),
    ] {
        assert_eq!(of_pem(bytes).unwrap_err(), why);
    }
}
