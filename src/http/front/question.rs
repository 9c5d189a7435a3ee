//! A load balancer's plain question, read out of a connection's bytes, and its answer as bytes.
//!
//! Plain is `GET` or `HEAD`, in HTTP/1.1, of a path without a query, with one `Host`, without a body, and without a header
//! that decides what becomes of the connection. All else is the HTTP library's, which alone refuses anything.
//!
//! Invariant: what is answered here is only what the library would read and answer the same. The parser is the one that it
//! uses itself, and who sees what is decided by the same functions.

use std::io::Write as _;
use std::net::SocketAddr;

use actix_web::http::Method;
use httparse::{EMPTY_HEADER, Request, Status};

use crate::http::access::{Credentials, Standing};
use crate::http::reply::Reply;
use crate::http::route::{self, Route, Surface};
use crate::http::site::{self, Site};

/// Headers of a plain question: load balancers send five, and proxies before us add as many.
const HEADERS_MAX: usize = 16;
/// They decide what follows the head, or what becomes of the connection: all that the library looks at itself.
const DECIDING: [&str; 5] = ["connection", "content-length", "transfer-encoding", "expect", "upgrade"];

/// `Thu, 01 Jan 1970 00:00:00 GMT`.
pub(in crate::http) type Date = [u8; 29];

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::http) struct Question<'b> {
    pub is_head: bool,
    pub path: &'b str,
    pub host: &'b str,
    pub authorization: Option<&'b str>,
    pub accept: Option<&'b str>,
    /// How many bytes it was read from.
    pub length: usize,
}

/// What is said to a question.
#[derive(Clone, Debug)]
pub(in crate::http) struct Answer {
    /// Pattern of the route: the label that it is measured under.
    pub route: &'static str,
    /// `200 OK`.
    pub status: &'static str,
    reply: Reply,
    is_head: bool,
}

impl<'b> Question<'b> {
    /// The first question of `bytes`; `None` when that is not plain, or not whole.
    pub fn read(bytes: &'b [u8]) -> Option<Question<'b>> {
        let mut headers = [EMPTY_HEADER; HEADERS_MAX];
        let mut request = Request::new(&mut headers);
        let Ok(Status::Complete(length)) = request.parse(bytes) else {
            return None;
        };
        let mut question = Question {
            is_head: match request.method? {
                "GET" => false,
                "HEAD" => true,
                _ => return None,
            },
            path: request.path.filter(|path| is_plain(path))?,
            host: "",
            authorization: None,
            accept: None,
            length,
        };
        if request.version != Some(1) {
            return None;
        }
        let mut host = None;
        for header in request.headers.iter() {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            let once = if is("host") {
                &mut host
            } else if is("accept") {
                &mut question.accept
            } else if is("authorization") {
                &mut question.authorization
            } else if is("connection") && header.value.eq_ignore_ascii_case(b"keep-alive") {
                // What HTTP/1.1 does anyway.
                continue;
            } else if DECIDING.into_iter().any(is) {
                return None;
            } else {
                continue;
            };
            if once.replace(text(header.value)?).is_some() {
                return None;
            }
        }
        question.host = host?;
        Some(question)
    }

    /// `None`: this is not answered here. `listen` is the address that is listened on.
    pub fn answer(&self, site: &Site, listen: SocketAddr) -> Option<Answer> {
        let method = if self.is_head { Method::HEAD } else { Method::GET };
        let found = route::find(&method, self.path, Surface::Public).ok()?;
        if !found.route.answers_anybody() {
            return None;
        }
        let credentials = Credentials {
            hosts: &[self.host],
            authorization: self.authorization,
        };
        let standing = site.standing(&credentials, listen);
        let reply = match found.route {
            // The page is made of more than the snapshot.
            Route::Ready { .. } if standing == Standing::Full && site::is_page(&[], self.accept) => return None,
            Route::Ready { tenant } => site::ready(site, tenant, &[], self.accept, standing, None),
            Route::Livez => site::livez(site, standing),
            Route::Startupz => site::startupz(site),
            _ => return None,
        };
        let status = match reply.status {
            200 => "200 OK",
            404 => "404 Not Found",
            503 => "503 Service Unavailable",
            _ => return None,
        };
        Some(Answer {
            route: found.pattern,
            status,
            reply,
            is_head: self.is_head,
        })
    }
}

impl Answer {
    /// Appends it as the library would send it on a connection that is kept.
    pub fn write(&self, date: &Date, out: &mut Vec<u8>) {
        let reply = &self.reply;
        // Cannot fail: it goes into memory.
        let _ = write!(
            out,
            "HTTP/1.1 {}\r\ncontent-length: {}\r\n",
            self.status,
            reply.body.len()
        );
        let mut header = |name: &str, value: &[u8]| {
            for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(piece);
            }
        };
        header("content-type", reply.content_type.as_bytes());
        header("cache-control", b"no-store");
        for (name, value) in &reply.headers {
            header(name, value.as_bytes());
        }
        header("date", date);
        out.extend_from_slice(b"\r\n");
        if !self.is_head {
            out.extend_from_slice(&reply.body);
        }
    }
}

/// What the library says when no whole head came in time.
pub(in crate::http) fn too_late(date: &Date) -> Vec<u8> {
    let before = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\ndate: ";
    [&before[..], date, b"\r\n\r\n"].concat()
}

/// Nothing that can be written in two ways, no query, no other host.
fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._".contains(&byte);
    path.starts_with('/') && path.bytes().all(plain)
}

/// What the library takes for text: visible ASCII.
fn text(value: &[u8]) -> Option<&str> {
    let is_visible = |byte: &u8| (b' '..=b'~').contains(byte) || *byte == b'\t';
    let is_text = value.iter().all(is_visible);
    std::str::from_utf8(value).ok().filter(|_| is_text)
}
