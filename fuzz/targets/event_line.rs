//! One line of `events.sock`: the fast scanner sees what a general JSON parser sees, and an event keeps its bounds.

use std::sync::Arc;

use readyd::ingest::event::{Event, GATEWAY_BYTES_MAX, ID_BYTES_MAX};
use readyd::ingest::fold::{FoldSettings, Folder, Mode};
use readyd::ingest::scan::{self, Fields, Value};
use readyd::ingest::shape::Shape;
use readyd::ingest::{endpoint, hello::FirstLine};
use readyd::words::{Instant, Now, TenantName, Via, Wall, redact};

pub fn run(data: &[u8]) {
    let _ = FirstLine::read(data);
    folds(data);
    let Ok(line) = std::str::from_utf8(data) else { return };
    is_read_the_same_behind_others(line);
    let slow = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(line);
    let fast = scan::scan(line);
    assert_eq!(fast.is_ok(), slow.is_ok(), "one of them calls it JSON");
    let (Ok(fast), Ok(slow)) = (fast, slow) else { return };
    agrees(&fast, &slow);
    if let Ok(event) = Event::read(&fast, false) {
        within_bounds(&event);
    }
}

/// What a sender's lines before have in common with one saves work and changes nothing.
fn is_read_the_same_behind_others(lines: &str) {
    let mut shape = Shape::default();
    for line in lines.split('\n').chain([lines]) {
        let mut fields = Fields::default();
        let scanned = scan::scan_like(line, &mut shape, &mut fields).map(|()| fields);
        assert_eq!(scanned, scan::scan(line), "behind others");
    }
}

fn agrees(fast: &Fields<'_>, slow: &serde_json::Map<String, serde_json::Value>) {
    let fields = [
        ("tenant", fast.tenant),
        ("endpoint", fast.endpoint),
        ("status", fast.status),
        ("kind", fast.kind),
        ("ts", fast.ts),
        ("gateway", fast.gateway),
        ("seq", fast.seq),
        ("attempt", fast.attempt),
        ("latency_ms", fast.latency_ms),
        ("task_id", fast.task_id),
        ("request_id", fast.request_id),
        ("error", fast.error),
    ];
    for (name, fast) in fields {
        let slow = slow.get(name).filter(|value| !value.is_null());
        let same = match (fast, slow) {
            (Value::Absent, slow) => slow.is_none(),
            (Value::Text(text), Some(serde_json::Value::String(slow))) => text.decoded() == slow.as_str(),
            (Value::Unsigned(number), Some(slow)) => slow.as_u64() == Some(number),
            (Value::Negative(number), Some(slow)) => slow.as_i64() == Some(number) && number < 0,
            (Value::Other, Some(slow)) => !slow.is_string() && slow.as_u64().is_none() && slow.as_i64().is_none(),
            _ => false,
        };
        assert!(same, "{name}: {fast:?} is not {slow:?}");
    }
}

fn within_bounds(event: &Event<'_>) {
    assert!(event.tenant.len() <= TenantName::LEN_MAX && event.gateway.len() <= GATEWAY_BYTES_MAX);
    for id in [event.request_id, event.task_id].into_iter().flatten() {
        assert!(id.fits(ID_BYTES_MAX));
    }
    if let Some(stored) = endpoint::stored(&event.endpoint) {
        assert!(stored.len() <= endpoint::ENDPOINT_BYTES_MAX);
        // Where what is left looks like a password again (`u@host:word`), it is taken for one.
        let is_clear = |rest: &str| redact::user_info(rest) == redact::UserInfo::None;
        if stored.split("//").skip(1).all(is_clear) && is_clear(&stored) {
            let again = endpoint::stored(&stored);
            assert_eq!(again.as_deref(), Some(&*stored), "what is stored is stored as itself");
        }
    }
}

/// However it is judged, the line is counted once.
fn folds(data: &[u8]) {
    let settings = FoldSettings {
        node: "mac-3".into(),
        allowed: None,
        via: Via::Socket,
    };
    let now = Now {
        at: Instant::from_millis(5_000_000),
        wall: Wall::from_millis(1_795_159_800_000),
    };
    let (mut folder, mut rejections) = (Folder::new(Arc::new(settings), Mode::Plain, None), Vec::new());
    folder.one(data, now, &mut rejections);
    let Some(delta) = folder.take() else {
        assert!(rejections.is_empty() && data.iter().all(u8::is_ascii_whitespace));
        return;
    };
    let counted: u64 = delta.cells.iter().map(|(_, count)| count.count).sum();
    assert_eq!(counted + rejections.len() as u64, 1);
    assert_eq!((delta.tally.received, delta.tally.accepted), (1, counted));
    for (key, count) in &delta.cells {
        assert_eq!(key.window.rem_euclid(300), 0);
        assert!(
            key.window * 1000 <= now.wall.as_millis() + 30_000,
            "filed too far ahead"
        );
        let texts = count
            .sample
            .iter()
            .flat_map(|sample| [&sample.request_id, &sample.task_id, &sample.error]);
        for text in texts.flatten() {
            assert!(text.len() <= 512 && !text.chars().any(char::is_control));
        }
    }
}
