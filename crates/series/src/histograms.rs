//! The bytes of a series' histograms in a block's page.
//!
//! Neighbours with the same buckets form a run. A run has their layout (schema, spans, bounds) once, and then each bucket as a
//! column over time, which [`codec`] writes as the small differences that counters have. Samples that are numbers are runs of
//! their own.

use std::sync::Arc;

use model::{FloatHistogram, ResetHint, histogram::BucketSpan, histogram::Buckets};

use crate::codec::{self, Corrupt, Reader};
use crate::samples::Slot;

/// A run of samples that are no histograms: its length.
const NUMBERS: u8 = 0;
/// A run of histograms: its length, layout and columns.
const HISTOGRAMS: u8 = 1;

const HINTS: [ResetHint; 4] = [ResetHint::Unknown, ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge];

/// Writes the slots; the reader must know how many there are.
pub(crate) fn put(out: &mut Vec<u8>, slots: &[Slot]) {
    for run in slots.chunk_by(|a, b| match (a, b) {
        (Some(a), Some(b)) => same_layout(a, b),
        (None, None) => true,
        _ => false,
    }) {
        let histograms: Vec<&FloatHistogram> = run.iter().filter_map(Option::as_deref).collect();
        out.push(if histograms.is_empty() { NUMBERS } else { HISTOGRAMS });
        codec::put_varint(out, run.len() as u64);
        if let Some(first) = histograms.first() {
            put_layout(out, first);
            put_columns(out, &histograms);
        }
    }
}

fn same_layout(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    let side = |a: &Buckets, b: &Buckets| a.spans == b.spans && a.counts.len() == b.counts.len();
    let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    a.schema == b.schema
        && a.zero_threshold.to_bits() == b.zero_threshold.to_bits()
        && side(&a.positive, &b.positive)
        && side(&a.negative, &b.negative)
        && (Arc::ptr_eq(&a.custom_values, &b.custom_values) || bits(&a.custom_values) == bits(&b.custom_values))
}

fn put_layout(out: &mut Vec<u8>, histogram: &FloatHistogram) {
    codec::put_signed(out, i64::from(histogram.schema));
    out.extend_from_slice(&histogram.zero_threshold.to_le_bytes());
    for side in [&histogram.positive, &histogram.negative] {
        codec::put_varint(out, side.spans.len() as u64);
        for span in &side.spans {
            codec::put_signed(out, i64::from(span.offset));
            codec::put_varint(out, u64::from(span.length));
        }
        codec::put_varint(out, side.counts.len() as u64);
    }
    codec::put_varint(out, histogram.custom_values.len() as u64);
    histogram.custom_values.iter().for_each(|bound| out.extend_from_slice(&bound.to_le_bytes()));
}

fn put_columns(out: &mut Vec<u8>, run: &[&FloatHistogram]) {
    let hint = |histogram: &&FloatHistogram| HINTS.iter().position(|hint| *hint == histogram.reset_hint);
    out.extend(run.iter().map(|histogram| hint(histogram).unwrap_or(0) as u8));
    let mut column = |value: &dyn Fn(&FloatHistogram) -> f64| {
        let values: Vec<f64> = run.iter().map(|histogram| value(histogram)).collect();
        codec::put_values(out, &values);
    };
    column(&|histogram| histogram.zero_count);
    column(&|histogram| histogram.count);
    column(&|histogram| histogram.sum);
    for at in 0..run[0].positive.counts.len() {
        column(&|histogram| histogram.positive.counts[at]);
    }
    for at in 0..run[0].negative.counts.len() {
        column(&|histogram| histogram.negative.counts[at]);
    }
}

/// Reads as many slots.
pub(crate) fn read(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Slot>, Corrupt> {
    let mut slots: Vec<Slot> = Vec::with_capacity(count);
    while slots.len() < count {
        let kind = reader.byte()?;
        let run = usize::try_from(reader.varint()?).map_err(|_| Corrupt)?;
        if run == 0 || run > count - slots.len() {
            return Err(Corrupt);
        }
        match kind {
            NUMBERS => slots.resize(slots.len() + run, None),
            HISTOGRAMS => slots.extend(read_run(reader, run)?),
            _ => return Err(Corrupt),
        }
    }
    Ok(slots)
}

fn read_run(reader: &mut Reader<'_>, run: usize) -> Result<impl Iterator<Item = Slot>, Corrupt> {
    let (layout, [positive, negative]) = read_layout(reader)?;
    let mut histograms = Vec::new();
    for hint in reader.bytes(run)? {
        let reset_hint = HINTS.get(usize::from(*hint)).copied().ok_or(Corrupt)?;
        histograms.push(FloatHistogram { reset_hint, ..layout.clone() });
    }
    let mut column = |put: &dyn Fn(&mut FloatHistogram, f64)| -> Result<(), Corrupt> {
        let values = codec::read_values(reader, run)?;
        histograms.iter_mut().zip(values).for_each(|(histogram, value)| put(histogram, value));
        Ok(())
    };
    column(&|histogram, value| histogram.zero_count = value)?;
    column(&|histogram, value| histogram.count = value)?;
    column(&|histogram, value| histogram.sum = value)?;
    for _ in 0..positive {
        column(&|histogram, value| histogram.positive.counts.push(value))?;
    }
    for _ in 0..negative {
        column(&|histogram, value| histogram.negative.counts.push(value))?;
    }
    Ok(histograms.into_iter().map(|histogram| Some(Arc::new(histogram))))
}

/// A histogram without counts, and how many each side has.
fn read_layout(reader: &mut Reader<'_>) -> Result<(FloatHistogram, [usize; 2]), Corrupt> {
    let schema = i32::try_from(reader.signed()?).map_err(|_| Corrupt)?;
    let mut layout = FloatHistogram { schema, zero_threshold: reader.f64()?, ..FloatHistogram::default() };
    let mut counts = [0; 2];
    for (side, count) in [&mut layout.positive, &mut layout.negative].into_iter().zip(&mut counts) {
        for _ in 0..reader.count()? {
            let offset = i32::try_from(reader.signed()?).map_err(|_| Corrupt)?;
            let length = u32::try_from(reader.varint()?).map_err(|_| Corrupt)?;
            side.spans.push(BucketSpan { offset, length });
        }
        *count = reader.count()?;
    }
    layout.custom_values = (0..reader.count()?).map(|_| reader.f64()).collect::<Result<_, _>>()?;
    Ok((layout, counts))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Any bits at all: the codec must keep what a decoder would refuse, too.
    fn histogram() -> impl Strategy<Value = FloatHistogram> {
        let number = || prop_oneof![(0u32..99).prop_map(f64::from), any::<u64>().prop_map(f64::from_bits)];
        let side = move || {
            let spans = prop::collection::vec((0i32..4, prop_oneof![0u32..9, any::<u32>()]), 0..4);
            (spans, prop::collection::vec(number(), 0..5)).prop_map(|(spans, counts)| {
                let spans = spans.into_iter().map(|(offset, length)| BucketSpan { offset, length }).collect();
                Buckets { spans, counts }
            })
        };
        let bounds = prop::collection::vec(number(), 0..3);
        let numbers = (number(), number(), number(), number());
        ((0usize..4, -53i32..9), numbers, side(), side(), bounds).prop_map(
            |((hint, schema), (zero_threshold, zero_count, count, sum), positive, negative, bounds)| FloatHistogram {
                reset_hint: HINTS[hint],
                schema,
                zero_threshold,
                zero_count,
                count,
                sum,
                positive,
                negative,
                custom_values: bounds.into(),
            },
        )
    }

    fn written(slots: &[Slot]) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, slots);
        out
    }

    proptest! {
        #[test]
        fn histograms_come_back_bit_for_bit(
            pool in prop::collection::vec(prop::option::of(histogram()), 1..4),
            picks in prop::collection::vec((any::<prop::sample::Index>(), any::<u64>()), 0..12),
        ) {
            let slot = |(pick, sum): &(prop::sample::Index, u64)| {
                let histogram = pick.get(&pool).clone()?;
                Some(Arc::new(FloatHistogram { sum: f64::from_bits(*sum), ..histogram }))
            };
            let slots: Vec<Slot> = picks.iter().map(slot).collect();
            let out = written(&slots);
            let mut reader = Reader(&out);
            let back = read(&mut reader, slots.len()).unwrap();
            prop_assert!(reader.0.is_empty());
            // As text, since a NaN equals nothing; and as bytes, since a text hides bits of a NaN.
            prop_assert_eq!(format!("{back:?}"), format!("{slots:?}"));
            prop_assert_eq!(written(&back), &out[..]);
            for cut in 0..out.len().min(200) {
                prop_assert!(read(&mut Reader(&out[..cut]), slots.len()).is_err());
            }
        }

        #[test]
        fn damage_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..9) {
            drop(read(&mut Reader(&bytes), count)); // any result is fine
        }
    }

    #[test]
    fn a_growing_histogram_is_small() {
        let at = |step: u32| {
            let counts: Vec<f64> = (0..20u32).map(|bucket| f64::from(step * (bucket % 5 + 1))).collect();
            let positive = Buckets { spans: vec![BucketSpan { offset: 3, length: 20 }], counts };
            let (count, sum) = (f64::from(step * 60), f64::from(step) * 2.5);
            Some(Arc::new(FloatHistogram { schema: 3, count, sum, positive, ..FloatHistogram::default() }))
        };
        let bytes = written(&(0..120).map(at).collect::<Vec<_>>()).len();
        assert!(bytes < 120 * 25, "120 histograms of 20 buckets took {bytes} bytes");
    }
}
