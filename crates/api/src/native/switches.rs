//! What people set for the whole loop: the kill switch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use respond::{KillState, SwitchError};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::JsonBody;
use crate::{Api, ApiError};

/// Why a switch is set.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    #[serde(default)]
    reason: String,
}

impl From<SwitchError> for ApiError {
    fn from(error: SwitchError) -> Self {
        match error {
            SwitchError::Refused { reason, hint } => ApiError::forbidden(reason, hint),
            SwitchError::Ledger(error) => error.into(),
            SwitchError::Respond(error) => error.into(),
        }
    }
}

/// `GET /switches`.
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(json!({"kill": kill_json(&api.responder.kill_state()?)})))
}

/// `GET /switches/kill`.
pub(crate) async fn kill(State(api): State<Arc<Api>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(kill_json(&api.responder.kill_state()?)))
}

/// `POST /switches/kill` with `{"reason"}`: nothing acts any more. Anyone may: stopping is the safe side.
pub(crate) async fn engage(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    JsonBody(why): JsonBody<Why>,
) -> Result<Json<Value>, ApiError> {
    let person = api.approvers.anyone(&headers)?;
    if why.reason.trim().is_empty() {
        let hint = "send {\"reason\": \"...\"}: whoever comes next has to know";
        return Err(ApiError::bad_request("the kill switch needs a reason", hint));
    }
    set(api, move |api| api.responder.engage(&person.name, &why.reason, telemetry::clock::now())).await
}

/// `DELETE /switches/kill`: things may act again. Where people are configured, only they may say so.
pub(crate) async fn release(
    State(api): State<Arc<Api>>,
    headers: HeaderMap,
    JsonBody(why): JsonBody<Why>,
) -> Result<Json<Value>, ApiError> {
    let person = api.approvers.known(&headers)?;
    set(api, move |api| api.responder.release(&person.name, &why.reason, telemetry::clock::now())).await
}

async fn set(
    api: Arc<Api>,
    set: impl FnOnce(&Api) -> Result<KillState, SwitchError> + Send + 'static,
) -> Result<Json<Value>, ApiError> {
    let state = tokio::task::spawn_blocking(move || set(&api)).await;
    Ok(Json(kill_json(&state.map_err(|error| ApiError::internal(error.to_string()))??)))
}

fn kill_json(state: &KillState) -> Value {
    let nothing = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    json!({
        "engaged": state.engaged, "reason": nothing(&state.reason), "by": nothing(&state.by),
        "at": state.at.map(|at| at.to_string()),
    })
}
