//! Running queries.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use exec::{Begun, Budget, Control, ExecError, ExecOptions, ExecStream, Sql};
use futures::StreamExt as _;
use lang::{Diagnostic, PipeKind};
use model::{TimeRange, Timestamp};
use plan::LogicalPlan;
use store::Store;
use telemetry::metrics;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use crate::admission::{Admission, Weight};
use crate::governor::{Governor, SystemGauge};
use crate::patterns::PatternBook;
use crate::registry::{Registered, Registry};
use crate::request::{EXPORT_TIMEOUT_FACTOR, millis};
use crate::sources::{TenantSources, take_source};
use crate::stream::{BATCHES_AHEAD_MAX, Event, QueryStream};
use crate::{Language, QueryError, QueryLimits, QueryRequest, QueryStats, RunningQuery, StateTables};

/// Runs queries over one store. Cheap to clone; all clones share limits, threads and the list of running queries.
#[derive(Clone)]
pub struct Engine {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Arc<Store>,
    pub(crate) state: Arc<dyn StateTables>,
    pub(crate) patterns: PatternBook,
    /// How many tails run.
    pub(crate) tails: Arc<AtomicUsize>,
    pub(crate) limits: QueryLimits,
    pub(crate) admission: Admission,
    pub(crate) registry: Arc<Registry>,
    pub(crate) budget: Arc<Budget>,
    /// Dropping it ends the governor.
    _governor: std::sync::mpsc::Sender<()>,
    /// Queries compute here, so that the reactor of the edges keeps answering. `None` only while dropping.
    runtime: Option<Runtime>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The last clone may be dropped on a runtime's thread, where waiting for another runtime is not allowed.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a query is to do.
pub(crate) enum Task {
    /// A plan of ours.
    Plan(Box<Prepared>),
    /// A query in SQL, planned when its tables are there.
    Sql(Arc<Sql>),
}

/// A query that was read and planned.
pub(crate) struct Prepared {
    pub(crate) plan: LogicalPlan,
    pub(crate) warnings: Vec<String>,
    /// Whether the plan is asked for in place of the rows.
    pub(crate) explain: bool,
}

/// Stack of the threads that queries are planned and run on: DataFusion goes down the tree of an expression of [`exec::SQL_OPERATORS_MAX`]
/// levels, and not everywhere does it look at what is left. Only what is used takes memory.
const QUERY_STACK_BYTES: usize = 64 << 20;

impl Engine {
    /// Starts the engine's threads, named `query` and `governor`. Fails only when the system gives no threads.
    pub fn new(store: Arc<Store>, state: Arc<dyn StateTables>, limits: QueryLimits) -> std::io::Result<Engine> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(limits.partitions())
            .thread_name("query")
            .thread_stack_size(QUERY_STACK_BYTES)
            .enable_time()
            .build()?;
        let registry = Arc::<Registry>::default();
        let (governor, pressure) = Governor::new(Arc::clone(&registry), &limits);
        let (stop, stopped) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("governor".to_owned());
        thread.spawn(move || governor.run(SystemGauge::new(), &stopped))?;
        Ok(Engine {
            inner: Arc::new(Inner {
                admission: Admission::new(&limits, pressure),
                registry,
                _governor: stop,
                budget: Budget::new(limits.memory_total_bytes_max),
                runtime: Some(runtime),
                tails: Arc::default(),
                patterns: PatternBook::new(store.dir().join("patterns")),
                store,
                state,
                limits,
            }),
        })
    }

    /// The limits that it was made with.
    pub fn limits(&self) -> &QueryLimits {
        &self.inner.limits
    }

    /// The queries that run now, oldest first.
    pub fn running(&self) -> Vec<RunningQuery> {
        self.inner.registry.list()
    }

    /// Stops a running query; its reader gets [`QueryError::Canceled`]. False when no such query runs.
    pub fn cancel(&self, id: u64) -> bool {
        self.inner.registry.cancel(id)
    }

    /// Runs a query. Returns once it has started; waits in the queue when too many run.
    pub async fn run(&self, request: QueryRequest) -> Result<QueryStream, QueryError> {
        if request.language == Language::Sql {
            return self.run_sql(request).await.inspect_err(count);
        }
        let prepared = self.prepare(&request).inspect_err(count)?;
        if prepared.explain {
            return self.explained(request).await.inspect_err(count);
        }
        let prepared = self.resolved(&request, prepared).await.inspect_err(count)?;
        self.start(request, prepared).await
    }

    /// Reads and plans a query: everything that can be wrong with its text is found here.
    pub(crate) fn prepare(&self, request: &QueryRequest) -> Result<Prepared, QueryError> {
        self.check_request(request)?;
        let (mut query, mut diagnostics) = request.language.parse(&request.text, request.now)?;
        if !request.pipes.is_empty() {
            let (further, wrong) = lang::parse(&format!("* | {}", request.pipes), request.now);
            query.pipes.extend(further.pipes);
            diagnostics.extend(wrong);
        }
        if diagnostics.iter().any(Diagnostic::is_error) {
            return Err(QueryError::Parse(diagnostics));
        }
        let warnings = diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect();
        self.check_promql(&query)?;
        let explain = query.pipes.iter().any(|pipe| pipe.kind == PipeKind::Explain);
        let plan = plan::plan(&query).map_err(QueryError::Parse)?.within(request.range);
        self.check_range(&plan)?;
        Ok(Prepared { plan, warnings, explain })
    }

    /// Fails when a request asks for more than limits allow, whatever its language.
    pub(crate) fn check_request(&self, request: &QueryRequest) -> Result<(), QueryError> {
        let limits = &self.inner.limits;
        check_limit("query.text_bytes_max", limits.text_bytes_max as u64, request.text.len() as u64, "bytes of text")?;
        check_limit("query.rows_max", limits.rows_max, request.limit.unwrap_or(0), "rows asked for")
    }

    /// Fails when a plan, or one that it reads, covers a longer time than a query may.
    pub(crate) fn check_range(&self, plan: &LogicalPlan) -> Result<(), QueryError> {
        if self.limits().range_ns_max.is_none() {
            return Ok(());
        }
        let mut longest = TimeRange { start: Timestamp(0), end: Timestamp(0) };
        plan.each_scan(&mut |scan| {
            if length(scan.range) > length(longest) {
                longest = scan.range;
            }
        });
        self.check_length(longest)
    }

    /// Fails when a range is longer than a query may cover.
    pub(crate) fn check_length(&self, range: TimeRange) -> Result<(), QueryError> {
        let Some(range_ns_max) = self.limits().range_ns_max else { return Ok(()) };
        check_limit("query.range", range_ns_max.unsigned_abs(), length(range), "nanoseconds of time")
    }

    /// Runs a query that was planned.
    pub(crate) async fn start(&self, request: QueryRequest, prepared: Prepared) -> Result<QueryStream, QueryError> {
        let weight = weight(&prepared.plan);
        self.start_work(request, Task::Plan(Box::new(prepared)), weight).await
    }

    pub(crate) async fn start_work(
        &self,
        request: QueryRequest,
        task: Task,
        weight: Weight,
    ) -> Result<QueryStream, QueryError> {
        let permit = self.inner.admission.enter(weight).await.inspect_err(count)?;
        let control = Arc::new(Control::new(request.allow_partial));
        let registered = self.inner.registry.add(&request.tenant, &request.text, control);
        let (events, receiver) = mpsc::channel(BATCHES_AHEAD_MAX);
        let stream = QueryStream::new(receiver, registered.entry.clone());
        let task = Some(task);
        let driver = Driver { inner: self.inner.clone(), request, task, registered, events, _permit: permit };
        self.spawn(driver.run());
        Ok(stream)
    }

    /// Starts a task on the engine's threads.
    pub(crate) fn spawn<F>(&self, task: F) -> tokio::task::JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let _threads = self.inner.runtime.as_ref().map(Runtime::enter);
        telemetry::spawn("query", task)
    }

    /// Runs work that waits for nothing on a thread of its own.
    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        let _threads = self.inner.runtime.as_ref().map(Runtime::enter);
        tokio::task::spawn_blocking(work)
    }
}

fn length(range: TimeRange) -> u64 {
    range.end.0.saturating_sub(range.start.0).unsigned_abs()
}

/// Most rows in order that count as few.
const LIGHT_ROWS_MAX: u64 = 10_000;

/// Whether a plan may hold much memory: one that counts without groups, or wants the first few rows, does not.
fn weight(plan: &LogicalPlan) -> Weight {
    let few = plan.scan().order.is_some() && plan.scan().fetch.is_some_and(|rows| rows <= LIGHT_ROWS_MAX);
    let mut scans = 0;
    plan.each_scan(&mut |_| scans += 1);
    if (few && scans == 1) || plan.is_count_only() { Weight::Light } else { Weight::Heavy }
}

/// Fails when more is wanted than a limit allows.
pub(crate) fn check_limit(name: &'static str, limit: u64, wanted: u64, what: &str) -> Result<(), QueryError> {
    if wanted <= limit {
        return Ok(());
    }
    Err(QueryError::Limit { name, limit, detail: format!("{wanted} {what}") })
}

/// Counts the outcome of a query that never started.
pub(crate) fn count(error: &QueryError) {
    metrics::QUERIES.add(error.outcome(), 1);
}

/// One query on its way, on the engine's threads. Owns its place in the registry and its permit.
pub(crate) struct Driver {
    pub(crate) inner: Arc<Inner>,
    pub(crate) request: QueryRequest,
    /// What it is to do, until it is begun.
    task: Option<Task>,
    pub(crate) registered: Registered,
    events: mpsc::Sender<Event>,
    _permit: OwnedSemaphorePermit,
}

impl Driver {
    async fn run(mut self) {
        let entry = self.registered.entry.clone();
        let longest = match self.request.export {
            true => self.inner.limits.timeout_ms.saturating_mul(EXPORT_TIMEOUT_FACTOR),
            false => self.inner.limits.timeout_ms,
        };
        let timeout_ms = self.request.timeout_ms.unwrap_or(u64::MAX).min(longest);
        let outcome = tokio::select! {
            biased;
            () = entry.cancel.cancelled() => Err(self.canceled()),
            () = tokio::time::sleep(Duration::from_millis(timeout_ms)) => Err(QueryError::Timeout { timeout_ms }),
            outcome = self.work() => outcome,
        };
        entry.control.cancel();
        self.report_corrupt().await;
        metrics::QUERIES.add(outcome.as_ref().map_or_else(QueryError::outcome, |_| "ok"), 1);
        metrics::QUERY_SECONDS.record(entry.started.elapsed());
        let Driver { events, registered, _permit, .. } = self;
        // The permit and the place in the registry go before the reader hears of the end: what it asks next finds them free.
        drop((registered, _permit));
        let last = match outcome {
            Ok(stats) => Event::End(Box::new(stats)),
            Err(error) => Event::Failed(error),
        };
        // A reader that went away does not want to know.
        let _ = events.send(last).await;
    }

    /// Tells the store which segments are corrupt, so that it takes them out of use and shows them.
    async fn report_corrupt(&self) {
        let corrupt = self.registered.entry.control.corrupt();
        if corrupt.is_empty() {
            return;
        }
        let inner = self.inner.clone();
        let report = move || {
            for (segment, reason) in corrupt {
                if let Err(error) = inner.store.report_damage(&segment, &reason) {
                    tracing::error!(segment, %error, "cannot take a corrupt segment out of use");
                }
            }
        };
        if let Err(error) = tokio::task::spawn_blocking(report).await {
            tracing::error!(%error, "reporting corrupt segments failed");
        }
    }

    async fn work(&mut self) -> Result<QueryStats, QueryError> {
        let control = self.registered.entry.control.clone();
        let most = if self.request.export { u64::MAX } else { self.inner.limits.rows_max };
        let rows_max = self.request.limit.unwrap_or(most);
        // One row more than asked for, so that "there are more" is known.
        let fetch = self.request.limit.map(|limit| limit.saturating_add(1));
        let task = self.task.take();
        let task = task.ok_or_else(|| QueryError::Internal { message: "it was begun twice".to_owned() })?;
        let (mut stream, segments_total, mut warnings) = match task {
            Task::Plan(prepared) => {
                let Prepared { plan, warnings, .. } = *prepared;
                let plan = match fetch {
                    Some(fetch) => plan.with_limit(fetch),
                    None => plan,
                };
                let (begun, segments_total) = self.begin(plan).await?;
                (begun.stream().await.map_err(|error| self.error(error))?, segments_total, warnings)
            }
            Task::Sql(sql) => self.begin_sql(sql, fetch).await?,
        };
        let (rows_returned, limit_reached) = self.forward(&mut stream, rows_max).await?;
        let missing = control.missing();
        let complete = missing.is_empty();
        warnings.extend(missing);
        warnings.extend(control.slowed());
        Ok(QueryStats {
            query_id: self.registered.entry.id,
            rows_returned,
            rows_matched: if limit_reached { None } else { control.rows_matched() },
            rows_scanned: control.rows_scanned(),
            rows_verified: control.profile().rows_verified(),
            segments_total,
            segments_pruned: control.segments_pruned(),
            segments_scanned: control.segments_scanned(),
            bytes_read: control.bytes_read(),
            elapsed_ms: millis(self.registered.entry.started.elapsed()),
            complete,
            limit_reached,
            warnings,
        })
    }

    /// Sends batches to the reader until the end or the limit.
    async fn forward(&self, stream: &mut ExecStream, rows_max: u64) -> Result<(u64, bool), QueryError> {
        let mut sent = 0u64;
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| self.error(error))?;
            // Sorted rows in memory come without a pause in which the order to stop would be seen.
            if self.registered.entry.control.is_canceled() {
                return Err(self.canceled());
            }
            let room = rows_max - sent;
            let more = batch.num_rows() as u64 > room;
            let batch = if more { batch.slice(0, usize::try_from(room).unwrap_or(usize::MAX)) } else { batch };
            sent += batch.num_rows() as u64;
            if batch.num_rows() > 0 && self.events.send(Event::Batch(batch)).await.is_err() {
                return Err(QueryError::Canceled);
            }
            if more && self.request.limit.is_none() {
                let detail = "there are more rows, and the request names no limit".to_owned();
                return Err(QueryError::Limit { name: "query.rows_max", limit: rows_max, detail });
            }
            if more {
                return Ok((sent, true));
            }
        }
        Ok((sent, false))
    }

    /// Takes the data that the query reads and starts the plan, in one go on a blocking thread: most queries are answered
    /// when it is back. Also says how many segments there are.
    async fn begin(&self, plan: LogicalPlan) -> Result<(Begun, u64), QueryError> {
        let (inner, tenant, now) = (self.inner.clone(), self.request.tenant.clone(), self.request.now);
        let control = self.registered.entry.control.clone();
        let task = move || {
            let scan = plan.scan();
            let source = take_source(&inner, &tenant, &scan.input, scan.range, now, &control)?;
            let segments = source.segments.len() as u64;
            let control_of = Arc::clone(&control);
            let sources = Arc::new(TenantSources { inner: inner.clone(), tenant, now, control: control_of });
            let options = exec_options(&inner.limits);
            let begun = exec::begin(plan, source, &options, &inner.budget, control, sources, now);
            Ok((begun.map_err(|error| query_error(error, &inner.limits))?, segments))
        };
        let begun = tokio::task::spawn_blocking(task).await;
        begun.map_err(|error| QueryError::Internal { message: error.to_string() })?
    }

    /// Why the query was told to stop.
    fn canceled(&self) -> QueryError {
        match self.registered.entry.control.stopped_for() {
            Some(detail) => self.error(ExecError::Pressure { detail }),
            None => QueryError::Canceled,
        }
    }

    /// An executor's error as the user sees it.
    fn error(&self, error: ExecError) -> QueryError {
        query_error(error, &self.inner.limits)
    }
}

pub(crate) fn exec_options(limits: &QueryLimits) -> ExecOptions {
    ExecOptions {
        partitions: limits.partitions(),
        memory_bytes_max: limits.memory_bytes_max,
        spill_bytes_max: limits.spill_bytes_max,
        spill_dir: limits.spill_dir.clone(),
        regex_size_bytes_max: limits.regex_size_bytes_max,
    }
}

/// An executor's error as the user sees it, with the names of the limits.
pub(crate) fn query_error(error: ExecError, limits: &QueryLimits) -> QueryError {
    match error {
        ExecError::Unsupported { message, hint } | ExecError::Other { message, hint } => {
            QueryError::Unsupported { message, hint }
        }
        ExecError::Regex { pattern, too_large: true, .. } => QueryError::Limit {
            name: "query.regex_size_bytes_max",
            limit: limits.regex_size_bytes_max as u64,
            detail: format!("the compiled form of {pattern:?} is larger"),
        },
        ExecError::Regex { pattern, message, .. } => QueryError::Unsupported {
            message: format!("the regular expression {pattern:?} cannot be used: {message}"),
            hint: "look-around and back-references are not supported".to_owned(),
        },
        ExecError::Memory { shared: true, detail } => {
            QueryError::Limit { name: "query.memory_total_bytes_max", limit: limits.memory_total_bytes_max, detail }
        }
        ExecError::Memory { shared: false, detail } => {
            QueryError::Limit { name: "query.memory_bytes_max", limit: limits.memory_bytes_max, detail }
        }
        ExecError::Pressure { detail } => {
            QueryError::Limit { name: "query.memory_hard_percent", limit: limits.memory_hard_percent, detail }
        }
        ExecError::Spill { detail } => {
            QueryError::Limit { name: "query.spill_bytes_max", limit: limits.spill_bytes_max, detail }
        }
        ExecError::Segment { segment, message, .. } => QueryError::Storage { segment, message },
        ExecError::Canceled => QueryError::Canceled,
        ExecError::Internal { message } => QueryError::Internal { message },
    }
}
