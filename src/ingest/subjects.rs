//! Names as they are sent into subjects as they are counted: judged once, found again by one hash.
//!
//! Lines of one gateway repeat the same few names millions of times. A line's raw names (tenant,
//! endpoint cut at its query, gateway) find their subject by one hash and one comparison; only names
//! never seen are validated and normalised. Several raw names may mean one subject (a URL with other
//! user info, say); it has one index nevertheless.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use rustc_hash::{FxBuildHasher, FxHasher};

use super::delta::Subject;
use super::endpoint;
use super::event::{Event, GATEWAY_BYTES_MAX};
use crate::words::{Reject, TenantName, Via, redact, text};

/// What a connection's lines are folded under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoldSettings {
    /// This node: the gateway of events that name none.
    pub node: Arc<str>,
    /// The tenants its peer may report for; `None`: any.
    pub allowed: Option<BTreeSet<TenantName>>,
    /// How they come.
    pub via: Via,
}

/// Raw names remembered before all are forgotten: more than a host has endpoints (50 000 in one connection are measured by
/// `make bench`), since a connection with more than these learns each name at each event, at a third of the speed. With
/// 32 connections that invent a name for every event, all together take some 600 MB.
const ALIASES_MAX: usize = 65_536;
/// And the bytes of those names.
const ALIASES_BYTES_MAX: usize = 4 << 20;
/// Subjects remembered from one delta to the next.
const SUBJECTS_MAX: usize = 65_536;
/// And the bytes of their names.
const SUBJECTS_BYTES_MAX: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Subjects {
    settings: Arc<FoldSettings>,
    /// By the hash of the raw names.
    aliases: HashMap<u64, Alias, BuildHasherDefault<AsHashed>>,
    aliases_bytes: usize,
    /// Shared with deltas that were taken and are not yet put together.
    subjects: Arc<Vec<Arc<Subject>>>,
    subjects_bytes: usize,
    by_subject: HashMap<Arc<Subject>, u32, FxBuildHasher>,
    /// One text each, however many subjects name it: equal names are told by their address.
    tenants: BTreeSet<TenantName>,
    gateways: BTreeSet<Arc<str>>,
}

#[derive(Debug)]
struct Alias {
    /// Tenant, endpoint, gateway, one after the other.
    raw: Box<str>,
    tenant_bytes: u16,
    endpoint_bytes: u16,
    subject: u32,
}

impl Subjects {
    pub fn new(settings: Arc<FoldSettings>) -> Subjects {
        Subjects {
            settings,
            aliases: HashMap::default(),
            aliases_bytes: 0,
            subjects: Arc::default(),
            subjects_bytes: 0,
            by_subject: HashMap::default(),
            tenants: BTreeSet::new(),
            gateways: BTreeSet::new(),
        }
    }

    /// The index of an event's subject. Holds until [`Subjects::trim`].
    #[inline]
    pub fn find(&mut self, event: &Event<'_>) -> Result<u32, Reject> {
        let endpoint = endpoint::cut(&event.endpoint);
        let hash = hash(&event.tenant, endpoint, &event.gateway);
        match self.aliases.get(&hash) {
            Some(alias) if alias.is(&event.tenant, endpoint, &event.gateway) => Ok(alias.subject),
            _ => self.learn(hash, &event.tenant, endpoint, &event.gateway),
        }
    }

    /// How all of them come.
    pub fn via(&self) -> Via {
        self.settings.via
    }

    pub fn get(&self, index: u32) -> Option<&Arc<Subject>> {
        self.subjects.get(index as usize)
    }

    /// All of them by index, as they are now.
    pub fn all(&self) -> Arc<Vec<Arc<Subject>>> {
        Arc::clone(&self.subjects)
    }

    /// Between deltas: forgets everything when it has become too much, and says so.
    pub fn trim(&mut self) -> bool {
        let too_much = self.subjects.len() > SUBJECTS_MAX || self.subjects_bytes > SUBJECTS_BYTES_MAX;
        if too_much {
            *self = Subjects::new(Arc::clone(&self.settings));
        }
        too_much
    }

    #[cold]
    fn learn(&mut self, hash: u64, tenant: &str, endpoint: &str, gateway: &str) -> Result<u32, Reject> {
        let subject = self.judge(tenant, endpoint, gateway)?;
        let index = match self.by_subject.get(&subject) {
            Some(index) => *index,
            None => {
                let subject = Arc::new(self.interned(subject));
                // Bounded by SUBJECTS_MAX and the cells of one delta, far below 2^32.
                let index = u32::try_from(self.subjects.len()).unwrap_or(u32::MAX);
                self.subjects_bytes += subject.tenant.as_str().len() + subject.endpoint.len() + subject.gateway.len();
                Arc::make_mut(&mut self.subjects).push(Arc::clone(&subject));
                self.by_subject.insert(subject, index);
                index
            }
        };
        if self.aliases.len() >= ALIASES_MAX || self.aliases_bytes >= ALIASES_BYTES_MAX {
            self.aliases = HashMap::default();
            self.aliases_bytes = 0;
        }
        let raw: Box<str> = [tenant, endpoint, gateway].concat().into();
        self.aliases_bytes += raw.len();
        // Names of one hash replace each other: slow for whoever makes them collide, and right.
        let replaced = self.aliases.insert(
            hash,
            Alias {
                raw,
                // The event's limits are far below 2^16.
                tenant_bytes: u16::try_from(tenant.len()).unwrap_or(u16::MAX),
                endpoint_bytes: u16::try_from(endpoint.len()).unwrap_or(u16::MAX),
                subject: index,
            },
        );
        self.aliases_bytes -= replaced.map_or(0, |alias| alias.raw.len());
        Ok(index)
    }

    /// With the texts of those that were there before.
    fn interned(&mut self, subject: Subject) -> Subject {
        let Subject {
            tenant,
            endpoint,
            gateway,
        } = subject;
        if !self.tenants.contains(&tenant) {
            self.tenants.insert(tenant.clone());
        }
        if !self.gateways.contains(&gateway) {
            self.gateways.insert(gateway.clone());
        }
        Subject {
            tenant: self.tenants.get(&tenant).cloned().unwrap_or(tenant),
            endpoint,
            gateway: self.gateways.get(&gateway).cloned().unwrap_or(gateway),
        }
    }

    fn judge(&self, tenant: &str, endpoint: &str, gateway: &str) -> Result<Subject, Reject> {
        let tenant = TenantName::parse(tenant).ok_or(Reject::BadField)?;
        let endpoint = endpoint::normalise(endpoint).ok_or(Reject::BadField)?;
        let allowed = self.settings.allowed.as_ref();
        if allowed.is_some_and(|allowed| !allowed.contains(&tenant)) {
            return Err(Reject::TenantNotAllowed);
        }
        let gateway = text::clean_line(gateway, GATEWAY_BYTES_MAX);
        let gateway = match gateway.trim() {
            "" => Arc::clone(&self.settings.node),
            gateway => redact::name(gateway, GATEWAY_BYTES_MAX, false).into(),
        };
        Ok(Subject {
            tenant,
            endpoint,
            gateway,
        })
    }
}

impl Alias {
    #[inline]
    fn is(&self, tenant: &str, endpoint: &str, gateway: &str) -> bool {
        let raw = self.raw.as_bytes();
        raw.len() == tenant.len() + endpoint.len() + gateway.len()
            && usize::from(self.tenant_bytes) == tenant.len()
            && usize::from(self.endpoint_bytes) == endpoint.len()
            && raw.starts_with(tenant.as_bytes())
            && raw.ends_with(gateway.as_bytes())
            && raw.get(tenant.len()..tenant.len() + endpoint.len()) == Some(endpoint.as_bytes())
    }
}

#[inline]
fn hash(tenant: &str, endpoint: &str, gateway: &str) -> u64 {
    let mut hasher = FxHasher::default();
    for name in [tenant, endpoint, gateway] {
        hasher.write(name.as_bytes());
        hasher.write_usize(name.len());
    }
    hasher.finish()
}

/// For keys that are hashes.
#[derive(Debug, Default)]
struct AsHashed(u64);

impl Hasher for AsHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // Only `u64` keys are hashed; this is for the trait's sake, and right for any other.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests;
