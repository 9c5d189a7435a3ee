//! Shell: kind `tls`: what is served to who shakes hands, whether it is believed, how long it lasts, and whether it is
//! what lies in the file behind it.

use std::path::PathBuf;
use std::time::Duration;

use tokio::task::JoinSet;

use super::Ask;
use super::part::Part;
use crate::clock;
use crate::probe::declaration::Tls;
use crate::words::{Cause, Finding};
use handshake::shake_hands;
use judge::{Seen, Site, Trusted, Visit};

pub(crate) mod certificate;
mod ground;
mod handshake;
mod judge;
mod trust;

/// Asks once: files first, then every address at the same time; its patience bounds all of it.
pub async fn ask(tls: &Tls, ask: &Ask<'_>) -> Finding {
    let began = clock::instant();
    let left = || ask.patience.saturating_sub(clock::instant().since(began));
    let mut wanted = match wanted(tls, ask).await {
        Ok(wanted) => wanted,
        Err(finding) => return finding,
    };
    let misread = std::mem::take(&mut wanted.misread);
    let ground = match ask.one("certificate files", move || ground::look(wanted)).await {
        Ok(ground) => ground,
        Err(lost) => return lost.finding("reading the certificate files"),
    };
    let visits = visit(ground.sites, left()).await;
    let seen = Seen {
        visits,
        file: ground.file,
        trust: ground.trust,
        notes: ground.notes,
        misread,
    };
    judge::judge(tls, &seen, clock::wall())
}

/// The declaration with the tenant's values, before any file is read.
async fn wanted(tls: &Tls, ask: &Ask<'_>) -> Result<ground::Wanted, Finding> {
    let mut wanted = ground::Wanted {
        tenant: ask.tenant().cloned(),
        home: ask.means.home.clone(),
        ..ground::Wanted::default()
    };
    for address in &tls.addresses {
        let address = ask.fill(address).await?;
        match super::tcp::split(&address) {
            Some((host, port)) => wanted.sites.push(Site {
                host: host.to_owned(),
                port,
                address: address.clone(),
                trusted: Trusted::ByAuthority,
                may_be_plain: false,
            }),
            None => {
                let why = "is not host:port; correct the probe's addresses";
                wanted.misread.push(Part::unknown(Cause::Misconfigured, address, why));
            }
        }
    }
    wanted.is_own = tls.addresses.is_empty();
    wanted.ca_file = filled(tls.ca_file.as_deref(), ask).await?;
    wanted.certificate_file = filled(tls.certificate_file.as_deref(), ask).await?;
    Ok(wanted)
}

async fn filled(template: Option<&str>, ask: &Ask<'_>) -> Result<Option<PathBuf>, Finding> {
    match template {
        Some(template) => ask.fill(template).await.map(|path| Some(PathBuf::from(path))),
        None => Ok(None),
    }
}

/// All sites at once, in their order.
async fn visit(sites: Vec<Site>, patience: Duration) -> Vec<Visit> {
    // Ends with this future: no handshake outlives its ask.
    let mut visiting = JoinSet::new();
    for (index, site) in sites.into_iter().enumerate() {
        visiting.spawn(async move {
            let served = shake_hands(&site.host, site.port, patience).await;
            (index, Visit { site, served })
        });
    }
    let mut visits: Vec<_> = visiting.join_all().await;
    visits.sort_by_key(|(index, _)| *index);
    visits.into_iter().map(|(_, visit)| visit).collect()
}

#[cfg(test)]
mod tests;
