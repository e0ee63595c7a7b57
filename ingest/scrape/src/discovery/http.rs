//! A service that answers targets as JSON.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};

use super::groups::{Written, named};
use super::{DiscoveryError, json_of, shown};
use crate::client::Client;
use crate::config::{HttpDiscoveryConfig, TargetGroup, without_userinfo};
use crate::limits::DISCOVERY_TIMEOUT;

const URL_LABEL: &str = "__meta_url";

/// The service.
pub(super) struct Service {
    config: HttpDiscoveryConfig,
    client: Client,
}

impl Service {
    pub(super) fn new(config: HttpDiscoveryConfig) -> Self {
        let client = Client::new(config.http.clone());
        Self { config, client }
    }

    pub(super) fn refresh(&self) -> Duration {
        self.config.refresh
    }

    pub(super) async fn groups(&self) -> Result<Vec<TargetGroup>, DiscoveryError> {
        let answer = |text: String| DiscoveryError::Answer(text);
        let url = Url::parse(&self.config.url)
            .map_err(|error| answer(format!("{}: {error}", without_userinfo(&self.config.url))))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Ok(secs) = HeaderValue::try_from(self.config.refresh.as_secs_f64().to_string()) {
            headers.insert("x-prometheus-refresh-interval-seconds", secs);
        }
        let response = self.client.get(&url, headers, DISCOVERY_TIMEOUT).await?;
        if response.status() != reqwest::StatusCode::OK {
            return Err(answer(format!("{} answers HTTP status {}", shown(&url), response.status())));
        }
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !content_type.is_some_and(is_json) {
            let given = content_type.unwrap_or_default();
            return Err(answer(format!("{} answers with unsupported content type {given:?}", shown(&url))));
        }
        let written: Vec<Option<Written>> = json_of(response, &url, DISCOVERY_TIMEOUT).await?;
        named(written, &without_userinfo(&self.config.url), URL_LABEL).map_err(answer)
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    let utf8 = |part: &str| part.is_empty() || part.to_ascii_lowercase().replace('"', "") == "charset=utf-8";
    json && parts.all(utf8)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Answer, Server};
    use super::*;
    use crate::config::HttpConfig;

    async fn asked(answer: Answer) -> (Result<Vec<TargetGroup>, DiscoveryError>, Vec<String>) {
        let server = Server::start(move |_| answer.clone()).await;
        let url = format!("{}/targets?x=1", server.url());
        let config = HttpDiscoveryConfig { url, refresh: Duration::from_secs(60), http: HttpConfig::default() };
        let service = Service::new(config);
        let groups = service.groups().await;
        (groups, server.requests())
    }

    #[tokio::test]
    async fn groups_are_read() {
        let body = r#"[{"targets": ["a:1", "b:2"], "labels": {"__meta_rack": "7"}}, {"targets": []}]"#;
        let (groups, requests) = asked(Answer::json(body)).await;
        let groups = groups.expect("groups");
        assert_eq!(groups[0].targets.len(), 2);
        assert_eq!(groups[0].labels.get("__meta_rack"), "7");
        assert!(groups[0].labels.get("__meta_url").ends_with("/targets?x=1"));
        assert!(requests[0].contains("GET /targets?x=1"), "{requests:?}");
        assert!(requests[0].contains("x-prometheus-refresh-interval-seconds: 60"), "{requests:?}");
    }

    #[tokio::test]
    async fn what_makes_no_sense_is_an_error() {
        for answer in [
            Answer::json("[null]"),
            Answer::json("{}"),
            Answer::json(r#"[{"targets": ["a:1"], "unknown": 1}]"#),
            Answer { content_type: "text/html", ..Answer::json("[]") },
            Answer { status: 500, ..Answer::json("[]") },
        ] {
            assert!(asked(answer.clone()).await.0.is_err(), "{answer:?}");
        }
    }
}
