//! Reads batches.

use std::sync::Arc;

use arrow_array::RecordBatch;
use model::histogram::{BucketSpan, Buckets};
use model::{
    Batch, BatchData, Exemplar, FloatHistogram, HistogramSample, Labels, LabelsBuilder, MetricKind, MetricMetadata,
    Row, Sample, SeriesBatch, SeriesSamples, Table, TenantId, Timestamp, Value,
};

use super::{
    CodecError, DEPTH_MAX, HINTS, KIND_COLUMNS, KIND_HISTOGRAMS, KIND_ROWS, KIND_SAMPLES, KIND_SERIES,
    SAMPLE_TEXTS_MAX, TAG_ARRAY, TAG_BYTES, TAG_DOUBLE, TAG_FALSE, TAG_INT, TAG_MAP, TAG_NULL, TAG_STR, TAG_TRUE,
    VERSION, VERSION_FIRST,
};

/// Unpacks what [`super::encode_batches`] packed. Row ids are zero. Any bytes are safe to give: a count never allocates more
/// than the bytes that are there could fill.
pub fn decode_batches(bytes: &[u8]) -> Result<Vec<Batch>, CodecError> {
    let mut reader = Reader { bytes, at: 0, names: Vec::new() };
    let version = reader.byte("the version")?;
    if !(VERSION_FIRST..=VERSION).contains(&version) {
        return Err(CodecError::Version { found: version, known: VERSION });
    }
    let names = reader.count()?;
    for _ in 0..names {
        let name = reader.text()?.into();
        reader.names.push(name);
    }
    let count = reader.count()?;
    let batches = reader.many(count, Reader::batch)?;
    if reader.at == bytes.len() { Ok(batches) } else { Err(reader.invalid("the end")) }
}

/// The sample before.
#[derive(Default)]
struct Before {
    texts: Vec<Arc<str>>,
    time_ms: i64,
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    names: Vec<Arc<str>>,
}

impl<'a> Reader<'a> {
    fn batch(&mut self) -> Result<Batch, CodecError> {
        let tenant = self.text()?;
        let tenant = TenantId::new(tenant).ok_or_else(|| self.invalid("a tenant"))?;
        let data = match self.byte("the kind of a batch")? {
            KIND_ROWS => BatchData::Rows(self.table()?, self.rows()?),
            KIND_COLUMNS => BatchData::Columns(self.table()?, self.columns()?),
            KIND_SERIES => BatchData::Series(self.series_batch(Self::series)?),
            KIND_HISTOGRAMS => BatchData::Series(self.series_batch(Self::full_series)?),
            KIND_SAMPLES => {
                let mut before = Before::default();
                BatchData::Series(self.series_batch(|reader| reader.one_sample(&mut before))?)
            }
            _ => return Err(self.invalid("the kind of a batch")),
        };
        Ok(Batch { tenant, data })
    }

    fn table(&mut self) -> Result<Table, CodecError> {
        let table = usize::from(self.byte("a table")?);
        Table::ALL.get(table).copied().ok_or_else(|| self.invalid("a table"))
    }

    fn columns(&mut self) -> Result<RecordBatch, CodecError> {
        let len = self.take(4, "the length of columns")?;
        let len = len.iter().rev().fold(0, |n, byte| n << 8 | usize::from(*byte));
        let at = self.at;
        let bytes = self.take(len, "columns")?;
        column::decode_batch(bytes).map_err(|error| CodecError::Columns { at, reason: error.to_string() })
    }

    fn rows(&mut self) -> Result<Vec<Row>, CodecError> {
        let count = self.count()?;
        let mut last = 0i64;
        self.many(count, |reader| {
            last = last.wrapping_add(reader.zigzag()?);
            let stream = reader.name()?;
            let fields = reader.count()?;
            let fields = reader.many(fields, |reader| Ok((reader.name()?, reader.value(0)?)))?;
            let mut row = Row::new(Timestamp(last));
            (row.stream, row.fields) = (stream, fields);
            Ok(row)
        })
    }

    fn series_batch(
        &mut self,
        one: impl FnMut(&mut Self) -> Result<SeriesSamples, CodecError>,
    ) -> Result<SeriesBatch, CodecError> {
        let count = self.count()?;
        let series = self.many(count, one)?;
        let count = self.count()?;
        let metadata = self.many(count, |reader| {
            Ok(MetricMetadata {
                name: reader.text()?.to_owned(),
                kind: MetricKind::parse(reader.text()?),
                help: reader.text()?.to_owned(),
                unit: reader.text()?.to_owned(),
            })
        })?;
        Ok(SeriesBatch { series, metadata })
    }

    fn series(&mut self) -> Result<SeriesSamples, CodecError> {
        let labels = self.labels()?;
        let count = self.count()?;
        let mut last = 0i64;
        let samples = self.many(count, |reader| {
            last = last.wrapping_add(reader.zigzag()?);
            Ok(Sample { time_ms: last, value: reader.double()? })
        })?;
        let count = self.count()?;
        let exemplars = self.many(count, |reader| {
            let labels = reader.labels()?;
            Ok(Exemplar { labels, time_ms: reader.zigzag()?, value: reader.double()? })
        })?;
        Ok(SeriesSamples { labels, samples, exemplars, ..SeriesSamples::default() })
    }

    /// A series with its one sample.
    fn one_sample(&mut self, before: &mut Before) -> Result<SeriesSamples, CodecError> {
        let texts = self.count()?;
        if texts > SAMPLE_TEXTS_MAX || texts % 2 == 1 {
            return Err(self.invalid("the count of texts"));
        }
        let changed = self.varint()?;
        let known = before.texts.len().min(texts);
        let wanted = ((1u128 << texts) - (1u128 << known)) as u64;
        if changed & wanted != wanted || (u128::from(changed) >> texts) != 0 {
            return Err(self.invalid("the texts that changed"));
        }
        before.texts.truncate(known);
        for nth in (0..texts).filter(|nth| changed >> nth & 1 == 1) {
            let name = self.name()?;
            match before.texts.get_mut(nth) {
                Some(text) => *text = name,
                None => before.texts.push(name),
            }
        }
        before.time_ms = before.time_ms.wrapping_add(self.zigzag()?);
        let samples = vec![Sample { time_ms: before.time_ms, value: self.double()? }];
        let pairs = before.texts.as_chunks::<2>().0.iter().map(|[name, value]| (name.clone(), value.clone()));
        Ok(SeriesSamples { labels: pairs.collect(), samples, ..SeriesSamples::default() })
    }

    /// A series with start times and histograms.
    fn full_series(&mut self) -> Result<SeriesSamples, CodecError> {
        let mut series = self.series()?;
        let count = self.count()?;
        series.starts = self.many(count, Reader::zigzag)?;
        let count = self.count()?;
        let mut last = 0i64;
        series.histograms = self.many(count, |reader| {
            last = last.wrapping_add(reader.zigzag()?);
            let start_ms = reader.zigzag()?;
            Ok(HistogramSample { time_ms: last, start_ms, histogram: Arc::new(reader.histogram()?) })
        })?;
        Ok(series)
    }

    fn histogram(&mut self) -> Result<FloatHistogram, CodecError> {
        let hint = usize::from(self.byte("a hint")?);
        let reset_hint = HINTS.get(hint).copied().ok_or_else(|| self.invalid("a hint"))?;
        let schema = i32::try_from(self.zigzag()?).map_err(|_| self.invalid("a schema"))?;
        Ok(FloatHistogram {
            reset_hint,
            schema,
            zero_threshold: self.double()?,
            zero_count: self.double()?,
            count: self.double()?,
            sum: self.double()?,
            positive: self.buckets()?,
            negative: self.buckets()?,
            custom_values: self.doubles()?.into(),
        })
    }

    fn buckets(&mut self) -> Result<Buckets, CodecError> {
        let count = self.count()?;
        let spans = self.many(count, |reader| {
            let offset = i32::try_from(reader.zigzag()?).map_err(|_| reader.invalid("a span"))?;
            let length = u32::try_from(reader.varint()?).map_err(|_| reader.invalid("a span"))?;
            Ok(BucketSpan { offset, length })
        })?;
        Ok(Buckets { spans, counts: self.doubles()? })
    }

    fn doubles(&mut self) -> Result<Vec<f64>, CodecError> {
        let count = self.count()?;
        self.many(count, Reader::double)
    }

    fn labels(&mut self) -> Result<Labels, CodecError> {
        let count = self.count()?;
        let mut labels = LabelsBuilder::default();
        for _ in 0..count {
            let name = self.name()?;
            labels.set(name, self.name()?);
        }
        Ok(labels.build())
    }

    fn value(&mut self, depth: usize) -> Result<Value, CodecError> {
        if depth > DEPTH_MAX {
            return Err(self.invalid("the depth of a value"));
        }
        Ok(match self.byte("a value")? {
            TAG_NULL => Value::Null,
            TAG_FALSE => Value::Bool(false),
            TAG_TRUE => Value::Bool(true),
            TAG_INT => Value::Int(self.zigzag()?),
            TAG_DOUBLE => Value::Double(self.double()?),
            TAG_STR => Value::Str(self.text()?.to_owned()),
            TAG_BYTES => {
                let len = self.count()?;
                Value::Bytes(self.take(len, "bytes")?.to_vec())
            }
            TAG_ARRAY => {
                let count = self.count()?;
                Value::Array(self.many(count, |reader| reader.value(depth + 1))?)
            }
            TAG_MAP => {
                let count = self.count()?;
                Value::Map(self.many(count, |reader| Ok((reader.text()?.to_owned(), reader.value(depth + 1)?)))?)
            }
            _ => return Err(self.invalid("a value")),
        })
    }

    fn many<T>(
        &mut self,
        count: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, CodecError>,
    ) -> Result<Vec<T>, CodecError> {
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(one(self)?);
        }
        Ok(items)
    }

    fn name(&mut self) -> Result<Arc<str>, CodecError> {
        let place = self.varint()?;
        let name = usize::try_from(place).ok().and_then(|place| self.names.get(place));
        name.cloned().ok_or_else(|| self.invalid("a name"))
    }

    fn text(&mut self) -> Result<&'a str, CodecError> {
        let len = self.count()?;
        let bytes = self.take(len, "a text")?;
        std::str::from_utf8(bytes).map_err(|_| self.invalid("a text"))
    }

    /// A number of things that take at least one byte each.
    fn count(&mut self) -> Result<usize, CodecError> {
        let n = self.varint()?;
        let left = self.bytes.len() - self.at;
        usize::try_from(n).ok().filter(|n| *n <= left).ok_or_else(|| self.invalid("a count"))
    }

    fn zigzag(&mut self) -> Result<i64, CodecError> {
        let n = self.varint()?;
        Ok((n >> 1).cast_signed() ^ -(n & 1).cast_signed())
    }

    fn double(&mut self) -> Result<f64, CodecError> {
        let bytes = self.take(8, "a double")?;
        Ok(f64::from_bits(bytes.iter().rev().fold(0, |n, byte| n << 8 | u64::from(*byte))))
    }

    fn varint(&mut self) -> Result<u64, CodecError> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte("a number")?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(self.invalid("a number"))
    }

    fn byte(&mut self, what: &'static str) -> Result<u8, CodecError> {
        Ok(self.take(1, what)?[0])
    }

    fn take(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], CodecError> {
        let bytes = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let bytes = bytes.ok_or_else(|| self.invalid(what))?;
        self.at += len;
        Ok(bytes)
    }

    fn invalid(&self, what: &'static str) -> CodecError {
        CodecError::Invalid { what, at: self.at }
    }
}
