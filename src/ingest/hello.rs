//! The first line of a connection, and the lines that readyd answers in acknowledged mode.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::delta::Reporter;
use super::fold::Rejection;
use crate::words::text;

/// What a connection's first line makes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstLine {
    /// Acknowledged mode.
    Hello(Hello),
    /// A hello that cannot be taken: answer [`HelloRefused::BadHello`] and close.
    Invalid(HelloError),
    /// Plain mode; the line is one as any other, be it valid or not.
    Event,
}

/// Who speaks in acknowledged mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// 1 to 64 bytes, printable.
    pub producer: String,
    /// At most 64 bytes, printable; empty by default. A producer that lost its counter picks a new one.
    pub epoch: String,
    /// Its clock, in Unix milliseconds.
    pub now: Option<i64>,
}

pub const PRODUCER_BYTES_MAX: usize = 64;
pub const EPOCH_BYTES_MAX: usize = 64;

/// What is wrong with a hello, and what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HelloError {
    #[error("the hello is not valid JSON: send {{\"hello\":{{\"producer\":\"name\"}}}} on one line")]
    NotJson,
    #[error("hello: must be an object with a producer")]
    NotAnObject,
    #[error("hello.producer: must be a text of 1 to 64 printable bytes")]
    Producer,
    #[error("hello.producer: names that begin with `link:` or `log:` are readyd's own: take another")]
    Reserved,
    #[error("hello.epoch: must be a text of at most 64 printable bytes")]
    Epoch,
    #[error("hello.now: must be an integer, Unix milliseconds")]
    Now,
}

/// Why an acknowledged connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelloRefused {
    /// Another live connection holds the producer and epoch.
    ProducerInUse,
    /// [`super::registry::Registry::PRODUCERS_MAX`] names are known, all of them used within the last week.
    TooManyProducers,
    /// Newer epochs of this producer have pushed it out.
    EpochRetired,
    /// Another uid was the first to use this producer with this epoch.
    NotYours,
    BadHello(HelloError),
}

impl FirstLine {
    /// Reads a first line, without its newline. An object with a `hello` that is not `null` is a hello, whatever
    /// else it holds; so is what begins like one and is not JSON, since its sender waits for an answer.
    pub fn read(line: &[u8]) -> FirstLine {
        let hello = match serde_json::from_slice::<Map<String, Value>>(line) {
            Ok(mut object) => object.remove("hello").unwrap_or_default(),
            Err(_) if begins_like_a_hello(line) => return FirstLine::Invalid(HelloError::NotJson),
            Err(_) => return FirstLine::Event,
        };
        match hello {
            Value::Null => FirstLine::Event,
            Value::Object(hello) => match Hello::read(&hello) {
                Ok(hello) => FirstLine::Hello(hello),
                Err(error) => FirstLine::Invalid(error),
            },
            _ => FirstLine::Invalid(HelloError::NotAnObject),
        }
    }
}

impl Hello {
    fn read(hello: &Map<String, Value>) -> Result<Hello, HelloError> {
        let field = |name: &str| hello.get(name).filter(|value| !value.is_null());
        let name = |value: &Value, bytes_max: usize| {
            let name = value.as_str()?;
            (name.len() <= bytes_max && !name.chars().any(text::is_harmful)).then(|| name.to_owned())
        };
        let producer = field("producer")
            .and_then(|value| name(value, PRODUCER_BYTES_MAX))
            .filter(|producer| !producer.is_empty())
            .ok_or(HelloError::Producer)?;
        if !Reporter::is_open_to_producers(&producer) {
            return Err(HelloError::Reserved);
        }
        Ok(Hello {
            producer,
            epoch: match field("epoch") {
                Some(value) => name(value, EPOCH_BYTES_MAX).ok_or(HelloError::Epoch)?,
                None => String::new(),
            },
            now: match field("now") {
                Some(value) => Some(value.as_i64().ok_or(HelloError::Now)?),
                None => None,
            },
        })
    }
}

fn begins_like_a_hello(line: &[u8]) -> bool {
    let mut visible = line.iter().filter(|byte| !byte.is_ascii_whitespace());
    b"{\"hello\":".iter().all(|wanted| visible.next() == Some(wanted))
}

impl HelloRefused {
    pub const fn as_str(self) -> &'static str {
        match self {
            HelloRefused::ProducerInUse => "producer_in_use",
            HelloRefused::TooManyProducers => "too_many_producers",
            HelloRefused::EpochRetired => "epoch_retired",
            HelloRefused::NotYours => "not_yours",
            HelloRefused::BadHello(_) => "bad_hello",
        }
    }
}

/// Lines that readyd writes, each with its newline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replies(String);

impl Replies {
    pub fn hello(&mut self, last_seq: u64) {
        self.line(format_args!("{{\"hello\":{{\"last_seq\":{last_seq}}}}}"));
    }

    pub fn ack(&mut self, seq: u64) {
        self.line(format_args!("{{\"ack\":{seq}}}"));
    }

    /// `seq` is left out when it could not be read.
    pub fn reject(&mut self, rejection: &Rejection) {
        let Rejection { seq, line, reason } = rejection;
        match seq {
            Some(seq) => self.line(format_args!(
                "{{\"reject\":{{\"seq\":{seq},\"line\":{line},\"reason\":\"{reason}\"}}}}"
            )),
            None => self.line(format_args!(
                "{{\"reject\":{{\"line\":{line},\"reason\":\"{reason}\"}}}}"
            )),
        }
    }

    /// A bad hello is told what is wrong with it.
    pub fn error(&mut self, refused: HelloRefused) {
        let error = refused.as_str();
        match refused {
            HelloRefused::BadHello(why) => {
                let message = Value::String(why.to_string());
                self.line(format_args!("{{\"error\":\"{error}\",\"message\":{message}}}"));
            }
            _ => self.line(format_args!("{{\"error\":\"{error}\"}}")),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{line}");
    }
}

#[cfg(test)]
mod tests;
