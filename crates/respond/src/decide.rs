//! The decision at a rollback step: who is to blame, is it bad, may it be undone.

use std::collections::BTreeMap;

use change::{AttributionInput, Change, Target, rank_with};
use model::Timestamp;
use rules::{Alert, AlertState};

use crate::action::action_key;
use crate::fill::{Fill, FillError, FillUse};
use crate::guards::{Plan, ask_all};
use crate::judge::Around;
use crate::{
    Action, ActionRequest, ActionState, Call, Evidence, Mode, RespondError, Responder, Rollback, Run, Verb, Verdict,
};

/// What was decided.
pub(crate) enum Decision {
    /// The verdict may still come.
    Wait(String),
    /// No.
    Refuse(Box<Action>),
    /// It would, in mode auto.
    Observe(Box<Action>),
    /// Yes.
    Act(Box<Action>),
}

impl Responder {
    /// Decides about a rollback step. The caller holds the `deciding` lock until the decision is committed.
    pub(crate) fn decide(
        &self,
        run: &Run,
        rollback: &Rollback,
        alert: &Alert,
        now: Timestamp,
    ) -> Result<Decision, RespondError> {
        let mut evidence = self.gather(run, alert, now)?;
        let blank = |evidence: &Evidence| blank_action(run, evidence, now);
        let patient = now.0 - run.created_at.max(self.started_at).0 < self.options.decision_patience_ns;
        if alert.state != AlertState::Firing {
            return Ok(refuse(blank(&evidence), "the alert does not fire any more"));
        }
        let change = match (&evidence.verdict, &evidence.change) {
            (Verdict::Bad, Some(change)) => change.clone(),
            (verdict, _) if patient => return Ok(Decision::Wait(format!("verdict {}", verdict.text()))),
            (verdict, _) => {
                let why = format!("verdict {}: only bad may act", verdict.text());
                return Ok(refuse(blank(&evidence), &why));
            }
        };
        let filled = match fill_rollback(run, rollback, alert, &change) {
            Ok(filled) => filled,
            Err(error) => return Ok(refuse(blank(&evidence), &error.to_string())),
        };
        let from = change.to_version.clone().unwrap_or_default();
        let plan = Plan {
            playbook: &run.playbook,
            incident: &run.incident,
            target: &filled.target,
            from: &from,
            to: &filled.to,
            change: &change,
            kill_switch: self.kill_switch.engaged(),
        };
        evidence.guards = ask_all(&plan, &*self.records, now)?;
        let mut action = blank(&evidence);
        action.key = action_key(&run.playbook.name, &run.id, run.step, &filled.target, &from, &filled.to);
        action.target = filled.target;
        action.from_version = from;
        action.to_version = filled.to;
        action.request = Some(ActionRequest {
            key: action.key.clone(),
            fence: 0,
            timeout_ns: rollback.timeout_ns,
            verb: Verb::Rollback,
            from_version: action.from_version.clone(),
            to_version: action.to_version.clone(),
            replicas: None,
            revision: None,
            call: filled.call,
        });
        if let Some(guard) = action.evidence.guards.iter().find(|guard| !guard.passed) {
            let why = format!("guard {}: {}", guard.guard, guard.detail);
            return Ok(refuse(action, &why));
        }
        Ok(match run.playbook.mode {
            Mode::Auto => Decision::Act(Box::new(action)),
            Mode::Observe | Mode::Suggest | Mode::Approve => {
                action.state = ActionState::Observed;
                action.key = format!("{}-observed", action.key);
                action.detail = format!("mode {}: not done", run.playbook.mode.as_str());
                Decision::Observe(Box::new(action))
            }
        })
    }

    /// Collects what a decision rests on, and the verdict.
    fn gather(&self, run: &Run, alert: &Alert, now: Timestamp) -> Result<Evidence, RespondError> {
        let within_ns = run.playbook.requires.change_within_ns;
        // Changes up to now are looked at, not only up to the alert: one that came later is cleared by name.
        let lookback_ns = within_ns.saturating_add(now.0 - alert.active_at.0);
        let changes = match run.service.as_str() {
            "" => Vec::new(),
            service => self.changes.recent(service, now, lookback_ns)?,
        };
        let suspects = rank_with(&AttributionInput {
            changes: &changes,
            affected: &Target { service: run.service.clone(), ..Target::default() },
            active_at: alert.active_at,
            within_ns,
            graph: None,
            splits: &[],
            now,
        });
        let later = changes.iter().any(|change| change.started_at > alert.active_at);
        let conflict = !suspects.concurrent.is_empty() || later;
        let accused = self.accused(alert)?.map(|watch| (watch.change, "the verdict of the watch over it".to_owned()));
        let first = suspects.first.map(|first| (first.change, first.reason));
        let (change, attribution) = accused.or(first).unzip();
        let around = Around { service: &run.service, alert, suspect: change.as_ref(), conflict };
        let (verdict, watch) = self.verdict(&around, now)?;
        Ok(Evidence {
            rule: alert.rule.clone(),
            query: alert.query.clone(),
            window_ns: alert.window_ns,
            labels: alert.labels.clone(),
            value: alert.value,
            columns: alert.columns.clone(),
            data: alert.data,
            active_at: alert.active_at,
            evaluated_at: alert.evaluated_at,
            decided_at: now,
            change,
            attribution,
            concurrent: suspects.concurrent,
            exonerated: suspects.exonerated,
            verdict,
            card: watch.map(|watch| watch.card),
            guards: Vec::new(),
        })
    }
}

fn refuse(mut action: Action, why: &str) -> Decision {
    action.state = ActionState::Refused;
    action.key = format!("{}-{}-refused", action.run, action.step);
    action.detail = why.to_owned();
    Decision::Refuse(Box::new(action))
}

fn blank_action(run: &Run, evidence: &Evidence, now: Timestamp) -> Action {
    let change = evidence.change.as_ref();
    Action {
        key: String::new(),
        run: run.id.clone(),
        incident: run.incident.clone(),
        playbook: run.playbook.name.clone(),
        step: run.step,
        target: run.service.clone(),
        from_version: change.and_then(|change| change.to_version.clone()).unwrap_or_default(),
        to_version: change.and_then(|change| change.from_version.clone()).unwrap_or_default(),
        state: ActionState::Planned,
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
    to: String,
    call: Call,
}

fn fill_rollback(run: &Run, rollback: &Rollback, alert: &Alert, change: &Change) -> Result<Filled, FillError> {
    let mut values = values(run, alert, change);
    let fill = |text: &str, values: &BTreeMap<String, String>, usage| Fill::parse(text)?.render(values, usage);
    let target = match &rollback.service {
        Some(service) => fill(service, &values, FillUse::Text)?,
        None => run.service.clone(),
    };
    let to = match &rollback.to {
        Some(to) => fill(to, &values, FillUse::Text)?,
        None => change.from_version.clone().unwrap_or_default(),
    };
    values.insert("service".to_owned(), target.clone());
    values.insert("to_version".to_owned(), to.clone());
    let call = rollback.call.fill(&values)?;
    Ok(Filled { target, to, call })
}

fn values(run: &Run, alert: &Alert, change: &Change) -> BTreeMap<String, String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut values: BTreeMap<String, String> = [
        ("service", run.service.clone()),
        ("incident.id", run.incident.clone()),
        ("change.id", change.id.clone()),
        ("change.source", change.source.clone()),
        ("change.from_version", text(&change.from_version)),
        ("change.to_version", text(&change.to_version)),
        ("change.artifact", text(&change.artifact)),
        ("alert.name", alert.rule.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    for (name, value) in &alert.labels {
        values.insert(format!("alert.labels.{name}"), value.clone());
    }
    values
}
