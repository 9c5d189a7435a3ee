use crate::http::accept::{Form, names_json, negotiate, prefers_gzip};

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
        // All refused: JSON, and no 406.
        (Some("*/*;q=0"), Form::Json),
        (Some("application/json;q=0"), Form::Json),
        (Some("application/json;q=0, text/*;q=0.1"), Form::Text),
        (Some("application/*;q=0.2, text/plain;q=0.1"), Form::Json),
        (Some("application/*;q=0.2, application/json;q=0.1"), Form::HealthJson),
        (Some("application/health+json;q=0.5, */*;q=0.4"), Form::HealthJson),
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

#[test]
fn gzip_is_for_those_who_take_it_and_like_nothing_better() {
    let takes = [
        "gzip",
        "x-gzip",
        "GZIP",
        "gzip, deflate, br",
        "deflate;q=1.0, gzip;q=0.1",
        "gzip;q=0.5, identity;q=0.5",
        "identity;q=0, gzip;q=0.001",
        "*",
        "br, *;q=0.1",
        "gzip;q=1, *;q=0",
    ];
    for accept in takes {
        assert!(prefers_gzip(Some(accept)), "{accept}");
    }
    let does_not = [
        "",
        "identity",
        "br",
        "gzip;q=0",
        "gzip;q=0.000, *",
        "*;q=0",
        "identity, gzip;q=0.5",
        "gzip;q=2",
        "gzip;q=x",
        "gzipped",
        ";;,,",
    ];
    for accept in does_not {
        assert!(!prefers_gzip(Some(accept)), "{accept}");
    }
    assert!(!prefers_gzip(None));
}
