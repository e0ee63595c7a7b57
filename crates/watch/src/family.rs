//! The counter of a service's requests and the histogram of how long they took, classic or native.

use model::{Labels, Timestamp};
use rules::{RuleQuery, RuleQueryError};

use crate::labels;

/// The label of a histogram bucket's upper bound.
pub(crate) const LE_LABEL: &str = "le";
/// How far a look for a service's metrics goes back.
const FOUND_WITHIN: &str = "10m";
/// Most series of a counter that a watch reads at each look.
const SERIES_MAX: usize = 50_000;
/// What ends the name of a classic histogram's count.
const COUNT: &str = "_count";
/// What ends the name of a classic histogram's buckets.
const BUCKET: &str = "_bucket";
/// Upper bounds at which native histograms are read, in seconds. Powers of two are bounds of every native histogram's own buckets (of
/// schema 0 and finer), so that nothing is interpolated and a counter of one never falls.
const NATIVE_BOUNDS: [f64; 13] =
    [0.003_906_25, 0.007_812_5, 0.015_625, 0.031_25, 0.062_5, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// A counter of requests and, where there is one, the histogram beside it: OpenTelemetry's conventions, then Prometheus's. A native
/// histogram has the name without the ending.
const FAMILIES: [(&str, Option<&str>); 6] = [
    ("http_server_request_duration_seconds_count", Some("http_server_request_duration_seconds_bucket")),
    ("rpc_server_duration_seconds_count", Some("rpc_server_duration_seconds_bucket")),
    ("http_requests_total", Some("http_request_duration_seconds_bucket")),
    ("http_request_duration_seconds_count", Some("http_request_duration_seconds_bucket")),
    ("grpc_server_handled_total", Some("grpc_server_handling_seconds_bucket")),
    ("requests_total", None),
];

/// A counter of requests of one service, and its histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Family {
    pub(crate) requests: Series,
    pub(crate) buckets: Option<Series>,
    route: Option<&'static str>,
    code: Option<&'static str>,
}

/// Series of one metric of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    /// What selects them.
    selector: String,
    /// Whether they are native histograms.
    native: bool,
}

impl Series {
    fn classic(metric: &str, selector: &str) -> Self {
        Self { selector: format!("{metric}{selector}"), native: false }
    }

    fn native(metric: &str, selector: &str) -> Self {
        Self { selector: format!("{metric}{selector}"), native: true }
    }

    /// What asks when each of them was sampled last.
    pub(crate) fn times(&self) -> String {
        format!("timestamp({})", self.selector)
    }

    /// What selects them, for people.
    pub(crate) fn text(&self) -> &str {
        &self.selector
    }

    /// What asks for counters of requests.
    pub(crate) fn requests(&self) -> String {
        if self.native { format!("histogram_count({})", self.selector) } else { self.selector.clone() }
    }

    /// What asks for cumulative counters of buckets, by `le`. Native histograms are read at these bounds; counts are whole, and what
    /// makes a share of one into a count again must not make it fall.
    pub(crate) fn buckets(&self, bounds: &[f64]) -> String {
        if !self.native {
            return self.selector.clone();
        }
        at_bounds(&self.selector, bounds, |share| format!("round({share})"))
    }

    /// Labels of values that the series themselves do not have.
    pub(crate) fn read_labels(&self) -> &'static [&'static str] {
        if self.native { &[LE_LABEL] } else { &[] }
    }

    fn increase(&self, by: &str, minutes: i64) -> String {
        let sum = format!("sum by ({by}) (increase({}[{minutes}m]))", self.selector);
        if self.native { format!("histogram_count({sum})") } else { sum }
    }

    fn increase_of_buckets(&self, route: Option<&str>, bounds: &[f64], minutes: i64) -> String {
        let by: Vec<&str> = route.into_iter().chain((!self.native).then_some(LE_LABEL)).collect();
        let sum = format!("sum by ({}) (increase({}[{minutes}m]))", by.join(", "), self.selector);
        if self.native { at_bounds(&sum, bounds, |share| share) } else { sum }
    }
}

/// How many observations of native histograms are below each bound, as series with `le`.
fn at_bounds(histograms: &str, bounds: &[f64], whole: impl Fn(String) -> String) -> String {
    let labelled = |value: String, le: &str| format!("label_replace({value}, \"{LE_LABEL}\", \"{le}\", \"\", \"\")");
    let below = bounds.iter().map(|bound| {
        let share = format!("histogram_fraction(-Inf, {bound}, {histograms}) * histogram_count({histograms})");
        labelled(whole(share), &bound.to_string())
    });
    let all = labelled(format!("histogram_count({histograms})"), "+Inf");
    below.chain([all]).collect::<Vec<_>>().join(" or ")
}

impl Family {
    /// The first family that a service has series of, by the first label that names the service.
    pub(crate) fn find(query: &dyn RuleQuery, service: &str, at: Timestamp) -> Result<Option<Family>, RuleQueryError> {
        for (requests, buckets) in FAMILIES {
            for label in labels::SERVICE {
                let selector = format!("{{{label}={}}}", quoted(service));
                let native = requests.strip_suffix(COUNT).map(|metric| Series::native(metric, &selector));
                for series in [Some(Series::classic(requests, &selector)), native].into_iter().flatten() {
                    let found = series.found(query, at)?;
                    let Some((first, _)) = found.first() else { continue };
                    if found.len() > SERIES_MAX {
                        let (text, n) = (series.text(), found.len());
                        let message = format!("{text} has {n} series, a watch reads {SERIES_MAX} at most");
                        return Err(RuleQueryError(message));
                    }
                    let (route, code) = labels::names(first);
                    let buckets = buckets.and_then(|metric| histogram(query, metric, &selector, at));
                    return Ok(Some(Family { requests: series, buckets, route, code }));
                }
            }
        }
        Ok(None)
    }

    /// The bounds of the buckets that a watch over it compares, in seconds.
    pub(crate) fn bounds(&self, query: &dyn RuleQuery, at: Timestamp) -> Result<Vec<f64>, RuleQueryError> {
        match &self.buckets {
            Some(series) if series.native => Ok(NATIVE_BOUNDS.to_vec()),
            Some(series) => Ok(bounds(&query.instant(series.text(), at)?)),
            None => Ok(Vec::new()),
        }
    }

    /// What asks how many requests there were in the minutes before.
    pub(crate) fn increase(&self, minutes: i64) -> String {
        let by: Vec<&str> = self.route.into_iter().chain(self.code).collect();
        self.requests.increase(&by.join(", "), minutes)
    }

    /// What asks how many of them were in each bucket.
    pub(crate) fn increase_of_buckets(&self, bounds: &[f64], minutes: i64) -> Option<String> {
        self.buckets.as_ref().map(|buckets| buckets.increase_of_buckets(self.route, bounds, minutes))
    }
}

impl Series {
    fn found(&self, query: &dyn RuleQuery, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let last = format!("last_over_time({}[{FOUND_WITHIN}])", self.selector);
        query.instant(&if self.native { format!("histogram_count({last})") } else { last }, at)
    }
}

/// The histogram of a classic one's name, or the native one.
fn histogram(query: &dyn RuleQuery, metric: &str, selector: &str, at: Timestamp) -> Option<Series> {
    let native = metric.strip_suffix(BUCKET).map(|metric| Series::native(metric, selector));
    let mut candidates = [Some(Series::classic(metric, selector)), native].into_iter().flatten();
    candidates.find(|series| series.found(query, at).is_ok_and(|found| !found.is_empty()))
}

/// A text as PromQL writes it.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}

/// A bound as `le` has it.
pub(crate) fn parse_bound(text: &str) -> Option<f64> {
    if text == "+Inf" { Some(f64::INFINITY) } else { text.parse().ok() }
}

/// The finite upper bounds that series have.
pub(crate) fn bounds(series: &[(Labels, f64)]) -> Vec<f64> {
    let mut bounds: Vec<f64> = series
        .iter()
        .filter_map(|(labels, _)| labels.get(LE_LABEL).and_then(parse_bound))
        .filter(|bound| bound.is_finite())
        .collect();
    bounds.sort_by(f64::total_cmp);
    bounds.dedup();
    bounds
}
