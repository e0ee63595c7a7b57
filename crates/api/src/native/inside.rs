//! What is in the rows of a query: their patterns, their facets, and the rows around one of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use engine::QueryRequest;
use model::{TenantId, TimeRange, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::explore::ExploreBody;
use crate::request::{Asked, Tenant};
use crate::{Api, ApiError};

/// Patterns unless asked otherwise.
const PATTERNS: u64 = 50;
/// Most patterns.
const PATTERNS_MAX: u64 = 1_000;
/// Steps of the trend of a pattern.
const TREND_STEPS: i64 = 24;
/// Values of each facet unless asked otherwise.
const FACET_VALUES: u64 = 10;
/// Most values of a facet.
const FACET_VALUES_MAX: u64 = 1_000;
/// Rows on each side of a row unless asked otherwise.
const CONTEXT_ROWS: u64 = 10;

fn limit(asked: Option<u64>, default: u64, most: u64) -> Result<u64, ApiError> {
    let limit = asked.unwrap_or(default);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(ApiError::bad_request(format!("limit is {limit}"), format!("give 1 to {most}")))
}

async fn rows(api: &Api, request: QueryRequest) -> Result<Vec<Value>, ApiError> {
    Ok(api.engine.run(request).await?.collect_all().await?.json_rows())
}

/// `GET` or `POST /patterns`: the templates of the matching lines, how many, since when, and how their number went.
pub(crate) async fn patterns(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ExploreBody>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(body.limit, PATTERNS, PATTERNS_MAX)?;
    let request = body.request(tenant, telemetry::clock::now())?;
    let range = api.engine.range_of(&request).await?;
    let step_ns = (range.end.0.saturating_sub(range.start.0) / TREND_STEPS).max(1);
    let within = |request: &QueryRequest, pipes: &str, range: TimeRange| {
        let mut asked = request.clone();
        asked.pipes = pipes.to_owned();
        asked.range = range;
        asked
    };
    let found = rows(&api, within(&request, &format!("patterns limit {limit}"), range)).await?;
    let trend = format!("stats by (_pattern, _time:{step_ns}ns) count() as n");
    let mut trends: HashMap<String, Vec<u64>> = HashMap::new();
    for row in rows(&api, within(&request, &trend, range)).await? {
        let (Some(id), Some(time)) = (row["_pattern"].as_str(), row["_time"].as_str()) else { continue };
        let Ok(time) = Timestamp::parse(time, Timestamp(0)) else { continue };
        let first = range.start.0.div_euclid(step_ns).saturating_mul(step_ns);
        let at = usize::try_from((time.0 - first) / step_ns).unwrap_or(0);
        let counts = trends.entry(id.to_owned()).or_default();
        counts.resize(counts.len().max(at + 1), 0);
        counts[at] += row["n"].as_u64().unwrap_or(0);
    }
    let length = range.end.0.saturating_sub(range.start.0);
    let before = TimeRange::new(range.start.saturating_add_ns(-length), range.start);
    let known: HashSet<String> = rows(&api, within(&request, "stats by (_pattern) count() as n", before))
        .await?
        .iter()
        .filter_map(|row| row["_pattern"].as_str().map(str::to_owned))
        .collect();
    let steps = trends.values().map(Vec::len).max().unwrap_or(0);
    let total: u64 = trends.values().flatten().sum();
    let shown = found.into_iter().map(|row| {
        let id = row["_pattern"].as_str().unwrap_or_default().to_owned();
        let mut trend = trends.remove(&id).unwrap_or_default();
        trend.resize(steps, 0);
        json!({
            "id": id, "template": row["template"], "count": row["count"], "share": row["share"],
            "first_seen": row["first_seen"], "last_seen": row["last_seen"], "example": row["example"],
            "trend": trend, "new": !known.contains(&id),
        })
    });
    let shown: Vec<Value> = shown.collect();
    Ok(Json(json!({
        "patterns": shown, "total": total, "step_ms": step_ns as f64 / 1e6,
        "start": range.start.to_string(), "end": range.end.to_string(),
    })))
}

/// `GET` or `POST /facets`: the commonest values of each field.
pub(crate) async fn facets(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ExploreBody>,
) -> Result<Json<Value>, ApiError> {
    let limit = limit(body.limit, FACET_VALUES, FACET_VALUES_MAX)?;
    let mut request = body.request(tenant, telemetry::clock::now())?;
    request.pipes = format!("facets {limit}");
    let mut facets: Vec<Value> = Vec::new();
    for row in rows(&api, request).await? {
        let value = json!({"value": row["value"], "hits": row["hits"]});
        match facets.last_mut().filter(|facet| facet["field"] == row["field"]) {
            Some(facet) => facet["values"].as_array_mut().into_iter().for_each(|values| values.push(value.clone())),
            None => facets.push(json!({"field": row["field"], "values": [value]})),
        }
    }
    Ok(Json(json!({"facets": facets})))
}

/// Which row, and how much around it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ContextBody {
    id: String,
    time: String,
    #[serde(default)]
    stream: String,
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    after: Option<u64>,
}

impl ContextBody {
    fn request(&self, tenant: TenantId) -> Result<QueryRequest, ApiError> {
        let time = Timestamp::parse(&self.time, telemetry::clock::now())
            .map_err(|error| ApiError::bad_request(error.to_string(), "send the row's own `_time`"))?;
        let quoted = |text: &str| Value::from(text).to_string();
        let mut text = format!("_id:={}", quoted(&self.id));
        if !self.stream.is_empty() {
            text.push_str(&format!(" _stream:={}", quoted(&self.stream)));
        }
        let (before, after) = (self.before.unwrap_or(CONTEXT_ROWS), self.after.unwrap_or(CONTEXT_ROWS));
        text.push_str(&format!(" | context before {before} after {after}"));
        let mut request = QueryRequest::new(tenant, text, telemetry::clock::now());
        request.range = TimeRange::new(time, time.saturating_add_ns(1));
        Ok(request)
    }
}

/// `GET` or `POST /context`: a row, and those of its stream around it.
pub(crate) async fn context(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Asked(body): Asked<ContextBody>,
) -> Result<Json<Value>, ApiError> {
    let found = rows(&api, body.request(tenant)?).await?;
    if found.is_empty() {
        return Err(ApiError::not_found(format!("no row {:?} at {}", body.id, body.time)));
    }
    Ok(Json(json!({"rows": found})))
}
