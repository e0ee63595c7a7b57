//! `/api/v1/query` and `/api/v1/query_range`, and what is asked about a query without running it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::{PromRequest, PromResult, QueryError};
use promql::{EvalRange, Expr, QueryValue, StepStats};
use serde_json::{Value, json};

use super::envelope::{PromError, TRUNCATED, plain, success_of_text};
use super::params::Params;
use crate::Api;
use crate::request::Tenant;

/// Steps between start and end that a range query may have; the name of the limit in the engine is `query.promql_points_max`.
const POINTS_MAX: i64 = 11_000;

/// At one time.
pub(crate) async fn instant(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Response, PromError> {
    let limit = params.limit()?;
    let time_ms = params.time_ms("time", telemetry::clock::now().millis())?;
    run(&api, tenant, &params, limit, EvalRange::Instant { time_ms }).await
}

/// At every step of a range.
pub(crate) async fn range(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Response, PromError> {
    let limit = params.limit()?;
    let (start_ms, end_ms) = (params.required_time_ms("start")?, params.required_time_ms("end")?);
    if end_ms < start_ms {
        return Err(PromError::invalid("end", "end timestamp must not be before start time"));
    }
    let step_ms = params.duration_ms("step")?;
    if step_ms <= 0 {
        let fault = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(PromError::invalid("step", fault));
    }
    if (end_ms - start_ms) / step_ms > POINTS_MAX {
        return Err(PromError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    run(&api, tenant, &params, limit, EvalRange::Range { start_ms, end_ms, step_ms }).await
}

async fn run(
    api: &Api,
    tenant: model::TenantId,
    params: &Params,
    limit: Option<usize>,
    range: EvalRange,
) -> Result<Response, PromError> {
    let text = params.get("query").unwrap_or("").to_owned();
    let (timeout_ms, lookback_ms) = (params.timeout_ms()?, params.lookback_ms()?);
    let stats = params.given("stats");
    let request =
        PromRequest { tenant, text: text.clone(), range, timeout_ms, lookback_ms, step_stats: stats.is_some() };
    let mut result = api.engine.prom_run(request).await.map_err(|error| prom_error(&error))?;
    let annotations = &result.outcome.annotations;
    let (mut warnings, infos) = (annotations.warnings(&text), annotations.infos(&text));
    if limit.is_some_and(|limit| truncate(&mut result.outcome.value, limit)) {
        warnings.push(TRUNCATED.to_owned());
    }
    let mut data = String::new();
    result.outcome.value.write_json(&mut data);
    if let Some(stats) = stats {
        if !["true", "all"].contains(&stats) {
            warnings.push(format!(
                "value {stats:?} for parameter \"stats\" is deprecated and will be rejected in the next major release, \
                 use \"true\" or \"all\""
            ));
        }
        // Into the object that is written.
        data.pop();
        data.push_str(&format!(",\"stats\":{}}}", stats_json(&result, range, stats == "all")));
    }
    Ok(success_of_text(&data, warnings, infos))
}

/// Cuts vectors and matrices; says whether something went.
fn truncate(value: &mut QueryValue, limit: usize) -> bool {
    let before = match value {
        QueryValue::Vector(samples) => {
            let before = samples.len();
            samples.truncate(limit);
            before
        }
        QueryValue::Matrix(series) => {
            let before = series.len();
            series.truncate(limit);
            before
        }
        QueryValue::Scalar(_) | QueryValue::String { .. } => 0,
    };
    before > limit
}

/// What the query took. Sorting is part of the evaluation here, and has no time of its own.
fn stats_json(result: &PromResult, range: EvalRange, per_step: bool) -> Value {
    let seconds = |ms: f64| ms / 1000.0;
    let evaluated = seconds(result.elapsed_ms);
    let stats = &result.outcome.stats;
    let StepStats { queryable, read } = &stats.steps;
    let steps = |counts: &[u64]| -> Value {
        let (start_ms, step_ms) = match range {
            EvalRange::Instant { time_ms } => (time_ms, 1),
            EvalRange::Range { start_ms, step_ms, .. } => (start_ms, step_ms),
        };
        let times = (0i64..).map(|step| (start_ms + step * step_ms) as f64 / 1000.0);
        times.zip(counts).map(|(time, count)| json!([time, count])).collect()
    };
    let mut samples = json!({
        "totalQueryableSamples": queryable.iter().sum::<u64>(),
        "samplesRead": read.iter().sum::<u64>(),
        "seriesTouched": stats.series,
        "peakSamples": stats.held,
    });
    if per_step {
        samples["totalQueryableSamplesPerStep"] = steps(queryable);
        samples["samplesReadPerStep"] = steps(read);
    }
    json!({
        "timings": {
            "evalTotalTime": evaluated,
            "resultSortTime": 0,
            "queryPreparationTime": seconds(result.prepare_ms),
            "innerEvalTime": evaluated,
            "execQueueTime": seconds(result.queue_ms),
            "execTotalTime": seconds(result.queue_ms) + evaluated,
        },
        "samples": samples,
    })
}

/// `/api/v1/format_query`: the query in canonical form.
pub(crate) async fn format(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    Ok(plain(parsed(&api, &params)?.pretty().into()))
}

/// `/api/v1/parse_query`: the syntax tree.
pub(crate) async fn parse(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    Ok(plain(parsed(&api, &params)?.to_json()))
}

/// `/api/v1/explain_query`, which Prometheus has not: how the query would be evaluated, an operator a line.
pub(crate) async fn explain(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    Ok(plain(promql::explain(&parsed(&api, &params)?).into()))
}

fn parsed(api: &Api, params: &Params) -> Result<Expr, PromError> {
    let text = params.get("query").unwrap_or("");
    let language = api.engine.limits().promql_features.parser;
    promql::parse_with(text, &language).map_err(|error| PromError::invalid("query", error))
}

/// The engine's error under Prometheus's names.
fn prom_error(error: &QueryError) -> PromError {
    let kind = match error {
        QueryError::Parse(_) | QueryError::Unsupported { .. } => "bad_data",
        QueryError::Limit { name: "query.promql_points_max" | "query.text_bytes_max", .. } => "bad_data",
        QueryError::Limit { .. } | QueryError::Execution { .. } => "execution",
        QueryError::Timeout { .. } => "timeout",
        QueryError::Canceled => "canceled",
        QueryError::Busy { .. } => "unavailable",
        QueryError::Storage { .. } | QueryError::Internal { .. } => "internal",
    };
    let message = match error {
        QueryError::Parse(diagnostics) => {
            let message = diagnostics.first().map_or("empty query", |diagnostic| diagnostic.message.as_str());
            format!("invalid parameter \"query\": {message}")
        }
        QueryError::Timeout { .. } => "query timed out in expression evaluation".to_owned(),
        QueryError::Canceled => "query was canceled in expression evaluation".to_owned(),
        other => other.to_string(),
    };
    PromError::of_kind(kind, message)
}
