//! Shell: what the daemon says of itself, on stderr, for a supervisor's journal.
#![expect(clippy::disallowed_methods, reason = "shell: reads $READYD_LOG")]

use tracing_subscriber::EnvFilter;

/// `$READYD_LOG` sets the level (`debug`, `readyd::probe=debug,info`); default `info`. Once a process.
pub(super) fn to_stderr() {
    let filter = std::env::var("READYD_LOG")
        .ok()
        .and_then(|directives| EnvFilter::try_new(directives).ok())
        .unwrap_or_else(|| EnvFilter::new("info,actix_server=warn"));
    // A second call (in a test) finds the first one's in place, which is as good.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        // Its way to say that stderr is gone is to write to stderr, which panics.
        .log_internal_errors(false)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .try_init();
}
