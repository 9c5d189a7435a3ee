//! Shell: kind `http`, and with `parse: readyz` the probe `gateway`.
//!
//! Refused, reset, timed out and gibberish are answers: down. Only what our own host could not do is
//! unknown ([`FetchError::is_answer`]).

use std::net::IpAddr;
use std::time::Duration;

use super::Ask;
use crate::clock;
use crate::http::client::{Fetch, FetchError, Fetched, Place, Trust, fetch};
use crate::probe::declaration::{Http, Parse};
use crate::probe::parse::{self, Said};
use crate::words::{Cause, Finding};

mod readyz;
pub(super) mod startup;

/// Asks once; its patience bounds all requests together.
pub async fn ask(http: &Http, ask: &Ask<'_>) -> Finding {
    let url = match ask.fill(&http.url).await {
        Ok(url) => url,
        Err(finding) => return finding,
    };
    let request = match Fetch::get(&url, if http.insecure { Trust::Any } else { Trust::Roots }) {
        Ok(request) => Fetch {
            body_bytes_max: http.body_bytes_max,
            ..request
        },
        Err(error) => return unanswered(&url, &error),
    };
    if http.parse == Parse::Readyz {
        let grace = ask.tenant().map_or(STARTUP_GRACE, |tenant| tenant.startup_grace);
        return ask_gateway(request, &url, ask.patience, grace).await;
    }
    match fetch(request.within(ask.patience)).await {
        Err(error) => unanswered(&url, &error),
        Ok(fetched) => {
            let mut finding = judge(http, &url, &fetched);
            evidence(&mut finding, &url, &fetched);
            finding
        }
    }
}

/// By its status alone unless its body is JSON to be read: 2xx is ok, all else is down. A body is read as if
/// a command had printed it that failed with any status but 2xx.
fn judge(http: &Http, url: &str, fetched: &Fetched) -> Finding {
    let succeeded = (200..300).contains(&fetched.status);
    if http.parse != Parse::Json {
        let told = format!(
            "{url} answered {} in {} ms",
            fetched.status,
            fetched.elapsed.as_millis()
        );
        return match succeeded {
            true => Finding::ok(told),
            false => Finding::down(told),
        };
    }
    if fetched.cut {
        return Finding::unknown(
            Cause::OutputTooLarge,
            format!("{url} answered more than {} bytes", http.body_bytes_max),
        );
    }
    parse::json(&Said {
        code: i32::from(!succeeded),
        stdout: &fetched.body,
        stderr: &[],
    })
}

/// A request that got no answer: down, or unknown when the fault is ours.
pub(super) fn unanswered(url: &str, error: &FetchError) -> Finding {
    let said = format!("{url}: {error}");
    match error {
        error if error.is_answer() => Finding::down(said),
        FetchError::Url { .. } | FetchError::NoRoots { .. } => Finding::unknown(Cause::Misconfigured, said),
        _ => Finding::unknown(Cause::Local, said),
    }
}

/// For a gateway probe without a tenant: the default of `readiness.startup_grace`.
const STARTUP_GRACE: Duration = Duration::from_secs(60);

async fn ask_gateway(request: Fetch, url: &str, patience: Duration, grace: Duration) -> Finding {
    let began = clock::instant();
    let left = || patience.saturating_sub(clock::instant().since(began));
    let mut request = request.within(patience);
    let mut answered = fetch(request.clone()).await;
    if let Err(error) = &answered
        && may_speak_tls(error)
        && let Some(secure) = over_tls(&request)
    {
        let secure = secure.within(left());
        let second = fetch(secure.clone()).await;
        // Neither plain nor TLS: the plain answer is the one that says what it is.
        if second.is_ok() {
            request = secure;
            answered = second;
        }
    }
    let ready = match answered {
        Ok(fetched) => fetched,
        Err(error) => return unanswered(url, &error),
    };
    let startup_request = Fetch {
        target: request.target.replace("/readyz", "/startupz"),
        ..request.clone()
    };
    // What `/startupz` adds is detail; without it the answer stands.
    let startup = fetch(startup_request.within(left())).await;
    let mut finding = readyz::judge(&seen(&ready), startup.as_ref().ok().map(seen).as_ref(), grace);
    let scheme = if matches!(request.place, Place::Tls { .. }) {
        "https"
    } else {
        "http"
    };
    finding.evidence_push("asked", format!("{scheme}://{}{}", request.host, request.target));
    finding.evidence_push("status", ready.status.to_string());
    finding.evidence_push("latency", format!("{} ms", ready.elapsed.as_millis()));
    if let Err(error) = startup {
        finding.evidence_push("/startupz", error.to_string());
    }
    finding
}

fn seen(fetched: &Fetched) -> readyz::Seen<'_> {
    readyz::Seen {
        status: fetched.status,
        html: fetched.media_type() == "text/html",
        body: &fetched.body,
    }
}

/// A TLS server that gets plain HTTP hangs up or answers with an alert.
fn may_speak_tls(error: &FetchError) -> bool {
    matches!(error, FetchError::NotHttp(_) | FetchError::Closed)
}

/// The same request over TLS; only on loopback, where any certificate will do: elsewhere `https://` is
/// to be written down, with what it shall trust.
fn over_tls(request: &Fetch) -> Option<Fetch> {
    let Place::Tcp { host, port } = &request.place else {
        return None;
    };
    let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    loopback.then(|| Fetch {
        place: Place::Tls {
            host: host.clone(),
            port: *port,
            trust: Trust::Any,
        },
        ..request.clone()
    })
}

fn evidence(finding: &mut Finding, url: &str, fetched: &Fetched) {
    finding.evidence_push("asked", url);
    finding.evidence_push("status", fetched.status.to_string());
    finding.evidence_push("latency", format!("{} ms", fetched.elapsed.as_millis()));
}

#[cfg(test)]
mod tests;
