//! Arguments → command → exit code, nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    readyd::cli::run()
}
