//! PromQL over the store's series, under the same limits and in the same list of running queries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use exec::{Budget, Control};
use lang::Diagnostic;
use model::{Labels, TenantId};
use promql::{
    EvalError, EvalLimits, EvalRange, Outcome, SelectRequest, Selection, SeriesSource, SharedMemory, SourceError,
    SourceSeries,
};
use series::{MatchOp, Matcher, SeriesSelection, Wanted};
use store::Store;
use telemetry::metrics;
use tokio::sync::OwnedSemaphorePermit;

use crate::admission::Weight;
use crate::engine::count;
use crate::registry::Registered;
use crate::request::millis;
use crate::{Engine, QueryError};

/// Bytes of the text of a small query, which is answered by the thread that asks: to hand it to another one takes longer than to answer it.
const SMALL_TEXT_BYTES_MAX: usize = 512;
/// Steps of a small query.
const SMALL_STEPS_MAX: i64 = 2_000;
/// Samples that each of its selectors reads.
const SMALL_SAMPLES_MAX: usize = 8_192;
/// Samples and values that it holds.
const SMALL_VALUES_MAX: usize = 32_768;
/// When it is given up after all, and handed on.
const SMALL_TIME_MAX: Duration = Duration::from_millis(1);

/// One PromQL query.
#[derive(Clone, Debug)]
pub struct PromRequest {
    /// Whose data.
    pub tenant: TenantId,
    /// The expression.
    pub text: String,
    /// At which time, or over which range.
    pub range: EvalRange,
    /// A shorter time limit than the engine's.
    pub timeout_ms: Option<u64>,
    /// How old a sample may be and still count as current; `None` is Prometheus's five minutes.
    pub lookback_ms: Option<i64>,
    /// Whether to count what each step looks at.
    pub step_stats: bool,
}

/// The answer to a PromQL query.
#[derive(Clone, Debug, PartialEq)]
pub struct PromResult {
    /// The value, warnings and infos, and how many samples were read.
    pub outcome: Outcome,
    /// The id under which the query ran.
    pub query_id: u64,
    /// How long its text took to read, in milliseconds.
    pub prepare_ms: f64,
    /// How long it waited for its turn, in milliseconds.
    pub queue_ms: f64,
    /// How long it ran, in milliseconds.
    pub elapsed_ms: f64,
}

/// The series of one tenant, as PromQL reads them.
#[derive(Clone)]
pub struct PromSource {
    store: Arc<Store>,
    tenant: TenantId,
    /// Whether it only has what is small and at hand.
    small: bool,
}

impl std::fmt::Debug for PromSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PromSource").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl PromSource {
    pub(crate) fn new(store: Arc<Store>, tenant: TenantId) -> Self {
        Self { store, tenant, small: false }
    }

    fn find(&self, request: &SelectRequest<'_>) -> Result<SeriesSelection, SourceError> {
        let matchers: Result<Vec<Matcher>, _> = request.matchers.iter().map(matcher).collect();
        let matchers = matchers.map_err(|error| SourceError(error.to_string()))?;
        let (series, tenant, now_ms) = (self.store.series(), &self.tenant, telemetry::clock::now().millis());
        let SelectRequest { start_ms, end_ms, .. } = *request;
        let selection = if self.small {
            let found = series.open_at_hand(tenant, &matchers, (start_ms, end_ms), SMALL_SAMPLES_MAX, now_ms);
            found.ok_or_else(|| SourceError("not at hand".to_owned()))?
        } else {
            series.note_asked(tenant, &matchers, now_ms);
            series.open_selection(tenant, &matchers, start_ms, end_ms)
        };
        Ok(selection.wanting(wanted(request.wanted)))
    }
}

impl SeriesSource for PromSource {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let opened = Opened(self.find(request)?);
        let mut found = Vec::with_capacity(opened.len());
        for at in 0..opened.len() {
            let series = opened.read(at)?;
            if !series.times.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }

    fn open(&self, request: &SelectRequest<'_>) -> Result<Box<dyn Selection + '_>, SourceError> {
        Ok(Box::new(Opened(self.find(request)?)))
    }
}

/// A selection of the store's series, as PromQL reads it.
struct Opened(SeriesSelection);

impl Selection for Opened {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn labels(&self, at: usize) -> &Labels {
        self.0.labels(at)
    }

    fn is_sorted(&self) -> bool {
        true
    }

    fn samples_at_most(&self) -> usize {
        self.0.samples_at_most()
    }

    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }

    fn read(&self, at: usize) -> Result<SourceSeries, SourceError> {
        let data = self.0.read(at).map_err(|error| SourceError(error.to_string()))?;
        let series::SeriesData { labels, times, values, histograms, starts, folds, resolution_ms } = data;
        let there = folds.iter().enumerate().filter(|(_, fold)| !fold.is_empty());
        let folds = there.map(|(at, fold)| promql::Fold {
            at,
            count: fold.count,
            resets: fold.resets,
            value: fold.figure(self.0.wanted()),
        });
        let folds = folds.collect();
        Ok(SourceSeries { labels, times, values, histograms, starts, folds, resolution_ms })
    }
}

fn wanted(wanted: promql::Wanted) -> Wanted {
    match wanted {
        promql::Wanted::Count => Wanted::Count,
        promql::Wanted::Sum => Wanted::Sum,
        promql::Wanted::Min => Wanted::Min,
        promql::Wanted::Max => Wanted::Max,
        promql::Wanted::Counter => Wanted::Counter,
    }
}

fn matcher(matcher: &promql::Matcher) -> Result<Matcher, series::SeriesError> {
    let op = match matcher.op {
        promql::MatchOp::Equal => MatchOp::Equal,
        promql::MatchOp::NotEqual => MatchOp::NotEqual,
        promql::MatchOp::Regex => MatchOp::Regex,
        promql::MatchOp::NotRegex => MatchOp::NotRegex,
    };
    Matcher::new(&*matcher.name, op, matcher.pattern())
}

impl Engine {
    /// The series of a tenant.
    pub fn prom(&self, tenant: &TenantId) -> PromSource {
        PromSource::new(self.inner.store.clone(), tenant.clone())
    }

    /// Evaluates an expression at one time, in milliseconds since the Unix epoch.
    pub async fn prom_instant(&self, tenant: &TenantId, text: &str, time_ms: i64) -> Result<PromResult, QueryError> {
        self.prom_run(prom_request(tenant, text, EvalRange::Instant { time_ms })).await
    }

    /// Evaluates an expression at every step from `start_ms` to `end_ms`, both included.
    pub async fn prom_range(
        &self,
        tenant: &TenantId,
        text: &str,
        start_ms: i64,
        end_ms: i64,
        step_ms: i64,
    ) -> Result<PromResult, QueryError> {
        self.prom_run(prom_request(tenant, text, EvalRange::Range { start_ms, end_ms, step_ms })).await
    }

    fn prom_limits(&self, request: &PromRequest, control: &Arc<Control>, deadline: Option<Instant>) -> EvalLimits {
        let defaults = EvalLimits::default();
        EvalLimits {
            lookback_ms: request.lookback_ms.unwrap_or(defaults.lookback_ms),
            steps_max: self.limits().promql_points_max,
            samples_max: self.limits().promql_samples_max,
            memory_max_bytes: usize::try_from(self.limits().memory_bytes_max).unwrap_or(usize::MAX),
            threads: self.limits().partitions(),
            delayed_name_removal: self.limits().promql_features.delayed_name_removal,
            type_labels: self.limits().promql_features.type_labels,
            step_stats: request.step_stats,
            shared_memory: Some(Arc::new(PromMemory {
                budget: Arc::clone(&self.inner.budget),
                control: Arc::clone(control),
            })),
            deadline,
            cancel: Some(control.cancel_flag()),
            ..defaults
        }
    }

    /// Evaluates an expression.
    pub async fn prom_run(&self, request: PromRequest) -> Result<PromResult, QueryError> {
        let text_bytes_max = self.limits().text_bytes_max;
        if request.text.len() > text_bytes_max {
            let detail = format!("{} bytes of text", request.text.len());
            let error = QueryError::Limit { name: "query.text_bytes_max", limit: text_bytes_max as u64, detail };
            count(&error);
            return Err(error);
        }
        let began = Instant::now();
        let expr = promql::parse_with(&request.text, &self.limits().promql_features.parser);
        let expr = expr.map_err(|error| parse_error(&error)).inspect_err(count)?;
        let prepared = began.elapsed();
        let permit = self.inner.admission.enter(Weight::Light).await.inspect_err(count)?;
        let queued = began.elapsed().saturating_sub(prepared);
        let control = Arc::new(Control::new(false));
        let registered = self.inner.registry.add(&request.tenant, &request.text, control);
        // Dropping the caller's future stops the evaluation.
        let stop = StopOnDrop(registered.entry.clone());
        let entry = registered.entry.clone();
        let timeout_ms = request.timeout_ms.unwrap_or(u64::MAX).min(self.limits().timeout_ms);
        let deadline = Instant::now().checked_add(Duration::from_millis(timeout_ms));
        let limits = self.prom_limits(&request, &entry.control, deadline);
        let source = self.prom(&request.tenant);
        let finish = Finish { permit, registered, prepared, queued };
        if let Some(outcome) = eval_small(&expr, &source, &request, &limits, SMALL_TIME_MAX) {
            return finish.with(Ok(outcome));
        }
        let memory_total_bytes_max = self.limits().memory_total_bytes_max;
        // One thread does it all, whether somebody still waits or not: handing a query from thread to thread takes its time.
        let work = self.spawn_blocking(move || {
            let outcome = promql::eval(&expr, &source, request.range, &limits);
            let outcome = outcome.map_err(|error| eval_error(error, timeout_ms, memory_total_bytes_max));
            finish.with(outcome)
        });
        let outcome = tokio::select! {
            biased;
            () = entry.cancel.cancelled() => Err(QueryError::Canceled),
            outcome = work => outcome.unwrap_or_else(|error| Err(QueryError::Internal { message: error.to_string() })),
        };
        drop(stop);
        outcome
    }
}

/// Answers a query that is small and whose samples are in memory; none that is not, and none that fails: it is for a thread that may wait
/// then, or fails there again.
pub(crate) fn eval_small(
    expr: &promql::Expr,
    source: &PromSource,
    request: &PromRequest,
    limits: &EvalLimits,
    time_max: Duration,
) -> Option<Outcome> {
    let steps = match request.range {
        EvalRange::Instant { .. } => 1,
        EvalRange::Range { start_ms, end_ms, step_ms } => end_ms.saturating_sub(start_ms) / step_ms.max(1),
    };
    if request.text.len() > SMALL_TEXT_BYTES_MAX || steps > SMALL_STEPS_MAX {
        return None;
    }
    let soon = Instant::now() + time_max;
    let limits = EvalLimits {
        samples_max: limits.samples_max.min(SMALL_VALUES_MAX),
        threads: 1,
        deadline: Some(limits.deadline.map_or(soon, |deadline| deadline.min(soon))),
        ..limits.clone()
    };
    promql::eval(expr, &PromSource { small: true, ..source.clone() }, request.range, &limits).ok()
}

/// What is left to do when a query has been evaluated.
struct Finish {
    permit: OwnedSemaphorePermit,
    registered: Registered,
    prepared: Duration,
    queued: Duration,
}

impl Finish {
    /// Counts the query, and lets the next one in.
    fn with(self, outcome: Result<Outcome, QueryError>) -> Result<PromResult, QueryError> {
        let Self { permit, registered, prepared, queued } = self;
        let (query_id, took) = (registered.entry.id, registered.entry.started.elapsed());
        metrics::QUERIES.add(outcome.as_ref().map_or_else(QueryError::outcome, |_| "ok"), 1);
        metrics::QUERY_SECONDS.record(took);
        drop((registered, permit));
        let (prepare_ms, queue_ms, elapsed_ms) = (millis(prepared), millis(queued), millis(took));
        outcome.map(|outcome| PromResult { outcome, query_id, prepare_ms, queue_ms, elapsed_ms })
    }
}

/// What evaluations hold, in the budget of all queries and in the list of running ones.
#[derive(Debug)]
pub(crate) struct PromMemory {
    pub(crate) budget: Arc<Budget>,
    pub(crate) control: Arc<Control>,
}

impl SharedMemory for PromMemory {
    fn take(&self, bytes: usize) -> Result<(), String> {
        self.budget.hold(bytes as u64)?;
        self.control.hold(bytes as u64);
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        self.budget.give_back(bytes as u64);
        self.control.sub_memory(bytes as u64);
    }
}

/// Stops a query when its reader goes away.
pub(crate) struct StopOnDrop(pub(crate) Arc<crate::registry::Entry>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn prom_request(tenant: &TenantId, text: &str, range: EvalRange) -> PromRequest {
    let (tenant, text) = (tenant.clone(), text.to_owned());
    PromRequest { tenant, text, range, timeout_ms: None, lookback_ms: None, step_stats: false }
}

/// The message is Prometheus's, with line and column; the span is in bytes.
fn parse_error(error: &promql::ParseError) -> QueryError {
    QueryError::Parse(vec![Diagnostic::error(error.span.start..error.span.end, error.to_string())])
}

pub(crate) fn eval_error(error: EvalError, timeout_ms: u64, memory_total_bytes_max: u64) -> QueryError {
    match error {
        EvalError::TooManySamples { max } => QueryError::Limit {
            name: "query.promql_samples_max",
            limit: max as u64,
            detail: EvalError::TooManySamples { max }.to_string(),
        },
        EvalError::OutOfMemory { max } => QueryError::Limit {
            name: "query.memory_bytes_max",
            limit: max as u64,
            detail: EvalError::OutOfMemory { max }.to_string(),
        },
        EvalError::OutOfSharedMemory(detail) => {
            QueryError::Limit { name: "query.memory_total_bytes_max", limit: memory_total_bytes_max, detail }
        }
        EvalError::TimedOut => QueryError::Timeout { timeout_ms },
        EvalError::Canceled => QueryError::Canceled,
        EvalError::Source(message) => QueryError::Storage { segment: "of series".to_owned(), message },
        EvalError::TooManySteps | EvalError::BadStep | EvalError::EndBeforeStart | EvalError::NotForRanges { .. } => {
            QueryError::Parse(vec![Diagnostic::error(0..0, error.to_string())])
        }
        EvalError::Execution(message) => QueryError::Execution { message },
    }
}
