use expect_test::expect;
use serde_json::json;

use super::*;
use crate::cli::moment::moments;

fn answer() -> Value {
    let at = |minute: i64| format!("2026-11-20T07:{minute:02}:00Z");
    let segment = |status: &str, from: i64, until: i64| json!({"status": status, "from": at(from), "until": at(until)});
    let spread = |mean: Option<f64>| json!({"n": i32::from(mean.is_some()), "mean_sec": mean});
    let subject = |tenant: Option<&str>,
                   check: Option<&str>,
                   segments: Vec<Value>,
                   uptime: Option<f64>,
                   mean,
                   left: Option<f64>| {
        json!({
            "tenant": tenant, "check": check, "segments": segments, "uptime": uptime, "outages": 1, "flaps": 2,
            "time_to_detect": spread(mean), "time_to_recover": spread(mean), "budget": left.map(|left| json!({"remaining": left})),
        })
    };
    json!({
        "until": at(40),
        "truncated_before": at(1),
        "subjects": [
            subject(None, None, vec![segment("not_watched", 0, 1), segment("ok", 1, 20), segment("down", 20, 21), segment("ok", 21, 40)], Some(0.99999), Some(150.0), None),
            subject(Some("acme"), None, vec![segment("starting", 0, 2), segment("maintenance", 2, 30), segment("degraded", 30, 40)], None, None, Some(0.456)),
            subject(Some("a-tenant-with-a-name-of-sixty-four-characters-as-long-as-they-may"), Some("gateway"), vec![segment("unknown", 0, 40)], Some(1.0), None, Some(-0.5)),
        ],
        "transitions": [
            {"at": at(21), "tenant": "acme", "check": "gateway", "from": "down", "to": "ok", "summary": "it answers again, and in good time, as it did before all of this"},
            {"at": at(20), "tenant": null, "check": null, "from": "ok", "to": "down", "summary": ""},
        ],
    })
}

#[test]
fn a_history_fits_eighty_columns_of_a_terminal() {
    let drawn = drawn(&answer(), "40m", Some(80), &moments(true), BLOCKS).text(false);
    assert!(drawn.lines().all(|line| line.chars().count() <= 80), "{drawn}");
    expect![[r#"
        40m until 07:40
        nothing is known of before 07:01

        WHO                            UPTIME  OUTAGES  DETECT  RECOVER  FLAPS  BUDGET
        node                           99.99%        1   2 min    2 min      2  -
          ·███████████████████▁███████████████████
        acme                                -        1       -        -      2  46% left
          ░░▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▄▄▄▄▄▄▄▄▄▄
        gateway@a-tenant-with-a-nam…  100.00%        1       -        -      2  50% over
          ????????????????????????????????????????

        █ ok  ▄ degraded  ▁ down  ? unknown  ░ starting  ▒ out  · not watched

        AT     WHO           CHANGE     WHY
        07:21  gateway@acme  down > ok  it answers again, and in good time, as it did b…
        07:20  node          ok > down  
    "#]]
    .assert_eq(&drawn);
}

#[test]
fn without_utf8_it_is_drawn_in_ascii_and_where_no_terminal_reads_nothing_is_cut() {
    let drawn = drawn(&answer(), "40m", None, &moments(true), ASCII).text(false);
    assert!(drawn.is_ascii(), "{drawn}");
    expect![[r#"
        40m until 07:40
        nothing is known of before 07:01

        WHO                                                                         UPTIME  OUTAGES  DETECT  RECOVER  FLAPS  BUDGET
        node                                                                        99.99%        1   2 min    2 min      2  -
          .###################_###################
        acme                                                                             -        1       -        -      2  46% left
          ::============================++++++++++
        gateway@a-tenant-with-a-name-of-sixty-four-characters-as-long-as-they-may  100.00%        1       -        -      2  50% over
          ????????????????????????????????????????

        # ok  + degraded  _ down  ? unknown  : starting  = out  . not watched

        AT     WHO           CHANGE     WHY
        07:21  gateway@acme  down > ok  it answers again, and in good time, as it did before all of this
        07:20  node          ok > down  
    "#]].assert_eq(&drawn);
}
