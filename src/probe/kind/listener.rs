//! Shell: kind `listener`: what really listens for a tenant's gateway, and whether URLs refuse strangers.

use std::time::Duration;

use tokio::task::JoinSet;

use super::listeners::{self, Listeners};
use super::part::{Part, fuse};
use super::{Ask, Lost};
use crate::clock;
use crate::http::client::{Fetch, FetchError, Trust, fetch};
use crate::link::place::Place;
use crate::probe::declaration::{Listener, TenantTarget};
use crate::words::Finding;

mod judge;
mod stranger;

/// Asks once: the sockets and all URLs at the same time.
pub async fn ask(listener: &Listener, ask: &Ask<'_>) -> Finding {
    let mut urls = Vec::new();
    for url in &listener.must_refuse {
        match ask.fill(url).await {
            Ok(url) => urls.push(url),
            Err(finding) => return finding,
        }
    }
    let port = ask.tenant().and_then(port_here);
    let (looked, answers) = tokio::join!(look(port, ask), strangers(urls, ask.patience));
    let mut parts: Vec<Part> = answers
        .iter()
        .map(|(url, answer)| stranger::judge(url, answer))
        .collect();
    let mut seen = judge::Judged::default();
    if let (Some(port), Some(tenant)) = (port, ask.tenant()) {
        seen = match looked {
            Some(Ok(Ok(found))) => judge::judge(&found, &expected(listener, tenant, port)),
            Some(Ok(Err(why))) => judge::Judged::unknown(&why),
            Some(Err(lost)) => judge::Judged::lost(lost.cause(), &lost.to_string()),
            None => judge::Judged::default(),
        };
    }
    parts.append(&mut seen.parts);
    let all_well = match (seen.summary.is_empty(), answers.len()) {
        (false, 0) => seen.summary,
        (false, _) => format!("{}; {}", seen.summary, refusals(answers.len())),
        (true, 0) => "there is nothing to look at".to_owned(),
        (true, count) => refusals(count),
    };
    let mut finding = fuse(parts, all_well);
    for (what, fact) in &seen.evidence {
        finding.evidence_push(what, fact);
    }
    for note in &seen.notes {
        finding.note_push(note);
    }
    finding
}

/// The port of the tenant's gateway, when it is one of this host's.
pub(super) fn port_here(tenant: &TenantTarget) -> Option<u16> {
    match tenant.place.as_ref().map(Place::address) {
        Some(address) if !address.is_this_host() => None,
        Some(address) => Some(tenant.port.unwrap_or(address.port)),
        None => tenant.port,
    }
}

fn refusals(count: usize) -> String {
    match count {
        1 => "1 URL refuses strangers".to_owned(),
        count => format!("{count} URLs refuse strangers"),
    }
}

fn expected<'a>(listener: &'a Listener, tenant: &'a TenantTarget, port: u16) -> judge::Expected<'a> {
    judge::Expected {
        port,
        declared: &tenant.listeners,
        allow: &listener.allow,
        answers: tenant.link.as_ref().is_some_and(|link| link.connected),
    }
}

/// As ourselves: root sees whose sockets they are, the tenant's user only its own.
async fn look(port: Option<u16>, ask: &Ask<'_>) -> Option<Result<Result<Listeners, String>, Lost>> {
    let port = port?;
    let deadline = clock::instant() + ask.patience.mul_f64(0.8);
    let work = move || listeners::look(port, &|| clock::instant() >= deadline);
    Some(ask.one("sockets", work).await)
}

/// What each URL answers to somebody without credentials, in their order.
async fn strangers(urls: Vec<String>, patience: Duration) -> Vec<(String, Result<u16, FetchError>)> {
    // Ends with this future: no request outlives its ask.
    let mut asking = JoinSet::new();
    for (index, url) in urls.into_iter().enumerate() {
        asking.spawn(async move {
            // Whose certificate it is does not matter to who wants in.
            let answer = match Fetch::get(&url, Trust::Any) {
                Ok(request) => fetch(request.within(patience)).await.map(|fetched| fetched.status),
                Err(error) => Err(error),
            };
            (index, url, answer)
        });
    }
    let mut answers: Vec<_> = asking.join_all().await;
    answers.sort_by_key(|(index, ..)| *index);
    answers.into_iter().map(|(_, url, answer)| (url, answer)).collect()
}

#[cfg(test)]
mod tests;
