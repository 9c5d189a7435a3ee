//! From samples (one a second) to a verdict: is the last third as the second one was? The first warms up.

use std::fmt::Write as _;
use std::time::Duration;

use crate::load::Done;
use crate::site::Counted;
use crate::watch::{Rest, Sample};

/// Of memory, from one third to the next: what an allocator may keep of a burst, whatever it was.
const RSS_GROWTH_MAX: f64 = 1.05;
const RSS_SLACK_MIB: f64 = 4.0;
/// Where the first third is too short to fill the sliding window and a closed one: they still fill in the second.
const RSS_GROWTH_MAX_WHILE_FILLING: f64 = 1.5;
const WARM_AFTER_SECONDS: usize = 600;
/// Connections come and go while they are counted, and who leaves a stream without a word is noticed within 15 s.
const DESCRIPTOR_SLACK: f64 = 12.0;
/// Blocking readers of the disk, for each worker, come when they are needed and go when they are not.
const THREAD_SLACK: f64 = 6.0;
/// Probes that are due in the same second, with what they started.
const CHILDREN_MAX: usize = 64;
/// Of an answer to a load balancer, on a busy machine; most of them give up after that.
const ANSWER_MAX: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub struct Line {
    pub what: &'static str,
    pub seen: String,
    pub bound: String,
    pub holds: bool,
}

pub fn judge(samples: &[Sample], rest: &Rest, done: &Done, counted: &Counted) -> Vec<Line> {
    let mut lines = held(samples, rest);
    lines.extend(said(samples, done));
    lines.extend(kept(done, counted));
    lines
}

fn held(samples: &[Sample], rest: &Rest) -> Vec<Line> {
    let third = samples.len() / 3;
    let (middle, last) = (&samples[third..2 * third], &samples[2 * third..]);
    let flat = |what, of: fn(&Sample) -> f64, growth: f64, slack: f64| {
        let (before, after) = (median(middle, of), median(last, of));
        let bound = before * growth + slack;
        Line {
            what,
            seen: format!("{before:.1}, then {after:.1}"),
            bound: format!("≤ {bound:.1}"),
            holds: after <= bound,
        }
    };
    let is_warm = third >= WARM_AFTER_SECONDS;
    let rss_growth = if is_warm {
        RSS_GROWTH_MAX
    } else {
        RSS_GROWTH_MAX_WHILE_FILLING
    };
    let most = samples.iter().map(|sample| sample.children).max().unwrap_or(0);
    // A probe that hangs is seen hanging; in a short soak between two looks, perhaps.
    let least = usize::from(is_warm);
    vec![
        flat("memory, MiB", |sample| sample.rss_mib, rss_growth, RSS_SLACK_MIB),
        flat("descriptors", |sample| sample.descriptors as f64, 1.0, DESCRIPTOR_SLACK),
        flat("threads", |sample| sample.threads as f64, 1.0, THREAD_SLACK),
        flat("children", |sample| sample.children as f64, 1.0, 4.0),
        Line {
            what: "children at most",
            seen: most.to_string(),
            bound: format!("{least} to {CHILDREN_MAX}"),
            holds: (least..=CHILDREN_MAX).contains(&most),
        },
        flat(
            "dead children that are not reaped",
            |sample| sample.zombies as f64,
            1.0,
            1.0,
        ),
        Line {
            what: "children in the end, without load",
            seen: format!(
                "{} of them, {} not reaped, after {:.1?}; {} descriptors",
                rest.children, rest.zombies, rest.after, rest.descriptors
            ),
            bound: "none".into(),
            holds: rest.children == 0 && rest.zombies == 0,
        },
        flat("store, MiB", |sample| sample.store_mib, 1.5, 16.0),
    ]
}

fn said(samples: &[Sample], done: &Done) -> Vec<Line> {
    let verdicts: Vec<_> = samples.iter().filter_map(|sample| sample.verdicts).collect();
    let wrong_ok = verdicts.iter().filter(|said| said.broken_is_ok).count();
    let wrong_down = verdicts.iter().filter(|said| said.quiet_is_down).count();
    vec![
        line("a broken tenant said to be ok", wrong_ok as f64, 0.0),
        line("a whole check said to be down", wrong_down as f64, 0.0),
        Line {
            what: "looks at verdicts",
            seen: format!("{} of {} seconds", verdicts.len(), samples.len()),
            bound: "≥ half".into(),
            holds: verdicts.len() * 2 >= samples.len(),
        },
        line("`/ready` without an answer", done.unanswered as f64, 0.0),
        Line {
            what: "`/ready`, slowest",
            seen: format!("{:.0?} of {} answers; {} pages", done.slowest, done.asked, done.pages),
            bound: format!("≤ {ANSWER_MAX:?}"),
            holds: done.slowest <= ANSWER_MAX && done.asked > 0 && done.pages > 0,
        },
    ]
}

fn kept(done: &Done, counted: &Counted) -> Vec<Line> {
    let sum: u64 = counted.last_seqs.iter().sum();
    let each = done.acknowledged.iter().zip(&counted.last_seqs).zip(&done.sent);
    let is_between = each
        .clone()
        .all(|((acknowledged, last), sent)| acknowledged <= last && last <= sent);
    let acknowledged: u64 = done.acknowledged.iter().sum();
    vec![
        Line {
            what: "acknowledged events, after a kill",
            seen: format!(
                "{acknowledged} acknowledged, {sum} remembered, {} sent",
                done.sent.iter().sum::<u64>()
            ),
            bound: "acknowledged ≤ remembered ≤ sent".into(),
            holds: is_between && acknowledged > 0,
        },
        Line {
            what: "counted in windows",
            seen: counted.failures.to_string(),
            bound: format!("= {sum}"),
            holds: counted.failures == sum,
        },
    ]
}

fn line(what: &'static str, seen: f64, at_most: f64) -> Line {
    Line {
        what,
        seen: format!("{seen:.0}"),
        bound: format!("≤ {at_most:.0}"),
        holds: seen <= at_most,
    }
}

fn median(samples: &[Sample], of: fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

pub fn table(length: Duration, troubles: Vec<(&str, usize)>, lines: &[Line]) -> String {
    let mut table = format!("{:.1} minutes under load, with: ", length.as_secs_f64() / 60.0);
    let troubles = troubles.into_iter().filter(|(_, often)| *often > 0);
    let troubles: Vec<String> = troubles.map(|(name, often)| format!("{name} ({often})")).collect();
    let _ = writeln!(
        table,
        "{}.\n\n| what | seen | bound | |\n|---|---|---|---|",
        troubles.join(", ")
    );
    for line in lines {
        let holds = if line.holds { "yes" } else { "**no**" };
        let _ = writeln!(table, "| {} | {} | {} | {holds} |", line.what, line.seen, line.bound);
    }
    let verdict = if lines.iter().all(|line| line.holds) {
        "flat and right"
    } else {
        "**not as it should be**"
    };
    let _ = writeln!(table, "\nVerdict: {verdict}.");
    table
}
