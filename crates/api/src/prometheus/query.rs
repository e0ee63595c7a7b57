//! `/api/v1/query` and `/api/v1/query_range`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engine::{PromRequest, QueryError};
use promql::EvalRange;
use serde_json::Value;

use super::envelope::{PromError, success};
use super::params::Params;
use crate::Api;
use crate::request::Tenant;

/// At one time.
pub(crate) async fn instant(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let time_ms = params.time_ms("time", telemetry::clock::now())?;
    run(&api, tenant, &params, EvalRange::Instant { time_ms }).await
}

/// At every step of a range.
pub(crate) async fn range(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    params.required("start")?;
    params.required("end")?;
    let now = telemetry::clock::now();
    let (start_ms, end_ms) = (params.time_ms("start", now)?, params.time_ms("end", now)?);
    let step_ms = params.duration_ms("step")?;
    run(&api, tenant, &params, EvalRange::Range { start_ms, end_ms, step_ms }).await
}

async fn run(api: &Api, tenant: model::TenantId, params: &Params, range: EvalRange) -> Result<Json<Value>, PromError> {
    let text = params.get("query").unwrap_or("").to_owned();
    let timeout_ms = params.optional_duration_ms("timeout")?.map(|ms| u64::try_from(ms).unwrap_or(0));
    let lookback_ms = params.optional_duration_ms("lookback_delta")?;
    let limit = params.limit()?;
    let request = PromRequest { tenant, text: text.clone(), range, timeout_ms, lookback_ms };
    let result = api.engine.prom_run(request).await.map_err(|error| prom_error(&error))?;
    let annotations = &result.outcome.annotations;
    let (mut warnings, infos) = (annotations.warnings(&text), annotations.infos(&text));
    let mut data = result.outcome.value.to_json();
    if let (Some(limit), Some(series)) = (limit, data["result"].as_array_mut())
        && series.first().is_some_and(Value::is_object)
        && series.len() > limit
    {
        series.truncate(limit);
        warnings.push("results truncated due to limit".to_owned());
    }
    Ok(success(data, warnings, infos))
}

/// The engine's error under Prometheus's names.
fn prom_error(error: &QueryError) -> PromError {
    let kind = match error {
        QueryError::Parse(_) | QueryError::Unsupported { .. } => "bad_data",
        QueryError::Limit { name: "query.promql_points_max", .. } => "bad_data",
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
        other => other.to_string(),
    };
    PromError::of_kind(kind, message)
}
