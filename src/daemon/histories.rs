//! Shell: reads the record and makes reports of it: for whoever asks, and the budgets of `/metrics` twice a minute.
#![expect(clippy::disallowed_methods, reason = "shell: starts a task")]

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::clock;
use crate::config::Config;
use crate::engine::{ALIVE, alive_until};
use crate::history::{self, Asked, Record, Report, Slos, report};
use crate::http::metrics::Budgets;
use crate::http::site::{HistoryQuery, ReadHistory};
use crate::readiness::{present, subject_of};
use crate::store::{Reader, RecordQuery, TransitionQuery};

/// A scrape must not wait for the disk; as often as many are made.
const BUDGETS_EVERY: Duration = Duration::from_secs(30);
/// Budgets have windows of their own: the report around them is as short as can be.
const BUDGETS_SPAN: Duration = Duration::from_secs(60);

/// The hand on what reads histories.
#[derive(Debug)]
pub(super) struct Histories {
    reader: Reader,
    promises: watch::Sender<Promises>,
    _budgets: AbortOnDropHandle<()>,
}

/// What a report needs to know of the configuration.
#[derive(Clone, Debug)]
struct Promises {
    node: Arc<str>,
    slos: Arc<Slos>,
}

impl Histories {
    pub(super) fn start(reader: Reader, config: &Config, budgets: Arc<ArcSwap<Budgets>>) -> Histories {
        let (promises, kept) = watch::channel(Promises::of(config));
        let keeping = keep_budgets(reader.clone(), kept, budgets);
        Histories {
            reader,
            promises,
            _budgets: AbortOnDropHandle::new(tokio::spawn(keeping)),
        }
    }

    pub(super) fn configure(&self, config: &Config) {
        self.promises.send_replace(Promises::of(config));
    }

    /// For HTTP: blocks on the disk.
    pub(super) fn read(&self) -> ReadHistory {
        let (reader, promises) = (self.reader.clone(), self.promises.subscribe());
        Arc::new(move |query| {
            let promises = promises.borrow().clone();
            read(&reader, &promises, query)
        })
    }
}

impl Promises {
    fn of(config: &Config) -> Promises {
        Promises {
            node: config.node.as_str().into(),
            slos: Arc::new(config.slos()),
        }
    }
}

async fn keep_budgets(reader: Reader, mut kept: watch::Receiver<Promises>, budgets: Arc<ArcSwap<Budgets>>) {
    let mut every = tokio::time::interval(BUDGETS_EVERY);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = every.tick() => {}
            changed = kept.changed() => if changed.is_err() { return },
        }
        let promises = kept.borrow_and_update().clone();
        let promised = still_promised(&budgets.load(), &promises.slos);
        budgets.store(Arc::new(promised));
        if promises.slos.is_empty() {
            continue;
        }
        let query = HistoryQuery {
            span: Some(BUDGETS_SPAN),
            limit: 0,
            ..HistoryQuery::default()
        };
        let reader = reader.clone();
        let report = tokio::task::spawn_blocking(move || read(&reader, &promises, &query));
        match report.await {
            Ok(Ok(report)) => budgets.store(Arc::new(budgets_of(report))),
            Ok(Err(why)) => tracing::warn!(why, "budgets are those of before: the record cannot be read"),
            Err(error) if error.is_cancelled() => return,
            Err(error) => tracing::error!(%error, "budgets could not be counted; they are tried again"),
        }
    }
}

/// Whatever becomes of the next report: who promises nothing any more has no budget.
fn still_promised(budgets: &Budgets, slos: &Slos) -> Budgets {
    let budgets = budgets.iter().filter(|(tenant, _)| slos.contains_key(*tenant));
    budgets.map(|(tenant, budget)| (tenant.clone(), *budget)).collect()
}

fn budgets_of(report: Report) -> Budgets {
    let budgets = report.subjects.into_iter();
    budgets
        .filter_map(|subject| Some((subject.who.tenant?, subject.budget?)))
        .collect()
}

fn read(reader: &Reader, promises: &Promises, query: &HistoryQuery) -> Result<Report, String> {
    let now = clock::now().wall;
    let back = |span: Duration| now.plus_millis(-i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
    let span = query.span.unwrap_or(history::SPAN_DEFAULT);
    // Budgets are of tenants; a question about a check of all of them shows none.
    let reach = history::reach(&promises.slos).filter(|_| query.probe.is_none());
    let wanted = RecordQuery {
        since: back(reach.unwrap_or(span).max(span)),
        tenant: query.tenant.clone(),
        probe: query.probe.clone(),
        listed: TransitionQuery {
            since: query.since.or(query.span.map(back)),
            tenant: query.tenant.clone(),
            probe: query.probe.clone(),
            limit: query.limit,
        },
    };
    let wants = |key: &str| {
        let subject = subject_of(key);
        // Of tenants, since their maintenance covers their checks.
        subject.map_or(key == ALIVE, |who| who.check.is_none() || query.wants(&who))
    };
    let rows = reader.record(&wanted, &wants).map_err(|error| error.to_string())?;
    let state = || rows.state.iter().map(|(key, json)| (key.as_str(), json.as_str()));
    let record = Record {
        presents: state().filter_map(|(key, json)| present(key, json)).collect(),
        alive: state().find_map(|(key, json)| alive_until(key, json)),
        begins: rows.begins,
        entries: rows.entries,
        transitions: rows.transitions,
    };
    let asked = Asked {
        node: promises.node.clone(),
        now,
        span,
        slos: &promises.slos,
    };
    Ok(report(record, |who| query.wants(who), &asked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Budget, Burn, Slo};
    use crate::words::TenantName;

    #[test]
    fn who_promises_nothing_any_more_has_no_budget() {
        let name = |name| TenantName::parse(name).unwrap();
        let slo = Slo {
            target: 0.9,
            window: Duration::from_secs(60),
        };
        let budget = Budget {
            target: slo.target,
            window: slo.window,
            allowed_millis: 6000,
            used_millis: 0,
            burn: history::BURN_SPANS.map(|(over, _)| Burn { over, rate: None }),
        };
        let budgets = Budgets::from([(name("acme"), budget), (name("gone"), budget)]);
        let slos = Slos::from([(name("acme"), slo)]);
        assert_eq!(still_promised(&budgets, &slos), Budgets::from([(name("acme"), budget)]));
    }
}
