//! One line of JSON, read for the few fields that count.
//!
//! Invariant: [`scan`] accepts exactly the lines that `serde_json` accepts as a map of values, and
//! sees the same values: what is ignored is validated too (escapes, surrogates, numbers, nesting). A
//! general parser that builds all of it costs about half of the throughput.

use std::borrow::Cow;

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
    Scanner { line, at: 0 }.line(&mut fields).ok_or(NotJson)?;
    Ok(fields)
}

/// Whether nothing but JSON's white space stands on the line.
pub fn is_blank(line: &str) -> bool {
    line.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'))
}

impl<'a> Fields<'a> {
    fn slot(&mut self, key: &str) -> Option<&mut Value<'a>> {
        Some(match key {
            "tenant" => &mut self.tenant,
            "endpoint" => &mut self.endpoint,
            "status" => &mut self.status,
            "kind" => &mut self.kind,
            "ts" => &mut self.ts,
            "gateway" => &mut self.gateway,
            "seq" => &mut self.seq,
            "attempt" => &mut self.attempt,
            "latency_ms" => &mut self.latency_ms,
            "task_id" => &mut self.task_id,
            "request_id" => &mut self.request_id,
            "error" => &mut self.error,
            _ => return None,
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
    fn line(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        self.space();
        self.byte(b'{')?;
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
        } else {
            self.members(fields)?;
        }
        self.space();
        (self.at == self.line.len()).then_some(())
    }

    fn members(&mut self, fields: &mut Fields<'a>) -> Option<()> {
        loop {
            let key = self.key()?;
            let mut ignored = Value::Absent;
            let slot = if key.escapes > 0 {
                fields.slot(&key.decoded())
            } else {
                fields.slot(key.raw)
            };
            let slot = slot.unwrap_or(&mut ignored);
            match self.peek()? {
                b'{' | b'[' => *slot = self.nested()?,
                _ => self.scalar(slot)?,
            }
            self.space();
            match self.next()? {
                b',' => self.space(),
                b'}' => return Some(()),
                _ => return None,
            }
        }
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

    /// Moves to the next quote, backslash or control character, eight bytes at a time.
    #[inline(always)]
    fn plain(&mut self) -> Option<()> {
        let mut rest = self.line.as_bytes().get(self.at..)?;
        while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
            let found = special(u64::from_le_bytes(*chunk));
            if found != 0 {
                self.at = self.line.len() - rest.len() + (found.trailing_zeros() / 8) as usize;
                return Some(());
            }
            rest = after;
        }
        let found = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..0x20))?;
        self.at = self.line.len() - rest.len() + found;
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
        let mut magnitude = Some(match self.next()? {
            b'0' if matches!(self.peek(), Some(b'0'..=b'9')) => return None,
            digit @ b'0'..=b'9' => u64::from(digit - b'0'),
            _ => return None,
        });
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            self.at += 1;
            magnitude = magnitude.and_then(|so_far| so_far.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
        }
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

/// The high bit of each byte that is a quote, a backslash or below 0x20. Exact for the lowest byte
/// found, which is all that is asked; a borrow may mark bytes above it.
#[inline]
fn special(word: u64) -> u64 {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    (zeros(quote) | zeros(backslash) | word.wrapping_sub(ONES * 0x20) & !word) & HIGHS
}

#[cfg(test)]
mod tests;
