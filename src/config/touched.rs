//! Which files of a tenant checks read, and which checks are to be asked anew when one of them changes.
//!
//! Invariant: pure. Who looks at them is `daemon/touched`.

use std::path::{Path, PathBuf};

use super::Tenant;
use crate::probe::target::config_file_of;
use crate::words::{ProbeName, TenantName};

/// What a file is to its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `openclaw.json`.
    Config,
    Env,
    /// `token.current`, and `token.next` and `token.prev` beside it.
    Token,
}

/// The files of one tenant, at most five.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    pub tenant: TenantName,
    pub files: Vec<(Role, PathBuf)>,
}

/// Files' states over time; says so when they have changed. One that is being written is waited for: two looks must see
/// the same, or a third one takes it as it is. The rule of [`super::load::Watcher`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settling<T> {
    known: T,
    unsettled: Option<(T, u32)>,
}

impl Role {
    /// Probes that read such a file; those that a configuration does not have are nobody's.
    pub const fn probes(self) -> &'static [&'static str] {
        match self {
            Role::Config => &["config", "doctor", "secrets", "stale-process", "token-rotation"],
            Role::Env => &["config", "doctor", "secrets", "stale-process"],
            Role::Token => &["secrets", "stale-process", "token-rotation"],
        }
    }
}

impl Files {
    /// Those of a tenant. `home`: of its user; `secrets_dir`: the node's.
    pub fn of(tenant: &Tenant, home: Option<&Path>, secrets_dir: Option<&Path>) -> Files {
        let mut files: Vec<(Role, PathBuf)> = Vec::new();
        files.extend(config_file_of(&tenant.instance, home).map(|path| (Role::Config, path)));
        files.extend(tenant.env_file.clone().map(|path| (Role::Env, path)));
        let in_secrets_dir = || Some(secrets_dir?.join(tenant.name.as_str()).join("token.current"));
        if let Some(token) = tenant.token_file.clone().or_else(in_secrets_dir) {
            let beside = ["token.next", "token.prev"].map(|name| (Role::Token, token.with_file_name(name)));
            files.push((Role::Token, token));
            files.extend(beside);
        }
        Files {
            tenant: tenant.name.clone(),
            files,
        }
    }
}

/// The probes to ask when files of these roles have changed, without repetition.
pub fn probes(roles: impl IntoIterator<Item = Role>) -> Vec<ProbeName> {
    let mut names: Vec<&str> = roles.into_iter().flat_map(Role::probes).copied().collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().filter_map(ProbeName::parse).collect()
}

impl<T: Clone + PartialEq> Settling<T> {
    const UNSETTLED_LOOKS_MAX: u32 = 2;

    /// `known`: as the checks that are asked from now on find it.
    pub fn new(known: T) -> Settling<T> {
        Settling { known, unsettled: None }
    }

    /// What was known before, when it has changed and settled.
    pub fn look(&mut self, now: &T) -> Option<T> {
        if *now == self.known {
            self.unsettled = None;
            return None;
        }
        let looks = match &self.unsettled {
            Some((before, _)) if before == now => Self::UNSETTLED_LOOKS_MAX + 1,
            Some((_, looks)) => looks + 1,
            None => 1,
        };
        if looks <= Self::UNSETTLED_LOOKS_MAX {
            self.unsettled = Some((now.clone(), looks));
            return None;
        }
        self.unsettled = None;
        Some(std::mem::replace(&mut self.known, now.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::declaration::Instance;

    fn tenant() -> Tenant {
        Tenant::named(TenantName::parse("acme").unwrap())
    }

    #[test]
    fn a_tenant_of_which_nothing_is_known_has_no_files() {
        assert_eq!(Files::of(&tenant(), Some(Path::new("/home/a")), None).files, []);
    }

    #[test]
    fn files_are_where_openclaw_and_the_configuration_say() {
        let mut acme = tenant();
        acme.instance = Instance::Profile("acme".into());
        acme.env_file = Some("/etc/openclaw/acme.env".into());
        let shown = |tenant: &Tenant| {
            let files = Files::of(tenant, Some(Path::new("/home/a")), Some(Path::new("/secrets"))).files;
            let shown = files.iter().map(|(role, path)| format!("{role:?} {}", path.display()));
            shown.collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&acme),
            [
                "Config /home/a/.openclaw-acme/openclaw.json",
                "Env /etc/openclaw/acme.env",
                "Token /secrets/acme/token.current",
                "Token /secrets/acme/token.next",
                "Token /secrets/acme/token.prev",
            ]
        );
        acme.token_file = Some("/run/t".into());
        assert_eq!(
            shown(&acme)[2..],
            ["Token /run/t", "Token /run/token.next", "Token /run/token.prev"]
        );
    }

    #[test]
    fn every_role_names_probes_that_can_be_and_each_is_asked_once() {
        let all = probes([Role::Config, Role::Env, Role::Token]);
        let names: Vec<&str> = all.iter().map(ProbeName::as_str).collect();
        assert_eq!(
            names,
            ["config", "doctor", "secrets", "stale-process", "token-rotation"]
        );
        assert!(probes([]).is_empty());
    }

    #[test]
    fn a_change_is_told_once_it_stands_still_or_never_does() {
        let told = |looks: &[u32]| {
            let mut files = Settling::new(0);
            let changes = looks.iter().map(|look| files.look(look).is_some());
            changes.map(|told| if told { '!' } else { '.' }).collect::<String>()
        };
        assert_eq!(told(&[0, 0, 1, 1, 1]), "...!.");
        assert_eq!(told(&[1, 0, 0]), "...", "as before after all");
        assert_eq!(told(&[1, 2, 3, 4, 5, 6]), "..!..!", "what never stands still");
    }
}
