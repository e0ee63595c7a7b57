//! `backstop parse`: checks files of parse rules, and shows what they do to a sample.
#![allow(clippy::print_stdout, reason = "printing is what commands do")]

use std::io::Read as _;
use std::path::PathBuf;

use parse::rules::Rules;

use crate::cli::ParseCommand;
use crate::commands::{read_all, read_text};
use crate::exit::Failure;

/// Stands for the server's own key where nothing is kept.
const SAMPLE_KEY: &[u8] = b"a dry run";

/// `backstop parse check|test`.
pub(crate) fn run(command: &ParseCommand) -> Result<(), Failure> {
    match command {
        ParseCommand::Check { files } => {
            let (joins, parses, redacts) = load(files)?.sizes();
            println!("{} files: {joins} rules join, {parses} parse, {redacts} redact", files.len());
            Ok(())
        }
        ParseCommand::Test { files, sample, field, json } => {
            let rules = load(files)?;
            let text = sample_text(sample.as_ref())?;
            let lines: Vec<&str> = text.lines().collect();
            let fields = fields(field)?;
            let report = rules.dry_run(&lines, &fields, telemetry::clock::now());
            if *json {
                let json =
                    serde_json::to_string_pretty(&report).map_err(|error| Failure::internal(error.to_string(), ""))?;
                println!("{json}");
            } else {
                println!("{report}");
            }
            Ok(())
        }
    }
}

fn load(files: &[PathBuf]) -> Result<Rules, Failure> {
    Rules::load(&read_all(files)?, SAMPLE_KEY).map_err(|problems| {
        problems.iter().for_each(|problem| println!("{problem}"));
        Failure::negative(format!("{} mistakes", problems.len()))
    })
}

fn sample_text(path: Option<&PathBuf>) -> Result<String, Failure> {
    if let Some(path) = path {
        return read_text(path);
    }
    let mut text = String::new();
    let failed = |error| Failure::usage(format!("cannot read standard input: {error}"), "name a file with --sample");
    std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// `service.name=nginx` as a field.
fn fields(given: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let field = |text: &String| {
        let wrong = || Failure::usage(format!("{text:?} is no field"), "write it as service.name=nginx");
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(field).collect()
}
