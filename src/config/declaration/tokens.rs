//! The policy of kind `tokens`: what was said, and what follows from it where nothing was.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Reading;
use crate::config::keys::tokens::TOKEN_CLASS;
use crate::config::problem::Problems;
use crate::config::shape::{Fields, join};
use crate::config::units::write_duration;
use crate::config::yaml::Node;
use crate::probe::declaration::{TokenPolicy, Tokens};

/// Twelve hours of overlap, and 30 days for what traverses the internet, are the articles' numbers; so are 45 to 90
/// days for credentials of machines. Three days of a `.next` that nobody promotes: a long weekend.
const DEFAULT: TokenPolicy = TokenPolicy {
    overlap: hours(12),
    next_stale: hours(72),
    cadence: hours(90 * 24),
    cadence_warn: hours(45 * 24),
    internet_cadence: hours(30 * 24),
    internet_facing: None,
};

pub(super) fn decode(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Tokens {
    let policy = policy(fields, &DEFAULT);
    judge(&policy, node, reading.path, problems);
    let mut classes = BTreeMap::new();
    for entry in fields.node("classes").map(Node::entries).unwrap_or_default() {
        let class = self::policy(Fields::of(Some(&entry.node), TOKEN_CLASS), &policy);
        let path = join(&join(reading.path, "classes"), &entry.key);
        judge(&class, &entry.node, &path, problems);
        classes.insert(entry.key.clone(), class);
    }
    Tokens { policy, classes }
}

/// What is said, else `base`'s; where that does not fit to what is said, as near as it may be: who says `cadence: 20d`
/// need not say that the note comes no later.
fn policy(fields: Fields<'_>, base: &TokenPolicy) -> TokenPolicy {
    let said = |key| fields.duration(key);
    let cadence = said("cadence").unwrap_or(base.cadence);
    let (overlap, next_stale) = match (said("overlap"), said("next_stale")) {
        (overlap, Some(next_stale)) => (overlap.unwrap_or(base.overlap.min(next_stale)), next_stale),
        (Some(overlap), None) => (overlap, base.next_stale.max(overlap)),
        (None, None) => (base.overlap, base.next_stale),
    };
    TokenPolicy {
        overlap,
        next_stale,
        cadence,
        cadence_warn: said("cadence_warn").unwrap_or(base.cadence_warn.min(cadence)),
        internet_cadence: said("internet_cadence").unwrap_or(base.internet_cadence.min(cadence)),
        internet_facing: fields.bool("internet_facing").or(base.internet_facing),
    }
}

fn judge(policy: &TokenPolicy, node: &Node, path: &str, problems: &mut Problems) {
    for (low, short, high, long) in [
        ("overlap", policy.overlap, "next_stale", policy.next_stale),
        ("cadence_warn", policy.cadence_warn, "cadence", policy.cadence),
        ("internet_cadence", policy.internet_cadence, "cadence", policy.cadence),
    ] {
        if short > long {
            let (short, long) = (write_duration(short), write_duration(long));
            problems.add(
                &node.at,
                path,
                format!("{low} ({short}) must be at most {high} ({long})"),
            );
        }
    }
}

const fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::declaration::DECLARATION;
    use crate::config::raw::Patience;
    use crate::config::yaml;
    use crate::words::ProbeName;

    fn read(text: &str) -> Result<Tokens, String> {
        let node = yaml::parse("x.yaml", text.as_bytes()).unwrap();
        let mut problems = Problems::default();
        let name = ProbeName::parse("token-rotation").unwrap();
        let reading = Reading {
            name: &name,
            path: "probes.token-rotation",
            patience: Patience { fall: 2, rise: 2 },
        };
        let tokens = decode(Fields::of(Some(&node), DECLARATION), &node, reading, &mut problems);
        if problems.is_empty() {
            Ok(tokens)
        } else {
            Err(problems.to_string())
        }
    }

    #[test]
    fn a_class_has_what_it_says_and_else_the_probes_own() {
        let tokens =
            read("kind: tokens\ncadence: 80d\nclasses: {slack: {overlap: 30m, internet_facing: true}}").unwrap();
        assert_eq!(tokens.policy.cadence, hours(80 * 24));
        let slack = tokens.classes["slack"];
        assert_eq!((slack.overlap, slack.cadence), (hours(1) / 2, hours(80 * 24)));
        assert_eq!(
            (slack.internet_facing, tokens.policy.internet_facing),
            (Some(true), None)
        );
    }

    #[test]
    fn what_is_not_said_follows_what_is() {
        let policy = read("kind: tokens\ncadence: 20d\noverlap: 5d").unwrap().policy;
        assert_eq!(
            (policy.cadence_warn, policy.internet_cadence, policy.next_stale),
            (hours(20 * 24), hours(20 * 24), hours(5 * 24))
        );
        let policy = read("kind: tokens\nnext_stale: 1h").unwrap().policy;
        assert_eq!((policy.overlap, policy.next_stale), (hours(1), hours(1)));
    }

    #[test]
    fn what_is_said_must_make_sense() {
        for (text, why) in [
            (
                "overlap: 4d\nnext_stale: 3d",
                "overlap (4d) must be at most next_stale (3d)",
            ),
            (
                "cadence: 20d\ncadence_warn: 21d",
                "cadence_warn (21d) must be at most cadence (20d)",
            ),
            (
                "internet_cadence: 91d",
                "internet_cadence (91d) must be at most cadence (90d)",
            ),
            (
                "classes: {slack: {overlap: 4d, next_stale: 1d}}",
                "probes.token-rotation.classes.slack",
            ),
        ] {
            let error = read(&format!("kind: tokens\n{text}")).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
