//! Shell: what the kernel says of its own clock: whether somebody keeps it, and how wrong it may be.

/// What was learned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kernel {
    Told(Discipline),
    /// It is not for us to know: a container's filter, mostly.
    NotAllowed,
    /// Not asked on this system.
    NotAsked,
    Failed(String),
}

/// The kernel's clock discipline, as NTP daemons keep it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discipline {
    /// A daemon (or the host of a virtual machine) has said within the last hours that the time is right.
    pub is_kept: bool,
    /// What is left to correct, by the daemon's last word.
    pub offset_micros: i64,
    /// How wrong the clock probably is, and is at most.
    pub estimated_error_micros: i64,
    pub maximum_error_micros: i64,
}

/// Asks the kernel; changes nothing.
#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "no crate that we use has adjtimex, and nothing in /proc or /sys tells the same"
)]
#[allow(clippy::useless_conversion, reason = "the widths differ between platforms")]
pub fn kernel() -> Kernel {
    // SAFETY: `timex` is plain numbers, for which zeroes are values; with `modes` 0 the kernel changes nothing, and it
    // writes to the struct alone, which is ours.
    let (state, told) = unsafe {
        let mut told: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut told), told)
    };
    if state < 0 {
        let error = std::io::Error::last_os_error();
        return match error.raw_os_error() {
            Some(libc::EPERM | libc::EACCES | libc::ENOSYS) => Kernel::NotAllowed,
            _ => Kernel::Failed(error.to_string()),
        };
    }
    let per_micro = if told.status & libc::STA_NANO != 0 { 1000 } else { 1 };
    Kernel::Told(Discipline {
        is_kept: told.status & libc::STA_UNSYNC == 0,
        offset_micros: i64::from(told.offset) / per_micro,
        estimated_error_micros: i64::from(told.esterror),
        maximum_error_micros: i64::from(told.maxerror),
    })
}

/// macOS keeps its clock by a daemon of its own (`timed`), which tells nobody without rights.
#[cfg(not(target_os = "linux"))]
pub fn kernel() -> Kernel {
    Kernel::NotAsked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers_or_says_why_not() {
        match kernel() {
            Kernel::Told(told) => assert!(told.maximum_error_micros >= 0, "{told:?}"),
            Kernel::NotAllowed | Kernel::NotAsked => {}
            Kernel::Failed(why) => panic!("{why}"),
        }
    }
}
