//! Shell: what must be known before the handshakes: where to, whom to believe, and which file lies behind.
//!
//! What the operator names is read as ourselves; what lies in the tenant's state directory is read as its user, where
//! we may become it, so that a link there leads no further than the tenant itself could go.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use super::certificate::of_pem;
use super::judge::{FileSeen, Site, Trusted};
use super::trust::Trust;
use crate::account;
use crate::config::files;
use crate::http::client::{roots_of, system_roots};
use crate::link::place::{Place, Trust as PlaceTrust};
use crate::link::token::CONFIG_BYTES_MAX;
use crate::probe::declaration::TenantTarget;
use crate::probe::kind::listener::port_here;
use crate::probe::kind::part::Part;
use crate::probe::kind::write::become_named;
use crate::probe::target::{config_file_of, state_dir_of};

/// A certificate with its chain has a few KiB.
const CERTIFICATE_BYTES_MAX: usize = 256 << 10;
/// A file of authorities; the largest bundle of a system has 0.3 MiB.
const AUTHORITIES_BYTES_MAX: usize = 8 << 20;

/// What is looked for.
#[derive(Debug, Default)]
pub struct Wanted {
    pub tenant: Option<TenantTarget>,
    /// Our own home.
    pub home: Option<PathBuf>,
    pub sites: Vec<Site>,
    /// No address was declared: the tenant's own gateway is meant.
    pub is_own: bool,
    pub ca_file: Option<PathBuf>,
    pub certificate_file: Option<PathBuf>,
    /// Addresses that are none.
    pub misread: Vec<Part>,
}

/// What was found.
#[derive(Debug)]
pub struct Ground {
    pub sites: Vec<Site>,
    pub file: Option<FileSeen>,
    /// Or why nobody can be believed.
    pub trust: Result<Trust, String>,
    pub notes: Vec<String>,
}

/// What OpenClaw's own config says of `gateway.tls`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Tls {
        /// `certPath`; `None`: the generated one's place.
        cert_path: Option<String>,
    },
    Plain,
    /// It is not known, or not in a form that is read here.
    Nothing,
}

/// Looks; blocks.
pub fn look(wanted: Wanted) -> Ground {
    let place_authorities = wanted
        .tenant
        .as_ref()
        .filter(|_| wanted.is_own)
        .and_then(authorities_of);
    let mut ground = Ground {
        trust: trust_of(place_authorities, wanted.ca_file.as_deref()),
        file: wanted.certificate_file.as_deref().map(|path| file_at(path, true)),
        sites: wanted.sites,
        notes: Vec::new(),
    };
    if let (true, Some(tenant)) = (wanted.is_own, &wanted.tenant) {
        own(tenant, wanted.home.as_deref(), &mut ground);
    }
    ground
}

/// The tenant's own gateway. From here on the thread is its user's, where it may be.
fn own(tenant: &TenantTarget, own_home: Option<&Path>, ground: &mut Ground) {
    let home = account::home_of(tenant.user.as_deref(), own_home);
    if let Some(user) = &tenant.user {
        become_named(user);
    }
    let said = || match config_file_of(&tenant.instance, home.as_deref()) {
        Some(path) => files::read(&path, CONFIG_BYTES_MAX).map_or(Said::Nothing, |bytes| said_by(&bytes)),
        None => Said::Nothing,
    };
    let place = tenant.place.as_ref();
    if let Some((place, trust)) = place.and_then(|place| Some((place, place.trust()?))) {
        let address = place.address();
        ground.sites.push(Site {
            address: bracketed(&address.host, address.port),
            host: address.host.clone(),
            port: address.port,
            trusted: match trust {
                PlaceTrust::Pinned(fingerprint) => Trusted::Pinned(*fingerprint),
                PlaceTrust::System | PlaceTrust::Authorities(_) => Trusted::ByAuthority,
            },
            may_be_plain: false,
        });
        // Another port of this host is a proxy's, with a certificate of its own.
        let is_gateways = address.is_this_host() && tenant.port.is_none_or(|port| port == address.port);
        if is_gateways && let Said::Tls { cert_path } = said() {
            behind(cert_path, tenant, home.as_deref(), ground);
        }
        return;
    }
    let Some(port) = port_here(tenant) else {
        return;
    };
    let said = said();
    if said == Said::Plain {
        return;
    }
    ground.sites.push(Site {
        address: bracketed("127.0.0.1", port),
        host: "127.0.0.1".to_owned(),
        port,
        trusted: Trusted::ByFile,
        may_be_plain: said == Said::Nothing,
    });
    let cert_path = match said {
        Said::Tls { cert_path } => cert_path,
        Said::Plain | Said::Nothing => None,
    };
    behind(cert_path, tenant, home.as_deref(), ground);
}

/// The file that the gateway serves from, unless the declaration has named one.
fn behind(cert_path: Option<String>, tenant: &TenantTarget, home: Option<&Path>, ground: &mut Ground) {
    if ground.file.is_some() {
        return;
    }
    let path = match cert_path.as_deref() {
        None => state_dir_of(&tenant.instance, home).map(|state| state.join("gateway/tls/gateway-cert.pem")),
        Some(said) => match said.strip_prefix("~/") {
            Some(below) => home.map(|home| home.join(below)),
            None => Some(PathBuf::from(said)).filter(|path| path.is_absolute()),
        },
    };
    match (path, cert_path) {
        (Some(path), _) => ground.file = Some(file_at(&path, false)),
        (None, Some(_)) => {
            let note =
                "gateway.tls.certPath is not an absolute path: name the file as certificate_file to have it compared";
            ground.notes.push(note.to_owned());
        }
        (None, None) => {}
    }
}

fn file_at(path: &Path, is_declared: bool) -> FileSeen {
    FileSeen {
        path: path.to_owned(),
        is_declared,
        content: files::read(path, CERTIFICATE_BYTES_MAX).and_then(|pem| of_pem(&pem)),
    }
}

/// The authorities that a tenant's `gateway_ca_file` names: they alone are believed there, as by the link.
fn authorities_of(tenant: &TenantTarget) -> Option<&Path> {
    match tenant.place.as_ref().and_then(Place::trust) {
        Some(PlaceTrust::Authorities(path)) => Some(path),
        _ => None,
    }
}

fn trust_of(instead: Option<&Path>, more: Option<&Path>) -> Result<Trust, String> {
    let mut roots = match instead {
        Some(path) => roots_of(&[path]).map_err(|error| error.to_string())?,
        None => match system_roots() {
            Ok(roots) => roots,
            // What is named may be all that is needed.
            Err(_) if more.is_some() => RootCertStore::empty(),
            Err(error) => return Err(error.to_string()),
        },
    };
    let mut named = Vec::new();
    for path in [instead, more].into_iter().flatten() {
        let pem = files::read(path, AUTHORITIES_BYTES_MAX).map_err(|why| format!("{} {why}", path.display()))?;
        named.extend(CertificateDer::pem_slice_iter(&pem).map_while(Result::ok));
    }
    if more.is_some() && named.is_empty() {
        return Err("ca_file holds no certificate (PEM)".to_owned());
    }
    roots.add_parsable_certificates(named.iter().cloned());
    Ok(Trust { roots, named })
}

/// Reads `gateway.tls` of an `openclaw.json`. OpenClaw also takes JSON5 and includes; what is not plain JSON, or is
/// said elsewhere, says nothing here, and the port is asked instead.
pub fn said_by(config: &[u8]) -> Said {
    let Ok(Value::Object(config)) = serde_json::from_slice::<Value>(config) else {
        return Said::Nothing;
    };
    let (gateway, top) = (config.get("gateway"), Value::Object(config.clone()));
    let tls = gateway.and_then(|gateway| gateway.get("tls"));
    match tls.and_then(|tls| tls.get("enabled")) {
        Some(Value::Bool(true)) => Said::Tls {
            cert_path: tls.and_then(|tls| tls.get("certPath")?.as_str()).map(str::to_owned),
        },
        Some(Value::Bool(false)) => Said::Plain,
        Some(_) => Said::Nothing,
        None => {
            let includes = [Some(&top), gateway, tls];
            let is_elsewhere = includes
                .into_iter()
                .flatten()
                .any(|part| part.get("$include").is_some());
            match is_elsewhere {
                true => Said::Nothing,
                false => Said::Plain,
            }
        }
    }
}

fn bracketed(host: &str, port: u16) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}
