use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

/// Collisions, what strict posture counts, and notes.
fn check(config: &Value, expected: Expect) {
    let references = References::of(config);
    let mut told = String::new();
    for (word, lines) in [
        ("collision", references.collisions()),
        ("too many", references.unclassified_too_many().into_iter().collect()),
        ("note", references.notes()),
    ] {
        for line in lines {
            told.push_str(&format!("{word}: {line}\n"));
        }
    }
    expected.assert_eq(&told);
}

fn env(id: &str) -> Value {
    json!({"source": "env", "provider": "default", "id": id})
}

#[test]
fn a_healthy_configuration_has_nothing_to_tell() {
    for config in [
        json!({}),
        json!([]),
        json!("x"),
        json!({"gateway": {"mode": "local", "port": 18789, "auth": {"mode": "token", "token": "in the clear"}}}),
        // Clients of this gateway know it by its own token.
        json!({"gateway": {"auth": {"token": env("GW")}, "remote": {"token": "${GW}"}}}),
        json!({"gateway": {"auth": {"token": env("GW")}}, "models": {"providers": {"a": {"apiKey": "$KEY"}}}}),
        // Variables in other places are no secrets.
        json!({"agents": {"workspace": "${GW}"}, "gateway": {"auth": {"token": "${GW}"}}}),
        json!({"secrets": {"providers": {"v": {"source": "exec", "command": "/v", "id": "x"}}}}),
    ] {
        check(&config, expect![""]);
    }
}

#[test]
fn one_secret_that_opens_two_doors_is_a_collision() {
    check(
        &json!({
            "gateway": {"auth": {"token": env("SHARED1")}},
            "hooks": {"token": "${SHARED1}"},
            "cron": {"webhookToken": env("SHARED1")},
        }),
        expect![[r#"
            collision: env SHARED1 serves cron.webhookToken, gateway.auth.token and hooks.token
        "#]],
    );
    check(
        &json!({"channels": {"slack": {"botToken": env("SLACK"), "appToken": env("SLACK")}}}),
        expect![[r#"
            collision: env SLACK serves channels.slack.appToken and channels.slack.botToken
        "#]],
    );
    check(
        &json!({"channels": {"telegram": {"botToken": env("K")}}, "models": {"providers": {"openai": {"apiKey": env("K")}}}}),
        expect![[r#"
            collision: env K serves channels.telegram.botToken and models.providers.openai.apiKey
        "#]],
    );
    check(
        &json!({"channels": {"telegram": {"botToken": env("K")}, "zalo": {"botToken": env("K")}}}),
        expect![[r#"
            collision: env K serves channels.telegram.botToken and channels.zalo.botToken
        "#]],
    );
}

#[test]
fn the_same_entry_of_one_file_is_one_secret_whatever_its_providers_are_called() {
    let file = |provider: &str| json!({"source": "file", "provider": provider, "id": "/gw/token"});
    check(
        &json!({
            "secrets": {"providers": {
                "a": {"source": "file", "path": "/s.json"}, "b": {"source": "file", "path": "/s.json"}, "c": {"source": "file", "path": "/t.json"},
            }},
            "gateway": {"auth": {"token": file("a")}},
            "models": {"providers": {"x": {"apiKey": file("b")}, "y": {"apiKey": file("c")}}},
        }),
        expect![[r#"
            collision: file /gw/token of provider a serves gateway.auth.token and models.providers.x.apiKey
        "#]],
    );
}

#[test]
fn one_key_at_several_places_of_one_purpose_is_a_note() {
    check(
        &json!({
            "models": {"providers": {"openai": {"apiKey": env("OPENAI_API_KEY"), "headers": {"x-api-key": "${OPENAI_API_KEY}"}}}},
            "tts": {"providers": {"openai": {"apiKey": env("OPENAI_API_KEY")}}},
            "channels": {"discord": {"voice": {"tts": {"providers": {"openai": {"apiKey": env("OPENAI_API_KEY")}}}}}},
        }),
        expect![[r#"
            note: env OPENAI_API_KEY is used at channels.discord.voice.tts.providers.openai.apiKey, models.providers.openai.apiKey, models.providers.openai.headers.x-api-key and tts.providers.openai.apiKey
        "#]],
    );
    // One account of Twilio, for texts and for calls.
    check(
        &json!({
            "channels": {"sms": {"authToken": env("TWILIO")}},
            "plugins": {"entries": {"voice-call": {"config": {"twilio": {"authToken": env("TWILIO")}}}}},
        }),
        expect![[r#"
            note: env TWILIO is used at channels.sms.authToken and plugins.entries.voice-call.config.twilio.authToken
        "#]],
    );
}

#[test]
fn names_that_differ_only_by_case_are_a_collision() {
    let vault = |id: &str| json!({"source": "exec", "provider": "vault", "id": id});
    check(
        &json!({"models": {"providers": {
            "a": {"apiKey": vault("openai/Key")}, "b": {"apiKey": vault("openai/key")},
            "c": {"apiKey": {"source": "exec", "provider": "other", "id": "openai/KEY"}},
        }}}),
        expect![[r#"
            collision: names differ only by case: exec openai/Key of provider vault and exec openai/key of provider vault
        "#]],
    );
}

fn keys(count: usize, reference: impl Fn(usize) -> Value) -> Value {
    let providers: Map<String, Value> = (0..count)
        .map(|index| (format!("p{index:03}"), json!({"apiKey": reference(index)})))
        .collect();
    json!({
        "secrets": {"defaults": {"file": "main"}, "providers": {"main": {"source": "file", "path": "/s.json"}}},
        "models": {"providers": providers},
    })
}

#[test]
fn many_references_ask_for_classes() {
    let plain = |count| keys(count, |index| env(&format!("KEY_{index}")));
    check(&plain(12), expect![""]);
    check(
        &plain(13),
        expect![[r#"
            note: 13 references without a class (default provider, flat names): give each kind of secret a provider of its own
        "#]],
    );
    check(
        &plain(21),
        expect![[r#"
            too many: 21 references without a class (default provider, flat names): give each kind of secret a provider of its own
        "#]],
    );
    // A folder in the name is a class, and so is a provider that is not the default one.
    check(
        &keys(
            40,
            |index| json!({"source": "file", "id": format!("/models/key{index}")}),
        ),
        expect![""],
    );
    check(
        &keys(
            40,
            |index| json!({"source": "env", "provider": "models", "id": format!("KEY_{index}")}),
        ),
        expect![""],
    );
    check(
        &keys(
            13,
            |index| json!({"source": "file", "provider": "main", "id": format!("/key{index}")}),
        ),
        expect![[r#"
            note: 13 references without a class (default provider, flat names): give each kind of secret a provider of its own
        "#]],
    );
}

#[test]
fn what_is_not_looked_through_is_said() {
    check(
        &json!({"models": {"$include": "./models.json5"}}),
        expect![[r#"
            note: references in files that openclaw.json includes are not looked through
        "#]],
    );
    let large = keys(REFERENCES_MAX + 1, |index| env(&format!("KEY_{index}")));
    assert!(
        References::of(&large)
            .notes()
            .last()
            .unwrap()
            .starts_with("only the first 4096")
    );
}

#[test]
fn what_only_resembles_a_reference_is_none() {
    for value in [
        json!({"source": "env"}),
        json!({"source": "env", "id": ""}),
        json!({"source": "env", "id": 7}),
        json!({"source": "smoke", "id": "X"}),
        json!("$lower"),
        json!("${A}-${B}"),
        json!("$"),
        json!("${}"),
        json!(format!("${}", "A".repeat(129))),
        json!(null),
    ] {
        let config = json!({"gateway": {"auth": {"token": value}}, "hooks": {"token": value}});
        assert_eq!(References::of(&config), References::default(), "{config}");
    }
}
