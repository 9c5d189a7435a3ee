//! What a client says in a request line and its headers: a route or none, a form in any case, and a query that means one thing.

use actix_web::http::Method;
use readyd::digest::answer::{Query, Which, read_remote};
use readyd::http::accept::{Form, names_json, negotiate};
use readyd::http::route::{self, Missed, Surface};
use readyd::readiness::Excluded;
use readyd::words::{CheckId, Instant, Now, TenantName, Wall};

pub fn run(data: &[u8]) {
    let (method, data) = super::chosen(data);
    let mut parts = super::parts(data).map(|part| std::str::from_utf8(part).unwrap_or_default());
    let path = parts.next().unwrap_or_default();
    let query = parts.next().unwrap_or_default();
    let accept = parts.next();
    let methods = [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::OPTIONS];
    let method = &methods[usize::from(method) % methods.len()];
    routes(method, path);
    accepts(accept);
    queries(query);
    names(path);
    let now = Now {
        at: Instant::from_millis(5_000_000),
        wall: Wall::from_millis(1_795_159_800_000),
    };
    if let Ok(remote) = read_remote(query.as_bytes(), "http://other", now) {
        assert!(remote.window.rows.iter().all(|row| row.node.is_some()));
    }
}

fn routes(method: &Method, path: &str) {
    let patterns = route::patterns();
    for surface in [Surface::Public, Surface::Control] {
        match route::find(method, path, surface) {
            Ok(found) => assert!(patterns.contains(&found.pattern)),
            Err(Missed::NotAllowed { pattern, allow }) => {
                assert!(patterns.contains(&pattern) && !allow.is_empty());
                let allowed = allow.split(", ").any(|allowed| allowed == method.as_str());
                assert!(!allowed, "{method} is allowed and refused");
            }
            Err(Missed::NotFound) => {}
        }
        let found = route::find(&Method::GET, path, surface).map(|found| found.pattern);
        let head = route::find(&Method::HEAD, path, surface).map(|found| found.pattern);
        assert_eq!(found.is_ok(), head.is_ok(), "HEAD goes wherever GET does");
    }
}

fn accepts(accept: Option<&str>) {
    let form = negotiate(accept);
    assert!(Form::ALL.contains(&form));
    if form != Form::Json {
        let said = accept.expect("it was asked for");
        assert!(said.contains('/'), "{said:?} asks for nothing");
    }
    let _ = names_json(accept);
}

fn queries(query: &str) {
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let Ok(parsed) = Query::parse(&pairs) else { return };
    assert!(parsed.limit <= Query::LIMIT_MAX);
    if let Which::At(start) = parsed.window {
        assert_eq!(start.rem_euclid(300), 0);
    }
    let mut twice = pairs.clone();
    twice.extend(pairs);
    assert_eq!(Query::parse(&twice), Ok(parsed), "of a repeated key the last counts");
}

/// A name is written as it is read.
fn names(text: &str) {
    if let Some(check) = CheckId::parse(text) {
        assert_eq!(check.to_string(), text);
        assert!(Excluded::parse(text).is_some_and(|excluded| excluded.matches(&check)));
    }
    if let Some(tenant) = TenantName::parse(text) {
        assert_eq!(tenant.as_str(), text);
        assert!(text.len() <= TenantName::LEN_MAX);
    }
}
