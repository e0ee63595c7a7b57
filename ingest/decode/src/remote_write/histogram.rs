//! Native histograms, which both versions write the same way.

use std::sync::Arc;

use model::histogram::{BucketSpan, Buckets, EXPONENTIAL_SCHEMA_MAX};
use model::{FloatHistogram, HistogramSample, ResetHint, is_stale_nan};

use super::{HISTOGRAM_BUCKETS_MAX, Sink, Stop, bytes, double, doubles, int, unsigned, unzigzag, varints};
use crate::wire::{Content, Message, Odd};

/// Finest schema that is merged down to the finest that is kept, which is exact; beyond, a histogram is refused.
const SCHEMA_REDUCED_MAX: i32 = 20;

/// A number of observations, as the sender has it.
#[derive(Clone, Copy)]
enum Count {
    Int(u64),
    Float(f64),
}

impl Count {
    fn float(self) -> f64 {
        match self {
            Self::Int(count) => count as f64,
            Self::Float(count) => count,
        }
    }

    fn int(self) -> u64 {
        match self {
            Self::Int(count) => count,
            Self::Float(_) => 0,
        }
    }
}

/// One side on the wire: integer buckets as differences, floating-point ones as they are.
#[derive(Default)]
struct Side {
    spans: Vec<BucketSpan>,
    deltas: Vec<i64>,
    counts: Vec<f64>,
}

struct Wire {
    count: Count,
    zero_count: Count,
    positive: Side,
    negative: Side,
    time_ms: i64,
    start_ms: i64,
    shape: FloatHistogram,
}

/// Reads a histogram, or says why it makes no sense.
pub(super) fn read(message: &[u8], sink: &mut Sink<'_>) -> Result<Result<HistogramSample, String>, Stop> {
    sink.count(1)?;
    let wire = read_wire(message, sink)?;
    Ok(build(wire))
}

fn read_wire(message: &[u8], sink: &mut Sink<'_>) -> Result<Wire, Stop> {
    let mut wire = Wire {
        count: Count::Int(0),
        zero_count: Count::Int(0),
        positive: Side::default(),
        negative: Side::default(),
        time_ms: 0,
        start_ms: 0,
        shape: FloatHistogram::default(),
    };
    let mut custom_values = Vec::new();
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => wire.count = Count::Int(unsigned(content)?),
            2 => wire.count = Count::Float(double(content)?),
            3 => wire.shape.sum = double(content)?,
            4 => wire.shape.schema = i32::try_from(unzigzag(unsigned(content)?)).map_err(|_| Odd)?,
            5 => wire.shape.zero_threshold = double(content)?,
            6 => wire.zero_count = Count::Int(unsigned(content)?),
            7 => wire.zero_count = Count::Float(double(content)?),
            8..=10 => wire.negative.read(number - 8, content, sink)?,
            11..=13 => wire.positive.read(number - 11, content, sink)?,
            14 => wire.shape.reset_hint = hint(unsigned(content)?),
            15 => wire.time_ms = int(content)?,
            16 => {
                let before = custom_values.len();
                doubles(content, &mut custom_values)?;
                sink.count(custom_values.len() - before)?;
            }
            17 => wire.start_ms = int(content)?,
            _ => {}
        }
    }
    wire.shape.custom_values = custom_values.into();
    Ok(wire)
}

fn hint(number: u64) -> ResetHint {
    match number {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    }
}

impl Side {
    /// Spans, differences and counts have consecutive numbers on both sides.
    fn read(&mut self, part: u32, content: Content<'_>, sink: &mut Sink<'_>) -> Result<(), Stop> {
        match part {
            0 => {
                sink.count(1)?;
                self.spans.push(span(bytes(content)?)?);
            }
            1 => varints(content, |number| {
                sink.count(1)?;
                self.deltas.push(unzigzag(number));
                Ok(())
            })?,
            _ => {
                let before = self.counts.len();
                doubles(content, &mut self.counts)?;
                sink.count(self.counts.len() - before)?;
            }
        }
        Ok(())
    }

    /// The buckets; those of an integer histogram from their differences, and how many observations they hold together.
    fn buckets(self, float: bool) -> Result<(Buckets, u64), String> {
        if float {
            return Ok((Buckets { spans: self.spans, counts: self.counts }, 0));
        }
        let (mut count, mut total) = (0i64, 0u64);
        let mut counts = Vec::with_capacity(self.deltas.len());
        for delta in self.deltas {
            count = count.checked_add(delta).filter(|count| *count >= 0).ok_or_else(|| {
                "the histogram has a bucket whose observation count is negative or beyond 64 bits".to_owned()
            })?;
            total = total.saturating_add(count.unsigned_abs());
            counts.push(count as f64);
        }
        Ok((Buckets { spans: self.spans, counts }, total))
    }

    fn size(&self) -> usize {
        self.spans.len().max(self.deltas.len()).max(self.counts.len())
    }
}

fn span(message: &[u8]) -> Result<BucketSpan, Odd> {
    let mut span = BucketSpan { offset: 0, length: 0 };
    let mut message = Message::new(message);
    while let Some((number, content)) = message.next()? {
        match number {
            1 => span.offset = i32::try_from(unzigzag(unsigned(content)?)).map_err(|_| Odd)?,
            2 => span.length = u32::try_from(unsigned(content)?).map_err(|_| Odd)?,
            _ => {}
        }
    }
    Ok(span)
}

/// Checks a histogram as Prometheus does and makes it the kind that is kept.
fn build(wire: Wire) -> Result<HistogramSample, String> {
    let buckets = wire.positive.size() + wire.negative.size() + wire.shape.custom_values.len();
    if buckets > HISTOGRAM_BUCKETS_MAX {
        return Err(format!("the histogram has {buckets} buckets, {HISTOGRAM_BUCKETS_MAX} are allowed"));
    }
    let float = matches!(wire.count, Count::Float(_));
    let (positive, above) = wire.positive.buckets(float)?;
    let (negative, below) = wire.negative.buckets(float)?;
    if !float {
        let found = above.saturating_add(below).saturating_add(wire.zero_count.int());
        check_count(found, wire.count.int(), wire.shape.sum)?;
    }
    let mut histogram = FloatHistogram {
        count: wire.count.float(),
        zero_count: wire.zero_count.float(),
        positive,
        negative,
        ..wire.shape
    };
    if (EXPONENTIAL_SCHEMA_MAX + 1..=SCHEMA_REDUCED_MAX).contains(&histogram.schema) {
        let reset_hint = histogram.reset_hint;
        histogram = FloatHistogram { reset_hint, ..histogram.at_schema(EXPONENTIAL_SCHEMA_MAX) };
    }
    histogram.validate().map_err(|error| error.to_string())?;
    Ok(HistogramSample { time_ms: wire.time_ms, start_ms: wire.start_ms, histogram: Arc::new(histogram) })
}

/// Holds what buckets count, the zero bucket included, against what the histogram says it counted. Observations that are NaN are in no bucket,
/// and make the sum NaN.
pub(crate) fn check_count(found: u64, count: u64, sum: f64) -> Result<(), String> {
    if is_stale_nan(sum) {
        return Ok(());
    }
    if sum.is_nan() && found > count {
        return Err(format!(
            "{found} observations found in buckets, but the Count field is {count}: histogram's observation count should be at \
             least the number of observations found in the buckets"
        ));
    }
    if !sum.is_nan() && found != count {
        return Err(format!(
            "{found} observations found in buckets, but the Count field is {count}: histogram's observation count should equal \
             the number of observations found in the buckets (in absence of NaN)"
        ));
    }
    Ok(())
}
