//! Log records: `loadgen logs` amplifies log lines into OTLP export requests of any size.
//!
//! A template is a real line whose long numbers, hexadecimal strings and addresses are blanks. Each record fills one
//! template's blanks anew, so that no dictionary makes the data artificially cheap, and gets a time, a severity, a resource
//! and now and then attributes and a trace. Needles, whose exact counts the manifest states, are put into the middle of
//! lines of every service. The same seed, size, end and corpus give the same bytes; memory does not grow with the size.

mod corpus;
mod generate;
mod needles;
mod otlp;
mod shape;
mod synthetic;
mod template;

use std::path::PathBuf;

use anyhow::Result;
use benches::Manifest;
use clap::Args;
use corpus::Corpus;
use generate::Generator;

use crate::end_seconds;

/// Writes generated log records, as OTLP export requests, into a directory.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Directory that gets `bodies.bin` and `manifest.json`.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Records.
    #[arg(long, default_value_t = 2_000_000)]
    lines: u64,
    /// Folder with one folder of `*.log` files per service; a small built-in corpus without it.
    #[arg(long, default_value = "../shared/data/logs")]
    corpus: PathBuf,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Records of one request.
    #[arg(long, default_value_t = 2_000)]
    batch: usize,
    /// Requests that are filled at the same time, so that their times overlap as those of several senders do.
    #[arg(long, default_value_t = 4)]
    lanes: usize,
    /// Hours over which the records spread.
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// Time after the last record, in Unix seconds; now without it.
    #[arg(long)]
    end: Option<u64>,
}

impl Options {
    fn end_ns(&self) -> Result<i64> {
        Ok(i64::try_from(end_seconds(self.end) * 1_000_000_000)?)
    }
}

/// Writes the requests; says what is in them.
pub(crate) fn generate(options: &Options) -> Result<Manifest> {
    let corpus = Corpus::load(&options.corpus)?;
    std::fs::create_dir_all(&options.out)?;
    Generator::new(options, &corpus)?.run()
}
