//! Where an alert belongs: into an open incident, into one that it reopens, or into one of its own; and whether its playbook may
//! run once more.

use catalog::ledger::{Filter, LedgerTable, sha256_hex};
use model::Timestamp;
use rules::Alert;
use serde_json::json;

use crate::guards::actions;
use crate::incident::{RELATED_WINDOW_NS, REOPEN_CANDIDATES_MAX, REOPEN_WINDOW_NS};
use crate::observe::blamed;
use crate::run::{run_id, run_id_again};
use crate::writes::{Batch, parse, read};
use crate::{
    EntryKind, Handling, Incident, IncidentState, Notification, Playbook, RespondError, Responder, Run, RunState,
};

/// Where an alert belongs.
pub(crate) enum Place {
    /// Into an open incident of the same service or rule group.
    Joins(Incident),
    /// Into the open incident of another service, and why.
    Related(Incident, String),
    /// Into a resolved incident, which is open again, and why.
    Reopens(Incident, String),
    /// Into one of its own.
    New(Incident),
}

/// Whether a playbook begins.
pub(crate) enum Begin {
    /// As a run of this id.
    Run(String),
    /// Its run in this incident goes on.
    GoesOn,
    /// It has run for this episode of the incident.
    DoneBefore,
    /// It has run before, and a guard forbids another run.
    Not(String),
}

impl Responder {
    /// Where an alert that begins to fire belongs.
    pub(crate) fn place_of(&self, alert: &Alert, now: Timestamp) -> Result<Place, RespondError> {
        let service = alert.service().unwrap_or("");
        let same = |incident: &Incident| {
            incident.concerns(service)
                || (service.is_empty() && incident.service.is_empty() && incident.group == alert.group)
        };
        let mut open = self.open_incidents()?;
        if let Some(at) = open.iter().position(same) {
            return Ok(Place::Joins(open.swap_remove(at)));
        }
        for incident in open {
            if let Some(reason) = self.related(&incident, alert, now) {
                return Ok(Place::Related(incident, reason));
            }
        }
        for incident in self.resolved_lately()? {
            let age_ns = incident.resolved_at.map_or(i64::MAX, |at| now.0.saturating_sub(at.0));
            let again = incident.handling.fingerprints.contains(&alert.fingerprint);
            // A verdict on another change is another story, however soon it comes.
            let other = blamed(alert).is_some_and(|key| incident.change.as_deref().is_some_and(|change| change != key));
            if age_ns <= REOPEN_WINDOW_NS && (again || same(&incident)) && !other {
                let what = if again { "the same alert" } else { "an alert of the same service" };
                let reason = format!("{what} fires {}s after it was resolved", age_ns / 1_000_000_000);
                return Ok(Place::Reopens(incident, reason));
            }
        }
        Ok(Place::New(new_incident(alert, service, now)))
    }

    /// Why an alert of another service belongs into an open incident.
    fn related(&self, incident: &Incident, alert: &Alert, now: Timestamp) -> Option<String> {
        let last = incident.handling.last_alert_at.unwrap_or(incident.opened_at);
        if now.0.saturating_sub(last.0) > RELATED_WINDOW_NS {
            return None;
        }
        if let (Some(blamed), Some(change)) = (blamed(alert), &incident.change)
            && blamed == change
        {
            return Some(format!("both blame the change {change}"));
        }
        let service = alert.service().filter(|service| !service.is_empty())?;
        let own = std::iter::once(&incident.service).chain(&incident.handling.services);
        own.filter(|own| !own.is_empty()).find_map(|own| self.related_services(own, service))
    }

    pub(crate) fn open_incidents(&self) -> Result<Vec<Incident>, RespondError> {
        self.incidents(&Filter { states: vec![IncidentState::Open.as_str().to_owned()], ..Filter::default() })
    }

    /// The incidents that were opened last and are resolved.
    pub(crate) fn resolved_lately(&self) -> Result<Vec<Incident>, RespondError> {
        self.incidents(&Filter {
            states: vec![IncidentState::Resolved.as_str().to_owned()],
            latest_first: true,
            limit: REOPEN_CANDIDATES_MAX,
            ..Filter::default()
        })
    }

    fn incidents(&self, filter: &Filter) -> Result<Vec<Incident>, RespondError> {
        let found = self.records.list(LedgerTable::Incidents, filter)?;
        Ok(found.into_iter().map(|document| parse(LedgerTable::Incidents, document)).collect::<Result<_, _>>()?)
    }

    /// Whether the alert's playbook begins in this incident. It runs once, and once more each time that the incident is reopened
    /// and nothing forbids it: what did not help the first time is not repeated blindly.
    pub(crate) fn run_of(
        &self,
        incident: &Incident,
        playbook: &Playbook,
        alert: &Alert,
        now: Timestamp,
    ) -> Result<Begin, RespondError> {
        let reopened = incident.handling.reopened;
        let first = run_id(&incident.id, &playbook.name);
        let again = (1..=reopened).map(|time| run_id_again(&incident.id, &playbook.name, time));
        let merged = incident.handling.merged.iter().map(|merged| run_id(merged, &playbook.name));
        let (mut ran, mut acted) = (false, false);
        for id in std::iter::once(first.clone()).chain(again).chain(merged) {
            let Some(run) = read::<Run>(&*self.records, LedgerTable::Runs, &id)? else { continue };
            if run.state == RunState::Active {
                return Ok(Begin::GoesOn);
            }
            ran = true;
            acted |= run.acted || run.action.is_some();
        }
        if !ran {
            return Ok(Begin::Run(first));
        }
        // An alert came before the verdict, and nothing was done for want of it. Now it is there.
        if alert.rule == watch::CHANGE_VERDICT && !acted {
            let id = run_id(&format!("{}\0{}", incident.id, alert.id), &playbook.name);
            let known = read::<Run>(&*self.records, LedgerTable::Runs, &id)?;
            return Ok(if known.is_some() { Begin::DoneBefore } else { Begin::Run(id) });
        }
        let next = run_id_again(&incident.id, &playbook.name, reopened);
        if reopened == 0 || read::<Run>(&*self.records, LedgerTable::Runs, &next)?.is_some() {
            return Ok(Begin::DoneBefore);
        }
        let objection = self.objection_to_rerun(incident, playbook, alert.service().unwrap_or(""), now)?;
        Ok(objection.map_or(Begin::Run(next), Begin::Not))
    }

    /// What speaks against running a playbook once more. The guards of the action itself are asked later, all of them; these are
    /// the ones that need no plan.
    fn objection_to_rerun(
        &self,
        incident: &Incident,
        playbook: &Playbook,
        target: &str,
        now: Timestamp,
    ) -> Result<Option<String>, RespondError> {
        if let Some(reason) = self.kill_switch.engaged() {
            return Ok(Some(format!("the kill switch is engaged: {reason}")));
        }
        let flap = &incident.handling.flap;
        if flap.flapping() {
            return Ok(Some(format!("the incident flaps, it was reopened {} times", flap.reopens)));
        }
        let secs = |ns: i64| ns / 1_000_000_000;
        let cooldown_ns = playbook.guards.cooldown_ns;
        let recent = actions(&*self.records, Some(target), now, cooldown_ns)?;
        if let Some(last) = recent.iter().filter_map(|action| action.started_at).max()
            && now.0.saturating_sub(last.0) < cooldown_ns
        {
            let (age, cooldown) = (secs(now.0.saturating_sub(last.0)), secs(cooldown_ns));
            return Ok(Some(format!(
                "guard cooldown: the last action on {target} was {age}s ago, less than {cooldown}s"
            )));
        }
        for (window_ns, max) in &playbook.guards.max_per {
            let found = actions(&*self.records, None, now, *window_ns)?;
            let count = found.iter().filter(|action| action.playbook == playbook.name).count();
            if count >= *max as usize {
                return Ok(Some(format!("guard max_per: {count} of {max} actions in {}s", secs(*window_ns))));
            }
        }
        Ok(None)
    }

    /// Tells people that an incident is open again and no playbook runs, unless they were told that it flaps.
    pub(crate) fn tell_of_reopening(
        &self,
        incident: &Incident,
        alert: &Alert,
        batch: &mut Batch,
    ) -> Result<(), RespondError> {
        if incident.handling.flap.reopens > crate::FLAP_REOPENS_MIN {
            return Ok(());
        }
        let flaps =
            if incident.handling.flap.flapping() { ", and it flaps: no more of this until it is quiet" } else { "" };
        let text = format!("{} fires again, no playbook runs{flaps}", alert.rule);
        let change = match &incident.change {
            Some(key) => read(&*self.records, LedgerTable::Changes, key)?,
            None => None,
        };
        for receiver in &self.options.escalation_receivers {
            let parts = json!([incident.id, "reopened", incident.handling.reopened, receiver]);
            let notification = Notification {
                id: format!("ntf-{}", &sha256_hex(parts.to_string().as_bytes())[..16]),
                receiver: receiver.clone(),
                template: "reopened".to_owned(),
                text: format!("{}: {text}", incident.title),
                at: batch.now(),
                incident: incident.clone(),
                alerts: vec![alert.clone()],
                change: change.clone(),
                action: None,
                outcome: "running".to_owned(),
            };
            let detail = json!({"id": notification.id, "receiver": receiver, "template": "reopened"});
            batch.timeline(&incident.id, EntryKind::Notify, format!("telling {receiver}: {text}"), detail);
            batch.queue(&notification);
        }
        Ok(())
    }
}

/// Opens, joins or reopens, with the entry that says so.
pub(crate) fn enter(place: Place, alert: &Alert, batch: &mut Batch) -> Incident {
    match place {
        Place::Joins(incident) => incident,
        Place::Related(incident, reason) => {
            let service = alert.service().unwrap_or("");
            let text = format!("an alert of {service} joins: {reason}");
            let detail = json!({"alert": alert.id, "service": service, "reason": reason});
            batch.timeline(&incident.id, EntryKind::Decision, text, detail.clone());
            batch.audit("incident.joined", &incident.id, detail);
            incident
        }
        Place::Reopens(mut incident, reason) => {
            reopen(&mut incident, batch.now());
            incident.handling.flap.count(batch.now());
            let detail = json!({"alert": alert.id, "reason": reason, "reopened": incident.handling.reopened});
            batch.timeline(&incident.id, EntryKind::Note, format!("reopened: {reason}"), detail.clone());
            batch.audit("incident.reopened", &incident.id, detail);
            incident
        }
        Place::New(incident) => {
            let detail = json!({"service": incident.service, "alert": alert.id, "title": incident.title});
            batch.audit("incident.opened", &incident.id, detail);
            incident
        }
    }
}

/// Makes a resolved incident open again. How it ended before stays in its timeline.
pub(crate) fn reopen(incident: &mut Incident, now: Timestamp) {
    incident.state = IncidentState::Open;
    incident.resolved_at = None;
    incident.outcome = None;
    let handling = &mut incident.handling;
    handling.reopened += 1;
    handling.reopened_at = Some(now);
    handling.resolved_by = None;
    (handling.acked_by, handling.acked_at) = (None, None);
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
        handling: Handling::default(),
    }
}
