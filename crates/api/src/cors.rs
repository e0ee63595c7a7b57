//! Which other web sites may read answers: what a browser asks for before a page of one origin may see an answer of another.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};

/// The origin that stands for all.
pub const ANY_ORIGIN: &str = "*";

/// Origins whose pages may read answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins(Arc<[String]>);

impl Origins {
    pub(crate) fn new(origins: Vec<String>) -> Self {
        Self(origins.into())
    }

    /// What the header says to a page of this origin; `None` if it may not read.
    fn allow(&self, origin: &HeaderValue) -> Option<HeaderValue> {
        if self.0.iter().any(|allowed| allowed == ANY_ORIGIN) {
            return Some(HeaderValue::from_static(ANY_ORIGIN));
        }
        self.0.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}

/// Adds the headers that Prometheus's API adds, for the origins of the settings; answers the question that comes before a request.
pub(crate) async fn cors(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let Some(allow) = request.headers().get(ORIGIN).and_then(|origin| origins.allow(origin)) else {
        return next.run(request).await;
    };
    let mut response = match *request.method() {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("Accept, Authorization, Content-Type, Origin, X-Scope-OrgID"),
    );
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Date"));
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, allow);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    response
}
