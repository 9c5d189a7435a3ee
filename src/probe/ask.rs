//! Shell: the one door to asking: an [`Order`] in, a [`Finding`] and its [`Cost`] out.
//!
//! Whatever a kind does, an answer comes: a kind that forgets its own timeout is cut off, one that
//! panics becomes a finding. Dropping the future of [`Asker::ask`] cancels the run.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::declaration::{Asks, Order, Parse, Probe};
use super::exec::{Tools, ask_exec};
use super::kind::{self, Ask, Means};
use crate::clock;
use crate::config::Config;
use crate::config::environment::Environment;
use crate::fingerprint::Fingerprints;
use crate::words::{Cause, Cost, Finding, TenantName};

/// Asks by kind. One for the whole process, in cheap clones: it remembers which paths are stuck and what
/// each CLI speaks.
#[derive(Clone, Debug)]
pub struct Asker {
    tools: Arc<Tools>,
    means: Arc<Means>,
}

impl Asker {
    pub fn new(config: &Config, environment: &Environment) -> Asker {
        Asker {
            tools: Arc::new(Tools::new(config, environment)),
            means: Arc::new(Means {
                home: environment.home.clone(),
                state_dir: Some(config.state_dir.clone()),
                lock_places: kind::lock::places(config.path.as_deref()),
                fingerprints: Fingerprints::kept_in(&config.state_dir),
                ..Means::default()
            }),
        }
    }

    /// From now on asks as `config` says; clones that are asking go on as before.
    pub fn configure(&mut self, config: &Config) {
        Arc::make_mut(&mut self.tools).configure(config);
        // Of whom no credential is read any more, none is known to be shared.
        let read: BTreeSet<TenantName> = config
            .checks()
            .into_iter()
            .filter(|(_, probe)| matches!(probe.asks, Asks::Tokens(_)))
            .filter_map(|(check, _)| check.tenant)
            .collect();
        self.means.prints.retain(|tenant| read.contains(tenant));
    }

    /// What takes the fingerprints that findings show.
    pub fn fingerprints(&self) -> &Fingerprints {
        &self.means.fingerprints
    }

    /// Asks once, within the probe's timeout (exec: and [`EXEC_BACKSTOP`]). Never panics.
    pub async fn ask(&self, order: Order) -> (Finding, Cost) {
        bounded(bound_of(&order.probe), self.ask_kind(&order)).await
    }

    async fn ask_kind(&self, order: &Order) -> (Finding, Option<Cost>) {
        let ask = Ask::of(order, &self.means);
        let finding = match &order.probe.asks {
            Asks::Exec(exec) if exec.parse == Parse::Security => {
                let (finding, cost) = kind::security::ask(order, exec, &self.tools, &ask).await;
                return (finding, Some(cost));
            }
            Asks::Exec(exec) => {
                let (finding, cost) = ask_exec(order, exec, &self.tools, &self.means).await;
                return (finding, Some(cost));
            }
            Asks::Http(http) => kind::http::ask(http, &ask).await,
            Asks::Listener(listener) => kind::listener::ask(listener, &ask).await,
            Asks::Tcp(tcp) => kind::tcp::ask(tcp, &ask).await,
            Asks::Tls(tls) => kind::tls::ask(tls, &ask).await,
            Asks::Disk(disk) => kind::disk::ask(disk, &ask).await,
            Asks::Clock(clock) => kind::clock::ask(clock, &ask, self.tools.openclaw.posture).await,
            Asks::Write(write) => kind::write::ask(write, &ask).await,
            Asks::Tokens(tokens) => kind::tokens::ask(tokens, self.tools.openclaw.posture, &ask).await,
            Asks::Queue(queue) => kind::queue::ask(queue, &ask).await,
            Asks::Lock(lock) => kind::lock::ask(lock, order.probe.worst, &ask, &self.tools).await,
            Asks::Host(host) => kind::host::ask(host, &ask).await,
            Asks::Process => kind::process::ask(&ask).await,
            Asks::Link | Asks::Digest | Asks::Store | Asks::Files => Finding::unknown(
                Cause::Misconfigured,
                format!(
                    "the kind {} is answered by the engine, not asked",
                    order.probe.asks.kind()
                ),
            ),
        };
        (finding, None)
    }
}

/// What an exec probe may take beyond its timeout: five seconds from TERM to KILL, and to be reaped.
pub const EXEC_BACKSTOP: Duration = Duration::from_secs(15);

/// When an ask is cut off, however it fares.
fn bound_of(probe: &Probe) -> Duration {
    match probe.asks {
        Asks::Exec(_) => probe.timeout + EXEC_BACKSTOP,
        _ => probe.timeout,
    }
}

/// The answer of `asking`, or a finding that says why there is none: it took longer than `bound`, or it
/// panicked. What does not say its cost has cost the time it took.
async fn bounded(bound: Duration, asking: impl Future<Output = (Finding, Option<Cost>)>) -> (Finding, Cost) {
    let began = clock::instant();
    let (finding, cost) = match tokio::time::timeout(bound, caught(asking)).await {
        Ok(Ok(answered)) => answered,
        Ok(Err(panic)) => {
            let why = format!("a fault of readyd itself, please report it: {panic}");
            (Finding::unknown(Cause::Local, why), None)
        }
        Err(_) => {
            let why = format!("no answer within {} ms", bound.as_millis());
            (Finding::unknown(Cause::Timeout, why), None)
        }
    };
    let time_alone = || Cost {
        wall: clock::instant().since(began),
        ..Cost::default()
    };
    (finding, cost.unwrap_or_else(time_alone))
}

/// The future's value, or the words of its panic.
async fn caught<F: Future>(future: F) -> Result<F::Output, String> {
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        // Nothing of the future is used again after a panic: it is dropped.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => Poll::Pending,
            Err(panic) => Poll::Ready(Err(words_of(panic.as_ref()))),
        }
    })
    .await
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".into())
}

#[cfg(test)]
mod tests;
