//! The small commands: rules, playbooks, services, scrape, segments, audit, config, completions, version.
#![allow(clippy::print_stdout, reason = "printing is what commands do")]

use std::path::{Path, PathBuf};

use catalog::ledger::Ledger;
use clap::CommandFactory as _;
use config::{Config, RawConfig, show_bytes};
use segment::SegmentMeta;
use store::RepairOutcome;

use crate::cli::{
    AuditCommand, Cli, ConfigCommand, PlaybooksCommand, RulesCommand, ScrapeCommand, SegmentsCommand, ServicesCommand,
};
use crate::exit::Failure;
use crate::offline::{LEDGER_FILE, open_store, store_failure};

/// The text of a file that the user names.
pub(crate) fn read_text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display()), "name a text file"))
}

/// Names and texts of files, for the checkers.
pub(crate) fn read_all(files: &[PathBuf]) -> Result<Vec<(String, String)>, Failure> {
    files.iter().map(|path| Ok((path.display().to_string(), read_text(path)?))).collect()
}

/// What the named features of PromQL come to.
pub(crate) fn promql_features(names: &[String]) -> Result<promql::Features, Failure> {
    let unknown =
        |error: promql::UnknownFeature| Failure::usage(error.to_string(), "docs/prometheus.md says what they switch");
    promql::Features::of_names(names).map_err(unknown)
}

/// `backstop rules check|test`.
pub(crate) fn rules(command: &RulesCommand) -> Result<(), Failure> {
    match command {
        RulesCommand::Check { files, enable_feature } => {
            let report = rules::check(&read_all(files)?, promql_features(enable_feature)?.parser);
            println!("{report}");
            if report.is_ok() { Ok(()) } else { Err(Failure::negative("")) }
        }
        RulesCommand::Test(args) => crate::rules_test_cmd::run(args),
    }
}

/// `backstop playbooks check|graph|simulate`.
pub(crate) fn playbooks(command: &PlaybooksCommand) -> Result<(), Failure> {
    match command {
        PlaybooksCommand::Check { files } => {
            let report = respond::check_playbooks(&read_all(files)?);
            println!("{report}");
            if report.is_ok() { Ok(()) } else { Err(Failure::negative("")) }
        }
        PlaybooksCommand::Graph { files, format } => crate::simulate_cmd::graph(files, *format),
        PlaybooksCommand::Simulate(args) => crate::simulate_cmd::run(args),
    }
}

/// `backstop services check`.
pub(crate) fn services(command: &ServicesCommand) -> Result<(), Failure> {
    let ServicesCommand::Check { files } = command;
    let report = change::check_services(&read_all(files)?);
    println!("{report}");
    if report.is_ok() { Ok(()) } else { Err(Failure::negative("")) }
}

/// `backstop scrape check`.
pub(crate) fn scrape(command: &ScrapeCommand) -> Result<(), Failure> {
    let ScrapeCommand::Check { files } = command;
    let report = scrape::check(files);
    print!("{report}");
    if report.is_ok() { Ok(()) } else { Err(Failure::negative("")) }
}

/// `backstop segments ls|verify|repair`.
pub(crate) fn segments(command: &SegmentsCommand) -> Result<(), Failure> {
    match command {
        SegmentsCommand::Ls { data } => {
            let store = open_store(data)?;
            println!(
                "{:<36}  {:<10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}  {:<30}  to",
                "segment", "table", "rows", "columns", "index", "groups", "terms", "filters", "from"
            );
            store.segments().iter().for_each(print_segment);
        }
        SegmentsCommand::Verify { data } => {
            let store = open_store(data)?;
            let report = store.verify();
            for (id, problem) in &report.damaged {
                println!("{id}: {problem}");
            }
            println!("{} segments read, {} damaged", report.checked, report.damaged.len());
            if !report.damaged.is_empty() {
                return Err(Failure::negative(""));
            }
        }
        SegmentsCommand::Repair { data } => {
            let repairs = open_store(data)?.repair().map_err(|error| store_failure(&error))?;
            repairs.iter().for_each(|repair| println!("{}: {}", repair.segment, outcome_text(&repair.outcome)));
            let lost = repairs.iter().filter(|repair| matches!(repair.outcome, RepairOutcome::Damaged { .. })).count();
            println!("{} segments mended, {lost} that cannot be", repairs.len() - lost);
            if lost > 0 {
                return Err(Failure::negative(""));
            }
        }
    }
    Ok(())
}

fn outcome_text(outcome: &RepairOutcome) -> String {
    match outcome {
        RepairOutcome::Rebuilt { bytes } => format!("its index was built again, {}", show_bytes(*bytes)),
        RepairOutcome::Restored => "it is whole and in use again".to_owned(),
        RepairOutcome::Damaged { reason } => format!("it cannot be mended: {reason}"),
    }
}

fn print_segment(meta: &SegmentMeta) {
    println!(
        "{:<36}  {:<10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}  {:<30}  {}",
        meta.id,
        meta.table.as_str(),
        meta.rows,
        show_bytes(meta.bytes_parquet),
        show_bytes(meta.bytes_index),
        show_bytes(meta.index_groups_bytes),
        show_bytes(meta.index_terms_bytes),
        show_bytes(meta.index_filters_bytes),
        meta.min_time.to_string(),
        meta.max_time
    );
}

/// `backstop audit verify`.
pub(crate) fn audit(command: &AuditCommand) -> Result<(), Failure> {
    let AuditCommand::Verify { data } = command;
    let path = data.join(LEDGER_FILE);
    if !path.exists() {
        return Err(Failure::usage(format!("{} is not there", path.display()), "name the data directory with --data"));
    }
    let ledger = Ledger::open(&path).map_err(|error| Failure::internal(error.to_string(), ""))?;
    let (entries, head) = ledger.verify_audit().map_err(|error| Failure::negative(error.to_string()))?;
    println!("{entries} entries, none changed; the last has hash {head}");
    Ok(())
}

/// `backstop config show|check|reference`.
pub(crate) fn config(command: &ConfigCommand) -> Result<(), Failure> {
    let usage = |error: config::ConfigError| Failure::usage(error.to_string(), "");
    match command {
        ConfigCommand::Show { file } => {
            let raw = match file {
                Some(file) => RawConfig::parse(&file.display().to_string(), &read_text(file)?).map_err(usage)?,
                None => RawConfig::default(),
            };
            let shown = serde_json::to_string_pretty(&raw).map_err(|error| Failure::internal(error.to_string(), ""))?;
            println!("{shown}");
        }
        ConfigCommand::Check { file } => {
            let config = Config::parse(&file.display().to_string(), &read_text(file)?).map_err(usage)?;
            // Secrets are where the server runs, so only what the file itself says is checked here.
            crate::serve::intake::check(&config.changes)
                .map_err(|error| Failure::usage(format!("{}: {error}", file.display()), "docs/changes.md says more"))?;
            promql_features(&config.query.promql_features)?;
            println!("{} is valid", file.display());
        }
        ConfigCommand::Reference => print!("{}", config::reference()),
        ConfigCommand::Language => print!("{}", lang::reference_markdown()),
    }
    Ok(())
}

/// `backstop completions SHELL`.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    clap_complete::generate(shell, &mut Cli::command(), "backstop", &mut std::io::stdout());
    Ok(())
}

/// `backstop version`.
pub(crate) fn version() -> Result<(), Failure> {
    println!("backstop {}", env!("CARGO_PKG_VERSION"));
    Ok(())
}
