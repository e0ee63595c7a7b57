//! `backstop kill` and `backstop approvals`: what people decide.
#![allow(clippy::print_stdout, reason = "printing is what commands do")]

use std::path::Path;

use catalog::ledger::Ledger;
use reqwest::Method;
use respond::KillState;
use serde_json::{Value, json};
use telemetry::clock;

use crate::cli::{ApprovalsCommand, KillCommand};
use crate::exit::Failure;
use crate::offline::LEDGER_FILE;
use crate::remote::Place;
use crate::serve::KILL_SWITCH_FILE;

const KILL_PATH: &str = "/backstop/api/v1/switches/kill";

/// Who is written down when a person works on a directory by hand.
fn operator() -> String {
    std::env::var("USER").ok().filter(|name| !name.is_empty()).map_or("cli".to_owned(), |name| format!("cli:{name}"))
}

/// `backstop kill on|off|status`.
pub(crate) fn kill(command: &KillCommand) -> Result<(), Failure> {
    let at = match command {
        KillCommand::On { at, .. } | KillCommand::Off { at, .. } | KillCommand::Status { at } => at,
    };
    let state = match at.place()? {
        Place::Server(server) => match command {
            KillCommand::On { reason, .. } => server.ask(Method::POST, KILL_PATH, Some(&json!({"reason": reason}))),
            KillCommand::Off { reason, .. } => server.ask(Method::DELETE, KILL_PATH, Some(&json!({"reason": reason}))),
            KillCommand::Status { .. } => server.ask(Method::GET, KILL_PATH, None),
        }?,
        Place::Directory(dir) => kill_in(dir, command)?,
    };
    let text = |key: &str| state[key].as_str().unwrap_or("").to_owned();
    match state["engaged"].as_bool() {
        Some(true) => println!("engaged: nothing acts: {} (by {} {})", text("reason"), text("by"), text("at")),
        _ if text("at").is_empty() => println!("not engaged"),
        _ => println!("not engaged (released by {} {})", text("by"), text("at")),
    }
    Ok(())
}

/// The switch in a directory on which no server runs: the ledger's, and the file.
fn kill_in(dir: &Path, command: &KillCommand) -> Result<Value, Failure> {
    let path = dir.join(LEDGER_FILE);
    if !path.exists() {
        let message = format!("{} is not there", path.display());
        return Err(Failure::usage(message, "name the directory that `backstop serve --data` was given"));
    }
    let broken = |error: &dyn std::fmt::Display| Failure::internal(error.to_string(), "");
    let ledger = Ledger::open(&path).map_err(|error| broken(&error))?;
    let (by, now) = (operator(), clock::now());
    let refused = |error: respond::SwitchError| Failure::usage(error.to_string(), "");
    let mut state = match command {
        KillCommand::On { reason, .. } => KillState::engage(&ledger, &by, reason, now).map_err(refused)?,
        KillCommand::Off { reason, .. } => KillState::release(&ledger, &by, reason, now).map_err(refused)?,
        KillCommand::Status { .. } => KillState::read(&ledger).map_err(|error| broken(&error))?,
    };
    let file = dir.join(KILL_SWITCH_FILE);
    if file.exists() && !state.engaged {
        let reason = format!("{} exists; remove it to release the switch", file.display());
        state = KillState { engaged: true, reason, by: "file".to_owned(), at: None };
    }
    serde_json::to_value(state).map_err(|error| broken(&error))
}

/// `backstop approvals list|answer`.
pub(crate) fn approvals(command: &ApprovalsCommand) -> Result<(), Failure> {
    let at = match command {
        ApprovalsCommand::List { at, .. } | ApprovalsCommand::Answer { at, .. } => at,
    };
    let Place::Server(server) = at.place()? else {
        let hint = "start the server, then ask again: an answer needs a run that goes on";
        return Err(Failure::usage("no server runs on that directory", hint));
    };
    match command {
        ApprovalsCommand::List { all, .. } => {
            let state = if *all { "all" } else { "pending" };
            let found = server.ask(Method::GET, &format!("/backstop/api/v1/approvals?state={state}"), None)?;
            found["approvals"].as_array().into_iter().flatten().for_each(print_approval);
        }
        ApprovalsCommand::Answer { id, decision, comment, .. } => {
            let body = json!({"decision": decision, "comment": comment});
            let said = server.ask(Method::POST, &format!("/backstop/api/v1/approvals/{id}"), Some(&body))?;
            print_approval(&said);
        }
    }
    Ok(())
}

fn print_approval(approval: &Value) {
    let text = |key: &str| approval[key].as_str().unwrap_or("");
    let given = approval["given"].as_array().map_or(0, Vec::len);
    println!(
        "{}  {:<8}  {} of {} answers  until {}  {}",
        text("id"),
        text("state"),
        given,
        approval["need"],
        text("expires_at"),
        text("question")
    );
}
