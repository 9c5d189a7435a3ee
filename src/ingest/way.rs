//! Shell: threads that take events give way to the one that answers: health is asked for when everything is busy.

/// How much nicer they are. With ingest saturated on two cores `/ready`'s p99 is twice that at rest; without this, four times.
#[cfg(target_os = "linux")]
const NICER_BY: i32 = 5;

/// The calling thread, for good. Threads have a niceness of their own on Linux alone; elsewhere nothing changes.
pub(crate) fn give_way() {
    #[cfg(target_os = "linux")]
    {
        let thread = Some(rustix::thread::gettid());
        if let Ok(now) = rustix::process::getpriority_process(thread) {
            // Always allowed; refused by a sandbox, events are taken as before.
            let _ = rustix::process::setpriority_process(thread, now + NICER_BY);
        }
    }
}
