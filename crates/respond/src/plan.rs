//! The plan of an acting step: may it act, on what, how, and what do the guards say.

use std::collections::BTreeMap;

use change::Change;
use model::{Timestamp, Value};
use rules::{Alert, AlertState};

use crate::action::action_key;
use crate::attribute::Scene;
use crate::fill::{Fill, FillError, FillUse};
use crate::guards::{Plan, ask_all, frozen};
use crate::playbook::{Act, Replicas, RequiredVerdict};
use crate::{
    Action, ActionRequest, ActionState, Call, Evidence, Mode, RespondError, Responder, Run, UnknownReason, Verb,
    Verdict,
};

/// What was decided.
pub(crate) enum Decision {
    /// The verdict may still come.
    Wait(String),
    /// No.
    Refuse(Box<Action>),
    /// It would, in another mode.
    Observe(Box<Action>),
    /// Yes, perhaps after people said so.
    Act(Box<Action>),
}

/// What the verdict allows.
pub(crate) enum Allowed {
    Yes,
    /// Not now; it may change.
    NotYet(String),
    No(String),
}

impl Responder {
    /// Decides about an acting step. The caller holds the `deciding` lock until the decision is committed.
    pub(crate) fn decide(
        &self,
        run: &Run,
        act: &Act,
        scene: Scene<'_>,
        now: Timestamp,
    ) -> Result<Decision, RespondError> {
        let alert = scene.alert;
        let mut evidence = self.gather(run, scene, now)?;
        let blank = |evidence: &Evidence| blank_action(run, act, evidence, now);
        let since = run.since().max(self.started_at);
        match self.allowed(run, act, alert, &evidence, now.0 - since.0) {
            Allowed::Yes => {}
            Allowed::NotYet(why) => return Ok(Decision::Wait(why)),
            Allowed::No(why) => return Ok(refuse(blank(&evidence), &why)),
        }
        if is_undo(run) {
            // What is taken back is what this run did, whoever is blamed by now.
            evidence.change.clone_from(&run.change);
        }
        let filled = match fill_act(run, act, alert, evidence.change.as_ref()) {
            Ok(filled) => filled,
            Err(error) => return Ok(refuse(blank(&evidence), &error.to_string())),
        };
        let mut action = blank(&evidence);
        action.group = self.group_of(run, &evidence)?;
        let step = run.undoing.last().copied().unwrap_or(run.step);
        let goes = (filled.target.as_str(), filled.from.as_str(), filled.to.as_str());
        action.key = action_key(&run.playbook.name, &run.id, step, action.undo, goes);
        action.step = step;
        action.target = filled.target;
        action.from_version = filled.from;
        action.to_version = filled.to;
        action.request = Some(ActionRequest {
            key: action.key.clone(),
            fence: 0,
            timeout_ns: act.timeout_ns,
            verb: act.verb,
            from_version: action.from_version.clone(),
            to_version: action.to_version.clone(),
            replicas: filled.replicas,
            revision: None,
            call: filled.call,
        });
        self.ask_guards(run, &mut action, now)?;
        if let Some(why) = forbidden(&action) {
            return Ok(refuse(action, &why));
        }
        if run.playbook.mode > Mode::Observe {
            return Ok(Decision::Act(Box::new(action)));
        }
        action.state = ActionState::Observed;
        action.key = format!("{}-observed", action.key);
        action.detail = format!("mode {}: not done", run.playbook.mode.as_str());
        Ok(Decision::Observe(Box::new(action)))
    }

    /// Whether what is known allows the step to act; `waited_ns` is how long it has been looked at. An effect may always be taken back.
    pub(crate) fn allowed(&self, run: &Run, act: &Act, alert: &Alert, evidence: &Evidence, waited_ns: i64) -> Allowed {
        if is_undo(run) {
            return Allowed::Yes;
        }
        if alert.state != AlertState::Firing {
            return Allowed::No("the alert does not fire any more".to_owned());
        }
        let verdict = evidence.verdict.text();
        let (lacking, only) = match (required(run, act), &evidence.verdict) {
            (RequiredVerdict::Bad, Verdict::Bad) if evidence.change.is_some() => return Allowed::Yes,
            (RequiredVerdict::Bad, _) => (format!("verdict {verdict}"), "only bad may act"),
            (RequiredVerdict::None, Verdict::Unknown(reason)) if is_blind(*reason) => {
                (format!("verdict {verdict}"), "only what is measured may act")
            }
            (RequiredVerdict::None, _) => return Allowed::Yes,
        };
        if waited_ns < self.options.decision_patience_ns {
            Allowed::NotYet(lacking)
        } else {
            Allowed::No(format!("{lacking}: {only}"))
        }
    }

    /// Asks the guards and writes down what they say.
    pub(crate) fn ask_guards(&self, run: &Run, action: &mut Action, now: Timestamp) -> Result<(), RespondError> {
        let plan = Plan {
            playbook: &run.playbook,
            run,
            verb: action.verb,
            undo: action.undo,
            target: &action.target,
            group: &action.group,
            from: &action.from_version,
            to: &action.to_version,
            change: action.evidence.change.as_ref(),
            evidence: &action.evidence,
            kill_switch: self.killed()?,
            suspect: self.health.suspect(now),
            frozen: frozen(run.playbook.guards.freeze.iter().chain(&self.options.freeze), now),
        };
        let guards = ask_all(&plan, &*self.records, now)?;
        action.evidence.guards = guards;
        Ok(())
    }

    /// The group that guards count together: the namespace of the change's target, else the rule group of the incident.
    fn group_of(&self, run: &Run, evidence: &Evidence) -> Result<String, RespondError> {
        let namespace = evidence.change.as_ref().and_then(|change| change.target.namespace.clone());
        Ok(match namespace {
            Some(namespace) => namespace,
            None => self.incident_of(run)?.group,
        })
    }
}

/// Whether the run takes back what it did.
pub(crate) fn is_undo(run: &Run) -> bool {
    !run.undoing.is_empty()
}

fn required(run: &Run, act: &Act) -> RequiredVerdict {
    if act.verb == Verb::Rollback { RequiredVerdict::Bad } else { run.playbook.requires.verdict }
}

/// Reasons that say that nothing was measured, as opposed to nothing being known of a change.
fn is_blind(reason: UnknownReason) -> bool {
    match reason {
        UnknownReason::NoData | UnknownReason::QueryError | UnknownReason::StaleData | UnknownReason::SelfSuspect => {
            true
        }
        UnknownReason::Conflict | UnknownReason::NoChange | UnknownReason::NoService | UnknownReason::LowSample => {
            false
        }
    }
}

/// The first guard that says no.
pub(crate) fn forbidden(action: &Action) -> Option<String> {
    let guard = action.evidence.guards.iter().find(|guard| !guard.passed)?;
    Some(format!("guard {}: {}", guard.guard, guard.detail))
}

fn refuse(mut action: Action, why: &str) -> Decision {
    action.state = ActionState::Refused;
    let undo = if action.undo { "-undo" } else { "" };
    action.key = format!("{}-{}{undo}-refused", action.run, action.step);
    action.detail = why.to_owned();
    Decision::Refuse(Box::new(action))
}

fn blank_action(run: &Run, act: &Act, evidence: &Evidence, now: Timestamp) -> Action {
    let change = evidence.change.as_ref().filter(|_| act.verb == Verb::Rollback);
    Action {
        key: String::new(),
        run: run.id.clone(),
        incident: run.incident.clone(),
        playbook: run.playbook.name.clone(),
        step: run.step,
        target: run.service.clone(),
        group: String::new(),
        verb: act.verb,
        undo: is_undo(run),
        mode: run.playbook.mode,
        from_version: change.and_then(|change| change.to_version.clone()).unwrap_or_default(),
        to_version: change.and_then(|change| change.from_version.clone()).unwrap_or_default(),
        state: ActionState::Planned,
        approval: None,
        request: None,
        evidence: evidence.clone(),
        planned_at: now,
        started_at: None,
        finished_at: None,
        detail: String::new(),
        output: String::new(),
    }
}

struct Filled {
    target: String,
    from: String,
    to: String,
    replicas: Option<u32>,
    call: Call,
}

fn fill_act(run: &Run, act: &Act, alert: &Alert, change: Option<&Change>) -> Result<Filled, FillError> {
    let mut values = values(run, alert, change);
    let target = match &act.service {
        Some(service) => fill(service, &values, FillUse::Text)?,
        None => run.service.clone(),
    };
    let version = |version: Option<&String>| version.cloned().unwrap_or_default();
    let before = version(change.and_then(|change| change.from_version.as_ref()));
    let after = version(change.and_then(|change| change.to_version.as_ref()));
    let replicas = act.replicas.as_ref().map(|replicas| fill_replicas(replicas, &values)).transpose()?;
    let (from, back) = if is_undo(run) { (before, after) } else { (after, before) };
    let (from, to) = match (act.verb, &act.to, replicas) {
        (Verb::Rollback, Some(to), _) => (from, fill(to, &values, FillUse::Text)?),
        (Verb::Rollback, None, _) => (from, back),
        (_, _, Some(replicas)) => (String::new(), replicas.to_string()),
        (_, _, None) => (String::new(), String::new()),
    };
    values.insert("service".to_owned(), target.clone());
    values.insert("to_version".to_owned(), to.clone());
    let call = act.call.fill(&values)?;
    Ok(Filled { target, from, to, replicas, call })
}

fn fill(text: &str, values: &BTreeMap<String, String>, usage: FillUse) -> Result<String, FillError> {
    Fill::parse(text)?.render(values, usage)
}

/// The number of instances to scale to. A number that is not known is an error: then nothing is scaled.
fn fill_replicas(replicas: &Replicas, values: &BTreeMap<String, String>) -> Result<u32, FillError> {
    match replicas {
        Replicas::Absolute(n) => Ok(*n),
        Replicas::Relative { of, add, min, max } => {
            let text = fill(of, values, FillUse::Text)?;
            let now = text.trim().parse::<f64>().ok().filter(|now| now.is_finite() && *now >= 0.0);
            let now = now.ok_or_else(|| FillError {
                offset: 0,
                message: format!("{text:?} is not a number of instances"),
                hint: "let a query step measure it, and name it as `of: \"{{ steps.ID.value }}\"`".to_owned(),
            })?;
            let wanted = (now.round() as i64).saturating_add(*add).clamp(i64::from(*min), i64::from(*max));
            Ok(u32::try_from(wanted).unwrap_or(*min))
        }
    }
}

/// Everything that templates may use, as text.
pub(crate) fn values(run: &Run, alert: &Alert, change: Option<&Change>) -> BTreeMap<String, String> {
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let mut values: BTreeMap<String, String> = [
        ("service", run.service.clone()),
        ("incident.id", run.incident.clone()),
        ("change.id", text(change.map(|change| &change.id))),
        ("change.source", text(change.map(|change| &change.source))),
        ("change.from_version", text(change.and_then(|change| change.from_version.as_ref()))),
        ("change.to_version", text(change.and_then(|change| change.to_version.as_ref()))),
        ("change.artifact", text(change.and_then(|change| change.artifact.as_ref()))),
        ("alert.name", alert.rule.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in &alert.labels {
        values.insert(format!("alert.labels.{name}"), value.clone());
    }
    values.extend(found(run).into_iter().map(|(name, value)| (name, value.text().into_owned())));
    values
}

/// What the steps of a run found out, by the names that templates and conditions use.
pub(crate) fn found(run: &Run) -> BTreeMap<String, Value> {
    let mut values = BTreeMap::new();
    for (id, result) in &run.results {
        result.add_to(id, &mut values);
    }
    values
}
