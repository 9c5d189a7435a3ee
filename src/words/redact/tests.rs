use super::*;

fn stored(text: &str) -> String {
    error(text, false).map_or("nothing".to_owned(), |stored| stored.to_string())
}

#[test]
fn secrets_are_replaced_and_the_rest_stays() {
    for (said, kept) in [
        (
            "Authorization: Bearer abc.def-123, retrying",
            "Authorization: [redacted]",
        ),
        ("authorization=Basic dXNlcjpwYXNz", "authorization=[redacted]"),
        (
            "Proxy-Authorization: Digest a=b, c=d",
            "Proxy-Authorization: [redacted]",
        ),
        (
            r#"{"headers":{"Authorization":"Bearer abc","x":"y"}}"#,
            r#"{"headers":{"Authorization":"[redacted]","x":"y"}}"#,
        ),
        (
            r#"{\"token\":\"abc\",\"n\":1}"#,
            r#"{\"token\":\"[redacted]\",\"n\":1}"#,
        ),
        ("Set-Cookie: a=b; Path=/", "Set-Cookie: [redacted]"),
        ("sent Bearer abc to crm", "sent Bearer [redacted] to crm"),
        ("BEARER  abc", "BEARER  [redacted]"),
        ("basic YTpi refused", "basic [redacted] refused"),
        ("token: Bearer abc failed", "token: [redacted] failed"),
        (
            "POST https://ann:pw@crm.example/x failed",
            "POST https://[redacted]@crm.example/x failed",
        ),
        (
            "POST https://ann:p/w@crm.example/x failed",
            "POST https://[redacted]@crm.example/x failed",
        ),
        ("(http://t0k3n@h)", "(http://[redacted]@h)"),
        ("GET /x?token=abc&page=2", "GET /x?token=[redacted]&page=2"),
        (
            "GET https://h/x?a=1&api_key=abc&code=99#f",
            "GET https://h/x?a=1&api_key=[redacted]&code=[redacted]#f",
        ),
        (
            "?key=a&sig=b&signature=c&access_token=d&X-Amz-Signature=e",
            "?key=[redacted]&sig=[redacted]&signature=[redacted]&access_token=[redacted]&X-Amz-Signature=[redacted]",
        ),
        ("password=hunter2, user=ann", "password=[redacted], user=ann"),
        ("password = 'hunter 2' user", "password = '[redacted]' user"),
        ("client-secret: abc", "client-secret: [redacted]"),
        ("clientSecret=abc", "clientSecret=[redacted]"),
        ("X-Api-Key: abc", "X-Api-Key: [redacted]"),
        ("key sk-proj-abcdefgh1234 refused", "key [redacted] refused"),
        ("xoxb-123456789012-abc", "[redacted]"),
        ("ghp_abcdefghijklmnop", "[redacted]"),
        ("AKIAIOSFODNN7EXAMPLE", "[redacted]"),
        (
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_x expired",
            "jwt [redacted] expired",
        ),
        ("digest 0123456789abcdef0123456789abcdef!", "digest [redacted]!"),
        ("got q8Zk2Lw9Xp4Rt7Vb1Nc6Md3Jf5Hg0Sy== back", "got [redacted] back"),
        ("got q8Zk2/w9Xp4+t7Vb1/c6Md3Jf+Hg0Sy back", "got [redacted] back"),
        (
            "https://api.telegram.org/bot123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage",
            "https://api.telegram.org/bot123456:[redacted]",
        ),
    ] {
        assert_eq!(stored(said), kept, "{said:?}");
    }
}

#[test]
fn what_is_redacted_stays_as_it_is_when_it_is_done_again() {
    for text in [
        "token=s3cretvalue1 next",
        "https://ann:pw@host/x?api_key=Zm9vYmFyYmF6&a=b",
        "{\"password\":\"hunter2aA1\"}",
        "Authorization: Bearer abcdefgh12345678",
    ] {
        let once = finding(text);
        assert_ne!(once, text);
        assert_eq!(finding(&once), once);
        let error = stored(text);
        assert_eq!(stored(&error), error);
    }
    assert_eq!(finding("token=[redacted]s3cretvalue1"), "token=[redacted]");
}

#[test]
fn what_people_need_to_read_is_left_alone() {
    for said in [
        "upstream connect error or disconnect/reset before headers",
        "Webhook request failed with HTTP 503",
        "fetch failed | connect ECONNREFUSED 127.0.0.1:9912 | ECONNREFUSED",
        "getaddrinfo ENOTFOUND crm.example.com",
        "POST https://crm.example.com:8443/v1/hooks?page=2 timed out after 30000ms",
        "request 550e8400-e29b-41d4-a716-446655440000 failed",
        "exit code=1, status code: 503",
        "max_tokens: 4096 exceeds the limit",
        "Unexpected token < in JSON at position 0",
        "basic auth failed, basic authentication required",
        "/var/lib/openclaw-acme/state/openclaw.sqlite: disk full",
        "at getUserAccountsByTenantName (file.js:10:5)",
        "task-12345678 of risk-assessment",
        "ключ: значение 😀",
        "monkey: banana",
    ] {
        assert_eq!(stored(said), said);
    }
}

#[test]
fn an_error_is_one_clean_line() {
    assert_eq!(stored("one\r\n  two\n\nthree\tfour\u{202e}\u{0}"), "one two three four");
    assert_eq!(
        stored("Authorization: Bearer abc\nnext line"),
        "Authorization: [redacted] next line"
    );
    assert_eq!(stored("Bea\u{200f}rer abc"), "Bearer [redacted]");
    assert_eq!(stored(" \n\u{0} "), "nothing");
}

#[test]
fn an_error_is_cut_at_512_bytes_between_characters() {
    assert_eq!(stored(&"x".repeat(600)), "x".repeat(512));
    assert_eq!(
        stored(&format!("x{}", "é".repeat(300))),
        format!("x{}", "é".repeat(255))
    );
}

#[test]
fn a_secret_across_the_cut_does_not_stay() {
    for secret in [
        "https://ann:correcthorsebatterystaple@h/x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
        "password=correcthorsebatterystaple",
        "0123456789abcdef0123456789abcdef",
    ] {
        for padding in 440..530 {
            let text = format!(
                "{} {secret} and more",
                "word ".repeat(padding / 5 + 1).get(..padding).unwrap()
            );
            let stored = stored(&text);
            assert!(stored.len() <= ERROR_BYTES_MAX);
            for leaked in ["correct", "eyJhb", "01234"] {
                assert!(!stored.contains(leaked), "{stored}");
            }
        }
    }
}

#[test]
fn the_last_word_of_a_text_that_goes_on_is_not_believed() {
    assert_eq!(
        error("failed for secretive", true).unwrap().as_ref(),
        "failed for [redacted]"
    );
    assert_eq!(error("failed", true).unwrap().as_ref(), MARK);
    let long = "word ".repeat(200);
    assert_eq!(error(&long, true).unwrap().as_ref(), &long[..512]);
}

#[test]
fn ids_stay_unless_they_are_tokens() {
    for (said, kept) in [
        ("req-81", "req-81"),
        ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
        (
            "550e8400-e29b-41d4-a716-446655440000",
            "550e8400-e29b-41d4-a716-446655440000",
        ),
        ("q8Zk2Lw9Xp4Rt7Vb1Nc6Md3Jf5Hg0Sy", "q8Zk2Lw9Xp4Rt7Vb1Nc6Md3Jf5Hg0Sy"),
        ("a\nb\u{202e}", "a b"),
        ("sk-abcdefgh1234", "[redacted]"),
        ("Bearer abc", "Bearer [redacted]"),
        ("https://ann:pw@h/x?token=1", "https://[redacted]@h/x?token=[redacted]"),
    ] {
        assert_eq!(id(said).unwrap().as_ref(), kept, "{said:?}");
    }
    assert_eq!(id(" \u{0}"), None);
}

#[test]
fn nothing_that_is_sent_makes_it_slow_or_panic() {
    let mut dice = crate::dice::Dice::new(0x0dd5);
    let pieces = [
        "token",
        "=",
        ":",
        " ",
        "://",
        "@",
        "/",
        "é",
        "\"",
        "\\",
        "Bearer",
        "Basic",
        "sk-",
        "a/",
        "0123456789abcdef",
        "Aa1",
        "\n",
        "?",
        "&",
        "[",
        "]",
        "😀",
        "authorization",
    ];
    for _ in 0..20_000 {
        let text: String = (0..dice.index(60)).map(|_| dice.pick(&pieces)).collect();
        for is_cut in [false, true] {
            let stored = error(&text, is_cut).unwrap_or_default();
            assert!(stored.len() <= ERROR_BYTES_MAX && !stored.contains('\n'), "{text:?}");
        }
        assert!(id(&text).unwrap_or_default().len() <= ID_BYTES_MAX, "{text:?}");
    }
}

#[test]
fn a_finding_keeps_its_prose_its_digests_and_its_lines() {
    for said in [
        "gateway token: missing\nrun: openclaw token set",
        "secrets: 3 unresolved",
        "gateway.auth=none, auth.token: not set",
        "token.current: mode 0644, want 0600",
        "password: not configured; bearer token expected",
        "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "the bearer of `token_file` is wanted here",
    ] {
        assert_eq!(finding(said), said);
    }
}

#[test]
fn a_finding_loses_what_is_a_secret() {
    for (said, kept) in [
        (
            "sent Authorization: Bearer abc.def-123x",
            "sent Authorization: [redacted]",
        ),
        ("with Bearer a1b2c3d4e5 to crm", "with Bearer [redacted] to crm"),
        ("basic dXNlcjpwYXNz refused", "basic [redacted] refused"),
        ("OPENAI_API_KEY=sk-abcdefgh12345678", "OPENAI_API_KEY=[redacted]"),
        ("password=hunter2", "password=[redacted]"),
        ("token: 7hunter2hunter", "token: [redacted]"),
        (r#"{"token":"a1b2c3d4e5"}"#, r#"{"token":"[redacted]"}"#),
        (
            "POST https://ann:pw@h/x?sig=a1b2c3d4 failed",
            "POST https://[redacted]@h/x?sig=[redacted] failed",
        ),
        ("first\nxoxb-123456789012-abc\nlast", "first\n[redacted]\nlast"),
    ] {
        assert_eq!(finding(said), kept, "{said:?}");
    }
}

#[test]
fn a_variable_is_secret_by_its_name() {
    for name in ["OPENAI_API_KEY", "GATEWAY_TOKEN", "DB_PASSWORD", "SIGNING_KEY"] {
        assert!(names_secret(name), "{name}");
    }
    for name in ["PATH", "MAX_TOKENS", "LANG", "KEYBOARD"] {
        assert!(!names_secret(name), "{name}");
    }
}
