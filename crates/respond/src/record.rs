//! How well a playbook did: what the next mode is offered by.
//!
//! Nothing is counted as it happens; the record is told from the actions, approvals and runs of the last 90 days, so that it can
//! not drift from them. What would have been done (mode observe) is judged afterwards: by people, by a later change that went
//! back to the same version, or by the watch over the change.

use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records, Write, time_text};
use change::Change;
use model::{TimeRange, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;
use watch::{WatchState, record_of};

use crate::action::ActionState;
use crate::approval::{Approval, ApprovalKind, ApprovalState, Principal};
use crate::writes::{Batch, parse, read};
use crate::{Action, EntryKind, Mode, Outcome, Playbook, RespondError, Responder, Run, RunState, Verdict};

/// How far back a record looks, in nanoseconds: 90 days.
pub const RECORD_WINDOW_NS: i64 = 90 * 86_400 * 1_000_000_000;

/// How long after a decision a change that goes back to the same version confirms it, in nanoseconds: one day.
pub const JUDGE_WITHIN_NS: i64 = 86_400 * 1_000_000_000;

/// Most documents of a kind that a record is told from.
pub const RECORD_DOCUMENTS_MAX: usize = 10_000;

/// How many decisions must have been judged, or suggestions answered, before the next mode is offered.
pub const OFFER_CASES_MIN: u64 = 5;

/// How many approved actions must have ended before mode auto is offered.
pub const OFFER_AUTO_CASES_MIN: u64 = 10;

/// The share of right decisions, accepted suggestions, granted approvals and actions that helped that an offer needs.
pub const OFFER_SHARE_MIN: f64 = 0.9;

/// What a playbook did in one mode.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaybookRecord {
    /// The mode.
    pub mode: Mode,
    /// How often it acted, or would have.
    pub decided: u64,
    /// Decisions that were right.
    pub right: u64,
    /// Decisions that were wrong.
    pub wrong: u64,
    /// Decisions of which nobody knows.
    pub unjudged: u64,
    /// Suggestions and approvals that people granted.
    pub approved: u64,
    /// Those that they rejected.
    pub rejected: u64,
    /// Those that nobody answered in time.
    pub expired: u64,
    /// Actions that helped.
    pub helped: u64,
    /// Actions that did not.
    pub not_helped: u64,
    /// Actions that made it worse.
    pub worse: u64,
    /// Actions of which nobody knows whether they happened or helped.
    pub unknown: u64,
}

/// The next mode, offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The mode.
    pub mode: Mode,
    /// Why.
    pub why: String,
}

/// What somebody said about a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judgement {
    /// The action.
    pub action: String,
    /// Whether the decision was right.
    pub right: bool,
    /// Who says so.
    pub by: String,
    /// Why.
    pub comment: String,
    /// When.
    #[serde(with = "time_text")]
    pub at: Timestamp,
}

impl PlaybookRecord {
    /// Counts what a playbook did in a mode.
    pub(crate) fn of(records: &dyn Records, name: &str, mode: Mode, now: Timestamp) -> Result<Self, LedgerError> {
        let mut record = PlaybookRecord { mode, ..Self::default() };
        let recent = |states: &[&str]| Filter {
            states: states.iter().map(|state| (*state).to_owned()).collect(),
            range: TimeRange::new(now.saturating_add_ns(-RECORD_WINDOW_NS), Timestamp(i64::MAX)),
            latest_first: true,
            limit: RECORD_DOCUMENTS_MAX,
            ..Filter::default()
        };
        for document in records.list(LedgerTable::Actions, &recent(&[]))? {
            let action: Action = parse(LedgerTable::Actions, document)?;
            if action.playbook == name && action.mode == mode && !action.undo {
                record.count_action(&action, records)?;
            }
        }
        let asked = ["approved", "rejected", "expired"];
        for document in records.list(LedgerTable::Approvals, &recent(&asked))? {
            let approval: Approval = parse(LedgerTable::Approvals, document)?;
            let kind = match mode {
                Mode::Suggest => ApprovalKind::Suggestion,
                Mode::Approve => ApprovalKind::Action,
                Mode::Observe | Mode::Auto => continue,
            };
            if approval.playbook == name && approval.kind == kind {
                record.count_approval(&approval);
            }
        }
        for document in records.list(LedgerTable::Runs, &recent(&[RunState::Done.as_str()]))? {
            let run: Run = parse(LedgerTable::Runs, document)?;
            if run.playbook.name == name && run.playbook.mode == mode && run.acted {
                record.count_run(&run);
            }
        }
        Ok(record)
    }

    fn count_action(&mut self, action: &Action, records: &dyn Records) -> Result<(), LedgerError> {
        if action.state == ActionState::Refused {
            return Ok(());
        }
        self.decided += 1;
        if action.state == ActionState::Observed {
            match judge(action, records)? {
                Some(true) => self.right += 1,
                Some(false) => self.wrong += 1,
                None => self.unjudged += 1,
            }
        }
        Ok(())
    }

    fn count_approval(&mut self, approval: &Approval) {
        match approval.state {
            ApprovalState::Approved => self.approved += 1,
            ApprovalState::Rejected => self.rejected += 1,
            ApprovalState::Expired => self.expired += 1,
            ApprovalState::Pending => {}
        }
    }

    fn count_run(&mut self, run: &Run) {
        match run.outcome {
            Some(Outcome::Helped) => self.helped += 1,
            Some(Outcome::NotHelped) => self.not_helped += 1,
            Some(Outcome::Worse) => self.worse += 1,
            Some(Outcome::Unknown) => self.unknown += 1,
            _ => {}
        }
    }

    /// The mode after this one, when the record speaks for it.
    pub(crate) fn offer(&self) -> Option<Offer> {
        let enough = |good: u64, all: u64, least: u64| all >= least && good as f64 >= OFFER_SHARE_MIN * all as f64;
        let mode = self.mode.next()?;
        let why = match self.mode {
            Mode::Observe => {
                let judged = self.right + self.wrong;
                let what = format!("{} of {judged} decisions that were judged were right", self.right);
                enough(self.right, judged, OFFER_CASES_MIN).then_some(what)
            }
            Mode::Suggest => {
                let answered = self.approved + self.rejected;
                let what = format!("{} of {answered} suggestions that were answered were accepted", self.approved);
                enough(self.approved, answered, OFFER_CASES_MIN).then_some(what)
            }
            Mode::Approve => {
                let answered = self.approved + self.rejected;
                let ended = self.helped + self.not_helped + self.worse + self.unknown;
                let what = format!(
                    "{} of {answered} approvals were granted, {} of {ended} actions helped and none made it worse",
                    self.approved, self.helped
                );
                let granted = enough(self.approved, answered, OFFER_AUTO_CASES_MIN);
                let helped = enough(self.helped, ended, OFFER_AUTO_CASES_MIN);
                (granted && helped && self.worse == 0).then_some(what)
            }
            Mode::Auto => None,
        };
        why.map(|why| Offer { mode, why })
    }
}

/// Whether a decision that was not carried out was right; `None` while nobody knows. People know best, then what was done later,
/// then the watch.
fn judge(action: &Action, records: &dyn Records) -> Result<Option<bool>, LedgerError> {
    let said: Option<Judgement> = read(records, LedgerTable::Switches, &judgement_id(&action.key))?;
    if let Some(said) = said {
        return Ok(Some(said.right));
    }
    if !action.to_version.is_empty() && went_back(action, records)? {
        return Ok(Some(true));
    }
    let Some(change) = &action.evidence.change else { return Ok(None) };
    let watch = record_of(records, &change.key())?.filter(|watch| watch.comparable);
    Ok(watch.and_then(|watch| match (watch.decided_at, &watch.card.verdict) {
        (Some(_), _) | (None, Verdict::Bad) => Some(true),
        (None, Verdict::Good) if watch.state == WatchState::Ended => Some(false),
        (None, _) => None,
    }))
}

/// Whether somebody went back to the version that the action would have gone back to, soon after.
fn went_back(action: &Action, records: &dyn Records) -> Result<bool, LedgerError> {
    let from = action.planned_at;
    let filter = Filter {
        service: Some(action.target.clone()),
        range: TimeRange::new(from, from.saturating_add_ns(JUDGE_WITHIN_NS)),
        ..Filter::default()
    };
    for document in records.list(LedgerTable::Changes, &filter)? {
        let change: Change = parse(LedgerTable::Changes, document)?;
        if change.to_version.as_deref() == Some(&action.to_version) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn judgement_id(action: &str) -> String {
    format!("judged/{action}")
}

impl Responder {
    /// What a playbook did in the mode that it runs in now.
    pub fn record(&self, playbook: &Playbook, now: Timestamp) -> Result<PlaybookRecord, RespondError> {
        let mode = self.mode_of(playbook)?;
        Ok(PlaybookRecord::of(&*self.records, &playbook.name, mode, now)?)
    }

    /// The next mode of a playbook, when its record speaks for it and its file allows it.
    pub fn offer(&self, playbook: &Playbook, now: Timestamp) -> Result<Option<Offer>, RespondError> {
        let ceiling = playbook.mode_max.max(playbook.mode);
        Ok(self.record(playbook, now)?.offer().filter(|offer| offer.mode <= ceiling))
    }

    /// Writes down whether a decision that was not carried out was right. The last word counts.
    pub fn judge(
        &self,
        action: &str,
        right: bool,
        person: &Principal,
        comment: &str,
        now: Timestamp,
    ) -> Result<Option<Judgement>, RespondError> {
        let found: Option<Action> = read(&*self.records, LedgerTable::Actions, action)?;
        let Some(found) = found else { return Ok(None) };
        let said = Judgement {
            action: action.to_owned(),
            right,
            by: person.name.clone(),
            comment: comment.to_owned(),
            at: now,
        };
        let _deciding = self.deciding.lock();
        let mut batch = Batch::new(now);
        let state = if right { "right" } else { "wrong" };
        batch.push(Write::Put(
            LedgerTable::Switches,
            Document {
                id: judgement_id(action),
                time: now,
                service: found.target.clone(),
                state: state.to_owned(),
                body: json!(said),
            },
        ));
        batch.audit_by(&person.name, "action.judged", action, json!({"right": right, "comment": comment}));
        let text = format!("{} says that the decision was {state}", person.name);
        batch.timeline(&found.incident, EntryKind::Note, text, json!({"action": action, "detail": comment}));
        batch.commit(&*self.records)?;
        Ok(Some(said))
    }
}
