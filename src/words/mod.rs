//! The nouns of readyd: one word an idea, the same words as the documentation's glossary.
//!
//! Invariant: these files import only each other (and crates that compute without touching the
//! world). Nothing here reads a clock, a file or the environment; values are valid by construction.

mod check;
mod event;
mod finding;
mod instant;
mod level;
pub mod redact;
mod tenant;
pub mod text;
mod via;

pub use check::{CheckId, Layer, ProbeName};
pub use event::{Code, Family, Kind, Outcome, Reject};
pub use finding::{Cause, Cost, Evidence, Finding, Measurement};
pub use instant::{Instant, Now, Wall};
pub use level::{Answer, CountsAs, Level, Verdict};
pub use tenant::TenantName;
pub use via::Via;
