//! `/admin/...` and `/status`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};

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
    let damaged: Vec<Value> =
        stats.damaged_segments.iter().map(|segment| json!({"segment": segment.id, "reason": segment.reason})).collect();
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
        "damaged_segments": damaged,
        "wal_damage": stats.wal_damage,
    }))
}

fn segment_bytes(meta: &segment::SegmentMeta) -> u64 {
    meta.bytes()
}
