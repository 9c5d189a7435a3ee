//! Values of the command line that are judged before anything is asked: a wrong one is a wrong command line. Pure.

use crate::config::units;
use crate::digest::answer::Query;
use crate::http::site::HistoryQuery;
use crate::readiness::Request;
use crate::words::text::clean_line;

/// For how long; as it was written, since it is sent so.
pub fn duration(value: &str) -> Result<String, String> {
    match units::duration(value) {
        Some(duration) if !duration.is_zero() => Ok(value.to_owned()),
        _ => Err("a duration is a whole number above 0 and a unit: 30m, 2h, 1d".to_owned()),
    }
}

/// How far back history goes; as it was written.
pub fn span(value: &str) -> Result<String, String> {
    let asked = [("span".to_owned(), value.to_owned())];
    match HistoryQuery::parse(&asked) {
        Ok(_) => Ok(value.to_owned()),
        Err((_, hint)) => Err(hint),
    }
}

/// A window of the digest, as it was written.
pub fn window(value: &str) -> Result<String, String> {
    let asked = [("window".to_owned(), value.to_owned())];
    match Query::parse(&asked) {
        Ok(_) => Ok(value.to_owned()),
        Err(why) => Err(why.to_string()),
    }
}

/// Something that others can read later.
pub fn reason(value: &str) -> Result<String, String> {
    match clean_line(value.trim(), Request::TEXT_BYTES_MAX).is_empty() {
        true => Err("say why in a few words: others will see it".to_owned()),
        false => Ok(value.to_owned()),
    }
}
