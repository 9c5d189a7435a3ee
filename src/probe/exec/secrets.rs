//! Shell: what the audit of secrets does not say: whether there is a configuration to audit, what its references are, and
//! whether the gateway serves while one of them does not resolve. None of it starts a process.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use super::{Place, off_thread};
use crate::account::Account;
use crate::config::{Posture, files};
use crate::link::token::CONFIG_BYTES_MAX;
use crate::probe::declaration::{Http, Instance, Order, Parse, Target};
use crate::probe::kind::{Ask, Means, http};
use crate::probe::parse::Said;
use crate::probe::parse::secrets::{self, Beside, Gateway, References, Seen};
use crate::probe::runner::NotStarted;
use crate::probe::target::config_file_of;
use crate::words::{Answer, Cause, Finding};

/// As the probe `gateway` waits.
const READYZ_WITHIN: Duration = Duration::from_secs(2);
const READYZ_BYTES_MAX: usize = 64 << 10;

/// Before the audit, which calls a missing configuration `clean`: without one there is nothing to be asked.
pub(super) async fn look(order: &Order, place: &Place) -> Result<Beside, NotStarted> {
    let Target::Tenant(tenant) = &order.target else {
        return Ok(Beside::default());
    };
    // A program of another name may audit another host.
    let instance = match place.identity {
        Some(_) => tenant.instance.clone(),
        None => Instance::Unknown,
    };
    let (env_file, as_its_user) = (tenant.env_file.is_some(), tenant.user.is_some());
    let (account, home) = (place.account.clone(), place.home.clone());
    let (config, references) = off_thread("its configuration", move || {
        match config_file_of(&instance, Some(&home)) {
            Some(path) => at(&path, account.as_ref()),
            None => Ok((Seen::Unseen, None)),
        }
    })
    .await?;
    Ok(Beside {
        config,
        references,
        gateway: Gateway::Unknown,
        env_file,
        as_its_user,
    })
}

/// After it.
pub(super) async fn judge(
    said: &Said<'_>,
    mut beside: Beside,
    order: &Order,
    posture: Posture,
    means: &Means,
) -> Finding {
    let audit = match secrets::read(said) {
        Ok(audit) => audit,
        Err(finding) => return finding,
    };
    if audit.is_unresolved() {
        beside.gateway = gateway(order, means).await;
    }
    secrets::judge(&audit, &beside, posture)
}

type Read = Option<Result<References, String>>;

fn at(path: &Path, account: Option<&Account>) -> Result<(Seen, Read), NotStarted> {
    let cannot = |why: String| NotStarted::new(Cause::Misconfigured, format!("{}: {why}", path.display()));
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => return Err(cannot("is no regular file, and so no configuration".to_owned())),
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(cannot(
                "there is no configuration, so that no reference can be audited".to_owned(),
            ));
        }
        // Who may run commands as another user may still be kept from that user's files, by a file server say.
        Err(error) if error.kind() == ErrorKind::PermissionDenied && account.is_some() => {
            return Ok((Seen::Unseen, None));
        }
        Err(error) => return Err(cannot(format!("cannot be looked at: {error}"))),
    }
    let owners: Vec<u32> = account.map(|account| account.uid).into_iter().collect();
    let read = files::read_guarded(path, OFlags::NOFOLLOW, &owners, CONFIG_BYTES_MAX)
        .map_err(|why| format!("{} {why}", path.display()))
        .and_then(|bytes| {
            // What a parser says of a configuration may quote it.
            let parsed = serde_json::from_slice(&bytes);
            parsed.map_err(|_| format!("{} is not plain JSON", path.display()))
        });
    Ok((Seen::Present, Some(read.map(|config| References::of(&config)))))
}

/// Whether the gateway serves: what the probe `gateway` would find now.
async fn gateway(order: &Order, means: &Means) -> Gateway {
    let Some(port) = (match &order.target {
        Target::Tenant(tenant) => tenant.port,
        Target::Node { .. } => None,
    }) else {
        return Gateway::Unknown;
    };
    let readyz = Http {
        url: format!("http://127.0.0.1:{port}/readyz"),
        parse: Parse::Readyz,
        insecure: false,
        body_bytes_max: READYZ_BYTES_MAX,
    };
    let ask = Ask {
        check: &order.check,
        target: &order.target,
        patience: READYZ_WITHIN,
        means,
    };
    let finding = http::ask(&readyz, &ask).await;
    match finding.answer {
        // Starting, or a channel of many: it takes traffic.
        Answer::Ok | Answer::Degraded => Gateway::Serves,
        Answer::Down => Gateway::Silent(finding.summary),
        Answer::Unknown => Gateway::Unclear(finding.summary),
    }
}
