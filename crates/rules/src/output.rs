//! What evaluations write: the samples of recording rules, and the series that Prometheus keeps of alerts.

use std::collections::BTreeSet;
use std::sync::Arc;

use model::{
    FloatHistogram, HistogramSample, Labels, LabelsBuilder, METRIC_NAME, Sample, SeriesSamples, Timestamp, stale_nan,
};

use crate::{Alert, AlertState, RuleQueryError};

/// The series that is 1 for every alert that is pending or fires.
pub const ALERTS: &str = "ALERTS";

/// The series that says since when the condition of an alert holds, in seconds since the Unix epoch.
pub const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";

/// The label of [`ALERTS`] that says `pending` or `firing`.
const ALERT_STATE: &str = "alertstate";

/// What rules wrote.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RuleSamples {
    /// One sample of each series, a number or a native histogram; staleness markers included.
    pub series: Vec<SeriesSamples>,
}

/// Where samples go.
pub trait SampleSink {
    /// Keeps one rule's samples, so that the next query sees them.
    fn store(&mut self, samples: RuleSamples) -> Result<(), RuleQueryError>;
}

/// Collects.
impl SampleSink for RuleSamples {
    fn store(&mut self, mut samples: RuleSamples) -> Result<(), RuleQueryError> {
        self.series.append(&mut samples.series);
        Ok(())
    }
}

impl RuleSamples {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    pub(crate) fn push(&mut self, labels: Labels, at: Timestamp, value: f64) {
        let samples = vec![Sample { time_ms: at.millis(), value }];
        self.series.push(SeriesSamples { labels, samples, ..SeriesSamples::default() });
    }

    pub(crate) fn push_histogram(&mut self, labels: Labels, at: Timestamp, histogram: Arc<FloatHistogram>) {
        let histograms = vec![HistogramSample { time_ms: at.millis(), start_ms: 0, histogram }];
        self.series.push(SeriesSamples { labels, histograms, ..SeriesSamples::default() });
    }

    /// Ends the series of before that are not among those of now, with a staleness marker.
    pub(crate) fn end_gone(&mut self, before: &mut BTreeSet<Labels>, now: BTreeSet<Labels>, at: Timestamp) {
        for labels in before.difference(&now) {
            self.push(labels.clone(), at, stale_nan());
        }
        *before = now;
    }
}

/// The series of a rule's alerts, as Prometheus writes them: both for each alert that is pending or fires.
pub(crate) fn alert_series<'a>(rule: &str, alerts: impl Iterator<Item = &'a Alert>) -> Vec<(Labels, f64)> {
    let mut series = Vec::new();
    for alert in alerts.filter(|alert| alert.state != AlertState::Resolved) {
        let mut labels = LabelsBuilder::default();
        for (name, value) in &alert.labels {
            labels.set(name.as_str(), value.as_str());
        }
        labels.set("alertname", rule);
        let mut state = labels.clone();
        labels.set(METRIC_NAME, ALERTS_FOR_STATE);
        state.set(METRIC_NAME, ALERTS);
        state.set(ALERT_STATE, alert.state.as_str());
        series.push((state.build(), 1.0));
        series.push((labels.build(), alert.active_at.0.div_euclid(1_000_000_000) as f64));
    }
    series
}
