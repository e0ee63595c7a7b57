//! The loop's records: changes, alerts, rules, actions, playbooks, the audit trail. Incidents have a file of their own.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
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
    pub(crate) state: Option<String>,
    #[serde(default)]
    start: Option<String>,
    #[serde(default)]
    end: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

impl ListParams {
    pub(crate) fn filter(&self) -> Result<Filter, ApiError> {
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

pub(crate) fn bodies(documents: Vec<Document>) -> Vec<Value> {
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

/// An action as users see it, with the kind of its call.
pub(crate) fn action_json(mut action: Value) -> Value {
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
