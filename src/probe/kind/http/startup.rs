//! Shell: what a gateway of this host says of itself at `/startupz`: its version, and since when it runs.

use std::time::Duration;

use super::readyz::Startup as Words;
use super::{may_speak_tls, over_tls};
use crate::clock;
use crate::http::client::{Fetch, FetchError, Fetched, Trust, fetch};
use crate::link::place::Address;
use crate::words::{Cause, text};

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Startup {
    Says(Said),
    /// Nobody listens.
    NotRunning,
    /// What answers does not say these things: an older OpenClaw, or no OpenClaw.
    Stranger(String),
    Silent(Cause, String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// `started`, `starting`, `draining`.
    pub status: String,
    pub version: Option<String>,
    /// Since its last start, which may have been within the same process.
    pub uptime: Option<Duration>,
}

const BODY_BYTES_MAX: usize = 16 << 10;
const WORD_BYTES_MAX: usize = 128;

/// Asks once; `patience` bounds all of it. For a gateway on this host alone: any certificate will do.
pub async fn ask(address: &Address, patience: Duration) -> Startup {
    let scheme = if address.tls { "https" } else { "http" };
    let host = match address.host.contains(':') {
        true => format!("[{}]", address.host),
        false => address.host.clone(),
    };
    let url = format!("{scheme}://{host}:{}/startupz", address.port);
    let request = match Fetch::get(&url, Trust::Any) {
        Ok(request) => Fetch {
            body_bytes_max: BODY_BYTES_MAX,
            ..request.within(patience)
        },
        Err(error) => return Startup::Silent(Cause::Misconfigured, error.to_string()),
    };
    let began = clock::instant();
    let mut answered = fetch(request.clone()).await;
    if let Err(error) = &answered
        && may_speak_tls(error)
        && let Some(secure) = over_tls(&request)
    {
        let left = patience.saturating_sub(clock::instant().since(began));
        if let Ok(second) = fetch(secure.within(left)).await {
            answered = Ok(second);
        }
    }
    match answered {
        Ok(fetched) => read(&fetched),
        Err(FetchError::Refused) => Startup::NotRunning,
        Err(error @ FetchError::TimedOut { .. }) => Startup::Silent(Cause::Timeout, error.to_string()),
        Err(error) if error.is_answer() => Startup::Stranger(error.to_string()),
        Err(error) => Startup::Silent(Cause::Local, error.to_string()),
    }
}

fn read(fetched: &Fetched) -> Startup {
    match Words::read(&fetched.body) {
        Some(words) => Startup::Says(Said {
            status: text::clean_line(&words.status, WORD_BYTES_MAX),
            version: words
                .version
                .map(|version| text::clean_line(&version, WORD_BYTES_MAX))
                .filter(|version| !version.is_empty()),
            uptime: words.uptime,
        }),
        None => Startup::Stranger(format!("/startupz answered {} with something else", fetched.status)),
    }
}
