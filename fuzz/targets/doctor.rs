//! What commands say: any output and exit code has one answer, which is bounded, clean, and says why when it is unknown.

use std::collections::BTreeSet;
use std::time::Duration;

use readyd::config::Posture;
use readyd::probe::openclaw::Speaks;
use readyd::probe::parse::secrets::{self, Beside, Gateway, Seen};
use readyd::probe::parse::{self, Policy, Said};
use readyd::words::{Answer, Finding, redact, text};

pub fn run(data: &[u8]) {
    let (code, data) = super::chosen(data);
    let mut parts = super::parts(data);
    let said = Said {
        code: i32::from(code % 8),
        stdout: parts.next().unwrap_or_default(),
        stderr: parts.next().unwrap_or_default(),
    };
    let posture = if code & 8 == 0 {
        Posture::Relaxed
    } else {
        Posture::Strict
    };
    let speaks = if code & 16 == 0 {
        Speaks::Openclaw
    } else {
        Speaks::Article
    };
    let approved = BTreeSet::from(["nightly".to_owned()]);
    let policy = Policy {
        interval_min: Duration::from_secs(60),
        approved: &approved,
    };
    let all = || {
        [
            parse::doctor(&said, &[], posture),
            parse::config(&said, speaks),
            parse::cost(&said, policy),
            parse::json(&said),
            parse::nagios(&said),
            parse::exit_code(&said),
            parse::security(&said, &[], posture),
            audited(&said, posture),
        ]
    };
    let found = all();
    for finding in &found {
        is_fit_to_be_shown(finding);
    }
    assert_eq!(found, all(), "the same words mean the same");
}

fn audited(said: &Said<'_>, posture: Posture) -> Finding {
    let beside = Beside {
        config: Seen::Present,
        references: None,
        gateway: Gateway::Serves,
        env_file: false,
        as_its_user: true,
    };
    secrets::read(said).map_or_else(|finding| finding, |audit| secrets::judge(&audit, &beside, posture))
}

pub fn is_fit_to_be_shown(finding: &Finding) {
    assert_eq!(
        finding.answer == Answer::Unknown,
        finding.cause.is_some(),
        "{finding:?}"
    );
    assert!(finding.summary.len() <= Finding::SUMMARY_BYTES_MAX);
    assert!(finding.evidence.len() <= Finding::EVIDENCE_MAX && finding.notes.len() <= Finding::NOTES_MAX);
    assert!(finding.measurements.len() <= Finding::MEASUREMENTS_MAX);
    let evidence = finding
        .evidence
        .iter()
        .flat_map(|evidence| [&evidence.what, &evidence.seen]);
    for shown in evidence.chain(&finding.notes).chain([&finding.summary]) {
        assert!(shown.len() <= Finding::SEEN_BYTES_MAX, "{} bytes", shown.len());
        assert!(!shown.chars().any(text::is_harmful), "{shown:?}");
        assert_eq!(
            redact::finding(&redact::finding(shown)),
            redact::finding(shown),
            "{shown:?}"
        );
    }
    let mut kept = finding.clone();
    kept.measurements.retain(|measurement| measurement.value.is_finite());
    let json = serde_json::to_string(&kept).expect("it can be kept");
    let read: Finding = serde_json::from_str(&json).expect("and be read back");
    assert_eq!((read.answer, read.summary), (kept.answer, kept.summary));
}
