//! One job: its discovery, its targets and their loops.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::TenantId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Found, Updates};
use crate::client::Client;
use crate::config::{JobConfig, TargetGroup};
use crate::discovery;
use crate::labels::LabelSet;
use crate::limits::{DROPPED_TARGETS_SHOWN_MAX, TARGETS_PER_JOB_MAX};
use crate::run::{Course, Loop, Running, Shared};
use crate::series::TargetSeries;
use crate::status::{ActiveTarget, PoolState};
use crate::target::{Outcome, Target, targets_of};

/// One job that runs.
pub(super) struct Pool {
    job: Arc<JobConfig>,
    generation: u64,
    shared: Shared,
    client: Arc<Client>,
    /// Ends the discovery of these settings.
    discovery: CancellationToken,
    /// What each discovery found; `None` before it said anything.
    found: Vec<Option<Vec<TargetGroup>>>,
    changed: bool,
    /// Loops by the hash of their target.
    running: BTreeMap<u64, Running>,
    /// Loops of targets that are gone and may come back.
    leaving: BTreeMap<u64, Running>,
    dropped: Vec<LabelSet>,
    dropped_count: usize,
    failed: Vec<(LabelSet, String)>,
}

impl Pool {
    pub(super) fn start(
        job: Arc<JobConfig>,
        generation: u64,
        shared: Shared,
        updates: impl Fn(usize) -> Updates,
    ) -> Self {
        let client = Arc::new(Client::new(job.http.clone()));
        let discovery = CancellationToken::new();
        start_discovery(&job, &discovery, updates);
        let found = vec![None; job.discovery.len()];
        let (running, leaving, dropped, failed) = (BTreeMap::new(), BTreeMap::new(), Vec::new(), Vec::new());
        Self {
            job,
            generation,
            shared,
            client,
            discovery,
            found,
            changed: false,
            running,
            leaving,
            dropped,
            dropped_count: 0,
            failed,
        }
    }

    pub(super) fn job(&self) -> &Arc<JobConfig> {
        &self.job
    }

    /// Goes on with other settings. Where targets come from the same place, what was found is still known; loops begin anew with the
    /// series of the old ones.
    pub(super) fn change(&mut self, job: Arc<JobConfig>, generation: u64, updates: impl Fn(usize) -> Updates) {
        self.discovery.cancel();
        self.discovery = CancellationToken::new();
        if self.job.discovery != job.discovery {
            self.found = vec![None; job.discovery.len()];
        }
        self.client = Arc::new(Client::new(job.http.clone()));
        self.job = job;
        self.generation = generation;
        start_discovery(&self.job, &self.discovery, updates);
        // All loops begin anew, so that they have the new settings.
        for (hash, running) in std::mem::take(&mut self.running) {
            self.leave(hash, running);
        }
        if self.all_found() {
            self.changed = true;
            self.follow();
        }
    }

    /// Whether every discovery has spoken: before, a target may be missing only because its discovery is slow.
    fn all_found(&self) -> bool {
        self.found.iter().all(Option::is_some)
    }

    /// Keeps what a discovery found. True when something is to be followed.
    pub(super) fn found(&mut self, found: Found) -> bool {
        let current = found.generation == self.generation;
        let Some(slot) = self.found.get_mut(found.discovery).filter(|_| current) else { return false };
        if slot.as_ref() == Some(&found.groups) {
            return false;
        }
        *slot = Some(found.groups);
        self.changed = true;
        true
    }

    /// Starts and ends loops, so that exactly the targets that are known now are scraped.
    pub(super) fn follow(&mut self) {
        if !std::mem::take(&mut self.changed) {
            return;
        }
        self.leaving.retain(|_, running| !running.task.is_finished());
        let targets = self.sort_out();
        let over = self.over_limit(targets.len());
        for hash in self.running.keys().filter(|hash| !targets.contains_key(*hash)).copied().collect::<Vec<_>>() {
            if let Some(running) = self.running.remove(&hash) {
                self.leave(hash, running);
            }
        }
        for (hash, target) in targets {
            if !self.running.contains_key(&hash) {
                let predecessor = self.leaving.remove(&hash).map(hand_over);
                let running = self.begin(target, predecessor);
                self.running.insert(hash, running);
            }
        }
        for running in self.running.values() {
            running.active.forced_error.lock().clone_from(&over);
        }
    }

    /// Targets by their hash; what is dropped and what can not be scraped is noted.
    fn sort_out(&mut self) -> BTreeMap<u64, Target> {
        let mut targets = BTreeMap::new();
        self.dropped.clear();
        self.failed.clear();
        self.dropped_count = 0;
        let shown = match usize::try_from(self.job.limits.dropped_targets).unwrap_or(usize::MAX) {
            0 => DROPPED_TARGETS_SHOWN_MAX,
            limit => limit.min(DROPPED_TARGETS_SHOWN_MAX),
        };
        for group in self.found.iter().flatten().flatten() {
            for outcome in targets_of(&self.job, group) {
                match outcome {
                    Outcome::Target(target) if targets.len() < TARGETS_PER_JOB_MAX => {
                        targets.insert(target.hash, *target);
                    }
                    Outcome::Target(target) => {
                        let reason = format!("the job has more than {TARGETS_PER_JOB_MAX} targets");
                        self.failed.push((target.discovered, reason));
                    }
                    Outcome::Dropped(labels) => {
                        self.dropped_count += 1;
                        if self.dropped.len() < shown {
                            self.dropped.push(labels);
                        }
                    }
                    Outcome::Failed { discovered, reason } => {
                        tracing::warn!(job = self.job.name, target = %discovered, reason, "a target can not be scraped");
                        self.failed.push((discovered, reason));
                    }
                }
                self.failed.truncate(DROPPED_TARGETS_SHOWN_MAX);
            }
        }
        targets
    }

    /// Why no target is scraped, when there are more than the job allows.
    fn over_limit(&self, targets: usize) -> Option<String> {
        let limit = self.job.limits.targets;
        (limit > 0 && targets as u64 > limit)
            .then(|| format!("target_limit exceeded (number of targets: {targets}, limit: {limit})"))
    }

    fn begin(&self, target: Target, predecessor: Option<JoinHandle<Box<TargetSeries>>>) -> Running {
        let parts = Loop {
            job: Arc::clone(&self.job),
            active: Arc::new(ActiveTarget::new(target)),
            client: Arc::clone(&self.client),
            shared: self.shared.clone(),
            predecessor,
        };
        parts.start()
    }

    /// The target of a loop is gone, perhaps for a moment.
    fn leave(&mut self, hash: u64, running: Running) {
        running.course.send_replace(Course::Gone);
        // One that left before and was not taken over goes its way.
        self.leaving.insert(hash, running);
    }

    /// The job is gone: its targets leave in their own time.
    pub(super) fn gone(self) {
        self.discovery.cancel();
        for running in self.running.values() {
            running.course.send_replace(Course::Gone);
        }
        // Loops hear of the end of their channel as of a change, so the ends are kept until the loops have ended.
        let loops: Vec<Running> = self.running.into_values().chain(self.leaving.into_values()).collect();
        telemetry::spawn("scrape-leaving", async move {
            for running in loops {
                // A panic is logged where the task was spawned.
                let _ = running.task.await;
            }
        });
    }

    /// The server ends: nothing is marked as stale, since scraping goes on after the restart.
    pub(super) async fn shutdown(self) {
        self.discovery.cancel();
        let loops: Vec<Running> = self.running.into_values().chain(self.leaving.into_values()).collect();
        for running in &loops {
            running.course.send_replace(Course::Shutdown);
        }
        for running in loops {
            // A panic is logged where the task was spawned.
            let _ = running.task.await;
        }
    }

    pub(super) fn state(&self) -> PoolState {
        let tenant = &self.job.tenant;
        PoolState {
            tenant: (*tenant != TenantId::default()).then(|| tenant.to_string()),
            active: self.running.values().map(|running| Arc::clone(&running.active)).collect(),
            dropped: self.dropped.clone(),
            dropped_count: self.dropped_count,
            failed: self.failed.clone(),
        }
    }
}

/// Ends a loop and lets another one have its series.
fn hand_over(running: Running) -> JoinHandle<Box<TargetSeries>> {
    running.course.send_replace(Course::Replaced);
    running.task
}

fn start_discovery(job: &JobConfig, stop: &CancellationToken, updates: impl Fn(usize) -> Updates) {
    for (number, config) in job.discovery.iter().enumerate() {
        let (config, updates, stop) = (config.clone(), updates(number), stop.clone());
        telemetry::spawn("scrape-discovery", async move {
            tokio::select! {
                () = discovery::run(config, updates) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}
