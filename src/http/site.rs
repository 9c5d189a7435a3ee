//! What the server answers from: the parts that the daemon hands over, and how a read-only question
//! becomes a reply. Nothing here awaits.

use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Serialize;
use tokio::sync::oneshot;

use super::accept::{self, Form, TEXT};
use super::access::{Access, Standing};
use super::answer::{Answer, Bare, Head};
use super::board::{Board, Published};
use super::heartbeat::Heartbeat;
use super::metrics::{self, Metrics};
use super::reply::{JSON, Reply};
use super::topic::Topic;
use super::{body, exclude, forms};
use crate::digest::view::WindowView;
use crate::engine::{Command, Done, Refused};
use crate::ingest::submit::{Receipt, SubmitError};
use crate::readiness::snapshot::{Phase, Transition};
use crate::readiness::{DRAINING_RETRY_SECS, STARTING_RETRY_SECS};
use crate::words::{ProbeName, TenantName, Verdict, Wall};

/// Everything that the server reads and calls. Cheap to clone.
///
/// The closures that return directly may block (they are called where that is fine); `command` and
/// `reload` must not: they hand over and return, and the answer is awaited for at most 5 s.
#[derive(Clone)]
pub struct Parts {
    pub board: Arc<Board>,
    pub heartbeat: Arc<Heartbeat>,
    pub access: Arc<ArcSwap<Access>>,
    pub metrics: Metrics,
    pub history: ReadHistory,
    pub window: ReadWindow,
    pub command: SendCommand,
    pub reload: SendReload,
    pub events: TakeEvents,
    pub listen_troubles: TellTroubles,
}

/// Transitions that match, newest first.
pub type ReadHistory = Arc<dyn Fn(&HistoryQuery) -> Result<Vec<Transition>, String> + Send + Sync>;
/// A stored aligned window by its start (Unix seconds); `None` when it is not kept.
pub type ReadWindow = Arc<dyn Fn(i64) -> Result<Option<WindowView>, String> + Send + Sync>;
/// Actor (`uid 501 (ann)`) and what they want.
pub type SendCommand = Arc<dyn Fn(String, Command) -> oneshot::Receiver<Outcome> + Send + Sync>;
/// What became of a command.
pub type Outcome = Result<Done, Refused>;
/// Actor. What was done, or why the old configuration stays.
pub type SendReload = Arc<dyn Fn(String) -> oneshot::Receiver<Result<String, String>> + Send + Sync>;
/// NDJSON lines or a JSON array, and the peer's uid; returns after the commit.
pub type TakeEvents = Arc<dyn Fn(Vec<u8>, u32) -> Result<Receipt, SubmitError> + Send + Sync>;

/// All that is wrong with the bearer and the certificate of `listen`; whether it was heard.
pub type TellTroubles = Arc<dyn Fn(Vec<String>) -> bool + Send + Sync>;

/// Which transitions are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    pub since: Option<Wall>,
    pub tenant: Option<TenantName>,
    pub probe: Option<ProbeName>,
    pub limit: usize,
}

/// One listener's view of the parts.
pub(super) struct Site {
    pub parts: Parts,
    /// Of a non-loopback listener, kept fresh by the server.
    pub token: ArcSwapOption<Vec<u8>>,
    /// What a listener is served with, kept fresh like that.
    pub tls: ArcSwapOption<rustls::ServerConfig>,
}

impl Site {
    /// Nothing is read of files yet.
    pub fn new(parts: Parts) -> Site {
        Site {
            parts,
            token: ArcSwapOption::empty(),
            tls: ArcSwapOption::empty(),
        }
    }
}

impl HistoryQuery {
    pub const LIMIT_DEFAULT: usize = 100;
    pub const LIMIT_MAX: usize = 1000;

    /// From the decoded pairs of the query.
    ///
    /// # Errors
    /// What is wrong and what to write instead: a 400.
    pub fn parse(pairs: &[(String, String)]) -> Result<HistoryQuery, (String, String)> {
        let mut query = HistoryQuery {
            since: None,
            tenant: None,
            probe: None,
            limit: Self::LIMIT_DEFAULT,
        };
        for (key, value) in pairs {
            let refuse = |hint: &str| Err((format!("{key}: {value:?} is not understood"), hint.to_owned()));
            match key.as_str() {
                "since" => match Wall::parse_query(value) {
                    since @ Some(_) => query.since = since,
                    None => return refuse("a time is written like 2026-11-20T07:25:00Z"),
                },
                "tenant" => match TenantName::parse(value) {
                    tenant @ Some(_) => query.tenant = tenant,
                    None => return refuse("a tenant name is [a-z0-9][a-z0-9._-]{0,63}"),
                },
                "check" => match crate::words::CheckId::parse(value) {
                    Some(check) => {
                        query.probe = Some(check.probe);
                        query.tenant = check.tenant.or(query.tenant);
                    }
                    None => return refuse("a check is a probe (disk) or a probe and a tenant (doctor@acme)"),
                },
                "limit" => match value.parse::<usize>() {
                    Ok(limit @ 1..) => query.limit = limit.min(Self::LIMIT_MAX),
                    _ => return refuse("ask for limit=1 to limit=1000"),
                },
                _ => {}
            }
        }
        Ok(query)
    }
}

/// `/ready` and `/ready/{tenant}` in the form that is wanted.
pub(super) fn ready(
    site: &Site,
    tenant: Option<&str>,
    pairs: &[(String, String)],
    accept: Option<&str>,
    standing: Standing,
) -> Reply {
    let published = site.parts.board.read();
    let name = match tenant.map(TenantName::parse) {
        None => None,
        Some(Some(name)) if published.rendered.tenants.contains_key(&name) => Some(name),
        Some(_) => {
            return Reply::problem(
                404,
                "there is no such tenant here",
                "GET /v1/status lists the tenants of this node",
            );
        }
    };
    let hang = site.parts.heartbeat.hang();
    let verbose = pairs
        .iter()
        .any(|(key, value)| key == "verbose" && value != "false" && value != "0");
    let excluded = excluded(pairs);
    if excluded.len() > exclude::NAMES_MAX {
        return Reply::problem(
            400,
            "exclude: too many names",
            "at most 32 checks can be excluded; turn probes off in the configuration",
        );
    }
    let form = accept::negotiate(accept);
    let plain_question = !verbose && excluded.is_empty() && hang.is_none();
    if plain_question && (form == Form::Json || standing != Standing::Full) {
        let rendered = &published.rendered;
        if let Some(answer) = name
            .as_ref()
            .map_or(Some(&rendered.node), |name| rendered.tenants.get(name))
        {
            return match standing {
                Standing::Full => Reply::ready(answer.head, JSON, answer.json.clone()),
                _ => bare(answer.head, answer.bare, accept),
            };
        }
    }
    let Some(topic) = topic(&published, name.as_ref()) else {
        return Reply::problem(
            404,
            "there is no such tenant here",
            "GET /v1/status lists the tenants of this node",
        );
    };
    let topic = exclude::without(topic, &excluded);
    let topic = match hang {
        Some(hang) => topic.from_a_hanging_loop(hang),
        None => topic,
    };
    let head = Head::of(&topic);
    if standing != Standing::Full {
        return bare(head, topic.bare(), accept);
    }
    match form {
        _ if verbose => Reply::ready(head, TEXT, forms::verbose(&topic)),
        Form::Json => Reply::ready(head, JSON, Answer::of(&topic).json),
        Form::Text => Reply::ready(head, TEXT, forms::text(&topic)),
        Form::HealthJson => Reply::ready(head, form.content_type(), forms::health_json(&topic)),
    }
}

pub(super) fn livez(site: &Site, standing: Standing) -> Reply {
    match site.parts.heartbeat.hang() {
        None => Reply::new(200, TEXT, "ok\n"),
        Some(hang) => {
            let why = format!("down\nthe main loop has not turned for {} s\n", hang.as_secs());
            let body = if standing == Standing::Full {
                why
            } else {
                "down\n".into()
            };
            Reply::new(503, TEXT, body).with("retry-after", DRAINING_RETRY_SECS.to_string())
        }
    }
}

pub(super) fn startupz(site: &Site) -> Reply {
    match site.parts.board.read().snapshot.phase {
        Phase::Starting => Reply::new(503, TEXT, "starting\n").with("retry-after", STARTING_RETRY_SECS.to_string()),
        Phase::Serving | Phase::Draining => Reply::new(200, TEXT, "ok\n"),
    }
}

pub(super) fn metrics(site: &Site) -> Reply {
    let text = site.parts.metrics.render(&site.parts.board.read());
    Reply::new(200, metrics::CONTENT_TYPE, text)
}

/// `/v1/checks/{check}`: the node's own when it has one, else all tenants'. `/v1/checks/{check}/{tenant}`: that one.
pub(super) fn check(site: &Site, probe: &str, tenant: Option<&str>) -> Reply {
    let published = site.parts.board.read();
    let snapshot = &published.snapshot;
    let named: Vec<_> = snapshot
        .checks
        .iter()
        .filter(|check| check.id.probe.as_str() == probe)
        .collect();
    let wanted = named
        .iter()
        .find(|check| check.id.tenant.as_ref().map(TenantName::as_str) == tenant);
    match (wanted, tenant) {
        (Some(check), _) => Reply::json(body::check(check, snapshot)),
        (None, None) if !named.is_empty() => Reply::json(body::checks_in_detail(probe, &named, snapshot)),
        _ => Reply::problem(
            404,
            "there is no such check",
            "GET /v1/checks lists the checks of this node",
        ),
    }
}

pub(super) fn history(transitions: &[Transition]) -> Reply {
    #[derive(Serialize)]
    struct History<'a> {
        transitions: Vec<TransitionBody<'a>>,
    }
    #[derive(Serialize)]
    struct TransitionBody<'a> {
        at: String,
        tenant: Option<&'a TenantName>,
        check: Option<&'a ProbeName>,
        from: &'a str,
        to: &'a str,
        summary: &'a str,
    }
    let transitions = transitions.iter().map(|transition| TransitionBody {
        at: transition.at.rfc3339(),
        tenant: transition.tenant.as_ref(),
        check: transition.probe.as_ref(),
        from: &transition.from,
        to: &transition.to,
        summary: &transition.summary,
    });
    Reply::json(body::json(&History {
        transitions: transitions.collect(),
    }))
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The verdict alone: one line, or JSON for who names JSON.
fn bare(head: Head, bare: Bare, accept: Option<&str>) -> Reply {
    #[derive(Serialize)]
    struct Body {
        status: Verdict,
        phase: Phase,
    }
    if !accept::names_json(accept) {
        return Reply::ready(head, TEXT, format!("{bare}\n").into());
    }
    let Bare { verdict: status, phase } = bare;
    Reply::ready(head, JSON, body::json(&Body { status, phase }))
}

/// `?exclude=a&exclude=b` and `?exclude=a,b` alike.
fn excluded(pairs: &[(String, String)]) -> Vec<String> {
    let values = pairs.iter().filter(|(key, _)| key == "exclude").map(|(_, value)| value);
    let names = values
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|name| !name.is_empty());
    names.take(exclude::NAMES_MAX + 1).map(str::to_owned).collect()
}

fn topic<'p>(published: &'p Published, tenant: Option<&TenantName>) -> Option<Topic<'p>> {
    match tenant {
        None => Some(Topic::node(&published.snapshot)),
        Some(tenant) => Topic::tenant(&published.snapshot, tenant),
    }
}
