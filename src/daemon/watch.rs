//! Shell: the thread that looks at files: fragments twice a second and when file events say so, everything at a
//! reload, and what was set aside. A dead network mount holds it up, and nothing else.
#![expect(clippy::disallowed_methods, reason = "shell: lists the state directory")]

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tracing::{error, info, warn};

use crate::account;
use crate::clock;
use crate::config::Config;
use crate::config::load::{Loaded, Watcher};
use crate::config::touched::Files;
use crate::engine::Input;
use crate::http::pair::Pair;
use crate::probe::declaration::StateDir;
use crate::probe::target;
use crate::store::StoreEvent;
use crate::words::text::counted;

use super::file_events::FileEvents;
use super::inbox::{Outbox, Wake};
use super::touched::TouchedFiles;

/// Who asked for a reload hears what came of it.
pub(super) type ReloadReply = oneshot::Sender<Result<String, String>>;

/// Reloads that may wait while files hang; a further one is refused.
const RELOADS_MAX: usize = 16;
/// Events come as often as anybody writes; looks do not.
const LOOK_SOONEST: Duration = Duration::from_millis(100);

/// The hand on the thread; it ends when all of these are dropped.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    wanted: Arc<SyncSender<Wanted>>,
}

/// What the thread is to do before its time.
#[derive(Debug)]
enum Wanted {
    Reload(Option<ReloadReply>),
    /// A file event.
    Look,
}

struct Watching {
    watcher: Watcher,
    events: Option<FileEvents>,
    touched: TouchedFiles,
    /// A [`Wanted::Look`] is on its way: one at a time, so that reloads find a place.
    look_waits: Arc<AtomicBool>,
    started_with: Arc<Config>,
    home: Option<PathBuf>,
    state_dir: PathBuf,
    set_aside: Option<PathBuf>,
    outbox: Outbox,
}

impl Watch {
    pub(super) fn start(
        watcher: Watcher,
        config: &Arc<Config>,
        home: Option<PathBuf>,
        outbox: Outbox,
    ) -> std::io::Result<Watch> {
        let (send, wanted) = sync_channel(RELOADS_MAX + 1);
        let send = Arc::new(send);
        let look_waits = Arc::new(AtomicBool::new(false));
        let watching = Watching {
            watcher,
            events: FileEvents::start(tell(Arc::downgrade(&send), Arc::clone(&look_waits))),
            touched: TouchedFiles::start(outbox.clone())?,
            look_waits,
            started_with: Arc::clone(config),
            home,
            set_aside: set_aside(&config.state_dir).ok().flatten(),
            state_dir: config.state_dir.clone(),
            outbox,
        };
        let config = Arc::clone(config);
        thread::Builder::new()
            .name("watch".into())
            .spawn(move || watching.run(&config, &wanted))?;
        Ok(Watch { wanted: send })
    }

    /// SIGHUP (`None`: what comes of it is in the log and in `/v1/status`), or `POST /v1/reload`, which hears
    /// that its reply is dropped when too many wait already.
    pub(super) fn reload(&self, reply: Option<ReloadReply>) {
        match self.wanted.try_send(Wanted::Reload(reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => warn!("a reload is refused: {RELOADS_MAX} wait, reading the files hangs"),
            Err(TrySendError::Disconnected(_)) => error!("a reload is refused: the thread that reads files has died"),
        }
    }
}

impl Watching {
    fn run(mut self, config: &Config, wanted: &Receiver<Wanted>) {
        self.follow(config);
        let mut looked_at = clock::instant();
        let mut early = false;
        loop {
            let due = |early| looked_at + if early { LOOK_SOONEST } else { Watcher::POLL_EVERY };
            match wanted.recv_timeout(due(early).since(clock::instant())) {
                Ok(Wanted::Reload(reply)) => self.reload(reply),
                Ok(Wanted::Look) => {
                    self.look_waits.store(false, Ordering::Relaxed);
                    // Two looks that see the same are only worth something when time passes between them.
                    early |= !self.watcher.is_settling();
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            // Whatever else is wanted, and however often: nobody keeps us from looking when it is time.
            if clock::instant() >= due(early) {
                looked_at = clock::instant();
                early = false;
                self.look();
            }
        }
    }

    fn look(&mut self) {
        let was_settling = self.watcher.is_settling();
        if let Some(loaded) = self.watcher.poll(clock::instant()) {
            info!("fragments have changed");
            self.send_config(&loaded, false);
        } else if was_settling && !self.watcher.is_settling() {
            self.hear_directories();
        }
        self.look_for_set_aside();
    }

    /// Directories whose events are heard, and files of tenants that are looked at.
    fn follow(&mut self, config: &Config) {
        self.hear_directories();
        let secrets_dir = config.secrets_dir.as_deref();
        let files = config.tenants.values().map(|tenant| {
            let home = account::home_of(tenant.user.as_deref(), self.home.as_deref());
            Files::of(tenant, home.as_deref(), secrets_dir)
        });
        self.touched.configure(files.collect());
    }

    fn hear_directories(&mut self) {
        if let Some(events) = &mut self.events {
            events.follow(self.watcher.directories());
        }
    }

    fn reload(&mut self, reply: Option<ReloadReply>) {
        let outcome = match self.watcher.reload(clock::instant()) {
            Ok(loaded) => {
                let tenants = loaded.config.tenants.len();
                info!(tenants, "configuration reloaded");
                self.send_config(&loaded, true);
                let mut told = format!(
                    "reloaded: {}, {}",
                    counted(tenants, "tenant"),
                    counted(loaded.config.probes.len(), "probe")
                );
                let waiting = needs_restart(&self.started_with, &loaded.config).join(", ");
                if !waiting.is_empty() {
                    warn!("changes of {waiting} take effect at the next start");
                    told.push_str(&format!("; changes of {waiting} take effect at the next start"));
                }
                // The listener looks for itself; who asked for the reload should not have to look for what it finds.
                if let Some(Err(why)) = loaded.config.tls.as_ref().map(Pair::read) {
                    told.push_str(&format!("; the certificate stays as it was: {why}"));
                }
                Ok(told)
            }
            Err(problems) => {
                error!("the configuration stays as it was:\n{problems}");
                let summary = problems.summary().unwrap_or_else(|| "it is not valid".to_owned());
                self.send(Input::ConfigRefused(summary));
                Err(problems.to_string())
            }
        };
        // Who gave up waiting finds it in `/v1/status`.
        if let Some(reply) = reply {
            let _ = reply.send(outcome);
        }
    }

    fn send_config(&mut self, loaded: &Loaded, whole: bool) {
        self.follow(&loaded.config);
        self.send(Input::Config {
            config: Arc::clone(&loaded.config),
            state_dirs: state_dirs(&loaded.config, self.home.as_deref()),
            whole,
        });
    }

    /// A directory that cannot be read now says nothing.
    fn look_for_set_aside(&mut self) {
        let Ok(found) = set_aside(&self.state_dir) else { return };
        if self.set_aside.is_some() && found.is_none() {
            self.send(Input::Store(StoreEvent::QuarantineCleared));
        }
        self.set_aside = found;
    }

    fn send(&self, input: Input) {
        // The loop is gone only when the process ends.
        let _ = self.outbox.blocking_send(Wake::Input(input));
    }
}

/// Passes file events on, as long as there is a [`Watch`]: what is only weakly held keeps nobody alive.
fn tell(wanted: Weak<SyncSender<Wanted>>, look_waits: Arc<AtomicBool>) -> impl Fn(bool) -> bool + Send {
    move |happened| {
        let Some(wanted) = wanted.upgrade() else { return false };
        if happened && !look_waits.swap(true, Ordering::Relaxed) && wanted.try_send(Wanted::Look).is_err() {
            look_waits.store(false, Ordering::Relaxed);
        }
        true
    }
}

/// A database that was set aside and that nobody has moved away yet; the newest by name. Its side files alone
/// are nothing to look after.
pub(super) fn set_aside(state_dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in std::fs::read_dir(state_dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_side_file = name.ends_with("-wal") || name.ends_with("-shm");
        if name.contains(".sqlite.corrupt-") && !is_side_file {
            newest = newest.max(Some(path));
        }
    }
    Ok(newest)
}

/// Looks homes up, which may wait for a directory server.
pub(super) fn state_dirs(config: &Config, home: Option<&Path>) -> Vec<StateDir> {
    target::state_dirs(config, |user| account::home_of(user, home))
}

/// Keys whose change is not applied while running: against what it was started with, so that one that waits is
/// named by every reload until then.
fn needs_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    [
        ("listen", before.listen != after.listen),
        // The pair itself is exchanged while running.
        ("tls", before.tls.is_some() != after.tls.is_some()),
        ("agent_check", before.agent_check != after.agent_check),
        ("state_dir", before.state_dir != after.state_dir),
        ("runtime_dir", before.runtime_dir != after.runtime_dir),
        (
            "sockets",
            (
                before.sockets.events_mode,
                &before.sockets.events_group,
                before.sockets.control_mode,
            ) != (
                after.sockets.events_mode,
                &after.sockets.events_group,
                after.sockets.control_mode,
            ),
        ),
    ]
    .into_iter()
    .filter_map(|(key, changed)| changed.then_some(key))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_aside_is_gone_only_when_the_directory_says_so() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(dir.path()).unwrap(), None);
        for name in ["1", "2", "2-wal", "2-shm"] {
            std::fs::write(dir.path().join(format!("readyd.sqlite.corrupt-{name}")), "").unwrap();
        }
        std::fs::write(dir.path().join("readyd.sqlite"), "").unwrap();
        let newest = dir.path().join("readyd.sqlite.corrupt-2");
        assert_eq!(set_aside(dir.path()).unwrap(), Some(newest));
        assert!(set_aside(&dir.path().join("unreadable")).is_err());
    }
}
