use crate::http::accept::{Form, names_json, negotiate};

#[test]
fn the_greater_q_wins_then_the_more_precise_range_then_json() {
    let table = [
        (None, Form::Json),
        (Some(""), Form::Json),
        (Some("*/*"), Form::Json),
        (Some("application/json"), Form::Json),
        (Some("text/plain"), Form::Text),
        (Some("TEXT/Plain; charset=utf-8"), Form::Text),
        (Some("text/*"), Form::Text),
        (Some("application/*"), Form::Json),
        (Some("application/health+json"), Form::HealthJson),
        (Some("application/json;q=0.5, text/plain"), Form::Text),
        (Some("application/json;q=0.5, text/plain;q=0.4"), Form::Json),
        (Some("text/plain, */*"), Form::Text),
        (Some("application/json, text/plain, */*"), Form::Json),
        (Some("text/plain;q=0, */*"), Form::Json),
        (Some("application/json;q=0, */*"), Form::Text),
        (
            Some("application/health+json, application/json;q=0.9"),
            Form::HealthJson,
        ),
        // A browser, and what nobody can serve.
        (
            Some("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            Form::Html,
        ),
        (Some("image/png"), Form::Json),
        // Broken ranges are not read.
        (Some("text/plain;q=2, application/json;q=0.1"), Form::Json),
        (Some("text/plain;q=x"), Form::Json),
        (Some(";;;,,,/"), Form::Json),
    ];
    for (accept, form) in table {
        assert_eq!(negotiate(accept), form, "{accept:?}");
    }
}

#[test]
fn json_is_named_only_by_its_name() {
    assert!(names_json(Some("text/html, application/json;q=0.1")));
    assert!(!names_json(Some("*/*")));
    assert!(!names_json(Some("application/json;q=0")));
    assert!(!names_json(None));
}
