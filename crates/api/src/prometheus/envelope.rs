//! The envelope of every answer: `{"status", "data", "errorType", "error", "warnings", "infos"}`.

use axum::Json;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// Warnings, and infos, that one answer shows; the rest is counted.
const NOTES_SHOWN_MAX: usize = 10;

/// The status with which nginx, and then Prometheus, says that the client was gone.
const CLIENT_CLOSED_REQUEST: u16 = 499;

/// What an answer that was cut says.
pub(crate) const TRUNCATED: &str = "results truncated due to limit";

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

    /// 400 `bad_data` about a parameter.
    pub(crate) fn invalid(name: &str, fault: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {fault}"))
    }

    /// 500 `internal`.
    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        Self::of_kind("internal", message.to_string())
    }

    /// An error with another status than its kind has.
    pub(crate) fn with_status(status: StatusCode, kind: &'static str, message: impl Into<String>) -> Self {
        Self { status, kind, message: message.into() }
    }

    /// The status and type that Prometheus gives to a kind of error.
    pub(crate) fn of_kind(kind: &'static str, message: impl Into<String>) -> Self {
        let status = match kind {
            "bad_data" => StatusCode::BAD_REQUEST,
            "execution" => StatusCode::UNPROCESSABLE_ENTITY,
            "canceled" => StatusCode::from_u16(CLIENT_CLOSED_REQUEST).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            "timeout" | "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
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

/// A successful answer without remarks.
pub(crate) fn plain(data: Value) -> Json<Value> {
    success(data, Vec::new(), Vec::new())
}

/// A successful answer whose data is written already.
pub(crate) fn success_of_text(data: &str, warnings: Vec<String>, infos: Vec<String>) -> Response {
    let mut body = String::with_capacity(data.len() + 64);
    body.push_str("{\"status\":\"success\",\"data\":");
    body.push_str(data);
    for (key, kind, notes) in [("warnings", "warning", warnings), ("infos", "info", infos)] {
        if !notes.is_empty() {
            body.push_str(&format!(",\"{key}\":{}", json!(shortened(notes, kind))));
        }
    }
    body.push('}');
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

/// A successful answer.
pub(crate) fn success(data: Value, warnings: Vec<String>, infos: Vec<String>) -> Json<Value> {
    let mut body = Map::new();
    body.insert("status".to_owned(), "success".into());
    body.insert("data".to_owned(), data);
    for (key, kind, notes) in [("warnings", "warning", warnings), ("infos", "info", infos)] {
        if !notes.is_empty() {
            body.insert(key.to_owned(), shortened(notes, kind).into());
        }
    }
    Json(Value::Object(body))
}

fn shortened(mut notes: Vec<String>, kind: &str) -> Vec<String> {
    let omitted = notes.len().saturating_sub(NOTES_SHOWN_MAX);
    if omitted > 0 {
        notes.truncate(NOTES_SHOWN_MAX);
        notes.push(format!("{omitted} more {kind} annotations omitted"));
    }
    notes
}

/// Cuts a list to a limit; what to warn of if something went.
pub(crate) fn cut<T>(items: &mut Vec<T>, limit: Option<usize>) -> Vec<String> {
    match limit {
        Some(limit) if items.len() > limit => {
            items.truncate(limit);
            vec![TRUNCATED.to_owned()]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_remarks_are_shown_and_the_others_counted() {
        let notes: Vec<String> = (0..12).map(|note| note.to_string()).collect();
        let Json(body) = success(Value::Null, notes.clone(), notes[..10].to_vec());
        assert_eq!(body["warnings"][10], "2 more warning annotations omitted");
        assert_eq!(body["infos"].as_array().map(Vec::len), Some(10));
    }
}
