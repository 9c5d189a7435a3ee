//! Shell: hears that directories change, where the system tells: inotify on Linux. Elsewhere nobody is told of
//! anything, and looking from time to time has to do.
//!
//! Invariant: an event says that it is worth looking, and nothing else. What is missed (a full queue, a network
//! mount, too many watches) is found by the next look.

/// Directories that are followed: 256 tenants with three sections each, and their parent.
#[cfg(target_os = "linux")]
const DIRECTORIES_MAX: usize = 4096;

#[cfg(target_os = "linux")]
pub(super) use linux::FileEvents;

#[cfg(not(target_os = "linux"))]
pub(super) use elsewhere::FileEvents;

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::BTreeSet;
    use std::mem::MaybeUninit;
    use std::path::Path;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fd::OwnedFd;
    use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
    use rustix::io::Errno;
    use tracing::info;

    use super::DIRECTORIES_MAX;

    /// How often the thread asks whether anybody listens still.
    const WAIT: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
    /// Events that come together are told of once.
    const TOGETHER: Duration = Duration::from_millis(50);

    /// Directories that are followed. Reads of them are no events.
    #[derive(Debug)]
    pub struct FileEvents {
        inotify: Arc<OwnedFd>,
        watched: BTreeSet<i32>,
        /// So that it is said once.
        complained: bool,
    }

    impl FileEvents {
        /// Calls `tell` with `true` when something happened, and with `false` every now and then; it answers
        /// whether to go on. `None`: the system gives no events.
        pub fn start(tell: impl Fn(bool) -> bool + Send + 'static) -> Option<FileEvents> {
            let started = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)
                .map_err(std::io::Error::from)
                .and_then(|inotify| {
                    let inotify = Arc::new(inotify);
                    let heard = Arc::clone(&inotify);
                    thread::Builder::new()
                        .name("file events".into())
                        .spawn(move || hear(&heard, tell))?;
                    Ok(inotify)
                });
            let inotify = started
                .inspect_err(|error| info!(%error, "no file events: changes are found by looking"))
                .ok()?;
            Some(FileEvents {
                inotify,
                watched: BTreeSet::new(),
                complained: false,
            })
        }

        /// From now on hears of these directories, and of no others. May wait for a dead mount.
        pub fn follow<'a>(&mut self, directories: impl Iterator<Item = &'a Path>) {
            let what = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVE
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::ATTRIB
                | WatchFlags::DELETE_SELF
                | WatchFlags::MOVE_SELF
                | WatchFlags::ONLYDIR;
            let mut watched = BTreeSet::new();
            for directory in directories.take(DIRECTORIES_MAX) {
                match inotify::add_watch(&self.inotify, directory, what) {
                    Ok(watch) => drop(watched.insert(watch)),
                    // Gone since it was listed.
                    Err(Errno::NOENT | Errno::NOTDIR) => {}
                    Err(error) if !self.complained => {
                        self.complained = true;
                        let directory = directory.display();
                        info!(%error, %directory, "no file events there: changes are found by looking");
                    }
                    Err(_) => {}
                }
            }
            for gone in self.watched.difference(&watched) {
                // One whose directory was removed is gone already.
                let _ = inotify::remove_watch(&self.inotify, *gone);
            }
            self.watched = watched;
        }
    }

    fn hear(inotify: &OwnedFd, tell: impl Fn(bool) -> bool) {
        loop {
            let mut ready = [PollFd::new(inotify, PollFlags::IN)];
            let happened = match poll(&mut ready, Some(&WAIT)) {
                Ok(count) => count > 0,
                Err(Errno::INTR) => continue,
                Err(_) => return,
            };
            if happened && !drained(inotify) || !tell(happened) {
                return;
            }
            if happened {
                thread::sleep(TOGETHER);
            }
        }
    }

    /// Whether all that waits could be read. What it was does not matter.
    fn drained(inotify: &OwnedFd) -> bool {
        /// Sixteen thousand events are the most that the kernel keeps by default.
        const READS_MAX: usize = 20_000;
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(inotify, &mut buffer);
        for _ in 0..READS_MAX {
            match events.next() {
                Ok(_) | Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        true
    }
}

#[cfg(not(target_os = "linux"))]
mod elsewhere {
    use std::path::Path;

    #[derive(Debug)]
    pub enum FileEvents {}

    impl FileEvents {
        pub fn start(_tell: impl Fn(bool) -> bool + Send + 'static) -> Option<FileEvents> {
            None
        }

        pub fn follow<'a>(&mut self, _directories: impl Iterator<Item = &'a Path>) {
            match *self {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn a_change_below_a_followed_directory_is_told_and_one_elsewhere_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("one"), dir.path().join("other"));
        std::fs::create_dir(&one).unwrap();
        std::fs::create_dir(&other).unwrap();
        let (tell, told) = mpsc::channel();
        let mut events = FileEvents::start(move |happened| !happened || tell.send(()).is_ok()).unwrap();
        let all = [one.as_path(), other.as_path(), std::path::Path::new("/nowhere")];
        events.follow(all.into_iter());
        std::fs::write(other.join("a"), "").unwrap();
        told.recv_timeout(PATIENCE).unwrap();
        // A write is two events, which may be told apart.
        while told.recv_timeout(Duration::from_millis(200)).is_ok() {}
        events.follow([one.as_path()].into_iter());
        while told.recv_timeout(Duration::from_millis(200)).is_ok() {}
        std::fs::write(other.join("b"), "").unwrap();
        assert!(
            told.recv_timeout(Duration::from_millis(200)).is_err(),
            "not followed any more"
        );
        std::fs::rename(other.join("b"), one.join("b")).unwrap();
        told.recv_timeout(PATIENCE).unwrap();
    }
}
