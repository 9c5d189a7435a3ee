//! What it means when a URL that must refuse is asked without credentials. Pure.

use crate::http::client::{FetchError, Phase};
use crate::probe::kind::part::Part;
use crate::words::Cause;

/// Refused, reset, silent and a clear no are what is wanted. An answer that says neither yes nor no is unknown: a
/// broken gateway refuses nobody.
pub fn judge(url: &str, answer: &Result<u16, FetchError>) -> Part {
    // Behind the question mark may stand what no log should hold.
    let what = url.split(['?', '#']).next().unwrap_or(url);
    match answer {
        Ok(status @ (401 | 403 | 404 | 407 | 421)) => Part::ok(what, format!("answers {status}: it refuses strangers")),
        Ok(status @ 200..=399) => Part::degraded(what, format!("answers {status} to a stranger")),
        Ok(status) => Part::unknown(
            Cause::SaidUnknown,
            what,
            format!("answers {status}, which is neither yes nor no: name a URL that says 401, 403 or 404"),
        ),
        Err(FetchError::TimedOut {
            phase: Phase::Resolving,
            ..
        }) => Part::unknown(Cause::Local, what, "its name was not resolved in time"),
        Err(error) if error.is_answer() => Part::ok(what, format!("lets no stranger in: {error}")),
        Err(error @ FetchError::Url { .. }) => Part::unknown(Cause::Misconfigured, what, error.to_string()),
        Err(error) => Part::unknown(Cause::Local, what, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::*;
    use crate::words::Answer;

    fn answered(status: u16) -> Answer {
        judge("http://h/x", &Ok(status)).answer
    }

    fn failed(error: FetchError) -> (Answer, Option<Cause>) {
        let part = judge("http://h/x", &Err(error));
        (part.answer, part.cause)
    }

    #[test]
    fn a_clear_no_is_ok_content_is_degraded_and_the_rest_says_nothing() {
        for status in [401, 403, 404, 407, 421] {
            assert_eq!(answered(status), Answer::Ok, "{status}");
        }
        for status in [200, 204, 206, 301, 302, 304] {
            assert_eq!(answered(status), Answer::Degraded, "{status}");
        }
        for status in [100, 400, 405, 408, 426, 429, 500, 502, 503] {
            assert_eq!(answered(status), Answer::Unknown, "{status}");
        }
    }

    #[test]
    fn who_does_not_get_through_is_refused_and_who_cannot_ask_knows_nothing() {
        let silent = |phase| FetchError::TimedOut {
            timeout: Duration::from_secs(1),
            phase,
        };
        for error in [
            FetchError::Refused,
            FetchError::Closed,
            silent(Phase::Connecting),
            silent(Phase::Handshaking),
            silent(Phase::Waiting),
            FetchError::Tls("certificate required".into()),
            FetchError::NotHttp("x".into()),
        ] {
            let told = format!("{error}");
            assert_eq!(failed(error), (Answer::Ok, None), "{told}");
        }
        for error in [
            silent(Phase::Resolving),
            FetchError::Local(io::ErrorKind::HostUnreachable.into()),
            FetchError::Dns {
                host: "h".into(),
                source: io::ErrorKind::NotFound.into(),
            },
        ] {
            assert_eq!(failed(error), (Answer::Unknown, Some(Cause::Local)));
        }
        let url = FetchError::Url {
            url: "x".into(),
            why: "not a URL",
        };
        assert_eq!(failed(url), (Answer::Unknown, Some(Cause::Misconfigured)));
    }

    #[test]
    fn what_stands_behind_the_question_mark_is_not_shown() {
        let part = judge("http://h/x?token=s3cret", &Ok(200));
        assert_eq!(
            (part.what.as_str(), part.seen.as_str()),
            ("http://h/x", "answers 200 to a stranger")
        );
    }
}
