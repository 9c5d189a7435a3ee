//! Shell: another node's digest, asked every five seconds while one is configured.
#![expect(clippy::disallowed_methods, reason = "shell: starts a task, reads the bearer's file")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use crate::clock;
use crate::config::Config;
use crate::config::files;
use crate::digest::answer::read_remote;
use crate::engine::{Input, Remote};
use crate::http::client::{Fetch, Trust, fetch};

use super::inbox::{Outbox, Wake};

/// Far below the 60 s after which its rows are stale by default (`digest.stale_after`).
const ASK_EVERY: Duration = Duration::from_secs(5);
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// All rows of a node: 256 tenants of 512 endpoints are some 60 MiB at the worst.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const TOKEN_BYTES_MAX: usize = 4096;
const PATH: &str = "/v1/webhook-digest";

/// The hand on the task that asks.
#[derive(Debug)]
pub(super) struct RemoteDigest {
    wanted: watch::Sender<Option<Source>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    /// As configured: an origin, or the whole URL of a digest.
    url: String,
    token_file: Option<PathBuf>,
    /// `None`: this system's authorities.
    ca_file: Option<PathBuf>,
}

impl RemoteDigest {
    pub(super) fn start(config: &Config, outbox: Outbox) -> RemoteDigest {
        let (wanted, mut source) = watch::channel(source_of(config));
        tokio::spawn(async move {
            let mut every = tokio::time::interval(ASK_EVERY);
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = every.tick() => {}
                    changed = source.changed() => if changed.is_err() { return },
                }
                let asked = source.borrow().clone();
                if let Some(asked) = asked {
                    let answer = ask(&asked).await;
                    let source = asked.url;
                    if outbox
                        .send(Wake::Input(Input::Remote { source, answer }))
                        .await
                        .is_err()
                    {
                        return;
                    }
                }
            }
        });
        RemoteDigest { wanted }
    }

    pub(super) fn configure(&self, config: &Config) {
        let source = source_of(config);
        self.wanted.send_if_modified(|before| {
            let changed = *before != source;
            *before = source;
            changed
        });
    }
}

fn source_of(config: &Config) -> Option<Source> {
    config.digest.source.as_ref().map(|url| Source {
        url: url.clone(),
        token_file: config.digest.source_token_file.clone(),
        ca_file: config.digest.source_ca_file.clone(),
    })
}

/// The rows, or why they could not be had, naming the place.
async fn ask(source: &Source) -> Result<Remote, String> {
    let origin = source.url.trim_end_matches('/');
    let url = if origin.ends_with(PATH) {
        format!("{origin}?scope=local")
    } else {
        format!("{origin}{PATH}?scope=local")
    };
    let failed = |error: String| format!("{origin}: {error}");
    let trust = source.ca_file.clone().map_or(Trust::Roots, Trust::Authorities);
    let mut request = Fetch::get(&url, trust)
        .map_err(|error| failed(error.to_string()))?
        .within(ASK_TIMEOUT);
    request.body_bytes_max = ANSWER_BYTES_MAX;
    if let Some(path) = &source.token_file {
        let token = read_token(path).await.map_err(failed)?;
        request = request.with_bearer(&token).map_err(|error| failed(error.to_string()))?;
    }
    let answer = fetch(request).await.map_err(|error| failed(error.to_string()))?;
    if answer.status != 200 {
        return Err(failed(format!("answers {}", answer.status)));
    }
    if answer.cut {
        return Err(failed(format!("its digest is larger than {ANSWER_BYTES_MAX} bytes")));
    }
    read_remote(&answer.body, origin, clock::now()).map_err(|error| failed(error.to_string()))
}

async fn read_token(path: &Path) -> Result<String, String> {
    let path = path.to_owned();
    let reading = tokio::task::spawn_blocking(move || files::read(&path, TOKEN_BYTES_MAX).map(|bytes| (path, bytes)));
    match tokio::time::timeout(ASK_TIMEOUT, reading).await {
        Ok(Ok(Ok((path, bytes)))) => String::from_utf8(bytes)
            .map(|token| token.trim().to_owned())
            .map_err(|_| format!("{} is not text", path.display())),
        Ok(Ok(Err(why))) => Err(format!("the token file {why}")),
        Ok(Err(_)) | Err(_) => Err("the token file could not be read in time".to_owned()),
    }
}
