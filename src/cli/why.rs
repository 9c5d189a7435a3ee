//! Shell: `readyd why`: the last change of the verdict, with the findings that made it.

use std::process::ExitCode;

use serde_json::Value;

use super::Outcome;
use super::arguments::Place;
use super::daemon::Daemon;
use super::view::{items, text};

pub fn run(place: &Place, as_json: bool) -> Outcome {
    let status = Daemon::find(place)?.json("/v1/status")?;
    if as_json {
        println!("{:#}", status["last_change"]);
    } else {
        print!("{}", drawn(&status));
    }
    Ok(ExitCode::SUCCESS)
}

fn drawn(status: &Value) -> String {
    let now = text(&status["status"]);
    let change = &status["last_change"];
    if change.is_null() {
        let since = text(&status["since"]);
        let sentence = format!("The verdict has not changed since the start: it is {now} since {since}.\n");
        return sentence + &reasons(&status["reasons"]);
    }
    let mut out = format!(
        "{} → {} at {}\n",
        text(&change["from"]),
        text(&change["to"]),
        text(&change["at"])
    );
    for (title, list) in [
        ("made it better", &change["better"]),
        ("wrong since then", &change["reasons"]),
    ] {
        let list = reasons(list);
        if !list.is_empty() {
            out.push_str(&format!("{title}:\n{list}"));
        }
    }
    if status["status"] != change["to"] || status["reasons"] != change["reasons"] {
        out.push_str(&format!("now {now}\n{}", reasons(&status["reasons"])));
    }
    out
}

fn reasons(list: &Value) -> String {
    items(list).map(|reason| format!("  - {}\n", text(reason))).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(status: Value, expected: Expect) {
        expected.assert_eq(&drawn(&status));
    }

    #[test]
    fn what_became_better_is_told_by_what_made_it_so() {
        check(
            json!({
                "status": "degraded", "reasons": ["acme doctor: cadence"],
                "last_change": {
                    "at": "2026-11-20T07:31:07Z", "from": "down", "to": "degraded",
                    "reasons": ["acme doctor: cadence"], "better": ["acme gateway: ready (was down)"],
                },
            }),
            expect![[r#"
                down → degraded at 2026-11-20T07:31:07Z
                made it better:
                  - acme gateway: ready (was down)
                wrong since then:
                  - acme doctor: cadence
            "#]],
        );
    }

    #[test]
    fn what_became_worse_is_told_with_what_is_said_now_where_that_differs() {
        check(
            json!({
                "status": "down", "reasons": ["acme gateway: refused", "disk: 1% free"],
                "last_change": {
                    "at": "2026-11-20T07:31:07Z", "from": "ok", "to": "down",
                    "reasons": ["acme gateway: refused"], "better": [],
                },
            }),
            expect![[r#"
                ok → down at 2026-11-20T07:31:07Z
                wrong since then:
                  - acme gateway: refused
                now down
                  - acme gateway: refused
                  - disk: 1% free
            "#]],
        );
    }

    #[test]
    fn no_change_since_the_start_is_a_sentence() {
        check(
            json!({"status": "ok", "since": "2026-11-20T07:31:07Z", "reasons": [], "last_change": null}),
            expect![[r#"
                The verdict has not changed since the start: it is ok since 2026-11-20T07:31:07Z.
            "#]],
        );
    }
}
