//! The service catalogue, the dependency graph, and DORA's four figures.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use catalog::ledger::{Document, Filter, LEDGER_LIST_MAX, LedgerTable, Records as _};
use change::{ChangeKind, DoraInput, IncidentFacts, Node, ServiceGraph, dora};
use model::{TimeRange, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::range;
use crate::{Api, ApiError, ServiceBoard};

/// Changes that the page of a service shows, the latest.
const SERVICE_CHANGES: usize = 20;
/// The window of the four figures unless asked otherwise.
const DORA_WINDOW: &str = "-30d";
/// How far before the window deployments tell which version was there before, in nanoseconds: 90 days.
const DORA_HISTORY_NS: i64 = 90 * 86_400_000_000_000;

/// A service in a listing.
fn summary(board: &ServiceBoard, graph: &ServiceGraph, node: &Node) -> Value {
    let entry = board.catalogue().get(&node.service);
    let mut shown = json!(node);
    shown["owners"] = json!(board.catalogue().owners(&node.service));
    shown["description"] = entry.map_or("", |entry| &entry.description).into();
    shown["environments"] = entry.map_or_else(|| json!([]), |entry| json!(entry.environments));
    shown["needs"] = graph.needs(&node.service).collect();
    shown["needed_by"] = graph.needed_by(&node.service).collect();
    shown
}

/// `GET /services`: every service that a file describes or that traces showed.
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Value> {
    let board = &api.services;
    let services: Vec<Value> =
        board.graph(|graph| graph.nodes(board.catalogue()).iter().map(|node| summary(board, graph, node)).collect());
    Json(json!({"services": services}))
}

/// `GET /services/graph`: services and who needs whom.
pub(crate) async fn graph(State(api): State<Arc<Api>>) -> Json<Value> {
    let board = &api.services;
    let now = telemetry::clock::now();
    let (nodes, edges) = board.graph(|graph| (graph.nodes(board.catalogue()), graph.edges(now)));
    Json(json!({"nodes": nodes, "edges": edges, "learning": board.learning()}))
}

/// `GET /services/{name}`: its entry, its edges, how long its changes are watched, whom it can hurt, and its latest changes.
pub(crate) async fn service(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let board = &api.services;
    let shown = board.graph(|graph| service_json(board, graph, &name));
    let mut shown = shown.ok_or_else(|| ApiError::not_found(format!("there is no service {name:?}")))?;
    let latest = Filter { service: Some(name), latest_first: true, limit: SERVICE_CHANGES, ..Filter::default() };
    let changes = api.ledger.list(LedgerTable::Changes, &latest)?;
    shown["changes"] = changes.into_iter().map(|document| document.body).collect();
    Ok(Json(shown))
}

fn service_json(board: &ServiceBoard, graph: &ServiceGraph, name: &str) -> Option<Value> {
    let catalogue = board.catalogue();
    let node = graph.node(name, catalogue)?;
    let bake: BTreeMap<&str, i64> =
        ChangeKind::ALL.into_iter().map(|kind| (kind.as_str(), catalogue.bake_ns(name, kind))).collect();
    let edges = graph.edges(telemetry::clock::now());
    let edges: Vec<_> = edges.into_iter().filter(|edge| edge.caller == name || edge.callee == name).collect();
    let mut shown = summary(board, graph, &node);
    shown["entry"] = json!(catalogue.get(name));
    shown["bake_ns"] = json!(bake);
    shown["edges"] = json!(edges);
    shown["blast_radius"] = json!(graph.blast_radius(name));
    Some(shown)
}

/// What figures are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DoraParams {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    environment: Option<String>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
}

/// `GET /dora?service=&environment=&start=&end=`: DORA's four figures of a window, the last 30 days by default.
pub(crate) async fn dora_figures(
    State(api): State<Arc<Api>>,
    Query(params): Query<DoraParams>,
) -> Result<Json<Value>, ApiError> {
    let made = tokio::task::spawn_blocking(move || figures(&api, &params)).await;
    made.map_err(|error| ApiError::internal(error.to_string()))?
}

fn figures(api: &Api, params: &DoraParams) -> Result<Json<Value>, ApiError> {
    let now = telemetry::clock::now();
    let start = Value::from(params.start.as_deref().unwrap_or(DORA_WINDOW));
    let window = range(Some(&start), params.end.clone().map(Value::from).as_ref(), now)?;
    let known = TimeRange::new(window.start.saturating_add_ns(-DORA_HISTORY_NS), window.end.min(now));
    let changes = api.changes.list(params.service.as_deref(), known, LEDGER_LIST_MAX)?;
    let incidents = Filter { range: known, latest_first: true, ..Filter::default() };
    let incidents = api.ledger.list(LedgerTable::Incidents, &incidents)?;
    if changes.len().max(incidents.len()) >= LEDGER_LIST_MAX {
        let message = format!("there are {LEDGER_LIST_MAX} changes or incidents or more in this window");
        return Err(ApiError::bad_request(message, "narrow it with start and end, or name a service"));
    }
    let first = api.ledger.list(LedgerTable::Changes, &Filter { limit: 1, ..Filter::default() })?;
    let incidents: Vec<IncidentFacts> = incidents.iter().filter_map(incident_facts).collect();
    let report = dora(&DoraInput {
        changes: &changes,
        incidents: &incidents,
        window,
        observed_from: first.first().map(|document| document.time),
        service: params.service.as_deref(),
        environment: params.environment.as_deref(),
        now,
    });
    Ok(Json(json!(report)))
}

fn incident_facts(document: &Document) -> Option<IncidentFacts> {
    let text = |name: &str| document.body[name].as_str();
    let time = |name: &str| Timestamp::parse(text(name)?, Timestamp::default()).ok();
    Some(IncidentFacts {
        service: document.service.clone(),
        change: text("change").map(str::to_owned),
        started_at: time("started_at")?,
        resolved_at: time("resolved_at"),
    })
}
