//! The Prometheus HTTP API, `/api/v1/...` and `/federate`: what Grafana's data source, `promtool` and other Prometheus servers ask.

pub(crate) mod admin;
mod envelope;
mod exposition;
pub(crate) mod federate;
pub(crate) mod meta;
mod params;
pub(crate) mod query;
pub(crate) mod read;
pub(crate) mod rule_filter;
pub(crate) mod selectors;
pub(crate) mod status;
pub(crate) mod targets;
#[cfg(test)]
mod tests;
