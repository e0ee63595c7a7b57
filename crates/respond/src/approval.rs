//! Approvals: questions to people, and who may answer them.
//!
//! An answer is a document of its own that can only be added once for each person; the approval's own document is told from
//! them. So two answers given to two processes at the same moment both count, and nobody counts twice.

use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records, Write, sha256_hex, time_text};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::playbook::Approvals;
use crate::writes::{Batch, parse, read};
use crate::{EntryKind, RespondError, Responder, Run};

/// Longest comment of an answer, in bytes.
pub const COMMENT_BYTES_MAX: usize = 4096;

/// The answer that lets an action happen.
pub const APPROVE: &str = "approve";
/// The answer that ends a run.
pub const REJECT: &str = "reject";

/// The state of an answer's document.
const GIVEN: &str = "given";

/// Somebody who may answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// The name.
    pub name: String,
    /// The roles.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl Principal {
    /// Whether it is named, or has a role that is named.
    pub fn is_one_of(&self, of: &[String]) -> bool {
        of.contains(&self.name) || self.roles.iter().any(|role| of.contains(role))
    }
}

/// How an approval stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalState {
    /// Answers are missing.
    Pending,
    /// Enough people agreed.
    Approved,
    /// Somebody said no.
    Rejected,
    /// The time is over, or the question is.
    Expired,
}

impl ApprovalState {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// What an approval is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApprovalKind {
    /// An action that waits for it.
    Action,
    /// An action that is suggested.
    Suggestion,
    /// A question of a playbook.
    Question,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whose.
    pub by: String,
    /// Their roles at that time.
    #[serde(default)]
    pub roles: Vec<String>,
    /// `approve`, `reject`, or one of the choices.
    pub decision: String,
    /// When.
    #[serde(with = "time_text")]
    pub at: Timestamp,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// A question to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Its id.
    pub id: String,
    /// What it is about.
    pub kind: ApprovalKind,
    /// The incident.
    pub incident: String,
    /// The run.
    pub run: String,
    /// The playbook.
    pub playbook: String,
    /// The service.
    pub service: String,
    /// The key of the action, if it is about one.
    pub action: Option<String>,
    /// The question.
    pub question: String,
    /// How many people must agree.
    pub need: u32,
    /// Roles and names that may answer; everyone who can when empty.
    pub roles: Vec<String>,
    /// Roles and names of which at least one must be among those who agree, when there are any.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// Who may not answer: the person who made the change.
    #[serde(default)]
    pub not_by: Option<String>,
    /// The answers that are possible.
    pub choices: Vec<String>,
    /// The answers.
    pub given: Vec<Answer>,
    /// How it stands.
    pub state: ApprovalState,
    /// What was chosen.
    #[serde(default)]
    pub choice: Option<String>,
    /// Why it stands so, when an answer does not say it.
    #[serde(default)]
    pub detail: String,
    /// When it was asked.
    #[serde(with = "time_text")]
    pub asked_at: Timestamp,
    /// When it was settled.
    #[serde(default, with = "time_text::option")]
    pub settled_at: Option<Timestamp>,
    /// Until when answers count.
    #[serde(with = "time_text")]
    pub expires_at: Timestamp,
}

/// Why an answer does not count.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// There is no such approval.
    #[error("there is no approval {0:?}")]
    NotFound(String),
    /// The answer is refused; that was recorded.
    #[error("{reason}; {hint}")]
    Refused {
        /// Why.
        reason: String,
        /// What to do.
        hint: &'static str,
    },
    /// The ledger failed, or the loop did.
    #[error(transparent)]
    Respond(#[from] RespondError),
}

impl From<LedgerError> for AnswerError {
    fn from(error: LedgerError) -> Self {
        Self::Respond(RespondError::Ledger(error))
    }
}

fn refused(reason: impl Into<String>, hint: &'static str) -> AnswerError {
    AnswerError::Refused { reason: reason.into(), hint }
}

impl Approval {
    /// The approval that `rules` ask for.
    pub(crate) fn new(
        parts: [&str; 3],
        kind: ApprovalKind,
        question: String,
        rules: &Approvals,
        now: Timestamp,
    ) -> Self {
        let hash = sha256_hex(parts.join("\0").as_bytes());
        Approval {
            id: format!("apr-{}", &hash[..16]),
            kind,
            incident: String::new(),
            run: String::new(),
            playbook: String::new(),
            service: String::new(),
            action: None,
            question,
            need: rules.need.max(1),
            roles: rules.of.clone(),
            one_of: Vec::new(),
            not_by: None,
            choices: vec![APPROVE.to_owned(), REJECT.to_owned()],
            given: Vec::new(),
            state: ApprovalState::Pending,
            choice: None,
            detail: String::new(),
            asked_at: now,
            settled_at: None,
            expires_at: now.saturating_add_ns(rules.expires_ns),
        }
    }

    /// Says which run it belongs to.
    pub(crate) fn about(&mut self, run: &Run) {
        self.incident.clone_from(&run.incident);
        self.run.clone_from(&run.id);
        self.playbook.clone_from(&run.playbook.name);
        self.service.clone_from(&run.service);
    }

    /// Why the people there are can never give it, if they can not.
    pub(crate) fn impossible(&self, people: &[Principal]) -> Option<String> {
        let able: Vec<&Principal> = people.iter().filter(|person| self.objection_to(person).is_none()).collect();
        if able.len() < self.need as usize {
            let of = if self.roles.is_empty() { "anyone".to_owned() } else { self.roles.join(", ") };
            return Some(format!("{} approvals of {of} are needed, and {} people can give one", self.need, able.len()));
        }
        if !self.one_of.is_empty() && !able.iter().any(|person| person.is_one_of(&self.one_of)) {
            return Some(format!("an approval of {} is needed, and nobody can give one", self.one_of.join(" or ")));
        }
        None
    }

    fn objection_to(&self, person: &Principal) -> Option<String> {
        let allowed = self.roles.is_empty() || person.is_one_of(&self.roles) || person.is_one_of(&self.one_of);
        if !allowed {
            let roles = if person.roles.is_empty() { "no role".to_owned() } else { person.roles.join(", ") };
            return Some(format!("{} has {roles}; {} may answer", person.name, self.roles.join(", ")));
        }
        let own = self.not_by.as_ref().is_some_and(|actor| actor.eq_ignore_ascii_case(&person.name));
        own.then(|| format!("{} made the change, and may not approve what is done about it", person.name))
    }

    /// Whether an answer counts, before anyone knows whether the person answered already.
    fn check(&self, person: &Principal, decision: &str, comment: &str, now: Timestamp) -> Result<(), AnswerError> {
        if !self.choices.iter().any(|choice| choice == decision) {
            let reason = format!("the answer {decision:?} is not among {}", self.choices.join(", "));
            return Err(refused(reason, "give one of them as `decision`"));
        }
        if comment.len() > COMMENT_BYTES_MAX {
            let reason = format!("the comment has {} bytes, {COMMENT_BYTES_MAX} are allowed", comment.len());
            return Err(refused(reason, "shorten it"));
        }
        if let Some(why) = self.objection_to(person) {
            return Err(refused(why, "ask one of those who may"));
        }
        if self.given.iter().any(|answer| answer.by == person.name) {
            return Err(refused(format!("{} has answered already", person.name), "somebody else has to answer"));
        }
        if self.state != ApprovalState::Pending {
            return Err(refused(format!("it is {} already", self.state.as_str()), "nothing is left to answer"));
        }
        if now >= self.expires_at {
            return Err(refused(format!("it expired at {}", self.expires_at), "nothing is left to answer"));
        }
        Ok(())
    }

    /// Tells how it stands from its answers and the time.
    pub(crate) fn settle(&mut self, now: Timestamp) {
        if self.state != ApprovalState::Pending {
            return;
        }
        if self.given.iter().any(|answer| answer.decision == REJECT) {
            self.state = ApprovalState::Rejected;
            self.choice = Some(REJECT.to_owned());
        } else if let Some(choice) = self.choices.iter().find(|choice| self.is_agreed(choice)) {
            self.state = ApprovalState::Approved;
            self.choice = Some(choice.clone());
        } else if now >= self.expires_at {
            self.state = ApprovalState::Expired;
            self.detail = format!("{} of {} answers came in time", self.given.len(), self.need);
        }
        self.settled_at = (self.state != ApprovalState::Pending).then_some(now);
    }

    /// Whether enough people chose it, and those whose word is needed are among them.
    fn is_agreed(&self, choice: &str) -> bool {
        let agreed: Vec<&Answer> = self.given.iter().filter(|answer| answer.decision == choice).collect();
        let named = |answer: &&Answer| {
            let person = Principal { name: answer.by.clone(), roles: answer.roles.clone() };
            person.is_one_of(&self.one_of)
        };
        agreed.len() >= self.need as usize && (self.one_of.is_empty() || agreed.iter().any(named))
    }

    /// Who has answered what, for people.
    pub(crate) fn story(&self) -> String {
        let answers: Vec<String> =
            self.given.iter().map(|answer| format!("{} by {}", answer.decision, answer.by)).collect();
        match (answers.is_empty(), self.detail.is_empty()) {
            (true, _) => self.detail.clone(),
            (false, true) => answers.join(", "),
            (false, false) => format!("{}; {}", answers.join(", "), self.detail),
        }
    }

    /// How people answer, for a notification.
    pub(crate) fn how(&self) -> String {
        let of = if self.roles.is_empty() { String::new() } else { format!(" of {}", self.roles.join(", ")) };
        let answers = if self.need == 1 { "one answer".to_owned() } else { format!("{} answers", self.need) };
        let (choices, id, until) = (self.choices.join("|"), &self.id, self.expires_at);
        format!(
            "needs {answers}{of} until {until}: backstop approvals answer {id} {choices} (or POST \
             /backstop/api/v1/approvals/{id})"
        )
    }

    pub(crate) fn document(&self) -> Document {
        Document {
            id: self.id.clone(),
            time: self.asked_at,
            service: self.service.clone(),
            state: self.state.as_str().to_owned(),
            body: json!(self),
        }
    }
}

/// An approval with all its answers, settled as far as the time allows; what is in the ledger may lag behind.
pub(crate) fn find(records: &dyn Records, id: &str, now: Timestamp) -> Result<Option<Approval>, LedgerError> {
    let found: Option<Approval> = read(records, LedgerTable::Approvals, id)?;
    found.map(|approval| with_answers(records, approval, now)).transpose()
}

fn with_answers(records: &dyn Records, mut approval: Approval, now: Timestamp) -> Result<Approval, LedgerError> {
    let filter = Filter { id_prefix: Some(format!("{}/", approval.id)), ..Filter::default() };
    let given = records.list(LedgerTable::Approvals, &filter)?;
    approval.given =
        given.into_iter().map(|document| parse(LedgerTable::Approvals, document)).collect::<Result<_, _>>()?;
    approval.settle(now);
    Ok(approval)
}

/// Nothing is left to answer: what was asked about will not happen.
pub(crate) fn withdraw(records: &dyn Records, id: &str, why: &str, batch: &mut Batch) -> Result<(), LedgerError> {
    let Some(mut approval) = find(records, id, batch.now())? else { return Ok(()) };
    if approval.state == ApprovalState::Pending {
        approval.state = ApprovalState::Expired;
        approval.settled_at = Some(batch.now());
        approval.detail = why.to_owned();
    }
    close(records, &approval, batch)
}

/// Writes down how a pending approval was settled, by answers, by time or by what happened.
pub(crate) fn close(records: &dyn Records, approval: &Approval, batch: &mut Batch) -> Result<(), LedgerError> {
    let stored: Option<Approval> = read(records, LedgerTable::Approvals, &approval.id)?;
    if stored.is_some_and(|stored| stored.state == ApprovalState::Pending) {
        let from = ApprovalState::Pending.as_str();
        batch.push(Write::Transition { table: LedgerTable::Approvals, from, to: approval.document() });
        let detail = json!({"state": approval.state.as_str(), "why": approval.story()});
        batch.audit("approval.settled", &approval.id, detail);
    }
    Ok(())
}

impl Responder {
    /// The approvals that were asked for, the latest first: those that are pending, or the last `limit` of all.
    pub fn approvals(&self, pending: bool, limit: usize, now: Timestamp) -> Result<Vec<Approval>, RespondError> {
        let states = [ApprovalState::Pending, ApprovalState::Approved, ApprovalState::Rejected, ApprovalState::Expired];
        let wanted = if pending { &states[..1] } else { &states[..] };
        let states = wanted.iter().map(|state| state.as_str().to_owned()).collect();
        let filter = Filter { states, latest_first: true, limit, ..Filter::default() };
        let found = self.records.list(LedgerTable::Approvals, &filter)?;
        let mut approvals = Vec::new();
        for document in found {
            let approval = parse(LedgerTable::Approvals, document)?;
            approvals.push(with_answers(&*self.records, approval, now)?);
        }
        approvals.retain(|approval| !pending || approval.state == ApprovalState::Pending);
        Ok(approvals)
    }

    /// An approval by its id, settled as far as the time allows.
    pub fn approval(&self, id: &str, now: Timestamp) -> Result<Option<Approval>, RespondError> {
        Ok(find(&*self.records, id, now)?)
    }

    /// Takes somebody's answer. What does not count is refused with the reason, and both are recorded.
    pub fn answer(
        &self,
        id: &str,
        person: &Principal,
        decision: &str,
        comment: &str,
        now: Timestamp,
    ) -> Result<Approval, AnswerError> {
        let _deciding = self.deciding.lock();
        let found = find(&*self.records, id, now)?;
        let mut approval = found.ok_or_else(|| AnswerError::NotFound(id.to_owned()))?;
        if let Err(error) = approval.check(person, decision, comment, now) {
            self.record_refusal(&approval, person, decision, &error, now)?;
            return Err(error);
        }
        let answer = Answer {
            by: person.name.clone(),
            roles: person.roles.clone(),
            decision: decision.to_owned(),
            at: now,
            comment: comment.to_owned(),
        };
        approval.given.push(answer.clone());
        approval.settle(now);
        let mut batch = Batch::new(now);
        batch.push(Write::Insert(
            LedgerTable::Approvals,
            Document {
                id: format!("{id}/{}", person.name),
                time: now,
                service: approval.service.clone(),
                state: GIVEN.to_owned(),
                body: json!(answer),
            },
        ));
        let from = ApprovalState::Pending.as_str();
        batch.push(Write::Transition { table: LedgerTable::Approvals, from, to: approval.document() });
        let detail =
            json!({"decision": decision, "comment": comment, "roles": person.roles, "incident": approval.incident});
        batch.audit_by(&person.name, "approval.answered", id, detail);
        let outcome = if decision == REJECT { "refused" } else { "ok" };
        let said = if comment.is_empty() { String::new() } else { format!(": {comment}") };
        let text = format!("{} answers {decision}{said}", person.name);
        batch.timeline(&approval.incident, EntryKind::Decision, text, json!({"approval": id, "outcome": outcome}));
        match batch.commit(&*self.records) {
            Ok(()) => Ok(approval),
            Err(LedgerError::Conflict { .. }) => {
                let error =
                    refused("somebody else was faster: it was answered or settled meanwhile", "look at it again");
                self.record_refusal(&approval, person, decision, &error, now)?;
                Err(error)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn record_refusal(
        &self,
        approval: &Approval,
        person: &Principal,
        decision: &str,
        error: &AnswerError,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut batch = Batch::new(now);
        let detail = json!({"decision": decision, "roles": person.roles, "reason": error.to_string()});
        batch.audit_by(&person.name, "approval.refused", &approval.id, detail);
        let text = format!("the answer {decision:?} of {} does not count: {error}", person.name);
        let detail = json!({"approval": approval.id, "outcome": "refused"});
        batch.timeline(&approval.incident, EntryKind::Decision, text, detail);
        batch.commit(&*self.records)
    }
}
