//! From alerts to incidents and runs.

use std::collections::BTreeSet;

use catalog::ledger::LedgerTable;
use change::Change;
use model::Timestamp;
use rules::{Alert, AlertState};
use serde_json::json;

use crate::incident::add;
use crate::join::{Begin, Place, enter};
use crate::responder::Seen;
use crate::writes::{Batch, read};
use crate::{EntryKind, FLAP_QUIET_NS, Incident, IncidentState, Playbook, RespondError, Responder, Run};

impl Responder {
    /// Takes the alerts of some rule groups as they are after an evaluation at `now`. Told the same twice, it does nothing the
    /// second time; told nothing about an alert, it leaves the alert as it is. So it can be told again after any failure.
    pub fn observe(&self, alerts: &[Alert], now: Timestamp) -> Result<(), RespondError> {
        let mut seen = self.deciding.lock();
        for alert in alerts {
            if alert.state != AlertState::Pending && !seen.live.contains_key(&alert.id) {
                self.catch_up(&mut seen, alert, alerts, now)?;
            }
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
        self.settle(&mut seen, now)
    }

    /// What was not told before an alert was first seen here. The rules keep their state in a commit of their own, so a process may have
    /// ended after that one and before ours: an episode that is over by now is told all the same, and the end of one that another
    /// has taken the place of. Without that the first would be nobody's, and the second would fire for ever and swallow the next.
    fn catch_up(&self, seen: &mut Seen, alert: &Alert, told: &[Alert], now: Timestamp) -> Result<(), RespondError> {
        let earlier = |known: &&Alert| {
            let stands = || told.iter().any(|told| told.id == known.id);
            known.fingerprint == alert.fingerprint && seen.firing.contains(&known.id) && !stands()
        };
        let earlier: Vec<Alert> = seen.live.values().filter(earlier).cloned().collect();
        for over in earlier {
            let over = Alert { state: AlertState::Resolved, resolved_at: Some(now), ..over };
            self.end(&over, now)?;
            seen.firing.remove(&over.id);
            seen.live.insert(over.id.clone(), over);
        }
        let untold = alert.state == AlertState::Resolved && alert.fired_at.is_some();
        if untold && self.records.get(LedgerTable::Alerts, &alert.id)?.is_none() {
            self.begin(&Alert { state: AlertState::Firing, resolved_at: None, ..alert.clone() }, now)?;
            seen.firing.insert(alert.id.clone());
        }
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

    /// An alert began to fire: it joins an incident, reopens one or opens one, and a run begins.
    fn begin(&self, alert: &Alert, now: Timestamp) -> Result<(), RespondError> {
        let mut batch = Batch::new(now);
        let place = self.place_of(alert, now)?;
        let reopened = matches!(place, Place::Reopens(..));
        let mut incident = enter(place, alert, &mut batch);
        for list in [&mut incident.alerts, &mut incident.firing] {
            add(list, &alert.id);
        }
        add(&mut incident.handling.fingerprints, &alert.fingerprint);
        incident.add_service(alert.service().unwrap_or(""));
        incident.handling.last_alert_at = Some(now);
        incident.handling.flap.quiet_since = None;
        self.say_that_it_fires(&mut incident, alert, &mut batch)?;
        batch.audit(
            "alert.firing",
            &alert.id,
            json!({"incident": incident.id, "rule": alert.rule, "labels": alert.labels}),
        );
        batch.put_alert(alert);
        let runs = self.begin_run(&mut incident, alert, &mut batch, now)?;
        if reopened && !runs {
            self.tell_of_reopening(&incident, alert, &mut batch)?;
        }
        batch.put_incident(&incident);
        Ok(batch.commit(&*self.records)?)
    }

    /// The entry of an alert. The verdict of a watch names its change, which is then blamed, and comes first.
    fn say_that_it_fires(&self, incident: &mut Incident, alert: &Alert, batch: &mut Batch) -> Result<(), RespondError> {
        let text = match blamed(alert) {
            None => format!("{} fires: {}", alert.rule, alert.summary()),
            Some(key) => {
                let change: Option<Change> = read(&*self.records, LedgerTable::Changes, key)?;
                let known = change.as_ref().map_or_else(|| format!("change {key}"), Change::summary);
                if incident.change.is_none() || incident.active_runs.is_empty() {
                    incident.change = Some(key.to_owned());
                }
                let detail = change.map_or_else(|| json!({"change": key}), |change| json!(change));
                batch.timeline(&incident.id, EntryKind::Change, known.clone(), detail);
                format!("verdict bad on {known}: {}", alert.summary())
            }
        };
        batch.timeline(&incident.id, EntryKind::Alert, text, json!(alert));
        Ok(())
    }

    /// Begins the run of the alert's playbook, if it has one; says whether a run is under way now.
    fn begin_run(
        &self,
        incident: &mut Incident,
        alert: &Alert,
        batch: &mut Batch,
        now: Timestamp,
    ) -> Result<bool, RespondError> {
        let playbook = match self.playbook_for(alert) {
            Ok(Some(playbook)) => playbook,
            Ok(None) => return Ok(false),
            Err(missing) => {
                let text = format!("the rule {} names the playbook {missing:?}, which is not loaded", alert.rule);
                let detail = json!({"rule": alert.rule, "playbook": missing});
                batch.timeline(&incident.id, EntryKind::Note, text, detail);
                return Ok(false);
            }
        };
        let id = match self.run_of(incident, playbook, alert, now)? {
            Begin::Run(id) => id,
            Begin::GoesOn => return Ok(true),
            Begin::DoneBefore => return Ok(false),
            Begin::Not(why) => {
                let text = format!("playbook {} does not run again: {why}", playbook.name);
                let detail = json!({"playbook": playbook.name, "outcome": "refused", "why": why});
                batch.timeline(&incident.id, EntryKind::Decision, text, detail);
                return Ok(false);
            }
        };
        let mut playbook = playbook.clone();
        playbook.mode = self.mode_of(&playbook)?;
        let service = alert.service().unwrap_or("").to_owned();
        let run = Run::new(id, incident, &alert.id, service, playbook, now);
        let playbook = &run.playbook;
        let text = format!("playbook {} begins, mode {}", playbook.name, playbook.mode.as_str());
        let detail = json!({"run": run.id, "playbook": playbook.name, "mode": playbook.mode, "alert": alert.id});
        batch.timeline(&incident.id, EntryKind::Decision, text, detail);
        let detail = json!({"incident": incident.id, "playbook": playbook.name, "alert": alert.id});
        batch.audit("run.started", &run.id, detail);
        batch.insert_run(&run);
        incident.runs.push(run.id.clone());
        incident.active_runs.push(run.id);
        Ok(true)
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
        // A person may have resolved the incident while the alert fired: its end belongs into the story all the same.
        for mut incident in self.open_incidents()?.into_iter().chain(self.resolved_lately()?) {
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

    /// Resolves incidents that flapped and have been quiet for long enough. They are looked at now and then only.
    fn settle(&self, seen: &mut Seen, now: Timestamp) -> Result<(), RespondError> {
        if seen.settled_at.is_some_and(|at| now.0.saturating_sub(at.0) < SETTLE_POLL_NS) {
            return Ok(());
        }
        let mut batch = Batch::new(now);
        for mut incident in self.open_incidents()? {
            if incident.handling.flap.quiet_since.is_some() {
                resolve_if_over(&mut incident, &mut batch, now);
                if incident.state == IncidentState::Resolved {
                    batch.put_incident(&incident);
                }
            }
        }
        batch.commit(&*self.records)?;
        seen.settled_at = Some(now);
        Ok(())
    }
}

/// How often incidents that flap are looked at, in nanoseconds.
const SETTLE_POLL_NS: i64 = 5_000_000_000;

/// The change that an alert blames by name: that of a watch's verdict does.
pub(crate) fn blamed(alert: &Alert) -> Option<&str> {
    alert.labels.get("change").map(String::as_str).filter(|key| !key.is_empty())
}

/// Resolves an incident when no alert of it fires and no run of it goes on. One that flaps waits for a quiet time, and one that
/// a person opened waits for a person.
pub(crate) fn resolve_if_over(incident: &mut Incident, batch: &mut Batch, now: Timestamp) {
    let over = incident.firing.is_empty() && incident.active_runs.is_empty();
    if incident.state != IncidentState::Open || !over || incident.handling.held_open {
        return;
    }
    let flap = &mut incident.handling.flap;
    if flap.flapping() {
        let Some(quiet_since) = flap.quiet_since else {
            flap.quiet_since = Some(now);
            let quiet_s = FLAP_QUIET_NS / 1_000_000_000;
            let text = format!(
                "nothing fires any more; it was reopened {} times, so it is resolved after {quiet_s}s of quiet",
                flap.reopens
            );
            batch.timeline(&incident.id, EntryKind::Note, text, json!({"flap": incident.handling.flap}));
            return;
        };
        if now.0.saturating_sub(quiet_since.0) < FLAP_QUIET_NS {
            return;
        }
    }
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(now);
    let outcome = incident.outcome.as_deref().map_or(String::new(), |outcome| format!(", outcome: {outcome}"));
    let detail = json!({"state": "resolved", "ended": incident.outcome, "by": "backstop"});
    batch.timeline(&incident.id, EntryKind::Note, format!("resolved{outcome}"), detail);
    batch.audit("incident.resolved", &incident.id, json!({"outcome": incident.outcome}));
}

/// Drops resolved alerts that the rules have dropped too.
fn forget(seen: &mut Seen, told: &[Alert], now: Timestamp) {
    let told: BTreeSet<&str> = told.iter().map(|alert| alert.id.as_str()).collect();
    let old = |alert: &Alert| alert.resolved_at.is_some_and(|at| now.0 - at.0 > rules::RESOLVED_RETENTION_NS);
    seen.live.retain(|id, alert| told.contains(id.as_str()) || !old(alert));
}
