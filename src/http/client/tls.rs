//! Shell: whom an outgoing TLS connection trusts. CA bundles are read anew for each connection, so
//! that a renewed bundle needs no restart; probes that use them are few and slow.
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::FetchError;
use crate::config::files;

/// A CA bundle; the largest of the systems below has 0.3 MiB.
const BUNDLE_BYTES_MAX: usize = 8 << 20;

/// Whose certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those of this system's CA bundle.
    Roots,
    /// Those that an authority of this file (PEM) signed.
    Authorities(PathBuf),
    /// Any: a gateway on loopback serves a self-signed one, and the path to it crosses no network.
    Any,
}

/// Where systems keep their bundle; the first that holds a certificate is used.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",                // Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",                  // Fedora, RHEL
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", // RHEL, newer
    "/etc/ssl/ca-bundle.pem",                            // SUSE
    "/etc/ssl/cert.pem",                                 // macOS, BSD
    "/opt/homebrew/etc/ca-certificates/cert.pem",        // Homebrew
];

pub(super) async fn connector(trust: &Trust) -> Result<TlsConnector, FetchError> {
    let provider = rustls::crypto::ring::default_provider();
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let builder = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Tls(error.to_string()))?;
    let mut config = match trust {
        Trust::Any => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(schemes)))
            .with_no_client_auth(),
        Trust::Roots => {
            let roots = tokio::task::spawn_blocking(system_roots)
                .await
                .map_err(|_| no_roots(&BUNDLES))??;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
        Trust::Authorities(path) => {
            let bundle = [path.clone()];
            let roots = tokio::task::spawn_blocking(move || roots_of(&bundle))
                .await
                .map_err(|_| no_roots(&[path]))??;
            builder.with_root_certificates(roots).with_no_client_auth()
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

pub(super) fn server_name(host: &str) -> Result<ServerName<'static>, FetchError> {
    ServerName::try_from(host.to_owned()).map_err(|_| FetchError::Url {
        url: host.into(),
        why: "not a host name that a certificate could bear",
    })
}

/// The authorities of this system. Blocks.
///
/// # Errors
/// [`FetchError::NoRoots`].
pub fn system_roots() -> Result<RootCertStore, FetchError> {
    roots_of(&BUNDLES)
}

/// Those of the first file (PEM) that holds any. Blocks.
///
/// # Errors
/// [`FetchError::NoRoots`].
pub fn roots_of(bundles: &[impl AsRef<Path>]) -> Result<RootCertStore, FetchError> {
    for path in bundles {
        let Ok(pem) = files::read(path.as_ref(), BUNDLE_BYTES_MAX) else {
            continue;
        };
        let mut roots = RootCertStore::empty();
        // A bundle may hold a few certificates that are too odd to parse; the others still count.
        roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        if !roots.is_empty() {
            return Ok(roots);
        }
    }
    Err(no_roots(bundles))
}

fn no_roots(bundles: &[impl AsRef<Path>]) -> FetchError {
    let tried: Vec<_> = bundles.iter().map(|path| path.as_ref().display().to_string()).collect();
    FetchError::NoRoots {
        tried: tried.join(", "),
    }
}

/// Believes any certificate and any signature: odd ones (version 1, short keys) too. What is not
/// identified cannot be proven either, and a probe that is picky calls a working gateway down.
#[derive(Debug)]
struct AnyCertificate(Vec<SignatureScheme>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}
