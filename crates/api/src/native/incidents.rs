//! Incidents: reading them with everything that belongs to them, and what people do with them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use catalog::ledger::{LedgerTable, Records as _};
use model::Timestamp;
use respond::{Changed, DeskError, Dossier, Merge, NewIncident, NewNote, Responder, TimelineEntry, dossier};
use serde::Deserialize;
use serde_json::{Value, json};

use super::loops::{ListParams, action_json, bodies};
use crate::request::JsonBody;
use crate::{Api, ApiError};

/// The states that a listing can be asked for, and that of the ledger in which they are found.
const STATES: [(&str, &[&str]); 5] =
    [("all", &[]), ("open", &["open"]), ("mitigated", &["open"]), ("resolved", &["resolved"]), ("merged", &["merged"])];

/// How long after the last evaluation the link from an alert to its logs ends, in nanoseconds.
const LINK_MARGIN_NS: i64 = 60_000_000_000;

impl From<DeskError> for ApiError {
    fn from(error: DeskError) -> Self {
        let (text, hint) = (error.to_string(), error.hint().to_owned());
        match error {
            DeskError::NotFound(_) => ApiError::not_found(text),
            DeskError::State { .. } => ApiError::conflict(text, hint),
            DeskError::Field { .. } => ApiError::bad_request(text, hint),
            DeskError::Respond(_) => ApiError::internal(text),
        }
    }
}

/// `GET /incidents?state=open|mitigated|resolved|merged|all`.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(params): Query<ListParams>,
) -> Result<Json<Value>, ApiError> {
    let wanted = params.state.as_deref().unwrap_or("all");
    let Some((_, states)) = STATES.iter().find(|(name, _)| *name == wanted) else {
        let hint = "use open, mitigated, resolved, merged or all";
        return Err(ApiError::bad_request(format!("state is {wanted:?}"), hint));
    };
    let mut filter = params.filter()?;
    filter.states = states.iter().map(|state| (*state).to_owned()).collect();
    let incidents = bodies(api.ledger.list(LedgerTable::Incidents, &filter)?).into_iter().map(incident_json);
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

fn known(api: &Api, id: &str) -> Result<Dossier, ApiError> {
    let found = dossier(&*api.ledger, id)?;
    found.ok_or_else(|| ApiError::not_found(format!("there is no incident {id:?}")))
}

/// `GET /incidents/{id}`: the incident, its timeline, alerts, actions, the change that is blamed and the watch over it.
pub(crate) async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let dossier = known(&api, &id)?;
    let mut incident = incident_json(json!(dossier.incident));
    incident["timeline"] = dossier.timeline.iter().map(entry_json).collect();
    incident["alerts"] = dossier.alerts.into();
    incident["actions"] = dossier.actions.into_iter().map(action_json).collect();
    incident["change"] = dossier.change.unwrap_or_default();
    incident["watch"] = dossier.watch.unwrap_or_default();
    Ok(Json(incident))
}

/// An entry of a timeline. What is structured is the evidence; a link leads to the query that it is about.
fn entry_json(entry: &TimelineEntry) -> Value {
    let detail = &entry.detail;
    let evidence = if detail["evidence"].is_null() { detail } else { &detail["evidence"] };
    json!({
        "time": entry.at.to_string(),
        "kind": entry.kind,
        "title": entry.summary,
        "incident": entry.incident,
        // A note is signed; the other entries name whoever it was in their title.
        "author": if detail["text"].is_string() { detail["author"].clone() } else { Value::Null },
        "detail": detail["detail"].as_str().or_else(|| detail["output"].as_str()).unwrap_or(""),
        "outcome": outcome(detail["outcome"].as_str()),
        "evidence": evidence,
        "link": link(detail),
    })
}

/// Where the logs of an alert of a log rule are. An expression in PromQL is no log query, so it has no such link.
fn link(alert: &Value) -> Value {
    let time = |name: &str| alert[name].as_str().and_then(|text| Timestamp::parse(text, Timestamp(0)).ok());
    let (Some(window_ns), Some(query)) = (alert["window_ns"].as_i64(), alert["query"].as_str()) else {
        return Value::Null;
    };
    let (Some(active), Some(evaluated)) = (time("active_at"), time("evaluated_at")) else { return Value::Null };
    // What comes after the filter counts; what an operator wants to see are the lines that were counted.
    let filter = query.split(" | ").next().unwrap_or(query);
    json!({
        "query": filter,
        "start": active.saturating_add_ns(window_ns.saturating_neg()).to_string(),
        "end": evaluated.saturating_add_ns(LINK_MARGIN_NS).to_string(),
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

/// How a report is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportParams {
    #[serde(default)]
    format: Option<String>,
}

/// `GET /incidents/{id}/export?format=markdown`: the report.
pub(crate) async fn export(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    Query(params): Query<ExportParams>,
) -> Result<Response, ApiError> {
    let format = params.format.as_deref().unwrap_or("markdown");
    if format != "markdown" {
        return Err(ApiError::bad_request(format!("format is {format:?}"), "the one format is markdown"));
    }
    let dossier = known(&api, &id)?;
    let name = format!("attachment; filename=\"{}.md\"", dossier.incident.id);
    let headers =
        [(header::CONTENT_TYPE, "text/markdown; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((headers, dossier.markdown()).into_response())
}

/// What a person asks for, and who it is.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    #[serde(default)]
    author: String,
    /// Why; kept in the timeline.
    #[serde(default)]
    note: String,
}

/// A note that a person writes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoteBody {
    #[serde(default)]
    text: String,
    #[serde(default)]
    author: String,
    #[serde(default)]
    key: Option<String>,
}

/// An incident that a person opens.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenBody {
    #[serde(default)]
    title: String,
    #[serde(default)]
    service: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    author: String,
    #[serde(default)]
    key: Option<String>,
}

/// Where an incident goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MergeBody {
    #[serde(default)]
    into: String,
    #[serde(default)]
    author: String,
}

/// Does what a person asked for, where blocking is allowed.
async fn ask(
    api: Arc<Api>,
    act: impl FnOnce(&Responder, Timestamp) -> Result<Changed, DeskError> + Send + 'static,
) -> Result<Changed, ApiError> {
    let now = telemetry::clock::now();
    let done = tokio::task::spawn_blocking(move || act(&api.responder, now)).await;
    Ok(done.map_err(|error| ApiError::internal(error.to_string()))??)
}

fn answer(changed: &Changed) -> Json<Value> {
    Json(json!({"incident": incident_json(json!(changed.incident)), "changed": changed.changed}))
}

/// `POST /incidents`: opens one by hand.
pub(crate) async fn open(
    State(api): State<Arc<Api>>,
    JsonBody(body): JsonBody<OpenBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let OpenBody { title, service, severity, author, key } = body;
    let new = NewIncident { title, service, severity, key };
    let changed = ask(api, move |responder, now| responder.open_by_hand(&new, &author, now)).await?;
    let status = if changed.changed { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, answer(&changed)))
}

/// `POST /incidents/{id}/notes`.
pub(crate) async fn note(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<NoteBody>,
) -> Result<Json<Value>, ApiError> {
    let NoteBody { text, author, key } = body;
    let note = NewNote { text, key };
    Ok(answer(&ask(api, move |responder, now| responder.add_note(&id, &note, &author, now)).await?))
}

/// `POST /incidents/{id}/ack`.
pub(crate) async fn acknowledge(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Request>,
) -> Result<Json<Value>, ApiError> {
    Ok(answer(&ask(api, move |responder, now| responder.acknowledge(&id, &body.author, now)).await?))
}

/// What a person does with an incident, and says why: its id, the note, who it is.
type ByHand = fn(&Responder, &str, &str, &str, Timestamp) -> Result<Changed, DeskError>;

async fn by_hand(api: Arc<Api>, id: String, body: Request, act: ByHand) -> Result<Json<Value>, ApiError> {
    Ok(answer(&ask(api, move |responder, now| act(responder, &id, &body.note, &body.author, now)).await?))
}

/// `POST /incidents/{id}/resolve`.
pub(crate) async fn resolve(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Request>,
) -> Result<Json<Value>, ApiError> {
    by_hand(api, id, body, Responder::resolve_by_hand).await
}

/// `POST /incidents/{id}/reopen`.
pub(crate) async fn reopen(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<Request>,
) -> Result<Json<Value>, ApiError> {
    by_hand(api, id, body, Responder::reopen_by_hand).await
}

/// `POST /incidents/{id}/merge`: answers the incident that goes on.
pub(crate) async fn merge(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    JsonBody(body): JsonBody<MergeBody>,
) -> Result<Json<Value>, ApiError> {
    if body.into.is_empty() {
        return Err(ApiError::bad_request("into is missing", "name the incident that goes on"));
    }
    let merge = Merge { id, into: body.into };
    Ok(answer(&ask(api, move |responder, now| responder.merge(&merge, &body.author, now)).await?))
}
