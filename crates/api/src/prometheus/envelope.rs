//! The envelope of every answer: `{"status", "data", "errorType", "error", "warnings", "infos"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// An error in Prometheus's shape.
#[derive(Debug)]
pub(crate) struct PromError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl PromError {
    /// 400 `bad_data`.
    pub(crate) fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    /// The status and type that Prometheus gives to a kind of error.
    pub(crate) fn of_kind(kind: &'static str, message: impl Into<String>) -> Self {
        let status = match kind {
            "bad_data" => StatusCode::BAD_REQUEST,
            "execution" => StatusCode::UNPROCESSABLE_ENTITY,
            "timeout" | "canceled" | "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
            "not_found" => StatusCode::NOT_FOUND,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, kind, message: message.into() }
    }
}

impl IntoResponse for PromError {
    fn into_response(self) -> Response {
        let body = json!({"status": "error", "errorType": self.kind, "error": self.message});
        (self.status, Json(body)).into_response()
    }
}

/// A successful answer.
pub(crate) fn success(data: Value, warnings: Vec<String>, infos: Vec<String>) -> Json<Value> {
    let mut body = Map::new();
    body.insert("status".to_owned(), "success".into());
    body.insert("data".to_owned(), data);
    for (key, notes) in [("warnings", warnings), ("infos", infos)] {
        if !notes.is_empty() {
            body.insert(key.to_owned(), notes.into());
        }
    }
    Json(Value::Object(body))
}
