//! `/federate`: the newest samples of series, as a target of another Prometheus shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{FloatHistogram, Labels, METRIC_NAME, ResetHint, TenantId, is_stale_nan};
use series::{Matcher, SeriesData};

use super::exposition::{Family, Format, Kind, Shown, encode};
use super::params::Params;
use super::selectors::Selector;
use crate::Api;
use crate::request::Tenant;

/// How old a sample may be, in milliseconds: Prometheus's lookback.
const LOOKBACK_MS: i64 = 300_000;

/// A label that is there even if it is empty, so that who federates does not put its own there.
const INSTANCE: &str = "instance";

/// The answer is a page of metrics, in the format that `Accept` asks for. Errors are texts.
pub(crate) async fn federate(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    params: Params,
) -> Response {
    let selectors: Result<Vec<Selector>, String> =
        params.all("match[]").iter().map(|text| super::selectors::parse(text)).collect();
    let selectors = match selectors {
        Ok(selectors) => selectors,
        Err(fault) => return (StatusCode::BAD_REQUEST, format!("{fault}\n")).into_response(),
    };
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let format = Format::negotiate(accept);
    let now_ms = telemetry::clock::now().millis();
    let work = tokio::task::spawn_blocking(move || page(&api, &tenant, &selectors, now_ms, format));
    let page = match work.await.map_err(|error| error.to_string()) {
        Ok(Ok(page)) => page,
        Ok(Err(fault)) | Err(fault) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, format!("{fault}\n")).into_response();
        }
    };
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    response
}

fn page(
    api: &Api,
    tenant: &TenantId,
    selectors: &[Vec<Matcher>],
    now_ms: i64,
    format: Format,
) -> Result<Vec<u8>, String> {
    let mut found: Vec<SeriesData> = Vec::new();
    for matchers in selectors {
        let series = api.store.series().select(tenant, matchers, now_ms.saturating_sub(LOOKBACK_MS), now_ms);
        found.extend(series.map_err(|error| error.to_string())?);
    }
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    found.dedup_by(|a, b| a.labels == b.labels);
    Ok(encode(&families(&found, &api.settings.external_labels), format))
}

/// Series by name, and within a name by labels. A name has several families if some of its series are numbers and some histograms.
pub(super) fn families<'a>(found: &'a [SeriesData], external: &'a BTreeMap<String, String>) -> Vec<Family<'a>> {
    let mut shown: Vec<(&str, Kind, Shown<'_>)> = found.iter().filter_map(|series| newest(series, external)).collect();
    shown.sort_by_key(|(name, ..)| *name);
    let mut families: Vec<Family<'_>> = Vec::new();
    for (name, kind, one) in shown {
        match families.last_mut() {
            Some(family) if family.name == name && family.kind == kind => family.metrics.push(one),
            _ => families.push(Family { name, kind, metrics: vec![one] }),
        }
    }
    families
}

/// The newest sample of a series, unless it says that the series ended. A series without a name can not be shown.
fn newest<'a>(series: &'a SeriesData, external: &'a BTreeMap<String, String>) -> Option<(&'a str, Kind, Shown<'a>)> {
    let name = series.labels.get(METRIC_NAME)?;
    let last = series.times.len().checked_sub(1)?;
    let histogram: Option<&FloatHistogram> = series.histograms.get(last).and_then(Option::as_deref);
    let stale = histogram.map_or_else(|| is_stale_nan(series.values[last]), FloatHistogram::is_stale);
    if stale {
        return None;
    }
    let kind = match histogram.map(|histogram| histogram.reset_hint) {
        None => Kind::Untyped,
        Some(ResetHint::Gauge) => Kind::GaugeHistogram,
        Some(_) => Kind::Histogram,
    };
    let labels = with_external(&series.labels, external);
    let one = Shown { labels, time_ms: series.times[last], value: series.values[last], histogram };
    Some((name, kind, one))
}

/// The labels of a series without its name, and behind them the external ones that it has not.
fn with_external<'a>(labels: &'a Labels, external: &'a BTreeMap<String, String>) -> Vec<(&'a str, &'a str)> {
    let mut more: BTreeMap<&str, &str> = external.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    more.entry(INSTANCE).or_insert("");
    let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
    own.chain(more.into_iter().filter(|(name, _)| labels.get(name).is_none())).collect()
}
