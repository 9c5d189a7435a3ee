//! The ruler of ingest: doing nothing but parse the same lines on one core, by the fastest JSON crate there is.

use std::time::Instant;

use serde::Deserialize;

use crate::harness::cost::thread_cpu_seconds as thread_cpu;

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    tenant: &'a str,
    endpoint: &'a str,
    status: u16,
    gateway: &'a str,
    attempt: u32,
    task_id: &'a str,
    request_id: &'a str,
    error: &'a str,
    seq: u64,
}

pub const CRATES: [&str; 3] = ["serde_json", "simd-json", "sonic-rs"];

/// What all of `lines` took one of [`CRATES`], on one core.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    pub seconds: f64,
    pub cpu_seconds: f64,
}

/// By each of [`CRATES`].
pub fn took(lines: &[u8]) -> [Took; 3] {
    // It writes into what it reads.
    let mut copy = lines.to_vec();
    let mut buffers = simd_json::Buffers::new(512);
    [
        timed(|| each(lines, |line| weight(&serde_json::from_slice(line).unwrap()))),
        timed(|| {
            let mut seen = 0;
            for line in copy.split_mut(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                seen += weight(&simd_json::serde::from_slice_with_buffers(line, &mut buffers).unwrap());
            }
            seen
        }),
        timed(|| each(lines, |line| weight(&sonic_rs::from_slice(line).unwrap()))),
    ]
}

fn each(lines: &[u8], weigh: impl Fn(&[u8]) -> u64) -> u64 {
    let lines = lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(weigh).sum()
}

/// Of all that was read, so that nothing of the work can be left out.
fn weight(line: &Line<'_>) -> u64 {
    let texts = [
        line.tenant,
        line.endpoint,
        line.gateway,
        line.task_id,
        line.request_id,
        line.error,
    ];
    let texts: usize = texts.iter().map(|text| text.len()).sum();
    texts as u64 + line.seq + u64::from(line.status) + u64::from(line.attempt)
}

fn timed(parse: impl FnOnce() -> u64) -> Took {
    let (began, cpu) = (Instant::now(), thread_cpu());
    assert!(std::hint::black_box(parse()) > 0);
    Took {
        seconds: began.elapsed().as_secs_f64(),
        cpu_seconds: thread_cpu() - cpu,
    }
}
