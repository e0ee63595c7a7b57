//! Errors of the native API: one shape everywhere.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use engine::QueryError;
use lang::Diagnostic;
use serde::Serialize;
use serde_json::{Value, json};

/// What the native API answers when it can not do what was asked: `{"error": {"code", "message", "hint", "diagnostics",
/// "limit"}}` with a status that fits.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    retry_after_ms: Option<u64>,
    /// Boxed, so that results stay small.
    body: Box<ErrorBody>,
}

#[derive(Debug, Serialize)]
struct ErrorBody {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<&'static str>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    error: &'a ErrorBody,
}

/// A diagnostic as the API shows it: the span is two byte offsets of the query's text.
pub(crate) fn diagnostic_json(diagnostic: &Diagnostic) -> Value {
    json!({
        "span": [diagnostic.span.start, diagnostic.span.end],
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "hint": diagnostic.hint,
    })
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let body = Box::new(ErrorBody {
            code,
            message: message.into(),
            hint: hint.into(),
            diagnostics: Vec::new(),
            limit: None,
        });
        Self { status, retry_after_ms: None, body }
    }

    /// 400: the request makes no sense.
    pub fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, hint)
    }

    /// 401: the sender did not prove who it is.
    pub fn unauthorized(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message, hint)
    }

    /// 413: the body is larger than the limit of that name.
    pub fn too_large(limit: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, hint);
        error.body.limit = Some(limit);
        error
    }

    /// 403: whoever asks may not, or not now.
    pub fn forbidden(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message, hint)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, "")
    }

    /// 409: it makes no sense in the state that the thing is in.
    pub fn conflict(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message, hint)
    }

    /// 503: not now.
    pub fn unavailable(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message, hint)
    }

    /// 500: something broke on our side.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message, "the server's own log says more")
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What happened.
    pub(crate) fn message(&self) -> &str {
        &self.body.message
    }

    /// The error as JSON, for the last line of a stream whose status is already sent.
    pub(crate) fn to_line(&self) -> String {
        serde_json::to_string(&Envelope { error: &self.body }).unwrap_or_else(|_| "{\"error\":{}}".to_owned())
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        let status = match &error {
            QueryError::Parse(_) | QueryError::Unsupported { .. } => StatusCode::BAD_REQUEST,
            QueryError::Limit { .. } | QueryError::Execution { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            QueryError::Busy { .. } => StatusCode::TOO_MANY_REQUESTS,
            // The status that nginx gives when the client has gone; Loki answers it for cancelled queries too.
            QueryError::Canceled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
            QueryError::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            QueryError::Storage { .. } | QueryError::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut api = ApiError::new(status, error.code(), error.to_string(), error.hint());
        match error {
            QueryError::Parse(diagnostics) => {
                api.body.diagnostics = diagnostics.iter().map(diagnostic_json).collect();
            }
            QueryError::Limit { name, .. } => api.body.limit = Some(name),
            QueryError::Busy { name, retry_after_ms, .. } => {
                api.body.limit = Some(name);
                api.retry_after_ms = Some(retry_after_ms);
            }
            QueryError::Timeout { .. } => api.body.limit = Some("query.timeout_ms"),
            _ => {}
        }
        api
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Envelope { error: &self.body })).into_response();
        if let Some(ms) = self.retry_after_ms {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000)));
        }
        response
    }
}
