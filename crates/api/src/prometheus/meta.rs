//! What is there to ask about: series, labels, metadata, exemplars, rules, alerts.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::Labels;
use promql::{Expr, VectorSelector};
use serde_json::{Map, Value, json};
use series::{Matcher, SeriesExemplars};

use super::envelope::{PromError, cut, plain, success};
use super::params::{ALL_MS, Params};
use super::selectors::{self, Selector};
use crate::Api;
use crate::board::prometheus_alert;
use crate::request::Tenant;

/// The selectors of `match[]` and the range, read once for every endpoint.
struct Wanted {
    selectors: Vec<Selector>,
    start_ms: i64,
    end_ms: i64,
    limit: Option<usize>,
}

impl Wanted {
    /// For labels, where `match[]` is optional.
    fn of_labels(params: &Params) -> Result<Self, PromError> {
        let limit = params.limit()?;
        let (start_ms, end_ms) = (params.time_ms("start", ALL_MS.0)?, params.time_ms("end", ALL_MS.1)?);
        let selectors = selectors::read(params).map_err(PromError::bad_data)?;
        Ok(Self { selectors, start_ms, end_ms, limit })
    }

    /// Every selector, or one that matches everything.
    fn selectors(&self) -> Vec<&[Matcher]> {
        if self.selectors.is_empty() { vec![&[]] } else { self.selectors.iter().map(Vec::as_slice).collect() }
    }
}

/// `/api/v1/labels`.
pub(crate) async fn labels(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let wanted = Wanted::of_labels(&params)?;
    let series = api.store.series();
    let names = |matchers: &[Matcher]| series.label_names(&tenant, matchers, wanted.start_ms, wanted.end_ms);
    Ok(texts(wanted.selectors().into_iter().flat_map(names).collect(), wanted.limit))
}

/// `/api/v1/label/{name}/values`.
pub(crate) async fn label_values(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let name = unescape(&name);
    if name.is_empty() {
        return Err(PromError::bad_data("invalid label name: \"\""));
    }
    let wanted = Wanted::of_labels(&params)?;
    let series = api.store.series();
    let values = |matchers: &[Matcher]| series.label_values(&tenant, &name, matchers, wanted.start_ms, wanted.end_ms);
    Ok(texts(wanted.selectors().into_iter().flat_map(values).collect(), wanted.limit))
}

/// Texts, sorted, each once.
fn texts(mut found: Vec<String>, limit: Option<usize>) -> Json<Value> {
    found.sort_unstable();
    found.dedup();
    let warnings = cut(&mut found, limit);
    success(json!(found), warnings, Vec::new())
}

/// Undoes the `U__` escaping that Grafana uses for names beyond letters, digits and underscores. What is no such escaping stays.
fn unescape(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            out.push('_');
            rest = after;
            continue;
        }
        let Some((code, after)) = rest.split_once('_') else { return name.to_owned() };
        let is_code = (1..=6).contains(&code.len()) && code.bytes().all(|digit| digit.is_ascii_hexdigit());
        let decoded = u32::from_str_radix(code, 16).ok().filter(|_| is_code).and_then(char::from_u32);
        let Some(decoded) = decoded else { return name.to_owned() };
        out.push(decoded);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// `/api/v1/series`.
pub(crate) async fn series(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    selectors::check_given(&params)?;
    let limit = params.limit()?;
    let (start_ms, end_ms) = (params.time_ms("start", ALL_MS.0)?, params.time_ms("end", ALL_MS.1)?);
    let (selectors, db) = (selectors::required(&params)?, api.store.series());
    let of = |matchers: &Selector| db.series(&tenant, matchers, start_ms, end_ms);
    let mut found: Vec<Labels> = selectors.iter().flat_map(of).collect();
    found.sort_unstable();
    found.dedup();
    let warnings = cut(&mut found, limit);
    Ok(success(found.iter().map(labels_json).collect(), warnings, Vec::new()))
}

/// Labels as an object.
pub(crate) fn labels_json(labels: &Labels) -> Value {
    Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
}

/// `/api/v1/metadata`.
pub(crate) async fn metadata(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let number = |name: &str| {
        let fault = |_| PromError::bad_data(format!("{name} must be a number"));
        params.whole_number(name).map_err(fault)
    };
    // Less than zero is no limit, and zero is one: nothing.
    let limit = number("limit")?.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let per_metric = number("limit_per_metric")?.and_then(|limit| usize::try_from(limit).ok());
    let per_metric = per_metric.filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let mut shown = Map::new();
    for entry in api.store.series().metadata(&tenant, params.given("metric")) {
        if shown.len() >= limit && !shown.contains_key(&entry.name) {
            break;
        }
        let list = shown.entry(entry.name.clone()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut().filter(|list| list.len() < per_metric) {
            list.push(json!({"type": entry.kind.as_str(), "help": entry.help, "unit": entry.unit}));
        }
    }
    Ok(plain(Value::Object(shown)))
}

/// `/api/v1/query_exemplars`: the exemplars of every series that some selector of the query means.
pub(crate) async fn exemplars(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Response, PromError> {
    let (start_ms, end_ms) = (params.time_ms("start", ALL_MS.0)?, params.time_ms("end", ALL_MS.1)?);
    if end_ms < start_ms {
        return Err(PromError::bad_data("end timestamp must not be before start timestamp"));
    }
    let text = params.get("query").unwrap_or("");
    let language = api.engine.limits().promql_features.parser;
    let expr = promql::parse_with(text, &language).map_err(|error| PromError::bad_data(error.to_string()))?;
    let selectors = selectors_of(&expr);
    if selectors.is_empty() {
        // As Prometheus: without a selector there is no content.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let mut found: Vec<SeriesExemplars> = Vec::new();
    for selector in selectors {
        let matchers = selectors::of_query(&selector.matchers).map_err(PromError::bad_data)?;
        found.extend(api.store.series().exemplars(&tenant, &matchers, start_ms, end_ms));
    }
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    found.dedup_by(|a, b| a.labels == b.labels);
    Ok(plain(found.iter().map(exemplars_json).collect()).into_response())
}

fn selectors_of(expr: &Expr) -> Vec<&VectorSelector> {
    let mut found = Vec::new();
    expr.walk(&mut |expr| match expr {
        Expr::Vector(selector) => found.push(&**selector),
        Expr::Matrix(matrix) => found.push(&matrix.selector),
        _ => {}
    });
    found
}

fn exemplars_json(series: &SeriesExemplars) -> Value {
    let one = |exemplar: &model::Exemplar| {
        json!({
            "labels": labels_json(&exemplar.labels),
            "value": promql::format_number(exemplar.value),
            "timestamp": promql::seconds_json(exemplar.time_ms),
        })
    };
    let exemplars: Vec<Value> = series.exemplars.iter().map(one).collect();
    json!({"seriesLabels": labels_json(&series.labels), "exemplars": exemplars})
}

/// `/api/v1/rules`.
pub(crate) async fn rules(State(api): State<Arc<Api>>, params: Params) -> Result<Json<Value>, PromError> {
    let filter = super::rule_filter::RuleFilter::read(&params)?;
    let shown = api.board.to_prometheus(&filter).map_err(PromError::bad_data)?;
    Ok(success(shown, Vec::new(), Vec::new()))
}

/// `/api/v1/alerts`.
pub(crate) async fn alerts(State(api): State<Arc<Api>>) -> Json<Value> {
    let active = api.board.alerts().into_iter().filter(|alert| alert.state != rules::AlertState::Resolved);
    let alerts: Vec<Value> = active.map(|alert| prometheus_alert(&alert)).collect();
    success(json!({"alerts": alerts}), Vec::new(), Vec::new())
}

#[cfg(test)]
mod tests {
    use model::METRIC_NAME;

    use super::*;

    #[test]
    fn escaped_names_are_unescaped() {
        assert_eq!(unescape("U__http_2e_status"), "http.status");
        assert_eq!(unescape("U__a__b"), "a_b");
        assert_eq!(unescape("job"), "job");
        assert_eq!(unescape(METRIC_NAME), METRIC_NAME);
        assert_eq!(unescape("U__a_zz"), "U__a_zz");
    }
}
