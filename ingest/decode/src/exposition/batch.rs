//! The simple way: a body to a batch of series.

use std::collections::HashMap;

use model::{
    Exemplar, HistogramSample, Labels, LabelsBuilder, MetricKind, MetricMetadata, Sample, SeriesBatch, SeriesSamples,
};

use super::{
    ExpositionError, ExpositionFormat, ExpositionOptions, Fact, LABELS_PER_SERIES_MAX, Point, PointValue, Series,
    Visitor, read_exposition,
};

/// Decodes a body. Samples without a time get `time_ms`. Samples of one series stand together, in the order of the body.
pub fn decode_exposition(
    format: ExpositionFormat,
    body: &[u8],
    options: ExpositionOptions,
    time_ms: i64,
) -> Result<SeriesBatch, ExpositionError> {
    let mut collector =
        Collector { time_ms, batch: SeriesBatch::default(), series_at: HashMap::new(), metadata_at: HashMap::new() };
    read_exposition(format, body, options, &mut collector)?;
    Ok(collector.batch)
}

struct Collector {
    time_ms: i64,
    batch: SeriesBatch,
    /// Places by the bytes that name a series, and the kind by which its labels were read.
    series_at: HashMap<Box<[u8]>, (MetricKind, usize)>,
    metadata_at: HashMap<String, usize>,
}

impl Collector {
    /// Where the samples of a series are collected.
    fn place(&mut self, series: Series<'_>) -> Result<usize, String> {
        if let Some((kind, at)) = self.series_at.get(series.key())
            && *kind == series.kind()
        {
            return Ok(*at);
        }
        let at = self.batch.series.len();
        self.batch.series.push(SeriesSamples { labels: labels(series)?, ..SeriesSamples::default() });
        self.series_at.insert(series.key().into(), (series.kind(), at));
        Ok(at)
    }
}

/// The labels of a series, which must differ in their names.
fn labels(series: Series<'_>) -> Result<Labels, String> {
    let mut builder = LabelsBuilder::default();
    let (mut count, mut twice) = (0, None);
    series.each_label(|name, value| {
        count += 1;
        if builder.get(&name).is_some() {
            twice = Some(name.to_string());
        }
        builder.set(&*name, &*value);
    });
    if let Some(name) = twice {
        return Err(format!("label name {name:?} is not unique"));
    }
    if count > LABELS_PER_SERIES_MAX {
        return Err(format!("{count} labels, {LABELS_PER_SERIES_MAX} are allowed"));
    }
    Ok(builder.build())
}

/// Adds a number; starts are as many as numbers, or none where none is known.
fn push_number(series: &mut SeriesSamples, sample: Sample, start_ms: i64) {
    if start_ms != 0 && series.starts.is_empty() {
        series.starts.resize(series.samples.len(), 0);
    }
    if start_ms != 0 || !series.starts.is_empty() {
        series.starts.push(start_ms);
    }
    series.samples.push(sample);
}

impl Visitor for Collector {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        let at = self.place(point.series)?;
        let time_ms = point.time_ms.unwrap_or(self.time_ms);
        let series = &mut self.batch.series[at];
        match point.value {
            PointValue::Number(value) => push_number(series, Sample { time_ms, value }, point.start_ms),
            PointValue::Histogram(histogram) => {
                series.histograms.push(HistogramSample { time_ms, start_ms: point.start_ms, histogram });
            }
        }
        series.exemplars.extend(point.exemplars.into_iter().map(|exemplar| Exemplar {
            labels: exemplar.labels,
            time_ms: exemplar.time_ms.unwrap_or(time_ms),
            value: exemplar.value,
        }));
        Ok(())
    }

    fn metadata(&mut self, name: &str, fact: Fact<'_>) {
        let at = *self.metadata_at.entry(name.to_owned()).or_insert_with(|| {
            let (name, kind) = (name.to_owned(), MetricKind::Unknown);
            self.batch.metadata.push(MetricMetadata { name, kind, help: String::new(), unit: String::new() });
            self.batch.metadata.len() - 1
        });
        let known = &mut self.batch.metadata[at];
        match fact {
            Fact::Kind(kind) => known.kind = kind,
            Fact::Help(help) => help.clone_into(&mut known.help),
            Fact::Unit(unit) => unit.clone_into(&mut known.unit),
        }
    }
}
