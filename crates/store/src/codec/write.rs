//! Writes batches.

use std::collections::HashMap;

use arrow_array::RecordBatch;
use foldhash::fast::RandomState;
use model::histogram::Buckets;
use model::{Batch, BatchData, FloatHistogram, Labels, MetricMetadata, Row, SeriesSamples, Table, Value};

use super::{
    HINTS, KIND_COLUMNS, KIND_HISTOGRAMS, KIND_ROWS, KIND_SAMPLES, KIND_SERIES, SAMPLE_TEXTS_MAX, TAG_ARRAY, TAG_BYTES,
    TAG_DOUBLE, TAG_FALSE, TAG_INT, TAG_MAP, TAG_NULL, TAG_STR, TAG_TRUE, VERSION,
};

/// Packs batches into the payload of a log record.
pub fn encode_batches(batches: &[Batch]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.count(batches.len());
    for batch in batches {
        writer.text(batch.tenant.as_str());
        match &batch.data {
            BatchData::Rows(table, rows) => {
                writer.body.push(KIND_ROWS);
                writer.table(*table);
                writer.rows(rows);
            }
            BatchData::Columns(table, columns) => {
                writer.body.push(KIND_COLUMNS);
                writer.table(*table);
                writer.columns(columns);
            }
            BatchData::Series(series) => {
                let plain = |series: &SeriesSamples| series.starts.is_empty() && series.histograms.is_empty();
                if series.series.iter().all(is_one_sample) {
                    writer.body.push(KIND_SAMPLES);
                    writer.samples(&series.series);
                } else {
                    let full = !series.series.iter().all(plain);
                    writer.body.push(if full { KIND_HISTOGRAMS } else { KIND_SERIES });
                    writer.series(&series.series, full);
                }
                writer.metadata(&series.metadata);
            }
        }
    }
    writer.finish()
}

/// What a scrape sends of a series.
fn is_one_sample(series: &SeriesSamples) -> bool {
    series.samples.len() == 1
        && series.starts.is_empty()
        && series.histograms.is_empty()
        && series.exemplars.is_empty()
        && series.labels.len() * 2 <= SAMPLE_TEXTS_MAX
}

#[derive(Default)]
struct Writer<'a> {
    body: Vec<u8>,
    names: Vec<&'a str>,
    places: HashMap<&'a str, u64, RandomState>,
    /// The same by where a text is in memory: series share most of theirs.
    shared: HashMap<usize, u64, RandomState>,
    /// Where each text of the labels before is in memory, and its place among the names.
    before: Vec<(usize, u64)>,
}

impl<'a> Writer<'a> {
    fn finish(self) -> Vec<u8> {
        let names_bytes: usize = self.names.iter().map(|name| name.len() + 2).sum();
        let mut out = Vec::with_capacity(self.body.len() + names_bytes + 8);
        out.push(VERSION);
        put_varint(&mut out, self.names.len() as u64);
        for name in self.names {
            put_varint(&mut out, name.len() as u64);
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(&self.body);
        out
    }

    fn table(&mut self, table: Table) {
        self.body.push(Table::ALL.iter().position(|known| *known == table).unwrap_or_default() as u8);
    }

    /// The length comes first and is known last. A length beyond 32 bits is beyond what the log takes.
    fn columns(&mut self, columns: &RecordBatch) {
        let at = self.body.len();
        self.body.extend_from_slice(&[0; 4]);
        column::encode_batch(columns, &mut self.body);
        let len = (self.body.len() - at - 4) as u32;
        self.body[at..at + 4].copy_from_slice(&len.to_le_bytes());
    }

    fn rows(&mut self, rows: &'a [Row]) {
        self.count(rows.len());
        let mut last = 0;
        for row in rows {
            self.zigzag(row.time.0.wrapping_sub(last));
            last = row.time.0;
            self.name(&row.stream);
            self.count(row.fields.len());
            for (name, value) in &row.fields {
                self.name(name);
                self.value(value);
            }
        }
    }

    /// With the start times and histograms behind each series when it is `full`.
    fn series(&mut self, all: &'a [SeriesSamples], full: bool) {
        self.count(all.len());
        for series in all {
            self.labels(&series.labels);
            self.count(series.samples.len());
            let mut last = 0;
            for sample in &series.samples {
                self.zigzag(sample.time_ms.wrapping_sub(last));
                last = sample.time_ms;
                self.double(sample.value);
            }
            self.count(series.exemplars.len());
            for exemplar in &series.exemplars {
                self.labels(&exemplar.labels);
                self.zigzag(exemplar.time_ms);
                self.double(exemplar.value);
            }
            if full {
                self.histograms(series);
            }
        }
    }

    /// Each series with its one sample.
    fn samples(&mut self, all: &'a [SeriesSamples]) {
        self.count(all.len());
        self.before.clear();
        let mut last = 0;
        for series in all {
            let texts = series.labels.len() * 2;
            self.count(texts);
            // Places beyond those of the series before are new, whatever was there.
            self.before.truncate(texts);
            let known = self.before.len();
            let mut changed = 0u64;
            for (nth, text) in series.labels.pairs().iter().flat_map(|(name, value)| [name, value]).enumerate() {
                let address = text.as_ptr().addr();
                if nth < known && self.before[nth].0 == address {
                    continue;
                }
                let place = self.shared_place(address, text);
                if nth >= known {
                    self.before.push((address, place));
                } else if std::mem::replace(&mut self.before[nth], (address, place)).1 == place {
                    continue;
                }
                changed |= 1 << nth;
            }
            put_varint(&mut self.body, changed);
            while changed != 0 {
                put_varint(&mut self.body, self.before[changed.trailing_zeros() as usize].1);
                changed &= changed - 1;
            }
            for sample in &series.samples {
                self.zigzag(sample.time_ms.wrapping_sub(last));
                last = sample.time_ms;
                self.double(sample.value);
            }
        }
    }

    fn metadata(&mut self, all: &[MetricMetadata]) {
        self.count(all.len());
        for metadata in all {
            for text in [&metadata.name, metadata.kind.as_str(), &metadata.help, &metadata.unit] {
                self.text(text);
            }
        }
    }

    fn histograms(&mut self, series: &SeriesSamples) {
        self.count(series.starts.len());
        series.starts.iter().for_each(|start| self.zigzag(*start));
        self.count(series.histograms.len());
        let mut last = 0;
        for sample in &series.histograms {
            self.zigzag(sample.time_ms.wrapping_sub(last));
            last = sample.time_ms;
            self.zigzag(sample.start_ms);
            self.histogram(&sample.histogram);
        }
    }

    fn histogram(&mut self, histogram: &FloatHistogram) {
        let hint = HINTS.iter().position(|hint| *hint == histogram.reset_hint);
        self.body.push(hint.unwrap_or_default() as u8);
        self.zigzag(i64::from(histogram.schema));
        for number in [histogram.zero_threshold, histogram.zero_count, histogram.count, histogram.sum] {
            self.double(number);
        }
        self.buckets(&histogram.positive);
        self.buckets(&histogram.negative);
        self.doubles(&histogram.custom_values);
    }

    fn buckets(&mut self, buckets: &Buckets) {
        self.count(buckets.spans.len());
        for span in &buckets.spans {
            self.zigzag(i64::from(span.offset));
            put_varint(&mut self.body, u64::from(span.length));
        }
        self.doubles(&buckets.counts);
    }

    fn doubles(&mut self, numbers: &[f64]) {
        self.count(numbers.len());
        numbers.iter().for_each(|number| self.double(*number));
    }

    fn labels(&mut self, labels: &'a Labels) {
        self.count(labels.len());
        for text in labels.pairs().iter().flat_map(|(name, value)| [name, value]) {
            let place = self.shared_place(text.as_ptr().addr(), text);
            put_varint(&mut self.body, place);
        }
    }

    fn shared_place(&mut self, address: usize, text: &'a str) -> u64 {
        if let Some(place) = self.shared.get(&address) {
            return *place;
        }
        let place = self.place(text);
        self.shared.insert(address, place);
        place
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.body.push(TAG_NULL),
            Value::Bool(false) => self.body.push(TAG_FALSE),
            Value::Bool(true) => self.body.push(TAG_TRUE),
            Value::Int(n) => {
                self.body.push(TAG_INT);
                self.zigzag(*n);
            }
            Value::Double(n) => {
                self.body.push(TAG_DOUBLE);
                self.double(*n);
            }
            Value::Str(s) => {
                self.body.push(TAG_STR);
                self.text(s);
            }
            Value::Bytes(bytes) => {
                self.body.push(TAG_BYTES);
                self.count(bytes.len());
                self.body.extend_from_slice(bytes);
            }
            Value::Array(items) => {
                self.body.push(TAG_ARRAY);
                self.count(items.len());
                items.iter().for_each(|item| self.value(item));
            }
            Value::Map(entries) => {
                self.body.push(TAG_MAP);
                self.count(entries.len());
                for (key, value) in entries {
                    self.text(key);
                    self.value(value);
                }
            }
        }
    }

    fn name(&mut self, name: &'a str) {
        let place = self.place(name);
        put_varint(&mut self.body, place);
    }

    fn place(&mut self, name: &'a str) -> u64 {
        let next = self.names.len() as u64;
        *self.places.entry(name).or_insert_with(|| {
            self.names.push(name);
            next
        })
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.body.extend_from_slice(text.as_bytes());
    }

    fn count(&mut self, n: usize) {
        put_varint(&mut self.body, n as u64);
    }

    fn zigzag(&mut self, n: i64) {
        put_varint(&mut self.body, ((n << 1) ^ (n >> 63)).cast_unsigned());
    }

    fn double(&mut self, n: f64) {
        self.body.extend_from_slice(&n.to_bits().to_le_bytes());
    }
}

fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
