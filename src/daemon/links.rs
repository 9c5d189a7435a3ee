//! Shell: the standing links: one task for each tenant that has a port and a token, begun and ended as the
//! configuration says.
#![expect(clippy::disallowed_methods, reason = "shell: starts a task for each link")]

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use crate::clock;
use crate::config::{Config, Tenant};
use crate::engine::{Input, LinkNews};
use crate::fingerprint::Fingerprints;
use crate::ingest::delta::{Mark, Reporter};
use crate::ingest::hub::Hub;
use crate::ingest::local::{Local, NotCounted};
use crate::link::client::{self, Output, Wiring};
use crate::link::events::{LinkEvent, Memory};
use crate::link::session::{Patience, Session};
use crate::probe::declaration::Asks;
use crate::words::TenantName;

use super::inbox::{Outbox, Wake};

/// News of one link that wait for the loop. A link says little; one that says more than the loop takes is cut
/// short of its oldest words' followers, never of its life.
const NEWS_MAX: usize = 256;

#[derive(Debug)]
pub(super) struct Links {
    outbox: Outbox,
    hub: Arc<Hub>,
    fingerprints: Fingerprints,
    /// What each link has counted, by its own last word: a link that begins anew goes on from there.
    memories: Memories,
    /// With what each was made of: another wiring is another link.
    running: BTreeMap<TenantName, (Wiring, AbortOnDropHandle<()>)>,
}

impl Links {
    /// `marks`: as [`crate::store::Restored`] has them.
    pub(super) fn start(
        config: &Config,
        hub: &Arc<Hub>,
        marks: &[Mark],
        fingerprints: Fingerprints,
        outbox: Outbox,
    ) -> Links {
        let mut by_source: BTreeMap<&str, Vec<&Mark>> = BTreeMap::new();
        for mark in marks {
            by_source.entry(&mark.source).or_default().push(mark);
        }
        let memories = Memories::default();
        for tenant in config.tenants.keys() {
            if let Some(marks) = by_source.remove(&*Reporter::link(tenant).0) {
                memories.put(tenant, Memory::restore(marks));
            }
        }
        let mut links = Links {
            outbox,
            hub: hub.clone(),
            fingerprints,
            memories,
            running: BTreeMap::new(),
        };
        links.configure(config);
        links
    }

    /// The database has begun anew: it is to know again what each link has counted.
    pub(super) fn keep_all(&self) {
        for (tenant, memory) in &*self.memories.lock() {
            let marks = memory.marks(&Reporter::link(tenant), clock::wall());
            // One that finds no room loses what only a restart within a day would ask for.
            let _ = Local::link(&self.hub, tenant).keep(marks);
        }
    }

    /// Returns the tenants whose link has ended, those that get another one too.
    pub(super) fn configure(&mut self, config: &Config) -> Vec<TenantName> {
        let wanted = wanted(config, &self.fingerprints);
        let is_ended = |tenant: &TenantName, link: &Wiring| wanted.get(tenant) != Some(link);
        let ended = self.running.extract_if(.., |tenant, (link, _)| is_ended(tenant, link));
        let ended = ended.map(|(tenant, _)| tenant).collect();
        for (tenant, link) in wanted {
            if !self.running.contains_key(&tenant) {
                let counted = Counted {
                    local: Local::link(&self.hub, &tenant),
                    reporter: Reporter::link(&tenant),
                    memories: self.memories.clone(),
                };
                let task = tokio::spawn(run(tenant.clone(), link.clone(), counted, self.outbox.clone()));
                self.running.insert(tenant, (link, AbortOnDropHandle::new(task)));
            }
        }
        ended
    }
}

/// Of links that do not run, or from before they ran.
#[derive(Clone, Debug, Default)]
struct Memories(Arc<Mutex<BTreeMap<TenantName, Memory>>>);

impl Memories {
    fn put(&self, tenant: &TenantName, memory: Memory) {
        self.lock().insert(tenant.clone(), memory);
    }

    fn of(&self, tenant: &TenantName) -> Memory {
        self.lock().get(tenant).cloned().unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantName, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a link's deliveries are counted.
struct Counted {
    local: Local,
    reporter: Reporter,
    memories: Memories,
}

impl Counted {
    /// Counts a delivery, with the mark that makes it count once. `Err`: events are missing.
    fn deliver(&self, tenant: &TenantName, session: &mut Session, event: &LinkEvent) -> Result<(), &'static str> {
        let now = clock::now().wall;
        let marks = event.mark(&self.reporter, now).into_iter().collect();
        let counted = self.local.count(&event.line(), marks);
        match counted {
            Ok(()) => self
                .memories
                .lock()
                .entry(tenant.clone())
                .or_default()
                .remember(event, now),
            Err(_) => session.not_counted(event),
        }
        counted.map_err(|error| match error {
            NotCounted::Full => "the store could not commit for long",
            NotCounted::Refused(_) => "the gateway told a delivery that is no valid event",
        })
    }

    /// A mark that finds no room is followed by the next.
    fn keep(&self, tenant: &TenantName, session: &Session) {
        self.memories.put(tenant, session.memory().clone());
        let mark = session.memory().mark(&self.reporter, clock::now().wall);
        let _ = self.local.keep(mark.into_iter().collect());
    }
}

fn wanted(config: &Config, fingerprints: &Fingerprints) -> BTreeMap<TenantName, Wiring> {
    let checks = config.checks();
    let linked = checks
        .iter()
        .filter(|(_, probe)| probe.asks == Asks::Link)
        .filter_map(|(check, _)| config.tenants.get(check.tenant.as_ref()?));
    linked
        .filter_map(|tenant| Some((tenant.name.clone(), wanted_of(tenant, fingerprints)?)))
        .collect()
}

fn wanted_of(tenant: &Tenant, fingerprints: &Fingerprints) -> Option<Wiring> {
    Some(Wiring {
        place: tenant.place()?,
        token: tenant.token.clone()?,
        fingerprints: fingerprints.clone(),
    })
}

async fn run(tenant: TenantName, wiring: Wiring, counted: Counted, outbox: Outbox) {
    let mut seed = DefaultHasher::new();
    tenant.hash(&mut seed);
    let session = Session::new(
        tenant.clone(),
        counted.memories.of(&tenant),
        Patience::default(),
        seed.finish(),
        clock::now(),
    );
    let (sender, mut news) = mpsc::channel(NEWS_MAX);
    let of = tenant.clone();
    let link = client::run(wiring, session, move |session, output| {
        let news = match output {
            Output::Report(report) if report.alive => LinkNews::Finding(report.finding.but_alive()),
            Output::Report(report) => LinkNews::Finding(report.finding),
            Output::Know(facts) => LinkNews::Facts(Box::new(facts)),
            Output::Gap { why, since } => LinkNews::Gap { why, since },
            Output::Deliver(event) => match counted.deliver(&of, session, &event) {
                Ok(()) => return,
                Err(why) => LinkNews::Gap {
                    why,
                    since: Some(event.ts),
                },
            },
            Output::Keep => return counted.keep(&of, session),
        };
        // Reports repeat themselves: one that finds no room is followed by the next.
        let _ = sender.try_send(news);
    });
    let forward = async {
        while let Some(news) = news.recv().await {
            let input = Input::Link {
                tenant: tenant.clone(),
                news,
            };
            if outbox.send(Wake::Input(input)).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = link => {}
        () = forward => {}
    }
}
