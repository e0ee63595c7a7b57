//! The series that a test file loads.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::histogram::{Buckets, CUSTOM_SCHEMA, settle_reset_hints};
use model::{FloatHistogram, Labels, METRIC_NAME};
use promql::{SelectRequest, SequenceValue, SeriesSource, SourceError, SourceSeries};

/// One sample.
#[derive(Clone)]
struct Sample {
    value: f64,
    histogram: Option<Arc<FloatHistogram>>,
    start: i64,
}

/// Samples in memory, with the reset hints that a store would give.
#[derive(Default)]
pub(crate) struct Storage(BTreeMap<Labels, BTreeMap<i64, Sample>>);

impl SeriesSource for Storage {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let wanted = |labels: &&Labels| {
            request.matchers.iter().all(|matcher| matcher.matches(labels.get(&matcher.name).unwrap_or("")))
        };
        let mut found = Vec::new();
        for (labels, samples) in self.0.iter().filter(|(labels, _)| wanted(labels)) {
            let mut series = SourceSeries { labels: labels.clone(), ..SourceSeries::default() };
            let inside = || samples.range(request.start_ms..=request.end_ms.max(request.start_ms));
            series.times = inside().map(|(time, _)| *time).collect();
            series.values = inside().map(|(_, sample)| sample.value).collect();
            series.histograms = inside().map(|(_, sample)| sample.histogram.clone()).collect();
            series.starts = inside().map(|(_, sample)| sample.start).collect();
            if !series.times.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }
}

impl Storage {
    /// Adds a series at a distance of `interval` milliseconds; start times are relative to the samples.
    pub(crate) fn add(
        &mut self,
        labels: &Labels,
        values: &[SequenceValue],
        starts: Option<&[Option<i64>]>,
        interval: i64,
    ) {
        let samples = self.0.entry(labels.clone()).or_default();
        for (at, value) in values.iter().enumerate() {
            let time = at as i64 * interval;
            let start = starts.and_then(|starts| starts[at]).map_or(0, |start| time + start);
            let (value, histogram) = match value {
                SequenceValue::Missing => continue,
                SequenceValue::Float(value) => (*value, None),
                SequenceValue::Histogram { histogram, .. } => (f64::NAN, Some(histogram.clone())),
            };
            samples.insert(time, Sample { value, histogram, start });
        }
        self.settle(labels);
    }

    fn settle(&mut self, labels: &Labels) {
        let samples = self.0.get_mut(labels).into_iter().flat_map(BTreeMap::values_mut);
        // A staleness marker of a series of histograms is one of them, and does not end a run.
        let histograms = samples.filter(|sample| sample.histogram.is_some() || !model::is_stale_nan(sample.value));
        settle_reset_hints(histograms.map(|sample| sample.histogram.as_mut().map(Arc::make_mut)));
    }

    /// Makes native histograms with custom bounds of the classic histograms among `loaded`.
    pub(crate) fn add_custom_histograms(&mut self, loaded: &[Labels]) -> Result<(), String> {
        let mut found: BTreeMap<Labels, BTreeMap<i64, Classic>> = BTreeMap::new();
        for labels in loaded {
            let name = labels.metric_name();
            let part =
                ["_bucket", "_sum", "_count"].into_iter().find_map(|part| Some((part, name.strip_suffix(part)?)));
            let Some((part, base)) = part else { continue };
            let bound: Option<f64> = labels.get("le").and_then(|le| le.parse().ok());
            if part == "_bucket" && bound.is_none_or(f64::is_nan) {
                continue;
            }
            let rest = labels.iter().filter(|(name, _)| *name != METRIC_NAME && *name != "le");
            let metric: Labels = rest.chain([(METRIC_NAME, base)]).collect();
            let times = found.entry(metric).or_default();
            for (time, sample) in self.0[labels].iter().filter(|(_, sample)| sample.histogram.is_none()) {
                let classic = times.entry(*time).or_default();
                match part {
                    "_sum" => classic.sum = sample.value,
                    "_count" => classic.count = Some(sample.value),
                    _ => classic.buckets.push((bound.unwrap_or(f64::INFINITY), sample.value)),
                }
            }
        }
        for (labels, times) in found {
            for (time, classic) in times {
                let histogram = Some(Arc::new(classic.convert()?));
                self.0.entry(labels.clone()).or_default().insert(time, Sample { value: f64::NAN, histogram, start: 0 });
            }
            self.settle(&labels);
        }
        Ok(())
    }
}

/// A classic histogram at one time.
#[derive(Default)]
struct Classic {
    /// Upper bound and cumulative count.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

impl Classic {
    fn convert(mut self) -> Result<FloatHistogram, String> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|next, kept| next.0 == kept.0);
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|last| last.1)).unwrap_or(0.0);
        if last.is_none_or(|last| last.0 != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let cumulative = self.buckets.windows(2).all(|pair| pair[0].1 <= pair[1].1);
        if !cumulative || self.buckets.last().is_none_or(|last| last.1 != count) {
            return Err(format!("the buckets {:?} do not add up to {count}", self.buckets));
        }
        let mut before = 0.0;
        let counts = self.buckets.iter().zip(0i32..).map(|((_, total), at)| {
            let count = total - before;
            before = *total;
            (at, count)
        });
        let mut positive = Buckets::from_pairs(counts.collect::<Vec<_>>());
        positive.compact();
        let bounds = self.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite());
        Ok(FloatHistogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            custom_values: bounds.collect(),
            positive,
            ..FloatHistogram::default()
        })
    }
}
