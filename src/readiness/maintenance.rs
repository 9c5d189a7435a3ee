//! Maintenance and drain: what operators have taken out of the reckoning, who did, and until when.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::freshness::{Moment, Stamp};
use super::snapshot::Operation;
use crate::config::units::write_duration;
use crate::engine::Refused;
use crate::words::{Now, TenantName, text};

/// All operations in force. They outlive the configuration: a tenant that vanishes and comes back
/// drained is still drained, since whoever drained it has not said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Operations {
    pub node_drain: Option<Operation>,
    drains: BTreeMap<TenantName, Operation>,
    maintenance: BTreeMap<TenantName, Maintenance>,
}

/// Expiry runs on the clock that counts sleep: neither a stepped wall clock nor a suspended host
/// shortens or stretches it. Only across a reboot the wall clock bridges.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Maintenance {
    operation: Operation,
    started: Stamp,
    duration_ms: u64,
}

/// What an operator says with an operation.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// By peer credentials of the control socket.
    pub actor: &'a str,
    pub reason: &'a str,
    pub ticket: Option<&'a str>,
}

impl Request<'_> {
    /// Of each of its texts; the rest is cut.
    pub const TEXT_BYTES_MAX: usize = 256;
}

/// Longer than any piece of work, short enough that a forgotten one is found.
pub const MAINTENANCE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

impl Operations {
    /// Of tenants that are no longer configured: beyond, the oldest are forgotten.
    const ABSENT_MAX: usize = 256;

    pub fn maintenance(&self, tenant: &TenantName) -> Option<&Operation> {
        self.maintenance.get(tenant).map(|maintenance| &maintenance.operation)
    }

    pub fn drain_of(&self, tenant: &TenantName) -> Option<&Operation> {
        self.drains.get(tenant)
    }

    /// Whether the tenant is in the node's verdict no more.
    pub fn is_out(&self, tenant: &TenantName) -> bool {
        self.maintenance.contains_key(tenant) || self.drains.contains_key(tenant)
    }

    /// Begins, or replaces, the maintenance of a tenant.
    pub fn maintenance_start(
        &mut self,
        now: Now,
        tenant: &TenantName,
        duration: Duration,
        request: Request<'_>,
    ) -> Result<String, Refused> {
        if duration < Duration::from_secs(1) || duration > MAINTENANCE_MAX {
            return Err(Refused::Invalid(format!(
                "maintenance must last between 1s and {}, not {}: give --for a duration such as 2h",
                write_duration(MAINTENANCE_MAX),
                write_duration(duration)
            )));
        }
        let until = now.wall + duration;
        let operation = Self::operation(now, request, Some(duration));
        let started = Stamp::new(now);
        let duration_ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.maintenance.insert(
            tenant.clone(),
            Maintenance {
                operation,
                started,
                duration_ms,
            },
        );
        Ok(format!("{tenant} is in maintenance until {until}"))
    }

    pub fn maintenance_end(&mut self, tenant: &TenantName) -> String {
        match self.maintenance.remove(tenant) {
            Some(_) => format!("{tenant} is no longer in maintenance"),
            None => format!("{tenant} was not in maintenance; nothing has changed"),
        }
    }

    /// `None`: the node.
    pub fn drain(&mut self, now: Now, tenant: Option<&TenantName>, request: Request<'_>) -> String {
        let operation = Self::operation(now, request, None);
        match tenant {
            Some(tenant) => {
                self.drains.insert(tenant.clone(), operation);
                format!("{tenant} is drained until `readyd undrain {tenant}`")
            }
            None => {
                self.node_drain = Some(operation);
                "the node is drained until `readyd undrain`".to_owned()
            }
        }
    }

    pub fn undrain(&mut self, tenant: Option<&TenantName>) -> String {
        let (was, who) = match tenant {
            Some(tenant) => (self.drains.remove(tenant).is_some(), tenant.to_string()),
            None => (self.node_drain.take().is_some(), "the node".to_owned()),
        };
        match was {
            true => format!("{who} is no longer drained"),
            false => format!("{who} was not drained; nothing has changed"),
        }
    }

    /// Ends what has run its time; `true` when anything did.
    pub fn expire(&mut self, now: Now) -> bool {
        let at = Moment::from(now.at);
        let before = self.maintenance.len();
        self.maintenance.retain(|_, maintenance| {
            let duration = Duration::from_millis(maintenance.duration_ms);
            maintenance.started.age(at).is_some_and(|age| age < duration)
        });
        self.maintenance.len() != before
    }

    /// The same operations as this process, on this boot, sees them.
    ///
    /// Where a clock stepped back makes the time since the start unknowable, the whole duration begins
    /// anew: never longer than was asked for, and no outage because a host without a battery clock booted.
    pub fn rebased(mut self, now: Now, same_boot: bool) -> Operations {
        for maintenance in self.maintenance.values_mut() {
            maintenance.started = maintenance.started.rebased(now, same_boot);
            if maintenance.started.moment().is_none() {
                maintenance.started = Stamp::new(now);
                let until = now.wall + Duration::from_millis(maintenance.duration_ms);
                maintenance.operation.until = Some(until);
            }
        }
        self
    }

    /// Bounds what is kept of tenants that are not configured.
    pub fn bound(&mut self, configured: impl Fn(&TenantName) -> bool) {
        for tenant in surplus(self.drains.iter(), &configured) {
            self.drains.remove(&tenant);
        }
        for tenant in surplus(
            self.maintenance.iter().map(|(tenant, kept)| (tenant, &kept.operation)),
            &configured,
        ) {
            self.maintenance.remove(&tenant);
        }
    }

    fn operation(now: Now, request: Request<'_>, duration: Option<Duration>) -> Operation {
        let line = |said: &str| text::clean_line(said.trim(), Request::TEXT_BYTES_MAX);
        Operation {
            actor: line(request.actor),
            reason: line(request.reason),
            ticket: request.ticket.map(line).filter(|ticket| !ticket.is_empty()),
            started: now.wall,
            until: duration.map(|duration| now.wall + duration),
        }
    }
}

/// The oldest operations of absent tenants beyond [`Operations::ABSENT_MAX`].
fn surplus<'a>(
    operations: impl Iterator<Item = (&'a TenantName, &'a Operation)>,
    configured: impl Fn(&TenantName) -> bool,
) -> Vec<TenantName> {
    let mut absent = operations.filter(|(tenant, _)| !configured(tenant)).collect::<Vec<_>>();
    absent.sort_by_key(|(_, operation)| std::cmp::Reverse(operation.started));
    absent
        .into_iter()
        .skip(Operations::ABSENT_MAX)
        .map(|(tenant, _)| tenant.clone())
        .collect()
}
