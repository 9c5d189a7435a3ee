//! What of the configuration lets the network see too little, or hear too much. Pure.

use super::{Config, Digest};

/// What the network is shown, or could overhear.
pub fn access_warning(config: &Config) -> Option<String> {
    let listen = config.listen;
    match (&config.token_file, &config.tls) {
        _ if listen.ip().is_loopback() => None,
        (None, _) => Some(format!(
            "listen {listen} is not loopback and there is no `token_file`: it gives the bare verdict and nothing else"
        )),
        (Some(_), None) => Some(format!(
            "listen {listen} is not loopback and has no `tls`: whoever hears the network learns the bearer of \
             `token_file`; give `tls: {{cert_file, key_file}}`, or listen on loopback behind a proxy that ends TLS"
        )),
        (Some(_), Some(_)) => None,
    }
}

/// What another node is asked with in vain, or what could be overheard.
pub fn source_warnings(digest: &Digest) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |text: &str| warnings.push(text.to_owned());
    let Some(source) = &digest.source else {
        for (key, file) in [
            ("source_token_file", &digest.source_token_file),
            ("source_ca_file", &digest.source_ca_file),
        ] {
            if file.is_some() {
                warn(&format!("digest.{key} is not used: digest.source is local"));
            }
        }
        return warnings;
    };
    let plain = source.strip_prefix("http://");
    if digest.source_ca_file.is_some() && plain.is_some() {
        warn("digest.source_ca_file is not used: digest.source is no https:// URL");
    }
    let host = plain.and_then(|rest| rest.split('/').next()).and_then(host_of);
    if digest.source_token_file.is_some() && host.is_some_and(|host| !is_this_host(host)) {
        warn(
            "digest.source is plain http on another host: whoever hears the network learns the bearer of digest.source_token_file; use https://",
        );
    }
    warnings
}

/// `mac-1:9099` → `mac-1`, `[::1]:9099` → `::1`.
fn host_of(authority: &str) -> Option<&str> {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    }
}

fn is_this_host(host: &str) -> bool {
    let ip = host.parse::<std::net::IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
}
