//! What plans read: tables of the store and of the catalog, answers of PromQL, tables of names, templates.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::RecordBatch;
use exec::{Chunk, Control, ExecError, Source, SourceSegment, Sources, Template};
use lang::{Bucket, Input, Promql};
use model::{Row, Table, TenantId, TimeRange, Timestamp};
use plan::Scan;
use promql::{EvalLimits, EvalRange, QueryValue};
use store::Snapshot;

use crate::QueryError;
use crate::engine::Inner;
use crate::prom::{PromMemory, eval_error};

/// What a sample takes as a row with some labels, roughly.
const ROW_BYTES: usize = 400;

/// How far back a PromQL query looks when nobody says a time.
const PROMQL_SPAN_NS: i64 = 3_600_000_000_000;

/// The data of one tenant, for the plans of one query.
pub(crate) struct TenantSources {
    pub(crate) inner: Arc<Inner>,
    pub(crate) tenant: TenantId,
    pub(crate) now: Timestamp,
    /// Stops what takes long.
    pub(crate) control: Arc<Control>,
}

impl Sources for TenantSources {
    fn source(&self, scan: &Scan) -> Result<Source, ExecError> {
        take_source(&self.inner, &self.tenant, &scan.input, scan.range, self.now, &self.control)
            .map_err(|error| ExecError::Other { message: error.to_string(), hint: error.hint() })
    }

    fn table(&self, name: &str) -> Result<RecordBatch, ExecError> {
        self.inner.limits.lookups.read(name).map_err(|(message, hint)| ExecError::Unsupported { message, hint })
    }

    fn templates(&self, texts: &[(&str, u64)]) -> Vec<Option<Template>> {
        self.inner.patterns.templates(&self.tenant, texts)
    }
}

/// Takes a snapshot of a table of the store, the rows of a table of the catalog, or the answer of a PromQL query.
pub(crate) fn take_source(
    inner: &Inner,
    tenant: &TenantId,
    input: &Input,
    range: TimeRange,
    now: Timestamp,
    control: &Arc<Control>,
) -> Result<Source, QueryError> {
    let rows = match input {
        Input::Table(table) => match Table::parse(table.as_str()) {
            Some(table) => return Ok(source_of(inner.store.snapshot(tenant, table, range))),
            None => {
                let storage = |message| QueryError::Storage { segment: format!("table {}", table.as_str()), message };
                inner.state.rows(tenant, table.as_str(), range).map_err(storage)?
            }
        },
        Input::Promql(promql) => promql_rows(inner, tenant, promql, range, now, control)?,
    };
    let rows: Vec<&Row> = rows.iter().collect();
    let chunks = if rows.is_empty() { Vec::new() } else { vec![Arc::new(Chunk::from(column::rows_to_batch(&rows)))] };
    Ok(Source { segments: Vec::new(), chunks, damaged: Vec::new() })
}

/// A snapshot as operators read it.
pub(crate) fn source_of(snapshot: Snapshot) -> Source {
    let Snapshot { segments, mut deleted, chunks, damaged, .. } = snapshot;
    let segments = segments.into_iter().map(|segment| {
        let deleted = deleted.remove(&segment.meta().id);
        SourceSegment { segment, deleted }
    });
    Source {
        segments: segments.collect(),
        chunks: chunks.into_iter().map(|chunk| Arc::new(Chunk::from(chunk))).collect(),
        damaged: damaged.into_iter().map(|segment| (segment.id, segment.reason)).collect(),
    }
}

/// The samples of a PromQL query at each step of a range, each as a row.
fn promql_rows(
    inner: &Inner,
    tenant: &TenantId,
    query: &Promql,
    range: TimeRange,
    now: Timestamp,
    control: &Arc<Control>,
) -> Result<Vec<Row>, QueryError> {
    let end = if range.end == TimeRange::ALL.end { now } else { range.end.saturating_add_ns(-1) };
    let start = if range.start == TimeRange::ALL.start { end.saturating_add_ns(-PROMQL_SPAN_NS) } else { range.start };
    let step_ns = query.step_ns.unwrap_or_else(|| {
        // In whole milliseconds: whether a range ends a nanosecond later must not choose another step.
        Bucket::auto_step_ns(end.millis().saturating_sub(start.millis()).saturating_mul(1_000_000))
    });
    let step_ms = (step_ns / 1_000_000).max(1);
    let expr = promql::parse_with(&query.text, &inner.limits.promql_features.parser);
    let expr = expr.map_err(|error| QueryError::Parse(vec![promql_diagnostic(query, &error)]))?;
    let limits = EvalLimits {
        steps_max: inner.limits.promql_points_max,
        samples_max: inner.limits.promql_samples_max,
        memory_max_bytes: usize::try_from(inner.limits.memory_bytes_max).unwrap_or(usize::MAX),
        threads: inner.limits.partitions(),
        shared_memory: Some(Arc::new(PromMemory { budget: Arc::clone(&inner.budget), control: Arc::clone(control) })),
        deadline: Instant::now().checked_add(Duration::from_millis(inner.limits.timeout_ms)),
        cancel: Some(control.cancel_flag()),
        ..EvalLimits::default()
    };
    let when = EvalRange::Range { start_ms: ceil_ms(start, step_ms), end_ms: end.millis(), step_ms };
    let source = crate::PromSource::new(Arc::clone(&inner.store), tenant.clone());
    if matches!(when, EvalRange::Range { start_ms, end_ms, .. } if end_ms < start_ms) {
        return Ok(Vec::new());
    }
    let outcome = promql::eval(&expr, &source, when, &limits);
    let outcome =
        outcome.map_err(|error| eval_error(error, inner.limits.timeout_ms, inner.limits.memory_total_bytes_max))?;
    let QueryValue::Matrix(matrix) = outcome.value else { return Ok(Vec::new()) };
    let samples: usize = matrix.iter().map(|series| series.samples.len()).sum();
    let bytes = samples.saturating_mul(ROW_BYTES);
    if bytes as u64 > inner.limits.memory_bytes_max {
        let detail = format!("{samples} samples as rows take about {bytes} bytes");
        return Err(QueryError::Limit { name: "query.memory_bytes_max", limit: inner.limits.memory_bytes_max, detail });
    }
    let mut rows = Vec::with_capacity(samples);
    for series in matrix {
        for sample in &series.samples {
            let mut row = Row::new(Timestamp(sample.time_ms.saturating_mul(1_000_000)));
            for (name, value) in series.labels.iter() {
                match name {
                    model::field::TIME | "value" => row.set(&format!("label.{name}"), value),
                    name => row.set(name, value),
                }
            }
            row.set("value", sample.value);
            rows.push(row.finish());
        }
    }
    Ok(rows)
}

/// The first multiple of the step at or after a time, so that steps do not move with the query.
fn ceil_ms(time: Timestamp, step_ms: i64) -> i64 {
    let ms = time.millis();
    ms.div_euclid(step_ms).saturating_add(i64::from(ms.rem_euclid(step_ms) != 0)).saturating_mul(step_ms)
}

/// A mistake in a PromQL text, at its place in the query around it.
pub(crate) fn promql_diagnostic(query: &Promql, error: &promql::ParseError) -> lang::Diagnostic {
    let at = query.span.0.start + 1;
    let end = (at + error.span.end).min(query.span.0.end).max(query.span.0.start);
    let start = (at + error.span.start).min(end);
    lang::Diagnostic::error(start..end, error.to_string())
}
