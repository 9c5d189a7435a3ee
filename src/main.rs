//! Arguments → command → exit code, nothing else.

use std::process::ExitCode;

/// glibc keeps what one thread has let go of from the others.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    readyd::cli::run()
}
