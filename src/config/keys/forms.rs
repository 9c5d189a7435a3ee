//! Texts of a certain form: names, addresses, modes, paths.

use std::net::SocketAddr;

use crate::config::shape::Word;
use crate::ingest::endpoint;
use crate::link::place::{Address, Fingerprint};
use crate::link::protocol::WORD_BYTES_MAX;
use crate::probe::allowed::Allowed;
use crate::words::{ProbeName, TenantName, text};

pub const TENANT_NAME: Word = Word {
    expected: "a tenant's name ([a-z0-9][a-z0-9._-]{0,63})",
    is: |text| TenantName::parse(text).is_some(),
    pattern: Some("^[a-z0-9][a-z0-9._-]{0,63}$"),
};

/// Whom a peer may report for.
pub const PEER_TENANT: Word = Word {
    expected: "a tenant's name, or \"*\" for every tenant",
    is: |text| text == ANY_TENANT || TenantName::parse(text).is_some(),
    pattern: Some("^(\\*|[a-z0-9][a-z0-9._-]{0,63})$"),
};
pub const ANY_TENANT: &str = "*";

pub const PROBE_NAME: Word = Word {
    expected: "a probe's name ([a-z0-9][a-z0-9-]{0,31})",
    is: |text| ProbeName::parse(text).is_some(),
    pattern: Some("^[a-z0-9][a-z0-9-]{0,31}$"),
};

/// What stands before `.current` in the name of a credential's file.
pub const CREDENTIAL_CLASS: Word = Word {
    expected: "a credential's name ([A-Za-z0-9][A-Za-z0-9._-]{0,63})",
    is: crate::probe::declaration::Tokens::is_class,
    pattern: Some("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"),
};

pub const NODE_NAME: Word = Word {
    expected: "a host's name (letters, digits, . _ -; at most 253 bytes)",
    is: |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=253).contains(&text.len()) && text.bytes().all(word)
    },
    pattern: Some("^[A-Za-z0-9._-]{1,253}$"),
};

pub const LABEL: Word = Word {
    expected: "a label's name (letters, digits, . _ - /; at most 128 bytes)",
    is: |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/');
        (1..=128).contains(&text.len()) && text.bytes().all(word)
    },
    pattern: Some("^[A-Za-z0-9._/-]{1,128}$"),
};

pub const ADDRESS: Word = Word {
    expected: "an address such as 127.0.0.1:9099 or [::1]:9099",
    is: |text| text.parse::<SocketAddr>().is_ok(),
    pattern: None,
};

pub const MODE: Word = Word {
    expected: "a file mode in octal such as \"0660\"",
    is: |text| crate::config::raw::mode(text).is_some(),
    pattern: Some("^0?o?[0-7]{3}$"),
};

pub const USER: Word = Word {
    expected: "a user or group name",
    is: |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let starts = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        starts && text.len() <= 32 && text.bytes().all(word)
    },
    pattern: Some("^[A-Za-z_][A-Za-z0-9_.-]{0,31}$"),
};

pub const UID: Word = Word {
    expected: "a numeric user id",
    is: |text| text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u32>().is_ok(),
    pattern: Some("^[0-9]{1,10}$"),
};

/// OpenClaw's own rule for `--profile`; it also keeps an option from being smuggled in.
pub const PROFILE: Word = Word {
    expected: "a profile's name ([A-Za-z0-9][A-Za-z0-9_-]{0,63})",
    is: |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        starts && text.len() <= 64 && text.bytes().all(word)
    },
    pattern: Some("^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"),
};

pub const PATH_WORD: Word = Word {
    expected: "a path",
    is: is_path,
    pattern: None,
};

pub const ABSOLUTE_PATH: Word = Word {
    expected: "an absolute path (it begins with /)",
    is: |text| text.starts_with('/') && is_path(text),
    pattern: Some("^/"),
};

pub const DIGEST_SOURCE: Word = Word {
    expected: "`local`, or another node's digest such as http://10.0.0.7:9099/v1/webhook-digest (without user and query)",
    is: |text| text == "local" || crate::config::raw::is_origin_url(text),
    pattern: Some("^(local|https?://[^@?#]+)$"),
};

/// 100% would have no budget that could be used up, 0% nothing to keep.
pub const SLO_TARGET: Word = Word {
    expected: "a share above 0% and below 100%, such as 99.5%",
    is: |text| crate::config::units::share(text).is_some_and(|share| 0.0 < share && share < 1.0),
    pattern: Some("^[0-9]{1,2}(\\.[0-9]+)?%$"),
};

pub const GATEWAY_ADDRESS: Word = Word {
    expected: "a gateway's address such as wss://gateway.example:18789 or ws://127.0.0.1:18789 (no user, path or query)",
    is: |text| Address::parse(text).is_some(),
    pattern: Some("^wss?://[^/@?# ]+:[0-9]{1,5}/?$"),
};

pub const CERTIFICATE_FINGERPRINT: Word = Word {
    expected: "the SHA-256 of a certificate (sha256: and 64 hexadecimal digits)",
    is: |text| Fingerprint::parse(text).is_some(),
    pattern: Some("^([Ss][Hh][Aa]256[:/])?([0-9A-Fa-f]{2}:?){32}$"),
};

pub const VARIABLE: Word = Word {
    expected: "a variable's name ([A-Za-z_][A-Za-z0-9_]*)",
    is: crate::config::env_file::is_variable,
    pattern: Some("^[A-Za-z_][A-Za-z0-9_]*$"),
};

pub const ENDPOINT: Word = Word {
    expected: "an endpoint's id or URL of at most 512 bytes",
    is: |text| {
        let clean = !text.chars().any(text::is_harmful);
        clean && text.len() <= endpoint::ENDPOINT_BYTES_MAX && endpoint::stored(text).is_some()
    },
    pattern: None,
};

/// As OpenClaw knows it; longer ones are cut by the link as well.
pub const JOB_NAME: Word = Word {
    expected: "a job's name or id of 1 to 128 printable bytes",
    is: |text| {
        let clean = !text.chars().any(text::is_harmful);
        clean && !text.trim().is_empty() && text.len() <= WORD_BYTES_MAX
    },
    pattern: None,
};

pub const FRAGMENT_ADDRESS: Word = Word {
    expected: "a listener such as 127.0.0.1:18789 or localhost:18789",
    is: |text| {
        let Some((host, port)) = text.rsplit_once(':') else {
            return false;
        };
        let clean = !host.is_empty() && !host.contains(['@', '/', ' ']) && host.len() <= 253;
        clean && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
    },
    pattern: Some("^[^@/ ]+:[0-9]{1,5}$"),
};

pub const LISTENING: Word = Word {
    expected: "loopback, private, any, or an address such as 192.0.2.7, 192.0.2.7:18789 or [::1]:18789",
    is: |text| Allowed::parse(text).is_some(),
    pattern: None,
};

pub const FRAGMENT_NAME: Word = Word {
    expected: "a name ([A-Za-z0-9._-], at most 64)",
    is: |text| {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        (1..=64).contains(&text.len()) && text.bytes().all(word)
    },
    pattern: Some("^[A-Za-z0-9._-]{1,64}$"),
};

fn is_path(text: &str) -> bool {
    !text.is_empty() && text.len() <= 4096 && !text.contains('\0')
}
