//! The `backstop` binary: the command line, and the place where every part is put together.
//!
//! **Entry points.** [`cli::Cli`] says what there is; each command has a file of its own. `serve.rs` is the composition root:
//! a list of parts, each built from its share of the settings.
//!
//! **Guarantees.** Exit codes: 0 done, 1 the thing asked about failed, 2 usage or configuration, 70 internal or storage
//! fault. An error is one line that says what and one that says what to do.
//!
//! **Not here.** Anything that could be tested without a process: that is in the crates below.

mod cli;
mod commands;
mod crash;
mod demo_cmd;
mod exit;
mod import;
mod ingest;
mod loops;
mod offline;
mod parse_cmd;
mod people_cmd;
mod query;
mod remote;
mod rules_test_cmd;
mod runtime;
mod serve;
mod simulate_cmd;
mod tail_cmd;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::exit::Failure;

// One arena a processor and three seconds until freed memory goes back to the system, set when it is built
// (`.cargo/config.toml`). While 2 million lines were ingested on 2 cores: 11.8 s of CPU time and a peak of 322 MiB with five
// seconds, 12.1 s and 281 MiB with half a second. mimalloc 2 took 12.4 s and 358 MiB as it comes, and
// 11.5 s and 505 MiB when told to wait ten times as long.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // The kernel may back memory with huge pages. Each is cleared whole when it is first touched and counts whole: while 2
    // million lines were ingested, with another allocator, clearing took a seventh of all CPU time, and the peak of memory was
    // 764 MiB instead of 533. A kernel that refuses costs no more than that.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo_cmd::run(&args),
        Command::Ingest(args) => ingest::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Tail(args) => tail_cmd::run(&args),
        Command::Parse(command) => parse_cmd::run(&command),
        Command::Rules(command) => commands::rules(&command),
        Command::Playbooks(command) => commands::playbooks(&command),
        Command::Services(command) => commands::services(&command),
        Command::Scrape(command) => commands::scrape(&command),
        Command::Kill(command) => people_cmd::kill(&command),
        Command::Approvals(command) => people_cmd::approvals(&command),
        Command::Segments(command) => commands::segments(&command),
        Command::Audit(command) => commands::audit(&command),
        Command::Config(command) => commands::config(&command),
        Command::Completions { shell } => commands::completions(shell),
        Command::Version => commands::version(),
    }
}
