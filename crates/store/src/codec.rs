//! Batches as bytes of a log record.
//!
//! ```text
//! record  version(u8) names(count, text...) batches(count, batch...)
//! batch   tenant(text) 0 table(u8) rows(count, row...)   |   tenant(text) 1 series(count, ...) metadata(count, ...)
//!         tenant(text) 2 table(u8) bytes(u32) columns, as `column::encode_batch` writes them
//!         tenant(text) 3 series(count, ...) metadata(count, ...), each series with start times and histograms behind it
//!         tenant(text) 4 samples(count, sample...) metadata(count, ...), when each series has one sample and nothing else
//! sample  texts(count) changed(bits) name... time(zigzag, difference to the sample before) value(double): names and values of labels
//!         in turn, of which those are written that are not the same as in the sample before, at the same place
//! row     time(zigzag, difference to the row before) stream(name) fields(count, (name, value)...)
//! value   tag(u8) content
//! ```
//!
//! Counts, lengths and names (places in the list at the head) are LEB128. A name that occurs a thousand times in a record is
//! one allocation after reading. Row ids are not stored: they follow from the record's number.

mod read;
mod write;

use model::ResetHint;

pub use read::decode_batches;
pub use write::encode_batches;

/// The version of the layout above.
const VERSION: u8 = 4;
/// The first version, which had neither columns nor histograms nor single samples. Kinds of batches were added since, none changed.
const VERSION_FIRST: u8 = 1;

const KIND_ROWS: u8 = 0;
const KIND_SERIES: u8 = 1;
const KIND_COLUMNS: u8 = 2;
const KIND_HISTOGRAMS: u8 = 3;
const KIND_SAMPLES: u8 = 4;

/// Names and values of the labels of a series in [`KIND_SAMPLES`]: as many as a number has bits.
const SAMPLE_TEXTS_MAX: usize = 64;

/// Hints of histograms by their byte.
const HINTS: [ResetHint; 4] = [ResetHint::Unknown, ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge];

const TAG_NULL: u8 = 0;
const TAG_FALSE: u8 = 1;
const TAG_TRUE: u8 = 2;
const TAG_INT: u8 = 3;
const TAG_DOUBLE: u8 = 4;
const TAG_STR: u8 = 5;
const TAG_BYTES: u8 = 6;
const TAG_ARRAY: u8 = 7;
const TAG_MAP: u8 = 8;

/// Arrays and maps inside each other; decoders allow fewer, so that only damage exceeds it.
const DEPTH_MAX: usize = 256;

/// Why bytes are no batches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Another version wrote them.
    #[error("its layout is version {found}, this Backstop reads version {known}")]
    Version {
        /// The version found.
        found: u8,
        /// The version known.
        known: u8,
    },
    /// Columns in them are damaged.
    #[error("the columns at byte {at}: {reason}")]
    Columns {
        /// Where they start.
        at: usize,
        /// What is wrong.
        reason: String,
    },
    /// They end too early or say what cannot be.
    #[error("{what} at byte {at} is not valid")]
    Invalid {
        /// What was read.
        what: &'static str,
        /// Where.
        at: usize,
    },
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::histogram::{BucketSpan, Buckets};
    use model::{
        Batch, BatchData, Exemplar, FloatHistogram, HistogramSample, Labels, MetricKind, MetricMetadata, Row, Sample,
        SeriesBatch, SeriesSamples, Table, TenantId, Timestamp, Value,
    };
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::Int),
            any::<u64>().prop_map(|bits| Value::Double(f64::from_bits(bits))),
            ".{0,12}".prop_map(Value::Str),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(Value::Bytes),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                proptest::collection::vec((".{0,4}", inner), 0..4).prop_map(Value::Map),
            ]
        })
    }

    fn row() -> impl Strategy<Value = Row> {
        (any::<i64>(), "[a-c]{0,2}", proptest::collection::vec(("[a-e]{1,2}", value()), 0..6)).prop_map(
            |(time, stream, fields)| {
                let mut row = Row::new(Timestamp(time));
                row.stream = stream.as_str().into();
                row.fields = fields.into_iter().map(|(name, value)| (name.as_str().into(), value)).collect();
                row
            },
        )
    }

    fn labels() -> impl Strategy<Value = Labels> {
        proptest::collection::vec(("[a-d]{1,2}", ".{1,3}"), 0..4).prop_map(|pairs| pairs.into_iter().collect())
    }

    fn histogram() -> impl Strategy<Value = FloatHistogram> {
        let numbers = proptest::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..4);
        let spans = proptest::collection::vec((any::<i32>(), any::<u32>()), 0..3);
        (0..HINTS.len(), any::<i32>(), spans, numbers, any::<u64>()).prop_map(|(hint, schema, spans, numbers, bits)| {
            let spans = spans.into_iter().map(|(offset, length)| BucketSpan { offset, length }).collect();
            let number = f64::from_bits(bits);
            FloatHistogram {
                reset_hint: HINTS[hint],
                schema,
                zero_threshold: number,
                zero_count: number + 1.0,
                count: 3.0,
                sum: number,
                positive: Buckets { spans, counts: numbers.clone() },
                negative: Buckets { spans: Vec::new(), counts: vec![number; 2] },
                custom_values: numbers.into(),
            }
        })
    }

    fn series() -> impl Strategy<Value = SeriesBatch> {
        let point = || (any::<i64>(), any::<u64>());
        let histograms = proptest::collection::vec((point(), histogram()), 0..3);
        let exemplars = proptest::collection::vec((labels(), point()), 0..2);
        let starts = proptest::option::of(any::<i64>());
        let one = (labels(), proptest::collection::vec(point(), 0..4), starts, histograms, exemplars).prop_map(
            |(labels, samples, start, histograms, exemplars)| SeriesSamples {
                labels,
                starts: start.map(|start| vec![start; samples.len()]).unwrap_or_default(),
                histograms: histograms
                    .into_iter()
                    .map(|((time_ms, start), histogram)| HistogramSample {
                        time_ms,
                        start_ms: start.cast_signed(),
                        histogram: Arc::new(histogram),
                    })
                    .collect(),
                samples: samples.into_iter().map(|(time_ms, v)| Sample { time_ms, value: f64::from_bits(v) }).collect(),
                exemplars: exemplars
                    .into_iter()
                    .map(|(labels, (time_ms, v))| Exemplar { labels, time_ms, value: f64::from_bits(v) })
                    .collect(),
            },
        );
        let kind = prop_oneof![Just(MetricKind::Counter), Just(MetricKind::Summary), Just(MetricKind::Unknown)];
        let metadata = ("[a-z]{1,4}", kind, ".{0,5}").prop_map(|(name, kind, help)| MetricMetadata {
            name,
            kind,
            help,
            unit: "s".to_owned(),
        });
        (proptest::collection::vec(one, 0..4), proptest::collection::vec(metadata, 0..2))
            .prop_map(|(series, metadata)| SeriesBatch { series, metadata })
    }

    /// What scrapes send: one sample of each series, some of whose labels are in the same place of memory.
    fn scrape() -> impl Strategy<Value = SeriesBatch> {
        let point = (any::<prop::sample::Index>(), any::<i64>(), any::<u64>());
        let all = (proptest::collection::vec(labels(), 1..4), proptest::collection::vec(point, 0..9));
        all.prop_map(|(labels, points)| {
            let one = |(labels_at, time_ms, bits): (prop::sample::Index, i64, u64)| SeriesSamples {
                labels: labels_at.get(&labels).clone(),
                samples: vec![Sample { time_ms, value: f64::from_bits(bits) }],
                ..SeriesSamples::default()
            };
            SeriesBatch { series: points.into_iter().map(one).collect(), metadata: Vec::new() }
        })
    }

    fn batch() -> impl Strategy<Value = Batch> {
        let rows = (0..Table::ALL.len(), any::<bool>(), proptest::collection::vec(row(), 0..5));
        let rows = rows.prop_map(|(table, columns, rows)| match columns {
            true => BatchData::Columns(Table::ALL[table], column::rows_to_batch(&rows.iter().collect::<Vec<_>>())),
            false => BatchData::Rows(Table::ALL[table], rows),
        });
        ("[a-z]{1,5}", prop_oneof![rows, series().prop_map(BatchData::Series), scrape().prop_map(BatchData::Series)])
            .prop_map(|(tenant, data)| Batch { tenant: TenantId::new(&tenant).unwrap(), data })
    }

    /// Batches in words; columns by their rows, whose fields come in another order.
    fn shown(batches: &[Batch]) -> String {
        let one = |batch: &Batch| match &batch.data {
            BatchData::Columns(table, columns) => {
                format!("{} {table} {:?}", batch.tenant, column::rows_from_batch(columns))
            }
            other => format!("{} {other:?}", batch.tenant),
        };
        batches.iter().map(one).collect()
    }

    proptest! {
        #[test]
        fn batches_round_trip(batches in proptest::collection::vec(batch(), 0..4)) {
            let bytes = encode_batches(&batches);
            let back = decode_batches(&bytes).unwrap();
            prop_assert_eq!(shown(&back), shown(&batches));
            let whole = |batch: &Batch| !matches!(batch.data, BatchData::Columns(..));
            if batches.iter().all(whole) {
                // Bytes again, because a text may hide bits of a NaN.
                prop_assert_eq!(encode_batches(&back), &bytes[..]);
                let before = [&[VERSION_FIRST], &bytes[1..]].concat();
                prop_assert_eq!(shown(&decode_batches(&before).unwrap()), shown(&batches));
            }
        }

        #[test]
        fn damage_is_an_error_never_a_panic(
            batches in proptest::collection::vec(batch(), 0..3), at in any::<prop::sample::Index>(), flip in 1u8..,
        ) {
            let mut bytes = encode_batches(&batches);
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            drop(decode_batches(&bytes)); // any result is fine
            prop_assert!(decode_batches(&bytes[..at]).is_err(), "a cut record is never whole");
        }
    }

    #[test]
    fn nan_bits_are_kept() {
        for bits in [model::STALE_NAN_BITS, f64::NAN.to_bits(), u64::MAX, (-0.0f64).to_bits()] {
            let mut row = Row::new(Timestamp(1));
            row.set("x", f64::from_bits(bits));
            let batch = Batch { tenant: TenantId::default(), data: BatchData::Rows(Table::Logs, vec![row]) };
            let back = decode_batches(&encode_batches(&[batch])).unwrap().remove(0);
            let BatchData::Rows(_, rows) = back.data else { panic!("rows became series") };
            assert!(matches!(rows[0].get("x"), Some(Value::Double(x)) if x.to_bits() == bits));
        }
    }

    #[test]
    fn neighbours_cost_what_tells_them_apart() {
        let series = |cpu: usize| SeriesSamples {
            labels: [("__name__", "node_cpu_seconds_total"), ("cpu", &cpu.to_string()), ("instance", "host-1:9100")]
                .into_iter()
                .collect(),
            samples: vec![Sample { time_ms: 1_700_000_000_000, value: cpu as f64 }],
            ..SeriesSamples::default()
        };
        let bytes = |count: usize| {
            let batch = SeriesBatch { series: (0..count).map(series).collect(), metadata: Vec::new() };
            encode_batches(&[Batch { tenant: TenantId::default(), data: BatchData::Series(batch) }]).len()
        };
        // A count, the bits, a place and its text of two bytes, the time, and a double.
        assert_eq!(bytes(90) - bytes(80), 10 * (1 + 1 + 1 + 3 + 1 + 8));
    }

    #[test]
    fn r20_a_newer_version_is_named() {
        assert_eq!(decode_batches(&[9, 0, 0]), Err(CodecError::Version { found: 9, known: 4 }));
        assert_eq!(decode_batches(&[]), Err(CodecError::Invalid { what: "the version", at: 0 }));
    }

    #[test]
    fn r14_a_huge_count_allocates_nothing() {
        let bytes = [VERSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(decode_batches(&bytes), Err(CodecError::Invalid { what: "a count", .. })));
    }
}
