//! Shell: the one queue that leads to the engine.

use std::collections::HashMap;

use tokio::sync::{mpsc, oneshot};
use tracing::info;

use crate::engine::{Command, Done, Input, Refused};

/// Inputs that may wait. Findings and commits wait for a place, so a slow engine slows down who
/// produces them; nothing is lost.
const INPUTS_MAX: usize = 4096;

/// What wakes the loop.
#[derive(Debug)]
pub(super) enum Wake {
    Input(Input),
    Command {
        actor: String,
        command: Command,
        reply: oneshot::Sender<Result<Done, Refused>>,
    },
}

/// Where inputs are sent from threads and tasks.
pub(super) type Outbox = mpsc::Sender<Wake>;

/// Where the loop takes them from, and who waits for an answer.
#[derive(Debug)]
pub(super) struct Inbox {
    receiver: mpsc::Receiver<Wake>,
    waiting: HashMap<u64, Waiting>,
    last_id: u64,
}

#[derive(Debug)]
struct Waiting {
    actor: String,
    reply: oneshot::Sender<Result<Done, Refused>>,
}

impl Inbox {
    pub(super) fn new() -> (Inbox, Outbox) {
        let (sender, receiver) = mpsc::channel(INPUTS_MAX);
        let inbox = Inbox {
            receiver,
            waiting: HashMap::new(),
            last_id: 0,
        };
        (inbox, sender)
    }

    /// The next one; never `None`, since the loop itself holds an `Outbox`.
    pub(super) async fn next(&mut self) -> Option<Wake> {
        self.receiver.recv().await
    }

    /// What the engine understands; remembers who asked.
    pub(super) fn input(&mut self, wake: Wake) -> Input {
        match wake {
            Wake::Input(input) => input,
            Wake::Command { actor, command, reply } => {
                self.last_id += 1;
                let waiting = Waiting {
                    actor: actor.clone(),
                    reply,
                };
                self.waiting.insert(self.last_id, waiting);
                Input::Command {
                    id: self.last_id,
                    actor,
                    command,
                }
            }
        }
    }

    /// Also for the journal: who did what. Who gave up waiting is not told.
    pub(super) fn reply(&mut self, id: u64, reply: Result<Done, Refused>) {
        let Some(Waiting { actor, reply: waiting }) = self.waiting.remove(&id) else {
            return;
        };
        match &reply {
            Ok(Done { message, durable }) => info!(actor, durable, "{message}"),
            Err(refused) => info!(actor, ?refused, "refused"),
        }
        let _ = waiting.send(reply);
    }
}
