//! What the server answers from: the parts that the daemon hands over, and how a read-only question
//! becomes a reply. Nothing here awaits.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Bytes;
use arc_swap::{ArcSwap, ArcSwapOption};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::oneshot;

use super::accept::{self, Form, HTML, TEXT};
use super::access::{Access, Credentials, Standing};
use super::answer::{Answer, Bare, Head};
use super::board::{Board, Published};
use super::heartbeat::Heartbeat;
use super::metrics::{self, Metrics};
use super::page::sparks::Sparks;
use super::page::timeline::{Range, Timelines};
use super::page::{self, Page};
use super::past::Past;
use super::reply::{JSON, Reply};
use super::topic::Topic;
use super::{body, exclude, forms};
use crate::config::units;
use crate::digest::view::WindowView;
use crate::engine::{Command, Done, Refused};
use crate::history::{self, Report, Who};
use crate::ingest::submit::{Receipt, SubmitError};
use crate::readiness::snapshot::Phase;
use crate::readiness::{DRAINING_RETRY_SECS, STARTING_RETRY_SECS};
use crate::words::{Now, ProbeName, TenantName, Verdict, Wall};

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

/// What a node and its tenants were over time; reads the disk.
pub type ReadHistory = Arc<dyn Fn(&HistoryQuery) -> Result<Report, String> + Send + Sync>;
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

/// Whose history is wanted, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Of the report, until now; `None`: [`history::SPAN_DEFAULT`]. When it is said, transitions are listed of it alone.
    pub span: Option<Duration>,
    /// Of the transitions.
    pub since: Option<Wall>,
    pub tenant: Option<TenantName>,
    pub probe: Option<ProbeName>,
    pub limit: usize,
}

/// Shorter than a probe's interval, a span tells nothing.
const SPAN_MIN: Duration = Duration::from_secs(60);

/// One listener's view of the parts.
pub(super) struct Site {
    pub parts: Parts,
    /// Of a non-loopback listener, kept fresh by the server.
    pub token: ArcSwapOption<Vec<u8>>,
    pub past: Past,
    /// What a listener is served with, kept fresh like that.
    pub tls: ArcSwapOption<rustls::ServerConfig>,
}

impl Site {
    /// Nothing is read of files yet.
    pub fn new(parts: Parts) -> Site {
        Site {
            parts,
            token: ArcSwapOption::empty(),
            past: Past::default(),
            tls: ArcSwapOption::empty(),
        }
    }

    /// What a request that came in at `listen` may see.
    pub fn standing(&self, credentials: &Credentials<'_>, listen: SocketAddr) -> Standing {
        let token = self.token.load();
        let access = self.parts.access.load();
        access.standing(credentials, listen, token.as_deref().map(Vec::as_slice))
    }
}

/// What a page needs beside the snapshot.
pub(super) struct Seen {
    pub now: Now,
    pub sparks: Sparks,
    pub timelines: Timelines,
    pub range: Range,
}

impl Default for HistoryQuery {
    fn default() -> HistoryQuery {
        HistoryQuery {
            span: None,
            since: None,
            tenant: None,
            probe: None,
            limit: Self::LIMIT_DEFAULT,
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
        let mut query = HistoryQuery::default();
        for (key, value) in pairs {
            let refuse = |hint: &str| Err((format!("{key}: {value:?} is not understood"), hint.to_owned()));
            match key.as_str() {
                "span" => match units::duration(value) {
                    Some(span) if (SPAN_MIN..=history::SPAN_MAX).contains(&span) => query.span = Some(span),
                    _ => return refuse("a span is 1m to 90d, such as 24h or 7d"),
                },
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

    /// Whether somebody's figures are asked for: those of node and tenants, unless one is named. Checks must be.
    pub fn wants(&self, who: &Who) -> bool {
        match (&self.tenant, &self.probe) {
            (None, None) => who.check.is_none(),
            (tenant, probe) => (tenant.is_none() || *tenant == who.tenant) && (probe.is_none() || *probe == who.check),
        }
    }
}

/// `/ready` and `/ready/{tenant}` in the form that is wanted. `seen`: for the page, and none else.
pub(super) fn ready(
    site: &Site,
    tenant: Option<&str>,
    pairs: &[(String, String)],
    accept: Option<&str>,
    standing: Standing,
    seen: Option<&Seen>,
) -> Reply {
    let published = site.parts.board.read();
    let form = accept::negotiate(accept);
    let name = match named(&published, tenant) {
        Ok(name) => name,
        Err(name) if standing == Standing::Full && form == Form::Html => return no_page(&published, name),
        Err(_) => return no_tenant(),
    };
    let hang = site.parts.heartbeat.hang();
    let verbose = is_verbose(pairs);
    let mut excluded = excluded(pairs);
    if excluded.len() > exclude::NAMES_MAX {
        return too_many_excluded();
    }
    excluded.retain(|name| !name.is_empty());
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
    let Some(topic) = topic(site, &published, name.as_ref(), &excluded) else {
        return no_tenant();
    };
    let head = Head::of(&topic);
    if standing != Standing::Full {
        return bare(head, topic.bare(), accept);
    }
    match (form, seen) {
        _ if verbose => Reply::ready(head, TEXT, forms::verbose(&topic)),
        (Form::Json, _) => Reply::ready(head, JSON, Answer::of(&topic).json),
        (Form::Html, Some(seen)) => page::guarded(Reply::ready(head, HTML, rendered(&topic, seen))),
        (Form::Text | Form::Html, _) => Reply::ready(head, TEXT, forms::text(&topic)),
        (Form::HealthJson, _) => Reply::ready(head, form.content_type(), forms::health_json(&topic)),
    }
}

/// Whether the answer to such a `/ready` is the page.
pub(super) fn is_page(pairs: &[(String, String)], accept: Option<&str>) -> bool {
    accept::negotiate(accept) == Form::Html && !is_verbose(pairs)
}

/// `/` and `/tenants/{tenant}`: 200 whatever the verdict is, since a person asks.
pub(super) fn page(site: &Site, tenant: Option<&str>, pairs: &[(String, String)], seen: &Seen) -> Reply {
    let published = site.parts.board.read();
    let name = match named(&published, tenant) {
        Ok(name) => name,
        Err(name) => return no_page(&published, name),
    };
    let excluded = excluded(pairs);
    if excluded.len() > exclude::NAMES_MAX {
        return too_many_excluded();
    }
    match topic(site, &published, name.as_ref(), &excluded) {
        Some(topic) => page::guarded(Reply::new(200, HTML, rendered(&topic, seen))),
        None => no_page(&published, tenant.unwrap_or_default()),
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

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// The verdict alone, for those who may not see more.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "BareVerdict", deny_unknown_fields)]
pub(super) struct BareBody {
    status: Verdict,
    phase: Phase,
}

/// The verdict alone: one line, or JSON for who names JSON.
fn bare(head: Head, bare: Bare, accept: Option<&str>) -> Reply {
    if !accept::names_json(accept) {
        return Reply::ready(head, TEXT, format!("{bare}\n").into());
    }
    let Bare { verdict: status, phase } = bare;
    Reply::ready(head, JSON, body::json(&BareBody { status, phase }))
}

/// `?exclude=a&exclude=b` and `?exclude=a,b` alike. Empty ones count against the limit, and exclude nothing.
fn excluded(pairs: &[(String, String)]) -> Vec<String> {
    let values = pairs.iter().filter(|(key, _)| key == "exclude").map(|(_, value)| value);
    let names = values.flat_map(|value| value.split(',')).map(str::trim);
    names.take(exclude::NAMES_MAX + 1).map(str::to_owned).collect()
}

/// With what is left out, and what a hang makes of it.
fn topic<'p>(
    site: &Site,
    published: &'p Published,
    tenant: Option<&TenantName>,
    excluded: &[String],
) -> Option<Topic<'p>> {
    let topic = match tenant {
        None => Topic::node(&published.snapshot),
        Some(tenant) => Topic::tenant(&published.snapshot, tenant)?,
    };
    let topic = exclude::without(topic, excluded);
    Some(match site.parts.heartbeat.hang() {
        Some(hang) => topic.from_a_hanging_loop(hang),
        None => topic,
    })
}

/// The tenant that is asked for; `Err` with what was sent when there is none of that name.
fn named<'t>(published: &Published, tenant: Option<&'t str>) -> Result<Option<TenantName>, &'t str> {
    let Some(sent) = tenant else { return Ok(None) };
    let known = TenantName::parse(sent).filter(|name| published.rendered.tenants.contains_key(name));
    known.map(Some).ok_or(sent)
}

fn rendered(topic: &Topic<'_>, seen: &Seen) -> Bytes {
    page::render(&Page {
        topic,
        now: seen.now,
        sparks: &seen.sparks,
        timelines: &seen.timelines,
        range: seen.range,
    })
}

fn no_page(published: &Published, name: &str) -> Reply {
    let page = page::not_found(&published.snapshot.node, name);
    page::guarded(Reply::new(404, HTML, page))
}

fn no_tenant() -> Reply {
    Reply::problem(
        404,
        "there is no such tenant here",
        "GET /v1/status lists the tenants of this node",
    )
}

fn too_many_excluded() -> Reply {
    Reply::problem(
        400,
        "exclude: too many names",
        "at most 32 checks can be excluded; turn probes off in the configuration",
    )
}

fn is_verbose(pairs: &[(String, String)]) -> bool {
    pairs
        .iter()
        .any(|(key, value)| key == "verbose" && value != "false" && value != "0")
}
