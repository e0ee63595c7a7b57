//! What a playbook is.

use std::collections::BTreeMap;

use rules::When;
use serde::{Deserialize, Serialize};

use crate::guards::Freeze;
use crate::{Call, Verb};

const MINUTE_NS: i64 = 60_000_000_000;

/// How long after an action on a target the next one is refused, unless the playbook says otherwise.
pub(crate) const COOLDOWN_NS_DEFAULT: i64 = 30 * MINUTE_NS;

/// How long before an alert a change can have been to be blamed, unless the playbook says otherwise.
pub(crate) const CHANGE_WITHIN_NS_DEFAULT: i64 = 30 * MINUTE_NS;

/// How many actions a playbook may start per hour, unless it says otherwise.
pub(crate) const ACTIONS_PER_HOUR_DEFAULT: u32 = 3;

/// How many actions one group of services may see per hour, whatever playbook starts them, unless the playbook says otherwise.
pub(crate) const GROUP_ACTIONS_PER_HOUR_DEFAULT: u32 = 3;

/// How long an action may take, unless the step says otherwise.
pub(crate) const ACTION_TIMEOUT_NS_DEFAULT: i64 = MINUTE_NS;

/// How long people have to approve, unless the playbook says otherwise.
pub(crate) const APPROVAL_EXPIRES_NS_DEFAULT: i64 = 30 * MINUTE_NS;

/// A playbook: what to do about an alert, under which conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// The file it comes from.
    pub file: String,
    /// How far it may go.
    pub mode: Mode,
    /// How far people may let it go without changing the file.
    #[serde(default = "auto")]
    pub mode_max: Mode,
    /// Labels that an alert must have for the playbook to run for it; empty when only rules name it.
    pub matches: BTreeMap<String, String>,
    /// What must be known before it acts.
    pub requires: Requires,
    /// What keeps it from acting.
    pub guards: Guards,
    /// Its steps.
    pub steps: Vec<Step>,
}

fn auto() -> Mode {
    Mode::Auto
}

/// A way from one step to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Goto<'a> {
    /// When it is taken: `fails`, a condition, a choice, ...
    pub when: String,
    /// The id of the step that it leads to.
    pub to: &'a str,
}

impl Playbook {
    /// The place of the step with an id.
    pub fn step_by_id(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id.as_deref() == Some(id))
    }

    /// What a step is called: its id, or its kind and place.
    pub fn step_name(&self, step: usize) -> String {
        match self.steps.get(step) {
            Some(Step { id: Some(id), .. }) => id.clone(),
            Some(found) => format!("{}_{}", found.kind.as_str(), step + 1),
            None => "end".to_owned(),
        }
    }

    /// Whether a step is where some `goto` leads: a branch begins there, and the path before it ends.
    pub fn is_branch(&self, step: usize) -> bool {
        let id = self.steps.get(step).and_then(|step| step.id.as_deref());
        id.is_some_and(|id| self.steps.iter().flat_map(Step::gotos).any(|goto| goto.to == id))
    }

    /// Where a run goes after a step that went well; `None` at the end of its path.
    pub fn after(&self, step: usize) -> Option<usize> {
        if let Some(id) = self.steps.get(step).and_then(|step| step.next.as_deref()) {
            return self.step_by_id(id).filter(|next| *next > step);
        }
        let next = step + 1;
        (next < self.steps.len() && !self.is_branch(next)).then_some(next)
    }
}

/// How far a playbook may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It records what it would have done.
    #[default]
    Observe,
    /// It suggests, and acts when someone accepts the suggestion.
    Suggest,
    /// It asks before it acts.
    Approve,
    /// It acts.
    Auto,
}

impl Mode {
    /// Every mode, the most careful first.
    pub const ALL: [Mode; 4] = [Self::Observe, Self::Suggest, Self::Approve, Self::Auto];

    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Suggest => "suggest",
            Self::Approve => "approve",
            Self::Auto => "auto",
        }
    }

    /// The mode of a word.
    pub fn parse(word: &str) -> Option<Mode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word)
    }

    /// The mode that comes after it.
    pub fn next(self) -> Option<Mode> {
        Self::ALL.into_iter().find(|mode| *mode > self)
    }
}

/// Which verdict on a change a playbook needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequiredVerdict {
    /// A change is bad. Every rollback needs this.
    #[default]
    Bad,
    /// No verdict: the playbook rolls nothing back. The alert must fire on measured data all the same.
    None,
}

/// What must be known before a playbook acts. A rollback needs the verdict Bad whatever a file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requires {
    /// How long before the alert the change may have begun, in nanoseconds.
    pub change_within_ns: i64,
    /// The verdict.
    #[serde(default)]
    pub verdict: RequiredVerdict,
    /// How many kinds of witnesses must speak against the change: metric alert, log alert, watch, probe.
    #[serde(default)]
    pub witnesses: usize,
}

impl Default for Requires {
    fn default() -> Self {
        Self { change_within_ns: CHANGE_WITHIN_NS_DEFAULT, verdict: RequiredVerdict::Bad, witnesses: 1 }
    }
}

/// Who must say yes, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approvals {
    /// How many people; 0 for none.
    pub need: u32,
    /// Roles and names that may; empty for everyone who can approve at all.
    pub of: Vec<String>,
    /// How long they have, in nanoseconds.
    pub expires_ns: i64,
    /// Whether the person who made the change is not among them.
    pub not_actor: bool,
    /// Receivers that are told; the escalation receivers when empty.
    pub notify: Vec<String>,
}

impl Default for Approvals {
    fn default() -> Self {
        let (of, notify) = (Vec::new(), Vec::new());
        Self { need: 0, of, expires_ns: APPROVAL_EXPIRES_NS_DEFAULT, not_actor: false, notify }
    }
}

/// What keeps a playbook from acting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    /// The least time between two actions on one target, in nanoseconds.
    pub cooldown_ns: i64,
    /// Window in nanoseconds, and how many actions of this playbook it may hold.
    pub max_per: Vec<(i64, u32)>,
    /// Window in nanoseconds, and how many actions on the target's group it may hold, of any playbook.
    #[serde(default)]
    pub group_per: Vec<(i64, u32)>,
    /// How many targets one incident may touch.
    pub max_targets: usize,
    /// Who must approve.
    #[serde(default)]
    pub approvals: Approvals,
    /// When nothing is done.
    #[serde(default)]
    pub freeze: Vec<Freeze>,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            cooldown_ns: COOLDOWN_NS_DEFAULT,
            max_per: vec![(60 * MINUTE_NS, ACTIONS_PER_HOUR_DEFAULT)],
            group_per: vec![(60 * MINUTE_NS, GROUP_ACTIONS_PER_HOUR_DEFAULT)],
            max_targets: 1,
            approvals: Approvals::default(),
            freeze: Vec::new(),
        }
    }
}

/// How much harm a step can do by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// None: it only looks, asks or tells.
    #[default]
    None,
    /// Little: capacity changes.
    Low,
    /// Some: what ran before runs again.
    Medium,
    /// Unknown: whatever the target does.
    High,
}

impl Risk {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }

    /// The risk of a word.
    pub fn parse(word: &str) -> Option<Risk> {
        [Self::None, Self::Low, Self::Medium, Self::High].into_iter().find(|risk| risk.as_str() == word)
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id, for `goto` and for templates.
    pub id: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// Where to go when it fails; without it the run ends and people are paged.
    pub on_fail: Option<String>,
    /// Where to go when it went well; without it to the step below, unless a branch begins there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How its effect is taken back when a verification finds that things are worse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Box<Act>>,
    /// How much harm it can do.
    #[serde(default)]
    pub risk: Risk,
}

impl Step {
    /// Every `goto` of it.
    pub fn gotos(&self) -> Vec<Goto<'_>> {
        let mut found = Vec::new();
        match &self.kind {
            StepKind::Decide(decide) => {
                found.extend(decide.cases.iter().map(|case| Goto { when: case.when.clone(), to: &case.goto }));
                found.extend(decide.otherwise.as_deref().map(|to| Goto { when: "else".to_owned(), to }));
            }
            StepKind::Ask(ask) => {
                let choices = ask.choices.iter().filter_map(|choice| Some((&choice.name, choice.goto.as_deref()?)));
                found.extend(choices.map(|(name, to)| Goto { when: name.clone(), to }));
                found.extend(ask.on_timeout.as_deref().map(|to| Goto { when: "timeout".to_owned(), to }));
            }
            _ => {}
        }
        found.extend(self.next.as_deref().map(|to| Goto { when: String::new(), to }));
        found.extend(self.on_fail.as_deref().map(|to| Goto { when: "fails".to_owned(), to }));
        found
    }
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Measures something, for later steps.
    Query(Query),
    /// Tries whether something answers.
    Probe(Probe),
    /// Chooses where to go by what is known.
    Decide(Decide),
    /// Asks people.
    Ask(Ask),
    /// Does what its target says.
    Act(Act),
    /// Undoes the change.
    Rollback(Act),
    /// Starts the same version again.
    Restart(Act),
    /// Changes the number of instances.
    Scale(Act),
    /// Lets time pass, or waits for a condition.
    Wait(Wait),
    /// Checks that it helped.
    Verify(Verify),
    /// Tells people.
    Notify(NotifyStep),
}

impl StepKind {
    /// The word in files.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Query(_) => "query",
            Self::Probe(_) => "probe",
            Self::Decide(_) => "decide",
            Self::Ask(_) => "ask",
            Self::Act(_) => "act",
            Self::Rollback(_) => "rollback",
            Self::Restart(_) => "restart",
            Self::Scale(_) => "scale",
            Self::Wait(_) => "wait",
            Self::Verify(_) => "verify",
            Self::Notify(_) => "notify",
        }
    }

    /// What it does to a target, if it does something.
    pub fn acting(&self) -> Option<&Act> {
        match self {
            Self::Act(act) | Self::Rollback(act) | Self::Restart(act) | Self::Scale(act) => Some(act),
            _ => None,
        }
    }

    /// How much harm it can do, unless the file says otherwise.
    pub(crate) fn risk(&self) -> Risk {
        match self {
            Self::Act(_) => Risk::High,
            Self::Rollback(_) | Self::Restart(_) => Risk::Medium,
            Self::Scale(_) => Risk::Low,
            _ => Risk::None,
        }
    }

    /// How long it may take, in nanoseconds; `None` when it takes no time.
    pub fn timeout_ns(&self) -> Option<i64> {
        match self {
            Self::Query(query) => Some(query.timeout_ns),
            Self::Probe(probe) => Some(probe.timeout_ns),
            Self::Ask(ask) => Some(ask.approvals.expires_ns),
            Self::Wait(wait) => Some(wait.for_ns.unwrap_or(wait.within_ns)),
            Self::Verify(verify) => Some(verify.within_ns),
            Self::Decide(_) | Self::Notify(_) => None,
            Self::Act(act) | Self::Rollback(act) | Self::Restart(act) | Self::Scale(act) => Some(act.timeout_ns),
        }
    }
}

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryText {
    /// PromQL.
    Expr(String),
    /// A log query that ends in numbers.
    Logs {
        /// The query.
        query: String,
        /// How far it looks back, in nanoseconds.
        window_ns: i64,
    },
}

impl QueryText {
    /// Its text.
    pub fn text(&self) -> &str {
        match self {
            Self::Expr(text) | Self::Logs { query: text, .. } => text,
        }
    }
}

/// A measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// What is asked.
    pub text: QueryText,
    /// How long a query that fails is tried again, in nanoseconds.
    pub timeout_ns: i64,
}

/// What a probe tries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum ProbeKind {
    /// An HTTP GET.
    Http {
        /// The URL; no template before its path.
        url: String,
        /// The statuses that mean well; any 2xx when empty.
        #[serde(default)]
        expect_status: Vec<u16>,
    },
    /// A TCP connection.
    Tcp {
        /// Host and port.
        address: String,
    },
}

/// A probe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What it tries.
    pub kind: ProbeKind,
    /// How long it may take, in nanoseconds.
    pub timeout_ns: i64,
}

/// A choice by what is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decide {
    /// The cases, in order: the first whose condition holds is taken.
    pub cases: Vec<Case>,
    /// Where to go when none holds; without it to the step below.
    pub otherwise: Option<String>,
}

/// A case of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Its condition. It does not hold while anything that it compares is unknown.
    pub when: String,
    /// Where it leads.
    pub goto: String,
}

/// A question to people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The question, a template.
    pub question: String,
    /// Who may answer, how many must agree, and until when.
    pub approvals: Approvals,
    /// What they may answer; approve or reject when empty.
    pub choices: Vec<Choice>,
    /// Where to go when nobody answered in time; without it the step fails.
    pub on_timeout: Option<String>,
}

/// A possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The word.
    pub name: String,
    /// Where it leads; to the step below without it.
    pub goto: Option<String>,
}

/// The number of instances to scale to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replicas {
    /// So many.
    Absolute(u32),
    /// As many as there are and some more or fewer, within bounds.
    Relative {
        /// How many there are, a template: `{{ steps.now.value }}`.
        of: String,
        /// How many more; fewer when negative.
        add: i64,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
}

/// Something done to a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Act {
    /// What is asked of the target.
    pub verb: Verb,
    /// The service that is acted on, a template; the incident's service without it.
    pub service: Option<String>,
    /// The version to go to, a template; `None` for the version before the change.
    pub to: Option<String>,
    /// The number of instances to scale to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Replicas>,
    /// How long it may take, in nanoseconds.
    pub timeout_ns: i64,
    /// How it is done; all texts are templates.
    pub call: Call,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    /// How long, in nanoseconds.
    pub for_ns: Option<i64>,
    /// What is waited for.
    pub until: Option<VerifyQuery>,
    /// How long it is waited for, in nanoseconds.
    pub within_ns: i64,
}

/// How a verification tells worse from not better by itself: what its condition compares is measured before the first action, too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compare {
    /// PromQL of what is compared.
    pub expr: String,
    /// Whether more of it is worse.
    pub more_is_worse: bool,
}

/// A condition that must come to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    /// What is asked.
    pub query: VerifyQuery,
    /// How long it must hold without a break, in nanoseconds.
    pub for_ns: i64,
    /// How long to wait for that, in nanoseconds.
    pub within_ns: i64,
    /// PromQL that yields a sample when things are worse than before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worse: Option<String>,
    /// How worse is told when the file does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
}

/// What a verification asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyQuery {
    /// PromQL that yields at least one sample when all is well.
    Expr(String),
    /// A log query; all is well when there are rows and all meet the condition.
    Logs {
        /// The query.
        query: String,
        /// How far it looks back, in nanoseconds.
        window_ns: i64,
        /// The condition's text.
        when: String,
    },
}

impl VerifyQuery {
    /// The query's text.
    pub fn text(&self) -> String {
        match self {
            Self::Expr(expr) => expr.clone(),
            Self::Logs { query, when, .. } => format!("{query} when {when}"),
        }
    }

    /// The condition of a log query. It was checked when the file was loaded.
    pub(crate) fn condition(&self) -> Option<When> {
        match self {
            Self::Expr(_) => None,
            Self::Logs { when, .. } => When::parse(when).ok(),
        }
    }
}

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyStep {
    /// The receiver's name.
    pub receiver: String,
    /// The name of the text.
    pub template: Option<String>,
    /// What to say besides how the run stands, a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}
