//! `/api/v1/status/...`, `/api/v1/notifications` and `/api/v1/features`: what the server says of itself in Prometheus's words.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use promql::{AggregateOp, BinaryOp, FUNCTIONS};
use serde_json::{Map, Value, json};

use super::envelope::{PromError, plain};
use super::params::Params;
use crate::Api;
use crate::request::Tenant;

/// Lines of each list of `status/tsdb` unless the request says another number.
const TSDB_LINES: usize = 10;

/// Most lines of each list of `status/tsdb`.
const TSDB_LINES_MAX: usize = 10_000;

/// What the server was started with, to show it.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The configuration as YAML, secrets masked.
    pub yaml: String,
    /// The options of the command line, by name.
    pub flags: BTreeMap<String, String>,
    /// How long samples are kept.
    pub retention: String,
    /// Labels that say which server it is: added to series that others read from it, as in Prometheus.
    pub external_labels: BTreeMap<String, String>,
}

/// `status/config`.
pub(crate) async fn config(State(api): State<Arc<Api>>) -> Json<Value> {
    plain(json!({"yaml": api.settings.yaml}))
}

/// `status/flags`.
pub(crate) async fn flags(State(api): State<Arc<Api>>) -> Json<Value> {
    plain(json!(api.settings.flags))
}

/// `status/buildinfo`. No `features`: Grafana would take the server for Mimir.
pub(crate) async fn buildinfo() -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    plain(json!({"version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""}))
}

/// `status/runtimeinfo`. Threads stand for goroutines; of Go's settings there are none.
pub(crate) async fn runtimeinfo(State(api): State<Arc<Api>>) -> Json<Value> {
    let stats = api.store.stats();
    let damaged = stats.damaged_segments.len() + stats.wal_damage.len() + api.store.series().damaged().len();
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    plain(json!({
        "startTime": api.about.started_at.to_string(),
        "CWD": std::env::current_dir().unwrap_or_default().display().to_string(),
        "hostname": hostname.trim(),
        "serverTime": telemetry::clock::now().to_string(),
        "reloadConfigSuccess": true,
        "lastConfigTime": api.about.started_at.to_string(),
        "corruptionCount": damaged,
        "goroutineCount": threads,
        "GOMAXPROCS": std::thread::available_parallelism().map_or(1, |cores| cores.get()),
        // Go's word for no limit.
        "GOMEMLIMIT": i64::MAX,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": api.settings.retention,
    }))
}

/// `status/tsdb`: who has many series, from the index of the tenant's series.
pub(crate) async fn tsdb(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let bad = || PromError::bad_data("limit must be a positive number");
    let limit = match params.whole_number("limit").map_err(|_| bad())? {
        None => TSDB_LINES,
        Some(limit) => usize::try_from(limit).ok().filter(|limit| *limit > 0).ok_or_else(bad)?,
    };
    if limit > TSDB_LINES_MAX {
        return Err(PromError::bad_data(format!("limit must not exceed {TSDB_LINES_MAX}")));
    }
    let cardinality = api.store.series().cardinality(&tenant, limit);
    let list = |counts: &[(String, usize)]| -> Value {
        counts.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
    };
    // Without samples Prometheus shows the ends of time the wrong way round.
    let (min_ms, max_ms) = cardinality.span_ms.unwrap_or((i64::MAX, i64::MIN));
    Ok(plain(json!({
        "headStats": {
            "numSeries": cardinality.series,
            "numLabelPairs": cardinality.label_pairs,
            "chunkCount": cardinality.chunks,
            "minTime": min_ms,
            "maxTime": max_ms,
        },
        "seriesCountByMetricName": list(&cardinality.series_by_metric),
        "labelValueCountByLabelName": list(&cardinality.values_by_label),
        "memoryInBytesByLabelName": list(&cardinality.value_bytes_by_label),
        "seriesCountByLabelValuePair": list(&cardinality.series_by_pair),
    })))
}

/// `status/walreplay`, in records of the log. The API answers once replay is done, so there is never anything to come.
pub(crate) async fn walreplay(State(api): State<Arc<Api>>) -> Json<Value> {
    let replayed = api.store.stats().replayed_records;
    plain(json!({"min": 0, "max": replayed, "current": replayed}))
}

/// `notifications`: what an operator should look at now.
pub(crate) async fn notifications(State(api): State<Arc<Api>>) -> Json<Value> {
    let stats = api.store.stats();
    let mut texts: Vec<String> = stats.fault.iter().map(|fault| format!("Storage failed: {fault}")).collect();
    texts.extend(stats.wal_damage.iter().map(|damage| format!("The write-ahead log was damaged: {damage}")));
    let segments = stats.damaged_segments.iter();
    texts.extend(segments.map(|segment| format!("Segment {} is out of use: {}", segment.id, segment.reason)));
    let blocks = api.store.series().damaged();
    texts.extend(blocks.iter().map(|block| format!("{} is out of use: {}", block.path.display(), block.reason)));
    let date = api.about.started_at.to_string();
    let shown: Vec<Value> = texts.into_iter().map(|text| json!({"text": text, "date": date, "active": true})).collect();
    plain(shown.into())
}

/// `features`: what of Prometheus is there, by Prometheus's names.
pub(crate) async fn features(State(api): State<Arc<Api>>) -> Json<Value> {
    let enabled = api.engine.limits().promql_features;
    let experimental = enabled.parser.experimental_functions;
    let on = |names: &[&str]| -> Value {
        names.iter().map(|name| ((*name).to_owned(), Value::Bool(true))).collect::<Map<_, _>>().into()
    };
    let functions: Map<String, Value> = FUNCTIONS
        .iter()
        .map(|function| (function.name.to_owned(), (!function.experimental || experimental).into()))
        .collect();
    let operators: BTreeMap<&str, bool> = BinaryOp::ALL
        .iter()
        .map(|(_, text, _)| (*text, true))
        .chain(AggregateOp::ALL.iter().map(|(op, name)| (*name, !op.is_experimental() || experimental)))
        .chain([("@", true)])
        .collect();
    let mut api = on(&[
        "admin",
        "exclude_alerts",
        "label_values_match",
        "otlp_write_receiver",
        "query_stats",
        "query_warnings",
        "remote_write_receiver",
        "time_range_labels",
        "time_range_series",
    ]);
    for missing in ["lifecycle", "query_cost", "search"] {
        api[missing] = false.into();
    }
    let mut promql = on(&[
        "anchored",
        "at_modifier",
        "bool",
        "by",
        "duration_expr",
        "group_left",
        "group_right",
        "ignoring",
        "negative_offset",
        "offset",
        "on",
        "per_query_lookback_delta",
        "per_step_stats",
        "smoothed",
        "subqueries",
        "without",
    ]);
    for (name, enabled) in [
        ("delayed_name_removal", enabled.delayed_name_removal),
        ("fill", enabled.parser.fill_modifiers),
        ("fill_left", enabled.parser.fill_modifiers),
        ("fill_right", enabled.parser.fill_modifiers),
        ("type_and_unit_labels", enabled.type_labels),
        ("unquoted_utf8_names", false),
    ] {
        promql[name] = enabled.into();
    }
    plain(json!({
        "api": api,
        "otlp_receiver": {"delta_conversion": false, "native_delta_ingestion": false},
        "prometheus": {"agent_mode": false, "auto_reload_config": false, "server_mode": true},
        "promql": promql,
        "promql_functions": functions,
        "promql_operators": operators,
        "tsdb": {"exemplar_storage": true, "isolation": true, "native_histograms": true, "st_storage": true},
    }))
}
