//! Requests counted from spans, for services that send traces and no counters.

use std::collections::BTreeMap;

use model::{TimeRange, Timestamp, Value};
use rules::{RuleQuery, RuleQueryError};
use verdict::{Cell, Counts, Part, Role};

use crate::telemetry::Versions;

/// How long spans may take to arrive, in nanoseconds: exporters send every five seconds unless told otherwise.
pub(crate) const SPANS_SETTLE_NS: i64 = 10_000_000_000;
/// Upper bounds of the latency buckets that spans are counted into, in seconds: Prometheus's and OpenTelemetry's usual ones.
pub(crate) const SPAN_BOUNDS: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Most groups of version and endpoint that one look reads.
const GROUPS_MAX: usize = 1_000;

/// Requests of one version and endpoint.
pub(crate) struct SpanCounts {
    pub(crate) version: String,
    pub(crate) route: String,
    pub(crate) cell: Cell,
}

fn text(service: &str) -> String {
    let service = serde_json::Value::String(service.to_owned());
    let mut query = format!(
        "from spans service.name:={service} kind:in(server, consumer) | stats by (service.version, name) count() as n, \
         count() if (status:=error) as bad"
    );
    for (at, bound) in SPAN_BOUNDS.iter().enumerate() {
        query.push_str(&format!(", count() if (duration_ns:<={}) as b{at}", (bound * 1e9) as i64));
    }
    query.push_str(&format!(" | sort by (n desc) | limit {GROUPS_MAX}"));
    query
}

/// Requests that a service served in a range of time.
pub(crate) fn count(query: &dyn RuleQuery, service: &str, range: TimeRange) -> Result<Vec<SpanCounts>, RuleQueryError> {
    if range.start >= range.end {
        return Ok(Vec::new());
    }
    let rows = query.logs(&text(service), range)?;
    Ok(rows.iter().map(read).filter(|counts| counts.cell.requests.n > 0.0).collect())
}

fn read(row: &BTreeMap<String, Value>) -> SpanCounts {
    let text = |name: &str| row.get(name).map(Value::text).unwrap_or_default().into_owned();
    let number = |name: &str| text(name).parse::<f64>().unwrap_or(0.0);
    let requests = Counts { n: number("n"), bad: number("bad") };
    let mut below = 0.0;
    let mut buckets: Vec<f64> = (0..SPAN_BOUNDS.len())
        .map(|at| {
            let cumulative = number(&format!("b{at}"));
            let count = (cumulative - below).max(0.0);
            below = cumulative;
            count
        })
        .collect();
    buckets.push((requests.n - below).max(0.0));
    SpanCounts { version: text("service.version"), route: text("name"), cell: Cell { requests, buckets } }
}

/// Counters that spans add up to.
#[derive(Default)]
pub(crate) struct SpanCounters {
    pub(crate) totals: BTreeMap<Part, f64>,
    pub(crate) until: Timestamp,
}

impl SpanCounters {
    /// Adds what a service served in a range; a dependency's when `dependency`.
    pub(crate) fn add(&mut self, counts: Vec<SpanCounts>, versions: &Versions, dependency: Option<&str>) {
        for found in counts {
            let role = versions.role_of(Some(found.version.as_str()).filter(|version| !version.is_empty()));
            let name = dependency.unwrap_or(&found.route).to_owned();
            let (requests, errors) = match dependency {
                Some(_) => (Part::DependencyRequests(name.clone()), Part::DependencyErrors(name.clone())),
                None => (Part::Requests(role, name.clone()), Part::Errors(role, name.clone())),
            };
            *self.totals.entry(requests).or_default() += found.cell.requests.n;
            *self.totals.entry(errors).or_default() += found.cell.requests.bad;
            for (at, count) in found.cell.buckets.into_iter().enumerate().filter(|(_, count)| *count > 0.0) {
                let part = bucket(role, &name, at, dependency.is_some());
                *self.totals.entry(part).or_default() += count;
            }
        }
    }
}

fn bucket(role: Role, name: &str, at: usize, dependency: bool) -> Part {
    if dependency { Part::DependencyBucket(name.to_owned(), at) } else { Part::Bucket(role, name.to_owned(), at) }
}
