//! Streams however they are cut, and the limits of what is kept.

use std::time::Duration;

use expect_test::expect;

use super::*;
use crate::dice::Dice;

/// Something of everything, and where in it the line that is too long stands.
fn stream() -> (Vec<u8>, std::ops::Range<usize>) {
    let mut stream = Vec::new();
    stream.extend_from_slice(
        "\n{\"seq\":1,\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503,\"error\":\"é漢😀\"}\r\n".as_bytes(),
    );
    stream.extend_from_slice(b"{\"seq\":2,\"tenant\":\"acme\",\"endpoint\":\"\xff\xfe\",\"status\":503}\n \nx\n");
    let start = stream.len();
    stream.extend_from_slice(b"{\"seq\":3,\"error\":\"");
    stream.resize(start + LINE_BYTES_MAX + 300, b'y');
    stream.extend_from_slice(b"\"}\n");
    let too_long = start..stream.len();
    stream.extend_from_slice(
        b"{\"seq\":4,\"tenant\":\"beta\",\"endpoint\":\"https://h/x?y\",\"kind\":\"tls\",\"request_id\":\"r\"}\n",
    );
    stream.extend_from_slice(b"{\"seq\":4}\n{\"seq\":6,\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":200}");
    (stream, too_long)
}

fn fold_in(chunks: &[&[u8]]) -> String {
    let mut folder = folder(ACKNOWLEDGED);
    let rejections = feed(&mut folder, chunks.iter().copied());
    shown(folder.take(), &rejections)
}

#[test]
fn it_does_not_matter_where_the_stream_is_cut() {
    let (stream, too_long) = stream();
    let whole = fold_in(&[&stream]);
    expect![[r#"
        line 3: not_utf8
        line 5: not_json
        line 6: too_long
        line 8 seq 4: not_increasing
        acme/crm via mac-3 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago None None Some("é漢😀")
        beta/https://h/x via mac-3 tls ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago Some("r") None None
        acme/crm via mac-3 200 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
        7 received, 3 accepted, 0 duplicate, 3 in gaps, 1 too_long, 1 not_json, 1 not_utf8, 1 not_increasing, tenants ["acme", "beta"], last_seq Some(6)
    "#]]
    .assert_eq(&whole);
    // Inside the long line all places are alike but those around its limit and its ends.
    let limit = too_long.start + LINE_BYTES_MAX;
    let matters = |at: usize| !(too_long.start + 40..limit - 4).contains(&at) || at.is_multiple_of(509);
    for at in (0..=stream.len()).filter(|at| matters(*at)) {
        let (front, back) = stream.split_at(at);
        assert_eq!(fold_in(&[front, back]), whole, "cut at {at}");
    }
    let bytes: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(fold_in(&bytes[..too_long.start]), fold_in(&[&stream[..too_long.start]]));
    const SEED: u64 = 0xc07;
    println!("seed {SEED:#x}");
    let mut dice = Dice::new(SEED);
    for _ in 0..200 {
        let mut rest = &stream[..];
        let mut chunks = Vec::new();
        while !rest.is_empty() {
            let most = [3, 60, 5_000, 20_000][dice.index(4)];
            let (chunk, after) = rest.split_at(1 + dice.index(most.min(rest.len())));
            chunks.push(chunk);
            rest = after;
        }
        assert_eq!(
            fold_in(&chunks),
            whole,
            "{:?}",
            chunks.iter().map(|chunk| chunk.len()).collect::<Vec<_>>()
        );
    }
}

#[test]
fn a_line_may_have_16_kib_and_not_one_byte_more() {
    let line = |bytes: usize| {
        let head = r#"{"tenant":"acme","endpoint":"crm","status":503,"x":""#;
        format!("{head}{}\"}}", "y".repeat(bytes - head.len() - 2))
    };
    for newline in ["", "\n"] {
        for (bytes, accepted) in [(LINE_BYTES_MAX, 1), (LINE_BYTES_MAX + 1, 0)] {
            let mut folder = folder(Mode::Plain);
            feed(&mut folder, [(line(bytes) + newline).as_bytes()]);
            assert_eq!(
                folder.take().unwrap().tally.accepted,
                accepted,
                "{bytes} bytes, newline {newline:?}"
            );
        }
    }
}

#[test]
fn a_line_of_a_megabyte_is_one_rejection_and_keeps_no_memory() {
    let mut folder = folder(Mode::Plain);
    let megabyte = vec![b'x'; 1 << 20];
    let mut rejections = Vec::new();
    for chunk in megabyte.chunks(LINE_BYTES_MAX + 1) {
        assert_eq!(
            folder.read(chunk, NOW, &mut rejections),
            Read {
                consumed: chunk.len(),
                full: false
            }
        );
    }
    folder.finish(b"still the same line", NOW, &mut rejections);
    assert_eq!(rejections.len(), 1);
    assert_eq!(folder.take().unwrap().tally.received, 1);
}

#[test]
fn a_full_delta_stops_the_reader_until_it_is_taken_and_nothing_is_lost() {
    let mut lines = Vec::new();
    let events = CELLS_MAX + 100;
    for number in 0..events {
        lines.extend_from_slice(
            format!("{{\"tenant\":\"acme\",\"endpoint\":\"e-{number}\",\"status\":503}}\n").as_bytes(),
        );
    }
    let mut folder = folder(Mode::Plain);
    let read = folder.read(&lines, NOW, &mut Vec::new());
    assert!(read.full);
    assert_eq!(
        folder.read(&lines[read.consumed..], NOW, &mut Vec::new()),
        Read {
            consumed: 0,
            full: true
        }
    );
    assert_eq!(folder.take().unwrap().cells.len(), CELLS_MAX);
    let rest = folder.read(&lines[read.consumed..], NOW, &mut Vec::new());
    assert_eq!((rest.full, read.consumed + rest.consumed), (false, lines.len()));
    assert_eq!(folder.take().unwrap().tally.accepted, 100);
    assert_eq!(folder.take(), None);
}

#[test]
fn samples_fill_a_delta_by_their_bytes() {
    let error = "word ".repeat(250);
    let mut folder = folder(Mode::Plain);
    let mut accepted = 0;
    for number in 0..SAMPLES_BYTES_MAX / 1024 + 100 {
        let line =
            format!("{{\"tenant\":\"acme\",\"endpoint\":\"e-{number}\",\"status\":503,\"error\":\"{error}\"}}\n");
        if folder.read(line.as_bytes(), NOW, &mut Vec::new()).full {
            break;
        }
        accepted += 1;
    }
    assert_eq!(accepted, SAMPLES_BYTES_MAX / 1024);
    assert_eq!(folder.take().unwrap().tally.accepted, accepted as u64);
}

#[test]
fn a_full_list_of_rejections_stops_the_reader_until_it_is_emptied() {
    let lines = "x\n".repeat(REJECTIONS_MAX + 5);
    let mut folder = folder(Mode::Plain);
    let mut rejections = Vec::new();
    let read = folder.read(lines.as_bytes(), NOW, &mut rejections);
    assert_eq!(
        (read.full, read.consumed, rejections.len()),
        (true, 2 * REJECTIONS_MAX, REJECTIONS_MAX)
    );
    rejections.clear();
    let read = folder.read(&lines.as_bytes()[read.consumed..], NOW, &mut rejections);
    assert_eq!((read.full, rejections.len()), (false, 5));
    assert_eq!(rejections[4].line, REJECTIONS_MAX as u64 + 5);
}

#[test]
fn deltas_follow_each_other_with_their_own_arrivals_and_the_same_names() {
    let line = b"{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n";
    let mut folder = folder(Mode::Plain);
    let mut subjects = Vec::new();
    for second in 0..3 {
        let now = NOW + Duration::from_secs(second);
        folder.read(line, now, &mut Vec::new());
        folder.read(line, now + Duration::from_millis(5), &mut Vec::new());
        let delta = folder.take().unwrap();
        assert_eq!((delta.arrival, delta.cells[0].1.count), (now.wall, 2));
        subjects.push(Arc::clone(&delta.cells[0].0.subject));
    }
    assert!(subjects.iter().all(|subject| Arc::ptr_eq(subject, &subjects[0])));
}

#[test]
fn more_names_than_are_remembered_count_as_right_as_few() {
    // Each subject under ever new raw names (forgotten within a delta), and more subjects than are kept
    // (forgotten between deltas); the counts must come out whole.
    let mut folder = folder(Mode::Plain);
    let mut counted = std::collections::BTreeMap::new();
    let mut take = |folder: &mut Folder| {
        for (key, cell) in folder.take().map(|delta| delta.cells).unwrap_or_default() {
            *counted.entry(key.subject.endpoint.to_string()).or_insert(0) += cell.count;
        }
    };
    const SUBJECTS: usize = 140_000;
    const AGAIN: usize = 5_000;
    for (round, subjects) in [SUBJECTS, AGAIN].into_iter().enumerate() {
        for number in 0..subjects {
            let line =
                format!("{{\"tenant\":\"acme\",\"endpoint\":\"s://u{round}x{number}@{number}\",\"status\":503}}\n");
            if folder.read(line.as_bytes(), NOW, &mut Vec::new()).full {
                take(&mut folder);
                assert!(!folder.read(line.as_bytes(), NOW, &mut Vec::new()).full);
            }
        }
    }
    take(&mut folder);
    for alias in 0..140_000 {
        let line = format!("{{\"tenant\":\"acme\",\"endpoint\":\"s://u{alias}@0\",\"status\":503}}\n");
        folder.read(line.as_bytes(), NOW, &mut Vec::new());
    }
    take(&mut folder);
    assert_eq!(counted.len(), SUBJECTS);
    assert_eq!(counted.remove("s://0"), Some(140_000 + 2));
    assert_eq!(counted.values().filter(|count| **count == 2).count(), AGAIN - 1);
    assert_eq!(counted.values().sum::<u64>() as usize, SUBJECTS + AGAIN - 2);
}

#[test]
fn names_learnt_after_all_were_forgotten_inherit_nothing() {
    let mut folder = folder(Mode::Plain);
    let long = "x".repeat(450);
    let send = |folder: &mut Folder, endpoint: &str| {
        let line = format!("{{\"tenant\":\"acme\",\"endpoint\":\"{endpoint}\",\"status\":503,\"request_id\":\"r\"}}\n");
        assert!(!folder.read(line.as_bytes(), NOW, &mut Vec::new()).full);
    };
    // 18 MB of names: more than is kept between deltas.
    for number in 0..40_000 {
        send(&mut folder, &format!("{number}{long}"));
    }
    folder.take();
    send(&mut folder, "crm");
    let delta = folder.take().unwrap();
    assert!(
        delta.cells[0].1.sample.is_some(),
        "another subject's sample of this slot is none of ours"
    );
}

#[test]
fn one_element_of_a_list_may_stand_on_many_lines() {
    let mut folder = folder(Mode::Plain);
    let mut rejections = Vec::new();
    folder.one(
        b"{\n \"tenant\": \"acme\",\n \"endpoint\": \"crm\", \"status\": 503\n}",
        NOW,
        &mut rejections,
    );
    folder.one(b"[]", NOW, &mut rejections);
    assert_eq!(shown(None, &rejections), "line 2: not_json\nnothing\n");
    assert_eq!(folder.take().unwrap().tally.accepted, 1);
}
