//! Shell: the thread that looks at the files which tenants' checks read (`openclaw.json`, environment, tokens), and
//! tells the engine whose have changed.
//!
//! A stamp of a file on a dead mount may not come for hours. So each round is taken by a thread of its own, and one that
//! sticks is left behind with its tenant, which is passed over until it returns; another one goes on with the next tenant.

use std::collections::BTreeMap;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use crate::config::files::{self, Stamp};
use crate::config::touched::{Files, Role, Settling, probes};
use crate::engine::Input;
use crate::words::TenantName;

use super::inbox::{Outbox, Wake};

/// Two looks and what lies before them are within two seconds.
const LOOK_EVERY: Duration = Duration::from_millis(800);
/// Of one tenant: five stamps take microseconds.
const TENANT_WAIT_MAX: Duration = Duration::from_secs(1);
/// A thread that is left behind holds no more than that; there is at most one for each tenant.
const STACK_BYTES: usize = 256 << 10;

/// The hand on the thread; it ends when all of these are dropped.
#[derive(Clone, Debug)]
pub(super) struct TouchedFiles {
    wanted: Sender<Vec<Files>>,
}

type Stamps = Vec<Option<Stamp>>;
type Looked = (TenantName, Stamps);

struct Looking {
    /// May not return for hours.
    stamp: fn(&Path) -> Option<Stamp>,
    outbox: Outbox,
    tenants: BTreeMap<TenantName, Known>,
    /// How long one tenant is waited for.
    patience: Duration,
    /// Rounds that wait for a tenant's files, with what will come of them.
    stuck: Vec<(TenantName, Receiver<Looked>)>,
}

struct Known {
    files: Vec<(Role, PathBuf)>,
    /// `None` until the first look, which is the one to compare with.
    stamps: Option<Settling<Stamps>>,
}

impl TouchedFiles {
    pub(super) fn start(outbox: Outbox) -> std::io::Result<TouchedFiles> {
        let (wanted, changes) = channel();
        let looking = Looking::new(files::stamp, outbox);
        thread::Builder::new()
            .name("touched files".into())
            .spawn(move || looking.run(&changes))?;
        Ok(TouchedFiles { wanted })
    }

    /// From now on looks at these.
    pub(super) fn configure(&self, files: Vec<Files>) {
        // The thread is gone only when it has panicked, and then checks are asked at their regular times.
        let _ = self.wanted.send(files);
    }
}

impl Looking {
    fn new(stamp: fn(&Path) -> Option<Stamp>, outbox: Outbox) -> Looking {
        Looking {
            stamp,
            outbox,
            tenants: BTreeMap::new(),
            patience: TENANT_WAIT_MAX,
            stuck: Vec::new(),
        }
    }

    fn run(mut self, changes: &Receiver<Vec<Files>>) {
        loop {
            match changes.recv_timeout(LOOK_EVERY) {
                Ok(files) => self.configure(files),
                Err(RecvTimeoutError::Timeout) => self.round(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Tenants whose files are where they were keep what is known of them.
    fn configure(&mut self, files: Vec<Files>) {
        let mut before = mem::take(&mut self.tenants);
        for Files { tenant, files } in files.into_iter().filter(|files| !files.files.is_empty()) {
            let same = before.remove(&tenant).filter(|known| known.files == files);
            let known = same.unwrap_or(Known { files, stamps: None });
            self.tenants.insert(tenant, known);
        }
    }

    fn round(&mut self) {
        self.stuck
            .retain(|(_, round)| matches!(round.try_recv(), Err(TryRecvError::Empty)));
        let is_free = |tenant: &&TenantName| self.stuck.iter().all(|(stuck, _)| stuck != *tenant);
        let mut order: Vec<TenantName> = self.tenants.keys().filter(is_free).cloned().collect();
        while !order.is_empty() {
            order = self.look_at(order);
        }
    }

    /// By one thread; those who were not reached because it sticks.
    fn look_at(&mut self, order: Vec<TenantName>) -> Vec<TenantName> {
        let paths = order.iter().map(|tenant| {
            let files = self.tenants[tenant].files.iter();
            (tenant.clone(), files.map(|(_, path)| path.clone()).collect())
        });
        let paths: Vec<(TenantName, Vec<PathBuf>)> = paths.collect();
        let (tell, round) = channel();
        let stamp = self.stamp;
        let look = thread::Builder::new()
            .name("touched files round".into())
            .stack_size(STACK_BYTES)
            .spawn(move || look(paths, stamp, &tell));
        if let Err(error) = look {
            warn!(%error, "files that checks read cannot be looked at now");
            return Vec::new();
        }
        let mut left = order.into_iter();
        while let Some(tenant) = left.next() {
            match round.recv_timeout(self.patience) {
                Ok((tenant, stamps)) => self.seen(&tenant, &stamps),
                Err(RecvTimeoutError::Timeout) => {
                    info!(%tenant, "its files do not answer; passed over until they do");
                    self.stuck.push((tenant, round));
                    return left.collect();
                }
                Err(RecvTimeoutError::Disconnected) => return Vec::new(),
            }
        }
        Vec::new()
    }

    fn seen(&mut self, tenant: &TenantName, stamps: &Stamps) {
        let Some(known) = self.tenants.get_mut(tenant) else {
            return;
        };
        let Some(settling) = &mut known.stamps else {
            known.stamps = Some(Settling::new(stamps.clone()));
            return;
        };
        let Some(before) = settling.look(stamps) else { return };
        let files = known.files.iter().zip(before.iter().zip(stamps));
        let changed = files.filter(|(_, (before, now))| before != now);
        let probes = probes(changed.map(|((role, _), _)| *role));
        let input = Input::Touched {
            tenant: tenant.clone(),
            probes,
        };
        // The loop is gone only when the process ends.
        let _ = self.outbox.blocking_send(Wake::Input(input));
    }
}

/// Ends when nobody waits for it any more.
fn look(tenants: Vec<(TenantName, Vec<PathBuf>)>, stamp: fn(&Path) -> Option<Stamp>, tell: &Sender<Looked>) {
    for (tenant, paths) in tenants {
        let stamps = paths.iter().map(|path| stamp(path)).collect();
        if tell.send((tenant, stamps)).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::daemon::inbox::Inbox;

    /// Until then, what is below a dead mount does not answer.
    static ALIVE: AtomicBool = AtomicBool::new(false);

    fn stamp(path: &Path) -> Option<Stamp> {
        while path.starts_with("/dead") && !ALIVE.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(5));
        }
        files::stamp(path)
    }

    fn files(tenant: &str, path: PathBuf) -> Files {
        Files {
            tenant: TenantName::parse(tenant).unwrap(),
            files: vec![(Role::Token, path)],
        }
    }

    #[tokio::test]
    async fn a_tenant_on_a_dead_mount_is_passed_over_and_the_others_are_heard_of() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.current");
        std::fs::write(&path, "1").unwrap();
        let (mut inbox, outbox) = Inbox::new();
        let mut looking = Looking::new(stamp, outbox);
        looking.configure(vec![files("a-dead", "/dead/token".into()), files("acme", path.clone())]);
        let looked = thread::spawn(move || {
            looking.round();
            assert_eq!(looking.stuck.len(), 1);
            looking.round();
            std::fs::write(path, "22").unwrap();
            looking.round();
            looking.round();
            assert_eq!(looking.stuck.len(), 1, "no second thread for a stuck tenant");
            ALIVE.store(true, Ordering::Relaxed);
            // Its thread takes itself off the list; wait for that, bounded.
            for _ in 0..1000 {
                looking.round();
                if looking.stuck.is_empty() {
                    return;
                }
                thread::sleep(Duration::from_millis(5));
            }
            panic!("it is passed over for ever");
        });
        let Some(Wake::Input(Input::Touched { tenant, probes })) = inbox.next().await else {
            panic!("something else");
        };
        assert_eq!(tenant.as_str(), "acme");
        assert!(probes.iter().any(|probe| probe.as_str() == "token-rotation"));
        looked.join().unwrap();
    }

    #[tokio::test]
    async fn however_many_tenants_lie_on_a_dead_mount_the_others_are_heard_of() {
        const DEAD: usize = 40;
        static OVER: AtomicBool = AtomicBool::new(false);
        static HEARD: AtomicBool = AtomicBool::new(false);
        fn stamp(path: &Path) -> Option<Stamp> {
            while path.starts_with("/dead") && !OVER.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
            }
            files::stamp(path)
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token.current");
        std::fs::write(&path, "1").unwrap();
        let (mut inbox, outbox) = Inbox::new();
        let mut looking = Looking::new(stamp, outbox);
        looking.patience = Duration::from_millis(20);
        let dead = (0..DEAD).map(|index| files(&format!("a-{index}"), "/dead/token".into()));
        looking.configure(dead.chain([files("z", path.clone())]).collect());
        let looked = thread::spawn(move || {
            // On a host that is busy its own files may take longer than that too, and are seen later.
            let z = TenantName::parse("z").unwrap();
            let is_known = |looking: &Looking| looking.tenants[&z].stamps.is_some();
            let rounds = |looking: &mut Looking, until: &dyn Fn(&Looking) -> bool| {
                for _ in 0..2000 {
                    looking.round();
                    if until(looking) {
                        return;
                    }
                    thread::sleep(Duration::from_millis(5));
                }
            };
            rounds(&mut looking, &is_known);
            std::fs::write(path, "22").unwrap();
            rounds(&mut looking, &|_| HEARD.load(Ordering::Relaxed));
            let stuck = looking.stuck.iter().filter(|(tenant, _)| *tenant != z).count();
            OVER.store(true, Ordering::Relaxed);
            stuck
        });
        let Some(Wake::Input(Input::Touched { tenant, .. })) = inbox.next().await else {
            panic!("something else");
        };
        HEARD.store(true, Ordering::Relaxed);
        assert_eq!(tenant.as_str(), "z");
        assert_eq!(looked.join().unwrap(), DEAD);
    }
}
