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
mod demo_cmd;
mod exit;
mod ingest;
mod loops;
mod offline;
mod query;
mod runtime;
mod serve;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};
use crate::exit::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // The allocator asks for huge pages. Each is cleared whole when it is first touched and counts whole: while 2 million
    // lines were ingested, clearing took a seventh of all CPU time, and the peak of memory was 764 MiB instead of 533. A kernel
    // that refuses costs no more than that.
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
        Command::Query(args) => query::run(&args),
        Command::Rules(command) => commands::rules(&command),
        Command::Playbooks(command) => commands::playbooks(&command),
        Command::Segments(command) => commands::segments(&command),
        Command::Audit(command) => commands::audit(&command),
        Command::Config(command) => commands::config(&command),
        Command::Completions { shell } => commands::completions(shell),
        Command::Version => commands::version(),
    }
}
