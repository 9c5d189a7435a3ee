//! Shell: the followers of gateways' log files: a thread for each log, begun and ended by one that may wait for a
//! directory server, which says who a tenant's user is.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use tracing::warn;

use crate::account;
use crate::clock;
use crate::config::Config;
use crate::engine::Input;
use crate::ingest::delta::{Mark, Reporter};
use crate::ingest::hub::Hub;
use crate::ingest::local::{Local, NotCounted};
use crate::log_tail::position::Position;
use crate::log_tail::source::{self, User};
use crate::log_tail::{self, Claim, Output, Sink, Wiring};
use crate::words::TenantName;

use super::inbox::{Outbox, Wake};

/// Of the mark that holds a log's position.
const POSITION: &str = "position";

/// Dropped, all followers end at their next look.
#[derive(Debug)]
pub(super) struct Logs {
    configs: Sender<Arc<Config>>,
    hub: Arc<Hub>,
    positions: Positions,
}

/// How far each log was read: one that is followed anew goes on from there.
type Positions = Arc<Mutex<BTreeMap<PathBuf, Position>>>;

/// How each log of a tenant is: it may have several places, of which one is used.
type Places = Arc<Mutex<BTreeMap<TenantName, BTreeMap<PathBuf, Place>>>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// No file yet, or none any more.
    Empty,
    Read,
    Trouble,
}

/// The thread that begins and ends the others.
struct Steward {
    outbox: Outbox,
    hub: Arc<Hub>,
    home: Option<PathBuf>,
    positions: Positions,
    places: Places,
    running: BTreeMap<PathBuf, Following>,
}

struct Following {
    wiring: Wiring,
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Logs {
    /// `marks`: as [`crate::store::Restored`] has them.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(super) fn start(
        config: &Arc<Config>,
        hub: &Arc<Hub>,
        home: Option<PathBuf>,
        marks: &[Mark],
        outbox: Outbox,
    ) -> io::Result<Logs> {
        let positions = marks.iter().filter(|mark| &*mark.key == POSITION).filter_map(|mark| {
            let path = mark.source.strip_prefix("log:")?;
            Some((PathBuf::from(path), Position::parse(&mark.body)?))
        });
        let positions: Positions = Arc::new(Mutex::new(positions.collect()));
        let mut steward = Steward {
            outbox,
            hub: hub.clone(),
            home,
            positions: positions.clone(),
            places: Places::default(),
            running: BTreeMap::new(),
        };
        let (configs, wanted) = channel::<Arc<Config>>();
        thread::Builder::new().name("log-steward".into()).spawn(move || {
            for config in wanted {
                steward.configure(&config);
            }
        })?;
        let logs = Logs {
            configs,
            hub: hub.clone(),
            positions,
        };
        logs.configure(config);
        Ok(logs)
    }

    /// The database has begun anew: it is to know again how far each log was read.
    pub(super) fn keep_all(&self) {
        let local = Local::log(&self.hub);
        for (path, position) in &*lock(&self.positions) {
            // One that finds no room is followed by the follower's next.
            let _ = local.keep(vec![mark(path, position)]);
        }
    }

    pub(super) fn configure(&self, config: &Arc<Config>) {
        // The steward ends only with us, or when it panicked: then what is followed stays so.
        let _ = self.configs.send(config.clone());
    }
}

impl Steward {
    fn configure(&mut self, config: &Config) {
        let wirings = source::wirings(config, |name| self.user(name));
        let wanted: BTreeMap<PathBuf, Wiring> = wirings
            .into_iter()
            .map(|wiring| (wiring.path.clone(), wiring))
            .collect();
        let is_ended = |path: &PathBuf, following: &Following| wanted.get(path) != Some(&following.wiring);
        let ended = self.running.extract_if(.., |path, following| is_ended(path, following));
        for (_, Following { stop, thread, .. }) in ended {
            drop(stop);
            // It ends within one look. Two that follow the same log at once would count twice.
            let _ = thread.join();
        }
        for (path, wiring) in wanted {
            if self.running.contains_key(&path) {
                continue;
            }
            match self.begin(&path, wiring) {
                Ok(following) => {
                    self.running.insert(path, following);
                }
                Err(error) => warn!(%error, "there is no thread to follow {}", path.display()),
            }
        }
    }

    fn begin(&self, path: &Path, wiring: Wiring) -> io::Result<Following> {
        let (stop, stopped) = channel();
        let follower = Follower {
            path: path.to_owned(),
            claims: wiring.claims.clone(),
            local: Local::log(&self.hub),
            positions: self.positions.clone(),
            places: self.places.clone(),
            outbox: self.outbox.clone(),
        };
        let followed = wiring.clone();
        let thread = thread::Builder::new()
            .name("log-tail".into())
            .spawn(move || follower.follow(followed, &stopped))?;
        Ok(Following { wiring, stop, thread })
    }

    fn user(&self, name: Option<&str>) -> Option<User> {
        let Some(name) = name else {
            let home = self.home.clone()?;
            return Some(User {
                uid: account::own_uid(),
                home,
            });
        };
        let account = account::by_name(name).ok().flatten()?;
        Some(User {
            uid: account.uid,
            home: account.home,
        })
    }
}

/// What a log's thread has.
struct Follower {
    path: PathBuf,
    claims: Vec<Claim>,
    local: Local,
    positions: Positions,
    places: Places,
    outbox: Outbox,
}

impl Follower {
    fn follow(self, wiring: Wiring, stopped: &Receiver<()>) {
        let position = lock(&self.positions).get(&self.path).cloned();
        self.stand(Some(Place::Empty));
        log_tail::run(wiring, position, |output| self.take(output), stopped);
        self.stand(None);
    }

    fn take(&self, output: Output<'_>) -> Sink {
        match output {
            Output::Event { line, position, .. } => match self.local.count(line, vec![mark(&self.path, position)]) {
                Ok(()) | Err(NotCounted::Refused(_)) => self.passed(position),
                Err(NotCounted::Full) => return Sink::Later,
            },
            Output::Passed { position } => {
                // One that finds no room is followed by the next.
                let _ = self.local.keep(vec![mark(&self.path, position)]);
                self.passed(position);
            }
            Output::State(state) => {
                let place = match &state.trouble {
                    Some(_) => Place::Trouble,
                    None if state.files > 0 => Place::Read,
                    None => Place::Empty,
                };
                if self.stand(Some(place))
                    && let Some(trouble) = &state.trouble
                {
                    warn!("{}: {trouble}", self.path.display());
                }
            }
        }
        Sink::Done
    }

    fn passed(&self, position: &Position) {
        lock(&self.positions).insert(self.path.clone(), position.clone());
    }

    /// The digest hears of each change: a log that cannot be read makes its tenants blind, one that is nowhere does not
    /// count. `None`: it is followed no more. `true`: that is news.
    fn stand(&self, place: Option<Place>) -> bool {
        let mut places = lock(&self.places);
        let mut is_news = false;
        for claim in &self.claims {
            let of_tenant = places.entry(claim.tenant.clone()).or_default();
            let stood = stands(of_tenant);
            let before = match place {
                Some(place) => of_tenant.insert(self.path.clone(), place),
                None => of_tenant.remove(&self.path),
            };
            is_news |= before != place;
            let stands = stands(of_tenant);
            if stands == stood {
                continue;
            }
            let input = Input::Source {
                tenant: claim.tenant.clone(),
                reporter: Reporter::log(&claim.tenant),
                stands,
            };
            // Under the lock, so that nobody hears it in another order; the loop never takes it. It is gone only when
            // the process ends.
            let _ = self.outbox.blocking_send(Wake::Input(input));
        }
        is_news
    }
}

/// One of them is read, and none is in trouble.
fn stands(places: &BTreeMap<PathBuf, Place>) -> bool {
    let is = |wanted: Place| places.values().any(|place| *place == wanted);
    is(Place::Read) && !is(Place::Trouble)
}

fn mark(path: &Path, position: &Position) -> Mark {
    Mark {
        source: source_of(path).into(),
        key: POSITION.into(),
        body: position.body().into(),
        at: clock::wall(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn source_of(path: &Path) -> String {
    format!("log:{}", path.display())
}
