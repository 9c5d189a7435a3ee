use super::*;

fn stored(endpoint: &str) -> String {
    normalise(cut(endpoint)).map_or("nothing".to_owned(), |stored| stored.to_string())
}

#[test]
fn an_endpoint_is_stored_without_what_may_be_secret() {
    for (sent, kept) in [
        ("crm", "crm"),
        ("team/crm@eu:prod", "team/crm@eu:prod"),
        ("https://hooks.example.com/crm", "https://hooks.example.com/crm"),
        (
            "https://hooks.example.com:8443/crm/",
            "https://hooks.example.com:8443/crm/",
        ),
        ("https://h/x?token=abc#part", "https://h/x"),
        ("https://h/x#part?token=abc", "https://h/x"),
        ("https://ann:pw@h/x", "https://h/x"),
        ("https://ann@h/x", "https://h/x"),
        ("https://ann:p@w@h:80/x@y", "https://h:80/x@y"),
        ("HTTPS://ann:pw@H/x", "HTTPS://H/x"),
        ("git+ssh://git@h/x", "git+ssh://h/x"),
        ("https://h/@scope/x", "https://h/@scope/x"),
        ("https://[::1]:8080/x", "https://[::1]:8080/x"),
        ("https://[fe80::1]/x", "https://[fe80::1]/x"),
        ("https://[::1]", "https://[::1]"),
        ("crm?token=abc", "crm"),
        ("crm#x", "crm"),
        ("  crm\t", "crm"),
        ("c\u{202e}r\u{0}m\u{7f}", "crm"),
        ("ht\u{200f}tps://ann:pw@h/x", "https://h/x"),
        ("two\nlines", "two lines"),
        ("no scheme://x@y", "no scheme://x@y"),
        // User info without a scheme's `://`, and ids that are none.
        ("//ann:pw@h/x", "//h/x"),
        ("//ann@h:80/x@y", "//h:80/x@y"),
        ("//h/x", "//h/x"),
        ("//ann:p/w@h/x", "//h/x"),
        ("//ann:pw", "//[redacted]"),
        ("ann:pw@h/x", "h/x"),
        ("ann:p/w@h/x", "h/x"),
        ("ann:p@w@h:80", "h:80"),
        ("mailto:ann:pw@h", "mailto:h"),
        ("MAILTO:ops@example.com", "MAILTO:ops@example.com"),
        ("no scheme://ann:pw@y", "no scheme://y"),
        ("crm@eu", "crm@eu"),
        ("h:8443/@scope/x", "h:8443/@scope/x"),
        ("crm:prod", "crm:prod"),
        ("ann:pw@h/hook/q8ZkLw9XptRt7VbNcMd3JfHg", "h/hook/[redacted-#]"),
        // Tokens, wherever they stand, and what looks like one in a URL's path.
        ("https://h/hook/sk-proj-abcdefgh1234/x", "https://h/hook/[redacted-#]/x"),
        ("https://h/Bearer abc", "https://h/Bearer [redacted-#]"),
        ("crm ghp_abcdefghijklmnop", "crm [redacted-#]"),
        ("crm api_key=abc", "crm [redacted-#]"),
        (
            "https://api.telegram.org/bot123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
            "https://api.telegram.org/[redacted-#]/sendMessage",
        ),
        (
            "https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/q8ZkLw9XptRt7VbNcMd3JfHg",
            "https://hooks.slack.com/services/T01ABCDEF/B01ABCDEF/[redacted-#]",
        ),
        // Ids are ids, and people's words are words.
        ("ep_01HZX7K9QJ4M2N8P5R3T6V0W1Y", "ep_01HZX7K9QJ4M2N8P5R3T6V0W1Y"),
        ("token-service:eu", "token-service:eu"),
        (
            "https://h/v1/tenants/550e8400-e29b-41d4-a716-446655440000/webhooks",
            "https://h/v1/tenants/550e8400-e29b-41d4-a716-446655440000/webhooks",
        ),
        (
            "https://h/getUserAccountsByTenantName/basic",
            "https://h/getUserAccountsByTenantName/basic",
        ),
    ] {
        assert_eq!(without_fingerprints(&stored(sent)), kept, "{sent:?}");
    }
}

/// Their eight digits as one `#`.
fn without_fingerprints(text: &str) -> String {
    let mut parts = text.split("[redacted-");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| format!("{out}[redacted-#{}", &part[8..]))
}

#[test]
fn endpoints_that_differ_in_their_secret_alone_stay_apart_and_the_same_everywhere() {
    let one = stored("https://hooks.slack.com/services/T0/B0/q8ZkLw9XptRt7VbNcMd3JfHg");
    let other = stored("https://hooks.slack.com/services/T0/B0/q8ZkLw9XptRt7VbNcMd3JfHh");
    assert_ne!(one, other);
    assert_eq!(one, "https://hooks.slack.com/services/T0/B0/[redacted-4469f182]");
    let long = format!("https://h/{}", "bearer x/".repeat(55));
    assert!(stored(&long).len() <= ENDPOINT_BYTES_MAX);
}

#[test]
fn a_password_with_a_slash_or_a_question_mark_does_not_stay() {
    assert_eq!(stored("https://ann:p/w@h/x"), "https://h/x");
    assert_eq!(stored("https://ann:p?w@h/x"), "https://[redacted]");
    assert_eq!(stored("https://ann:p#w@h/x"), "https://[redacted]");
}

#[test]
fn what_is_cut_down_to_nothing_is_no_endpoint() {
    for sent in [
        "",
        " ",
        "?token=abc",
        "#x",
        "\u{0}\u{202e}",
        "https://",
        "https://?x",
        "https://ann:pw@",
        "ann:pw@",
        "//ann@",
    ] {
        assert_eq!(stored(sent), "nothing", "{sent:?}");
    }
}
