//! Targets and Alertmanagers. What is scraped is told by whoever scrapes ([`ScrapeView`]); without one the lists are empty. Backstop tells
//! Alertmanagers nothing: it notifies by itself. Parameters are checked as Prometheus checks them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use model::MetricMetadata;
use serde_json::{Value, json};

use super::envelope::{PromError, plain};
use super::params::Params;
use crate::Api;

/// Whether a target is wanted, of which a function gives the labels by name.
pub type WantedTarget<'a> = dyn Fn(&dyn Fn(&str) -> String) -> bool + 'a;

/// What is scraped, as whoever scrapes tells it. Targets and steps are JSON in the shapes of Prometheus's answers.
pub trait ScrapeView: Send + Sync {
    /// Names of the jobs, sorted.
    fn pools(&self) -> Vec<String>;

    /// Targets, of one job or of all.
    fn targets(&self, pool: Option<&str>) -> TargetLists;

    /// What targets say of one metric or of all: labels of the target and the metadata, `limit` at most, of targets that are wanted.
    fn metadata(&self, metric: Option<&str>, limit: usize, wanted: &WantedTarget<'_>) -> Vec<(Value, MetricMetadata)>;

    /// The settings of a job as YAML, secrets masked.
    fn pool_config(&self, pool: &str) -> Option<String>;

    /// What the rules of a job make of labels, rule by rule.
    fn relabel_steps(&self, pool: &str, labels: BTreeMap<String, String>) -> Option<Value>;
}

/// Targets as Prometheus shows them.
#[derive(Clone, Debug, Default)]
pub struct TargetLists {
    /// Those that are scraped.
    pub active: Vec<Value>,
    /// Those that a rule dropped, as far as they are kept.
    pub dropped: Vec<Value>,
    /// How many a rule dropped, by job.
    pub dropped_counts: BTreeMap<String, usize>,
}

/// `/api/v1/targets`.
pub(crate) async fn targets(State(api): State<Arc<Api>>, params: Params) -> Json<Value> {
    let state = params.given("state").map(str::to_lowercase);
    let lists = api.scraping.as_ref().map(|view| view.targets(params.given("scrapePool"))).unwrap_or_default();
    // As in Prometheus, an unknown state shows neither, and counts come with the dropped.
    let active = matches!(state.as_deref(), None | Some("any" | "active"));
    let dropped = matches!(state.as_deref(), None | Some("any" | "dropped"));
    plain(json!({
        "activeTargets": if active { lists.active } else { Vec::new() },
        "droppedTargets": if dropped { lists.dropped } else { Vec::new() },
        "droppedTargetCounts": if dropped { json!(lists.dropped_counts) } else { Value::Null },
    }))
}

/// `/api/v1/targets/metadata`.
pub(crate) async fn metadata(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    let limit = params.whole_number("limit").map_err(|_| PromError::bad_data("limit must be a number"))?;
    let matchers = match params.given("match_target") {
        Some(selector) => {
            promql::parse_selector(selector).map_err(|error| PromError::invalid("match_target", error))?.matchers
        }
        None => Vec::new(),
    };
    let wanted = |label: &dyn Fn(&str) -> String| matchers.iter().all(|matcher| matcher.matches(&label(&matcher.name)));
    // A negative number is no limit.
    let limit = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let metric = params.given("metric");
    let found = api.scraping.as_ref().map(|view| view.metadata(metric, limit, &wanted)).unwrap_or_default();
    let shown = found.into_iter().map(|(target, known)| {
        let mut shown = json!({"target": target});
        // Whoever asked for one metric knows its name.
        if metric.is_none() {
            shown["metric"] = known.name.into();
        }
        shown["type"] = known.kind.as_str().into();
        shown["help"] = known.help.into();
        shown["unit"] = known.unit.into();
        shown
    });
    Ok(plain(shown.collect()))
}

/// `/api/v1/scrape_pools`.
pub(crate) async fn pools(State(api): State<Arc<Api>>) -> Json<Value> {
    plain(json!({"scrapePools": api.scraping.as_ref().map(|view| view.pools()).unwrap_or_default()}))
}

/// `/api/v1/scrape_pools/config`.
pub(crate) async fn pool_config(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    let pool = pool_of(&params)?;
    let yaml = api.scraping.as_ref().and_then(|view| view.pool_config(pool));
    Ok(plain(json!({"yaml": yaml.ok_or_else(|| unknown_pool(&api, pool))?})))
}

/// `/api/v1/targets/relabel_steps`.
pub(crate) async fn relabel_steps(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    let pool = pool_of(&params)?;
    if api.scraping.is_none() {
        return Err(unknown_pool(&api, pool));
    }
    let Some(labels) = params.given("labels") else {
        return Err(PromError::bad_data("no labels parameter provided"));
    };
    let labels: BTreeMap<String, String> =
        serde_json::from_str(labels).map_err(|error| PromError::bad_data(format!("error parsing labels: {error}")))?;
    let steps = api.scraping.as_ref().and_then(|view| view.relabel_steps(pool, labels));
    Ok(plain(json!({"steps": steps.ok_or_else(|| unknown_pool(&api, pool))?})))
}

fn pool_of(params: &Params) -> Result<&str, PromError> {
    params.given("scrapePool").ok_or_else(|| PromError::bad_data("no scrapePool parameter provided"))
}

fn unknown_pool(api: &Api, pool: &str) -> PromError {
    let nothing = if api.scraping.is_none() { ": nothing is scraped" } else { "" };
    PromError::bad_data(format!("error retrieving scrape config: unknown scrape pool {pool:?}{nothing}"))
}

/// `/api/v1/alertmanagers`.
pub(crate) async fn alertmanagers() -> Json<Value> {
    plain(json!({"activeAlertmanagers": [], "droppedAlertmanagers": []}))
}
