//! What a sender's lines have in common: the bytes between their values, and what those bytes mean.
//!
//! Invariant: it only ever saves work. A lead that is known was read by the scanner before, between two values, and reading
//! the same bytes there again can only give the same: it says nothing about the values.

/// What leads to values in the lines so far: from behind a value (or from the line's start) to the next one's first byte,
/// `,"status":` say. One a connection.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    leads: [Lead; LEADS_MAX],
    known: usize,
    /// Replaced last, since all places were taken.
    oldest: usize,
}

/// An event has twelve fields; the rest is for the same field in another place, and for fields that are ignored.
const LEADS_MAX: usize = 20;

/// Bytes that lead to a value. A text's lead holds its opening quote.
#[derive(Clone, Copy, Debug, Default)]
struct Lead {
    bytes: [u8; Lead::BYTES_MAX],
    /// Ones where `bytes` counts.
    mask: [u128; 2],
    length: usize,
    /// Of the line: the same bytes are no lead elsewhere.
    is_first: bool,
    field: Field,
    is_text: bool,
}

/// A lead, as the scanner goes by it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub place: usize,
    pub bytes: usize,
    pub field: Field,
    pub is_text: bool,
}

/// What a value is the value of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Field {
    /// Of no field that an event has.
    #[default]
    Unknown,
    Tenant,
    Endpoint,
    Status,
    Kind,
    Ts,
    Gateway,
    Seq,
    Attempt,
    LatencyMs,
    TaskId,
    RequestId,
    Error,
}

impl Shape {
    /// The lead that `rest` begins with: all of the line (`is_first`), or what is behind a value. `expected`: its place when
    /// the line is like the one before.
    #[inline(always)]
    pub(super) fn find(&self, expected: usize, rest: &[u8], is_first: bool) -> Option<Found> {
        match self.leads.get(expected) {
            Some(lead) if lead.leads(rest, is_first) => Some(lead.found(expected)),
            _ => self.look_up(rest, is_first),
        }
    }

    /// Keeps a lead that was not known; its place. Those of unknown fields must not push out what others are read by.
    #[cold]
    pub(super) fn learn(&mut self, lead: &[u8], is_first: bool, field: Field, is_text: bool) -> Found {
        let place = self.keep(lead, is_first, field, is_text).unwrap_or(LEADS_MAX);
        let bytes = lead.len();
        Found {
            place,
            bytes,
            field,
            is_text,
        }
    }

    fn keep(&mut self, lead: &[u8], is_first: bool, field: Field, is_text: bool) -> Option<usize> {
        let lead = Lead::new(lead, is_first, field, is_text)?;
        let place = if self.known < LEADS_MAX {
            self.known += 1;
            self.known - 1
        } else if field == Field::Unknown {
            return None;
        } else {
            self.oldest = (self.oldest + 1) % LEADS_MAX;
            self.oldest
        };
        self.leads[place] = lead;
        Some(place)
    }

    #[cold]
    fn look_up(&self, rest: &[u8], is_first: bool) -> Option<Found> {
        let place = self.leads.iter().position(|lead| lead.leads(rest, is_first))?;
        Some(self.leads[place].found(place))
    }
}

impl Lead {
    /// A longer one is read anew each time.
    const BYTES_MAX: usize = 32;

    fn new(lead: &[u8], is_first: bool, field: Field, is_text: bool) -> Option<Lead> {
        let mut bytes = [0; Self::BYTES_MAX];
        bytes.get_mut(..lead.len())?.copy_from_slice(lead);
        let mut ones = [0; Self::BYTES_MAX];
        ones[..lead.len()].fill(u8::MAX);
        Some(Lead {
            bytes,
            mask: halves(&ones),
            length: lead.len(),
            is_first,
            field,
            is_text,
        })
    }

    #[inline(always)]
    fn found(&self, place: usize) -> Found {
        Found {
            place,
            bytes: self.length,
            field: self.field,
            is_text: self.is_text,
        }
    }

    #[inline(always)]
    fn leads(&self, rest: &[u8], is_first: bool) -> bool {
        if self.length == 0 || self.is_first != is_first {
            return false;
        }
        match rest.first_chunk() {
            Some(chunk) => {
                let ([low, high], [own_low, own_high]) = (halves(chunk), halves(&self.bytes));
                ((low ^ own_low) & self.mask[0]) | ((high ^ own_high) & self.mask[1]) == 0
            }
            // Near the end of the line.
            None => rest.starts_with(&self.bytes[..self.length]),
        }
    }
}

#[inline(always)]
fn halves(bytes: &[u8; Lead::BYTES_MAX]) -> [u128; 2] {
    let (chunks, _) = bytes.as_chunks::<16>();
    [u128::from_le_bytes(chunks[0]), u128::from_le_bytes(chunks[1])]
}

impl Field {
    pub(super) fn of(key: &str) -> Field {
        match key {
            "tenant" => Field::Tenant,
            "endpoint" => Field::Endpoint,
            "status" => Field::Status,
            "kind" => Field::Kind,
            "ts" => Field::Ts,
            "gateway" => Field::Gateway,
            "seq" => Field::Seq,
            "attempt" => Field::Attempt,
            "latency_ms" => Field::LatencyMs,
            "task_id" => Field::TaskId,
            "request_id" => Field::RequestId,
            "error" => Field::Error,
            _ => Field::Unknown,
        }
    }
}
