//! The Prometheus HTTP API, `/api/v1/...`: what Grafana's data source and `promtool` ask.

mod envelope;
pub(crate) mod meta;
mod params;
pub(crate) mod query;
pub(crate) mod rule_filter;
