//! Scraping: Backstop asks targets for their metrics, as Prometheus does, with Prometheus's own settings.
//!
//! **Entry points.** [`ScrapeConfig::load`] reads files with `scrape_configs`; [`ScrapeManager::start`] scrapes what they say and hands
//! samples to a [`Sink`]; [`ScrapeManager::apply`] goes on with other settings; [`ScrapeManager::snapshot`] tells how everything stands.
//! [`check`] is what a person asks before: are the files right, and which targets come of them.
//!
//! **Path.** A discovery (`discovery`) finds groups of targets, relabelling (`target`) makes targets of them, each target has a loop
//! (`run`) that asks at its times (`schedule`), reads the answer (`decode::exposition`), gives its series their labels or recognises
//! them (`series`), and hands one batch on, samples and report together, all with one time.
//!
//! **Guarantees.** A scrape is stored as a whole or not at all. What vanished, what failed and what was taken away is marked as stale, once.
//! A target whose settings change keeps its series. No target can take more than the named limits (`limits`), nor hold up another.
//! Secrets are never shown.
//!
//! **Not here.** The store (whoever composes the server wires the sink), the format of answers (`decode`), acting on clusters
//! (`kubernetes`).

mod check;
mod client;
mod config;
mod discovery;
mod labels;
pub mod limits;
mod manager;
mod pattern;
mod relabel;
mod run;
mod schedule;
mod series;
mod sink;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod units;

pub use check::{CheckReport, CheckedJob, check};
pub use config::{
    Auth, ConsulConfig, DiscoveryConfig, DnsConfig, DnsRecord, DockerConfig, Escaping, FileConfig, HttpConfig,
    HttpDiscoveryConfig, JobConfig, JobLimits, KubernetesConfig, KubernetesRole, KubernetesSelector, Namespaces,
    OAuth2Config, ProxyConfig, ScrapeConfig, ScrapeProtocol, Secret, TargetGroup, TlsConfig, TlsVersion,
};
pub use labels::LabelSet;
pub use manager::{RelabelStep, ScrapeManager};
pub use relabel::{Relabel, RelabelShown, relabel};
pub use sink::{Origin, Refused, Sink, SinkError};
pub use status::{DroppedShown, FailedShown, Health, ScrapeSnapshot, TargetMetadata, TargetShown};
pub use target::{Outcome, Target, targets_of};
