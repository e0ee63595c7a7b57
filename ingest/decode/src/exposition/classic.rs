//! Classic histograms to native ones with custom bounds, while a body is read.

use std::sync::Arc;

use model::histogram::{BucketSpan, Buckets, CUSTOM_SCHEMA};
use model::{FloatHistogram, METRIC_NAME, MetricKind};

use super::lex::float;
use super::series::push_part;
use super::{Fact, Point, PointExemplar, PointValue, Series, Visitor};

/// Stands before another visitor: the series of a classic histogram become one native histogram with the same bounds. What does not fit
/// together (counts that fall, a missing count) makes none, and its classic series are gone with it unless they are kept, as in
/// Prometheus.
pub struct ClassicToNative<'a, V> {
    inner: &'a mut V,
    keep_classic: bool,
    /// The name of the family that was said to be a histogram last.
    family: Option<String>,
    current: Option<Classic>,
    /// Name and labels of the native histogram before, whose classic series are not converted a second time.
    native: Vec<u8>,
    scratch: Vec<u8>,
}

/// What was read of one classic histogram.
#[derive(Debug)]
struct Classic {
    key: Vec<u8>,
    time_ms: Option<i64>,
    start_ms: i64,
    /// Bound and cumulative count, ascending.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
    broken: bool,
    exemplars: Vec<PointExemplar>,
}

/// Which part of a classic histogram a series is.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Bucket(f64),
    Count,
    Sum,
}

impl<'a, V: Visitor> ClassicToNative<'a, V> {
    /// Before a visitor; `keep_classic` hands on the classic series too.
    pub fn new(inner: &'a mut V, keep_classic: bool) -> Self {
        let (native, scratch) = (Vec::new(), Vec::new());
        Self { inner, keep_classic, family: None, current: None, native, scratch }
    }

    /// Hands on the last histogram. To be called when the body is read.
    pub fn finish(&mut self) -> Result<(), String> {
        let Some(classic) = self.current.take() else { return Ok(()) };
        let Some((value, key, time_ms, start_ms, exemplars)) = classic.convert() else { return Ok(()) };
        let series = Series::of_parts(&key, MetricKind::Histogram);
        let value = PointValue::Histogram(Arc::new(value));
        self.inner.point(Point { series, time_ms, start_ms, value, exemplars })
    }

    /// Which part of a classic histogram a series is; its key without `le` and suffix is in `scratch` then.
    fn part(&mut self, series: Series<'_>) -> Option<Part> {
        if series.kind() != MetricKind::Histogram {
            return None;
        }
        let family = self.family.as_deref()?;
        self.scratch.clear();
        let (mut suffix, mut bound, scratch) = (None, None, &mut self.scratch);
        let mut pairs = Vec::new();
        series.each_label(|name, value| {
            if name == METRIC_NAME {
                suffix = value.strip_prefix(family).and_then(suffix_of);
                push_part(scratch, METRIC_NAME, family);
            } else if name == "le" {
                bound = float(&value);
            } else {
                pairs.push((name, value));
            }
        });
        for (name, value) in pairs {
            push_part(scratch, &name, &value);
        }
        match (suffix?, bound) {
            (Part::Bucket(_), bound) => bound.filter(|bound| !bound.is_nan()).map(Part::Bucket),
            (part, _) => Some(part),
        }
    }
}

fn suffix_of(suffix: &str) -> Option<Part> {
    match suffix {
        "_bucket" => Some(Part::Bucket(0.0)),
        "_count" => Some(Part::Count),
        "_sum" => Some(Part::Sum),
        _ => None,
    }
}

impl<V: Visitor> Visitor for ClassicToNative<'_, V> {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        let value = match &point.value {
            PointValue::Number(value) => *value,
            PointValue::Histogram(_) => {
                self.finish()?;
                self.native.clear();
                let native = &mut self.native;
                point.series.each_label(|name, value| push_part(native, &name, &value));
                return self.inner.point(point);
            }
        };
        let part = self.part(point.series).filter(|_| self.scratch != self.native);
        let Some(part) = part else {
            self.finish()?;
            return self.inner.point(point);
        };
        if self.current.as_ref().is_some_and(|current| current.key != self.scratch) {
            self.finish()?;
        }
        let (key, time_ms, start_ms) = (&self.scratch, point.time_ms, point.start_ms);
        let current = self.current.get_or_insert_with(|| Classic::new(key.clone(), time_ms, start_ms));
        current.take(part, value);
        if self.keep_classic {
            current.exemplars.extend(point.exemplars.iter().cloned());
            return self.inner.point(point);
        }
        current.exemplars.extend(point.exemplars);
        Ok(())
    }

    fn metadata(&mut self, name: &str, fact: Fact<'_>) {
        if let Fact::Kind(kind) = fact {
            self.family = (kind == MetricKind::Histogram).then(|| name.to_owned());
        }
        self.inner.metadata(name, fact);
    }
}

/// A native histogram with what its point needs.
type Converted = (FloatHistogram, Vec<u8>, Option<i64>, i64, Vec<PointExemplar>);

impl Classic {
    fn new(key: Vec<u8>, time_ms: Option<i64>, start_ms: i64) -> Self {
        let (buckets, exemplars) = (Vec::new(), Vec::new());
        Self { key, time_ms, start_ms, buckets, count: None, sum: 0.0, broken: false, exemplars }
    }

    fn take(&mut self, part: Part, value: f64) {
        match part {
            Part::Sum => self.sum = value,
            Part::Count => {
                self.broken |= value < 0.0;
                self.count = Some(value);
            }
            Part::Bucket(bound) => {
                let at = self.buckets.partition_point(|(known, _)| *known < bound);
                if self.buckets.get(at).is_some_and(|(known, _)| *known == bound) {
                    return;
                }
                let below = at.checked_sub(1).map_or(0.0, |before| self.buckets[before].1);
                let above = self.buckets.get(at).map_or(f64::INFINITY, |(_, count)| *count);
                self.broken |= value < below || value > above || value < 0.0;
                self.buckets.insert(at, (bound, value));
            }
        }
    }

    fn convert(mut self) -> Option<Converted> {
        let highest = self.buckets.last().map(|(_, count)| *count);
        let count = self.count.or(highest)?;
        if self.buckets.last().is_none_or(|(bound, _)| *bound != f64::INFINITY) {
            self.broken |= highest.is_some_and(|highest| highest > count);
            self.buckets.push((f64::INFINITY, count));
        }
        if self.broken || self.buckets.last().is_some_and(|(_, last)| *last != count) {
            return None;
        }
        let mut before = 0.0;
        let mut counts = Vec::with_capacity(self.buckets.len());
        for (_, cumulative) in &self.buckets {
            counts.push(cumulative - before);
            before = *cumulative;
        }
        let bounds = &self.buckets[..self.buckets.len() - 1];
        let spans = vec![BucketSpan { offset: 0, length: u32::try_from(counts.len()).ok()? }];
        let mut histogram = FloatHistogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            positive: Buckets { spans, counts },
            custom_values: bounds.iter().map(|(bound, _)| *bound).collect(),
            ..FloatHistogram::default()
        };
        histogram.validate().ok()?;
        histogram.compact();
        Some((histogram, self.key, self.time_ms, self.start_ms, self.exemplars))
    }
}
