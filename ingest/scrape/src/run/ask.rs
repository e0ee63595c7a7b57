//! One request to a target.

use std::time::Duration;

use decode::exposition::ExpositionFormat;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::client::{Client, ClientError, Room, Rooms, read_body};
use crate::config::{Escaping, JobConfig, ScrapeProtocol};
use crate::limits::BODY_BYTES_MAX;
use crate::series::BodyError;
use crate::target::Target;
use crate::units::show_duration;

/// The header that tells a target how long it has, as Prometheus sends it.
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// What a target answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) format: ExpositionFormat,
    pub(super) body: Vec<u8>,
    /// Held until the body is read.
    pub(super) _room: Room,
}

/// Why a scrape failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Forced(String),
    #[error("no complete answer within {}: the target is slow, or scrape_timeout is too short", show_duration(*.0))]
    Timeout(Duration),
    #[error("server returned HTTP status {0}")]
    Status(StatusCode),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{0}")]
    ContentType(#[from] decode::exposition::ContentTypeError),
    #[error(transparent)]
    Body(BodyError),
    #[error("{0}")]
    Failed(String),
}

impl Failure {
    /// The word of our own metric.
    pub(super) fn outcome(&self) -> &'static str {
        match self {
            Self::Timeout(_) | Self::Client(ClientError::Timeout(_)) => "timeout",
            Self::Client(ClientError::BodySize(_)) => "too_large",
            Self::Status(_) => "status",
            Self::Forced(_) | Self::Body(BodyError::SampleLimit(_) | BodyError::BucketLimit) => "limit",
            Self::ContentType(_) | Self::Body(_) => "bad_body",
            Self::Client(_) | Self::Failed(_) => "failed",
        }
    }

    /// What `scrape_body_size_bytes` says.
    pub(super) fn body_bytes(&self) -> i64 {
        if matches!(self, Self::Client(ClientError::BodySize(_))) { -1 } else { 0 }
    }
}

/// What formats are asked for, the best first.
fn accept(protocols: &[ScrapeProtocol], escaping: Escaping) -> String {
    let mut weight = protocols.len() + 1;
    let mut parts = Vec::with_capacity(weight);
    for protocol in protocols {
        let escaping = if protocol.has_escaping() { format!(";escaping={}", escaping.as_str()) } else { String::new() };
        parts.push(format!("{}{escaping};q=0.{weight}", protocol.media_type()));
        weight -= 1;
    }
    parts.push(format!("*/*;q=0.{weight}"));
    parts.join(",")
}

fn headers(job: &JobConfig, target: &Target) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let text = |text: String| HeaderValue::try_from(text).ok();
    headers.extend(text(accept(&job.protocols, job.escaping)).map(|value| (ACCEPT, value)));
    let encoding = if job.compression { "gzip" } else { "identity" };
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(encoding));
    if let Some(value) = text(target.timeout.as_secs_f64().to_string()) {
        headers.insert(TIMEOUT_HEADER, value);
    }
    headers
}

/// Asks a target.
pub(super) async fn ask(client: &Client, job: &JobConfig, target: &Target, rooms: &Rooms) -> Result<Answer, Failure> {
    let response = client.get(&target.url, headers(job, target), target.timeout).await?;
    let status = response.status();
    if status != StatusCode::OK {
        return Err(Failure::Status(status));
    }
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = ExpositionFormat::of_content_type(content_type, job.fallback);
    let limit = if job.limits.body_bytes > 0 { job.limits.body_bytes.min(BODY_BYTES_MAX) } else { BODY_BYTES_MAX };
    let mut room = rooms.room();
    let body = read_body(response, limit, target.timeout, &mut room).await?;
    // An answer without a byte needs no format.
    let format = if body.is_empty() { format.unwrap_or(ExpositionFormat::Text) } else { format? };
    Ok(Answer { format, body, _room: room })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_asked_for_as_prometheus_does() {
        let accept = accept(&ScrapeProtocol::defaults(true), Escaping::Underscores);
        expect_test::expect![[r#"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=underscores;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"#]]
        .assert_eq(&accept);
    }
}
