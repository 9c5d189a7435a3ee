use std::fmt::Write;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::words::{Instant, Via};

mod stream;

/// 2026-11-20T08:34:00Z: 240 s into an aligned window.
const NOW: Now = Now {
    at: Instant::from_millis(5_010_000),
    wall: Wall::from_millis(1_795_163_640_000),
};
const ACKNOWLEDGED: Mode = Mode::Acknowledged { last_seq: 0 };

fn folder(mode: Mode) -> Folder {
    let settings = FoldSettings {
        node: "mac-3".into(),
        allowed: None,
        via: Via::Socket,
    };
    Folder::new(Arc::new(settings), mode, None)
}

fn allowing(tenants: &[&str]) -> Folder {
    let settings = FoldSettings {
        node: "mac-3".into(),
        allowed: Some(tenants.iter().filter_map(|tenant| TenantName::parse(tenant)).collect()),
        via: Via::Socket,
    };
    Folder::new(Arc::new(settings), Mode::Plain, None)
}

/// Hands the chunks over as a connection does: what was not consumed comes again with more behind it.
fn feed<'a>(folder: &mut Folder, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Rejection> {
    let mut rejections = Vec::new();
    let mut kept: Vec<u8> = Vec::new();
    for chunk in chunks {
        kept.extend_from_slice(chunk);
        let read = folder.read(&kept, NOW, &mut rejections);
        assert!(!read.full);
        kept.drain(..read.consumed);
        assert!(kept.len() <= LINE_BYTES_MAX && !kept.contains(&b'\n'));
    }
    folder.finish(&kept, NOW, &mut rejections);
    rejections
}

fn shown(delta: Option<Delta>, rejections: &[Rejection]) -> String {
    let mut out = String::new();
    for Rejection { seq, line, reason } in rejections {
        let seq = seq.map_or(String::new(), |seq| format!(" seq {seq}"));
        writeln!(out, "line {line}{seq}: {reason}").unwrap();
    }
    let Some(delta) = delta else {
        return out + "nothing\n";
    };
    for (key, cell) in &delta.cells {
        let subject = &key.subject;
        let age = |moment: Wall| NOW.wall.millis_since(moment);
        write!(
            out,
            "{}/{} via {} {} ×{} window {} {} attempt {} {}..{} ms ago",
            subject.tenant,
            subject.endpoint,
            subject.gateway,
            key.code,
            cell.count,
            Wall::from_millis(key.window * 1000),
            if key.live { "live" } else { "history" },
            cell.max_attempt,
            age(cell.first),
            age(cell.last),
        )
        .unwrap();
        if let Some(sample) = &cell.sample {
            write!(out, " {:?} {:?} {:?}", sample.request_id, sample.task_id, sample.error).unwrap();
        }
        out.push('\n');
    }
    let Tally {
        received,
        accepted,
        duplicate,
        gaps,
        ..
    } = delta.tally;
    assert_eq!(received, accepted + duplicate + delta.tally.rejected_total());
    write!(
        out,
        "{received} received, {accepted} accepted, {duplicate} duplicate, {gaps} in gaps"
    )
    .unwrap();
    for reason in Reject::ALL {
        match delta.tally.rejected[reason as usize] {
            0 => {}
            count => write!(out, ", {count} {reason}").unwrap(),
        }
    }
    let tenants: Vec<&str> = delta.tenants.iter().map(TenantName::as_str).collect();
    writeln!(out, ", tenants {tenants:?}, last_seq {:?}", delta.last_seq).unwrap();
    out
}

/// The one way in: lines, and what became of them.
fn check(mut folder: Folder, lines: &[&str], expected: Expect) {
    let text = lines.join("\n") + "\n";
    let rejections = feed(&mut folder, [text.as_bytes()]);
    expected.assert_eq(&shown(folder.take(), &rejections));
}

#[test]
fn failures_of_one_endpoint_are_one_cell() {
    check(
        folder(Mode::Plain),
        &[
            r#"{"tenant":"acme","endpoint":"crm","status":503,"attempt":2,"gateway":"gw-1","request_id":"r-1","task_id":"t-1","error":"upstream, Bearer abc"}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"attempt":4,"gateway":"gw-1","request_id":"r-2","ts":1795163639000}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"attempt":1,"gateway":"gw-1"}"#,
        ],
        expect![[r#"
            acme/crm via gw-1 503 ×3 window 2026-11-20T08:30:00Z live attempt 4 1000..0 ms ago Some("r-1") Some("t-1") Some("upstream, Bearer [redacted]")
            3 received, 3 accepted, 0 duplicate, 0 in gaps, tenants ["acme"], last_seq None
        "#]],
    );
}

#[test]
fn tenants_endpoints_gateways_codes_and_windows_count_apart() {
    check(
        folder(Mode::Plain),
        &[
            r#"{"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"tenant":"beta","endpoint":"crm","status":503}"#,
            r#"{"tenant":"acme","endpoint":"erp","status":503}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"gateway":"gw-1"}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":502}"#,
            r#"{"tenant":"acme","endpoint":"crm","kind":"dns"}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"ts":"2026-11-20T08:29:59.999Z"}"#,
        ],
        expect![[r#"
            acme/crm via mac-3 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            beta/crm via mac-3 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            acme/erp via mac-3 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            acme/crm via gw-1 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            acme/crm via mac-3 502 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            acme/crm via mac-3 dns ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            acme/crm via mac-3 503 ×1 window 2026-11-20T08:25:00Z live attempt 0 240001..240001 ms ago
            7 received, 7 accepted, 0 duplicate, 0 in gaps, tenants ["acme", "beta"], last_seq None
        "#]],
    );
}

#[test]
fn one_subject_under_many_raw_names_is_one_cell() {
    check(
        folder(Mode::Plain),
        &[
            r#"{"tenant":"acme","endpoint":"https://h/x?token=1","status":503}"#,
            r#"{"tenant":"acme","endpoint":"https://ann:pw@h/x","status":503,"gateway":""}"#,
            r#"{"tenant":"\u0061cme","endpoint":"https:\/\/h/x#top","status":503,"gateway":"mac-3"}"#,
            r#"{"tenant":"acme","endpoint":"https://h/\u202ex\u003ftoken=1","status":503,"gateway":" \u0000"}"#,
        ],
        expect![[r#"
            acme/https://h/x via mac-3 503 ×4 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            4 received, 4 accepted, 0 duplicate, 0 in gaps, tenants ["acme"], last_seq None
        "#]],
    );
}

#[test]
fn an_event_more_than_300_s_old_at_its_arrival_is_history() {
    check(
        folder(Mode::Plain),
        &[
            r#"{"tenant":"acme","endpoint":"crm","status":503,"ts":1795163340000}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"ts":1795163339999}"#,
        ],
        expect![[r#"
            acme/crm via mac-3 503 ×1 window 2026-11-20T08:25:00Z live attempt 0 300000..300000 ms ago
            acme/crm via mac-3 503 ×1 window 2026-11-20T08:25:00Z history attempt 0 300001..300001 ms ago
            2 received, 2 accepted, 0 duplicate, 0 in gaps, tenants ["acme"], last_seq None
        "#]],
    );
}

#[test]
fn event_times_are_corrected_by_the_clock_of_the_hello() {
    let settings = FoldSettings {
        node: "mac-3".into(),
        allowed: None,
        via: Via::Socket,
    };
    check(
        Folder::new(Arc::new(settings), Mode::Plain, Some(3_600_000)),
        &[
            r#"{"tenant":"acme","endpoint":"crm","status":503,"ts":1795160039000}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"ts":1795163640000}"#,
        ],
        expect![[r#"
            acme/crm via mac-3 503 ×2 window 2026-11-20T08:30:00Z live attempt 0 1000..0 ms ago
            2 received, 2 accepted, 0 duplicate, 0 in gaps, tenants ["acme"], last_seq None
        "#]],
    );
}

#[test]
fn a_success_gives_no_sample_and_a_failure_the_first_that_says_something() {
    check(
        folder(Mode::Plain),
        &[
            r#"{"tenant":"acme","endpoint":"crm","status":204,"request_id":"r-0"}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"request_id":"r-1"}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"request_id":"r-2","error":"late"}"#,
        ],
        expect![[r#"
            acme/crm via mac-3 204 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            acme/crm via mac-3 503 ×3 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago Some("r-1") None None
            4 received, 4 accepted, 0 duplicate, 0 in gaps, tenants ["acme"], last_seq None
        "#]],
    );
}

#[test]
fn a_row_gives_one_sample_a_slot_of_ten_seconds() {
    let line = |code: &str| format!("{{\"tenant\":\"acme\",\"endpoint\":\"crm\",{code},\"request_id\":\"r\"}}\n");
    let mut folder = folder(Mode::Plain);
    let mut samples = |seconds: u64, code: &str| {
        folder.read(
            line(code).as_bytes(),
            NOW + Duration::from_secs(seconds),
            &mut Vec::new(),
        );
        let delta = folder.take().unwrap();
        assert_eq!(delta.cells.len(), 1);
        delta.cells.iter().filter(|(_, cell)| cell.sample.is_some()).count()
    };
    assert_eq!(samples(0, r#""status":503"#), 1);
    assert_eq!(samples(1, r#""status":503"#), 0, "the row has one");
    assert_eq!(samples(2, r#""status":502"#), 0, "of the same family");
    assert_eq!(samples(3, r#""kind":"dns""#), 1, "of another family");
    assert_eq!(samples(10, r#""status":503"#), 1, "of the next slot");
    assert_eq!(
        samples(11, r#""status":503,"ts":"2026-11-20T08:20:00Z""#),
        1,
        "of another window"
    );
}

#[test]
fn every_kind_of_bad_line_is_refused_by_its_reason_and_the_next_one_counts() {
    let too_long = format!(
        r#"{{"tenant":"acme","endpoint":"crm","status":503,"error":"{}"}}"#,
        "x".repeat(LINE_BYTES_MAX)
    );
    check(
        allowing(&["acme"]),
        &[
            &too_long,
            "not json",
            "[1]",
            "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503,\"error\":\"\0\"}",
            r#"{"tenant":"Acme","endpoint":"crm","status":503}"#,
            r#"{"tenant":"acme","endpoint":"?x","status":503}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"kind":"dns"}"#,
            r#"{"tenant":"acme","endpoint":"crm"}"#,
            r#"{"tenant":"beta","endpoint":"crm","status":503}"#,
            r#"{"tenant":"beta","endpoint":"","status":503,"seq":9}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503,"unknown":{"field":[1]}}"#,
        ],
        expect![[r#"
            line 1: too_long
            line 2: not_json
            line 3: not_json
            line 4: not_json
            line 5: bad_field
            line 6: bad_field
            line 7: bad_field
            line 8: missing_field
            line 9: tenant_not_allowed
            line 10 seq 9: bad_field
            acme/crm via mac-3 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            11 received, 1 accepted, 0 duplicate, 0 in gaps, 1 too_long, 3 not_json, 4 bad_field, 1 missing_field, 1 tenant_not_allowed, tenants ["acme"], last_seq None
        "#]],
    );
}

#[test]
fn a_line_that_is_not_utf8_spoils_no_other() {
    let good = br#"{"tenant":"acme","endpoint":"crm","status":503}"#;
    let bad = b"{\"tenant\":\"acme\",\"endpoint\":\"\xff\",\"status\":503}";
    let stream = [&good[..], bad, good].join(&b'\n');
    let mut folder = folder(Mode::Plain);
    let rejections = feed(&mut folder, [&stream[..]]);
    expect![[r#"
        line 2: not_utf8
        acme/crm via mac-3 503 ×2 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
        3 received, 2 accepted, 0 duplicate, 0 in gaps, 1 not_utf8, tenants ["acme"], last_seq None
    "#]]
    .assert_eq(&shown(folder.take(), &rejections));
}

#[test]
fn empty_lines_have_a_number_and_count_for_nothing() {
    check(
        folder(Mode::Plain),
        &[
            "",
            " \t\r",
            r#"{"tenant":"acme","endpoint":"crm","status":503}"#,
            "",
            "x\r",
        ],
        expect![[r#"
            line 5: not_json
            acme/crm via mac-3 503 ×1 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            2 received, 1 accepted, 0 duplicate, 0 in gaps, 1 not_json, tenants ["acme"], last_seq None
        "#]],
    );
    check(folder(Mode::Plain), &["", "  "], expect!["nothing\n"]);
}

#[test]
fn the_order_of_an_acknowledged_producer_is_judged_before_its_fields() {
    check(
        folder(Mode::Acknowledged { last_seq: 10 }),
        &[
            r#"{"seq":8,"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":9,"tenant":"this repeat is bad"}"#,
            r#"{"seq":9,"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":11,"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":11,"tenant":"Acme"}"#,
            r#"{"seq":14,"tenant":"Acme","endpoint":"crm","status":503}"#,
            r#"{"seq":14,"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":4294967311,"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":"15","tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":-15,"tenant":"acme","endpoint":"crm","status":503}"#,
            r#"{"seq":15"#,
            r#"{"seq":16,"tenant":"acme","endpoint":"crm","status":503}"#,
        ],
        expect![[r#"
            line 3 seq 9: not_increasing
            line 5 seq 11: not_increasing
            line 6 seq 14: bad_field
            line 7 seq 14: not_increasing
            line 8 seq 4294967311: bad_field
            line 9: missing_field
            line 10: bad_field
            line 11: bad_field
            line 12: not_json
            acme/crm via mac-3 503 ×2 window 2026-11-20T08:30:00Z live attempt 0 0..0 ms ago
            13 received, 2 accepted, 2 duplicate, 3 in gaps, 1 not_json, 4 bad_field, 1 missing_field, 3 not_increasing, tenants ["acme"], last_seq Some(16)
        "#]],
    );
}

#[test]
fn a_refused_line_with_a_readable_number_is_final_and_advances_the_sequence() {
    check(
        folder(ACKNOWLEDGED),
        &[
            r#"{"seq":1,"tenant":"acme"}"#,
            r#"{"seq":2,"tenant":"Acme","endpoint":"crm","status":503}"#,
        ],
        expect![[r#"
            line 1 seq 1: missing_field
            line 2 seq 2: bad_field
            2 received, 0 accepted, 0 duplicate, 0 in gaps, 1 bad_field, 1 missing_field, tenants [], last_seq Some(2)
        "#]],
    );
}

#[test]
fn repeats_alone_may_be_acknowledged_up_to_what_the_hello_said() {
    check(
        folder(Mode::Acknowledged { last_seq: 10 }),
        &[r#"{"seq":3,"tenant":"acme","endpoint":"crm","status":503}"#],
        expect![[r#"
            1 received, 0 accepted, 1 duplicate, 0 in gaps, tenants [], last_seq Some(10)
        "#]],
    );
}

#[test]
fn a_leap_leaves_last_seq_alone() {
    check(
        folder(Mode::Acknowledged { last_seq: 10 }),
        &[&format!(
            r#"{{"seq":{},"tenant":"acme","endpoint":"crm","status":503}}"#,
            10 + (1u64 << 32) + 1
        )],
        expect![[r#"
            line 1 seq 4294967307: bad_field
            1 received, 0 accepted, 0 duplicate, 0 in gaps, 1 bad_field, tenants [], last_seq Some(10)
        "#]],
    );
}

/// What a delta tells of its sender's clock, from events so many seconds before their arrival.
fn lag_of(folder: &mut Folder, now: Now, ages: &[i64]) -> Option<(String, i64, bool)> {
    let mut rejections = Vec::new();
    for age in ages {
        let ts = now.wall.as_millis() - age * 1000;
        let line = format!(r#"{{"tenant":"acme","endpoint":"crm","status":503,"gateway":"gw-{age}","ts":{ts}}}"#);
        folder.one(line.as_bytes(), now, &mut rejections);
    }
    let lag = folder.take()?.lag?;
    Some((lag.sender.to_string(), lag.millis / 1000, lag.said))
}

fn told_by(via: Via, said: Option<i64>) -> Folder {
    let settings = FoldSettings {
        node: "mac-3".into(),
        allowed: None,
        via,
    };
    Folder::new(Arc::new(settings), Mode::Plain, said)
}

#[test]
fn a_delta_tells_the_smallest_lag_of_its_events_and_whose_that_was() {
    let mut folder = told_by(Via::Socket, None);
    let told = |sender: &str, seconds, said| Some((sender.to_owned(), seconds, said));
    assert_eq!(lag_of(&mut folder, NOW, &[90, 3, 40]), told("gw-3", 3, false));
    assert_eq!(
        lag_of(&mut folder, NOW, &[50]),
        told("gw-50", 50, false),
        "each delta for itself"
    );
    assert_eq!(lag_of(&mut folder, NOW, &[-20]), told("gw--20", -20, false));
    assert_eq!(lag_of(&mut folder, NOW, &[-90_000]), told("gw--90000", -90_000, false));
    let mut rejections = Vec::new();
    folder.one(
        br#"{"tenant":"acme","endpoint":"crm","status":503}"#,
        NOW,
        &mut rejections,
    );
    assert_eq!(folder.take().unwrap().lag, None, "no event said its time");
}

#[test]
fn events_of_more_than_five_minutes_ago_tell_nothing_of_a_clock_until_it_is_known_to_be_behind() {
    let mut folder = told_by(Via::Socket, None);
    assert_eq!(lag_of(&mut folder, NOW, &[301, 4000]), None, "a backlog");
    assert_eq!(lag_of(&mut folder, NOW, &[301, 300]).unwrap().1, 300);
    let mut behind = told_by(Via::Socket, None);
    let told: Vec<Option<i64>> = (0..60)
        .map(|number| {
            let now = NOW + Duration::from_secs(number * 20);
            lag_of(&mut behind, now, &[400]).map(|(_, seconds, _)| seconds)
        })
        .collect();
    assert_eq!(told[0], None);
    assert_eq!(
        told.last(),
        Some(&Some(400)),
        "ten minutes of it are no backlog: {told:?}"
    );
}

#[test]
fn what_the_hello_said_is_the_skew_and_delays_are_none() {
    let mut folder = told_by(Via::Socket, Some(2_000));
    assert_eq!(
        lag_of(&mut folder, NOW, &[200]).unwrap(),
        ("gw-200".to_owned(), 2, true)
    );
    // Sooner than its word allows: one of the clocks was set since.
    assert_eq!(lag_of(&mut folder, NOW, &[-60]).unwrap().1, -60);
}

#[test]
fn sources_of_this_process_and_the_operator_have_no_clock_of_their_own() {
    for via in [Via::Link, Via::Log, Via::Operator] {
        assert_eq!(lag_of(&mut told_by(via, Some(0)), NOW, &[100]), None, "{via:?}");
    }
    assert!(lag_of(&mut told_by(Via::Plugin, Some(0)), NOW, &[0]).is_some());
}
