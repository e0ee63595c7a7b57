//! The web UI's files, embedded in the binary.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;

/// Path and bytes of every file of the built UI.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/ui_files.rs"));

/// What browsers may do with the UI: only its own scripts and styles, no frames around it, nothing from elsewhere.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Whether a request wants a page rather than data: browsers name `text/html`, programs do not.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"))
}

/// The UI's one page; the script in it shows what the path asks for.
pub(crate) fn page() -> Response<Body> {
    match find("/index.html") {
        Some(html) => answer("/index.html", html, "no-cache"),
        None => {
            let text = "The UI is not part of this binary: build it with `make web`, then build the binary again.\n";
            (StatusCode::NOT_FOUND, text).into_response()
        }
    }
}

/// A file of the UI below `/assets/`, or one of those that browsers ask for by name.
pub(crate) fn file(path: &str) -> Option<Response<Body>> {
    // Vite puts a hash of the content into the names below /assets/, so they never change.
    let cache = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    find(path).filter(|_| path != "/index.html").map(|bytes| answer(path, bytes, cache))
}

fn find(path: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(known, _)| *known == path).map(|(_, bytes)| *bytes)
}

fn answer(path: &str, bytes: &'static [u8], cache: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(path)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}
