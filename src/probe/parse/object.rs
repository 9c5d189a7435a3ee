//! The one JSON object among whatever else a command printed.
//!
//! Log lines may stand before and after it, terminal escapes around it; it may be compact or pretty
//! (older OpenClaw versions did all of that). What this never does is to take a piece out of the inside
//! of a broken object: half an answer could say the opposite of the whole.

use serde_json::{Map, Value};

pub type Object = Map<String, Value>;

/// Why there is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoObject {
    /// Nothing that looks like one.
    Absent,
    /// It begins and does not end.
    CutOff,
    /// It begins and is not JSON (or nested deeper than serde_json's 128).
    Broken,
}

/// The best object in `bytes`: a report with `findings` before an `ok` or `valid`, an `error`, a `status`, or any
/// other (a JSON log line, say); the first of the best kind.
///
/// Objects are looked for at the beginnings of lines; only when no line begins with one, anywhere.
pub fn find(bytes: &[u8]) -> Result<Object, NoObject> {
    let text = without_escapes(&String::from_utf8_lossy(bytes));
    match scan(&text, next_line_start) {
        Err(NoObject::Absent) => scan(&text, next_anywhere),
        found => found,
    }
}

fn scan(text: &str, next: fn(&str, usize) -> Option<usize>) -> Result<Object, NoObject> {
    let mut best: Option<(u8, Object)> = None;
    let mut trouble = NoObject::Absent;
    let mut at = 0;
    while let Some(start) = next(text, at) {
        let mut values = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>();
        match values.next() {
            Some(Ok(Value::Object(object))) => {
                at = start + values.byte_offset();
                let kind = kind(&object);
                if best.as_ref().is_none_or(|(known, _)| kind < *known) {
                    best = Some((kind, object));
                }
                if kind == 0 {
                    break;
                }
            }
            Some(Err(error)) if error.is_eof() => {
                trouble = NoObject::CutOff;
                break;
            }
            Some(Err(error)) => {
                // Go on behind the line that was wrong, not behind the brace: see the module's promise.
                trouble = NoObject::Broken;
                at = line_end(text, start, error.line());
            }
            Some(Ok(_)) | None => at = start + 1,
        }
    }
    match (best, trouble) {
        // What is cut off may be the answer, and what came before it a log line that looks like one.
        (_, NoObject::CutOff) => Err(NoObject::CutOff),
        (Some((kind, object)), trouble) if kind < ANY || trouble == NoObject::Absent => Ok(object),
        (_, trouble) => Err(trouble),
    }
}

/// The rank of an object that has none of the keys that an answer has.
const ANY: u8 = 4;

fn kind(object: &Object) -> u8 {
    let has = |key: &str, is: fn(&Value) -> bool| object.get(key).is_some_and(is);
    if has("findings", Value::is_array) {
        0
    } else if has("ok", Value::is_boolean) || has("valid", Value::is_boolean) {
        1
    } else if has("error", |error| error.is_object() || error.is_string()) {
        2
    } else if has("status", Value::is_string) {
        3
    } else {
        ANY
    }
}

fn next_line_start(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    (from..bytes.len()).find(|at| bytes[*at] == b'{' && (*at == 0 || matches!(bytes[*at - 1], b'\n' | b'\r')))
}

/// A brace that does not stand in an array: an array is not an answer, nor are its elements.
fn next_anywhere(text: &str, from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        let start = at + text.get(at..)?.find('{')?;
        match text[..start].trim_end().as_bytes().last() {
            Some(b'[' | b',') => at = line_end(text, start, 1),
            _ => return Some(start),
        }
    }
}

/// Where the `lines`-th line counted from `start` (1: its own) ends.
fn line_end(text: &str, start: usize, lines: usize) -> usize {
    text[start..]
        .match_indices('\n')
        .nth(lines.saturating_sub(1))
        .map_or(text.len(), |(at, _)| start + at + 1)
}

/// Without terminal escapes (ECMA-48 control sequences, and operating system commands) and byte order
/// marks. JSON writes an escape inside a string as `\u001b`, so nothing of an answer is lost.
fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => match characters.next() {
                Some('[') => while characters.next().is_some_and(|next| !('@'..='~').contains(&next)) {},
                Some(']') => {
                    while characters
                        .next_if(|next| *next != '\u{7}' && *next != '\u{1b}')
                        .is_some()
                    {}
                    if characters.next_if_eq(&'\u{7}').is_none() {
                        characters.next_if_eq(&'\u{1b}');
                        characters.next_if_eq(&'\\');
                    }
                }
                _ => {}
            },
            '\u{feff}' => {}
            other => plain.push(other),
        }
    }
    plain
}
