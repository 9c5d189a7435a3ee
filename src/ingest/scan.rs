//! One line of JSON, read for the few fields that count.
//!
//! Invariant: [`scan`] accepts exactly the lines that `serde_json` accepts as a map of values, and
//! sees the same values: what is ignored is validated too (escapes, surrogates, numbers, nesting). A
//! general parser that builds all of it costs about half of the throughput.

use std::borrow::Cow;

use super::plain;
use super::shape::{Field, Found, Shape};

/// The fields of an event line as they stand there. Unknown fields are gone; of duplicates the last counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    pub tenant: Value<'a>,
    pub endpoint: Value<'a>,
    pub status: Value<'a>,
    pub kind: Value<'a>,
    pub ts: Value<'a>,
    pub gateway: Value<'a>,
    pub seq: Value<'a>,
    pub attempt: Value<'a>,
    pub latency_ms: Value<'a>,
    pub task_id: Value<'a>,
    pub request_id: Value<'a>,
    pub error: Value<'a>,
}

/// One field's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not there, or `null`.
    #[default]
    Absent,
    Text(Text<'a>),
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    /// What no field may be: a boolean, a fraction, an integer beyond 64 bits, a list, an object.
    Other,
}

/// A string between its quotes; its escapes are valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    raw: &'a str,
    /// A whole word on purpose: the padding behind a bool is copied in pieces, and that stalls the scan.
    escapes: usize,
}

/// The line is not a JSON object: not JSON, or JSON that is something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a JSON object")]
pub struct NotJson;

/// Objects and lists within each other, the line's own object included; as `serde_json` has it.
pub const DEPTH_MAX: u32 = 127;

/// Reads one line (without its newline).
pub fn scan(line: &str) -> Result<Fields<'_>, NotJson> {
    let mut fields = Fields::default();
    scan_like(line, &mut Shape::default(), &mut fields)?;
    Ok(fields)
}

/// Reads one line of a sender whose lines have had this `shape`: a line that is like them is read in half the time, any
/// other one is read all the same. Into `fields`, which are to be empty: handing them back costs as much as a key.
pub fn scan_like<'a>(line: &'a str, shape: &mut Shape, fields: &mut Fields<'a>) -> Result<(), NotJson> {
    Scanner { line, at: 0 }.line(shape, fields).ok_or(NotJson)
}

/// Whether nothing but JSON's white space stands on the line.
pub fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn slot(&mut self, field: Field) -> Option<&mut Value<'a>> {
        Some(match field {
            Field::Tenant => &mut self.tenant,
            Field::Endpoint => &mut self.endpoint,
            Field::Status => &mut self.status,
            Field::Kind => &mut self.kind,
            Field::Ts => &mut self.ts,
            Field::Gateway => &mut self.gateway,
            Field::Seq => &mut self.seq,
            Field::Attempt => &mut self.attempt,
            Field::LatencyMs => &mut self.latency_ms,
            Field::TaskId => &mut self.task_id,
            Field::RequestId => &mut self.request_id,
            Field::Error => &mut self.error,
            Field::Unknown => return None,
        })
    }
}

impl Value<'_> {
    pub fn is_absent(&self) -> bool {
        matches!(self, Value::Absent)
    }
}

impl<'a> Text<'a> {
    /// What the string says; copied only when it holds escapes.
    pub fn decoded(&self) -> Cow<'a, str> {
        if self.escapes > 0 {
            Cow::Owned(unescape(self.raw))
        } else {
            Cow::Borrowed(self.raw)
        }
    }

    /// Whether it is at most `bytes_max` long once decoded. Escapes only ever make a text shorter.
    pub fn fits(&self, bytes_max: usize) -> bool {
        self.raw.len() <= bytes_max || (self.escapes > 0 && self.decoded().len() <= bytes_max)
    }
}

fn unescape(raw: &str) -> String {
    let mut decoded = String::with_capacity(raw.len());
    let mut scanner = Scanner { line: raw, at: 0 };
    loop {
        let rest = raw.get(scanner.at..).unwrap_or_default();
        let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        decoded.push_str(rest.get(..plain).unwrap_or_default());
        scanner.at += plain + 1;
        // The scan has seen that every escape is valid; without one the text has ended.
        match scanner.escape() {
            Some(character) => decoded.push(character),
            None => return decoded,
        }
    }
}

struct Scanner<'a> {
    line: &'a str,
    at: usize,
}

/// Every method takes what it is named after and moves behind it, or answers `None`: not JSON.
impl<'a> Scanner<'a> {
    fn line(&mut self, shape: &mut Shape, fields: &mut Fields<'a>) -> Option<()> {
        let mut expected = 0;
        let mut is_first = true;
        let is_all_plain = plain::is_all_plain(self.line.as_bytes());
        // Most lines end with their last bracket.
        while self.line.as_bytes().get(self.at..)? != b"}" || is_first {
            let rest = self.line.as_bytes().get(self.at..)?;
            let lead = match shape.find(expected, rest, is_first) {
                Some(known) => {
                    self.at += known.bytes;
                    known
                }
                None => match self.lead(is_first, shape)? {
                    Some(learned) => learned,
                    None => return (self.at == self.line.len()).then_some(()),
                },
            };
            (expected, is_first) = (lead.place + 1, false);
            let mut ignored = Value::Absent;
            let slot = fields.slot(lead.field).unwrap_or(&mut ignored);
            if lead.is_text {
                *slot = Value::Text(if is_all_plain {
                    self.plain_string()?
                } else {
                    self.string()?
                });
            } else {
                self.space();
                match self.peek()? {
                    b'{' | b'[' => *slot = self.nested()?,
                    _ => self.scalar(slot)?,
                }
            }
        }
        Some(())
    }

    /// What stands before a value: what separates it from the one before, its key, and a text's quote. The inner `None`:
    /// the line ends instead.
    #[inline(never)]
    fn lead(&mut self, is_first: bool, shape: &mut Shape) -> Option<Option<Found>> {
        let start = self.at;
        self.space();
        let ends = if is_first {
            self.byte(b'{')?;
            self.space();
            let ends = self.peek() == Some(b'}');
            self.at += usize::from(ends);
            ends
        } else {
            match self.next()? {
                b',' => false,
                b'}' => true,
                _ => return None,
            }
        };
        self.space();
        if ends {
            return Some(None);
        }
        let key = self.key()?;
        let field = if key.escapes > 0 {
            Field::of(&key.decoded())
        } else {
            Field::of(key.raw)
        };
        let is_text = self.peek() == Some(b'"');
        self.at += usize::from(is_text);
        let lead = self.line.as_bytes().get(start..self.at)?;
        Some(Some(shape.learn(lead, is_first, field, is_text)))
    }

    /// A key, its colon, and the white space before its value.
    #[inline(always)]
    fn key(&mut self) -> Option<Text<'a>> {
        self.byte(b'"')?;
        let key = self.string()?;
        self.space();
        self.byte(b':')?;
        self.space();
        Some(key)
    }

    /// Into `value` and not as a result: moving it cost a quarter of the scan.
    #[inline(always)]
    fn scalar(&mut self, value: &mut Value<'a>) -> Option<()> {
        *value = match self.peek()? {
            b'"' => {
                self.at += 1;
                Value::Text(self.string()?)
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'n' => self.word("null", Value::Absent)?,
            b't' => self.word("true", Value::Other)?,
            b'f' => self.word("false", Value::Other)?,
            _ => return None,
        };
        Some(())
    }

    /// An object or a list. Without recursion: one bit a level says which of the two it is.
    fn nested(&mut self) -> Option<Value<'a>> {
        let mut ignored = Value::Absent;
        let mut objects: u128 = 0;
        let mut depth = 1;
        loop {
            match self.peek()? {
                open @ (b'{' | b'[') => {
                    self.at += 1;
                    depth += 1;
                    if depth > DEPTH_MAX {
                        return None;
                    }
                    objects = objects << 1 | u128::from(open == b'{');
                    self.space();
                    if self.peek()? != close(objects) {
                        if is_object(objects) {
                            self.key()?;
                        }
                        continue;
                    }
                }
                _ => {
                    self.scalar(&mut ignored)?;
                    self.space();
                }
            }
            // Behind a value, or before the bracket that ends an empty container.
            loop {
                match self.next()? {
                    b',' => {
                        self.space();
                        if is_object(objects) {
                            self.key()?;
                        }
                        break;
                    }
                    end if end == close(objects) => {
                        objects >>= 1;
                        depth -= 1;
                        if depth == 1 {
                            return Some(Value::Other);
                        }
                        self.space();
                    }
                    _ => return None,
                }
            }
        }
    }

    /// The rest of a string whose opening quote was taken.
    #[inline(always)]
    fn string(&mut self) -> Option<Text<'a>> {
        let start = self.at;
        let mut escapes = 0;
        loop {
            self.plain()?;
            match self.next()? {
                b'"' => break,
                b'\\' => {
                    escapes += 1;
                    self.escape()?;
                }
                _ => return None,
            }
        }
        let raw = self.line.get(start..self.at - 1)?;
        Some(Text { raw, escapes })
    }

    /// The same, on a line without backslashes and control characters.
    #[inline(always)]
    fn plain_string(&mut self) -> Option<Text<'a>> {
        let rest = self.line.get(self.at..)?;
        let end = plain::quote(rest.as_bytes())?;
        self.at += end + 1;
        let raw = rest.get(..end)?;
        Some(Text { raw, escapes: 0 })
    }

    /// Moves to the next quote, backslash or control character.
    #[inline(always)]
    fn plain(&mut self) -> Option<()> {
        self.at += plain::end(self.line.as_bytes().get(self.at..)?)?;
        Some(())
    }

    /// The rest of an escape whose backslash was taken.
    fn escape(&mut self) -> Option<char> {
        Some(match self.next()? {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    self.byte(b'\\')?;
                    self.byte(b'u')?;
                    let second = self.hex()?.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
                    0x1_0000 + ((first - 0xd800) << 10 | second)
                } else {
                    first
                };
                // A surrogate without its partner is no character.
                char::from_u32(code)?
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            code = code << 4 | char::from(self.next()?).to_digit(16)?;
        }
        Some(code)
    }

    #[inline(always)]
    fn number(&mut self) -> Option<Value<'a>> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let digits = self.at;
        let mut sum = match self.next()? {
            b'0' if matches!(self.peek(), Some(b'0'..=b'9')) => return None,
            digit @ b'0'..=b'9' => u64::from(digit - b'0'),
            _ => return None,
        };
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            sum = sum.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
        }
        // So many digits never overflow; with more of them, the sum may have.
        let magnitude = match self.at - digits {
            ..20 => Some(sum),
            _ => self.line.get(digits..self.at)?.parse().ok(),
        };
        let is_float = matches!(self.peek(), Some(b'.' | b'e' | b'E'));
        match magnitude {
            Some(magnitude) if !is_float => Some(match (negative, magnitude) {
                (false, magnitude) => Value::Unsigned(magnitude),
                (true, 0) => Value::Other,
                (true, magnitude) => 0i64
                    .checked_sub_unsigned(magnitude)
                    .map_or(Value::Other, Value::Negative),
            }),
            _ => self.float(start),
        }
    }

    /// The rest of a number that is no 64-bit integer.
    #[cold]
    fn float(&mut self, start: usize) -> Option<Value<'a>> {
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        // Whether it overflows a double is for the reference to say: its rounding is its own.
        const DIGITS_NEVER_TOO_LARGE: usize = 300;
        if has_exponent || self.at - start > DIGITS_NEVER_TOO_LARGE {
            serde_json::from_str::<serde_json::Value>(self.line.get(start..self.at)?).ok()?;
        }
        Some(Value::Other)
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Option<Value<'a>> {
        let rest = self.line.as_bytes().get(self.at..)?;
        self.at += word.len();
        rest.starts_with(word.as_bytes()).then_some(value)
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline]
    fn byte(&mut self, wanted: u8) -> Option<()> {
        (self.next()? == wanted).then_some(())
    }

    #[inline]
    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    #[inline]
    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

fn is_object(objects: u128) -> bool {
    objects & 1 == 1
}

fn close(objects: u128) -> u8 {
    if is_object(objects) { b'}' } else { b']' }
}

#[cfg(test)]
mod tests;
