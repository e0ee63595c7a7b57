//! `loopbench` lets policies decide about simulated releases, and counts how well each does.
//!
//! The releases, their telemetry and the policies of other tools are the crate `sim`; `docs/loop-benchmark.md` has the model, how it is
//! scored, and results. Everything is in virtual time and from seeds: the same options give the same figures on any day. Each
//! release is generated once, and every policy runs on it; what a policy does to the traffic is its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod exporter;
mod goals;
mod plan;
mod policies;
mod product;
mod question;
mod report;
mod simulate;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use glob::Pattern;
use plan::Group;
use report::Report;

/// Measures policies that roll releases back, on simulated releases.
#[derive(Debug, Parser)]
#[command(name = "loopbench")]
pub(crate) struct Options {
    /// Sets of seeds.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    sets: Vec<u64>,
    /// Requests a second.
    #[arg(long, value_delimiter = ',', default_value = "20,200")]
    rates: Vec<f64>,
    /// Releases of each set and rate, half of them good.
    #[arg(long, default_value_t = 600)]
    releases: u32,
    /// Releases of each kind that a goal names, at 20 requests a second, of each set.
    #[arg(long, default_value_t = 200)]
    focus: u32,
    /// Good releases at 20 requests a second, of each set, for the rate of false rollbacks.
    #[arg(long, default_value_t = 3_000)]
    good: u32,
    /// Gives every release this confounder instead of one by chance, such as `retry storm`.
    #[arg(long)]
    confounder: Option<String>,
    /// Policies by name, such as `Flagger*`.
    #[arg(long, default_value = "*")]
    only: String,
    /// The policy that is held to the goals; the command fails when it misses one.
    #[arg(long)]
    hold: Option<String>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Folder that gets NAME.json, NAME.md and NAME.outcomes.ndjson.
    #[arg(long, default_value = "/tmp/bench/results")]
    out: PathBuf,
    /// Name of the results.
    #[arg(long, default_value = "loop")]
    name: String,
}

fn main() -> Result<ExitCode> {
    let options = Options::parse();
    let only = Pattern::new(&options.only).with_context(|| format!("--only {:?} is no glob", options.only))?;
    let names: Vec<String> =
        policies::all().iter().map(|policy| policy.name()).filter(|name| only.matches(name)).collect();
    ensure!(!names.is_empty(), "no policy has a name like {:?}; names are {:?}", options.only, policies::names());
    if let Some(held) = &options.hold {
        ensure!(names.contains(held), "no policy is called {held:?}; names are {names:?}");
    }
    ensure!(options.threads > 0, "--threads 0 would never end; give at least 1");
    let mut report = Report::default();
    for group in Group::all(&options)? {
        eprintln!("{}: {} releases", group.title(), group.count);
        let outcomes = simulate::run(&group, &names, options.threads)?;
        report.add(&group, outcomes);
    }
    let missed = options.hold.as_deref().map(|held| goals::missed(&report, held)).unwrap_or_default();
    let markdown = report.markdown(options.hold.as_deref());
    report.write(&options.out, &options.name, &markdown)?;
    println!("{markdown}");
    for goal in &missed {
        eprintln!("missed: {goal}");
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
