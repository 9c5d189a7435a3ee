//! An authority of a spec's own, and certificates by it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};

/// Signs for `localhost`, `127.0.0.1` and the node `mac-3`.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    dir: PathBuf,
}

impl Authority {
    /// Its own certificate is at [`Authority::file`].
    pub fn new(dir: &Path) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named("an authority of this spec");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(dir.join("ca.pem"), pem("CERTIFICATE", issuer.der())).unwrap();
        Authority {
            issuer,
            dir: dir.to_owned(),
        }
    }

    pub fn file(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Writes a new pair to `tls.pem` and `tls.key`, in the way of certbot: one after the other.
    pub fn issue(&self) -> (PathBuf, PathBuf) {
        self.issue_until(2099)
    }

    pub fn issue_until(&self, year: i32) -> (PathBuf, PathBuf) {
        let names = ["localhost", "127.0.0.1", "mac-3"].map(str::to_owned);
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = named("mac-3");
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (cert_file, key_file) = (self.dir.join("tls.pem"), self.dir.join("tls.key"));
        let chain = [certificate.der(), self.issuer.der()].map(|der| pem("CERTIFICATE", der));
        put(&cert_file, &chain.concat(), 0o644);
        put(&key_file, &pem("PRIVATE KEY", &key.serialize_der()), 0o600);
        (cert_file, key_file)
    }
}

/// `rcgen` gives everybody the same name, and OpenSSL takes a certificate by its own name for a self-signed one.
fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

/// RFC 7468. `rcgen` does it with two more crates.
fn pem(label: &str, der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::new();
    for three in der.chunks(3) {
        let bits = (0..3).fold(0, |bits, at| {
            bits << 8 | usize::from(three.get(at).copied().unwrap_or(0))
        });
        let digit = |at: usize| match at <= three.len() {
            true => DIGITS[bits >> (18 - 6 * at) & 63],
            false => b'=',
        };
        text.extend((0..4).map(digit));
    }
    let lines: Vec<String> = text
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// In one step, as a file of this mode.
pub fn put(path: &Path, text: &str, mode: u32) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(mode)).unwrap();
    fs::rename(&next, path).unwrap();
}
