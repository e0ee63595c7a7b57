//! Everything that is scraped: discovery of each job, loops of each target, changes of the settings while all goes on.
//!
//! One task owns the jobs. It hears of targets from discovery and of settings from [`ScrapeManager::apply`], and starts and ends loops. A
//! target that goes and comes back, or whose job's settings change, keeps its series: the new loop takes them over from the old one.

mod pool;

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use telemetry::metrics::SCRAPE_TARGETS;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::client::Rooms;
use crate::config::{JobConfig, ScrapeConfig, TargetGroup};
use crate::labels::LabelSet;
use crate::limits::{BODIES_IN_FLIGHT_BYTES_MAX, TARGETS_SETTLE};
use crate::relabel::RelabelShown;
use crate::run::Shared;
use crate::sink::Sink;
use crate::status::{PoolState, ScrapeSnapshot, TargetMetadata};

use pool::Pool;

/// Updates of discovery that wait for the manager; more make discovery wait.
const UPDATES_QUEUED_MAX: usize = 256;

/// What the manager hears.
enum Command {
    Apply(ScrapeConfig, oneshot::Sender<()>),
    Found(Found),
}

/// All groups that one discovery knows.
#[derive(Debug)]
pub(crate) struct Found {
    /// The job.
    pub(crate) job: String,
    /// Which settings of the job this is about: what an old discovery says late is not heard.
    pub(crate) generation: u64,
    /// Which discovery of the job.
    pub(crate) discovery: usize,
    pub(crate) groups: Vec<TargetGroup>,
}

/// Where one discovery sends what it found.
#[derive(Clone)]
pub(crate) struct Updates {
    commands: mpsc::Sender<Command>,
    job: String,
    generation: u64,
    discovery: usize,
}

impl Updates {
    /// Everything that is known now; what was sent before is replaced.
    pub(crate) async fn send(&self, groups: Vec<TargetGroup>) {
        let (job, generation, discovery) = (self.job.clone(), self.generation, self.discovery);
        // Without a manager nobody needs it.
        let _ = self.commands.send(Command::Found(Found { job, generation, discovery, groups })).await;
    }

    /// For tests of a discovery: what it sends comes out of the channel.
    #[cfg(test)]
    pub(crate) fn for_test() -> (Self, FoundReceiver) {
        let (commands, receiver) = mpsc::channel(16);
        (Self { commands, job: "test".to_owned(), generation: 0, discovery: 0 }, FoundReceiver(receiver))
    }
}

/// What a discovery sends, in tests.
#[cfg(test)]
pub(crate) struct FoundReceiver(mpsc::Receiver<Command>);

#[cfg(test)]
impl FoundReceiver {
    /// The next, within ten seconds.
    pub(crate) async fn next(&mut self) -> Vec<TargetGroup> {
        let next = tokio::time::timeout(std::time::Duration::from_secs(10), self.0.recv()).await;
        match next.expect("in time").expect("a sender") {
            Command::Found(found) => found.groups,
            Command::Apply(..) => panic!("a discovery applies no settings"),
        }
    }
}

/// Scrapes what the settings say.
pub struct ScrapeManager {
    commands: mpsc::Sender<Command>,
    seen: Arc<RwLock<Seen>>,
    task: parking_lot::Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for ScrapeManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScrapeManager").field("jobs", &self.pools()).finish_non_exhaustive()
    }
}

/// What others may see.
#[derive(Default)]
struct Seen {
    pools: BTreeMap<String, (Arc<JobConfig>, PoolState)>,
}

/// One step of relabelling, for `/api/v1/targets/relabel_steps`.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RelabelStep {
    /// The rule.
    pub rule: RelabelShown,
    /// The labels behind it.
    pub output: LabelSet,
    /// Whether the target goes on.
    pub keep: bool,
}

impl ScrapeManager {
    /// Starts scraping; `shutdown` ends it without marking anything as stale.
    pub fn start(sink: Arc<dyn Sink>, config: ScrapeConfig, shutdown: CancellationToken) -> Arc<Self> {
        let (commands, receiver) = mpsc::channel(UPDATES_QUEUED_MAX);
        let seen = Arc::new(RwLock::new(Seen::default()));
        let shared = Shared { sink, rooms: Rooms::new(BODIES_IN_FLIGHT_BYTES_MAX), seed: seed() };
        let worker = Worker {
            commands: commands.clone(),
            shared,
            seen: Arc::clone(&seen),
            pools: BTreeMap::new(),
            generation: 0,
            dirty_since: None,
        };
        let task = telemetry::spawn("scrape-manager", worker.run(config, receiver, shutdown));
        Arc::new(Self { commands, seen, task: parking_lot::Mutex::new(Some(task)) })
    }

    /// Goes on with other settings. Jobs that are the same are not touched. Resolves when the new ones are in force.
    pub async fn apply(&self, config: ScrapeConfig) {
        let (done, wait) = oneshot::channel();
        if self.commands.send(Command::Apply(config, done)).await.is_ok() {
            // Ends without a word only with the manager.
            let _ = wait.await;
        }
    }

    /// Resolves when everything has ended after a shutdown.
    pub async fn stopped(&self) {
        let task = self.task.lock().take();
        if let Some(task) = task {
            // A panic is logged where the task was spawned.
            let _ = task.await;
        }
    }

    /// How everything stands; of one job, or of all.
    pub fn snapshot(&self, pool: Option<&str>) -> ScrapeSnapshot {
        let mut snapshot = ScrapeSnapshot::default();
        let seen = self.seen.read();
        for (name, (_, state)) in seen.pools.iter().filter(|(name, _)| pool.is_none_or(|pool| pool == *name)) {
            state.show(name, &mut snapshot);
        }
        snapshot
    }

    /// Names of the jobs.
    pub fn pools(&self) -> Vec<String> {
        self.seen.read().pools.keys().cloned().collect()
    }

    /// The settings of a job.
    pub fn job(&self, pool: &str) -> Option<Arc<JobConfig>> {
        self.seen.read().pools.get(pool).map(|(job, _)| Arc::clone(job))
    }

    /// What targets say of their metrics: of one metric or of all, of targets that the filter likes, as many as asked for.
    pub fn metadata(
        &self,
        metric: Option<&str>,
        limit: usize,
        wanted: impl Fn(&LabelSet) -> bool,
    ) -> Vec<TargetMetadata> {
        let mut found = Vec::new();
        let seen = self.seen.read();
        let targets = seen.pools.values().flat_map(|(_, state)| &state.active);
        for active in targets.filter(|active| wanted(&active.target.labels)) {
            let known = active.metadata.lock();
            let some = known.values().filter(|metadata| metric.is_none_or(|metric| metric == metadata.name));
            for metadata in some {
                if found.len() >= limit {
                    return found;
                }
                found.push(TargetMetadata { target: active.target.labels.clone(), metadata: metadata.clone() });
            }
        }
        found
    }

    /// What a job's rules make of labels, rule by rule; `None` where there is no such job.
    pub fn relabel_steps(&self, pool: &str, labels: &LabelSet) -> Option<Vec<RelabelStep>> {
        let job = self.job(pool)?;
        let (mut labels, mut keep, mut steps) = (labels.clone(), true, Vec::new());
        for rule in &job.relabel {
            keep = keep && rule.apply(&mut labels);
            let output = if keep { labels.clone() } else { LabelSet::default() };
            steps.push(RelabelStep { rule: rule.shown(), output, keep });
        }
        Some(steps)
    }
}

/// Differs from server to server and is the same after a restart of one.
fn seed() -> u64 {
    let hostname = std::fs::read("/proc/sys/kernel/hostname").unwrap_or_default();
    let machine = std::fs::read("/etc/machine-id").unwrap_or_default();
    xxhash_rust::xxh3::xxh3_64(&[hostname, machine].concat())
}

/// The task that owns the jobs.
struct Worker {
    commands: mpsc::Sender<Command>,
    shared: Shared,
    seen: Arc<RwLock<Seen>>,
    pools: BTreeMap<String, Pool>,
    generation: u64,
    /// Since when changes of targets have been waiting to be followed.
    dirty_since: Option<Instant>,
}

impl Worker {
    async fn run(mut self, config: ScrapeConfig, mut commands: mpsc::Receiver<Command>, shutdown: CancellationToken) {
        self.apply(config).await;
        loop {
            let settle = self.dirty_since.map(|since| since + TARGETS_SETTLE);
            tokio::select! {
                () = shutdown.cancelled() => break,
                command = commands.recv() => match command {
                    Some(Command::Apply(config, done)) => {
                        self.apply(config).await;
                        // Whoever asked may have gone.
                        let _ = done.send(());
                    }
                    Some(Command::Found(found)) => self.found(found),
                    None => break,
                },
                () = sleep_until(settle), if settle.is_some() => self.follow(),
            }
        }
        for (_, pool) in std::mem::take(&mut self.pools) {
            pool.shutdown().await;
        }
    }

    async fn apply(&mut self, config: ScrapeConfig) {
        let mut jobs: BTreeMap<String, Arc<JobConfig>> =
            config.jobs.into_iter().map(|job| (job.name.clone(), job)).collect();
        // The series of a job whose tenant is another one end where they are, and begin anew there.
        let stays =
            |(name, pool): &(&String, &Pool)| jobs.get(*name).is_some_and(|job| job.tenant == pool.job().tenant);
        let gone: Vec<String> = self.pools.iter().filter(|pool| !stays(pool)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(pool) = self.pools.remove(&name) {
                // Its targets are marked as stale in their own time.
                pool.gone();
            }
        }
        jobs.retain(|name, job| self.pools.get(name).is_none_or(|pool| pool.job() != job));
        for (name, job) in jobs {
            self.generation += 1;
            let updates = |discovery| Updates {
                commands: self.commands.clone(),
                job: name.clone(),
                generation: self.generation,
                discovery,
            };
            match self.pools.get_mut(&name) {
                Some(pool) => pool.change(job, self.generation, updates),
                None => {
                    let pool = Pool::start(job, self.generation, self.shared.clone(), updates);
                    self.pools.insert(name, pool);
                }
            }
        }
        self.publish();
    }

    fn found(&mut self, found: Found) {
        let Some(pool) = self.pools.get_mut(&found.job) else { return };
        if pool.found(found) {
            self.dirty_since.get_or_insert_with(Instant::now);
        }
    }

    /// Follows changes of targets.
    fn follow(&mut self) {
        self.dirty_since = None;
        for pool in self.pools.values_mut() {
            pool.follow();
        }
        self.publish();
    }

    fn publish(&self) {
        let pools: BTreeMap<String, (Arc<JobConfig>, PoolState)> =
            self.pools.iter().map(|(name, pool)| (name.clone(), (Arc::clone(pool.job()), pool.state()))).collect();
        let targets: usize = pools.values().map(|(_, state)| state.active.len()).sum();
        SCRAPE_TARGETS.set(targets as f64);
        self.seen.write().pools = pools;
    }
}

async fn sleep_until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
