//! What a gateway sends over its link: any frame is read or refused, words are bounded and clean, and a session that is told
//! them in any order asks, reports and delivers within bounds.

use readyd::ingest::event::Event;
use readyd::ingest::scan;
use readyd::link::events::Memory;
use readyd::link::protocol::{self, Answer, Frame, WORD_BYTES_MAX};
use readyd::link::session::{Act, ConnectFailure, Happening, Patience, Session};
use readyd::words::{Instant, Now, TenantName, Wall, text};

use super::doctor::is_fit_to_be_shown;

/// Acts that one happening may lead to, deliveries aside: an answer, an ask, a report, what is known, and their like.
const ACTS_MAX: usize = 64;

pub fn run(data: &[u8]) {
    let (beat, data) = super::chosen(data);
    let tenant = TenantName::parse("acme").expect("a name");
    let mut now = Now {
        at: Instant::from_millis(5_000_000),
        wall: Wall::from_millis(1_795_159_800_000),
    };
    let mut session = Session::new(tenant, Memory::default(), Patience::default(), 1, now);
    step(&mut session, now, Happening::TimeUp);
    step(&mut session, now, Happening::Connected);
    for (number, part) in super::parts(data).enumerate() {
        words(part);
        now = now + std::time::Duration::from_millis(u64::from(beat) * 40);
        let happening = match (part, number) {
            (b"", 0) => Happening::ConnectFailed(ConnectFailure::Refused),
            (b"", _) => Happening::TimeUp,
            (frame, _) => Happening::Frame(frame),
        };
        step(&mut session, now, happening);
    }
}

fn step(session: &mut Session, now: Now, happening: Happening<'_>) {
    let acts = session.handle(now, happening);
    let delivered = acts.iter().filter(|act| matches!(act, Act::Deliver(_))).count();
    assert!(acts.len() - delivered <= ACTS_MAX, "{} acts", acts.len());
    for act in acts {
        match act {
            Act::Report(report) => is_fit_to_be_shown(&report.finding),
            Act::Deliver(event) => {
                let line = event.line();
                let fields = scan::scan(&line).expect("it delivers JSON");
                assert!(Event::read(&fields, false).is_ok(), "it delivers an event: {line}");
            }
            Act::Know(facts) => {
                for word in [
                    &facts.version,
                    &facts.build_id,
                    &facts.boot_id,
                    &facts.applied_config_hash,
                ] {
                    is_a_word(word);
                }
            }
            _ => {}
        }
    }
}

fn words(frame: &[u8]) {
    let Ok(numbered) = protocol::parse(frame) else { return };
    match numbered.frame {
        Frame::Health(health) => is_fit_to_be_shown(&health.judge()),
        Frame::Shutdown(shutdown) => is_a_word(&shutdown.reason),
        Frame::Suspension { phase } => is_a_word(&phase),
        Frame::Answer { answer, .. } => match answer {
            Answer::Hello(hello) => {
                for word in [
                    &hello.version,
                    &hello.build_id,
                    &hello.boot_id,
                    &hello.applied_config_hash,
                ] {
                    is_a_word(word);
                }
            }
            Answer::Refused(refusal) => is_a_word(refusal.word()),
            Answer::Health(health) => is_fit_to_be_shown(&health.judge()),
            Answer::Jobs(_) | Answer::Runs(_) | Answer::Models(_) => {}
        },
        _ => {}
    }
}

fn is_a_word(word: &str) {
    assert!(word.len() <= WORD_BYTES_MAX, "{} bytes", word.len());
    assert!(!word.chars().any(text::is_harmful), "{word:?}");
}
