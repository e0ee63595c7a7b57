//! From alerts to incidents and runs.

use std::collections::BTreeSet;

use catalog::ledger::{Filter, LedgerTable, sha256_hex};
use model::Timestamp;
use rules::{Alert, AlertState};
use serde_json::json;

use crate::responder::Seen;
use crate::run::run_id;
use crate::writes::{Batch, parse, read};
use crate::{EntryKind, Incident, IncidentState, Playbook, RespondError, Responder, Run};

impl Responder {
    /// Takes the alerts of some rule groups as they are after an evaluation at `now`. Told the same twice, it does nothing the
    /// second time; told nothing about an alert, it leaves the alert as it is. So it can be told again after any failure.
    pub fn observe(&self, alerts: &[Alert], now: Timestamp) -> Result<(), RespondError> {
        let mut seen = self.deciding.lock();
        for alert in alerts {
            let known = seen.firing.contains(&alert.id);
            match alert.state {
                AlertState::Pending => {}
                AlertState::Firing => {
                    if !known {
                        self.begin(alert, now)?;
                        seen.firing.insert(alert.id.clone());
                    }
                    seen.live.insert(alert.id.clone(), alert.clone());
                }
                AlertState::Resolved => {
                    if known {
                        self.end(alert, now)?;
                        seen.firing.remove(&alert.id);
                    }
                    seen.live.insert(alert.id.clone(), alert.clone());
                }
            }
        }
        forget(&mut seen, alerts, now);
        Ok(())
    }

    /// Resolves the firing alerts of rules that are not evaluated any more: of all groups but `groups`. Called once after the
    /// rule files were read, or nobody would ever resolve them.
    pub fn retire(&self, groups: &[String], now: Timestamp) -> Result<(), RespondError> {
        let gone: Vec<Alert> = {
            let seen = self.deciding.lock();
            let firing = seen.live.values().filter(|alert| seen.firing.contains(&alert.id));
            firing.filter(|alert| !groups.contains(&alert.group)).cloned().collect()
        };
        let resolve = |alert: Alert| Alert { state: AlertState::Resolved, resolved_at: Some(now), ..alert };
        let resolved: Vec<Alert> = gone.into_iter().map(resolve).collect();
        self.observe(&resolved, now)
    }

    /// An alert began to fire: it joins an incident or opens one, and a run begins.
    fn begin(&self, alert: &Alert, now: Timestamp) -> Result<(), RespondError> {
        let mut batch = Batch::new(now);
        let service = alert.service().unwrap_or("").to_owned();
        let (mut incident, opened) = match self.open_incident(&service, &alert.group)? {
            Some(incident) => (incident, false),
            None => (new_incident(alert, &service, now), true),
        };
        if opened {
            let detail = json!({"service": service, "alert": alert.id, "title": incident.title});
            batch.audit("incident.opened", &incident.id, detail);
        }
        for list in [&mut incident.alerts, &mut incident.firing] {
            if !list.contains(&alert.id) {
                list.push(alert.id.clone());
            }
        }
        let text = format!("{} fires: {}", alert.rule, alert.summary());
        batch.timeline(&incident.id, EntryKind::Alert, text, json!(alert));
        batch.audit(
            "alert.firing",
            &alert.id,
            json!({"incident": incident.id, "rule": alert.rule, "labels": alert.labels}),
        );
        batch.put_alert(alert);
        self.begin_run(&mut incident, alert, &mut batch, now)?;
        batch.put_incident(&incident);
        Ok(batch.commit(&*self.records)?)
    }

    fn begin_run(
        &self,
        incident: &mut Incident,
        alert: &Alert,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        let playbook = match self.playbook_for(alert) {
            Ok(Some(playbook)) => playbook,
            Ok(None) => return Ok(()),
            Err(missing) => {
                let text = format!("the rule {} names the playbook {missing:?}, which is not loaded", alert.rule);
                batch.timeline(&incident.id, EntryKind::Note, text, json!(null));
                return Ok(());
            }
        };
        let id = run_id(&incident.id, &playbook.name);
        let known: Option<Run> = read(&*self.records, LedgerTable::Runs, &id)?;
        if known.is_some() {
            return Ok(());
        }
        let mut playbook = playbook.clone();
        playbook.mode = self.mode_of(&playbook)?;
        let run = Run::new(incident, &alert.id, playbook, now);
        let playbook = &run.playbook;
        let text = format!("playbook {} begins, mode {}", playbook.name, playbook.mode.as_str());
        batch.timeline(&incident.id, EntryKind::Decision, text, json!({"run": id}));
        batch.audit("run.started", &id, json!({"incident": incident.id, "playbook": playbook.name, "alert": alert.id}));
        batch.insert_run(&run);
        incident.runs.push(id.clone());
        incident.active_runs.push(id);
        Ok(())
    }

    /// The playbook that the rule names, else the first whose labels match; the name when the rule names one that is not loaded.
    fn playbook_for(&self, alert: &Alert) -> Result<Option<&Playbook>, String> {
        if let Some(name) = &alert.playbook {
            let found = self.playbooks.iter().find(|playbook| playbook.name == *name);
            return found.map(Some).ok_or_else(|| name.clone());
        }
        let matches = |playbook: &&Playbook| {
            let met = |(name, value): (&String, &String)| alert.labels.get(name) == Some(value);
            !playbook.matches.is_empty() && playbook.matches.iter().all(met)
        };
        Ok(self.playbooks.iter().find(matches))
    }

    /// An alert is resolved.
    fn end(&self, alert: &Alert, now: Timestamp) -> Result<(), RespondError> {
        let mut batch = Batch::new(now);
        batch.put_alert(alert);
        batch.audit("alert.resolved", &alert.id, json!({"rule": alert.rule, "labels": alert.labels}));
        let filter = Filter { states: vec![IncidentState::Open.as_str().to_owned()], ..Filter::default() };
        for document in self.records.list(LedgerTable::Incidents, &filter)? {
            let mut incident: Incident = parse(LedgerTable::Incidents, document)?;
            if !incident.firing.contains(&alert.id) {
                continue;
            }
            incident.firing.retain(|id| *id != alert.id);
            batch.timeline(&incident.id, EntryKind::Alert, format!("{} is resolved", alert.rule), json!(alert));
            resolve_if_over(&mut incident, &mut batch, now);
            batch.put_incident(&incident);
        }
        Ok(batch.commit(&*self.records)?)
    }

    fn open_incident(&self, service: &str, group: &str) -> Result<Option<Incident>, RespondError> {
        let filter = Filter {
            service: Some(service.to_owned()),
            states: vec![IncidentState::Open.as_str().to_owned()],
            ..Filter::default()
        };
        for document in self.records.list(LedgerTable::Incidents, &filter)? {
            let incident: Incident = parse(LedgerTable::Incidents, document)?;
            if !service.is_empty() || incident.group == group {
                return Ok(Some(incident));
            }
        }
        Ok(None)
    }
}

/// Resolves an incident when no alert of it fires and no run of it goes on.
pub(crate) fn resolve_if_over(incident: &mut Incident, batch: &mut Batch, now: Timestamp) {
    if incident.state == IncidentState::Resolved || !incident.firing.is_empty() || !incident.active_runs.is_empty() {
        return;
    }
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(now);
    let outcome = incident.outcome.as_deref().map_or(String::new(), |outcome| format!(", outcome: {outcome}"));
    batch.timeline(&incident.id, EntryKind::Note, format!("resolved{outcome}"), json!(null));
    batch.audit("incident.resolved", &incident.id, json!({"outcome": incident.outcome}));
}

fn new_incident(alert: &Alert, service: &str, now: Timestamp) -> Incident {
    Incident {
        id: format!("inc-{}", &sha256_hex(alert.id.as_bytes())[..12]),
        title: alert.summary(),
        service: service.to_owned(),
        group: alert.group.clone(),
        severity: alert.labels.get("severity").cloned(),
        state: IncidentState::Open,
        started_at: alert.active_at,
        opened_at: now,
        resolved_at: None,
        alerts: Vec::new(),
        firing: Vec::new(),
        runs: Vec::new(),
        active_runs: Vec::new(),
        change: None,
        outcome: None,
    }
}

/// Drops resolved alerts that the rules have dropped too.
fn forget(seen: &mut Seen, told: &[Alert], now: Timestamp) {
    let told: BTreeSet<&str> = told.iter().map(|alert| alert.id.as_str()).collect();
    let old = |alert: &Alert| alert.resolved_at.is_some_and(|at| now.0 - at.0 > rules::RESOLVED_RETENTION_NS);
    seen.live.retain(|id, alert| told.contains(id.as_str()) || !old(alert));
}
