//! The samples of a test: those of its input series, each seen from its time on, and those that rules write.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::histogram::settle_reset_hints;
use model::{FloatHistogram, Labels, METRIC_NAME, is_stale_nan};
use promql::{MatchOp, SelectRequest, SequenceValue, SeriesSource, SourceError, SourceSeries};

use crate::{RuleQueryError, RuleSamples, SampleSink};

/// One series, column by column, in order of time.
#[derive(Default)]
struct Column {
    times: Vec<i64>,
    values: Vec<f64>,
    histograms: Vec<Option<Arc<FloatHistogram>>>,
}

impl Column {
    /// Adds a sample. One at a time that has a sample is not taken, as in Prometheus.
    fn put(&mut self, time: i64, value: f64, histogram: Option<Arc<FloatHistogram>>) {
        // Almost every sample is the latest.
        let at = match self.times.last() {
            Some(last) if *last >= time => match self.times.binary_search(&time) {
                Ok(_) => return,
                Err(at) => at,
            },
            _ => self.times.len(),
        };
        self.times.insert(at, time);
        self.values.insert(at, value);
        self.histograms.insert(at, histogram);
    }

    /// Gives histograms the reset hints that a store gives.
    fn settle(&mut self) {
        if self.histograms.iter().all(Option::is_none) {
            return;
        }
        let samples = self.histograms.iter_mut().zip(&self.values);
        // A staleness marker of a series of histograms is one of them, and does not end a run.
        let histograms = samples.filter(|(histogram, value)| histogram.is_some() || !is_stale_nan(**value));
        settle_reset_hints(histograms.map(|(histogram, _)| histogram.as_mut().map(Arc::make_mut)));
    }

    fn between(&self, labels: &Labels, start_ms: i64, end_ms: i64) -> Option<SourceSeries> {
        let from = self.times.partition_point(|time| *time < start_ms);
        let to = self.times.partition_point(|time| *time <= end_ms);
        if from >= to {
            return None;
        }
        let histograms = &self.histograms[from..to];
        let histograms = if histograms.iter().all(Option::is_none) { Vec::new() } else { histograms.to_vec() };
        let (times, values) = (self.times[from..to].to_vec().into(), self.values[from..to].to_vec().into());
        Some(SourceSeries { labels: labels.clone(), times, values, histograms, ..SourceSeries::default() })
    }
}

#[derive(Default)]
struct Inner {
    /// By the metric's name, then by all labels.
    metrics: BTreeMap<String, BTreeMap<Labels, Column>>,
    /// Samples after this are not there yet.
    till_ms: i64,
}

/// The samples of one group of tests. Rules write to it while they read, so it has a lock, which nobody contends for.
#[derive(Default)]
pub(super) struct Storage(Mutex<Inner>);

impl Storage {
    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds an input series.
    pub(super) fn add(&self, labels: &Labels, values: Vec<SequenceValue>, start_ms: i64, interval_ms: i64) {
        self.with(|inner| {
            let column = inner.column(labels);
            for (time, value) in (0..).map(|at: i64| start_ms + at * interval_ms).zip(values) {
                match value {
                    SequenceValue::Missing => {}
                    SequenceValue::Float(value) => column.put(time, value, None),
                    SequenceValue::Histogram { histogram, .. } => column.put(time, f64::NAN, Some(histogram)),
                }
            }
            column.settle();
        });
    }

    /// Lets time go on: samples until then are there.
    pub(super) fn advance(&self, till_ms: i64) {
        self.with(|inner| inner.till_ms = till_ms);
    }
}

impl Inner {
    fn column(&mut self, labels: &Labels) -> &mut Column {
        let metric = self.metrics.entry(labels.metric_name().to_owned()).or_default();
        metric.entry(labels.clone()).or_default()
    }
}

/// Takes what rules write.
pub(super) struct Sink<'a>(pub(super) &'a Storage);

impl SampleSink for Sink<'_> {
    fn store(&mut self, samples: RuleSamples) -> Result<(), RuleQueryError> {
        self.0.with(|inner| {
            for series in samples.series {
                let column = inner.column(&series.labels);
                series.samples.iter().for_each(|sample| column.put(sample.time_ms, sample.value, None));
                for sample in series.histograms {
                    column.put(sample.time_ms, f64::NAN, Some(sample.histogram));
                    column.settle();
                }
            }
        });
        Ok(())
    }
}

impl SeriesSource for Storage {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let name = request.matchers.iter().find(|matcher| matcher.name == METRIC_NAME && matcher.op == MatchOp::Equal);
        let wanted = |labels: &Labels| {
            request.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
        };
        Ok(self.with(|inner| {
            let end_ms = request.end_ms.min(inner.till_ms);
            let metrics = match name {
                Some(name) => inner.metrics.range(name.value.clone()..=name.value.clone()),
                None => inner.metrics.range::<String, _>(..),
            };
            let columns = metrics.flat_map(|(_, columns)| columns).filter(|(labels, _)| wanted(labels));
            columns.filter_map(|(labels, column)| column.between(labels, request.start_ms, end_ms)).collect()
        }))
    }
}
