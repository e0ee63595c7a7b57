//! Where targets come from, one file per kind.
//!
//! Each discovery sends everything that it knows whenever that changes. What can not be asked just now changes nothing: targets that
//! were found before stay, the failure is logged and counted, and it is asked again.

mod consul;
mod dns;
mod docker;
mod file;
mod groups;
mod http;
mod kubernetes;
mod resolver;
#[cfg(test)]
pub(crate) mod testing;

use std::future::Future;
use std::time::Duration;

use telemetry::metrics::DISCOVERY_FAILURES;

use crate::client::{Client, ClientError, Room, read_body};
use crate::config::{DiscoveryConfig, TargetGroup};
use crate::limits::{DISCOVERY_BODY_BYTES_MAX, DISCOVERY_TIMEOUT};
use crate::manager::Updates;

pub(crate) use file::read_groups;

/// Why targets are not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DiscoveryError {
    /// The service can not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What it answers makes no sense.
    #[error("{0}")]
    Answer(String),
}

/// Finds targets until it is dropped.
pub(crate) async fn run(config: DiscoveryConfig, updates: Updates) {
    match config {
        DiscoveryConfig::Static(groups) => updates.send(groups).await,
        DiscoveryConfig::File(config) => file::run(config, updates).await,
        DiscoveryConfig::Http(config) => {
            let service = http::Service::new(*config);
            refresh("http", service.refresh(), &updates, || service.groups()).await;
        }
        DiscoveryConfig::Dns(config) => {
            let names = dns::Names::new(config);
            refresh("dns", names.refresh(), &updates, || names.groups()).await;
        }
        DiscoveryConfig::Docker(config) => {
            let daemon = docker::Daemon::new(*config);
            refresh("docker", daemon.refresh(), &updates, || daemon.groups()).await;
        }
        DiscoveryConfig::Consul(config) => consul::run(*config, updates).await,
        DiscoveryConfig::Kubernetes(config) => kubernetes::run(*config, updates).await,
    }
}

/// Asks again and again.
async fn refresh<F: Future<Output = Result<Vec<TargetGroup>, DiscoveryError>>>(
    kind: &'static str,
    interval: Duration,
    updates: &Updates,
    mut groups: impl FnMut() -> F,
) {
    let mut ticker = tokio::time::interval(interval);
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        match groups().await {
            Ok(groups) => updates.send(groups).await,
            Err(error) => failed(kind, &error),
        }
    }
}

fn failed(kind: &'static str, error: &DiscoveryError) {
    DISCOVERY_FAILURES.add(kind, 1);
    tracing::warn!(kind, %error, "targets can not be found now; those that are known stay");
}

/// The answer to a question for JSON.
async fn get_json<T: serde::de::DeserializeOwned>(client: &Client, url: &reqwest::Url) -> Result<T, DiscoveryError> {
    let response = client.get(url, reqwest::header::HeaderMap::new(), DISCOVERY_TIMEOUT).await?;
    json_of(response, url, DISCOVERY_TIMEOUT).await
}

async fn json_of<T: serde::de::DeserializeOwned>(
    response: reqwest::Response,
    url: &reqwest::Url,
    timeout: Duration,
) -> Result<T, DiscoveryError> {
    let status = response.status();
    if !status.is_success() {
        return Err(DiscoveryError::Answer(format!("{} answers HTTP status {status}", shown(url))));
    }
    let body = read_body(response, DISCOVERY_BODY_BYTES_MAX, timeout, &mut Room::uncounted()).await?;
    serde_json::from_slice(&body)
        .map_err(|error| DiscoveryError::Answer(format!("{} does not answer as expected: {error}", shown(url))))
}

/// A URL without what may be secret.
fn shown(url: &reqwest::Url) -> String {
    let mut url = url.clone();
    // A URL without a host has no password.
    let _ = url.set_password(None);
    url.to_string()
}

/// `host:port`, with brackets around an IPv6 address.
fn host_port(host: &str, port: impl std::fmt::Display) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
