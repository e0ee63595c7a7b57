//! The loop's records: changes, alerts, rules, incidents with their timelines, actions, playbooks, the audit trail.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records as _};
use model::TimeRange;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::range;
use crate::{Api, ApiError};

/// Documents of a listing unless asked otherwise.
pub(super) const LIST: usize = 200;
/// Most documents of a listing.
pub(super) const LIST_MAX: usize = 10_000;

/// What a listing is about.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ListParams {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

impl ListParams {
    fn filter(&self) -> Result<Filter, ApiError> {
        let limit = self.limit.unwrap_or(LIST);
        if !(1..=LIST_MAX).contains(&limit) {
            return Err(ApiError::bad_request(format!("limit is {limit}"), format!("give 1 to {LIST_MAX}")));
        }
        let time = |text: &Option<String>| text.clone().map(Value::String);
        let range: TimeRange = range(time(&self.start).as_ref(), time(&self.end).as_ref(), telemetry::clock::now())?;
        Ok(Filter { service: self.service.clone(), range, latest_first: true, limit, ..Filter::default() })
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        ApiError::internal(error.to_string())
    }
}

fn bodies(documents: Vec<Document>) -> Vec<Value> {
    documents.into_iter().map(|document| document.body).collect()
}

fn list(api: &Api, table: LedgerTable, params: &ListParams) -> Result<Vec<Value>, ApiError> {
    Ok(bodies(api.ledger.list(table, &params.filter()?)?))
}

/// `GET /alerts`: what is pending, fires, or was resolved in the last 15 minutes; with the incident of each.
pub(crate) async fn alerts(State(api): State<Arc<Api>>) -> Result<Json<Value>, ApiError> {
    let incidents = list(&api, LedgerTable::Incidents, &ListParams::default())?;
    let mut incident_of: BTreeMap<&str, &Value> = BTreeMap::new();
    for incident in &incidents {
        for alert in incident["alerts"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            incident_of.insert(alert, &incident["id"]);
        }
    }
    let alerts: Vec<Value> = api
        .board
        .alerts()
        .iter()
        .map(|alert| {
            let mut shown = json!(alert);
            shown["incident"] = incident_of.get(alert.id.as_str()).map_or(Value::Null, |id| (*id).clone());
            shown
        })
        .collect();
    Ok(Json(json!({"alerts": alerts})))
}

/// `GET /rules`.
pub(crate) async fn rules(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(api.board.to_json())
}

/// `GET /incidents?state=open|mitigated|resolved|all`.
pub(crate) async fn incidents(
    State(api): State<Arc<Api>>,
    Query(params): Query<ListParams>,
) -> Result<Json<Value>, ApiError> {
    let wanted = params.state.as_deref().unwrap_or("all");
    if !["all", "open", "mitigated", "resolved"].contains(&wanted) {
        return Err(ApiError::bad_request(format!("state is {wanted:?}"), "use open, mitigated, resolved or all"));
    }
    let incidents = list(&api, LedgerTable::Incidents, &params)?.into_iter().map(incident_json);
    let shown: Vec<Value> = incidents.filter(|incident| wanted == "all" || incident["state"] == wanted).collect();
    Ok(Json(json!({"incidents": shown})))
}

/// An incident as users see it: open while nothing has helped, mitigated once something has, resolved when it is over.
fn incident_json(mut incident: Value) -> Value {
    if incident["state"] == "open" && incident["outcome"] == "helped" {
        incident["state"] = "mitigated".into();
    }
    // The ledger's summary is the title, for the query language; here it would only repeat it.
    incident["summary"] = Value::Null;
    incident
}

/// `GET /incidents/{id}`: the incident, its timeline, alerts, actions and the change that is blamed.
pub(crate) async fn incident(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = api.ledger.get(LedgerTable::Incidents, &id)?;
    let found = found.ok_or_else(|| ApiError::not_found(format!("there is no incident {id:?}")))?;
    let mut incident = incident_json(found.body);
    let of_incident = Filter { id_prefix: Some(format!("{id}/")), limit: LIST_MAX, ..Filter::default() };
    let entries = api.ledger.list(LedgerTable::Timeline, &of_incident)?;
    incident["timeline"] = bodies(entries).into_iter().map(entry_json).collect();
    let mut alerts = Vec::new();
    for alert in incident["alerts"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        alerts.extend(api.ledger.get(LedgerTable::Alerts, alert)?.map(|document| document.body));
    }
    let change = match incident["change"].as_str() {
        Some(key) => api.changes.by_key(key)?.as_ref().map(super::intake::change_json),
        None => None,
    };
    let service = incident["service"].as_str().map(str::to_owned);
    let actions = list(&api, LedgerTable::Actions, &ListParams { service, ..ListParams::default() })?;
    incident["actions"] = actions.into_iter().filter(|action| action["incident"] == id).map(action_json).collect();
    incident["alerts"] = alerts.into();
    incident["change"] = change.unwrap_or_default();
    Ok(Json(incident))
}

/// An entry of a timeline. What is structured is the evidence; a link leads to the query that it is about.
fn entry_json(entry: Value) -> Value {
    let detail = &entry["detail"];
    let evidence = if detail["evidence"].is_null() { detail } else { &detail["evidence"] };
    json!({
        "time": entry["at"],
        "kind": entry["kind"],
        "title": entry["summary"],
        "detail": detail["detail"].as_str().or_else(|| detail["output"].as_str()).unwrap_or(""),
        "outcome": outcome(detail["outcome"].as_str()),
        "evidence": evidence,
        "link": Value::Null,
    })
}

/// How an entry ended, in the few words that the UI has marks for.
fn outcome(word: Option<&str>) -> Option<&str> {
    word.map(|word| match word {
        "succeeded" | "helped" | "acted" | "notified" | "delivered" => "ok",
        "not_helped" | "worse" => "failed",
        "held" | "rejected" => "refused",
        word => word,
    })
}

/// An action as users see it, with the kind of its call.
fn action_json(mut action: Value) -> Value {
    action["kind"] = action["request"]["call"]["kind"].clone();
    action
}

/// `GET /actions`.
pub(crate) async fn actions(
    State(api): State<Arc<Api>>,
    Query(params): Query<ListParams>,
) -> Result<Json<Value>, ApiError> {
    let actions: Vec<Value> = list(&api, LedgerTable::Actions, &params)?.into_iter().map(action_json).collect();
    Ok(Json(json!({"actions": actions})))
}

/// Where a page of the audit trail begins.
#[derive(Debug, Deserialize)]
pub(crate) struct AuditParams {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    limit: Option<usize>,
}

/// `GET /audit?after=SEQ&limit=N`: entries in order.
pub(crate) async fn audit(
    State(api): State<Arc<Api>>,
    Query(params): Query<AuditParams>,
) -> Result<Json<Value>, ApiError> {
    let records = api.ledger.audit(params.after, params.limit.unwrap_or(LIST).min(LIST_MAX))?;
    let entries: Vec<Value> = records
        .into_iter()
        .map(|record| {
            let entry = record.entry;
            json!({
                "seq": record.seq, "time": entry.time.to_string(), "actor": entry.actor, "verb": entry.verb,
                "subject": entry.subject, "detail": entry.detail, "hash": record.hash,
            })
        })
        .collect();
    Ok(Json(json!({"audit": entries})))
}
