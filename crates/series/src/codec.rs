//! The bytes of times and values in a block's page.
//!
//! Times are a zigzag varint, then deltas, then differences of deltas. Values are decimal where they can be: the smallest power
//! of ten that makes (nearly) all of them whole gives mantissas, stored as zigzag varint deltas, and what does not fit (NaN,
//! staleness markers, minus zero) goes to a list of exceptions with its exact bits. Series that are not decimal are stored as the
//! XOR with the value before, split into byte streams. zstd runs over the whole page afterwards.

/// Largest exponent of ten that is tried; metrics with more decimals than that are not decimal by nature.
const EXPONENT_MAX: u32 = 6;
/// Mantissas stay below this, where every whole number is a double of its own.
const MANTISSA_MAX: f64 = 9_007_199_254_740_992.0;
/// One exception per this many values is worth the decimal form.
const VALUES_PER_EXCEPTION: usize = 8;
/// Marks the form that is not decimal.
const RAW: u8 = 0xff;

/// Why bytes could not be read: they end early or count too far.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corrupt;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

pub(crate) fn put_signed(out: &mut Vec<u8>, n: i64) {
    put_varint(out, ((n << 1) ^ (n >> 63)) as u64);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads what the `put_` functions wrote; never past the end.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], Corrupt> {
        let (head, rest) = self.0.split_at_checked(count).ok_or(Corrupt)?;
        self.0 = rest;
        Ok(head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Corrupt> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Corrupt> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(Corrupt)
    }

    pub(crate) fn signed(&mut self) -> Result<i64, Corrupt> {
        let n = self.varint()?;
        Ok((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// A count of things that each take at least one byte, so that damage can not ask for a huge allocation.
    pub(crate) fn count(&mut self) -> Result<usize, Corrupt> {
        let count = usize::try_from(self.varint()?).map_err(|_| Corrupt)?;
        if count > self.0.len() { Err(Corrupt) } else { Ok(count) }
    }

    pub(crate) fn f64(&mut self) -> Result<f64, Corrupt> {
        let bytes: [u8; 8] = self.bytes(8)?.try_into().map_err(|_| Corrupt)?;
        Ok(f64::from_le_bytes(bytes))
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Corrupt> {
        let len = self.count()?;
        std::str::from_utf8(self.bytes(len)?).map_err(|_| Corrupt)
    }
}

pub(crate) fn put_times(out: &mut Vec<u8>, times: &[i64]) {
    put_varint(out, times.len() as u64);
    let (mut last, mut delta) = (0i64, 0i64);
    for time in times {
        let next = time.wrapping_sub(last);
        put_signed(out, next.wrapping_sub(delta));
        (last, delta) = (*time, next);
    }
}

pub(crate) fn read_times(reader: &mut Reader<'_>) -> Result<Vec<i64>, Corrupt> {
    let count = reader.count()?;
    let (mut last, mut delta) = (0i64, 0i64);
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        delta = delta.wrapping_add(reader.signed()?);
        last = last.wrapping_add(delta);
        times.push(last);
    }
    Ok(times)
}

pub(crate) fn put_values(out: &mut Vec<u8>, values: &[f64]) {
    match decimal_exponent(values) {
        Some(exponent) => put_decimal(out, values, exponent),
        None => put_raw(out, values),
    }
}

/// The whole number that stands for `value` at an exponent, when it gives the value back bit for bit.
fn mantissa(value: f64, exponent: u32) -> Option<i64> {
    let scale = 10f64.powi(exponent as i32);
    let scaled = (value * scale).round();
    let whole = (scaled.abs() < MANTISSA_MAX).then_some(scaled as i64)?;
    // Through the integer and back, as the reader goes: minus zero must not pass for zero.
    ((whole as f64 / scale).to_bits() == value.to_bits()).then_some(whole)
}

fn decimal_exponent(values: &[f64]) -> Option<u32> {
    let allowed = values.len().div_ceil(VALUES_PER_EXCEPTION);
    (0..=EXPONENT_MAX).find(|exponent| {
        let mut missed = 0;
        values.iter().all(|value| {
            missed += usize::from(mantissa(*value, *exponent).is_none());
            missed <= allowed
        })
    })
}

fn put_decimal(out: &mut Vec<u8>, values: &[f64], exponent: u32) {
    out.push(exponent as u8);
    let exceptions: Vec<usize> = (0..values.len()).filter(|at| mantissa(values[*at], exponent).is_none()).collect();
    put_varint(out, exceptions.len() as u64);
    let mut last = 0;
    for at in exceptions {
        put_varint(out, (at - last) as u64);
        out.extend_from_slice(&values[at].to_le_bytes());
        last = at;
    }
    let mut last = 0i64;
    for value in values {
        let next = mantissa(*value, exponent).unwrap_or(last);
        put_signed(out, next - last);
        last = next;
    }
}

fn put_raw(out: &mut Vec<u8>, values: &[f64]) {
    out.push(RAW);
    let mut last = 0u64;
    let words: Vec<[u8; 8]> = values
        .iter()
        .map(|value| {
            let bits = value.to_bits();
            let word = (bits ^ last).to_le_bytes();
            last = bits;
            word
        })
        .collect();
    for byte in 0..8 {
        out.extend(words.iter().map(|word| word[byte]));
    }
}

/// Reads `count` values.
pub(crate) fn read_values(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Corrupt> {
    let form = reader.byte()?;
    if form == RAW { read_raw(reader, count) } else { read_decimal(reader, count, form) }
}

fn read_raw(reader: &mut Reader<'_>, count: usize) -> Result<Vec<f64>, Corrupt> {
    let bytes = reader.bytes(count.checked_mul(8).ok_or(Corrupt)?)?;
    let mut last = 0u64;
    let value = |at: usize| {
        let word: [u8; 8] = std::array::from_fn(|byte| bytes[byte * count + at]);
        last ^= u64::from_le_bytes(word);
        f64::from_bits(last)
    };
    Ok((0..count).map(value).collect())
}

fn read_decimal(reader: &mut Reader<'_>, count: usize, exponent: u8) -> Result<Vec<f64>, Corrupt> {
    if u32::from(exponent) > EXPONENT_MAX || count > reader.0.len() {
        return Err(Corrupt);
    }
    let scale = 10f64.powi(i32::from(exponent));
    let mut exceptions = Vec::new();
    let mut at = 0usize;
    for _ in 0..reader.count()? {
        at = at.checked_add(reader.count()?).ok_or(Corrupt)?;
        exceptions.push((at, reader.f64()?));
    }
    let mut last = 0i64;
    let mut values = Vec::with_capacity(count);
    for _ in 0..count {
        last = last.wrapping_add(reader.signed()?);
        values.push(last as f64 / scale);
    }
    for (at, value) in exceptions {
        *values.get_mut(at).ok_or(Corrupt)? = value;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use model::stale_nan;
    use proptest::prelude::*;

    use super::*;

    fn round_trip(times: &[i64], values: &[f64]) -> usize {
        let mut out = Vec::new();
        put_times(&mut out, times);
        put_values(&mut out, values);
        let mut reader = Reader(&out);
        assert_eq!(read_times(&mut reader).unwrap(), times);
        let back = read_values(&mut reader, values.len()).unwrap();
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(values));
        assert!(reader.0.is_empty());
        for cut in 0..out.len().min(64) {
            let mut reader = Reader(&out[..cut]);
            let _ = read_times(&mut reader).and_then(|times| read_values(&mut reader, times.len()));
        }
        out.len()
    }

    #[test]
    fn special_values_keep_their_bits() {
        let values = [0.0, -0.0, f64::NAN, stale_nan(), f64::INFINITY, -f64::INFINITY, 0.1, 1e300, -1.5, 2.0];
        round_trip(&(0..10).collect::<Vec<_>>(), &values);
        round_trip(&[1], &[-0.0]);
        let mostly_whole: Vec<f64> = (0..32).map(|i| if i == 7 { stale_nan() } else { f64::from(i) * 0.25 }).collect();
        let bytes = round_trip(&(0..32).map(|i| i * 15_000).collect::<Vec<_>>(), &mostly_whole);
        assert!(bytes < 100, "32 samples of a decimal series took {bytes} bytes");
    }

    proptest! {
        #[test]
        fn everything_round_trips(samples in prop::collection::vec((any::<i64>(), any::<u64>()), 0..50)) {
            let times: Vec<i64> = samples.iter().map(|s| s.0).collect();
            let values: Vec<f64> = samples.iter().map(|s| f64::from_bits(s.1)).collect();
            round_trip(&times, &values);
        }

        #[test]
        fn decimals_round_trip(values in prop::collection::vec((-100_000i64..100_000, 0i32..8), 0..50)) {
            let times: Vec<i64> = (0..values.len() as i64).collect();
            let values: Vec<f64> = values.iter().map(|(m, e)| *m as f64 / 10f64.powi(*e)).collect();
            round_trip(&times, &values);
        }
    }
}
