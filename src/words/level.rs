//! The words of the verdict, each ordered from best to worst.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one finding says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    Ok,
    Degraded,
    Down,
    /// It could not be asked: evidence of nothing.
    Unknown,
}

/// A check's debounced state, as it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Degraded,
    Down,
    /// Could not be asked, or not asked for longer than `max_stale`.
    Unknown,
    /// Never answered.
    Pending,
}

/// The fused status of a node or tenant; also a check's remembered answer. Worse is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    #[default]
    Ok,
    Degraded,
    Down,
}

/// What a check contributes now. Worse is greater; `Nothing` is least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CountsAs {
    Nothing,
    Ok,
    Degraded,
    Down,
}

impl Answer {
    /// The answer as a verdict; `None` when it is evidence of nothing.
    pub const fn answered(self) -> Option<Verdict> {
        match self {
            Answer::Ok => Some(Verdict::Ok),
            Answer::Degraded => Some(Verdict::Degraded),
            Answer::Down => Some(Verdict::Down),
            Answer::Unknown => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Answer::Ok => "ok",
            Answer::Degraded => "degraded",
            Answer::Down => "down",
            Answer::Unknown => "unknown",
        }
    }
}

impl From<Verdict> for Answer {
    fn from(verdict: Verdict) -> Answer {
        match verdict {
            Verdict::Ok => Answer::Ok,
            Verdict::Degraded => Answer::Degraded,
            Verdict::Down => Answer::Down,
        }
    }
}

impl Level {
    pub const ALL: [Level; 5] = [Level::Ok, Level::Degraded, Level::Down, Level::Unknown, Level::Pending];

    pub const fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Degraded => "degraded",
            Level::Down => "down",
            Level::Unknown => "unknown",
            Level::Pending => "pending",
        }
    }

    /// The value of `readyd_check_level`.
    pub const fn metric(self) -> u8 {
        match self {
            Level::Ok => 0,
            Level::Degraded => 1,
            Level::Down => 2,
            Level::Unknown => 3,
            Level::Pending => 4,
        }
    }
}

impl From<Verdict> for Level {
    fn from(verdict: Verdict) -> Level {
        match verdict {
            Verdict::Ok => Level::Ok,
            Verdict::Degraded => Level::Degraded,
            Verdict::Down => Level::Down,
        }
    }
}

impl Verdict {
    pub const ALL: [Verdict; 3] = [Verdict::Ok, Verdict::Degraded, Verdict::Down];

    pub const fn as_str(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Degraded => "degraded",
            Verdict::Down => "down",
        }
    }

    pub fn parse(text: &str) -> Option<Verdict> {
        Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

impl From<Verdict> for CountsAs {
    fn from(verdict: Verdict) -> CountsAs {
        match verdict {
            Verdict::Ok => CountsAs::Ok,
            Verdict::Degraded => CountsAs::Degraded,
            Verdict::Down => CountsAs::Down,
        }
    }
}

impl CountsAs {
    pub const fn as_str(self) -> &'static str {
        match self {
            CountsAs::Nothing => "nothing",
            CountsAs::Ok => "ok",
            CountsAs::Degraded => "degraded",
            CountsAs::Down => "down",
        }
    }

    /// What it adds to a verdict; nothing adds `ok`, the best.
    pub const fn verdict(self) -> Verdict {
        match self {
            CountsAs::Nothing | CountsAs::Ok => Verdict::Ok,
            CountsAs::Degraded => Verdict::Degraded,
            CountsAs::Down => Verdict::Down,
        }
    }
}

macro_rules! displays_as_str {
    ($($word:ty),*) => {$(
        impl fmt::Display for $word {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    )*};
}

displays_as_str!(Answer, Level, Verdict, CountsAs);
