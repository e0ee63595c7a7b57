//! The responder: what it holds, what it is given, what it does after a restart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::ledger::{Filter, LedgerError, LedgerTable, Records};
use change::{ChangeBook, ServiceGraph};
use model::Timestamp;
use parking_lot::Mutex;
use rules::{Alert, RuleQuery};

use crate::action::ActionState;
use crate::guards::Freeze;
use crate::lease::{LEASE_TTL_NS, Lease};
use crate::probe::{NoProber, Prober};
use crate::writes::{Batch, parse, read};
use crate::{
    Action, EntryKind, Executor, Outcome, Phase, Playbook, Principal, Run, RunState, SelfHealth, Surroundings,
};

/// Why the responder could not go on. The state is that of the last commit; trying again later is safe.
#[derive(Debug, thiserror::Error)]
pub enum RespondError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A run that does not exist.
    #[error("there is no run {0:?}; it may have been removed")]
    NoRun(String),
    /// A run without its incident or action.
    #[error(
        "the run {run:?} refers to {what} {id:?}, which is not there; the ledger is damaged, restore it from a backup"
    )]
    Dangling {
        /// The run.
        run: String,
        /// What it refers to.
        what: &'static str,
        /// By which id.
        id: String,
    },
}

/// What the responder is configured with.
#[derive(Clone, Debug)]
pub struct ResponderOptions {
    /// Who is paged when a run fails and no step says whom to tell. They are paged too whenever an action's outcome is unknown.
    pub escalation_receivers: Vec<String>,
    /// How long a run waits for a verdict other than Unknown, in nanoseconds: changes are reported late.
    pub decision_patience_ns: i64,
    /// How often it looks again meanwhile, in nanoseconds.
    pub decision_poll_ns: i64,
    /// Who may approve.
    pub approvers: Vec<Principal>,
    /// When nothing acts, whatever the playbook.
    pub freeze: Vec<Freeze>,
    /// What this process calls itself in leases. The same after a restart, so that it knows its own leases; another for every process
    /// that runs at the same time.
    pub holder: String,
    /// How long a lease lasts unless it is renewed, in nanoseconds.
    pub lease_ttl_ns: i64,
}

impl Default for ResponderOptions {
    fn default() -> Self {
        Self {
            escalation_receivers: vec!["log".to_owned()],
            decision_patience_ns: 60_000_000_000,
            decision_poll_ns: 2_000_000_000,
            approvers: Vec::new(),
            freeze: Vec::new(),
            holder: "backstop".to_owned(),
            lease_ttl_ns: LEASE_TTL_NS,
        }
    }
}

/// Stops all actions while it is engaged.
pub trait KillSwitch: Send + Sync {
    /// Why it is engaged, if it is. Called right before an action, so it must be quick.
    fn engaged(&self) -> Option<String>;
}

/// A kill switch in code: a function or closure.
impl<F: Fn() -> Option<String> + Send + Sync> KillSwitch for F {
    fn engaged(&self) -> Option<String> {
        self()
    }
}

/// What a run may use.
#[derive(Clone, Copy)]
pub struct Effects<'a> {
    /// Measures, for verifications.
    pub query: &'a dyn RuleQuery,
    /// Acts.
    pub executor: &'a dyn Executor,
}

/// When a run wants to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Not before this time.
    Wait(Timestamp),
    /// Never: it has ended.
    Done(Outcome),
}

/// What the responder remembers of alerts between two calls. The ledger is the truth; this saves reading it.
#[derive(Default)]
pub(crate) struct Seen {
    /// The last snapshot of every alert that fires or did, by id.
    pub(crate) live: BTreeMap<String, Alert>,
    /// Alerts that the ledger knows as firing.
    pub(crate) firing: BTreeSet<String>,
    /// When incidents that flap were last looked at.
    pub(crate) settled_at: Option<Timestamp>,
}

/// Turns alerts into incidents, and incidents into actions.
pub struct Responder {
    pub(crate) records: Arc<dyn Records>,
    pub(crate) changes: ChangeBook,
    pub(crate) playbooks: Vec<Playbook>,
    pub(crate) options: ResponderOptions,
    pub(crate) kill_switch: Box<dyn KillSwitch>,
    pub(crate) health: Arc<dyn SelfHealth>,
    pub(crate) surroundings: Arc<dyn Surroundings>,
    pub(crate) prober: Box<dyn Prober>,
    /// The leases of actions that are being carried out here, by target. Locked after `deciding`.
    pub(crate) leases: Mutex<BTreeMap<String, Lease>>,
    /// Held over every decision and its commit, so that guards count each other's actions. Never held over a side effect.
    pub(crate) deciding: Mutex<Seen>,
    /// When this process took over: patience begins anew then, because nothing is measured yet.
    pub(crate) started_at: Timestamp,
    /// Runs that some thread advances now.
    busy: Mutex<BTreeSet<String>>,
}

impl Responder {
    /// Starts over a ledger at time `now`. Actions that an earlier process left `started` become `unknown`: nobody can know
    /// whether they happened, so people are paged and nothing is tried again.
    pub fn new(
        records: Arc<dyn Records>,
        playbooks: Vec<Playbook>,
        options: ResponderOptions,
        kill_switch: Box<dyn KillSwitch>,
        now: Timestamp,
    ) -> Result<Responder, RespondError> {
        let changes = ChangeBook::new(records.clone());
        let mut seen = Seen::default();
        let filter = Filter { states: vec!["firing".to_owned()], ..Filter::default() };
        for document in records.list(LedgerTable::Alerts, &filter)? {
            let mut alert: Alert = parse(LedgerTable::Alerts, document)?;
            // Nobody has measured it since the restart.
            alert.data = rules::DataState::Unknown;
            seen.firing.insert(alert.id.clone());
            seen.live.insert(alert.id.clone(), alert);
        }
        let deciding = Mutex::new(seen);
        let busy = Mutex::new(BTreeSet::new());
        let (health, prober) = (Arc::new(|_: Timestamp| None), Box::new(NoProber));
        let leases = Mutex::new(BTreeMap::new());
        let responder = Responder {
            records,
            changes,
            playbooks,
            options,
            kill_switch,
            health,
            surroundings: Arc::new(ServiceGraph::default()),
            prober,
            leases,
            deciding,
            started_at: now,
            busy,
        };
        responder.recover(now)?;
        Ok(responder)
    }

    /// Lets probes be tried; without one every probe is unknown.
    #[must_use]
    pub fn with_prober(mut self, prober: Box<dyn Prober>) -> Self {
        self.prober = prober;
        self
    }

    /// Asks before every action whether what is measured can be trusted.
    #[must_use]
    pub fn with_health(mut self, health: Arc<dyn SelfHealth>) -> Self {
        self.health = health;
        self
    }

    /// Lets it know who needs whom; without it only changes of the service itself, and of its neighbours, are suspects.
    #[must_use]
    pub fn with_surroundings(mut self, surroundings: Arc<dyn Surroundings>) -> Self {
        self.surroundings = surroundings;
        self
    }

    /// The playbooks.
    pub fn playbooks(&self) -> &[Playbook] {
        &self.playbooks
    }

    /// The runs that want to go on at `now`, and when the next one after them will.
    pub fn due(&self, now: Timestamp) -> Result<(Vec<String>, Option<Timestamp>), RespondError> {
        let busy = self.busy.lock().clone();
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        for run in self.active_runs()? {
            if busy.contains(&run.id) {
                continue;
            }
            if run.wake_at <= now {
                due.push(run.id);
            } else {
                next = Some(next.map_or(run.wake_at, |next| next.min(run.wake_at)));
            }
        }
        Ok((due, next))
    }

    /// Goes on with a run as far as it can: until it has to wait, or has ended. Blocks while an action or a query runs. A run that
    /// another thread advances is left alone.
    pub fn advance(&self, run: &str, now: Timestamp, effects: &Effects<'_>) -> Result<Next, RespondError> {
        if !self.busy.lock().insert(run.to_owned()) {
            return Ok(Next::Wait(now.saturating_add_ns(self.options.decision_poll_ns)));
        }
        let _release = Release { responder: self, run };
        match self.go_on(run, now, effects) {
            // Another process was faster with this run; what it made of it is seen next time.
            Err(RespondError::Ledger(LedgerError::Conflict { .. })) => {
                Ok(Next::Wait(now.saturating_add_ns(self.options.decision_poll_ns)))
            }
            other => other,
        }
    }

    pub(crate) fn active_runs(&self) -> Result<Vec<Run>, LedgerError> {
        let filter = Filter { states: vec![RunState::Active.as_str().to_owned()], ..Filter::default() };
        let found = self.records.list(LedgerTable::Runs, &filter)?;
        found.into_iter().map(|document| parse(LedgerTable::Runs, document)).collect()
    }

    fn recover(&self, now: Timestamp) -> Result<(), RespondError> {
        let filter = Filter { states: vec![ActionState::Started.as_str().to_owned()], ..Filter::default() };
        for document in self.records.list(LedgerTable::Actions, &filter)? {
            let action: Action = parse(LedgerTable::Actions, document)?;
            if self.carried_out_elsewhere(&action, now)?.is_none() {
                self.give_up(action, now)?;
            }
        }
        for mut run in self.active_runs()? {
            if let Phase::Verifying { holding_since: holding_since @ Some(_), .. } = &mut run.phase {
                // Nobody measured while the process was down: the condition has to hold anew.
                *holding_since = None;
                let mut batch = Batch::new(now);
                batch.timeline(
                    &run.incident,
                    EntryKind::Note,
                    "restarted: the verification starts holding anew",
                    serde_json::Value::Null,
                );
                batch.put_run(&run);
                batch.commit(&*self.records)?;
            }
        }
        Ok(())
    }

    /// An action is `started`, and nobody is carrying it out: its outcome is unknown.
    pub(crate) fn give_up(&self, mut action: Action, now: Timestamp) -> Result<(), RespondError> {
        action.state = ActionState::Unknown;
        action.finished_at = Some(now);
        action.detail =
            "the process ended after the action had started and before its end was recorded; it may or may not have \
                         happened, and is not tried again: check the target"
                .to_owned();
        let mut batch = Batch::new(now);
        batch.move_action(ActionState::Started.as_str(), &action);
        self.release_lease(&action, &mut batch)?;
        batch.timeline(
            &action.incident,
            EntryKind::Action,
            action.summary(),
            serde_json::json!({"outcome": "unknown", "detail": action.detail}),
        );
        let run: Option<Run> = read(&*self.records, LedgerTable::Runs, &action.run)?;
        match run {
            Some(run) if run.state == RunState::Active => {
                self.fail_step(run, Outcome::Unknown, &action.detail, Some(&action), batch, now)?;
                self.trip_if_poor(now)?;
            }
            _ => batch.commit(&*self.records)?,
        }
        Ok(())
    }
}

/// Lets go of a run, also when advancing it panicked.
struct Release<'a> {
    responder: &'a Responder,
    run: &'a str,
}

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.responder.busy.lock().remove(self.run);
    }
}
