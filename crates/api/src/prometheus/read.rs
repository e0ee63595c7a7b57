//! `/api/v1/read`: Prometheus's remote read.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use decode::remote_read::{
    ReadAnswer, ReadMatcher, ReadQuery, ReadRequest, ReadSeries, decode_remote_read, frames, query_result,
    read_response,
};
use decode::{Encoding, decompress};
use futures::stream;
use model::TenantId;
use series::{Matcher, SeriesData};

use crate::Api;
use crate::prometheus::selectors::of_matcher;
use crate::request::Tenant;

/// Bytes of a request, compressed and decompressed alike: Prometheus's own limit.
const REMOTE_READ_BYTES_MAX: usize = 32 << 20;

/// Samples of one answer. They are in memory at once, 16 bytes and more each.
const REMOTE_READ_SAMPLES_MAX: usize = 10_000_000;

/// Requests that are answered at once; more wait. Prometheus has as many.
pub(crate) const REMOTE_READ_CONCURRENCY_MAX: usize = 10;

/// Bytes of frames that are sent in one piece.
const PIECE_BYTES: usize = 64 * 1024;

/// An error as remote read has it: a status and a text.
struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, format!("{}\n", self.1)).into_response()
    }
}

fn bad(error: impl std::fmt::Display) -> Refused {
    Refused(StatusCode::BAD_REQUEST, error.to_string())
}

fn broken(error: impl std::fmt::Display) -> Refused {
    Refused(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

/// Reads a request, and answers in the first kind that the client takes.
pub(crate) async fn read(State(api): State<Arc<Api>>, Tenant(tenant): Tenant, request: Request) -> Response {
    answer(api, tenant, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(api: Arc<Api>, tenant: TenantId, request: Request) -> Result<Response, Refused> {
    check_encoding(request.headers())?;
    let Ok(_place) = api.remote_reads.clone().acquire_owned().await else {
        return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, "the server is ending".to_owned()));
    };
    let body = axum::body::to_bytes(request.into_body(), REMOTE_READ_BYTES_MAX).await.map_err(bad)?;
    let work = tokio::task::spawn_blocking(move || {
        let body = decompress(Encoding::Snappy, &body, REMOTE_READ_BYTES_MAX, &mut |_| true).map_err(bad)?;
        let request = decode_remote_read(&body).map_err(bad)?;
        drop(body);
        let kind = request.answer().map_err(bad)?;
        let found = select(&api, &tenant, &request)?;
        match kind {
            ReadAnswer::Samples => samples(&found),
            ReadAnswer::StreamedXorChunks => Ok(chunks(found)),
        }
    });
    work.await.map_err(broken)?
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Refused> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"snappy") => {
            let text = format!("Content-Encoding {value:?} is not supported: use snappy, in its block format");
            Err(Refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
        }
        _ => Ok(()),
    }
}

/// The series of every query, in the order of queries.
fn select(api: &Api, tenant: &TenantId, request: &ReadRequest) -> Result<Vec<Vec<SeriesData>>, Refused> {
    let db = api.store.series();
    let external = &api.settings.external_labels;
    let matchers = |query: &ReadQuery| -> Result<Vec<Matcher>, Refused> {
        query.matchers.iter().map(|one| matcher(one, external)).collect()
    };
    let queries: Vec<(&ReadQuery, Vec<Matcher>)> =
        request.queries.iter().map(|query| Ok((query, matchers(query)?))).collect::<Result<_, Refused>>()?;
    let mut samples = 0usize;
    let mut found = Vec::new();
    // Before anything is read, so that a request for everything costs nothing.
    let wanted = |(query, matchers): &(&ReadQuery, Vec<Matcher>)| {
        db.samples_at_most(tenant, matchers, query.start_ms, query.end_ms)
    };
    let bound: usize = queries.iter().map(wanted).sum();
    for (query, matchers) in queries {
        // The bound counts whole blocks; where it is too large the true number decides, query by query.
        if bound > REMOTE_READ_SAMPLES_MAX * BOUND_SLACK {
            return Err(too_many());
        }
        let mut series = db.select(tenant, &matchers, query.start_ms, query.end_ms).map_err(broken)?;
        samples += series.iter().map(|series| series.times.len()).sum::<usize>();
        if samples > REMOTE_READ_SAMPLES_MAX {
            return Err(too_many());
        }
        add_external(&mut series, external);
        found.push(series);
    }
    Ok(found)
}

/// Adds the external labels that a series has not; the order of series stays that of labels.
fn add_external(series: &mut [SeriesData], external: &BTreeMap<String, String>) {
    if external.is_empty() {
        return;
    }
    for series in series.iter_mut() {
        let more = external.iter().filter(|(name, _)| series.labels.get(name).is_none());
        let more = more.map(|(name, value)| (name.as_str(), value.as_str()));
        series.labels = series.labels.iter().chain(more).collect();
    }
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
}

/// How much larger than the limit the bound may be: blocks of a day, of which an hour is asked, count as a whole.
const BOUND_SLACK: usize = 24;

fn too_many() -> Refused {
    let name = "REMOTE_READ_SAMPLES_MAX";
    bad(format!("exceeded sample limit ({REMOTE_READ_SAMPLES_MAX}, {name}): ask for less time or fewer series at once"))
}

/// A matcher on series as they are stored: without the external labels, which are only added to answers.
fn matcher(matcher: &ReadMatcher, external: &BTreeMap<String, String>) -> Result<Matcher, Refused> {
    let op = match matcher.op {
        0 => promql::MatchOp::Equal,
        1 => promql::MatchOp::NotEqual,
        2 => promql::MatchOp::Regex,
        3 => promql::MatchOp::NotRegex,
        other => return Err(bad(format!("invalid matcher type {other}"))),
    };
    let is_external = op == promql::MatchOp::Equal && external.get(&matcher.name) == Some(&matcher.value);
    let value = if is_external { "" } else { &*matcher.value };
    promql::Matcher::new(&*matcher.name, op, value).and_then(|matcher| of_matcher(&matcher)).map_err(bad)
}

fn borrowed(series: &SeriesData) -> ReadSeries<'_> {
    let SeriesData { labels, times, values, histograms, .. } = series;
    ReadSeries { labels, times, values, histograms }
}

fn samples(found: &[Vec<SeriesData>]) -> Result<Response, Refused> {
    let results: Vec<_> = found.iter().map(|series| query_result(series.iter().map(borrowed))).collect();
    let body = read_response(&results).map_err(broken)?;
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf"));
    headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("snappy"));
    Ok(response)
}

/// Series become frames as the client takes them.
fn chunks(found: Vec<Vec<SeriesData>>) -> Response {
    let numbered = found.into_iter().enumerate();
    let mut series = numbered.flat_map(|(query, series)| series.into_iter().map(move |series| (query, series)));
    let pieces = std::iter::from_fn(move || {
        let mut piece = Vec::new();
        while piece.len() < PIECE_BYTES {
            let Some((query, series)) = series.next() else { break };
            piece.extend_from_slice(&frames(query, borrowed(&series)));
        }
        (!piece.is_empty()).then(|| Ok::<Bytes, std::convert::Infallible>(Bytes::from(piece)))
    });
    let mut response = Response::new(Body::from_stream(stream::iter(pieces)));
    let kind = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
