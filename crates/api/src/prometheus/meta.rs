//! What is there to ask about: series, labels, metadata, rules, alerts, and what this server says it is.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use model::Labels;
use serde_json::{Map, Value, json};
use series::{MatchOp, Matcher};

use super::envelope::{PromError, success};
use super::params::Params;
use crate::Api;
use crate::board::prometheus_alert;
use crate::request::Tenant;

/// Whole time, in milliseconds: the default range of metadata.
const ALL_MS: (i64, i64) = (i64::MIN / 2, i64::MAX / 2);

/// The selectors of `match[]` and the range, read once for every endpoint.
struct Wanted {
    selectors: Vec<Vec<Matcher>>,
    start_ms: i64,
    end_ms: i64,
    limit: Option<usize>,
}

impl Wanted {
    fn read(params: &Params) -> Result<Self, PromError> {
        let selectors: Result<Vec<_>, _> = params.all("match[]").iter().map(|text| matchers(text)).collect();
        let edge = |name: &str, default: i64| match params.get(name) {
            None | Some("") => Ok(default),
            Some(_) => params.time_ms(name, telemetry::clock::now()),
        };
        Ok(Self {
            selectors: selectors?,
            start_ms: edge("start", ALL_MS.0)?,
            end_ms: edge("end", ALL_MS.1)?,
            limit: params.limit()?,
        })
    }

    /// Every selector, or one that matches everything.
    fn selectors(&self) -> Vec<&[Matcher]> {
        if self.selectors.is_empty() { vec![&[]] } else { self.selectors.iter().map(Vec::as_slice).collect() }
    }

    fn cut<T>(&self, mut items: Vec<T>) -> (Vec<T>, Vec<String>) {
        match self.limit {
            Some(limit) if items.len() > limit => {
                items.truncate(limit);
                (items, vec!["results truncated due to limit".to_owned()])
            }
            _ => (items, Vec::new()),
        }
    }
}

fn matchers(text: &str) -> Result<Vec<Matcher>, PromError> {
    let bad = |error: &dyn std::fmt::Display| PromError::bad_data(format!("invalid parameter \"match[]\": {error}"));
    let parsed = promql::parse_selector(text).map_err(|error| bad(&error))?;
    let matcher = |matcher: &promql::Matcher| {
        let op = match matcher.op {
            promql::MatchOp::Equal => MatchOp::Equal,
            promql::MatchOp::NotEqual => MatchOp::NotEqual,
            promql::MatchOp::Regex => MatchOp::Regex,
            promql::MatchOp::NotRegex => MatchOp::NotRegex,
        };
        Matcher::new(&*matcher.name, op, &*matcher.value).map_err(|error| bad(&error))
    };
    parsed.matchers.iter().map(matcher).collect()
}

/// `/api/v1/labels`.
pub(crate) async fn labels(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let wanted = Wanted::read(&params)?;
    let series = api.store.series();
    let names = |matchers: &[Matcher]| series.label_names(&tenant, matchers, wanted.start_ms, wanted.end_ms);
    let mut found: Vec<String> = wanted.selectors().into_iter().flat_map(names).collect();
    found.sort_unstable();
    found.dedup();
    let (found, warnings) = wanted.cut(found);
    Ok(success(json!(found), warnings, Vec::new()))
}

/// `/api/v1/label/{name}/values`.
pub(crate) async fn label_values(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let name = unescape(&name);
    let wanted = Wanted::read(&params)?;
    let series = api.store.series();
    let values = |matchers: &[Matcher]| series.label_values(&tenant, &name, matchers, wanted.start_ms, wanted.end_ms);
    let mut found: Vec<String> = wanted.selectors().into_iter().flat_map(values).collect();
    found.sort_unstable();
    found.dedup();
    let (found, warnings) = wanted.cut(found);
    Ok(success(json!(found), warnings, Vec::new()))
}

/// Undoes the `U__` escaping that Grafana uses for names beyond letters, digits and underscores.
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
        let code = rest.find('_').and_then(|end| Some((u32::from_str_radix(&rest[..end], 16).ok()?, end)));
        let Some((Some(c), end)) = code.map(|(code, end)| (char::from_u32(code), end)) else { return name.to_owned() };
        out.push(c);
        rest = &rest[end + 1..];
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
    let wanted = Wanted::read(&params)?;
    if wanted.selectors.is_empty() {
        return Err(PromError::bad_data("no match[] parameter provided"));
    }
    let db = api.store.series();
    let of = |matchers: &[Matcher]| db.series(&tenant, matchers, wanted.start_ms, wanted.end_ms);
    let mut found: Vec<Labels> = wanted.selectors().into_iter().flat_map(of).collect();
    found.sort_unstable();
    found.dedup();
    let (found, warnings) = wanted.cut(found);
    let shown: Vec<Value> = found
        .iter()
        .map(|labels| Value::Object(labels.iter().map(|(name, value)| (name.to_owned(), value.into())).collect()))
        .collect();
    Ok(success(shown.into(), warnings, Vec::new()))
}

/// `/api/v1/metadata`.
pub(crate) async fn metadata(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    params: Params,
) -> Result<Json<Value>, PromError> {
    let limit = params.limit()?.unwrap_or(usize::MAX);
    let mut shown = Map::new();
    for entry in api.store.series().metadata(&tenant, params.get("metric")) {
        if shown.len() >= limit && !shown.contains_key(&entry.name) {
            break;
        }
        let list = shown.entry(entry.name.clone()).or_insert_with(|| json!([]));
        if let Some(list) = list.as_array_mut() {
            list.push(json!({"type": entry.kind.as_str(), "help": entry.help, "unit": entry.unit}));
        }
    }
    Ok(success(Value::Object(shown), Vec::new(), Vec::new()))
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

/// `/api/v1/status/buildinfo`. No `features`: Grafana would take the server for Mimir.
pub(crate) async fn buildinfo() -> Json<Value> {
    let version = env!("CARGO_PKG_VERSION");
    let info =
        json!({"version": version, "revision": "", "branch": "", "buildUser": "", "buildDate": "", "goVersion": ""});
    success(info, Vec::new(), Vec::new())
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
