//! Packets, added up by series from one flush to the next.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use model::{
    HistogramSample, Labels, LabelsBuilder, METRIC_NAME, MetricKind, MetricMetadata, Sample, SeriesSamples, Timestamp,
    stale_nan,
};

use super::event;
use super::parse::{Kind, Metric, metrics, name_tags, number, tags};
use super::sketch::Sketch;
use crate::prom_name;
use crate::{Decoded, Reject};

/// Different values of a set in one interval that are told apart; further ones are not counted.
pub const SET_VALUES_MAX: usize = 10_000;

/// Gauges with a time of their own that wait for a flush.
pub const DIRECT_SAMPLES_MAX: usize = 100_000;

/// Spellings of series that are remembered, for each series: senders write tags in another order, or the rate.
const SPELLINGS_PER_SERIES: usize = 4;

/// The label of the sender's container, which DogStatsD's clients send.
const CONTAINER_LABEL: &str = "container_id";

/// Settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatsdOptions {
    /// Series in memory; what would be one more is refused.
    pub series_max: usize,
    /// After how long without a packet a series ends, in milliseconds: it is marked stale and forgotten.
    pub idle_ms: i64,
}

impl Default for StatsdOptions {
    fn default() -> Self {
        Self { series_max: 100_000, idle_ms: 3_600_000 }
    }
}

/// Everything between two flushes.
#[derive(Debug)]
pub struct Aggregator {
    options: StatsdOptions,
    series: HashMap<Labels, Entry>,
    /// Series by how senders write them.
    spellings: HashMap<Box<[u8]>, Labels>,
    direct: Vec<(Labels, Sample)>,
    flushed_ms: i64,
    refused: Refused,
}

/// What a flush tells of series that there was no room for.
#[derive(Debug, Default)]
struct Refused {
    items: usize,
    first: Vec<u8>,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    state: State,
    /// The flush before the first packet.
    start_ms: i64,
    updated_ms: i64,
    /// Whether it was never flushed.
    fresh: bool,
}

#[derive(Debug)]
enum State {
    Counter(f64),
    Gauge(f64),
    Set(HashSet<Box<str>>),
    Sketch(Box<Sketch>),
}

impl Aggregator {
    /// One that knows of nothing.
    pub fn new(options: StatsdOptions, now: Timestamp) -> Self {
        Self {
            options,
            series: HashMap::new(),
            spellings: HashMap::new(),
            direct: Vec::new(),
            flushed_ms: now.millis(),
            refused: Refused::default(),
        }
    }

    /// Series in memory.
    pub fn series_count(&self) -> usize {
        self.series.len()
    }

    /// Takes the lines of a packet. Events, service checks and what can not be read go to `out` at once. Returns how many values were
    /// taken.
    pub fn take(&mut self, packet: &[u8], peer: &str, received: Timestamp, out: &mut Decoded) -> u64 {
        let mut taken = 0;
        for line in packet.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            match self.line(line, received, out) {
                Ok(values) => taken += values,
                Err(reason) => out.rejects.push(Reject { peer: peer.to_owned(), ..Reject::new(reason, line) }),
            }
        }
        taken
    }

    fn line(&mut self, line: &[u8], received: Timestamp, out: &mut Decoded) -> Result<u64, String> {
        let text = std::str::from_utf8(line).map_err(|_| "the line is not UTF-8".to_owned())?;
        if let Some(row) = event::read(text, received) {
            out.logs.push(row?);
            return Ok(0);
        }
        let metrics = metrics(text)?;
        // All values are checked before the first is taken: a line that is refused leaves nothing behind.
        for metric in metrics.iter().filter(|metric| metric.kind != Kind::Set) {
            metric.values.iter().try_for_each(|value| number(value).map(drop))?;
        }
        if metrics.iter().any(|metric| metric.kind != metrics[0].kind) {
            return Err(
                "the line has values of several types under one name: give each type a name of its own".to_owned()
            );
        }
        let mut taken = 0;
        for metric in &metrics {
            taken += self.metric(metric, line, received.millis())?;
        }
        Ok(taken)
    }

    fn metric(&mut self, metric: &Metric<'_>, line: &[u8], now_ms: i64) -> Result<u64, String> {
        let labels = self.labels(metric)?;
        let values = metric.values.len() as u64;
        if let (Kind::Gauge, Some(time_s)) = (metric.kind, metric.time_s) {
            if self.direct.len() + metric.values.len() > DIRECT_SAMPLES_MAX {
                self.refused.add(metric.values.len(), line);
                return Ok(0);
            }
            for value in &metric.values {
                self.direct.push((labels.clone(), Sample { time_ms: time_s * 1000, value: number(value)? }));
            }
            return Ok(values);
        }
        if !self.series.contains_key(&labels) && self.series.len() >= self.options.series_max {
            self.refused.add(metric.values.len(), line);
            return Ok(0);
        }
        let start_ms = self.flushed_ms;
        let entry = self.series.entry(labels).or_insert_with(|| Entry::new(metric.kind, start_ms));
        if entry.kind != metric.kind {
            let (known, sent) = (entry.kind.as_str(), metric.kind.as_str());
            return Err(format!("the series is a {known}, and this says that it is a {sent}: rename one of them"));
        }
        entry.updated_ms = now_ms;
        metric.values.iter().try_for_each(|value| entry.state.add(value, metric.weight))?;
        Ok(values)
    }

    /// The series of a metric, remembered by how it is written.
    fn labels(&mut self, metric: &Metric<'_>) -> Result<Labels, String> {
        let spelling = [metric.name, metric.tags, metric.container].join("\0").into_bytes().into_boxed_slice();
        if let Some(labels) = self.spellings.get(&spelling) {
            return Ok(labels.clone());
        }
        let (name, in_name) = name_tags(metric.name);
        let name = prom_name::metric_name([name]);
        let name = name.ok_or_else(|| format!("nothing of the name {:?} can be kept", metric.name))?;
        let mut labels = LabelsBuilder::default();
        if !metric.container.is_empty() {
            labels.set(CONTAINER_LABEL, metric.container);
        }
        for (tag, value) in in_name.into_iter().chain(tags(metric.tags)) {
            if let Some(tag) = prom_name::label_name(tag) {
                labels.set(tag, value);
            }
        }
        labels.set(METRIC_NAME, name);
        let labels = labels.build();
        if self.spellings.len() >= self.options.series_max.saturating_mul(SPELLINGS_PER_SERIES) {
            self.spellings.clear();
        }
        self.spellings.insert(spelling, labels.clone());
        Ok(labels)
    }

    /// What is to be stored now. The intervals of sets end; counters and histograms go on. Times rise from one flush to the next even when
    /// the clock does not.
    pub fn flush(&mut self, now: Timestamp) -> Decoded {
        let now_ms = now.millis().max(self.flushed_ms + 2);
        let mut out = Flush { now_ms, decoded: Decoded::default(), named: HashSet::new() };
        let before = self.series.len();
        let idle_ms = self.options.idle_ms;
        self.series.retain(|labels, entry| {
            let ends = now_ms.saturating_sub(entry.updated_ms) > idle_ms;
            out.entry(labels, entry, ends);
            !ends
        });
        if self.series.len() < before {
            // Spellings of series that ended would keep them in memory.
            self.spellings.clear();
        }
        for (labels, sample) in std::mem::take(&mut self.direct) {
            out.name(&labels, MetricKind::Gauge, "");
            let samples = vec![sample];
            out.decoded.series.series.push(SeriesSamples { labels, samples, ..SeriesSamples::default() });
        }
        out.decoded.rejects.extend(std::mem::take(&mut self.refused).reject(self.options.series_max));
        self.flushed_ms = now_ms;
        out.decoded
    }
}

impl Refused {
    fn add(&mut self, items: usize, line: &[u8]) {
        if self.items == 0 {
            self.first = line.to_vec();
        }
        self.items += items;
    }

    fn reject(self, series_max: usize) -> Option<Reject> {
        (self.items > 0).then(|| {
            let reason = format!(
                "{} values were refused for lack of room: {series_max} series may be in memory (ingest.statsd.series_max), and \
                 {DIRECT_SAMPLES_MAX} gauges with times of their own (DIRECT_SAMPLES_MAX); this is the first",
                self.items
            );
            Reject::new(reason, &self.first).of_items(self.items)
        })
    }
}

impl Entry {
    fn new(kind: Kind, start_ms: i64) -> Self {
        let state = match kind {
            Kind::Counter => State::Counter(0.0),
            Kind::Gauge => State::Gauge(0.0),
            Kind::Set => State::Set(HashSet::new()),
            Kind::Timer | Kind::Distribution => State::Sketch(Box::new(Sketch::new())),
        };
        Self { kind, state, start_ms, updated_ms: start_ms, fresh: true }
    }
}

impl State {
    fn add(&mut self, value: &str, weight: f64) -> Result<(), String> {
        match self {
            Self::Counter(total) => *total = finite(*total + number(value)? * weight)?,
            // A sign makes it a change of what is there.
            Self::Gauge(gauge) if value.starts_with(['+', '-']) => *gauge = finite(*gauge + number(value)?)?,
            Self::Gauge(gauge) => *gauge = number(value)?,
            Self::Set(values) => {
                if values.len() < SET_VALUES_MAX && !values.contains(value) {
                    values.insert(value.into());
                }
            }
            Self::Sketch(sketch) => sketch.observe(number(value)?, weight),
        }
        Ok(())
    }
}

/// A total that has room for what was added; one that is infinite would stay so.
fn finite(total: f64) -> Result<f64, String> {
    if total.is_finite() { Ok(total) } else { Err("the total has no room for the value".to_owned()) }
}

struct Flush {
    now_ms: i64,
    decoded: Decoded,
    /// Metrics whose metadata is in.
    named: HashSet<String>,
}

impl Flush {
    fn entry(&mut self, labels: &Labels, entry: &mut Entry, ends: bool) {
        let counted = (entry.start_ms, entry.fresh);
        match &mut entry.state {
            State::Counter(total) => {
                self.name_if(entry.fresh, labels, MetricKind::Counter, "");
                self.counter(labels.clone(), *total, counted, ends);
            }
            State::Gauge(value) => {
                self.name_if(entry.fresh, labels, MetricKind::Gauge, "");
                self.gauge(labels.clone(), *value, ends);
            }
            State::Set(values) => {
                self.name_if(entry.fresh, labels, MetricKind::Gauge, "");
                self.gauge(labels.clone(), values.len() as f64, ends);
                values.clear();
            }
            State::Sketch(sketch) => {
                let unit = if entry.kind == Kind::Timer { "milliseconds" } else { "" };
                self.name_if(entry.fresh, labels, MetricKind::Histogram, unit);
                self.sketch(labels, sketch, counted, ends);
            }
        }
        entry.fresh = false;
    }

    fn name_if(&mut self, fresh: bool, labels: &Labels, kind: MetricKind, unit: &str) {
        if fresh {
            self.name(labels, kind, unit);
        }
    }

    fn name(&mut self, labels: &Labels, kind: MetricKind, unit: &str) {
        let name = labels.metric_name();
        if self.named.insert(name.to_owned()) {
            let (name, help, unit) = (name.to_owned(), String::new(), unit.to_owned());
            self.decoded.series.metadata.push(MetricMetadata { name, kind, help, unit });
        }
    }

    fn gauge(&mut self, labels: Labels, value: f64, ends: bool) {
        let value = if ends { stale_nan() } else { value };
        let samples = vec![Sample { time_ms: self.now_ms, value }];
        self.decoded.series.series.push(SeriesSamples { labels, samples, ..SeriesSamples::default() });
    }

    /// A total since `start_ms`; one that is new begins with a zero.
    fn counter(&mut self, labels: Labels, total: f64, (start_ms, fresh): (i64, bool), ends: bool) {
        let value = if ends { stale_nan() } else { total };
        let zero = fresh.then_some(Sample { time_ms: start_ms + 1, value: 0.0 });
        let samples: Vec<Sample> = zero.into_iter().chain([Sample { time_ms: self.now_ms, value }]).collect();
        let starts = vec![start_ms; samples.len()];
        self.decoded.series.series.push(SeriesSamples { labels, samples, starts, ..SeriesSamples::default() });
    }

    fn sketch(&mut self, labels: &Labels, sketch: &Sketch, (start_ms, fresh): (i64, bool), ends: bool) {
        let sample = |time_ms, histogram| HistogramSample { time_ms, start_ms, histogram: Arc::new(histogram) };
        let mut histogram = sketch.histogram();
        if ends {
            histogram = model::FloatHistogram { sum: stale_nan(), ..sketch.empty() };
        }
        let zero = fresh.then(|| sample(start_ms + 1, sketch.empty()));
        let histograms = zero.into_iter().chain([sample(self.now_ms, histogram)]).collect();
        let series = SeriesSamples { labels: labels.clone(), histograms, ..SeriesSamples::default() };
        self.decoded.series.series.push(series);
        for (suffix, total) in [("_count", sketch.count), ("_sum", sketch.sum)] {
            self.counter(renamed(labels, suffix), total, (start_ms, fresh), ends);
        }
    }
}

/// The labels of a series with a suffix behind its name.
fn renamed(labels: &Labels, suffix: &str) -> Labels {
    let name = format!("{}{suffix}", labels.metric_name());
    let mut builder = LabelsBuilder::default();
    for (label, value) in labels.pairs() {
        builder.set(Arc::clone(label), Arc::clone(value));
    }
    builder.set(METRIC_NAME, name);
    builder.build()
}
