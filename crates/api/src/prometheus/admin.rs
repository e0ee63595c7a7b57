//! `/api/v1/admin/tsdb/...`: deleting samples of series, and copies of the metric store.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use series::SeriesError;

use super::envelope::{PromError, plain};
use super::params::{ALL_MS, Params};
use super::selectors;
use crate::Api;
use crate::request::Tenant;

/// Folder of the data directory for snapshots.
const SNAPSHOTS: &str = "snapshots";

/// `delete_series`: what was acknowledged before the call is durably gone from every later answer.
pub(crate) async fn delete_series(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    params: Params,
) -> Result<StatusCode, PromError> {
    check_known(&api, &headers)?;
    selectors::check_given(&params)?;
    let (start_ms, end_ms) = (params.time_ms("start", ALL_MS.0)?, params.time_ms("end", ALL_MS.1)?);
    let selectors = selectors::required(&params)?;
    let work = blocking(move || {
        // Until it is in blocks, a replay of the log after a crash would bring it back.
        api.store.flush(false).map_err(PromError::internal)?;
        api.store.series().delete(&tenant, &selectors, start_ms, end_ms).map_err(series_error)
    });
    work.await.map(|_| StatusCode::NO_CONTENT)
}

/// `clean_tombstones`: gives back the room of what was deleted.
pub(crate) async fn clean_tombstones(State(api): State<Arc<Api>>, headers: HeaderMap) -> Result<StatusCode, PromError> {
    check_known(&api, &headers)?;
    let work = blocking(move || api.store.series().clean_tombstones().map_err(series_error));
    work.await.map(|_| StatusCode::NO_CONTENT)
}

/// `snapshot`: the metric store of all tenants as it is now, in a folder of the data directory. Logs and spans are not in it.
pub(crate) async fn snapshot(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Json<Value>, PromError> {
    check_known(&api, &headers)?;
    let skip_head = match params.given("skip_head") {
        None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => false,
        Some("1" | "t" | "T" | "true" | "TRUE" | "True") => true,
        Some(other) => {
            let cause = format!("strconv.ParseBool: parsing {other:?}: invalid syntax");
            return Err(PromError::invalid("skip_head", format!("unable to parse boolean: {cause}")));
        }
    };
    let now = telemetry::clock::now();
    let name = format!("{}-{:016x}", now.to_string().replace([':', '-', '.'], ""), now.0);
    let dir = api.store.dir().join(SNAPSHOTS).join(&name).join("series");
    blocking(move || {
        if !skip_head {
            api.store.flush(false).map_err(PromError::internal)?;
        }
        api.store.series().snapshot(&dir).map_err(series_error)
    })
    .await?;
    Ok(plain(json!({"name": name})))
}

/// Where people are configured, only they may.
fn check_known(api: &Api, headers: &HeaderMap) -> Result<(), PromError> {
    api.approvers
        .known(headers)
        .map(drop)
        .map_err(|error| PromError::with_status(error.status(), "unavailable", error.message()))
}

fn series_error(error: SeriesError) -> PromError {
    match error {
        SeriesError::TooManyTombstones { .. } => {
            PromError::of_kind("unavailable", format!("{error}: POST /api/v1/admin/tsdb/clean_tombstones"))
        }
        error => PromError::internal(error),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PromError> + Send + 'static,
) -> Result<T, PromError> {
    tokio::task::spawn_blocking(work).await.map_err(PromError::internal)?
}
