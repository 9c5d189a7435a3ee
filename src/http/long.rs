//! Shell: answers that take longer than a load balancer is to wait: what is read from the disk, and rows without end.

use std::sync::Arc;

use actix_web::rt;
use actix_web::web::Data;

use super::body;
use super::handle::{PATIENCE, Pairs, unable};
use super::off_loop::{computed, off_loop};
use super::page::timeline::Range;
use super::reply::Reply;
use super::site::{HistoryQuery, Seen, Site};
use crate::clock;
use crate::digest::answer::{Query, Which, answer, answer_window};
use crate::digest::window_view;

/// More rows are made and written elsewhere: load balancers would wait behind them.
const ROWS_AT_ONCE: usize = 2_000;

/// What a page shows beside the snapshot.
pub(super) async fn seen(site: &Data<Site>, pairs: &Pairs) -> Seen {
    let digest = Arc::clone(&site.parts.board.read().snapshot.digest);
    if digest.rows_held() > ROWS_AT_ONCE {
        // Where that cannot be done, they are made as the page is.
        let _ = computed(move || digest.make_rows()).await;
    }
    let now = clock::now();
    Seen {
        now,
        sparks: site.past.sparks(&site.parts, now.wall).await,
        timelines: site.past.timelines(&site.parts).await,
        range: Range::of_query(pairs),
    }
}

pub(super) async fn webhook_digest(site: &Data<Site>, pairs: &Pairs) -> Reply {
    let query = match Query::parse(pairs) {
        Ok(query) => query,
        Err(why) => {
            let hint = "known: window=sliding|last|2026-11-20T07:25:00Z, tenant=, limit=, scope=local";
            return Reply::problem(400, &why.to_string(), hint);
        }
    };
    let now = clock::now();
    let snapshot = Arc::clone(&site.parts.board.read().snapshot);
    let is_long = snapshot.digest.rows_held() > ROWS_AT_ONCE;
    let of_held = {
        let query = query.clone();
        move || answer(&snapshot.digest, &query, &snapshot.node, now).map(|answer| Reply::json(body::json(&answer)))
    };
    let held = match is_long {
        // Without a thread to spare it is answered all the same.
        true => computed(of_held.clone()).await.unwrap_or_else(|_| of_held()),
        false => of_held(),
    };
    let missing = match held {
        Ok(reply) => return reply,
        Err(missing) => missing,
    };
    let shown = |window| {
        let published = site.parts.board.read();
        let snapshot = &published.snapshot;
        let answer = answer_window(&snapshot.digest, &window, &query, &snapshot.node, now);
        Reply::json(body::json(&answer))
    };
    let read = site.parts.window.clone();
    match blocking(move || read(missing.start)).await {
        Ok(Some(window)) => shown(window),
        // There is always a last closed window: a node that has just begun has counted nothing in it.
        Ok(None) if query.window == Which::Last => shown(window_view(missing.start, &[])),
        Ok(None) => Reply::problem(404, &missing.to_string(), "window=last is the last closed window"),
        Err(reply) => reply,
    }
}

pub(super) async fn history(site: &Data<Site>, pairs: &Pairs) -> Reply {
    let query = match HistoryQuery::parse(pairs) {
        Ok(query) => query,
        Err((error, hint)) => return Reply::problem(400, &error, &hint),
    };
    let read = site.parts.history.clone();
    match blocking(move || read(&query)).await {
        Ok(report) => Reply::json(body::json(&report)),
        Err(reply) => reply,
    }
}

async fn blocking<T: Send + 'static>(read: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, Reply> {
    match rt::time::timeout(PATIENCE, off_loop(read)).await {
        Ok(Ok(Ok(read))) => Ok(read),
        Ok(Ok(Err(why))) => Err(Reply::problem(
            503,
            &why,
            "GET /v1/checks/store says what the store is missing",
        )),
        Ok(Err(undone)) => Err(unable(&undone)),
        Err(_) => Err(Reply::problem(
            504,
            "the store did not answer within 5 s",
            "GET /v1/checks/store says how it is",
        )),
    }
}
