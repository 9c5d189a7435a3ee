//! A producer's stream in acknowledged mode: whatever the cuts between reads, the same is counted, refused and acknowledged.

use std::sync::Arc;

use readyd::ingest::fold::{Delta, FoldSettings, Folder, LINE_BYTES_MAX, Mode, Rejection};
use readyd::ingest::hello::FirstLine;
use readyd::words::{Instant, Now, Via, Wall};

/// Everything that one connection led to.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    rejections: Vec<Rejection>,
    deltas: Vec<Delta>,
}

pub fn run(data: &[u8]) {
    let (mode, data) = super::chosen(data);
    let (cut, data) = super::chosen(data);
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let hello = FirstLine::read(&data[..end]);
    let last_seq = u64::from(mode >> 2);
    let (mode, rest) = match (&hello, mode & 1) {
        (FirstLine::Hello(_), _) => (Mode::Acknowledged { last_seq }, data.get(end + 1..).unwrap_or_default()),
        (_, 1) => (Mode::Acknowledged { last_seq }, data),
        _ => (Mode::Plain, data),
    };
    let whole = read(rest, mode, |_| usize::MAX);
    let bytewise = read(rest, mode, |_| 1);
    assert_eq!(whole, bytewise, "byte by byte");
    let step = usize::from(cut) + 2;
    let uneven = read(rest, mode, |read| 1 + (read * 31 + step) % (3 * step));
    assert_eq!(whole, uneven, "in uneven parts");
    adds_up(&whole, mode);
}

fn read(bytes: &[u8], mode: Mode, part: impl Fn(usize) -> usize) -> Outcome {
    let settings = FoldSettings {
        node: "mac-3".into(),
        allowed: None,
        via: Via::Socket,
    };
    let now = Now {
        at: Instant::from_millis(5_000_000),
        wall: Wall::from_millis(1_795_159_800_000),
    };
    let mut folder = Folder::new(Arc::new(settings), mode, None);
    let mut outcome = Outcome {
        rejections: Vec::new(),
        deltas: Vec::new(),
    };
    let (mut buffer, mut sent, mut reads) = (Vec::new(), 0, 0);
    while sent < bytes.len() {
        let next = sent.saturating_add(part(reads)).min(bytes.len());
        reads += 1;
        buffer.extend_from_slice(&bytes[sent..next]);
        sent = next;
        loop {
            let mut rejections = Vec::new();
            let read = folder.read(&buffer, now, &mut rejections);
            outcome.rejections.append(&mut rejections);
            assert!(read.consumed <= buffer.len());
            buffer.drain(..read.consumed);
            if !read.full {
                assert!(buffer.len() <= LINE_BYTES_MAX, "what is kept is one line at most");
                break;
            }
            outcome.deltas.extend(folder.take());
        }
    }
    folder.finish(&buffer, now, &mut outcome.rejections);
    outcome.deltas.extend(folder.take());
    // Where a delta is taken depends on the limit of rejections: what they amount to does not.
    for delta in &mut outcome.deltas {
        delta.cells.sort_by(|(one, _), (other, _)| one.cmp(other));
    }
    outcome
}

fn adds_up(outcome: &Outcome, mode: Mode) {
    let mut last = match mode {
        Mode::Acknowledged { last_seq } => Some(last_seq),
        Mode::Plain => None,
    };
    let mut rejected = 0;
    for delta in &outcome.deltas {
        let tally = &delta.tally;
        let counted: u64 = delta.cells.iter().map(|(_, count)| count.count).sum();
        assert_eq!(counted, tally.accepted);
        assert_eq!(
            tally.received,
            tally.accepted + tally.duplicate + tally.rejected_total()
        );
        assert!(
            delta.last_seq >= last && delta.last_seq.is_some() == last.is_some(),
            "an acknowledgement goes back"
        );
        last = delta.last_seq;
        rejected += tally.rejected_total();
    }
    assert_eq!(rejected, outcome.rejections.len() as u64);
    let lines = outcome.rejections.windows(2).all(|pair| pair[0].line < pair[1].line);
    assert!(lines, "each line is refused once, in order");
}
