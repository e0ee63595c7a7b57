//! What every request of the native API has in common: a tenant, times, a body of JSON.

use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::Method;
use axum::http::request::Parts;
use model::{TenantId, TimeRange, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ApiError;

/// Header that names the tenant.
const TENANT_HEADER: &str = "x-scope-orgid";
/// Longest JSON body of a request that is not data.
const BODY_BYTES_MAX: usize = 4 << 20;

/// The tenant of a request. Without authentication any valid name is accepted.
pub(crate) struct Tenant(pub(crate) TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        let Some(header) = parts.headers.get(TENANT_HEADER) else { return Ok(Self(TenantId::default())) };
        header.to_str().ok().and_then(TenantId::new).map(Self).ok_or_else(|| {
            let hint = format!("use 1 to {} letters, digits or !-_.*'()", TenantId::BYTES_MAX);
            ApiError::bad_request("X-Scope-OrgID is not a tenant name", hint)
        })
    }
}

/// A body of JSON, whatever the content type says; an empty body is an empty object.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let bytes = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|error| {
            ApiError::bad_request(
                format!("cannot read the body: {error}"),
                format!("send at most {BODY_BYTES_MAX} bytes"),
            )
        })?;
        let bytes: &[u8] = if bytes.iter().all(u8::is_ascii_whitespace) { b"{}" } else { &bytes };
        let parsed = serde_json::from_slice(bytes);
        let body =
            parsed.map_err(|error| ApiError::bad_request(format!("the body is not what is expected: {error}"), ""))?;
        Ok(Self(body))
    }
}

/// What is asked: in the query string of a GET, in the JSON body of a POST.
pub(crate) struct Asked<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        if request.method() != Method::GET {
            return JsonBody::from_request(request, state).await.map(|JsonBody(asked)| Self(asked));
        }
        let asked = Query::try_from_uri(request.uri());
        asked.map(|Query(asked)| Self(asked)).map_err(|error| ApiError::bad_request(error.to_string(), ""))
    }
}

/// The range from `start` to before `end`, each RFC 3339, a Unix time as a number or text, relative, or absent.
pub(crate) fn range(start: Option<&Value>, end: Option<&Value>, now: Timestamp) -> Result<TimeRange, ApiError> {
    let start = time(start, now)?.unwrap_or(TimeRange::ALL.start);
    let end = time(end, now)?.unwrap_or(TimeRange::ALL.end);
    if start > end {
        return Err(ApiError::bad_request(format!("start {start} is after end {end}"), "swap them"));
    }
    Ok(TimeRange::new(start, end))
}

fn time(value: Option<&Value>, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Timestamp::parse(&text, now).map(Some).map_err(|error| ApiError::bad_request(error.to_string(), ""))
}
