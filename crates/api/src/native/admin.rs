//! `/admin/...` and `/status`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use engine::QueryRequest;
use model::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::{JsonBody, Tenant, range};
use crate::{Api, ApiError};

/// Parameters of a flush.
#[derive(Debug, Deserialize)]
pub(crate) struct FlushParams {
    #[serde(default)]
    compact: bool,
}

/// `POST /admin/flush?compact=true`: answers when all that is acknowledged is in segments, with `compact` in merged ones.
pub(crate) async fn flush(
    State(api): State<Arc<Api>>,
    Query(params): Query<FlushParams>,
) -> Result<Json<Value>, ApiError> {
    let store = Arc::clone(&api.store);
    let flushed = tokio::task::spawn_blocking(move || store.flush(params.compact)).await;
    let report = flushed.map_err(|error| ApiError::internal(error.to_string()))?;
    report.map_err(|error| ApiError::internal(error.to_string()))?;
    let stats = api.store.stats();
    Ok(Json(json!({"flushed": true, "segments": stats.segments, "bytes": stats.segment_bytes})))
}

/// `POST /admin/delete`: deletes the rows that a filter finds. They are gone from every answer at once, and from the disk when
/// their segment is next merged.
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    JsonBody(body): JsonBody<DeleteBody>,
) -> Result<Json<Value>, ApiError> {
    let now = telemetry::clock::now();
    let mut request = QueryRequest::new(tenant, body.query, now);
    request.range = range(body.start.as_ref(), body.end.as_ref(), now)?;
    let report = api.engine.delete(request).await?;
    Ok(Json(json!({"rows": report.rows, "segments": report.segments, "segments_removed": report.segments_removed})))
}

/// The body of a delete. Without `start` and `end`, all time is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DeleteBody {
    query: String,
    #[serde(default)]
    start: Option<Value>,
    #[serde(default)]
    end: Option<Value>,
}

/// Metrics that `/metrics/usage` names unless asked otherwise.
const USAGE_METRICS: usize = 100;

/// What `/metrics/usage` is asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageQuery {
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /metrics/usage`: metrics by when a query asked for them last, those that none asks for first, with their series.
pub(crate) async fn metric_usage(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(asked): Query<UsageQuery>,
) -> Json<Value> {
    let usage = api.store.series().metric_usage(&tenant, asked.limit.unwrap_or(USAGE_METRICS));
    let shown = usage.iter().map(|metric| {
        let at = metric.asked_ms.map(|ms| Timestamp(ms.saturating_mul(1_000_000)).to_string());
        json!({"metric": metric.metric, "series": metric.series, "asked_at": at})
    });
    Json(json!({"metrics": shown.collect::<Vec<_>>()}))
}

/// `GET /segments`: the live segments, their bytes by kind, and those that are out of use.
pub(crate) async fn segments(State(api): State<Arc<Api>>) -> Json<Value> {
    let one = |meta: &segment::SegmentMeta| {
        json!({
            "id": meta.id,
            "tenant": meta.tenant.as_str(),
            "table": meta.table.as_str(),
            "level": meta.level,
            "rows": meta.rows,
            "from": meta.min_time.to_string(),
            "to": meta.max_time.to_string(),
            "columns_bytes": meta.bytes_parquet,
            "index_bytes": meta.bytes_index,
            "index_groups_bytes": meta.index_groups_bytes,
            "index_terms_bytes": meta.index_terms_bytes,
            "index_filters_bytes": meta.index_filters_bytes,
            "index_failure": meta.index_failure,
        })
    };
    let segments: Vec<Value> = api.store.segments().iter().map(one).collect();
    Json(json!({"segments": segments, "damaged": damaged(&api.store.stats())}))
}

fn damaged(stats: &store::StoreStats) -> Vec<Value> {
    stats.damaged_segments.iter().map(|segment| json!({"segment": segment.id, "reason": segment.reason})).collect()
}

/// `GET /status`: what the server is, and what it holds.
pub(crate) async fn status(State(api): State<Arc<Api>>) -> Json<Value> {
    let stats = api.store.stats();
    let mut tables: Vec<Value> = Vec::new();
    let segments = api.store.segments();
    for table in model::Table::ALL {
        let of_table = || segments.iter().filter(|meta| meta.table == table);
        tables.push(json!({
            "table": table.as_str(),
            "rows": of_table().map(|meta| meta.rows).sum::<u64>(),
            "segments": of_table().count(),
            "bytes": of_table().map(segment_bytes).sum::<u64>(),
        }));
    }
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": api.about.started_at.to_string(),
        "ready": true,
        "listeners": api.about.listeners.iter().map(|(name, address)| json!({"name": name, "address": address})).collect::<Vec<_>>(),
        "memtable_rows": stats.memtable_rows,
        "memtable_bytes": stats.memtable_bytes,
        "segment_rows": stats.segment_rows,
        "wal_bytes": stats.wal_bytes,
        "series": api.store.series().series_count(),
        "tables": tables,
        "damaged_segments": damaged(&stats),
        "wal_damage": stats.wal_damage,
    }))
}

fn segment_bytes(meta: &segment::SegmentMeta) -> u64 {
    meta.bytes()
}

/// `GET /parse-rules`: how often each parse rule parsed, failed, quarantined, and each detector found something.
pub(crate) async fn parse_rules(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(json!({"counters": api.parse_counters.as_ref().map_or_else(|| json!([]), |counters| counters())}))
}
