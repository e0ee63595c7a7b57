//! `loadgen` writes the data that `sidebyside` sends: logs as OTLP exports, or metrics of a fleet of hosts as remote writes.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod logs;
mod metrics;
mod wire;

use std::path::Path;

use anyhow::Result;
use benches::Described;
use clap::Parser;

/// Writes generated data into a directory.
#[derive(Debug, Parser)]
#[command(name = "loadgen")]
enum Command {
    /// Log records, as OTLP export requests.
    Logs(logs::Options),
    /// Metrics of a fleet of hosts, as requests of remote write 1.0.
    Metrics(metrics::Options),
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Logs(options) => told(&logs::generate(&options)?, &options.out),
        Command::Metrics(options) => told(&metrics::generate(&options)?, &options.out),
    }
}

fn told(manifest: &impl Described, out: &Path) -> Result<()> {
    manifest.write(out)?;
    println!("{}", serde_json::to_string_pretty(manifest)?);
    Ok(())
}

/// The end that was asked for, or now, in Unix seconds.
fn end_seconds(asked: Option<u64>) -> u64 {
    asked.unwrap_or_else(|| benches::unix_time().as_secs())
}
