//! Backstop's own log lines: JSON to standard error, or text on a terminal.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a `tracing` filter such as `info` or `info,store=debug`; the variable `BACKSTOP_LOG`
/// overrides it. Lines are JSON unless standard error is a terminal. A second call does nothing.
pub fn init(filter: &str) {
    let filter = EnvFilter::try_from_env("BACKSTOP_LOG").unwrap_or_else(|_| EnvFilter::new(filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    };
    drop(started);
}
