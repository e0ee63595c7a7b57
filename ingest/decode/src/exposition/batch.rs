//! The simple way: a body to a batch of series.

use std::collections::HashMap;

use model::{Exemplar, HistogramSample, LabelsBuilder, MetricKind, MetricMetadata, Sample, SeriesBatch, SeriesSamples};

use super::{
    ExpositionError, ExpositionFormat, ExpositionOptions, Fact, LABELS_PER_SERIES_MAX, Point, PointValue, Visitor,
    read_exposition,
};

/// Decodes a body. Samples without a time get `time_ms`. The order is the body's; a series that is there twice is there twice.
pub fn decode_exposition(
    format: ExpositionFormat,
    body: &[u8],
    options: ExpositionOptions,
    time_ms: i64,
) -> Result<SeriesBatch, ExpositionError> {
    let mut collector = Collector { time_ms, batch: SeriesBatch::default(), metadata_at: HashMap::new() };
    read_exposition(format, body, options, &mut collector)?;
    Ok(collector.batch)
}

struct Collector {
    time_ms: i64,
    batch: SeriesBatch,
    metadata_at: HashMap<String, usize>,
}

impl Visitor for Collector {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        let mut builder = LabelsBuilder::default();
        let (mut count, mut twice) = (0, None);
        point.series.each_label(|name, value| {
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
        let time_ms = point.time_ms.unwrap_or(self.time_ms);
        let mut series = SeriesSamples { labels: builder.build(), ..SeriesSamples::default() };
        match point.value {
            PointValue::Number(value) => {
                series.samples.push(Sample { time_ms, value });
                if point.start_ms != 0 {
                    series.starts.push(point.start_ms);
                }
            }
            PointValue::Histogram(histogram) => {
                series.histograms.push(HistogramSample { time_ms, start_ms: point.start_ms, histogram });
            }
        }
        series.exemplars = point
            .exemplars
            .into_iter()
            .map(|exemplar| Exemplar {
                labels: exemplar.labels,
                time_ms: exemplar.time_ms.unwrap_or(time_ms),
                value: exemplar.value,
            })
            .collect();
        self.batch.series.push(series);
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
