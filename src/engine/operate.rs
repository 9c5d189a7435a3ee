//! What an operator asks for: in force at once, answered when it shows and is durable. And the end.

use super::message::{Command, Done, Output, Refused};
use super::{Engine, PUBLISH_SOONEST};
use crate::readiness::Request;
use crate::words::{CheckId, Now};

impl Engine {
    pub(super) fn on_command(&mut self, now: Now, id: u64, actor: &str, command: Command, out: &mut Vec<Output>) {
        let request = |reason, ticket| Request { actor, reason, ticket };
        let done = match &command {
            Command::MaintenanceStart {
                tenant,
                duration,
                reason,
                ticket,
            } => self
                .readiness
                .maintenance_start(now, tenant, *duration, request(reason, ticket.as_deref())),
            Command::MaintenanceEnd { tenant } => self.readiness.maintenance_end(now, tenant),
            Command::Drain { tenant, reason } => self.readiness.drain(now, tenant.as_ref(), request(reason, None)),
            Command::Undrain { tenant } => self.readiness.undrain(now, tenant.as_ref()),
            Command::Ask { check } => {
                // Nothing to keep, and nothing to show before the answers come.
                let reply = self.ask(check.as_ref()).map(|message| Done { message, durable: true });
                return out.push(Output::Reply { id, reply });
            }
        };
        match done {
            Ok(message) => {
                self.changed = true;
                self.keep(now, out);
                self.durability.reply_when_durable(id, message);
            }
            Err(refused) => out.push(Output::Reply {
                id,
                reply: Err(refused),
            }),
        }
    }

    /// The next process serves, and asks for itself.
    pub(super) fn on_shutdown(&mut self, now: Now, out: &mut Vec<Output>) {
        self.stopping = true;
        self.discard_runs(out);
        self.readiness.shutdown(now);
        self.checkpoint(now);
        // Now, and not at the next tenth of a second: there may be none.
        self.changed = true;
        self.published_at = now.at.before(PUBLISH_SOONEST);
    }

    pub(super) fn discard_runs(&mut self, out: &mut Vec<Output>) {
        out.extend(std::mem::take(&mut self.runs).into_values().map(Output::Cancel));
    }

    fn ask(&mut self, check: Option<&CheckId>) -> Result<String, Refused> {
        let checks = self.config.checks();
        let (asked, message) = match check {
            None => (checks.keys().collect(), format!("asking {} checks", checks.len())),
            Some(check) if checks.contains_key(check) => (vec![check], format!("asking {check}")),
            Some(check) => return Err(Refused::UnknownCheck(check.clone())),
        };
        for check in asked {
            self.internal.ask(check);
            self.schedule.ask_now(check);
        }
        Ok(message)
    }
}
