//! The keys of kind `tokens`: as a whole, and for one class of credentials.

use std::time::Duration;

use super::{BOOL, SECOND, key};
use crate::config::shape::{Key, Shape};

/// For one class of credentials. What is left out is the probe's own.
pub const TOKEN_CLASS: &[Key] = &[
    OVERLAP,
    NEXT_STALE,
    CADENCE,
    CADENCE_WARN,
    INTERNET_CADENCE,
    INTERNET_FACING,
];

pub(super) const OVERLAP: Key = key(
    "overlap",
    &SPAN,
    "30m",
    "tokens: how long the old and the new one are both good. Default: 12h.",
);
pub(super) const NEXT_STALE: Key = key(
    "next_stale",
    &SPAN,
    "2d",
    "tokens: degraded when .next is older: it was never promoted. Default: 72h.",
);
pub(super) const CADENCE: Key = key(
    "cadence",
    &SPAN,
    "60d",
    "tokens: degraded when .current is older. Default: 90d.",
);
pub(super) const CADENCE_WARN: Key = key(
    "cadence_warn",
    &SPAN,
    "40d",
    "tokens: a note when .current is older. Default: 45d, never above cadence.",
);
pub(super) const INTERNET_CADENCE: Key = key(
    "internet_cadence",
    &SPAN,
    "20d",
    "tokens: in place of cadence where it faces the internet. Default: 30d, never above cadence.",
);
pub(super) const INTERNET_FACING: Key = key(
    "internet_facing",
    &BOOL,
    "true",
    "tokens: whether it faces the internet. Default: as the tenant's declared listeners say.",
);

/// A credential that lives for longer than two years is not rotated.
const SPAN: Shape = Shape::Duration {
    min: SECOND,
    max: Duration::from_secs(731 * 86_400),
};
