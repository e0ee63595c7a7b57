//! What follows from an alert: incidents, the decision to act, playbooks, guards, approvals, actions, verification.
//!
//! **Entry points.** [`Responder::observe`] is told the alerts after each evaluation of rules; [`Responder::due`] names the runs of
//! playbooks that have something to do, [`Responder::advance`] does it, and [`Responder::renew_leases`] keeps what long actions hold.
//! People come in by [`Responder::answer`], [`Responder::engage`] and [`Responder::set_mode`]. [`check_playbooks`] reads playbook files
//! and reports every mistake as `file:line:column: message`, [`Graph`] draws them, [`simulate`] plays them on recorded data.
//!
//! **Write path.** alert -> incident (joined or opened) -> run of a playbook, step by step (`steps`, a file for each kind) -> at a step that
//! acts: candidates among the changes of the service and of what it needs ([`Surroundings`]), [`Verdict`], guards, [`Evidence`] -> action `planned` -> a look at the target ([`Precheck`]) ->
//! still bad? -> [`Approval`] where one is needed, and the look again -> lease and `started` in one transaction -> the side effect
//! through [`Executor`] -> `succeeded`, `failed` or `unknown`, and the lease released -> verify -> helped, not helped, or worse and
//! taken back once. Each arrow is one transaction of the ledger, with its audit entry and its line in the incident's timeline.
//!
//! **Guarantees.** `started` is committed before the side effect, and only one transition from `planned` to `started` can
//! succeed, also among processes that share a ledger: an action happens at most once. What a crash leaves `started` becomes
//! `unknown`, pages people and is never retried. Only [`Verdict::Bad`] rolls back; what could not be measured is `Unknown` and holds. A
//! run only goes forward, so it ends. Notifications are queued in the transaction that causes them, so they are sent at least once.
//!
//! **Not here.** How an action is carried out (`act`), how a notification is delivered (`notify`), who a person is (`api`), clocks and
//! threads: the time is an argument, blocking calls are the caller's to put on threads.

mod action;
mod approval;
mod attribute;
mod call;
mod decide;
mod evidence;
mod export;
mod fill;
mod graph;
mod guards;
mod incident;
#[cfg(test)]
mod incident_tests;
mod join;
mod judge;
mod lease;
mod merge;
mod notes;
mod notification;
mod observe;
mod plan;
mod playbook;
mod playbook_file;
mod probe;
mod record;
mod responder;
mod result;
mod run;
mod simulate;
mod steps;
mod switches;
#[cfg(test)]
mod tests;
mod writes;

pub use action::{Action, ActionRequest, ActionResult, ActionState, Executor, Precheck};
pub use approval::{
    APPROVE, Answer, AnswerError, Approval, ApprovalKind, ApprovalState, COMMENT_BYTES_MAX, Principal, REJECT,
};
pub use attribute::{NEEDED_CHANGES_MAX, NEEDED_MAX, NEIGHBOURS_LOOK_MAX, NEIGHBOURS_MAX, Surroundings};
pub use call::{
    ArgoRolloutsCall, FluxCall, FluxKind, FluxOperation, HelmCall, KubernetesCall, OBJECT_NAME_BYTES_MAX,
    RolloutOperation, WorkloadKind, WorkloadName, check_object_name, check_revision,
};
pub use call::{
    ArgocdCall, ArgocdEntry, ArgocdOperation, Call, CallProblem, ComposeCall, ComposePin, ExecCall, FlagCall,
};
pub use call::{
    FlagProvider, FlagRead, FlagState, FlagWrite, GitRevertCall, HttpCall, HttpPrecheck, SystemdCall, Verb,
};
pub use evidence::{Evidence, GuardResult};
pub use export::{Dossier, EXPORT_ENTRIES_MAX, EXPORT_OUTPUT_BYTES_MAX, dossier};
pub use fill::{FILL_VARIABLES, FILLED_BYTES_MAX, Fill, FillError, FillUse};
pub use graph::{Edge, Graph, Node, Shape};
pub use guards::{BREAKER_TARGETS_MAX, BREAKER_WINDOW_NS, DEPENDENTS_MAX, REVISION_MEMORY_NS};
pub use guards::{Freeze, FreezeError, WitnessKind};
pub use incident::{
    EntryKind, FLAP_QUIET_NS, FLAP_REOPENS_MIN, FLAP_WINDOW_NS, Flap, Handling, Incident, IncidentState,
    MERGE_CHAIN_MAX, RELATED_WINDOW_NS, REOPEN_CANDIDATES_MAX, REOPEN_WINDOW_NS, TimelineEntry,
};
pub use lease::{LEASE_TTL_NS, Lease};
pub use merge::{MERGED_MAX, Merge};
pub use notes::{AUTHOR_BYTES_MAX, Changed, DeskError, NOTE_BYTES_MAX, NewIncident, NewNote, TITLE_BYTES_MAX};
pub use notification::Notification;
pub use playbook::{
    Act, Approvals, Ask, Case, Choice, Compare, Decide, Goto, Guards, Mode, NotifyStep, Playbook, Probe, ProbeKind,
    Query, QueryText, Replicas, RequiredVerdict, Requires, Risk, Step, StepKind, Verify, VerifyQuery, Wait,
};
pub use playbook_file::{PLAYBOOK_BYTES_MAX, PlaybookReport, STEPS_MAX, check_playbooks, load_playbooks};
pub use probe::{ProbeAnswer, ProbeRequest, Prober};
pub use record::{
    JUDGE_WITHIN_NS, Judgement, OFFER_AUTO_CASES_MIN, OFFER_CASES_MIN, OFFER_SHARE_MIN, Offer, PlaybookRecord,
    RECORD_DOCUMENTS_MAX, RECORD_WINDOW_NS,
};
pub use responder::{Effects, KillSwitch, Next, RespondError, Responder, ResponderOptions};
pub use result::{RESULT_COLUMNS_MAX, ResultState, StepResult};
pub use run::{Outcome, Phase, Run, RunState};
pub use simulate::{
    SIMULATE_STEP_NS, SIMULATE_STEPS_MAX, SimulateError, SimulateInput, SimulatedStep, Simulation, simulate,
};
pub use steps::{WORSE_RATIO, WORSE_TIMES};
pub use switches::{KillState, REASON_BYTES_MAX, SwitchError, TRIP_BAD_MAX, TRIP_WINDOW_RUNS};
pub use verdict::{UnknownReason, Verdict};
pub use watch::SelfHealth;
