//! Shell: runs in flight: one task each, ended when its answer is no longer wanted.
#![expect(clippy::disallowed_methods, reason = "shell: starts a task for each run")]

use std::collections::HashMap;

use tokio::task::AbortHandle;

use crate::config::Config;
use crate::engine::Input;
use crate::http::metrics::ProbeMetrics;
use crate::probe::ask::Asker;
use crate::probe::declaration::{Order, RunId};

use super::inbox::{Outbox, Wake};

pub(super) struct Runs {
    asker: Asker,
    /// `None` in a one-shot, which nobody scrapes.
    metrics: Option<ProbeMetrics>,
    outbox: Outbox,
    flying: HashMap<RunId, AbortHandle>,
}

impl Runs {
    pub(super) fn new(asker: Asker, metrics: Option<ProbeMetrics>, outbox: Outbox) -> Runs {
        Runs {
            asker,
            metrics,
            outbox,
            flying: HashMap::new(),
        }
    }

    /// From now on runs ask as `config` says; those in flight end as they began.
    pub(super) fn configure(&mut self, config: &Config) {
        self.asker.configure(config);
    }

    pub(super) fn begin(&mut self, order: Order) {
        self.flying.retain(|_, task| !task.is_finished());
        let (asker, outbox, metrics) = (self.asker.clone(), self.outbox.clone(), self.metrics.clone());
        let run = order.run;
        let task = tokio::spawn(async move {
            let (check, probe) = (order.check.clone(), order.probe.name.clone());
            let (finding, cost) = asker.ask(order).await;
            if let Some(metrics) = metrics {
                metrics.observe(&probe, &finding, &cost);
            }
            let answer = Input::Finding {
                run,
                check,
                finding,
                cost,
            };
            // The loop is gone only when the process ends.
            let _ = outbox.send(Wake::Input(answer)).await;
        });
        self.flying.insert(run, task.abort_handle());
    }

    /// Its process group is ended with the task.
    pub(super) fn cancel(&mut self, run: RunId) {
        if let Some(task) = self.flying.remove(&run) {
            task.abort();
        }
    }
}
