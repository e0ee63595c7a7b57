//! What follows from an alert: incidents, the decision to act, playbooks, guards, actions, verification.
//!
//! **Entry points.** [`Responder::observe`] is told the alerts after each evaluation of rules; [`Responder::due`] names the runs of
//! playbooks that have something to do, and [`Responder::advance`] does it. [`check_playbooks`] reads playbook files and reports
//! every mistake as `file:line:column: message`.
//!
//! **Write path.** alert -> incident (joined or opened) -> run of a playbook -> at a rollback step: candidates among the changes,
//! [`Verdict`], guards, [`Evidence`] -> action `planned` -> `started` -> the side effect through [`Executor`] -> `succeeded`, `failed` or
//! `unknown` -> verify -> helped or not. Each arrow is one transaction of the ledger, with its audit entry and its line in
//! the incident's timeline.
//!
//! **Guarantees.** `started` is committed before the side effect, and only one transition from `planned` to `started` can
//! succeed: an action happens at most once. What a crash leaves `started` becomes `unknown` at the next start, pages people and
//! is never retried. Only [`Verdict::Bad`] acts; what could not be measured is `Unknown` and holds. Notifications are queued
//! in the transaction that causes them, so they are sent at least once.
//!
//! **Not here.** How an action is carried out (`act`), how a notification is delivered (`notify`), clocks and threads: the
//! time is an argument, blocking calls are the caller's to put on threads.

mod action;
mod advance;
mod call;
mod decide;
mod evidence;
mod export;
mod fill;
mod guards;
mod incident;
#[cfg(test)]
mod incident_tests;
mod join;
mod judge;
mod merge;
mod notes;
mod notification;
mod observe;
mod playbook;
mod playbook_file;
mod responder;
mod run;
#[cfg(test)]
mod tests;
mod writes;

pub use action::{Action, ActionRequest, ActionResult, ActionState, Executor, Precheck};
pub use call::{
    ArgocdCall, ArgocdEntry, ArgocdOperation, Call, CallProblem, ComposeCall, ComposePin, ExecCall, FlagCall,
};
pub use call::{
    FlagProvider, FlagRead, FlagState, FlagWrite, GitRevertCall, HttpCall, HttpPrecheck, SystemdCall, Verb,
};
pub use evidence::{Evidence, GuardResult};
pub use export::{Dossier, EXPORT_ENTRIES_MAX, EXPORT_OUTPUT_BYTES_MAX, dossier};
pub use fill::{FILL_VARIABLES, FILLED_BYTES_MAX, Fill, FillError, FillUse};
pub use guards::{BREAKER_TARGETS_MAX, BREAKER_WINDOW_NS, REVISION_MEMORY_NS};
pub use incident::{
    EntryKind, FLAP_QUIET_NS, FLAP_REOPENS_MIN, FLAP_WINDOW_NS, Flap, Handling, Incident, IncidentState,
    MERGE_CHAIN_MAX, RELATED_WINDOW_NS, REOPEN_CANDIDATES_MAX, REOPEN_WINDOW_NS, TimelineEntry,
};
pub use join::{Related, RelatedFn};
pub use merge::{MERGED_MAX, Merge};
pub use notes::{AUTHOR_BYTES_MAX, Changed, DeskError, NOTE_BYTES_MAX, NewIncident, NewNote, TITLE_BYTES_MAX};
pub use notification::Notification;
pub use playbook::{Guards, Mode, NotifyStep, Playbook, Requires, Rollback, Step, StepKind, Verify, VerifyQuery};
pub use playbook_file::{PLAYBOOK_BYTES_MAX, PlaybookReport, STEPS_MAX, check_playbooks, load_playbooks};
pub use responder::{Effects, KillSwitch, Next, RespondError, Responder, ResponderOptions};
pub use run::{Outcome, Phase, Run, RunState};
pub use verdict::{UnknownReason, Verdict};
