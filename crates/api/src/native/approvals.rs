//! Approvals: what people are asked, and their answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use respond::{AnswerError, Approval};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::request::JsonBody;
use crate::{Api, ApiError};

/// Approvals of a listing unless asked otherwise.
const LIST: usize = 200;
/// Most approvals of a listing.
const LIST_MAX: usize = 10_000;

/// Which approvals are listed.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ApprovalParams {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    limit: Option<usize>,
}

/// An answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    decision: String,
    #[serde(default)]
    comment: String,
}

/// `GET /approvals?state=pending|approved|rejected|expired|all`, the latest first.
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(params): Query<ApprovalParams>,
) -> Result<Json<Value>, ApiError> {
    let wanted = params.state.as_deref().unwrap_or("all");
    if !["all", "pending", "approved", "rejected", "expired"].contains(&wanted) {
        let hint = "use pending, approved, rejected, expired or all";
        return Err(ApiError::bad_request(format!("state is {wanted:?}"), hint));
    }
    let limit = params.limit.unwrap_or(LIST);
    if !(1..=LIST_MAX).contains(&limit) {
        return Err(ApiError::bad_request(format!("limit is {limit}"), format!("give 1 to {LIST_MAX}")));
    }
    let found = api.responder.approvals(wanted == "pending", limit, telemetry::clock::now())?;
    let shown = found.iter().filter(|approval| wanted == "all" || approval.state.as_str() == wanted);
    Ok(Json(json!({"approvals": shown.map(shape).collect::<Vec<_>>()})))
}

/// `GET /approvals/{id}`.
pub(crate) async fn one(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let found = api.responder.approval(&id, telemetry::clock::now())?;
    found.map(|approval| Json(shape(&approval))).ok_or_else(|| not_found(&id))
}

/// `POST /approvals/{id}` with `{"decision", "comment"}`: an answer of whoever's token is sent.
pub(crate) async fn answer(
    State(api): State<Arc<Api>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<AnswerBody>,
) -> Result<Json<Value>, ApiError> {
    let person = api.approvers.require(&headers)?;
    let answered = tokio::task::spawn_blocking(move || {
        let now = telemetry::clock::now();
        api.responder.answer(&id, &person, &body.decision, &body.comment, now)
    });
    match answered.await.map_err(|error| ApiError::internal(error.to_string()))? {
        Ok(approval) => Ok(Json(shape(&approval))),
        Err(AnswerError::NotFound(id)) => Err(not_found(&id)),
        Err(AnswerError::Refused { reason, hint }) => Err(ApiError::forbidden(reason, hint)),
        Err(AnswerError::Respond(error)) => Err(error.into()),
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no approval {id:?}"))
}

/// An approval as clients see it.
fn shape(approval: &Approval) -> Value {
    json!(approval)
}
