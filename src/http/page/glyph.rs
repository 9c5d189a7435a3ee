//! Shapes for levels: told apart without colour, and always beside their word.

use maud::{Markup, html};

use crate::readiness::snapshot::{CheckView, Phase};
use crate::words::{CountsAs, Level, Verdict};

/// The tab's icons: a disc, a triangle, a square, a ring, in colours that stand out on light and dark.
macro_rules! icon {
    ($shape:literal) => {
        concat!(
            "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E",
            $shape,
            "%3C/svg%3E"
        )
    };
}

const ICON_OK: &str = icon!("%3Ccircle cx='8' cy='8' r='7' fill='%23228a57'/%3E");
const ICON_DEGRADED: &str = icon!("%3Cpath d='M8 1 15.5 14.5H.5z' fill='%23d98a17'/%3E");
const ICON_DOWN: &str = icon!("%3Crect x='1' y='1' width='14' height='14' rx='2' fill='%23cf3429'/%3E");
pub(super) const ICON_UNKNOWN: &str =
    icon!("%3Ccircle cx='8' cy='8' r='6' fill='none' stroke='%238a8f98' stroke-width='3'/%3E");

/// What a level, a verdict or a phase looks like: the name of a class and of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Look {
    pub class: &'static str,
    pub word: &'static str,
}

impl From<Level> for Look {
    fn from(level: Level) -> Look {
        let word = level.as_str();
        Look { class: word, word }
    }
}

impl From<Verdict> for Look {
    fn from(verdict: Verdict) -> Look {
        Level::from(verdict).into()
    }
}

impl From<CountsAs> for Look {
    fn from(counts_as: CountsAs) -> Look {
        match counts_as {
            CountsAs::Nothing => Look {
                class: "pending",
                word: "not counted",
            },
            CountsAs::Ok => Verdict::Ok.into(),
            CountsAs::Degraded => Verdict::Degraded.into(),
            CountsAs::Down => Verdict::Down.into(),
        }
    }
}

/// The shape and the word.
pub(super) fn badge(look: impl Into<Look>) -> Markup {
    let Look { class, word } = look.into();
    html! { span.badge.(class) { (shape(class)) (word) } }
}

/// The shape alone, where the word stands beside it.
pub(super) fn shape(class: &str) -> Markup {
    html! { svg.glyph aria-hidden="true" { use href={ "#s-" (class) } {} } }
}

/// What a check looks like: with what makes its level count otherwise.
pub(super) fn of_check(check: &CheckView) -> Markup {
    html! {
        (badge(check.level))
        @if check.in_maintenance { span.chip { "in maintenance" } }
        @if check.flapping { span.chip { "flapping" } }
        @if !check.required { span.chip { "advisory" } }
    }
}

pub(super) const fn icon(phase: Phase, verdict: Verdict) -> &'static str {
    match (phase, verdict) {
        (Phase::Starting | Phase::Draining, _) => ICON_UNKNOWN,
        (Phase::Serving, Verdict::Ok) => ICON_OK,
        (Phase::Serving, Verdict::Degraded) => ICON_DEGRADED,
        (Phase::Serving, Verdict::Down) => ICON_DOWN,
    }
}

/// Drawn once, used by name. Inner marks are cut out with the paper's colour.
pub(super) fn symbols() -> Markup {
    html! {
        svg.unseen aria-hidden="true" {
            symbol #s-ok viewBox="0 0 16 16" {
                circle cx="8" cy="8" r="7" fill="currentColor" {}
                path.cut d="M4.7 8.3 7 10.6l4.3-4.8" {}
            }
            symbol #s-degraded viewBox="0 0 16 16" {
                path d="M8 1.2 15.4 14.4H.6z" fill="currentColor" stroke="currentColor" stroke-linejoin="round" {}
                path.cut d="M8 6v3.8M8 12v.2" {}
            }
            symbol #s-down viewBox="0 0 16 16" {
                rect x="1" y="1" width="14" height="14" rx="2.5" fill="currentColor" {}
                path.cut d="m5 5 6 6m0-6-6 6" {}
            }
            symbol #s-unknown viewBox="0 0 16 16" {
                path d="M8 .8 15.2 8 8 15.2.8 8z" fill="currentColor" {}
                path.cut d="M6.4 6.4c.2-2.4 3.4-2 3.2 0C9.500 7.600 8 7.600 8 9M8 11.300v.1" {}
            }
            symbol #s-pending viewBox="0 0 16 16" {
                circle cx="8" cy="8" r="6.200" fill="none" stroke="currentColor" stroke-width="1.800" stroke-dasharray="2.600 2.300" {}
            }
        }
    }
}
