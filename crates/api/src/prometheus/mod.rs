//! The Prometheus HTTP API, `/api/v1/...`: what Grafana's data source and `promtool` ask.

mod envelope;
mod params;
pub(crate) mod meta;
pub(crate) mod query;
