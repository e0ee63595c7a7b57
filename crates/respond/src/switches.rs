//! What people set for the whole loop: the kill switch and the modes of playbooks.
//!
//! The kill switch is in the ledger, so that it survives a restart, every process sees it, and the audit trail says who pulled it.
//! A file in the data directory does the same ([`KillSwitch`](crate::KillSwitch)) when nothing else answers any more.

use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records, Write, time_text};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::action::ActionState;
use crate::approval::{Principal, withdraw};
use crate::writes::{ACTOR, Batch, parse, read};
use crate::{Action, EntryKind, Mode, Outcome, Playbook, RespondError, Responder, Run, RunState};

/// The id of the kill switch.
const KILL: &str = "kill";

/// Of the last [`TRIP_WINDOW_RUNS`] runs that acted, this many must have gone wrong for the kill switch to engage by itself.
pub const TRIP_BAD_MAX: usize = 4;

/// How many of the last runs that acted the automatic kill switch looks at.
pub const TRIP_WINDOW_RUNS: usize = 10;

/// Longest reason, in bytes.
pub const REASON_BYTES_MAX: usize = 1024;

/// How the kill switch stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KillState {
    /// Whether nothing may act.
    pub engaged: bool,
    /// Why.
    pub reason: String,
    /// Who set it so.
    pub by: String,
    /// When.
    #[serde(default, with = "time_text::option")]
    pub at: Option<Timestamp>,
}

/// Why a switch is not set.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// It makes no sense, or is not allowed; that was recorded.
    #[error("{reason}; {hint}")]
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The loop failed.
    #[error(transparent)]
    Respond(#[from] RespondError),
}

/// The mode that people gave a playbook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ModeSwitch {
    mode: Mode,
    by: String,
    reason: String,
    #[serde(with = "time_text")]
    at: Timestamp,
}

impl KillState {
    /// How it stands in a ledger.
    pub fn read(records: &dyn Records) -> Result<KillState, LedgerError> {
        Ok(read(records, LedgerTable::Switches, KILL)?.unwrap_or_default())
    }

    /// Engages it: nothing acts from now on, and what was planned is refused. The switch comes first and alone: an action that starts at
    /// the same moment must not keep it from being set.
    pub fn engage(records: &dyn Records, by: &str, reason: &str, now: Timestamp) -> Result<KillState, SwitchError> {
        check_reason(reason)?;
        let mut batch = Batch::new(now);
        let state = KillState { engaged: true, reason: reason.to_owned(), by: by.to_owned(), at: Some(now) };
        state.put(&mut batch);
        batch.audit_by(by, "switch.kill.engaged", KILL, json!({"reason": reason}));
        batch.commit(records)?;
        let planned = Filter { states: vec![ActionState::Planned.as_str().to_owned()], ..Filter::default() };
        for document in records.list(LedgerTable::Actions, &planned)? {
            let mut action: Action = parse(LedgerTable::Actions, document)?;
            let mut batch = Batch::new(now);
            action.state = ActionState::Refused;
            action.detail = format!("the kill switch is engaged: {reason}");
            batch.move_action(ActionState::Planned.as_str(), &action);
            batch.timeline(&action.incident, EntryKind::Decision, format!("stopped: {}", action.detail), json!(null));
            if let Some(id) = &action.approval {
                withdraw(records, id, &action.detail, &mut batch)?;
            }
            match batch.commit(records) {
                Ok(()) | Err(LedgerError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(state)
    }

    /// What a batch that starts an action expects of the switch: that it is not engaged when the batch is committed.
    pub(crate) fn expect_released() -> Write {
        Write::Expect { table: LedgerTable::Switches, id: KILL.to_owned(), key: "engaged", is: 0 }
    }

    /// Releases it.
    pub fn release(records: &dyn Records, by: &str, reason: &str, now: Timestamp) -> Result<KillState, SwitchError> {
        let mut batch = Batch::new(now);
        let state = KillState { engaged: false, reason: reason.to_owned(), by: by.to_owned(), at: Some(now) };
        state.put(&mut batch);
        batch.audit_by(by, "switch.kill.released", KILL, json!({"reason": reason}));
        batch.commit(records)?;
        Ok(state)
    }

    fn put(&self, batch: &mut Batch) {
        let state = if self.engaged { "engaged" } else { "released" };
        batch.push(switch(KILL, state, batch.now(), json!(self)));
    }
}

fn switch(id: &str, state: &str, now: Timestamp, body: serde_json::Value) -> Write {
    let (id, service, state) = (id.to_owned(), String::new(), state.to_owned());
    Write::Put(LedgerTable::Switches, Document { id, time: now, service, state, body })
}

fn check_reason(reason: &str) -> Result<(), SwitchError> {
    let refused = |reason: String, hint| Err(SwitchError::Refused { reason, hint });
    if reason.trim().is_empty() {
        return refused("a reason is missing".to_owned(), "say why: whoever comes next has to know");
    }
    if reason.len() > REASON_BYTES_MAX {
        return refused(format!("the reason has {} bytes, {REASON_BYTES_MAX} are allowed", reason.len()), "shorten it");
    }
    Ok(())
}

impl Responder {
    /// How the kill switch stands: the one of the ledger, or whatever else stops everything.
    pub fn kill_state(&self) -> Result<KillState, RespondError> {
        let state = KillState::read(&*self.records)?;
        match self.kill_switch.engaged() {
            Some(reason) if !state.engaged => Ok(KillState { engaged: true, reason, by: "file".to_owned(), at: None }),
            _ => Ok(state),
        }
    }

    /// Engages the kill switch.
    pub fn engage(&self, by: &str, reason: &str, now: Timestamp) -> Result<KillState, SwitchError> {
        let _deciding = self.deciding.lock();
        KillState::engage(&*self.records, by, reason, now)
    }

    /// Releases the kill switch of the ledger. What else stops everything stays.
    pub fn release(&self, by: &str, reason: &str, now: Timestamp) -> Result<KillState, SwitchError> {
        let _deciding = self.deciding.lock();
        KillState::release(&*self.records, by, reason, now)?;
        Ok(self.kill_state()?)
    }

    /// Why nothing may act, if so.
    pub(crate) fn killed(&self) -> Result<Option<String>, LedgerError> {
        if let Some(reason) = self.kill_switch.engaged() {
            return Ok(Some(reason));
        }
        let state = KillState::read(&*self.records)?;
        Ok(state.engaged.then(|| format!("{} (by {})", state.reason, state.by)))
    }

    /// Engages the kill switch when too many of the last actions went wrong: whatever the reason is, it is not found by going on.
    /// Only what was done since the switch was last released counts.
    pub(crate) fn trip_if_poor(&self, now: Timestamp) -> Result<(), RespondError> {
        let state = KillState::read(&*self.records)?;
        if state.engaged {
            return Ok(());
        }
        let filter = Filter {
            states: vec![RunState::Done.as_str().to_owned()],
            latest_first: true,
            limit: 10 * TRIP_WINDOW_RUNS,
            ..Filter::default()
        };
        let since = state.at.unwrap_or(Timestamp(i64::MIN));
        let mut outcomes = Vec::new();
        for document in self.records.list(LedgerTable::Runs, &filter)? {
            let run: Run = parse(LedgerTable::Runs, document)?;
            if run.created_at > since {
                outcomes.extend(run.outcome.filter(|outcome| acted_outcome(*outcome)));
            }
        }
        outcomes.truncate(TRIP_WINDOW_RUNS);
        let bad = outcomes.iter().filter(|outcome| !matches!(outcome, Outcome::Helped | Outcome::Acted)).count();
        if bad < TRIP_BAD_MAX {
            return Ok(());
        }
        let reason = format!(
            "{bad} of the last {} runs that acted did not help, made it worse or ended unknown; {TRIP_BAD_MAX} of \
             {TRIP_WINDOW_RUNS} are too many",
            outcomes.len()
        );
        match KillState::engage(&*self.records, ACTOR, &reason, now) {
            Ok(_) => Ok(()),
            Err(SwitchError::Ledger(error)) => Err(error.into()),
            Err(SwitchError::Respond(error)) => Err(error),
            // The reason is ours and short.
            Err(SwitchError::Refused { .. }) => Ok(()),
        }
    }

    /// The mode that a playbook runs in now: the file's, or what people made of it, never above what the file allows.
    pub fn mode_of(&self, playbook: &Playbook) -> Result<Mode, RespondError> {
        let found: Option<ModeSwitch> = read(&*self.records, LedgerTable::Switches, &mode_id(&playbook.name))?;
        Ok(found.map_or(playbook.mode, |switch| switch.mode.min(playbook.mode_max.max(playbook.mode))))
    }

    /// Gives a playbook another mode. Lowering is always allowed; raising needs an offer, or a reason that is written down.
    pub fn set_mode(
        &self,
        name: &str,
        mode: Mode,
        person: &Principal,
        reason: &str,
        now: Timestamp,
    ) -> Result<Mode, SwitchError> {
        let refused = |reason: String, hint| Err(SwitchError::Refused { reason, hint });
        let Some(playbook) = self.playbooks.iter().find(|playbook| playbook.name == name) else {
            return refused(format!("there is no playbook {name:?}"), "GET /playbooks lists them");
        };
        let (before, ceiling) = (self.mode_of(playbook)?, playbook.mode_max.max(playbook.mode));
        let mut why_not = None;
        if mode > ceiling {
            why_not =
                Some((format!("the file allows at most mode {}", ceiling.as_str()), "raise mode_max in the file"));
        } else if mode > before && reason.trim().is_empty() {
            let offered = self.offer(playbook, now)?.is_some_and(|offer| offer.mode >= mode);
            let what =
                format!("the record of {name} in mode {} does not offer mode {}", before.as_str(), mode.as_str());
            why_not = (!offered).then_some((what, "wait for its record, or give a reason for raising it without one"));
        } else if reason.len() > REASON_BYTES_MAX {
            why_not = Some((format!("the reason is longer than {REASON_BYTES_MAX} bytes"), "shorten it"));
        }
        let _deciding = self.deciding.lock();
        let mut batch = Batch::new(now);
        let mut detail = json!({"from": before.as_str(), "to": mode.as_str(), "reason": reason});
        if let Some((why, hint)) = why_not {
            detail["refused"] = json!(why);
            batch.audit_by(&person.name, "playbook.mode.refused", name, detail);
            batch.commit(&*self.records)?;
            return refused(why, hint);
        }
        let switched = ModeSwitch { mode, by: person.name.clone(), reason: reason.to_owned(), at: now };
        batch.push(switch(&mode_id(name), mode.as_str(), now, json!(switched)));
        batch.audit_by(&person.name, "playbook.mode.set", name, detail);
        batch.commit(&*self.records)?;
        Ok(mode)
    }
}

fn mode_id(playbook: &str) -> String {
    format!("mode/{playbook}")
}

/// Whether a run that ended so did something to a target.
pub(crate) fn acted_outcome(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Helped | Outcome::NotHelped | Outcome::Worse | Outcome::Acted | Outcome::Unknown => true,
        Outcome::Failed | Outcome::Held | Outcome::Rejected | Outcome::Observed | Outcome::Notified => false,
    }
}
