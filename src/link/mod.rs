//! One standing, read-only WebSocket to each gateway: what is wrong with it, and what became of its webhooks,
//! heard within seconds and without starting a process.
//!
//! ```text
//!            ┌ token ┐ ┌ owner ┐ ┌ tls ┐
//!            ▼       ▼ ▼       ▼ ▼     ▼
//! gateway ◀─ client ─ Happening ─▶ session (now, ·) ─ Act ─▶ client ─▶ frames, Output
//!                                     │ protocol: bytes → Frame     (Report, Deliver, Know)
//!                                     │ health:   Frame → Finding
//!                                     ├ events, fill: Run → LinkEvent, once
//!                                     └ duties: what it does by the clock
//! ```
//!
//! Shell: `client owner tls token`. The other files decide: they take `now` and data, and know no socket.
//!
//! # The types
//!
//! [`protocol::Frame`] is all that is kept of a frame: a few numbers, ids and names. [`session::Session`] is one
//! tenant's link as a state machine: a [`session::Happening`] goes in, [`session::Act`]s come out, and
//! [`session::Session::next_wake`] says when time itself is news. [`events::Memory`] is what must outlive a restart:
//! which runs were counted, up to when the gateway was heard, and which process that was.
//!
//! # Walk one finding through it
//!
//! 1. The link is established; 10 s after the last answer `next_wake` is due. [`session::Happening::TimeUp`]: the
//!    session acts [`session::Act::Send`] with a `health` request, and remembers when.
//! 2. The gateway is stopped (SIGSTOP). Three seconds of silence later the session acts [`session::Act::Ping`].
//! 3. Ten seconds later still nothing was heard: [`session::Act::Report`] with `down "wedged"`, at once. It is
//!    repeated every 5 s, so that it stays fresh. After 30 s the connection is given up and tried anew, because a
//!    connection that was dropped silently looks the same and never comes back.
//! 4. SIGCONT. A frame is heard, `health` is asked at once and twice more soon after; its answers are `ok`.
//!
//! # Walk one event through it
//!
//! 1. A job's webhook answers 503. The gateway pushes `cron`, `action: "finished"`, with the job's argv and output.
//! 2. [`protocol::parse`] reads the job's id and name, the target, the start and how delivery ended. The error's text
//!    becomes a [`crate::words::Code`] while it is still borrowed from the frame; nothing else of the job is parsed.
//! 3. [`events::Memory::observe`] has not seen (job, start) before: [`session::Act::Deliver`] with a
//!    [`events::LinkEvent`], whose line is folded like any producer's. The same frame again delivers nothing.
//! 4. The connection is lost for a minute. After the next handshake [`fill::Fill`] asks `cron.runs` back to the last
//!    tick and compares with `cron.list`; what was missed is delivered with its own time, and what cannot be known is
//!    said ([`session::Act::Gap`]).
//!
//! # Invariants
//!
//! - Job argv, output, prompts and message text are in no type of this folder: the wire structs lack those fields, or
//!   borrow them for as long as a hash takes ([`duties::Work`]).
//! - A token crosses no network in the clear: [`place::Place`] cannot be made so.
//! - The token is in no type but [`token::Token`], and is read after the listener's owner was judged.
//! - Only an established session can say `down`; who could not be asked is `unknown`.
//! - A run is delivered once, whatever is replayed, and however often readyd or the gateway restarts.
//! - Memory is bounded: frames by [`protocol::FRAME_BYTES_MAX`], runs by [`events::SEEN_MAX`], texts by their fields.

pub mod client;
pub mod duties;
pub mod events;
pub mod fill;
pub mod health;
pub mod owner;
pub mod place;
pub mod protocol;
pub mod session;
pub mod tls;
pub mod token;

#[cfg(test)]
mod tests;
