//! Shell: `--watch`: the same picture again as things change, in place on a terminal, one after another in a pipe.
//!
//! On a terminal it is drawn on the alternate screen, over what stood there and in one synchronised write, so that nothing
//! flickers; and the terminal is given back however this ends. Three threads: one asks, one hears signals, one draws.
//! A daemon that does not answer delays neither Ctrl-C nor a resize.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::Outcome;
use super::arguments::Place;
use super::daemon::Daemon;
use super::moment::Moments;
use super::screen::{self, Screen};
use super::sheet::{Sheet, Span, Tone, columns};

/// Between two questions, and at most between two pictures: ages are told in seconds.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// A daemon of this host answers from memory: after this it is said not to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The alternate screen, without a cursor; and back.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l\u{1b}[2J";
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";
/// A terminal that knows them shows nothing between the two; others ignore them.
const BEGIN_FRAME: &str = "\u{1b}[?2026h\u{1b}[H";
const END_FRAME: &str = "\u{1b}[J\u{1b}[?2026l";
const REASON_LINES_MAX: usize = 4;

enum Event {
    Told(anyhow::Result<Value>),
    Resized,
    /// Ctrl-Z.
    Suspended,
    /// Ctrl-C, or the terminal is gone.
    End,
}

/// Until interrupted, or until nobody reads it.
pub fn run(
    place: &Place,
    ask: impl Fn(&Daemon) -> anyhow::Result<Value> + Send + 'static,
    draw: impl Fn(&Value, Option<usize>, &Moments) -> Sheet,
) -> Outcome {
    let (sender, events) = channel();
    hear_signals(sender.clone())?;
    ask_again_and_again(place.clone(), ask, sender)?;
    let outcome = match screen::stdout().size {
        Some(_) => on_terminal(&events, &draw),
        None => into_pipe(&events, &draw),
    };
    match outcome {
        // Whoever read it went away, which is one way to end it.
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => Err(why).context("standard output"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What is known, and since when nothing new is.
#[derive(Default)]
struct Known {
    told: Option<Value>,
    /// RFC 3339, and why.
    silent: Option<(String, String)>,
    /// Of the last answer, RFC 3339.
    told_at: String,
}

impl Known {
    fn hear(&mut self, told: anyhow::Result<Value>, now: String) {
        match told {
            Ok(value) => {
                self.told = Some(value);
                self.told_at = now;
                self.silent = None;
            }
            Err(why) => {
                let why = format!("{why:#}");
                self.silent = match self.silent.take() {
                    Some((since, _)) => Some((since, why)),
                    None => Some((now, why)),
                };
            }
        }
    }

    /// That what follows is old, or not known at all.
    fn banner(&self, sheet: &mut Sheet, moments: &Moments) {
        let Some((since, why)) = &self.silent else { return };
        let said = match &self.told {
            Some(_) => format!(
                "no answer {}; what is shown is from {}",
                moments.since(since),
                moments.when(&self.told_at)
            ),
            None => format!("no answer {}", moments.since(since)),
        };
        sheet.paragraph(Span::default(), 0, &Span::new(said, Tone::Bad), REASON_LINES_MAX);
        sheet.paragraph(Span::default(), 2, &Span::new(why, Tone::Faint), REASON_LINES_MAX);
    }
}

fn on_terminal(events: &Receiver<Event>, draw: &impl Fn(&Value, Option<usize>, &Moments) -> Sheet) -> io::Result<()> {
    let mut known = Known::default();
    let mut terminal = Alternate::enter()?;
    loop {
        match events.recv_timeout(ASK_EVERY) {
            Ok(Event::Told(told)) => known.hear(told, screen::moments().now.rfc3339()),
            Ok(Event::Resized) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Event::Suspended) => {
                drop(terminal);
                kill_process(getpid(), Signal::STOP)?;
                terminal = Alternate::enter()?;
            }
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if known.told.is_none() && known.silent.is_none() {
            continue;
        }
        let (screen, moments) = (screen::stdout(), screen::moments());
        let mut sheet = Sheet::new(screen.width());
        known.banner(&mut sheet, &moments);
        if let Some(told) = &known.told {
            if !sheet.is_empty() {
                sheet.gap();
            }
            sheet.extend(draw(told, screen.width(), &moments));
        }
        terminal.show(&sheet, &screen)?;
    }
}

/// A picture whenever it is another one, each under the time of day.
fn into_pipe(events: &Receiver<Event>, draw: &impl Fn(&Value, Option<usize>, &Moments) -> Sheet) -> io::Result<()> {
    let coloured = screen::stdout().coloured;
    let mut known = Known::default();
    let mut shown = String::new();
    loop {
        match events.recv() {
            Ok(Event::Told(told)) => known.hear(told, screen::moments().now.rfc3339()),
            Ok(Event::Resized | Event::Suspended) => continue,
            Ok(Event::End) | Err(_) => return Ok(()),
        }
        let moments = Moments {
            relative: false,
            ..screen::moments()
        };
        let mut sheet = Sheet::new(None);
        known.banner(&mut sheet, &moments);
        if let (true, Some(told)) = (sheet.is_empty(), &known.told) {
            sheet = draw(told, None, &moments);
        }
        let text = sheet.text(coloured);
        if text == shown {
            continue;
        }
        let gap = if shown.is_empty() { "" } else { "\n" };
        let mut out = io::stdout().lock();
        write!(out, "{gap}{}\n{text}", moments.second())?;
        out.flush()?;
        shown = text;
    }
}

/// The alternate screen, left again whatever happens.
struct Alternate;

impl Alternate {
    fn enter() -> io::Result<Alternate> {
        let entered = Alternate;
        entered.write(ENTER)?;
        Ok(entered)
    }

    fn show(&self, sheet: &Sheet, screen: &Screen) -> io::Result<()> {
        let (width, height) = screen.size.unwrap_or((usize::MAX, usize::MAX));
        let mut lines = sheet.lines(screen.coloured);
        let mut plain = sheet.lines(false);
        let hidden = lines.len().saturating_sub(height);
        if hidden > 0 {
            let more = format!("… {} more lines: a taller window shows them", hidden + 1);
            let mut last = Sheet::new(Some(width));
            last.line([Span::new(more, Tone::Faint)]);
            for (lines, coloured) in [(&mut lines, screen.coloured), (&mut plain, false)] {
                lines.truncate(height.saturating_sub(1));
                lines.extend(last.lines(coloured));
            }
        }
        let mut frame = BEGIN_FRAME.to_owned();
        for (at, (line, plain)) in lines.iter().zip(&plain).enumerate() {
            frame.push_str(if at > 0 { "\r\n" } else { "" });
            frame.push_str(line);
            // Behind a full line it would erase the last character.
            frame.push_str(if columns(plain) < width { "\u{1b}[K" } else { "" });
        }
        frame.push_str(END_FRAME);
        self.write(&frame)
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Drop for Alternate {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.write(LEAVE);
    }
}

/// Looks for the daemon anew each time: it may come up elsewhere than where it was missed.
fn ask_again_and_again(
    place: Place,
    ask: impl Fn(&Daemon) -> anyhow::Result<Value> + Send + 'static,
    sender: Sender<Event>,
) -> io::Result<()> {
    let asking = move || {
        loop {
            let told = Daemon::find(&place).and_then(|daemon| ask(&daemon.within(PATIENCE)));
            if sender.send(Event::Told(told)).is_err() {
                return;
            }
            thread::sleep(ASK_EVERY);
        }
    };
    thread::Builder::new().name("watch-ask".into()).spawn(asking).map(drop)
}

fn hear_signals(sender: Sender<Event>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before the terminal is touched: from here on Ctrl-C is ours to answer.
    let (mut interrupt, mut terminate, mut hangup, mut resized, mut suspend) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::window_change())?,
            signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?,
        )
    };
    let hearing = move || {
        runtime.block_on(async {
            loop {
                let event = tokio::select! {
                    _ = interrupt.recv() => Event::End,
                    _ = terminate.recv() => Event::End,
                    _ = hangup.recv() => Event::End,
                    _ = resized.recv() => Event::Resized,
                    _ = suspend.recv() => Event::Suspended,
                };
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
    };
    thread::Builder::new()
        .name("watch-signals".into())
        .spawn(hearing)
        .map(drop)
}
