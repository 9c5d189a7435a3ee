//! What a certificate says of itself. Pure.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::link::place::Fingerprint;
use crate::words::Wall;

/// Names that are shown of one certificate.
const NAMES_MAX: usize = 8;
/// Certificates that are read of one file or one peer; a chain has three or four.
pub const CHAIN_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub der: CertificateDer<'static>,
    pub not_before: Wall,
    pub not_after: Wall,
    /// `CN=openclaw-gateway`.
    pub subject: String,
    pub issuer: String,
    /// Whom it is for: DNS names and addresses of its subjectAltName.
    pub names: Vec<String>,
    /// Its issuer is its subject: nobody else vouches for it.
    pub is_self_issued: bool,
}

impl Certificate {
    /// # Errors
    /// It is no X.509 certificate, as a sentence after its place.
    pub fn parse(der: CertificateDer<'static>) -> Result<Certificate, String> {
        let (rest, read) = X509Certificate::from_der(&der).map_err(|_| "is no X.509 certificate".to_owned())?;
        if !rest.is_empty() {
            return Err("has bytes behind its certificate".to_owned());
        }
        let wall = |time: x509_parser::time::ASN1Time| Wall::from_millis(time.timestamp().saturating_mul(1000));
        let validity = read.validity();
        let names = read.subject_alternative_name().ok().flatten();
        let names = names.map(|extension| {
            extension
                .value
                .general_names
                .iter()
                .filter_map(name)
                .take(NAMES_MAX)
                .collect()
        });
        Ok(Certificate {
            not_before: wall(validity.not_before),
            not_after: wall(validity.not_after),
            subject: shown(&read.subject().to_string()),
            issuer: shown(&read.issuer().to_string()),
            names: names.unwrap_or_default(),
            is_self_issued: read.subject().as_raw() == read.issuer().as_raw(),
            der,
        })
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }
}

/// The certificates of a PEM file, in order; keys and whatever else stands there are left alone.
///
/// # Errors
/// There is none, or the first, which is the one that counts, is none.
pub fn of_pem(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let mut found = Vec::new();
    for der in CertificateDer::pem_slice_iter(pem).take(CHAIN_MAX) {
        let Ok(der) = der else {
            break;
        };
        match Certificate::parse(der) {
            Ok(certificate) => found.push(certificate),
            Err(why) if found.is_empty() => return Err(why),
            // What follows it may be of a kind that is not known here.
            Err(_) => {}
        }
    }
    match found.is_empty() {
        true => Err("holds no certificate (PEM)".to_owned()),
        false => Ok(found),
    }
}

/// Names come from the peer: one line of them, no more.
fn shown(name: &str) -> String {
    match name.is_empty() {
        true => "nobody".to_owned(),
        false => crate::words::text::clean_line(name, 128),
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(std::net::IpAddr::from);
            let v6 = <[u8; 16]>::try_from(*bytes).map(std::net::IpAddr::from);
            v4.or(v6).ok().map(|ip| ip.to_string())
        }
        _ => None,
    }
}
