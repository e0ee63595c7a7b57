//! `sidebyside` sends the same data to Backstop and to rivals, asks all of them the same questions, and compares.
//!
//! For each engine: start the server, send every request of a data directory (see `loadgen`) over a few connections, have
//! it merge, note what that cost, restart it, and ask each question once and then some more times over one connection. The
//! servers run one after another, each alone. An answer that differs from what was generated, or from another engine's, is
//! told under the table and fails the run, as does a budget that is missed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod answer;
mod budgets;
mod engine;
mod http;
mod measure;
mod process;
mod questions;
mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail, ensure};
use benches::Manifest;
use budgets::Budgets;
use clap::{Args, Parser, Subcommand};
use engine::{Backstop, Engine, Loki, VictoriaLogs, newest_rival};
use measure::{EngineResult, Plan};
use questions::Question;
use report::Report;

/// Measures log engines side by side.
#[derive(Debug, Parser)]
#[command(name = "sidebyside")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs engines on the same data.
    Run(Box<RunOptions>),
    /// Compares Backstop's figures of two runs of different sizes.
    Growth(GrowthOptions),
}

#[derive(Debug, Args)]
struct RunOptions {
    /// Data directory that `loadgen` wrote.
    #[arg(long)]
    input: PathBuf,
    /// Engines, in this order.
    #[arg(long, value_delimiter = ',', default_value = "victorialogs,backstop")]
    engine: Vec<String>,
    /// Program of Backstop.
    #[arg(long, env = "BACKSTOP")]
    backstop: PathBuf,
    /// Folder that `rivals.sh` installs into; the newest of each is taken.
    #[arg(long, env = "BACKSTOP_RIVALS")]
    rivals: Option<PathBuf>,
    /// Folder for the engines' data, one folder each; a temporary one without it.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Leaves the engines' data.
    #[arg(long)]
    keep: bool,
    /// Asks the data that is in --data from an earlier run with --keep.
    #[arg(long, requires = "data")]
    skip_ingest: bool,
    /// Takes the other engines' figures from an earlier run's JSON instead of measuring them.
    #[arg(long)]
    reuse_rival: Option<PathBuf>,
    /// Questions by name, such as `rare*`.
    #[arg(long, value_delimiter = ',', default_value = "*")]
    only: Vec<String>,
    /// Times that a question is asked after the first.
    #[arg(long, default_value_t = 15)]
    repeats: usize,
    /// Connections that send at the same time.
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Tells how Backstop found each answer.
    #[arg(long)]
    explain: bool,
    /// File of budgets to hold the run against.
    #[arg(long)]
    budgets: Option<PathBuf>,
    /// Folder that gets NAME.json and NAME.md.
    #[arg(long, default_value = "/tmp/bench/results")]
    out: PathBuf,
    /// Name of the results.
    #[arg(long, default_value = "run")]
    name: String,
}

#[derive(Debug, Args)]
struct GrowthOptions {
    /// JSON of the small run.
    small: PathBuf,
    /// JSON of the large run.
    large: PathBuf,
    /// File of budgets.
    #[arg(long)]
    budgets: PathBuf,
}

fn main() -> Result<ExitCode> {
    let good = match Cli::parse().command {
        Command::Run(options) => run(&options)?,
        Command::Growth(options) => growth(&options)?,
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run(options: &RunOptions) -> Result<bool> {
    let manifest = Manifest::read(&options.input)?;
    let reused = reused(options, &manifest)?;
    let plan = options.plan()?;
    let temporary = tempfile::tempdir()?;
    let data = options.data.as_deref().unwrap_or(temporary.path());
    let mut report = Report { data: manifest.clone(), engines: Vec::new() };
    for name in &options.engine {
        let known = reused.iter().find(|engine| &engine.name == name && name != "backstop");
        let result = match known {
            Some(known) => known.clone(),
            None => measured(options.find(name)?.as_ref(), &manifest, &plan, data, options.keep)?,
        };
        report.engines.push(result);
        report.write(&options.out, &options.name, &report.markdown())?;
    }
    finish(options, &report)
}

fn measured(engine: &dyn Engine, manifest: &Manifest, plan: &Plan, data: &Path, keep: bool) -> Result<EngineResult> {
    let data = data.join(engine.name());
    eprintln!("{} in {}", engine.name(), data.display());
    let log = data.with_extension("log");
    let result = measure::run(engine, manifest, plan, &data)
        .with_context(|| format!("{}: what it printed is in {}", engine.name(), log.display()))?;
    if !keep && !plan.skip_ingest {
        std::fs::remove_dir_all(&data)?;
    }
    Ok(result)
}

/// Prints and writes the tables; whether answers agree and budgets are met.
fn finish(options: &RunOptions, report: &Report) -> Result<bool> {
    let mut markdown = report.markdown();
    let mut good = report.disagreements().is_empty();
    good &= report.engines.iter().flat_map(|engine| &engine.questions).all(|question| question.problem.is_none());
    if let Some(path) = &options.budgets {
        let (told, met) = Budgets::read(path)?.check(report);
        markdown.push_str(&told);
        good &= met;
    }
    report.write(&options.out, &options.name, &markdown)?;
    println!("{markdown}\nwritten to {}/{}.json and .md", options.out.display(), options.name);
    Ok(good)
}

/// Results of an earlier run on the same data.
fn reused(options: &RunOptions, manifest: &Manifest) -> Result<Vec<EngineResult>> {
    let Some(path) = &options.reuse_rival else { return Ok(Vec::new()) };
    let report = Report::read(path)?;
    let same =
        (report.data.lines, report.data.seed, report.data.end_ns) == (manifest.lines, manifest.seed, manifest.end_ns);
    ensure!(same, "{} is of other data than {}", path.display(), options.input.display());
    Ok(report.engines)
}

impl RunOptions {
    fn plan(&self) -> Result<Plan> {
        let patterns = self.only.iter().map(|only| glob::Pattern::new(only)).collect::<Result<Vec<_>, _>>()?;
        let wanted = |question: &&Question| patterns.iter().any(|pattern| pattern.matches(question.id()));
        let questions: Vec<Question> = Question::ALL.iter().filter(wanted).copied().collect();
        let names: Vec<&str> = Question::ALL.iter().map(|question| question.id()).collect();
        ensure!(!questions.is_empty(), "no question has such a name; there are {}", names.join(", "));
        Ok(Plan {
            input: self.input.clone(),
            connections: self.connections,
            repeats: self.repeats,
            skip_ingest: self.skip_ingest,
            explain: self.explain,
            questions,
        })
    }

    fn find(&self, name: &str) -> Result<Box<dyn Engine>> {
        match name {
            "backstop" => Ok(Box::new(Backstop { program: self.backstop.clone() })),
            "victorialogs" => Ok(Box::new(VictoriaLogs { program: self.rival(name, "victoria-logs")? })),
            "loki" => Ok(Box::new(Loki { program: self.rival(name, "loki")? })),
            _ => bail!("no engine {name:?}: there are backstop, victorialogs and loki"),
        }
    }

    fn rival(&self, name: &str, program: &str) -> Result<PathBuf> {
        let rivals = self.rivals.as_deref().context("--rivals is missing")?;
        newest_rival(rivals, name, program)
            .with_context(|| format!("no {name} in {}: benches/rivals.sh {name} installs it", rivals.display()))
    }
}

fn growth(options: &GrowthOptions) -> Result<bool> {
    let budgets = Budgets::read(&options.budgets)?;
    let (told, met) = budgets.check_growth(&Report::read(&options.small)?, &Report::read(&options.large)?);
    println!("{told}");
    Ok(met)
}
