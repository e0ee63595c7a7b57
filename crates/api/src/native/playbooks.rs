//! Playbooks: how they stand, their flow charts, their modes, and what people say of their decisions.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use respond::{Graph, Mode, Playbook, RespondError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::JsonBody;
use crate::{Api, ApiError};

impl From<RespondError> for ApiError {
    fn from(error: RespondError) -> Self {
        ApiError::internal(error.to_string())
    }
}

/// A mode, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModeBody {
    mode: String,
    #[serde(default)]
    reason: String,
}

/// Whether a decision was right.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JudgementBody {
    right: bool,
    #[serde(default)]
    comment: String,
}

fn find(api: &Api, name: &str) -> Result<Playbook, ApiError> {
    let found = api.responder.playbooks().iter().find(|playbook| playbook.name == name);
    found.cloned().ok_or_else(|| ApiError::not_found(format!("there is no playbook {name:?}")))
}

/// `GET /playbooks`.
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Value>, ApiError> {
    let shown = tokio::task::spawn_blocking(move || {
        let playbooks = api.responder.playbooks().iter();
        playbooks.map(|playbook| shape(&api, playbook)).collect::<Result<Vec<Value>, RespondError>>()
    });
    let shown = shown.await.map_err(|error| ApiError::internal(error.to_string()))??;
    Ok(Json(json!({"playbooks": shown})))
}

/// A playbook with the mode that it runs in now, its record in that mode, and the next mode when it is offered.
fn shape(api: &Api, playbook: &Playbook) -> Result<Value, RespondError> {
    let now = telemetry::clock::now();
    let mut shown = json!(playbook);
    shown["file_mode"] = json!(playbook.mode);
    shown["mode"] = json!(api.responder.mode_of(playbook)?);
    shown["record"] = json!(api.responder.record(playbook, now)?);
    shown["offer"] = json!(api.responder.offer(playbook, now)?);
    Ok(shown)
}

/// `GET /playbooks/{name}`.
pub(crate) async fn one(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let playbook = find(&api, &name)?;
    Ok(Json(shape(&api, &playbook)?))
}

/// `GET /playbooks/{name}/graph`: the flow chart as a model, as Mermaid's text and as a picture.
pub(crate) async fn graph(State(api): State<Arc<Api>>, Path(name): Path<String>) -> Result<Json<Value>, ApiError> {
    let graph = Graph::of(&find(&api, &name)?);
    Ok(Json(json!({"playbook": name, "mermaid": graph.mermaid(), "svg": graph.svg(), "graph": graph})))
}

/// `POST /playbooks/{name}/mode` with `{"mode", "reason"}`. Anyone may lower it; raising it takes somebody who is known.
pub(crate) async fn mode(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<ModeBody>,
) -> Result<Json<Value>, ApiError> {
    let playbook = find(&api, &name)?;
    let mode = Mode::parse(&body.mode).ok_or_else(|| {
        let hint = "it is observe, suggest, approve or auto";
        ApiError::bad_request(format!("there is no mode {:?}", body.mode), hint)
    })?;
    let raises = mode > api.responder.mode_of(&playbook)?;
    let person = if raises { api.approvers.require(&headers)? } else { api.approvers.anyone(&headers)? };
    let set = tokio::task::spawn_blocking(move || {
        api.responder.set_mode(&name, mode, &person, &body.reason, telemetry::clock::now())?;
        Ok::<Value, ApiError>(shape(&api, &playbook)?)
    });
    Ok(Json(set.await.map_err(|error| ApiError::internal(error.to_string()))??))
}

/// `POST /actions/{key}/judgement` with `{"right", "comment"}`: what a person says of a decision.
pub(crate) async fn judge(
    State(api): State<Arc<Api>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<JudgementBody>,
) -> Result<Json<Value>, ApiError> {
    let person = api.approvers.known(&headers)?;
    let judged = tokio::task::spawn_blocking(move || {
        let said = api.responder.judge(&key, body.right, &person, &body.comment, telemetry::clock::now());
        said.map(|said| (said, key))
    });
    let (said, key) = judged.await.map_err(|error| ApiError::internal(error.to_string()))??;
    said.map(|said| Json(json!(said))).ok_or_else(|| ApiError::not_found(format!("there is no action {key:?}")))
}
