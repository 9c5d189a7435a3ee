//! What is fuzzed: for each door by which bytes of others come in, what must hold of any bytes.
//!
//! The fuzzer (`fuzz/src/main.rs`) and the suite (`tests/specs/fuzz_corpus.rs`) share these bodies.

mod config;
mod doctor;
mod event_line;
mod fragments;
mod frames;
mod http;
mod log_line;
mod stream;
mod texts;

pub type Target = fn(&[u8]);

pub const ALL: [(&str, Target); 9] = [
    ("event_line", event_line::run),
    ("stream", stream::run),
    ("doctor", doctor::run),
    ("frames", frames::run),
    ("fragments", fragments::run),
    ("config", config::run),
    ("http", http::run),
    ("log_line", log_line::run),
    ("texts", texts::run),
];

/// Parts of the input, cut at a byte that none of the formats has.
fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == 0xff)
}

/// One number that the input itself chooses, and the rest of it.
fn chosen(data: &[u8]) -> (u8, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (*first, rest))
}
