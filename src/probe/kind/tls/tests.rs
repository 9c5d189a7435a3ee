//! Certificates that are made for the spec, and what is said of them.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::http::client::tests::pem;
use crate::words::Wall;

mod asking;
mod judging;

/// A year, a month and a day.
type Day = (i32, u8, u8);

const LONG_AGO: Day = (2020, 1, 1);
const FAR: Day = (2090, 1, 1);

/// A certificate with its key.
struct Made {
    der: CertificateDer<'static>,
    key: KeyPair,
    params: CertificateParams,
}

impl Made {
    fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    fn pem(&self) -> String {
        pem(&self.der)
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn params(common_name: &str, names: &[&str], (from, to): (Day, Day)) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(to.0, to.1, to.2);
    params
}

fn as_authority(mut params: CertificateParams) -> CertificateParams {
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn self_signed(params: CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.self_signed(&key).unwrap().der().clone();
    Made { der, key, params }
}

fn signed_by(authority: &Made, params: CertificateParams) -> Made {
    let key = KeyPair::generate().unwrap();
    let der = params.signed_by(&key, &authority.issuer()).unwrap().der().clone();
    Made { der, key, params }
}

fn root() -> Made {
    self_signed(as_authority(params("Root", &[], (LONG_AGO, FAR))))
}

/// As OpenClaw makes its own: an authority of itself, and for nobody by name.
fn gateways_own(to: Day) -> Made {
    self_signed(as_authority(params("openclaw-gateway", &[], (LONG_AGO, to))))
}

fn noon((year, month, day): Day) -> Wall {
    Wall::parse_rfc3339(&format!("{year:04}-{month:02}-{day:02}T12:00:00Z")).unwrap()
}
