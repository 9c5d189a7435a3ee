//! Whose credentials have which fingerprints: one secret in two places is found by whoever is asked second, and by the
//! first at its next turn.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::Config;
use crate::fingerprint::Fingerprint;
use crate::words::{Instant, TenantName};

/// Credentials that vanish are missed for this long; after that it was on purpose.
const MISSED_FOR: Duration = Duration::from_secs(86_400);
/// One secret may be in many places; more than so many are no more news.
const SHARED_MAX: usize = 32;

/// Of all tenants, remembered between asks. At most [`Config::TENANTS_MAX`] of them, with what
/// [`super::Seen`] has room for.
#[derive(Debug, Default)]
pub struct Prints(Mutex<BTreeMap<TenantName, Known>>);

#[derive(Debug, Default)]
struct Known {
    prints: Vec<Print>,
    /// How many credentials it had when it last had any, and when that was.
    had: Option<(usize, Instant)>,
}

/// One file's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Print {
    /// Which of its tenant's credentials it belongs to.
    pub credential: usize,
    pub is_gateways: bool,
    /// As findings call the file.
    pub shown: String,
    pub fingerprint: Fingerprint,
}

/// The same secret in another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Our file.
    pub mine: String,
    /// `beta's slack.current`; without a tenant: another file of ours.
    pub theirs: String,
    /// One of the two is the configured `token_file`, the other lies in the same tenant's folder: a copy, it seems.
    pub is_copy: bool,
}

impl Prints {
    /// Forgets tenants that are no more.
    pub fn retain(&self, is_known: impl Fn(&TenantName) -> bool) {
        self.lock().retain(|tenant, _| is_known(tenant));
    }

    /// From now on `prints` are `tenant`'s. Where else their secrets are, in order of name.
    pub fn compare(&self, tenant: &TenantName, prints: Vec<Print>) -> Vec<Shared> {
        let mut known = self.lock();
        let mut shared: Vec<Shared> = Vec::new();
        for (index, mine) in prints.iter().enumerate() {
            let others = prints[..index]
                .iter()
                .filter(|other| other.credential != mine.credential && other.fingerprint == mine.fingerprint);
            shared.extend(others.map(|other| Shared {
                mine: mine.shown.clone(),
                theirs: other.shown.clone(),
                is_copy: mine.is_gateways != other.is_gateways,
            }));
        }
        let mut by_print: BTreeMap<Fingerprint, Vec<&Print>> = BTreeMap::new();
        for mine in &prints {
            by_print.entry(mine.fingerprint).or_default().push(mine);
        }
        for (other, theirs) in known.iter().filter(|(other, _)| *other != tenant) {
            for print in &theirs.prints {
                let same = by_print.get(&print.fingerprint).into_iter().flatten();
                shared.extend(same.map(|mine| Shared {
                    mine: mine.shown.clone(),
                    theirs: format!("{other}'s {}", print.shown),
                    is_copy: false,
                }));
            }
        }
        shared.truncate(SHARED_MAX);
        if known.len() < Config::TENANTS_MAX || known.contains_key(tenant) {
            known.entry(tenant.clone()).or_default().prints = prints;
        }
        shared
    }

    /// How many credentials `tenant` had a while ago, when it has none now. `is_plain`: nothing else is wrong
    /// that would hide them or be the same news.
    pub fn missed(&self, tenant: &TenantName, count: usize, is_plain: bool, now: Instant) -> Option<usize> {
        let mut known = self.lock();
        let known = known.get_mut(tenant)?;
        if count > 0 {
            known.had = Some((count, now));
            return None;
        }
        let (had, at) = known.had.filter(|_| is_plain)?;
        (now.since(at) < MISSED_FOR).then_some(had)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantName, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fingerprint::Fingerprints;

    fn tenant(name: &str) -> TenantName {
        TenantName::parse(name).unwrap()
    }

    fn print(fingerprints: &Fingerprints, credential: usize, shown: &str, secret: &str) -> Print {
        Print {
            credential,
            is_gateways: shown.starts_with('/'),
            shown: shown.to_owned(),
            fingerprint: fingerprints.of(secret),
        }
    }

    fn told(shared: &[Shared]) -> Vec<String> {
        let tell = |shared: &Shared| {
            let copy = if shared.is_copy { " (a copy)" } else { "" };
            format!("{} = {}{copy}", shared.mine, shared.theirs)
        };
        shared.iter().map(tell).collect()
    }

    #[test]
    fn the_second_who_is_asked_sees_it_and_the_first_at_its_next_turn_until_it_ends() {
        let (prints, by) = (Prints::default(), Fingerprints::default());
        let ours = || {
            vec![
                print(&by, 0, "token.current", "one"),
                print(&by, 1, "slack.current", "two"),
            ]
        };
        assert!(prints.compare(&tenant("acme"), ours()).is_empty());
        let theirs = || vec![print(&by, 0, "chat.next", "two")];
        assert_eq!(
            told(&prints.compare(&tenant("beta"), theirs())),
            ["chat.next = acme's slack.current"]
        );
        assert_eq!(
            told(&prints.compare(&tenant("acme"), ours())),
            ["slack.current = beta's chat.next"]
        );
        prints.compare(&tenant("beta"), vec![print(&by, 0, "chat.next", "three")]);
        assert!(prints.compare(&tenant("acme"), ours()).is_empty());
    }

    #[test]
    fn a_tenant_that_is_no_more_is_forgotten() {
        let (prints, by) = (Prints::default(), Fingerprints::default());
        let one = || vec![print(&by, 0, "token.current", "one")];
        prints.compare(&tenant("acme"), one());
        prints.retain(|name| name.as_str() != "acme");
        assert!(prints.compare(&tenant("beta"), one()).is_empty());
    }

    #[test]
    fn one_tenants_own_credentials_are_compared_too_but_not_the_files_of_one() {
        let (prints, by) = (Prints::default(), Fingerprints::default());
        let shared = prints.compare(
            &tenant("acme"),
            vec![
                print(&by, 0, "slack.current", "one"),
                print(&by, 0, "slack.prev", "one"),
                print(&by, 1, "token.current", "one"),
                print(&by, 2, "/etc/gateway.token", "one"),
            ],
        );
        assert_eq!(
            told(&shared),
            [
                "token.current = slack.current",
                "token.current = slack.prev",
                "/etc/gateway.token = slack.current (a copy)",
                "/etc/gateway.token = slack.prev (a copy)",
                "/etc/gateway.token = token.current (a copy)",
            ]
        );
    }

    #[test]
    fn no_more_tenants_are_kept_than_a_node_may_have() {
        let (prints, by) = (Prints::default(), Fingerprints::default());
        for index in 0..Config::TENANTS_MAX + 10 {
            prints.compare(
                &tenant(&format!("t{index}")),
                vec![print(&by, 0, "token.current", "one")],
            );
        }
        assert_eq!(prints.lock().len(), Config::TENANTS_MAX);
        let shared = prints.compare(&tenant("t0"), vec![print(&by, 0, "token.current", "one")]);
        assert_eq!(shared.len(), SHARED_MAX);
    }

    #[test]
    fn credentials_that_vanish_are_missed_for_a_day() {
        let (prints, acme) = (Prints::default(), tenant("acme"));
        let at = |hours: u64| Instant::from_millis(hours * 3_600_000);
        assert_eq!(prints.missed(&acme, 0, true, at(0)), None);
        prints.compare(&acme, Vec::new());
        assert_eq!(prints.missed(&acme, 2, true, at(1)), None);
        assert_eq!(prints.missed(&acme, 0, true, at(2)), Some(2));
        assert_eq!(prints.missed(&acme, 0, false, at(3)), None);
        assert_eq!(prints.missed(&acme, 0, true, at(24)), Some(2));
        assert_eq!(prints.missed(&acme, 0, true, at(25)), None);
    }
}
