//! The known-good command of each layer, with what is known of the node and its tenants filled in.
//!
//! It says everything that another shell may have otherwise: whose state, as which user, on which path. An
//! operator's own `HOME` or `OPENCLAW_STATE_DIR` would make the same command answer for somebody else, and a
//! state directory that is not there audits as clean.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{Config, Dialect, Tenant};
use crate::link::place::Trust;
use crate::probe::declaration::{Instance, Probe, StateDir};
use crate::readiness::layers::{Row, Word, shell_word};
use crate::words::{CheckId, Layer, ProbeName, TenantName, text};

/// In the order of [`Layer::ALL`].
type Commands = [Option<Arc<str>>; Layer::ALL.len()];

/// Made once a configuration: a snapshot shows them ten times a second.
#[derive(Debug, Default)]
pub(super) struct KnownGood {
    node: Commands,
    tenants: BTreeMap<TenantName, Commands>,
}

/// Paths that one `df` is given; beyond, all file systems are asked for.
const PATHS_MAX: usize = 4;

impl KnownGood {
    pub(super) fn of(config: &Config, state_dirs: &[StateDir]) -> KnownGood {
        let checks = config.checks();
        let known = |tenant| Known {
            config,
            checks: &checks,
            state_dirs,
            tenant,
        };
        KnownGood {
            node: known(None).commands(),
            tenants: (config.tenants.iter())
                .map(|(name, tenant)| (name.clone(), known(Some(tenant)).commands()))
                .collect(),
        }
    }

    pub(super) fn command(&self, check: &CheckId, layer: Layer) -> Option<Arc<str>> {
        let commands = match &check.tenant {
            None => &self.node,
            Some(tenant) => self.tenants.get(tenant)?,
        };
        commands[layer as usize].clone()
    }
}

/// What the words of a command are taken from.
#[derive(Clone, Copy)]
struct Known<'a> {
    config: &'a Config,
    checks: &'a BTreeMap<CheckId, Arc<Probe>>,
    state_dirs: &'a [StateDir],
    /// `None`: the node.
    tenant: Option<&'a Tenant>,
}

impl<'a> Known<'a> {
    fn commands(self) -> Commands {
        Layer::ALL.map(|layer| {
            let command = Row::of(layer).known_good(self.tenant.is_some(), |word| self.value(word));
            command.map(Arc::from)
        })
    }

    fn value(self, word: Word) -> Option<String> {
        match word {
            Word::Readyz => self.readyz(),
            Word::Ready => self.ready(),
            Word::Openclaw => self.openclaw(),
            Word::OpenclawAlone => self.tenant?.env_file.is_none().then(|| self.openclaw()).flatten(),
            Word::Article => self.article(),
            Word::Readyd => self.readyd(),
            Word::Tenant => Some(self.tenant?.name.to_string()),
            Word::SecretsCheck => self.check("secrets"),
            Word::DoctorCheck => self.check("doctor"),
            Word::SecretsDir => self.secrets_dir(),
            Word::Paths => self.paths(),
        }
    }

    /// As the probe `gateway` asks: the port on loopback, else where the link goes.
    fn readyz(self) -> Option<String> {
        let tenant = self.tenant?;
        let place = tenant.place();
        let address = place.as_ref().map(|place| place.address());
        let here = address.filter(|address| address.is_this_host());
        let (tls, host, port) = match (tenant.port, here, address) {
            (Some(port), Some(here), _) if here.port == port => (here.tls, here.host.as_str(), port),
            (Some(port), _, _) => (false, "127.0.0.1", port),
            (None, _, Some(address)) => (address.tls, address.host.as_str(), address.port),
            (None, _, None) => return None,
        };
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(address)) => format!("[{address}]"),
            _ => host.to_owned(),
        };
        let scheme = if tls { "https" } else { "http" };
        // A gateway signs its own certificate; nothing secret is sent to it here.
        let trust = place.as_ref().and_then(|place| place.trust());
        let authorities = match trust.filter(|_| tls) {
            None | Some(Trust::System) => String::new(),
            Some(Trust::Authorities(file)) => format!("--cacert {} ", path(file)?),
            Some(Trust::Pinned(_)) => "-k ".to_owned(),
        };
        Some(format!(
            "{authorities}{}",
            quoted(&format!("{scheme}://{host}:{port}/readyz"))?
        ))
    }

    fn ready(self) -> Option<String> {
        let mut listen = self.config.listen;
        if listen.ip().is_unspecified() {
            listen.set_ip(match listen.ip() {
                IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
                IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
            });
        }
        // The certificate bears the host's name, which this address is not.
        let (trust, scheme) = match self.config.tls {
            Some(_) => ("-k ", "https"),
            None => ("", "http"),
        };
        let url = match self.tenant {
            None => format!("{scheme}://{listen}/ready"),
            Some(tenant) => format!("{scheme}://{listen}/ready/{}", tenant.name),
        };
        Some(format!("{trust}{}", quoted(&url)?))
    }

    fn openclaw(self) -> Option<String> {
        let tenant = self.tenant?;
        if self.config.openclaw.dialect == Dialect::Article {
            return None;
        }
        let state_dir = self.state_dir(tenant)?;
        let config = match &tenant.instance {
            Instance::StateDir {
                config: Some(config), ..
            } => config.clone(),
            _ => state_dir.join("openclaw.json"),
        };
        Some(format!(
            "{}OPENCLAW_STATE_DIR={} OPENCLAW_CONFIG_PATH={} {}",
            self.as_asked(tenant)?,
            path(state_dir)?,
            path(&config)?,
            quoted(&self.config.openclaw.command)?
        ))
    }

    fn article(self) -> Option<String> {
        let tenant = self.tenant?;
        if self.config.openclaw.dialect != Dialect::Article {
            return None;
        }
        Some(format!(
            "{}{}",
            self.as_asked(tenant)?,
            quoted(&self.config.openclaw.command)?
        ))
    }

    /// As whom, and with which programs: another `node` earlier on the path makes a CLI that says nothing.
    fn as_asked(self, tenant: &Tenant) -> Option<String> {
        let user = match &tenant.user {
            Some(user) => format!("sudo -Hu {} ", quoted(user)?),
            None => String::new(),
        };
        let folders: Option<Vec<&str>> = self.config.exec.path.iter().map(|folder| folder.to_str()).collect();
        Some(format!("{user}env PATH={} ", quoted(&folders?.join(":"))?))
    }

    fn readyd(self) -> Option<String> {
        match &self.config.path {
            None => Some("readyd".to_owned()),
            Some(file) => Some(format!("readyd --config {}", path(file)?)),
        }
    }

    fn check(self, probe: &str) -> Option<String> {
        let check = CheckId::of(ProbeName::parse(probe)?, self.tenant?.name.clone());
        self.checks.contains_key(&check).then(|| check.to_string())
    }

    fn secrets_dir(self) -> Option<String> {
        let dir = self.config.secrets_dir.as_ref()?;
        match self.tenant {
            None => path(dir),
            Some(tenant) => path(&dir.join(tenant.name.as_str())),
        }
    }

    fn paths(self) -> Option<String> {
        let mut paths: Vec<&PathBuf> = match self.tenant {
            Some(tenant) => vec![self.state_dir(tenant)?],
            None => self.state_dirs.iter().map(|dir| &dir.path).collect(),
        };
        paths.dedup();
        if paths.is_empty() || paths.len() > PATHS_MAX {
            return None;
        }
        let words: Option<Vec<String>> = paths.into_iter().map(|dir| path(dir)).collect();
        Some(words?.join(" "))
    }

    fn state_dir(self, tenant: &Tenant) -> Option<&'a PathBuf> {
        let mut dirs = self.state_dirs.iter();
        let dir = dirs.find(|dir| dir.tenant.as_ref() == Some(&tenant.name));
        dir.map(|dir| &dir.path)
    }
}

fn path(path: &Path) -> Option<String> {
    quoted(path.to_str()?)
}

/// `None` for what would look like something else on a terminal: nobody should paste that.
fn quoted(text: &str) -> Option<String> {
    (!text.chars().any(text::is_harmful)).then(|| shell_word(text))
}

#[cfg(test)]
mod tests;
