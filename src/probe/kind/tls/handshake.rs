//! Shell: one TLS handshake that believes whatever is served, and keeps it to be judged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::certificate::CHAIN_MAX;
use crate::clock;
use crate::http::client::{FetchError, Phase, connect};

/// What was served, itself first.
pub type Chain = Vec<CertificateDer<'static>>;

/// Why no certificate was seen.
#[derive(Debug)]
pub enum NoHandshake {
    /// What answers there speaks something else.
    NotTls,
    /// It shows a certificate and has not its key.
    Impostor,
    Failed(FetchError),
}

/// Connects, says whom it wants (SNI, when `host` is a name), and keeps what is served. A handshake that ends after
/// that, because the server wants to know us, say, has told all that is asked here.
///
/// # Errors
/// [`NoHandshake`], with the phase that was reached.
pub async fn shake_hands(host: &str, port: u16, patience: Duration) -> Result<Chain, NoHandshake> {
    let began = clock::instant();
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        NoHandshake::Failed(FetchError::Url {
            url: host.to_owned(),
            why: "not a host name that a certificate could bear",
        })
    })?;
    let stream = connect(host, port, patience).await.map_err(NoHandshake::Failed)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let keeper = Arc::new(Keeper {
        algorithms: provider.signature_verification_algorithms,
        served: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| NoHandshake::Failed(FetchError::Tls(error.to_string())))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&keeper) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    let left = patience.saturating_sub(clock::instant().since(began));
    let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let ended = match tokio::time::timeout(left, shaken).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(failure(error)),
        Err(_) => Some(NoHandshake::Failed(FetchError::TimedOut {
            timeout: patience,
            phase: Phase::Handshaking,
        })),
    };
    let served = std::mem::take(&mut *keeper.served.lock().unwrap_or_else(PoisonError::into_inner));
    match ended {
        Some(why) if served.is_empty() || matches!(why, NoHandshake::Impostor) => Err(why),
        _ => Ok(served),
    }
}

fn failure(error: std::io::Error) -> NoHandshake {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidMessage(_)) => NoHandshake::NotTls,
        Some(error) if *error == bad_signature() => NoHandshake::Impostor,
        _ => NoHandshake::Failed(FetchError::from_io(error)),
    }
}

fn bad_signature() -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::BadSignature)
}

/// Believes any certificate; the judge does not. That the peer holds its key is proven wherever the proof can be read:
/// odd certificates (version 1, short keys) cannot be, and are no less served.
#[derive(Debug)]
struct Keeper {
    algorithms: WebPkiSupportedAlgorithms,
    served: Mutex<Chain>,
}

impl ServerCertVerifier for Keeper {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = std::iter::once(end_entity).chain(intermediates).take(CHAIN_MAX);
        let chain = chain.map(|certificate| certificate.clone().into_owned()).collect();
        *self.served.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unless_forged(verify_tls12_signature(message, certificate, signed, &self.algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        unless_forged(verify_tls13_signature(message, certificate, signed, &self.algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn unless_forged(
    verified: Result<HandshakeSignatureValid, rustls::Error>,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    match verified {
        Err(error) if error == bad_signature() => Err(error),
        _ => Ok(HandshakeSignatureValid::assertion()),
    }
}
