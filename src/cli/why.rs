//! Shell: `readyd why`: the last change of the verdict, with the findings that made it; or why a tenant is what it is.

use std::process::ExitCode;

use serde_json::Value;

use super::Outcome;
use super::arguments::{Place, Why};
use super::daemon::Daemon;
use super::moment::Moments;
use super::reasons::{self, INDENT};
use super::screen;
use super::sheet::{Sheet, Span, Tone};
use super::status;
use super::view::{items, text};

const LINES_MAX: usize = 3;

pub fn run(place: &Place, options: &Why, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    let tenant = options.tenant.as_deref();
    let status = status::told(&daemon, tenant)?;
    if as_json {
        match tenant.and_then(|name| status::tenant(&status, name)) {
            Some(tenant) => println!("{tenant:#}"),
            None => println!("{:#}", status["last_change"]),
        }
        return Ok(ExitCode::SUCCESS);
    }
    let screen = screen::stdout();
    let sheet = drawn(&status, tenant, screen.width(), &screen::moments());
    print!("{}", sheet.text(screen.coloured));
    Ok(ExitCode::SUCCESS)
}

fn drawn(status: &Value, tenant: Option<&str>, width: Option<usize>, moments: &Moments) -> Sheet {
    let mut sheet = Sheet::new(width);
    status::draw_head(&mut sheet, status, tenant, moments);
    status::draw_operations(&mut sheet, status, tenant, moments);
    let reasons = match tenant {
        Some(tenant) => reasons::of_tenant(status, tenant),
        None => reasons::of_node(status),
    };
    if !reasons.is_empty() {
        sheet.gap();
        reasons::draw(&mut sheet, &reasons, moments, false);
    }
    let change = &status["last_change"];
    match (tenant, change.is_null()) {
        (Some(_), _) => {}
        (None, true) => {
            sheet.gap();
            sheet.line(["The verdict has not changed since the start.".into()]);
        }
        (None, false) => {
            sheet.gap();
            draw_change(&mut sheet, status, moments);
        }
    }
    if !reasons.is_empty() {
        sheet.gap();
        reasons::draw_next(&mut sheet, &reasons);
    }
    sheet
}

/// `ok → down at 07:31, 12 min ago`, and what was said then where that is not what is said now.
fn draw_change(sheet: &mut Sheet, status: &Value, moments: &Moments) {
    let change = &status["last_change"];
    let when = moments.when(&text(&change["at"]));
    sheet.line([
        text(&change["from"]).into(),
        " → ".into(),
        Span::state(&text(&change["to"])),
        format!(" at {when}").into(),
    ]);
    let then = match status["reasons"] == change["reasons"] {
        true => &Value::Null,
        false => &change["reasons"],
    };
    for (title, list) in [("better", &change["better"]), ("then", then)] {
        let mut head = Span::new(title, Tone::Faint);
        for reason in items(list) {
            sheet.paragraph(std::mem::take(&mut head), INDENT, &text(reason).into(), LINES_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;
    use crate::cli::moment::moments;

    fn check(status: Value, expected: Expect) {
        expected.assert_eq(&drawn(&status, None, Some(80), &moments(true)).text(false));
    }

    #[test]
    fn what_became_better_is_told_by_what_made_it_so() {
        check(
            json!({
                "status": "degraded", "node": "mac-3", "since": "2026-11-20T07:31:07Z", "reasons": ["acme doctor: cadence"],
                "why": [{"text": "acme doctor: cadence", "severity": "degraded", "check": "doctor@acme",
                    "tenant": "acme", "hint": "Run: openclaw doctor --lint --json"}],
                "checks": [{"check": "doctor", "tenant": "acme", "since": "2026-11-20T07:20:00Z"}],
                "last_change": {
                    "at": "2026-11-20T07:31:07Z", "from": "down", "to": "degraded",
                    "reasons": ["acme doctor: cadence"], "better": ["acme gateway: ready (was down)"],
                },
            }),
            expect![[r#"
                degraded  mac-3  since 07:31, 12 min ago

                degraded  acme doctor: cadence
                          since 07:20, 23 min ago

                down → degraded at 07:31, 12 min ago
                better    acme gateway: ready (was down)

                next: openclaw doctor --lint --json
                      evidence: readyd explain doctor@acme
            "#]],
        );
    }

    #[test]
    fn what_became_worse_is_told_with_what_was_said_then_where_that_differs() {
        check(
            json!({
                "status": "down", "node": "mac-3", "since": "2026-11-20T07:31:07Z",
                "reasons": ["acme gateway: refused", "disk: 1% free"],
                "why": [
                    {"text": "acme gateway: refused (explains 1 more)", "severity": "down", "check": "gateway@acme",
                     "symptoms": ["doctor@acme"]},
                    {"text": "disk: 1% free", "severity": "degraded", "check": "disk"},
                ],
                "last_change": {
                    "at": "2026-11-20T07:31:07Z", "from": "ok", "to": "down",
                    "reasons": ["acme gateway: refused"], "better": [],
                },
            }),
            expect![[r#"
                down      mac-3  since 07:31, 12 min ago

                down      acme gateway: refused
                          explains doctor
                degraded  disk: 1% free

                ok → down at 07:31, 12 min ago
                then      acme gateway: refused

                next: readyd explain gateway@acme
            "#]],
        );
    }

    #[test]
    fn no_change_since_the_start_is_a_sentence() {
        check(
            json!({"status": "ok", "node": "mac-3", "since": "2026-11-20T07:31:07Z", "last_change": null}),
            expect![[r#"
                ok        mac-3  since 07:31, 12 min ago

                The verdict has not changed since the start.
            "#]],
        );
    }

    #[test]
    fn what_somebody_took_out_on_purpose_is_told_before_all_else() {
        let status = json!({
            "status": "ok", "phase": "draining", "node": "mac-3", "since": "2026-11-20T07:31:07Z", "reasons": [],
            "drain": {"actor": "uid 0 (root)", "reason": "kernel upgrade", "started": "2026-11-20T07:31:07Z"},
            "tenants_detail": [{
                "tenant": "acme", "answer": "ok", "answer_phase": "draining", "since": "2026-11-20T07:31:07Z", "drain": null,
                "maintenance": {
                    "actor": "uid 0 (root)", "reason": "rehearsal", "ticket": "OPS-7",
                    "started": "2026-11-20T07:31:07Z", "until": "2026-11-20T08:31:07Z",
                },
            }],
        });
        let told = drawn(&status, Some("acme"), Some(80), &moments(true)).text(false);
        assert!(told.contains("the node is drained since 07:31"), "{told}");
        assert!(told.contains("by uid 0 (root): kernel upgrade"), "{told}");
        assert!(told.contains("acme is in maintenance until 08:31"), "{told}");
        assert!(told.contains("rehearsal") && told.contains("[OPS-7]"), "{told}");
    }
}
