//! `sidebyside` sends the same data to Backstop and to rivals, asks all of them the same questions, and compares.
//!
//! For each engine: start the server, send every request of a data directory (see `loadgen`) over a few connections, have
//! it merge, note what that cost, restart it, and ask each question once and then some more times over one connection. The
//! servers run one after another, each alone. An answer that differs from what was generated, or from another engine's, is
//! told under the table and fails the run, as does a budget that is missed.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod budgets;
mod engine;
mod http;
mod logs;
mod measure;
mod metrics;
mod process;
mod report;
mod workload;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use benches::{FleetManifest, Manifest};
use budgets::Budgets;
use clap::{Args, Parser, Subcommand};
use engine::{Engine, newest_rival};
use measure::{EngineResult, Plan};
use report::Report;
use workload::{Question, Workload};

/// Measures engines side by side.
#[derive(Debug, Parser)]
#[command(name = "sidebyside")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs engines on the same logs.
    Logs(Box<RunOptions>),
    /// Runs engines on the same metrics.
    Metrics(Box<RunOptions>),
    /// Compares Backstop's figures of two runs on logs of different sizes.
    Growth(GrowthOptions),
    /// The same of two runs on metrics.
    MetricsGrowth(GrowthOptions),
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// Data directory that `loadgen` wrote.
    #[arg(long)]
    input: PathBuf,
    /// Engines, in this order.
    #[arg(long, value_delimiter = ',', required = true)]
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
        Command::Logs(options) => run::<Manifest>(&options, Budgets::of_logs)?,
        Command::Metrics(options) => run::<FleetManifest>(&options, Budgets::of_metrics)?,
        Command::Growth(options) => growth::<Manifest>(&options, Budgets::of_logs)?,
        Command::MetricsGrowth(options) => growth::<FleetManifest>(&options, Budgets::of_metrics)?,
    };
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run<W: Workload>(options: &RunOptions, budgets: fn(&Path) -> Result<Budgets>) -> Result<bool> {
    let work = W::read(&options.input)?;
    let reused = reused(options, &work)?;
    let plan = options.plan::<W>()?;
    let temporary = tempfile::tempdir()?;
    let data = options.data.as_deref().unwrap_or(temporary.path());
    let mut report = Report { data: work.clone(), engines: Vec::new() };
    for name in &options.engine {
        let known = reused.iter().find(|engine| &engine.name == name && name != "backstop");
        let result = match known {
            Some(known) => known.clone(),
            None => measured(W::engine(name, options)?.as_ref(), &work, &plan, data, options.keep)?,
        };
        report.engines.push(result);
        report.write(&options.out, &options.name, &report.markdown())?;
    }
    let budgets = options.budgets.as_deref().map(budgets).transpose()?;
    finish(options, &report, budgets.as_ref())
}

fn measured<W: Workload>(
    engine: &dyn Engine<W>,
    work: &W,
    plan: &Plan<W>,
    data: &Path,
    keep: bool,
) -> Result<EngineResult> {
    let data = data.join(engine.name());
    eprintln!("{} in {}", engine.name(), data.display());
    let log = data.with_extension("log");
    let result = measure::run(engine, work, plan, &data)
        .with_context(|| format!("{}: what it printed is in {}", engine.name(), log.display()))?;
    if !keep && !plan.skip_ingest {
        std::fs::remove_dir_all(&data)?;
    }
    Ok(result)
}

/// Prints and writes the tables; whether answers agree and budgets are met.
fn finish<W: Workload>(options: &RunOptions, report: &Report<W>, budgets: Option<&Budgets>) -> Result<bool> {
    let mut markdown = report.markdown();
    let mut good = report.disagreements().is_empty();
    good &= report.engines.iter().flat_map(|engine| &engine.questions).all(|question| question.problem.is_none());
    if let Some(budgets) = budgets {
        let (told, met) = budgets.check(report);
        markdown.push_str(&told);
        good &= met;
    }
    report.write(&options.out, &options.name, &markdown)?;
    println!("{markdown}\nwritten to {}/{}.json and .md", options.out.display(), options.name);
    Ok(good)
}

/// Results of an earlier run on the same data.
fn reused<W: Workload>(options: &RunOptions, work: &W) -> Result<Vec<EngineResult>> {
    let Some(path) = &options.reuse_rival else { return Ok(Vec::new()) };
    let report = Report::<W>::read(path)?;
    ensure!(report.data.is_same(work), "{} is of other data than {}", path.display(), options.input.display());
    Ok(report.engines)
}

impl RunOptions {
    fn plan<W: Workload>(&self) -> Result<Plan<W>> {
        let patterns = self.only.iter().map(|only| glob::Pattern::new(only)).collect::<Result<Vec<_>, _>>()?;
        let wanted = |question: &&W::Question| patterns.iter().any(|pattern| pattern.matches(question.id()));
        let questions: Vec<W::Question> = W::Question::ALL.iter().filter(wanted).copied().collect();
        let names: Vec<&str> = W::Question::ALL.iter().map(|question| question.id()).collect();
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

    /// The newest installed program of a rival.
    pub(crate) fn rival(&self, name: &str, program: &str) -> Result<PathBuf> {
        let rivals = self.rivals.as_deref().context("--rivals is missing")?;
        newest_rival(rivals, name, program)
            .with_context(|| format!("no {name} in {}: benches/rivals.sh {name} installs it", rivals.display()))
    }
}

fn growth<W: Workload>(options: &GrowthOptions, budgets: fn(&Path) -> Result<Budgets>) -> Result<bool> {
    let (small, large) = (Report::<W>::read(&options.small)?, Report::<W>::read(&options.large)?);
    let (told, met) = budgets(&options.budgets)?.check_growth(&small, &large);
    println!("{told}");
    Ok(met)
}
