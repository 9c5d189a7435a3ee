//! Shell: what systemd is told (`Type=notify`): that we serve, that the loop turns, that we stop.
//!
//! From a thread of its own: a supervisor that does not read holds up this thread and nothing else. Where none asked to be
//! told (`$NOTIFY_SOCKET`), nothing is said; launchd and containers look at `/livez` instead.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::warn;

use crate::http::heartbeat::Heartbeat;

/// Words that may wait for the thread: there are two.
const WORDS_MAX: usize = 4;
/// Without a watchdog the thread wakes for words alone, and looks this often whether the daemon is gone.
const IDLE: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(super) struct Supervisor {
    words: SyncSender<Word>,
}

#[derive(Clone, Copy, Debug)]
enum Word {
    Serving,
    Stopping,
}

impl Supervisor {
    /// From now on the watchdog, when there is one, is told that the loop turns, as long as it does.
    pub(super) fn start(heartbeat: Arc<Heartbeat>) -> io::Result<Supervisor> {
        let (words, told) = sync_channel(WORDS_MAX);
        // Twice a period, as sd_watchdog_enabled(3) advises.
        let every = sd_notify::watchdog_enabled().map_or(IDLE, |period| period / 2);
        std::thread::Builder::new()
            .name("supervisor".into())
            .spawn(move || tell(&told, every, &heartbeat))?;
        Ok(Supervisor { words })
    }

    /// The first answers are there, and whoever asks is answered.
    pub(super) fn serving(&self) {
        self.say(Word::Serving);
    }

    pub(super) fn stopping(&self) {
        self.say(Word::Stopping);
    }

    fn say(&self, word: Word) {
        // Words that find no room wait behind a supervisor that reads none.
        let _ = self.words.try_send(word);
    }
}

fn tell(told: &Receiver<Word>, every: Duration, heartbeat: &Heartbeat) {
    let notify = |state: NotifyState<'_>| {
        if let Err(error) = sd_notify::notify(&[state]) {
            warn!(%error, "systemd cannot be told that we live: see NotifyAccess= of its unit");
        }
    };
    loop {
        match told.recv_timeout(every) {
            Ok(Word::Serving) => notify(NotifyState::Ready),
            Ok(Word::Stopping) => notify(NotifyState::Stopping),
            // Silence is the message when the loop hangs.
            Err(RecvTimeoutError::Timeout) if every < IDLE && heartbeat.hang().is_none() => {
                notify(NotifyState::Watchdog);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
