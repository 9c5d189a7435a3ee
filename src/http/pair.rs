//! Shell: the certificate that `listen` is served with, and its key, read again when their files change.
//!
//! Invariant: a pair is served only when it is whole: the chain parses, the key is the certificate's, and nobody else
//! could have read the key. A new pair that is not so leaves the old one in service.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{InconsistentKeys, ServerConfig};

use crate::config::Tls;
use crate::config::files::{self, Stamp};
use crate::config::touched::Settling;
use crate::probe::kind::tls::certificate::{CHAIN_MAX, Certificate};
use crate::words::Wall;

/// A certificate with its chain has a few KiB; a key of 8 192 bits has 6.
const FILE_BYTES_MAX: usize = 256 << 10;
/// Fewer days than this are told of: the limits of the check `certificate`.
const DAYS_WARN: i64 = 21;
const DAY_MILLIS: i64 = 86_400_000;

/// A certificate with its key, ready to be served.
#[derive(Clone, Debug)]
pub struct Pair {
    pub config: Arc<ServerConfig>,
    /// As sent: the host's own first.
    chain: Vec<Certificate>,
}

/// What is served, and what its files were when they were last read.
#[derive(Debug)]
pub struct PairFiles {
    tls: Tls,
    stamps: Settling<[Option<Stamp>; 2]>,
    pair: Pair,
    /// Why the files as they are now are not served.
    refused: Option<String>,
}

impl Pair {
    /// Reads both files. Blocks.
    ///
    /// # Errors
    /// What is wrong with which file, and what to do.
    pub fn read(tls: &Tls) -> Result<Pair, String> {
        let of_certificate = |why: String| format!("tls.cert_file {} {why}", tls.cert_file.display());
        let of_key = |why: String| format!("tls.key_file {} {why}", tls.key_file.display());
        let chain = chain(&tls.cert_file).map_err(of_certificate)?;
        let key = key(&tls.key_file).map_err(of_key)?;
        let served = chain.iter().map(|certificate| certificate.der.clone()).collect();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        // TLS 1.2 and 1.3.
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(served, key)
            .map_err(|error| match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => of_key(format!(
                    "is not the key of the certificate in {}",
                    tls.cert_file.display()
                )),
                error => of_key(format!("cannot be used: {error}")),
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Pair {
            config: Arc::new(config),
            chain,
        })
    }

    /// What clients will object to, now or soon.
    pub fn remarks(&self, now: Wall) -> Vec<String> {
        let mut remarks = Vec::new();
        if let Some(own) = self.chain.first() {
            let (from, to) = (own.not_before.rfc3339(), own.not_after.rfc3339());
            if now < own.not_before {
                remarks.push(format!("the certificate of `listen` is not valid before {from}"));
            } else if now >= own.not_after {
                remarks.push(format!("the certificate of `listen` expired at {to}"));
            } else {
                let days = own.not_after.millis_since(now) / DAY_MILLIS;
                if days < DAYS_WARN {
                    remarks.push(format!("the certificate of `listen` expires in {days} days, at {to}"));
                }
            }
        }
        for (index, (below, above)) in self.chain.iter().zip(self.chain.iter().skip(1)).enumerate() {
            if below.issuer != above.subject {
                remarks.push(format!(
                    "certificate {} of tls.cert_file is not by the one that follows it: the host's own comes first, each \
                     after that issued the one before",
                    index + 1
                ));
                break;
            }
        }
        remarks
    }

    fn ends(&self) -> String {
        let own = self.chain.first();
        own.map(|own| own.not_after.rfc3339()).unwrap_or_default()
    }
}

impl PairFiles {
    /// # Errors
    /// As [`Pair::read`].
    pub fn begin(tls: &Tls) -> Result<PairFiles, String> {
        let stamps = stamps(tls);
        Ok(PairFiles {
            pair: Pair::read(tls)?,
            stamps: Settling::new(stamps),
            tls: tls.clone(),
            refused: None,
        })
    }

    pub fn pair(&self) -> &Pair {
        &self.pair
    }

    /// Looks at the files of `tls`, and reads them when they have changed and stand still, or were refused: of a pair that
    /// is replaced, one file is new before the other. Whether there is a new pair to serve.
    pub fn look(&mut self, tls: &Tls) -> bool {
        // Before they are read: what changes in between is noticed the next time.
        let now = stamps(tls);
        if self.tls != *tls {
            self.tls = tls.clone();
            self.stamps = Settling::new(now);
        } else if self.stamps.look(&now).is_none() && self.refused.is_none() {
            return false;
        }
        match Pair::read(tls) {
            Ok(pair) => {
                tracing::info!(ends = pair.ends(), "a new certificate is served");
                self.pair = pair;
                self.refused = None;
                true
            }
            Err(why) => {
                self.refused = Some(why);
                false
            }
        }
    }

    /// What an operator should know.
    pub fn troubles(&self, now: Wall) -> Vec<String> {
        let kept = |why: &String| format!("{why}; the certificate that ends {} stays in service", self.pair.ends());
        let mut troubles: Vec<String> = self.refused.iter().map(kept).collect();
        troubles.extend(self.pair.remarks(now));
        troubles
    }
}

fn stamps(tls: &Tls) -> [Option<Stamp>; 2] {
    [&tls.cert_file, &tls.key_file].map(|path| files::stamp(path))
}

fn chain(path: &Path) -> Result<Vec<Certificate>, String> {
    let pem = files::read(path, FILE_BYTES_MAX)?;
    let mut chain = Vec::new();
    for der in CertificateDer::pem_slice_iter(&pem) {
        let der = der.map_err(|error| format!("is no PEM: {error}"))?;
        chain.push(Certificate::parse(der).map_err(|why| format!("{why} (number {})", chain.len() + 1))?);
    }
    match chain.len() {
        0 => Err("holds no certificate (PEM)".to_owned()),
        1..=CHAIN_MAX => Ok(chain),
        _ => Err(format!(
            "holds more than {CHAIN_MAX} certificates: no bundle of authorities is meant"
        )),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let secret = files::read_secret(path, FILE_BYTES_MAX)?;
    if secret.is_open_to_all {
        return Err("can be read by everybody on this host; run chmod o-rwx on it".to_owned());
    }
    PrivateKeyDer::from_pem_slice(&secret.bytes)
        .map_err(|_| "holds no private key (PEM) that needs no passphrase".to_owned())
}
