//! Shell: one request from actix to a reply and back.
#![expect(clippy::disallowed_methods, reason = "shell: how long a request took")]

use std::cell::Cell;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::error::QueryPayloadError;
use actix_web::http::header::HeaderValue;
use actix_web::http::{Method, StatusCode, Version, header};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse, rt, web};
use tokio::sync::{mpsc, oneshot};

use super::access::{Credentials, Standing};
use super::long::{history, seen, webhook_digest};
use super::off_loop::{Undone, off_loop};
use super::reply::{JSON, Reply};
use super::route::{self, Found, Missed, Route, Surface};
use super::site::{self, Site};
use super::transfer::{self, Wanted};
use super::{body, control, openapi};
use crate::account;
use crate::engine::Command;

/// How long an answer from the main loop or the disk is awaited.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// How long the system may think about who the operator is; it may ask a directory server.
const NAME_PATIENCE: Duration = Duration::from_millis(500);
/// The same for events, whose commit is awaited for 5 s, and then for 2 s that they are shown: what came of it is for
/// that side to say.
const EVENTS_PATIENCE: Duration = Duration::from_secs(8);
/// How long a body on `control.sock` may take to arrive.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Where a connection came in: actix keeps one with each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// The address that is listened on, not the client's.
    Public { listen: SocketAddr },
    /// `None`: the system did not say who it is.
    Control { uid: Option<u32> },
}

/// Whether the last request of a connection was there: actix answers what comes behind it in the same packet as well, and
/// RFC 9112 §9.6 forbids that. Whoever wrote the first may not have meant the second.
#[derive(Debug, Default)]
pub(super) struct Last(Cell<bool>);

/// Path and query of a request: 414 beyond. Longer ones than actix reads (64 KiB) are its 400.
const TARGET_BYTES_MAX: usize = 8 * 1024;

pub(super) type Pairs = Vec<(String, String)>;

/// Answers one request, and measures it.
pub(super) async fn serve(request: HttpRequest, payload: Payload, site: Data<Site>) -> HttpResponse {
    let begun = Instant::now();
    let (Some(door), Some(Last(last))) = (request.conn_data::<Door>().copied(), request.conn_data()) else {
        return HttpResponse::InternalServerError().finish();
    };
    let (label, mut response) = match last.get() {
        true => (route::OTHER, behind_the_last(&request)),
        false => respond(&request, payload, &site, door).await,
    };
    // actix fills it in when it writes: until then a head out of its pool has that of what it answered before.
    response.head_mut().version = Version::HTTP_11;
    let closes = request.head().connection_type() == ConnectionType::Close
        || response.head().connection_type() == ConnectionType::Close;
    last.set(last.get() || closes);
    site.parts
        .metrics
        .answered(label, response.status().as_str(), begun.elapsed());
    response
}

/// Nothing is done for it.
fn behind_the_last(request: &HttpRequest) -> HttpResponse {
    let error = "the request before this one was the last of its connection";
    let reply = Reply::problem(400, error, "ask on a connection of its own");
    let mut response = send(reply, request);
    response.head_mut().set_connection_type(ConnectionType::Close);
    response
}

async fn respond(
    request: &HttpRequest,
    payload: Payload,
    site: &Data<Site>,
    door: Door,
) -> (&'static str, HttpResponse) {
    let surface = match door {
        Door::Public { .. } => Surface::Public,
        Door::Control { .. } => Surface::Control,
    };
    if request.headers().get_all(header::HOST).count() > 1 {
        // RFC 9112 §3.2. Which of them a proxy before us went by, nobody knows.
        let reply = Reply::problem(400, "there is more than one Host header", "send one");
        return (route::OTHER, send(reply, request));
    }
    let standing = standing(request, site, door);
    let path = route::normal(request.path());
    let found = route::find(request.method(), &path, surface);
    let (label, anybody) = match &found {
        Ok(found) => (found.pattern, found.route.answers_anybody()),
        Err(Missed::NotAllowed { pattern, .. }) => (*pattern, false),
        Err(Missed::NotFound) => (route::OTHER, false),
    };
    if let (false, Some(refusal)) = (anybody, refusal(standing)) {
        return (label, send(refusal, request));
    }
    let Found { route, .. } = match found {
        Ok(found) => found,
        Err(missed) => return (label, send(miss(&missed, request, surface), request)),
    };
    if surface == Surface::Public && declares_body(request) {
        let reply = Reply::problem(
            413,
            "this listener takes no request bodies",
            "state is changed on control.sock",
        );
        return (label, send(reply, request));
    }
    let Ok(pairs) = pairs(request.query_string()) else {
        let reply = Reply::problem(400, "the query cannot be read", "write it as ?key=value&key=value");
        return (label, send(reply, request));
    };
    if request.uri().path().len() + request.query_string().len() > TARGET_BYTES_MAX {
        let error = format!("what is asked for is longer than {TARGET_BYTES_MAX} bytes");
        return (
            label,
            send(Reply::problem(414, &error, "ask for less at once"), request),
        );
    }
    let reply = match (route, door) {
        (Route::Stream, _) => return (label, stream(request, site)),
        (Route::Digest, _) => webhook_digest(site, &pairs).await,
        (Route::History, _) => history(site, &pairs).await,
        (Route::Page { tenant }, _) => site::page(site, tenant, &pairs, &seen(site, &pairs).await),
        (Route::Ready { tenant }, _) => ready(request, site, standing, tenant, &pairs).await,
        (route, Door::Control { uid }) if changes(route) => change(route, site, uid, &pairs, payload).await,
        (route, _) => read(route, site, surface, standing),
    };
    let reply = match route.compresses() {
        true => transfer::lightened(reply, &wanted(request), route.revalidates()),
        false => reply,
    };
    (label, send(reply, request))
}

fn pairs(query: &str) -> Result<Pairs, QueryPayloadError> {
    if query.is_empty() {
        return Ok(Pairs::new());
    }
    web::Query::from_query(query).map(web::Query::into_inner)
}

/// Questions that are answered from memory at once.
fn read(route: Route<'_>, site: &Site, surface: Surface, standing: Standing) -> Reply {
    match route {
        Route::Livez => site::livez(site, standing),
        Route::Startupz => site::startupz(site),
        Route::Metrics => site::metrics(site),
        Route::Status => Reply::kept(JSON, site.parts.board.read().status()),
        Route::Openapi => Reply::kept(JSON, openapi::document(surface)),
        Route::Checks => {
            let published = site.parts.board.read();
            Reply::json(body::checks(published.snapshot.checks.iter(), published.snapshot.made))
        }
        Route::Check { probe, tenant } => site::check(site, probe, tenant),
        Route::Operations => Reply::json(body::operations(&site.parts.board.read().snapshot)),
        // Handled before, or not on this surface.
        _ => Reply::problem(404, "there is nothing here", "GET /v1/status"),
    }
}

async fn ready(
    request: &HttpRequest,
    site: &Data<Site>,
    standing: Standing,
    tenant: Option<&str>,
    pairs: &Pairs,
) -> Reply {
    let accept = text_header(request, header::ACCEPT);
    let seen = match standing == Standing::Full && site::is_page(pairs, accept) {
        true => Some(seen(site, pairs).await),
        false => None,
    };
    site::ready(site, tenant, pairs, accept, standing, seen.as_ref())
}

const fn changes(route: Route<'_>) -> bool {
    matches!(
        route,
        Route::MaintenanceStart
            | Route::MaintenanceEnd { .. }
            | Route::Drain
            | Route::Undrain
            | Route::Reload
            | Route::Ask
            | Route::Events
    )
}

/// What the operator wants done. Every change has an actor: a peer that the system does not name is refused.
async fn change(route: Route<'_>, site: &Data<Site>, uid: Option<u32>, pairs: &Pairs, payload: Payload) -> Reply {
    let Some(uid) = uid else {
        return Reply::problem(
            403,
            "the system does not say who you are",
            "connect to control.sock without a proxy",
        );
    };
    let bytes_max = match route {
        Route::Events => control::EVENTS_BYTES_MAX,
        _ => control::COMMAND_BYTES_MAX,
    };
    let body = match read_body(payload, bytes_max).await {
        Ok(body) => body,
        Err(reply) => return reply,
    };
    let command = match route {
        Route::MaintenanceStart => control::maintenance_start(&body),
        Route::MaintenanceEnd { tenant } => control::maintenance_end(tenant),
        Route::Drain => control::drain(&body),
        Route::Undrain => control::undrain(pairs),
        Route::Ask => control::ask(&body),
        Route::Reload => {
            let answer = (site.parts.reload)(actor(uid).await);
            return answered(answer).await.map_or_else(|reply| reply, control::reloaded);
        }
        _ => {
            let take = site.parts.events.clone();
            let taken = rt::time::timeout(EVENTS_PATIENCE, off_loop(move || take(body.to_vec(), uid))).await;
            return match taken {
                Ok(Ok(taken)) => control::events(taken),
                Ok(Err(undone)) => unable(&undone),
                Err(_) => Reply::problem(
                    504,
                    "the events were not committed within 8 s",
                    "they may still be counted: GET /v1/checks/store says whether the store commits",
                ),
            };
        }
    };
    match command {
        Ok(command) => carry_out(site, uid, command).await,
        Err(reply) => reply,
    }
}

async fn carry_out(site: &Data<Site>, uid: u32, command: Command) -> Reply {
    let answer = (site.parts.command)(actor(uid).await, command);
    answered(answer).await.map_or_else(|reply| reply, control::outcome)
}

/// Who is at the other end: `uid 501 (ann)`, or `uid 501` where the system does not say in time.
async fn actor(uid: u32) -> String {
    let name = rt::time::timeout(NAME_PATIENCE, off_loop(move || account::name_of(uid))).await;
    match name {
        Ok(Ok(Some(name))) => format!("uid {uid} ({name})"),
        _ => format!("uid {uid}"),
    }
}

/// Waits for the main loop, not for ever.
async fn answered<T>(answer: oneshot::Receiver<T>) -> Result<T, Reply> {
    match rt::time::timeout(PATIENCE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(gone()),
        Err(_) => Err(Reply::problem(
            504,
            "the main loop did not answer within 5 s",
            "it may still take effect: GET /livez says whether the loop turns, GET /v1/maintenance what is in force",
        )),
    }
}

pub(super) fn unable(undone: &Undone) -> Reply {
    Reply::problem(503, &undone.to_string(), "ask again once it has")
}

fn gone() -> Reply {
    Reply::problem(503, "readyd is stopping", "ask again once it is back")
}

async fn read_body(payload: Payload, bytes_max: usize) -> Result<Bytes, Reply> {
    match rt::time::timeout(BODY_PATIENCE, payload.to_bytes_limited(bytes_max)).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(why))) => Err(Reply::problem(
            400,
            &format!("the body cannot be read: {why}"),
            "send it again",
        )),
        Ok(Err(_)) => {
            let error = format!("the body is longer than {bytes_max} bytes");
            Err(Reply::problem(413, &error, "send it in parts"))
        }
        Err(_) => Err(Reply::problem(
            408,
            "the body did not arrive within 10 s",
            "send it again",
        )),
    }
}

fn standing(request: &HttpRequest, site: &Site, door: Door) -> Standing {
    let Door::Public { listen } = door else {
        return Standing::Full;
    };
    // What is not even text is no name that we know.
    let mut hosts: Vec<&str> = request
        .headers()
        .get_all(header::HOST)
        .map(|host| host.to_str().unwrap_or("?"))
        .collect();
    hosts.extend(request.uri().authority().map(actix_web::http::uri::Authority::as_str));
    let credentials = Credentials {
        hosts: &hosts,
        authorization: text_header(request, header::AUTHORIZATION),
    };
    site.standing(&credentials, listen)
}

fn refusal(standing: Standing) -> Option<Reply> {
    match standing {
        Standing::Full => None,
        Standing::UnknownHost => Some(Reply::problem(
            421,
            "this is not that host",
            "ask by IP address, localhost or the node's name, or add the name to `hosts` in the configuration",
        )),
        Standing::NoBearer => Some(
            Reply::problem(
                401,
                "the bearer of `token_file` is wanted here",
                "send `Authorization: Bearer …`; /ready, /livez and /startupz answer without",
            )
            .with("www-authenticate", "Bearer realm=\"readyd\""),
        ),
    }
}

fn miss(missed: &Missed, request: &HttpRequest, surface: Surface) -> Reply {
    match missed {
        Missed::NotAllowed { allow, .. } => {
            let error = format!("{} is not done here", request.method());
            let hint = match surface {
                Surface::Public => "this listener is read-only; state is changed on control.sock".to_owned(),
                Surface::Control => format!("allowed here: {allow}"),
            };
            Reply::problem(405, &error, &hint).with("allow", allow.as_str())
        }
        Missed::NotFound => {
            let hint = match surface {
                Surface::Public => "these are all; state is changed on control.sock",
                Surface::Control => "these are all",
            };
            Reply::problem_with_routes(404, "there is nothing here", hint, &route::listing(surface))
        }
    }
}

fn declares_body(request: &HttpRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length.as_bytes() != b"0")
}

fn wanted(request: &HttpRequest) -> Wanted {
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    Wanted::new(
        text_header(request, header::ACCEPT_ENCODING),
        known.filter_map(|list| list.to_str().ok()),
    )
}

fn text_header(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name)?.to_str().ok()
}

fn send(reply: Reply, request: &HttpRequest) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    // RFC 9110 §15.4.5: a 304 says nothing of a body that it does not have.
    if status != StatusCode::NOT_MODIFIED {
        response.insert_header((header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type)));
    }
    response.insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")));
    for header in reply.headers {
        response.insert_header(header);
    }
    // A body that nobody read would be taken for the next request.
    if reply.status == 408 || reply.status == 413 || (declares_body(request) && status.is_client_error()) {
        response.force_close();
    }
    response.body(reply.body)
}

/// `/v1/stream`. HEAD gets the headers alone: there is no end to wait for.
fn stream(request: &HttpRequest, site: &Site) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, "text/event-stream"));
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    if *request.method() == Method::HEAD {
        return response.force_close().finish();
    }
    match site.parts.board.listen() {
        Some(events) => response.force_close().body(BoxBody::new(EventStream(events))),
        None => {
            let reply = Reply::problem(
                503,
                "there are 64 listeners already",
                "ask /ready instead, or end a listener",
            );
            send(reply, request)
        }
    }
}

/// Ends when the board drops the other end: the listener was too slow, or the server stops.
struct EventStream(mpsc::Receiver<Bytes>);

impl MessageBody for EventStream {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}
