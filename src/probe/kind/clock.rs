//! Shell: kind `clock`: how far the clocks of those who report are from ours, and who keeps ours.
//!
//! Senders' clocks are not asked here: ingest and the links have heard them, and the order brings what they told
//! ([`crate::digest::Digest::senders`]).

use std::time::Duration;

use super::Ask;
use super::part::{Part, fuse};
use crate::config::Posture;
use crate::config::units::{write_duration, write_span};
use crate::probe::declaration::{Clock, Sender, Target};
use crate::words::Finding;

pub mod kernel;

use kernel::{Discipline, Kernel, kernel};

/// Asks once.
pub async fn ask(clock: &Clock, ask: &Ask<'_>, posture: Posture) -> Finding {
    let senders: &[Sender] = match ask.target {
        Target::Node { senders, .. } => senders,
        Target::Tenant(_) => &[],
    };
    judge(clock, senders, &kernel(), posture)
}

/// The finding of all clocks: the worst speaks.
pub fn judge(clock: &Clock, senders: &[Sender], kernel: &Kernel, posture: Posture) -> Finding {
    let mut worst_first: Vec<&Sender> = senders.iter().collect();
    worst_first.sort_by_key(|sender| (std::cmp::Reverse(sender.skew_millis.unsigned_abs()), &sender.name));
    let mut parts: Vec<Part> = our_own(clock, &worst_first).into_iter().collect();
    parts.extend(worst_first.iter().map(|sender| part_of(clock, sender)));
    let (kept, note) = kept(clock, kernel, posture);
    parts.extend(kept);
    let mut finding = fuse(
        parts,
        match senders.len() {
            0 => "no sender has told its clock".to_owned(),
            1 => "1 sender's clock agrees with ours".to_owned(),
            count => format!("{count} senders' clocks agree with ours"),
        },
    );
    for sender in worst_first.iter().take(SENDERS_MEASURED_MAX) {
        finding.measure("clock_skew_seconds", &sender.name, sender.skew_millis as f64 / 1000.0);
    }
    if let Some(note) = note {
        finding.note_push(note);
    }
    finding
}

/// Each is a time series.
const SENDERS_MEASURED_MAX: usize = 64;
/// From where the kernel's own word for "at most this wrong" means that nobody knows (`NTP_PHASE_LIMIT`).
const UNKNOWN_MICROS: i64 = 16_000_000;

fn part_of(clock: &Clock, sender: &Sender) -> Part {
    let what = format!("clock of {}", sender.name);
    let off = Duration::from_millis(sender.skew_millis.unsigned_abs());
    let seen = match sender.skew_millis {
        -999..=999 => "agrees with ours".to_owned(),
        1000.. => format!("{} behind ours", write_span(off)),
        _ => format!("{} ahead of ours", write_span(off)),
    };
    if off > clock.down_skew {
        let limit = write_duration(clock.down_skew);
        return Part::down(what, format!("{seen}, more than {limit}"));
    }
    if off > clock.warn_skew {
        let limit = write_duration(clock.warn_skew);
        return Part::degraded(what, format!("{seen}, more than {limit}"));
    }
    Part::ok(what, seen)
}

/// Where several senders say the same of us, and nobody disagrees, the clock that is wrong is ours.
fn our_own(clock: &Clock, senders: &[&Sender]) -> Option<Part> {
    let least = senders.iter().map(|sender| sender.skew_millis.unsigned_abs()).min()?;
    let off = Duration::from_millis(least);
    let ahead = senders.iter().all(|sender| sender.skew_millis > 0);
    let behind = senders.iter().all(|sender| sender.skew_millis < 0);
    if senders.len() < 2 || off <= clock.warn_skew || !(ahead || behind) {
        return None;
    }
    let way = if ahead { "ahead of" } else { "behind" };
    let seen = format!(
        "seems to be {} {way} everybody else's: all {} senders say so",
        write_span(off),
        senders.len()
    );
    let what = "the clock of this host";
    Some(match off > clock.down_skew {
        true => Part::down(what, seen),
        false => Part::degraded(what, seen),
    })
}

/// What the kernel said, and what of that is worth a note and no more: containers and virtual machines often have a
/// right time that nobody within keeps.
fn kept(clock: &Clock, kernel: &Kernel, posture: Posture) -> (Option<Part>, Option<String>) {
    let what = "the clock of this host";
    let told = match kernel {
        Kernel::Told(told) => *told,
        Kernel::NotAllowed => {
            return (
                None,
                Some("the kernel does not tell us who keeps this clock".to_owned()),
            );
        }
        Kernel::NotAsked => {
            return (
                None,
                Some("who keeps this clock is not asked on this system".to_owned()),
            );
        }
        Kernel::Failed(why) => return (None, Some(format!("who keeps this clock could not be asked: {why}"))),
    };
    if !told.is_kept || told.maximum_error_micros >= UNKNOWN_MICROS {
        let why = "nobody keeps this clock: the kernel says that it is not synchronised";
        return match posture {
            Posture::Relaxed => (None, Some(why.to_owned())),
            Posture::Strict => (Some(Part::degraded(what, why)), None),
        };
    }
    let off = off_by(told);
    let seen = format!("is kept, and off by about {} ms", off.as_millis());
    if off > clock.warn_skew {
        let limit = write_duration(clock.warn_skew);
        return (Some(Part::degraded(what, format!("{seen}, more than {limit}"))), None);
    }
    (Some(Part::ok(what, seen)), None)
}

/// By the daemon's own word: what it still has to correct, or what it thinks its error is.
fn off_by(told: Discipline) -> Duration {
    let estimated = u64::try_from(told.estimated_error_micros).unwrap_or(0);
    Duration::from_micros(told.offset_micros.unsigned_abs().max(estimated))
}

#[cfg(test)]
mod tests;
