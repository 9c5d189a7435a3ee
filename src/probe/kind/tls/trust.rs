//! Whether somebody who is believed vouches for a served certificate, and for which names. Pure: the time is given.

use std::time::Duration;

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};

use crate::words::Wall;

/// Who is believed.
#[derive(Clone, Debug)]
pub struct Trust {
    pub roots: RootCertStore,
    /// The certificates of the file of authorities: one that is served itself needs nobody to vouch for it.
    pub named: Vec<CertificateDer<'static>>,
}

/// Why a chain is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// No authority that is believed signed it, or what leads to one was not served.
    UnknownIssuer,
    /// One of its certificates has ended.
    Expired,
    /// Something else that a client refuses it for.
    Other(&'static str),
}

impl Trust {
    /// Whether the first of `chain` is believed at `at`, by way of the others. Names are another question.
    pub fn believes(&self, chain: &[CertificateDer<'_>], at: Wall) -> Result<(), Doubt> {
        let Some((served, between)) = chain.split_first() else {
            return Err(Doubt::UnknownIssuer);
        };
        if self.named.iter().any(|named| named == served) {
            return Ok(());
        }
        let parsed = ParsedCertificate::try_from(served).map_err(|error| doubt(&error))?;
        let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_secs()).unwrap_or(0)));
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, between, at, algorithms.all)
            .map_err(|error| doubt(&error))
    }
}

/// Whether `certificate` is for `host`, a DNS name or an address.
pub fn is_for(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let (Ok(parsed), Ok(name)) = (ParsedCertificate::try_from(certificate), ServerName::try_from(host)) else {
        return false;
    };
    verify_server_name(&parsed, &name).is_ok()
}

fn doubt(error: &rustls::Error) -> Doubt {
    let rustls::Error::InvalidCertificate(error) = error else {
        return Doubt::Other("its chain cannot be verified");
    };
    match error {
        CertificateError::UnknownIssuer => Doubt::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Doubt::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Doubt::Other("a certificate of its chain is not valid yet")
        }
        CertificateError::BadSignature => Doubt::Other("a signature of its chain is wrong"),
        CertificateError::BadEncoding => Doubt::Other("it is not encoded as clients read it"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Doubt::Other("it is not meant for servers")
        }
        // Of an authority's certificate that is served as a server's own.
        _ => Doubt::Other("clients refuse it (an authority's own certificate, or of a form that they do not know)"),
    }
}
