//! Shell: kind `tokens`: the files in which a tenant's credentials are kept, and how far their rotation is.
//!
//! ```text
//! secrets_dir/acme/token.current   the one in use
//!                  token.next      the one to come, beside it until every reader has it
//!                  token.prev      the one before, until it is revoked
//!                  slack.current   further credentials, by their name
//! ```
//!
//! `look` opens folders and files without following links and without waiting; `judge` decides from what was seen and
//! the time. Of a value only its keyed fingerprint is ever held: the bytes live in `look::read` and nowhere else.
//!
//! Dates are the modification time, which a rename keeps: a promoted token is as old as its secret. The change time
//! would be renewed by every `chmod` of a configuration manager, so that nothing ever grew old.

use super::Ask;
use crate::account;
use crate::clock;
use crate::config::Posture;
use crate::probe::declaration::{TenantTarget, Tokens};
use crate::words::{Cause, Finding};

mod content;
mod exposed;
mod judge;
mod look;
mod prints;
mod seen;

pub use judge::{Known, judge};
pub use prints::{Print, Prints, Shared};
pub use seen::{Content, Credential, File, Folder, Found, Guard, Kept, Seen};

/// Asks once.
pub async fn ask(tokens: &Tokens, posture: Posture, ask: &Ask<'_>) -> Finding {
    let Some(tenant) = ask.tenant() else {
        let why = "a probe of kind tokens asks tenants: say `scope: tenant`";
        return Finding::unknown(Cause::Misconfigured, why);
    };
    let work = {
        let (tenant, fingerprints) = (tenant.clone(), ask.means.fingerprints.clone());
        move || {
            let mut seen = look::look(&tenant, &fingerprints);
            let owners = owners(&tenant, &mut seen);
            seen.notes.extend(fingerprints.trouble().map(str::to_owned));
            (seen, owners)
        }
    };
    let (mut seen, owners) = match ask.one("tokens", work).await {
        Ok(looked) => looked,
        Err(lost) => return lost.finding("looking at the tenant's credentials"),
    };
    let now = clock::now();
    let prints = &ask.means.prints;
    let shared = match seen.is_complete() {
        true => prints.compare(&tenant.name, seen.prints()),
        false => Vec::new(),
    };
    if let Some(count) = prints.missed(&tenant.name, seen.credentials.len(), seen.troubles.is_empty(), now.at) {
        seen.miss(count);
    }
    let link = tenant.link.as_ref().filter(|link| link.connected);
    let known = Known {
        strict: posture == Posture::Strict,
        owners: &owners,
        public_listener: exposed::public_listener(&tenant.listeners),
        in_use: link.and_then(|link| link.token),
        shared: &shared,
    };
    judge(tokens, &seen, &known, now.wall)
}

/// Whose files are believed: root's, ours, the tenant's user's.
fn owners(tenant: &TenantTarget, seen: &mut Seen) -> Vec<u32> {
    let mut owners = vec![0, account::own_uid()];
    if let Some(user) = &tenant.user {
        match account::by_name(user) {
            Ok(Some(account)) => owners.push(account.uid),
            Ok(None) => seen.notes.push(format!("this host knows no user {user}")),
            Err(error) => seen
                .notes
                .push(format!("the user {user} could not be looked up: {error}")),
        }
    }
    owners
}

#[cfg(test)]
mod tests;
