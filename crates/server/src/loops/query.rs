//! How rules and verifications ask questions: through the engine, under its limits.

use std::collections::BTreeMap;

use engine::{Engine, QueryRequest};
use model::{Labels, TenantId, TimeRange, Timestamp, Value};
use promql::QueryValue;
use rules::{RuleQuery, RuleQueryError, RuleSample};
use serde_json::Value as Json;
use tokio::runtime::Handle;

/// Longest run of a rule's query, in milliseconds: rules must not pile up behind a slow one.
const TIMEOUT_MS: u64 = 10_000;
/// Most rows of a log rule's query: each is one alert.
const ROWS_MAX: u64 = 10_000;

/// The engine as rules see it. Calls block, so they come from threads outside the runtime.
#[derive(Clone)]
pub(crate) struct EngineQuery {
    engine: Engine,
    runtime: Handle,
    tenant: TenantId,
}

impl EngineQuery {
    /// Asks for the default tenant.
    pub(crate) fn new(engine: Engine, runtime: Handle) -> Self {
        Self { engine, runtime, tenant: TenantId::default() }
    }
}

impl EngineQuery {
    /// Rows of a query over a range; complete, or an error.
    pub(crate) fn rows(&self, query: &str, range: TimeRange, limit: u64) -> Result<Vec<Json>, RuleQueryError> {
        let mut request = QueryRequest::new(self.tenant.clone(), query, range.end);
        request.range = range;
        request.limit = Some(limit);
        request.timeout_ms = Some(TIMEOUT_MS);
        let result = self.runtime.block_on(async { self.engine.run(request).await?.collect_all().await });
        let result = result.map_err(|error| RuleQueryError(error.to_string()))?;
        if result.stats.limit_reached || !result.stats.complete {
            return Err(RuleQueryError(format!("the answer has more than {limit} rows or misses data")));
        }
        Ok(result.json_rows())
    }
}

impl RuleQuery for EngineQuery {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        Ok(self.vector(expr, at)?.into_iter().map(|sample| (sample.labels, sample.value)).collect())
    }

    fn vector(&self, expr: &str, at: Timestamp) -> Result<Vec<RuleSample>, RuleQueryError> {
        let result = self.runtime.block_on(self.engine.prom_instant(&self.tenant, expr, at.millis()));
        let result = result.map_err(|error| RuleQueryError(error.to_string()))?;
        match result.outcome.value {
            QueryValue::Scalar(sample) => {
                Ok(vec![RuleSample { labels: Labels::default(), value: sample.value, histogram: None }])
            }
            QueryValue::Vector(samples) => Ok(samples
                .into_iter()
                .map(|sample| RuleSample { labels: sample.labels, value: sample.value, histogram: sample.histogram })
                .collect()),
            other => Err(RuleQueryError(format!("the expression is a {}, not a vector", other.result_type()))),
        }
    }

    fn logs(&self, query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        let object = |row: Json| match row {
            Json::Object(fields) => fields.into_iter().map(|(name, value)| (name, Value::from(value))).collect(),
            _ => BTreeMap::new(),
        };
        Ok(self.rows(query, range, ROWS_MAX)?.into_iter().map(object).collect())
    }
}
