//! What a playbook would have done: the real engine over recorded alerts and changes, in virtual time, with nothing carried out.
//!
//! The ledger is one in memory with the recorded changes in it; queries are asked of the recorded data at the virtual time; actions are
//! only written down. What follows an action in the recording is what really happened then: a verification shows how the
//! measurements went, not how they would have gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::ledger::{Document, Filter, Ledger, LedgerTable, Records, Write};
use change::{Change, ServiceGraph};
use model::Timestamp;
use parking_lot::Mutex;
use rules::{Alert, AlertState, DataState, RuleQuery};
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::{
    APPROVE, ActionRequest, ActionResult, ActionState, Effects, Executor, Mode, Playbook, Principal, RespondError,
    Responder, ResponderOptions, TimelineEntry,
};

/// The step of virtual time, in nanoseconds.
pub const SIMULATE_STEP_NS: i64 = 1_000_000_000;

/// Most steps of virtual time: a week at one a second.
pub const SIMULATE_STEPS_MAX: i64 = 7 * 86_400;

/// How long after the last alert runs are followed, in nanoseconds.
const SIMULATE_TAIL_NS: i64 = 3_600_000_000_000;

/// Who approves in a simulation.
const SIMULATED: &str = "simulated";

/// What was recorded, and what is tried on it.
#[derive(Clone, Debug)]
pub struct SimulateInput {
    /// The playbook.
    pub playbook: Playbook,
    /// The mode to run it in.
    pub mode: Mode,
    /// How long the simulated people take to approve, in nanoseconds; `None` when they never answer.
    pub approve_after_ns: Option<i64>,
    /// The recorded alerts.
    pub alerts: Vec<Alert>,
    /// The recorded changes.
    pub changes: Vec<Change>,
    /// Who needs whom, as it was learned.
    pub graph: ServiceGraph,
    /// The first time.
    pub from: Timestamp,
    /// The last time; runs that have begun are followed for an hour longer.
    pub to: Timestamp,
}

/// A line of what would have happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SimulatedStep {
    /// When, RFC 3339.
    pub at: String,
    /// In which incident.
    pub incident: String,
    /// What it is about.
    pub kind: String,
    /// What.
    pub what: String,
    /// Why, for programs.
    pub why: Json,
}

/// What would have happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Simulation {
    /// The playbook.
    pub playbook: String,
    /// The mode that it ran in.
    pub mode: Mode,
    /// Everything, in order.
    pub steps: Vec<SimulatedStep>,
    /// How runs ended: id, outcome, summary.
    pub runs: Vec<Json>,
    /// What would have been carried out.
    pub actions: Vec<ActionRequest>,
    /// What to keep in mind.
    pub notes: Vec<String>,
}

/// Why nothing was simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The times make no sense.
    #[error("{0}; give --from and --to with at most a week between them")]
    Range(String),
    /// The ledger in memory failed.
    #[error(transparent)]
    Respond(#[from] RespondError),
}

impl From<catalog::ledger::LedgerError> for SimulateError {
    fn from(error: catalog::ledger::LedgerError) -> Self {
        Self::Respond(RespondError::Ledger(error))
    }
}

/// Writes down what it is asked, and says that it went well.
#[derive(Default)]
struct Recorder {
    now: Mutex<Timestamp>,
    asked: Mutex<Vec<ActionRequest>>,
}

impl Executor for Recorder {
    fn execute(&self, request: &ActionRequest) -> ActionResult {
        self.asked.lock().push(request.clone());
        ActionResult {
            state: ActionState::Succeeded,
            detail: "simulated: not carried out".to_owned(),
            output: String::new(),
            finished_at: *self.now.lock(),
        }
    }
}

/// Plays a playbook on what was recorded.
pub fn simulate(input: &SimulateInput, query: &dyn RuleQuery) -> Result<Simulation, SimulateError> {
    let steps = (input.to.0.saturating_sub(input.from.0)) / SIMULATE_STEP_NS;
    if !(1..=SIMULATE_STEPS_MAX).contains(&steps) {
        return Err(SimulateError::Range(format!("there are {steps} seconds from {} to {}", input.from, input.to)));
    }
    let ledger = Arc::new(Ledger::in_memory()?);
    put_changes(&ledger, &input.changes)?;
    let responder = responder(input, &ledger)?;
    let recorder = Recorder::default();
    let effects = Effects { query, executor: &recorder };
    let mut now = input.from;
    let stop = input.to.saturating_add_ns(SIMULATE_TAIL_NS);
    while now < stop {
        let alerts: Vec<Alert> = input.alerts.iter().filter_map(|alert| alert_at(alert, now)).collect();
        if now > input.to && responder.active_runs()?.is_empty() {
            break;
        }
        *recorder.now.lock() = now;
        responder.observe(&alerts, now)?;
        approve(&responder, input, now)?;
        for run in responder.due(now)?.0 {
            responder.advance(&run, now, &effects)?;
        }
        let next = now.saturating_add_ns(SIMULATE_STEP_NS);
        // The last time is looked at, too, wherever the steps fall.
        now = if now < input.to { next.min(input.to) } else { next };
    }
    let actions = std::mem::take(&mut *recorder.asked.lock());
    report(input, &ledger, actions)
}

fn responder(input: &SimulateInput, ledger: &Arc<Ledger>) -> Result<Responder, RespondError> {
    let mut playbook = input.playbook.clone();
    playbook.mode = input.mode;
    playbook.mode_max = input.mode;
    // Any name or role that the playbook asks for is one of the simulated people's.
    let guards = &playbook.guards;
    let mut roles = guards.approvals.of.clone();
    for step in &playbook.steps {
        if let crate::StepKind::Ask(ask) = &step.kind {
            roles.extend(ask.approvals.of.iter().cloned());
        }
    }
    let people = (0..input.people()).map(|n| Principal { name: format!("{SIMULATED}-{n}"), roles: roles.clone() });
    let options = ResponderOptions { approvers: people.collect(), ..ResponderOptions::default() };
    let records: Arc<dyn Records> = Arc::<Ledger>::clone(ledger);
    let responder = Responder::new(records, vec![playbook], options, Box::new(|| None), input.from)?;
    Ok(responder.with_surroundings(Arc::new(input.graph.clone())))
}

impl SimulateInput {
    /// As many people as the playbook asks for at most.
    fn people(&self) -> u32 {
        let asked = self.playbook.steps.iter().map(|step| match &step.kind {
            crate::StepKind::Ask(ask) => ask.approvals.need,
            _ => 0,
        });
        asked.chain([self.playbook.guards.approvals.need, 1]).max().unwrap_or(1)
    }
}

fn put_changes(ledger: &Ledger, changes: &[Change]) -> Result<(), SimulateError> {
    for change in changes {
        let document = Document {
            id: change.key(),
            time: change.started_at,
            service: change.target.service.clone(),
            state: if change.finished_at.is_some() { "finished" } else { "started" }.to_owned(),
            body: json!(change),
        };
        ledger.commit(vec![Write::Put(LedgerTable::Changes, document)])?;
    }
    Ok(())
}

/// An alert as it was at a time: firing from when it fired until it was resolved, and resolved for a moment after that.
fn alert_at(alert: &Alert, now: Timestamp) -> Option<Alert> {
    let fired_at = alert.fired_at?;
    if now < fired_at {
        return None;
    }
    let resolved = alert.resolved_at.filter(|at| *at <= now);
    let state = if resolved.is_some() { AlertState::Resolved } else { AlertState::Firing };
    Some(Alert { state, resolved_at: resolved, evaluated_at: now, data: DataState::Measured, ..alert.clone() })
}

/// Lets the simulated people answer: they approve, or take the first choice.
fn approve(responder: &Responder, input: &SimulateInput, now: Timestamp) -> Result<(), SimulateError> {
    let Some(after_ns) = input.approve_after_ns else { return Ok(()) };
    for approval in responder.approvals(true, usize::MAX, now)? {
        if now.0 - approval.asked_at.0 < after_ns {
            continue;
        }
        let choice = approval.choices.first().map_or(APPROVE, String::as_str).to_owned();
        for n in 0..approval.need {
            let mut roles = approval.roles.clone();
            roles.extend(approval.one_of.iter().cloned());
            let person = Principal { name: format!("{SIMULATED}-{n}"), roles };
            // What is refused is in the story.
            drop(responder.answer(&approval.id, &person, &choice, "", now));
        }
    }
    Ok(())
}

fn report(input: &SimulateInput, ledger: &Ledger, actions: Vec<ActionRequest>) -> Result<Simulation, SimulateError> {
    let mut steps = Vec::new();
    for document in ledger.list(LedgerTable::Timeline, &Filter::default())? {
        let Ok(entry) = serde_json::from_value::<TimelineEntry>(document.body) else { continue };
        steps.push(SimulatedStep {
            at: entry.at.to_string(),
            incident: entry.incident,
            kind: entry.kind.as_str().to_owned(),
            what: entry.summary,
            why: entry.detail,
        });
    }
    let mut runs = Vec::new();
    for document in ledger.list(LedgerTable::Runs, &Filter::default())? {
        let body = &document.body;
        runs.push(json!({
            "id": document.id, "incident": body["incident"], "state": document.state, "outcome": body["outcome"],
            "summary": body["summary"],
        }));
    }
    let mut notes =
        vec!["actions were not carried out; what was measured after them is what really happened then".to_owned()];
    if runs.is_empty() {
        let matching: BTreeMap<&str, &str> =
            input.playbook.matches.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        notes.push(format!(
            "the playbook never began: of {} alerts between {} and {} none fires for {matching:?} or names it",
            input.alerts.len(),
            input.from,
            input.to
        ));
    }
    Ok(Simulation { playbook: input.playbook.name.clone(), mode: input.mode, steps, runs, actions, notes })
}
