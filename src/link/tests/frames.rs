//! What is read of recorded frames, and what is not.

use super::*;
use crate::ingest::delta::Reporter;
use crate::link::protocol::{self, Answer, Ask, Frame, Method};
use crate::link::token::Token;
use crate::words::Code;

fn parsed() -> Vec<Frame> {
    // The recording's client named its requests otherwise.
    let named = |frame: String| {
        let frame = frame.replace("\"id\":\"1\"", "\"id\":\"connect:1\"");
        let frame = frame.replace("\"id\":\"health\"", "\"id\":\"health:2\"");
        frame.replace("\"id\":\"cron.list\"", "\"id\":\"cron.list:3\"")
    };
    recorded()
        .into_iter()
        .filter(|frame| frame.contains("\"type\":"))
        .map(|frame| protocol::parse(named(frame).as_bytes()).unwrap().frame)
        .collect()
}

#[test]
fn the_recorded_conversation_is_read_as_far_as_it_matters() {
    let frames: Vec<Frame> = parsed().into_iter().filter(|frame| *frame != Frame::Other).collect();
    expect_test::expect_file!["recorded.txt"].assert_debug_eq(&frames);
}

#[test]
fn nothing_of_a_job_but_its_id_name_and_delivery_survives_the_frame() {
    let markers = [
        "m4rk-argv",
        "m4rk-output",
        "m4rk-prompt",
        "m4rk-message",
        "m4rk-query",
        "m4rk-user",
        "m4rk-error",
    ];
    let job = r#"{"id":"j","name":"wh","payload":{"kind":"command","argv":["sh","m4rk-argv"],"message":"m4rk-prompt"},
        "delivery":{"mode":"webhook","to":"https://m4rk-user:pw@h.example/x?token=m4rk-query#m4rk-query"},
        "description":"m4rk-prompt","state":{"lastRunAtMs":1,"lastDurationMs":2,"lastDeliveryStatus":"not-delivered",
        "lastDeliveryError":"HTTP 500 m4rk-error","lastError":"m4rk-error",
        "lastDiagnostics":{"summary":"m4rk-output","entries":[{"message":"m4rk-output"}]}}}"#;
    let run = format!(
        r#"{{"action":"finished","jobId":"j","job":{job},"runAtMs":5,"durationMs":7,"runId":"r","summary":"m4rk-output",
        "diagnostics":{{"entries":[{{"message":"m4rk-output"}}]}},"error":"m4rk-error","deliveryStatus":"not-delivered",
        "deliveryError":"connect ECONNREFUSED m4rk-error","delivery":{{"resolved":{{"to":"https://m4rk-user@h.example/x?m4rk-query"}},
        "messageToolSentTo":["m4rk-message"]}},"text":"m4rk-message"}}"#
    );
    let health = r#"{"ok":true,"agents":[{"heartbeat":{"prompt":"m4rk-prompt"}}],
        "sessions":{"recent":["m4rk-message"]},"plugins":{"errors":[{"id":"p","error":"m4rk-error"}]},
        "channels":{"telegram":{"healthState":"stuck","lastError":"m4rk-error","lastMessage":"m4rk-message"}}}"#;
    let frames = [
        format!(r#"{{"type":"event","event":"cron","payload":{run}}}"#),
        format!(r#"{{"type":"res","id":"cron.runs:1","ok":true,"payload":{{"entries":[{run}]}}}}"#),
        format!(r#"{{"type":"res","id":"cron.list:1","ok":true,"payload":{{"jobs":[{job}]}}}}"#),
        format!(r#"{{"type":"res","id":"health:1","ok":true,"payload":{health}}}"#),
        format!(r#"{{"type":"event","event":"health","payload":{health}}}"#),
        r#"{"type":"event","event":"chat","payload":{"text":"m4rk-message"}}"#.to_owned(),
        r#"{"type":"res","id":"health:1","ok":false,"error":{"code":"X","message":"m4rk-message"}}"#.to_owned(),
    ];
    let mut kept = String::new();
    for frame in &frames {
        let parsed = protocol::parse(frame.as_bytes()).unwrap().frame;
        kept.push_str(&format!("{parsed:?}"));
        if let Frame::CronFinished(run) = &parsed {
            let mut memory = Memory::default();
            let tenant = TenantName::parse("acme").unwrap();
            let reporter = Reporter::link(&tenant);
            let event = memory.event(&tenant, run, START, Now::default(), false).unwrap();
            assert_eq!(event.code, Code::Kind(crate::words::Kind::Connect));
            kept.push_str(&format!(
                "{event:?} {} {}",
                event.line(),
                event
                    .mark(&reporter, START)
                    .zip(memory.mark(&reporter, START))
                    .map(|marks| format!("{marks:?}"))
                    .unwrap()
            ));
        }
        if let Frame::Health(health)
        | Frame::Answer {
            answer: Answer::Health(health),
            ..
        } = &parsed
        {
            kept.push_str(&serde_json::to_string(&health.judge()).unwrap());
        }
    }
    for marker in markers {
        assert!(frames.iter().any(|frame| frame.contains(marker)), "{marker} is planted");
        assert!(!kept.contains(marker), "{marker} survives: {kept}");
    }
    assert!(
        kept.contains("h.example/x") && kept.contains("telegram: stuck"),
        "{kept}"
    );
}

#[test]
fn a_whole_session_over_the_recording_keeps_none_of_its_prompts_and_outputs() {
    let mut line = Line::new(Memory::default());
    line.does(Happening::TimeUp);
    line.does(Happening::Connected);
    let mut kept = Vec::new();
    for frame in recorded() {
        let frame = frame.replace("\"id\":\"1\"", "\"id\":\"connect:1\"");
        kept.extend(
            line.session
                .handle(line.now, Happening::Frame(frame.as_bytes()))
                .iter()
                .map(|act| format!("{act:?}")),
        );
    }
    let kept = format!("{kept:?} {:?}", line.session);
    assert!(
        kept.contains("wh503") || kept.contains("http://127.0.0.1:9913/x"),
        "{kept}"
    );
    for secret in [
        "echo hi",
        "sh\\\"",
        "Follow the heartbeat",
        "EXAMPLE-TOKEN",
        "command ok",
        "[managed-by",
    ] {
        assert!(!kept.contains(secret), "{secret}: {kept}");
    }
}

#[test]
fn the_handshake_asks_for_reading_alone_and_no_debug_shows_the_token() {
    let token = Token::parse("s3cret-t0ken\n").unwrap();
    let ask = Ask {
        method: Method::Connect,
        number: 1,
    };
    let frame: serde_json::Value = serde_json::from_str(&ask.connect(&token)).unwrap();
    assert_eq!(frame["params"]["scopes"], serde_json::json!(["operator.read"]));
    assert_eq!(frame["params"]["auth"], serde_json::json!({"token": "s3cret-t0ken"}));
    assert_eq!(
        (&frame["params"]["minProtocol"], &frame["params"]["maxProtocol"]),
        (&serde_json::json!(3), &serde_json::json!(4))
    );
    assert_eq!(format!("{token:?}"), "Token(…)");
}

#[test]
fn fields_of_other_types_and_unknown_frames_are_passed_over() {
    for frame in [
        r#"{"type":"event","event":"tick","payload":{"ts":"soon"}}"#,
        r#"{"type":"event","event":"tick"}"#,
        r#"{"type":"event","event":7}"#,
        r#"{"type":"event"}"#,
        r#"{"type":"event","event":"cron","payload":{"action":"finished"}}"#,
        r#"{"type":"event","event":"cron","payload":[]}"#,
        r#"{"type":"event","event":"cron","payload":{"action":"finished","jobId":"j","job":3,"delivery":[],"runAtMs":-1e400}}"#,
        r#"{"type":"event","event":"health","payload":{"channels":[],"deliveryQueues":null,"plugins":7}}"#,
        r#"{"type":"res","id":"of-somebody-else","ok":true,"payload":{}}"#,
        r#"{"type":"res","id":"health:1","ok":false}"#,
        r#"{"type":"new-kind","x":[[[[{}]]]]}"#,
    ] {
        protocol::parse(frame.as_bytes()).unwrap_or_else(|error| panic!("{frame}: {error}"));
    }
    for frame in [
        "",
        "null",
        "7",
        "{",
        r#"{"type":7}"#,
        r#"{"type":"res","id":"health:1","ok":true}"#,
    ] {
        protocol::parse(frame.as_bytes()).unwrap_err();
    }
    let deep = format!(
        r#"{{"type":"event","event":"tick","payload":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let _ = protocol::parse(deep.as_bytes());
}

#[test]
fn recorded_health_is_judged_as_the_table_says() {
    let judged = |payload: &str| {
        let frame = format!(r#"{{"type":"res","id":"health:1","ok":true,"payload":{payload}}}"#);
        match protocol::parse(frame.as_bytes()).unwrap().frame {
            Frame::Answer {
                answer: Answer::Health(health),
                ..
            } => {
                let finding = health.judge();
                format!("{:?}: {} {:?}", finding.answer, finding.summary, finding.notes)
            }
            other => panic!("{other:?}"),
        }
    };
    let recorded = include_str!("../../../tests/fixtures/openclaw/health.channel-failed.out");
    assert_eq!(
        judged(recorded),
        "Degraded: channels are not healthy: telegram/default: terminal-disconnect []"
    );
    let healthy = include_str!("../../../tests/fixtures/openclaw/rpc-health.txt")
        .lines()
        .next()
        .unwrap();
    let healthy: serde_json::Value = serde_json::from_str(healthy).unwrap();
    assert_eq!(
        judged(&healthy["payload"].to_string()),
        "Ok: connected, and its health is ok []"
    );
    for (payload, expected) in [
        (
            r#"{"deliveryQueues":{"failed":[{"queueName":"webhooks","count":3}]}}"#,
            "Degraded: deliveries failed or stand still: outbound webhooks: 3 failed []",
        ),
        (
            r#"{"deliveryQueues":{}}"#,
            "Degraded: deliveries failed or stand still []",
        ),
        (r#"{"deliveryQueues":null}"#, "Ok: connected, and its health is ok []"),
        (
            r#"{"modelRuntime":{"degraded":true}}"#,
            "Degraded: the model runtime is degraded []",
        ),
        (
            r#"{"plugins":{"errors":[{"id":"x"}],"unavailable":[{"pluginId":"y"}]}}"#,
            "Degraded: plugins do not work: x, y []",
        ),
        (
            r#"{"eventLoop":{"degraded":true,"reasons":["cpu"]}}"#,
            "Ok: connected, and its health is ok [\"the gateway's event loop is busy (cpu)\"]",
        ),
        (
            r#"{"ok":false}"#,
            "Degraded: the gateway says that its health is not ok []",
        ),
        (
            r#"{"channels":{"x":{"healthState":"stuck","enabled":false},"y":{"healthState":"busy"}}}"#,
            "Ok: connected, and its health is ok []",
        ),
    ] {
        assert_eq!(judged(payload), expected, "{payload}");
    }
}
