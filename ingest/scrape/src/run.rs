//! The loop of one target: asks at its times, hands samples on, and marks what is gone.

mod ask;
mod report;

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use model::{SeriesBatch, SeriesSamples, Timestamp, is_stale_nan};
use telemetry::clock;
use telemetry::metrics::{
    SCRAPE_DUPLICATES, SCRAPE_OUT_OF_BOUNDS, SCRAPE_REFUSED_SAMPLES, SCRAPE_SAMPLES, SCRAPE_SECONDS, SCRAPES,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::client::{Client, Rooms};
use crate::config::JobConfig;
use crate::limits::OWED_PER_TARGET_MAX;
use crate::schedule::{Schedule, first_wait};
use crate::series::{BodyOptions, SampleRules, TargetSeries};
use crate::sink::{Origin, Refused, Sink, SinkError};
use crate::status::{ActiveTarget, Health, LastScrape};

use ask::{Answer, Failure};
use report::{Report, ReportSeries};

/// Answers below this are read where they arrive; larger ones on a thread that may take its time.
const INLINE_BYTES_MAX: usize = 128 * 1024;

/// How a loop goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    /// It scrapes.
    Run,
    /// Its target is gone: when it does not come back, its series are marked as stale.
    Gone,
    /// Another loop takes over its series.
    Replaced,
    /// The server ends, and will go on where it was.
    Shutdown,
}

/// What all loops share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) sink: Arc<dyn Sink>,
    /// Room for answers.
    pub(crate) rooms: Rooms,
    /// Moves the times of this server against those of others.
    pub(crate) seed: u64,
}

/// A loop that runs.
pub(crate) struct Running {
    pub(crate) active: Arc<ActiveTarget>,
    pub(crate) course: watch::Sender<Course>,
    pub(crate) task: JoinHandle<Box<TargetSeries>>,
}

/// What a loop needs.
pub(crate) struct Loop {
    pub(crate) job: Arc<JobConfig>,
    pub(crate) active: Arc<ActiveTarget>,
    pub(crate) client: Arc<Client>,
    pub(crate) shared: Shared,
    /// The loop that had the target before, whose series this one takes over.
    pub(crate) predecessor: Option<JoinHandle<Box<TargetSeries>>>,
}

impl Loop {
    /// Starts it.
    pub(crate) fn start(self) -> Running {
        let (course, followed) = watch::channel(Course::Run);
        let active = Arc::clone(&self.active);
        let task = telemetry::spawn("scrape", Runner::run(self, followed));
        Running { active, course, task }
    }
}

struct Runner {
    parts: Loop,
    course: watch::Receiver<Course>,
    series: Box<TargetSeries>,
    rules: Arc<SampleRules>,
    report: ReportSeries,
    /// Whether anything was ever written.
    began: bool,
    /// What the store did not take and no later scrape says again.
    owed: SeriesBatch,
}

impl Runner {
    async fn run(mut parts: Loop, course: watch::Receiver<Course>) -> Box<TargetSeries> {
        let (mut series, mut began) = (Box::<TargetSeries>::default(), false);
        if let Some(predecessor) = parts.predecessor.take()
            && let Ok(taken) = predecessor.await
        {
            series = taken;
            series.forget_names();
            began = true;
        }
        let rules = Arc::new(SampleRules::new(&parts.job, &parts.active.target.labels));
        let report = ReportSeries::new(&parts.active.target, parts.job.extra_metrics);
        let mut runner = Self { parts, course, series, rules, report, began, owed: SeriesBatch::default() };
        runner.turns().await;
        runner.series
    }

    /// Scrapes until the course changes.
    async fn turns(&mut self) {
        let interval = self.parts.active.target.interval;
        let now_ns = clock::now().0;
        let wait = first_wait(now_ns, interval, self.parts.active.target.hash, self.parts.shared.seed);
        if self.pause(wait).await {
            return self.end(None).await;
        }
        let mut ticker = tokio::time::interval(interval);
        ticker.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticker.tick().await;
        let mut schedule = Schedule::new(clock::now().0, interval);
        loop {
            let time = Timestamp(schedule.align(clock::now().0));
            let mut course = self.course.clone();
            tokio::select! {
                () = self.scrape(time) => {}
                // The end of the server does not wait for a slow target.
                _ = course.wait_for(|course| *course == Course::Shutdown) => return,
            }
            tokio::select! {
                _ = ticker.tick() => {}
                _ = self.course.changed() => {}
            }
            // Without the one who says where it goes, it ends.
            if self.course.has_changed().is_err() {
                return;
            }
            if *self.course.borrow() != Course::Run {
                return self.end(Some(ticker)).await;
            }
        }
    }

    /// Waits; true when the course changed meanwhile.
    async fn pause(&mut self, wait: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(wait) => false,
            _ = self.course.changed() => true,
        }
    }

    /// One scrape: everything of it, the report too, is one batch.
    async fn scrape(&mut self, time: Timestamp) {
        let started = Instant::now();
        let forced = self.parts.active.forced_error.lock().clone();
        let asked = match forced {
            Some(error) => Err(Failure::Forced(error)),
            None => self.ask().await,
        };
        let (mut report, body) = match asked {
            Ok(answer) => (Report { body_bytes: answer.body.len() as i64, ..Report::default() }, Ok(answer)),
            Err(failure) => (Report { body_bytes: failure.body_bytes(), ..Report::default() }, Err(failure)),
        };
        let read = match body {
            Ok(answer) => self.read(answer, time, &mut report).await,
            Err(failure) => Err(failure),
        };
        let took = started.elapsed();
        let (mut batch, failure) = match read {
            Ok(batch) => (batch, None),
            Err(failure) => (self.series.nothing(time.millis()), Some(failure)),
        };
        report.up = failure.is_none();
        report.took = took;
        report.timeout = self.parts.active.target.timeout;
        report.sample_limit = self.parts.job.limits.samples;
        self.report.write(&report, time.millis(), &mut batch);
        self.began = true;
        SCRAPE_SECONDS.record(took);
        SCRAPES.add(failure.as_ref().map_or("ok", Failure::outcome), 1);
        let error = failure.map(|failure| failure.to_string());
        if let Some(error) = &error {
            self.log_failure(time, error);
        }
        let (not_stored, refused) = match self.store(batch).await {
            Ok(refused) => (None, refused),
            Err(error) => (Some(error.to_string()), None),
        };
        self.publish(time, took, error.or(not_stored), refused);
    }

    async fn ask(&self) -> Result<Answer, Failure> {
        let target = &self.parts.active.target;
        let whole = ask::ask(&self.parts.client, &self.parts.job, target, &self.parts.shared.rooms);
        match tokio::time::timeout(target.timeout, whole).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Timeout(target.timeout)),
        }
    }

    /// An answer to a batch.
    async fn read(&mut self, answer: Answer, time: Timestamp, report: &mut Report) -> Result<SeriesBatch, Failure> {
        let target = &self.parts.active.target;
        let options = BodyOptions {
            format: answer.format,
            native_histograms: target.native_histograms,
            classic_histograms: target.classic_histograms,
            convert_histograms: target.convert_histograms,
            time_ms: time.millis(),
        };
        let rules = Arc::clone(&self.rules);
        let mut series = std::mem::take(&mut self.series);
        let work = move || {
            let outcome = series.body(&answer.body, options, &rules);
            (series, outcome)
        };
        let inline = report.body_bytes <= INLINE_BYTES_MAX as i64;
        let done = if inline { Ok(work()) } else { tokio::task::spawn_blocking(work).await };
        let (series, (counts, outcome)) = done.map_err(|error| Failure::Failed(error.to_string()))?;
        self.series = series;
        (report.scraped, report.kept, report.added) = (counts.scraped, counts.kept, counts.added);
        SCRAPE_SAMPLES.add(counts.scraped);
        SCRAPE_DUPLICATES.add(counts.duplicates);
        SCRAPE_OUT_OF_BOUNDS.add(counts.out_of_bounds);
        if counts.duplicates + counts.out_of_bounds > 0 {
            let (url, duplicates, future) = (&target.url, counts.duplicates, counts.out_of_bounds);
            tracing::debug!(%url, duplicates, future, "samples of a scrape were left out");
        }
        outcome.map_err(Failure::Body)
    }

    /// Hands a batch on; a busy store is waited for until the next scrape is due. Gives what was over a limit of the store, in words.
    async fn store(&mut self, mut batch: SeriesBatch) -> Result<Option<String>, SinkError> {
        let target = &self.parts.active.target;
        let owed = std::mem::take(&mut self.owed);
        batch.series.splice(0..0, owed.series);
        batch.metadata.splice(0..0, owed.metadata);
        let owed = said_once(&batch);
        let origin = Origin { tenant: &self.parts.job.tenant, target: &target.address() };
        let stored = self.parts.shared.sink.append(origin, batch, target.interval).await;
        match stored {
            Ok(Refused { samples: 0, reason }) if reason.is_empty() => Ok(None),
            Ok(Refused { samples, reason }) => {
                SCRAPE_REFUSED_SAMPLES.add(samples);
                // The log and the quarantine are told once in a while, by the sink.
                tracing::debug!(url = %target.url, samples, reason, "the store refused samples of a scrape");
                Ok(Some(format!("the store refused {samples} samples: {reason}")))
            }
            Err(error) => {
                self.owed = owed;
                SCRAPES.add("not_stored", 1);
                tracing::warn!(url = %target.url, %error, "a scrape was not stored");
                Err(error)
            }
        }
    }

    /// A target of which some samples were refused is up, and says so.
    fn publish(&self, time: Timestamp, took: Duration, error: Option<String>, refused: Option<String>) {
        let health = if error.is_none() { Health::Up } else { Health::Down };
        let error = error.or(refused).unwrap_or_default();
        *self.parts.active.last.lock() = LastScrape { health, error, time: Some(time), took };
        let mut shown = self.parts.active.metadata.lock();
        if shown.len() != self.series.metadata().count()
            || !shown.values().zip(self.series.metadata()).all(|(shown, known)| shown == known)
        {
            *shown = self.series.metadata().map(|known| (known.name.clone(), known.clone())).collect();
        }
    }

    /// One line in the job's file of failures, where it has one.
    fn log_failure(&self, time: Timestamp, error: &str) {
        let (job, target) = (&self.parts.job, &self.parts.active.target);
        tracing::debug!(job = job.name, url = %target.url, error, "a scrape failed");
        let Some(path) = &job.failure_log else { return };
        let line = serde_json::json!({
            "time": time.to_string(), "level": "ERROR", "job_name": job.name, "target": target.url.as_str(), "msg": error,
        });
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
        if let Err(error) = opened.and_then(|mut file| writeln!(file, "{line}")) {
            tracing::warn!(path = %path.display(), %error, "cannot write down a failed scrape");
        }
    }

    /// What is left to do when the course changed: for a target that is gone, to wait whether it comes back, as Prometheus does, and
    /// then to mark its series as stale, at the time of the scrape that did not happen.
    async fn end(&mut self, ticker: Option<tokio::time::Interval>) {
        let interval = self.parts.active.target.interval;
        if *self.course.borrow_and_update() != Course::Gone || !self.began {
            return;
        }
        let mut ticker =
            ticker.unwrap_or_else(|| tokio::time::interval_at((Instant::now() + interval).into(), interval));
        let gone = async {
            ticker.tick().await;
            let stale_at = clock::now();
            ticker.tick().await;
            tokio::time::sleep(interval / 10).await;
            stale_at
        };
        let stale_at = tokio::select! {
            stale_at = gone => stale_at,
            _ = self.course.changed() => return,
        };
        let mut batch = self.series.nothing(stale_at.millis());
        self.report.stale(stale_at.millis(), &mut batch);
        // What went wrong is logged there.
        let _ = self.store(batch).await;
    }
}

/// The markers and the metadata of a batch, as many as are kept: a marker is written when a series vanishes and never again, so that a series
/// whose marker is lost seems to be there for five minutes more.
fn said_once(batch: &SeriesBatch) -> SeriesBatch {
    let is_marker = |series: &&SeriesSamples| {
        series.samples.iter().any(|sample| is_stale_nan(sample.value))
            || series.histograms.iter().any(|sample| sample.histogram.is_stale())
    };
    let mut owed = SeriesBatch::default();
    owed.series.extend(batch.series.iter().filter(is_marker).take(OWED_PER_TARGET_MAX).cloned());
    owed.metadata.extend(batch.metadata.iter().take(OWED_PER_TARGET_MAX).cloned());
    owed
}
