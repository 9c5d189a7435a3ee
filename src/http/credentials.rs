//! Shell: what a public listener is known by and knows its callers by (certificate, bearer), looked at every second.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix_web::rt;
use actix_web::web::Data;

use super::off_loop::off_loop;
use super::pair::PairFiles;
use super::site::Site;
use super::token::TokenFile;
use crate::clock;

const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);

/// The files of one listener, as they were last read.
#[derive(Debug)]
pub(super) struct Credentials {
    /// Loopback listeners have no bearer.
    wants_bearer: bool,
    token: TokenFile,
    /// `None`: it is served in the clear. That is decided at the start.
    pair: Option<PairFiles>,
    told: Vec<String>,
}

impl Credentials {
    /// Reads what there is, for the first time.
    ///
    /// # Errors
    /// A certificate is wanted and there is none that could be served: nothing is served in the clear instead.
    pub(super) fn begin(site: &Site, listen: SocketAddr) -> io::Result<Credentials> {
        let tls = site.parts.access.load().tls.clone();
        let pair = tls
            .as_ref()
            .map(PairFiles::begin)
            .transpose()
            .map_err(io::Error::other)?;
        site.tls
            .store(pair.as_ref().map(|files| Arc::clone(&files.pair().config)));
        let mut credentials = Credentials {
            wants_bearer: !listen.ip().is_loopback(),
            token: TokenFile::default(),
            pair,
            told: Vec::new(),
        };
        credentials.look(site);
        Ok(credentials)
    }

    /// Keeps the site's copies as the files are, for ever. A look that hangs in a dead mount leaves them as they were.
    pub(super) async fn keep(self, site: Data<Site>) {
        if !self.wants_bearer && self.pair.is_none() {
            return;
        }
        // Handed on before there is a thread to look: without one, it looks the next time.
        let kept = Arc::new(Mutex::new(self));
        let mut is_looked_at = true;
        loop {
            rt::time::sleep(LOOKED_AT_EVERY).await;
            let (seen, looking) = (site.clone(), Arc::clone(&kept));
            let looked = off_loop(move || looking.lock().unwrap_or_else(PoisonError::into_inner).look(&seen));
            let looked = looked.await;
            if let (Err(undone), true) = (&looked, is_looked_at) {
                tracing::warn!(%undone, "certificate and bearer are not looked at");
            }
            is_looked_at = looked.is_ok();
        }
    }

    fn look(&mut self, site: &Site) {
        let access = site.parts.access.load();
        let mut troubles = Vec::new();
        if self.wants_bearer {
            let token = self.token.refresh(access.token_file.as_deref());
            let token = token.map(|token| token.map(|token| Arc::new(token.to_vec())));
            site.token.store(token.as_ref().ok().cloned().flatten());
            if let Err(why) = token {
                troubles.push(format!(
                    "{why}; until it can be read, `listen` answers nothing but the verdict"
                ));
            }
            troubles.extend(self.token.remark());
        }
        if let Some(pair) = &mut self.pair {
            if let Some(tls) = &access.tls
                && pair.look(tls)
            {
                site.tls.store(Some(Arc::clone(&pair.pair().config)));
            }
            troubles.extend(pair.troubles(clock::wall()));
        }
        if troubles != self.told && (site.parts.listen_troubles)(troubles.clone()) {
            for trouble in troubles.iter().filter(|trouble| !self.told.contains(trouble)) {
                tracing::warn!("{trouble}");
            }
            self.told = troubles;
        }
    }
}
