//! Shell: gives freed memory back to the system.
//!
//! glibc learns from each large buffer that is freed: buffers up to that size (32 MiB at most) are from then on kept within
//! its arenas, and so much stays at their ends. A daemon that for years now and then renders a page, reads history or commits
//! fifty thousand endpoints would hold the largest of all that, once for each arena. Setting a threshold ends the learning.

/// Buffers from this size on are mapped for themselves and unmapped when they are freed. glibc's own first value
/// (`mallopt(3)`): what events and questions usually need is smaller.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const MAPPED_FROM_BYTES: libc::c_int = 128 * 1024;

/// To be called before there are threads. Elsewhere than with glibc it does nothing.
pub fn give_back_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    set_thresholds();
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(
    unsafe_code,
    reason = "glibc is told by nothing else but an environment variable before the start"
)]
fn set_thresholds() {
    // SAFETY: numbers in, a number out; no memory of ours is touched, and both are values that `mallopt(3)` allows.
    // Where it is refused more is kept, and all else is as it was.
    let _ = unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED_FROM_BYTES)
            & libc::mallopt(libc::M_TRIM_THRESHOLD, MAPPED_FROM_BYTES)
    };
}
