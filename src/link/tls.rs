//! Shell: whom a link over TLS trusts.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::place::{Fingerprint, Trust};
use crate::http::client::{roots_of, system_roots};

/// Reads the authorities anew, so that a renewed file needs no restart. Blocks.
pub(super) fn connector(trust: &Trust) -> Result<TlsConnector, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = match trust {
        Trust::System => builder
            .with_root_certificates(system_roots().map_err(|error| error.to_string())?)
            .with_no_client_auth(),
        Trust::Authorities(path) => builder
            .with_root_certificates(roots_of(&[path]).map_err(|error| error.to_string())?)
            .with_no_client_auth(),
        Trust::Pinned(fingerprint) => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Pin {
                fingerprint: *fingerprint,
                algorithms,
            }))
            .with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Why a handshake failed, with the next step where the certificate is why.
pub(super) fn failure(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) => other.to_string(),
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            "nobody who is trusted signed the certificate: give the tenant's gateway_fingerprint or gateway_ca_file"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the certificate is not the pinned one, it is {0}: if that is meant, set gateway_fingerprint")]
struct NotPinned(Fingerprint);

/// The certificate by its fingerprint, and that the peer holds its key.
#[derive(Debug)]
struct Pin {
    fingerprint: Fingerprint,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pin {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match Fingerprint::of(end_entity) {
            seen if seen == self.fingerprint => Ok(ServerCertVerified::assertion()),
            seen => Err(CertificateError::Other(OtherError(Arc::new(NotPinned(seen)))).into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
