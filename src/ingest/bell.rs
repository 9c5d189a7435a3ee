//! Shell: what wakes the writer: connections that counted something, the engine, the end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Rung by many, heard by one.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<Rung>,
    sound: Condvar,
}

/// Why it rang since it was last heard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rung {
    /// Somebody has something to commit.
    pub work: bool,
    /// Somebody waits for it with no room left: no gathering now.
    pub urgent: bool,
    pub stop: bool,
}

impl Bell {
    pub fn ring(&self) {
        self.change(|rung| rung.work = true);
    }

    pub fn ring_urgently(&self) {
        self.change(|rung| {
            rung.work = true;
            rung.urgent = true;
        });
    }

    pub fn stop(&self) {
        self.change(|rung| rung.stop = true);
    }

    /// Waits for work, or the end, at most so long. `stop` stays rung.
    pub fn wait(&self, patience: Duration) -> Rung {
        let silent = |rung: &mut Rung| !rung.work && !rung.stop;
        let waited = self.sound.wait_timeout_while(self.lock(), patience, silent);
        let (mut rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let heard = *rung;
        *rung = Rung {
            stop: heard.stop,
            ..Rung::default()
        };
        heard
    }

    /// Lets more work come, at most so long; `true` when somebody cannot wait.
    pub fn pause(&self, patience: Duration) -> bool {
        let calm = |rung: &mut Rung| !rung.urgent && !rung.stop;
        let waited = self.sound.wait_timeout_while(self.lock(), patience, calm);
        let (rung, _) = waited.unwrap_or_else(PoisonError::into_inner);
        rung.urgent || rung.stop
    }

    fn change(&self, change: impl FnOnce(&mut Rung)) {
        change(&mut self.lock());
        self.sound.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.rung.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
