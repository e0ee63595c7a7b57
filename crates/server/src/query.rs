//! `backstop query`: asks a server, or reads a data directory on which none runs, and prints the rows.

use std::io::{BufRead, BufReader, IsTerminal as _, Read as _, Write as _};
use std::path::Path;

use lang::Diagnostic;
use reqwest::blocking::{Client, Response};
use serde_json::{Map, Value, json};

use crate::cli::{OutputFormat, QueryArgs};
use crate::exit::Failure;
use crate::runtime::RunningServer;

/// Rows that a table shows when no limit is given.
const TABLE_ROWS: u64 = 100;
/// Bytes of a file that are copied at once.
const COPY_BYTES: usize = 64 * 1024;
/// Widest column of a table, in characters.
const TABLE_CELL_CHARS: usize = 120;

/// Runs the query.
pub(crate) fn run(args: &QueryArgs) -> Result<(), Failure> {
    let output = args
        .output
        .unwrap_or_else(|| if std::io::stdout().is_terminal() { OutputFormat::Table } else { OutputFormat::Ndjson });
    let url = match (&args.url, &args.data) {
        (Some(url), _) => url.trim_end_matches('/').to_owned(),
        (None, Some(dir)) => match RunningServer::find(dir) {
            Some(server) => server.url,
            None => return run_offline(args, dir, output),
        },
        (None, None) => "http://127.0.0.1:7070".to_owned(),
    };
    if is_file(output) && std::io::stdout().is_terminal() {
        return Err(Failure::usage(
            "a terminal does not show this format",
            "send it to a file: backstop query ... > rows.parquet",
        ));
    }
    let answer = ask(args, &url, output)?;
    if matches!(output, OutputFormat::Table | OutputFormat::Json) {
        let whole: Value = answer.json().map_err(|error| broken(&error.to_string()))?;
        if let Some(message) = whole["error"]["message"].as_str() {
            return Err(Failure::internal(format!("the rows are not complete: {message}"), ""));
        }
        return print_whole(&whole, output);
    }
    if is_file(output) {
        return copy_bytes(answer);
    }
    copy(answer)
}

/// Whether the rows are written as bytes that no terminal shows.
fn is_file(output: OutputFormat) -> bool {
    matches!(output, OutputFormat::Arrow | OutputFormat::Parquet)
}

/// Copies a file. The server breaks off one that is not whole.
fn copy_bytes(mut answer: Response) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let mut bytes = vec![0; COPY_BYTES];
    loop {
        let read = answer.read(&mut bytes);
        let read = read.map_err(|error| Failure::internal(format!("the file is not whole: {error}"), "ask again"))?;
        if read == 0 {
            return Ok(());
        }
        if let Err(error) = out.write_all(&bytes[..read]) {
            return ignore_closed_pipe(error);
        }
    }
}

fn ask(args: &QueryArgs, url: &str, output: OutputFormat) -> Result<Response, Failure> {
    let accept = match output {
        OutputFormat::Ndjson => "application/x-ndjson",
        OutputFormat::Json | OutputFormat::Table => "application/json",
        OutputFormat::Csv => "text/csv",
        OutputFormat::Arrow => "application/vnd.apache.arrow.stream",
        OutputFormat::Parquet => "application/vnd.apache.parquet",
    };
    let limit = args.limit.or((output == OutputFormat::Table).then_some(TABLE_ROWS));
    let language = engine::Language::from(args.language);
    let body = json!({"query": args.query, "language": language, "start": args.from, "end": args.to, "limit": limit});
    let client = Client::builder().timeout(None).build().map_err(|error| broken(&error.to_string()))?;
    let answer =
        client.post(format!("{url}/backstop/api/v1/query")).header("accept", accept).json(&body).send().map_err(
            |error| {
                let hint = "start a server with `backstop serve`, name one with --url, or a directory with --data";
                Failure::internal(format!("cannot reach {url}: {error}"), hint)
            },
        )?;
    if answer.status().is_success() {
        return Ok(answer);
    }
    let said: Value = answer.json().unwrap_or_default();
    Err(refused(&args.query, &said["error"]))
}

/// Shows the diagnostics of a bad query under its text, as compilers do.
pub(crate) fn refused(query: &str, error: &Value) -> Failure {
    let diagnostics: Vec<Diagnostic> = error["diagnostics"].as_array().into_iter().flatten().map(diagnostic).collect();
    if diagnostics.is_empty() {
        return Failure::negative(format!(
            "{}\nhint: {}",
            error["message"].as_str().unwrap_or("the server did not answer the query"),
            error["hint"].as_str().unwrap_or("look at the server's log")
        ));
    }
    unreadable(query, &diagnostics)
}

/// A text that is no query: exit code 2, with every mistake shown at its place.
pub(crate) fn unreadable(text: &str, diagnostics: &[Diagnostic]) -> Failure {
    let shown: Vec<String> = diagnostics.iter().map(|diagnostic| lang::render_diagnostic(text, diagnostic)).collect();
    Failure::usage(format!("the query cannot be read\n{}", shown.join("\n")), "")
}

/// Reads a diagnostic as the API shows it.
fn diagnostic(json: &Value) -> Diagnostic {
    let offset = |at: usize| json["span"][at].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    let mut diagnostic = Diagnostic::error(offset(0)..offset(1), json["message"].as_str().unwrap_or_default());
    if json["severity"] == "warning" {
        diagnostic.severity = lang::DiagnosticSeverity::Warning;
    }
    diagnostic.hint = json["hint"].as_str().map(str::to_owned);
    diagnostic
}

fn print_whole(whole: &Value, output: OutputFormat) -> Result<(), Failure> {
    if output == OutputFormat::Table {
        return print_table(whole);
    }
    writeln!(std::io::stdout().lock(), "{whole}").or_else(ignore_closed_pipe)
}

fn broken(message: &str) -> Failure {
    Failure::internal(format!("cannot read the answer: {message}"), "look at the server's log")
}

fn run_offline(args: &QueryArgs, dir: &Path, output: OutputFormat) -> Result<(), Failure> {
    if let Some(format) = file_format(output) {
        return crate::offline::write_file(args, dir, format).and_then(|written| written.or_else(ignore_closed_pipe));
    }
    let whole = crate::offline::query(args, dir)?;
    let mut out = std::io::stdout().lock();
    let rows = whole["rows"].as_array().map(Vec::as_slice).unwrap_or_default();
    let written = match output {
        OutputFormat::Table => return print_table(&whole),
        OutputFormat::Json => writeln!(out, "{whole}"),
        OutputFormat::Ndjson => rows.iter().try_for_each(|row| writeln!(out, "{row}")),
        OutputFormat::Csv | OutputFormat::Arrow | OutputFormat::Parquet => Ok(()),
    };
    written.or_else(ignore_closed_pipe)
}

/// The formats that are written as the server writes them.
fn file_format(output: OutputFormat) -> Option<api::FileFormat> {
    match output {
        OutputFormat::Csv => Some(api::FileFormat::Csv),
        OutputFormat::Arrow => Some(api::FileFormat::Arrow),
        OutputFormat::Parquet => Some(api::FileFormat::Parquet),
        OutputFormat::Table | OutputFormat::Ndjson | OutputFormat::Json => None,
    }
}

/// `backstop query ... | head` closes the pipe early; that is no failure.
fn ignore_closed_pipe(error: std::io::Error) -> Result<(), Failure> {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::internal(format!("cannot write rows: {error}"), "")),
    }
}

/// Copies lines as they come. A last line that holds an error means that what came before is not everything.
fn copy(answer: Response) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    for line in BufReader::new(answer).split(b'\n') {
        let line = line.map_err(|error| broken(&error.to_string()))?;
        if line.starts_with(b"{\"error\":{\"code\":") {
            let said: Value = serde_json::from_slice(&line).unwrap_or_default();
            let message = said["error"]["message"].as_str().unwrap_or("unknown error").to_owned();
            return Err(Failure::internal(format!("the rows are not complete: {message}"), ""));
        }
        if let Err(error) = out.write_all(&line).and_then(|()| out.write_all(b"\n")) {
            return ignore_closed_pipe(error);
        }
    }
    Ok(())
}

fn columns_and_rows(whole: &Value) -> (Vec<String>, Vec<&Map<String, Value>>) {
    let rows: Vec<&Map<String, Value>> =
        whole["rows"].as_array().into_iter().flatten().filter_map(Value::as_object).collect();
    let mut columns: Vec<String> = Vec::new();
    for name in rows.iter().flat_map(|row| row.keys()) {
        if !columns.contains(name) {
            columns.push(name.clone());
        }
    }
    (columns, rows)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Control characters would let a log line write to the terminal as it likes.
fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(TABLE_CELL_CHARS).collect()
}

#[allow(clippy::print_stderr, reason = "the note on completeness is not part of the table")]
fn print_table(whole: &Value) -> Result<(), Failure> {
    let (columns, rows) = columns_and_rows(whole);
    let cells: Vec<Vec<String>> =
        rows.iter().map(|row| columns.iter().map(|name| harmless(&cell(row.get(name)))).collect()).collect();
    let width = |at: usize| {
        cells.iter().map(|row| row[at].chars().count()).chain([columns[at].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = std::io::stdout().lock();
    let mut print = |row: &[String]| {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    let printed = print(&columns).and_then(|()| cells.iter().try_for_each(|row| print(row)));
    printed.or_else(ignore_closed_pipe)?;
    let elapsed = whole["stats"]["elapsed_ms"].as_f64().unwrap_or(0.0);
    let more = if whole["limit_reached"] == true { ", more match" } else { "" };
    eprintln!("{} rows in {elapsed:.0} ms{more}", rows.len());
    Ok(())
}
