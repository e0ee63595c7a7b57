//! What must hold at the end of every scenario, whenever the server was killed: held against the account of the world outside.

use std::collections::{BTreeMap, BTreeSet};

use catalog::ledger::{Document, Filter, Ledger, LedgerTable, Records as _};

use super::life::Life;

/// How a scenario ended.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    /// The kind of the moment at which the process was killed, each time.
    pub(crate) crashes: Vec<String>,
    /// What the first process did that lasts, in order.
    pub(crate) events: Vec<String>,
    /// How the run ended; `unnoticed` when there was none.
    pub(crate) outcome: String,
    /// Actions that were decided on and started.
    pub(crate) actions: usize,
    /// Actions that the world saw.
    pub(crate) executions: usize,
    /// Messages that the inbox took.
    pub(crate) pages: usize,
    /// Those among them that it had taken before, under the same id.
    pub(crate) repeated: usize,
    /// Records that the server acknowledged.
    pub(crate) records: usize,
}

/// Checks everything; an error is the first thing that does not hold.
pub(crate) fn check(life: &Life, outcome: &str) -> Result<Report, String> {
    let ledger = life.ledger().ok_or("there is no ledger")?;
    ledger.verify_audit().map_err(|error| error.to_string())?;
    let actions = at_most_once(life, &ledger)?;
    let repeated = told(life, &ledger, outcome)?;
    let variant = life.point.variant;
    match outcome {
        // Nobody may have been told of what nobody knew of; what the ledger knew must have been told.
        "unnoticed" if life.noticed => return Err("the alert fired, and nobody was told".to_owned()),
        "unnoticed" => {}
        _ if variant.may_end(outcome) => {}
        _ => return Err(format!("the run ended {outcome}")),
    }
    if outcome == "helped" && life.world.done().is_empty() {
        return Err("nothing was done, and it is said to have helped".to_owned());
    }
    Ok(Report {
        crashes: life.crashes.clone(),
        events: life.events(0),
        outcome: outcome.to_owned(),
        actions,
        executions: life.world.done().len(),
        pages: life.world.pages().len(),
        repeated,
        records: life.sent.records.len(),
    })
}

fn all(ledger: &Ledger, table: LedgerTable) -> Result<Vec<Document>, String> {
    ledger.list(table, &Filter::default()).map_err(|error| error.to_string())
}

/// Nothing was done twice, nothing was done that was not started, and what is said of an action is what its target saw. Gives how
/// many actions were started.
fn at_most_once(life: &Life, ledger: &Ledger) -> Result<usize, String> {
    let done = life.world.done();
    let ways: BTreeSet<&str> = done.iter().map(|done| done.by).collect();
    if ways.len() < done.len() {
        return Err(format!("executed more than once: {done:?}"));
    }
    let actions: BTreeMap<String, Document> =
        all(ledger, LedgerTable::Actions)?.into_iter().map(|action| (action.id.clone(), action)).collect();
    for done in &done {
        let action = actions.get(&done.key).ok_or_else(|| format!("executed and not recorded: {done:?}"))?;
        let fence = &action.body["request"]["fence"];
        if *fence != done.fence || done.fence == 0 {
            return Err(format!("the target saw {done:?}, the ledger has fence {fence}"));
        }
    }
    for (key, action) in &actions {
        let seen = done.iter().filter(|done| done.key == *key).count();
        let right = match action.state.as_str() {
            "succeeded" => seen == 1,
            "unknown" => true,
            "failed" | "refused" => seen == 0,
            _ => false,
        };
        if !right {
            return Err(format!("{key} is {}, and its target saw it {seen} times", action.state));
        }
    }
    Ok(actions.values().filter(|action| !action.body["started_at"].is_null()).count())
}

/// Everything that was queued was delivered, nothing else was, and everybody was told what they must be. Gives how many messages
/// came again.
fn told(life: &Life, ledger: &Ledger, outcome: &str) -> Result<usize, String> {
    let pages = life.world.pages();
    let log = life.log();
    let queued = all(ledger, LedgerTable::Outbox)?;
    for document in &queued {
        let inbox = document.body["notification"]["receiver"] == "inbox";
        let arrived = if inbox { pages.iter().any(|page| page.id == document.id) } else { log.contains(&document.id) };
        if document.state != "delivered" || !arrived {
            return Err(format!("{} is {}, arrived: {arrived}", document.id, document.state));
        }
    }
    let mut first = BTreeMap::new();
    for page in &pages {
        if !queued.iter().any(|document| document.id == page.id) {
            return Err(format!("told and not recorded: {page:?}"));
        }
        if first.entry(&page.id).or_insert(page).body != page.body {
            return Err(format!("two messages under one id: {page:?}"));
        }
    }
    let templates: BTreeSet<&str> = pages.iter().map(|page| page.template.as_str()).collect();
    let must = match outcome {
        "unnoticed" => &[][..],
        "helped" => &["alert", "done"],
        _ => &["alert", "page"],
    };
    if let Some(lacking) = must.iter().find(|template| !templates.contains(**template)) {
        return Err(format!("nobody was told {lacking:?} of a run that ended {outcome}: {templates:?}"));
    }
    let escalated = queued.iter().any(|document| document.body["notification"]["template"] == "escalation");
    if outcome == "unknown" && !escalated {
        return Err("an unknown outcome was not escalated".to_owned());
    }
    Ok(pages.len() - first.len())
}
