//! Targets and Alertmanagers. Backstop scrapes nothing and tells Alertmanagers nothing: what it knows is sent to it, and it notifies by
//! itself. So the lists are empty, and parameters are checked as Prometheus checks them.

use axum::Json;
use serde_json::{Value, json};

use super::envelope::{PromError, plain};
use super::params::Params;

/// `/api/v1/targets`.
pub(crate) async fn targets(params: Params) -> Json<Value> {
    let state = params.given("state").map(str::to_lowercase);
    // As in Prometheus, an unknown state shows neither, and counts come with the dropped.
    let dropped = matches!(state.as_deref(), None | Some("any" | "dropped"));
    let counts = if dropped { json!({}) } else { Value::Null };
    plain(json!({"activeTargets": [], "droppedTargets": [], "droppedTargetCounts": counts}))
}

/// `/api/v1/targets/metadata`: metadata is in `/api/v1/metadata`, without targets.
pub(crate) async fn metadata(params: Params) -> Result<Json<Value>, PromError> {
    params.whole_number("limit").map_err(|_| PromError::bad_data("limit must be a number"))?;
    if let Some(selector) = params.given("match_target") {
        promql::parse_selector(selector).map_err(|error| PromError::invalid("match_target", error))?;
    }
    Ok(plain(json!([])))
}

/// `/api/v1/scrape_pools`.
pub(crate) async fn pools() -> Json<Value> {
    plain(json!({"scrapePools": []}))
}

/// `/api/v1/scrape_pools/config` and `/api/v1/targets/relabel_steps`: of a pool, and there is none.
pub(crate) async fn of_pool(params: Params) -> Result<Json<Value>, PromError> {
    let Some(pool) = params.given("scrapePool") else {
        return Err(PromError::bad_data("no scrapePool parameter provided"));
    };
    Err(PromError::bad_data(format!(
        "error retrieving scrape config: unknown scrape pool {pool:?}: nothing is scraped"
    )))
}

/// `/api/v1/alertmanagers`.
pub(crate) async fn alertmanagers() -> Json<Value> {
    plain(json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}))
}
