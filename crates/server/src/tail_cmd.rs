//! `backstop tail`: prints rows as they come, one JSON object a line.
#![allow(clippy::print_stderr, reason = "rows go to standard output, what is said about them does not")]

use std::io::{BufRead as _, BufReader, Write as _};

use reqwest::blocking::Client;
use serde_json::Value;

use crate::cli::TailArgs;
use crate::exit::Failure;

/// Follows a query until it is stopped, or the server goes away.
pub(crate) fn run(args: &TailArgs) -> Result<(), Failure> {
    let url = args.url.as_deref().unwrap_or("http://127.0.0.1:7070").trim_end_matches('/').to_owned();
    let broken = |message: String| Failure::internal(message, "is the server still there? `--url` names it");
    let client = Client::builder().timeout(None).build().map_err(|error| broken(error.to_string()))?;
    let language = serde_json::json!(engine::Language::from(args.language));
    let parameters = [("query", args.query.as_str()), ("language", language.as_str().unwrap_or_default())];
    let asked = client.get(format!("{url}/backstop/api/v1/tail")).query(&parameters);
    let answer = asked.send().map_err(|error| broken(format!("cannot reach {url}: {error}")))?;
    if !answer.status().is_success() {
        let said: Value = answer.json().unwrap_or_default();
        return Err(crate::query::refused(&args.query, &said["error"]));
    }
    let mut event = String::new();
    for line in BufReader::new(answer).lines() {
        let line = line.map_err(|error| broken(format!("the server went away: {error}")))?;
        if let Some(name) = line.strip_prefix("event: ").or_else(|| line.strip_prefix("event:")) {
            name.trim().clone_into(&mut event);
        } else if let Some(data) = line.strip_prefix("data:") {
            let told: Value = serde_json::from_str(data.trim()).map_err(|error| broken(error.to_string()))?;
            if !tell(&event, &told)? {
                return Ok(());
            }
        }
    }
    Err(broken("the server ended the tail".to_owned()))
}

/// Prints what an event says; false when nobody reads any more.
fn tell(event: &str, told: &Value) -> Result<bool, Failure> {
    match event {
        "rows" => {
            let mut out = std::io::stdout().lock();
            for row in told["rows"].as_array().into_iter().flatten() {
                if writeln!(out, "{row}").is_err() {
                    return Ok(false);
                }
            }
            Ok(out.flush().is_ok())
        }
        "dropped" => {
            eprintln!("{} rows are left out: 1 in {} is shown", told["dropped"], told["sampled"]);
            Ok(true)
        }
        "error" => {
            let message = told["error"]["message"].as_str().unwrap_or("the tail ended");
            Err(Failure::internal(message.to_owned(), ""))
        }
        _ => Ok(true),
    }
}
