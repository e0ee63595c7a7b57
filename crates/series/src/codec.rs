//! The bytes of times and values in memory and in histograms, and the decimal form of values in blocks.
//!
//! Values are decimal where they can be: the smallest power
//! of ten that makes (nearly) all of them whole gives mantissas, stored as zigzag varint deltas, and what does not fit (NaN,
//! staleness markers, minus zero) goes to a list of exceptions with its exact bits. Series that are not decimal are stored as the
//! XOR with the value before, split into byte streams.
//!
//! In a block the same mantissas are lists of numbers, see [`Form`].

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

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Corrupt> {
        if let [byte, rest @ ..] = self.0
            && *byte < 0x80
        {
            self.0 = rest;
            return Ok((*byte).into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Corrupt> {
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

    #[inline]
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

pub(crate) fn put_values(out: &mut Vec<u8>, values: &[f64]) {
    match decimal_exponent(values) {
        Some(exponent) => put_decimal(out, values, exponent),
        None => put_raw(out, values),
    }
}

/// The powers of ten, by exponent.
const POWERS: [f64; EXPONENT_MAX as usize + 1] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];

/// The whole number that stands for `value` at an exponent, when it gives the value back bit for bit.
fn mantissa(value: f64, exponent: u32) -> Option<i64> {
    let scale = POWERS[exponent as usize];
    let scaled = value * scale;
    let whole = (scaled + 0.5f64.copysign(scaled)) as i64;
    // Through the integer and back, as the reader goes: minus zero must not pass for zero.
    let exact = scaled.abs() < MANTISSA_MAX && (whole as f64 / scale).to_bits() == value.to_bits();
    exact.then_some(whole)
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
    let mut values = Vec::new();
    read_values_to(reader, count, &mut values)?;
    Ok(values)
}

/// Reads `count` values and puts them behind others. After an error some may have been put there.
pub(crate) fn read_values_to(reader: &mut Reader<'_>, count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let form = reader.byte()?;
    if form == RAW { read_raw(reader, count, out) } else { read_decimal(reader, count, form, out) }
}

fn read_raw(reader: &mut Reader<'_>, count: usize, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    let bytes = reader.bytes(count.checked_mul(8).ok_or(Corrupt)?)?;
    let mut last = 0u64;
    let value = |at: usize| {
        let word: [u8; 8] = std::array::from_fn(|byte| bytes[byte * count + at]);
        last ^= u64::from_le_bytes(word);
        f64::from_bits(last)
    };
    out.extend((0..count).map(value));
    Ok(())
}

fn read_decimal(reader: &mut Reader<'_>, count: usize, exponent: u8, out: &mut Vec<f64>) -> Result<(), Corrupt> {
    if u32::from(exponent) > EXPONENT_MAX || count > reader.0.len() {
        return Err(Corrupt);
    }
    let scale = POWERS[usize::from(exponent)];
    let mut exceptions = Vec::new();
    let mut at = 0usize;
    for _ in 0..reader.count()? {
        at = at.checked_add(reader.count()?).ok_or(Corrupt)?;
        exceptions.push((at, reader.f64()?));
    }
    let start = out.len();
    out.reserve(count);
    let mut last = 0i64;
    for _ in 0..count {
        last = last.wrapping_add(reader.signed()?);
        out.push(last as f64);
    }
    if exponent > 0 {
        out[start..].iter_mut().for_each(|value| *value /= scale);
    }
    for (at, value) in exceptions {
        *out[start..].get_mut(at).ok_or(Corrupt)? = value;
    }
    Ok(())
}

/// Values as the lists of a block's row: mantissas as differences to the one before less the smallest difference, which is small
/// whole numbers for counters and gauges alike, and what is not decimal as it is.
///
/// Of 15,200 series of hosts, differences less the smallest take 0.537 bytes a sample where zigzag takes 0.561, both as split
/// bytes under zstd; bit-packed mantissas take 0.754, and differences of differences would save another 4 %.
#[derive(Debug, Default)]
pub(crate) struct Form {
    /// Exponent, base and step; empty where values are not decimal.
    pub(crate) decimal: Vec<i64>,
    pub(crate) deltas: Vec<i64>,
    /// Places of values that are not decimal, in a series that is.
    pub(crate) exceptions: Vec<i64>,
    pub(crate) doubles: Vec<f64>,
}

impl Form {
    /// Takes the values of a series, in the place of those before.
    pub(crate) fn set(&mut self, values: &[f64]) {
        self.decimal.clear();
        self.deltas.clear();
        self.exceptions.clear();
        self.doubles.clear();
        let Some(exponent) = decimal_exponent(values) else {
            self.doubles.extend_from_slice(values);
            return;
        };
        let base = values.iter().find_map(|value| mantissa(*value, exponent)).unwrap_or(0);
        let (mut last, mut step) = (base, i64::MAX);
        for (at, value) in values.iter().enumerate() {
            let Some(next) = mantissa(*value, exponent) else {
                self.exceptions.push(at as i64);
                self.doubles.push(*value);
                self.deltas.push(0);
                continue;
            };
            if at > 0 {
                step = step.min(next - last);
            }
            self.deltas.push(next - last);
            last = next;
        }
        let step = if step == i64::MAX { 0 } else { step };
        self.deltas.iter_mut().skip(1).for_each(|delta| *delta -= step);
        self.decimal.extend([i64::from(exponent), base, step]);
    }
}

/// The values of a [`Form`], of which doubles come by their bits; `count` is how many there must be.
pub(crate) fn values_of(
    decimal: &[i64],
    deltas: &[i64],
    exceptions: &[i64],
    doubles: &[i64],
    count: usize,
) -> Result<Vec<f64>, Corrupt> {
    let double = |bits: &i64| f64::from_bits(*bits as u64);
    let &[exponent, base, step] = decimal else {
        let is_plain = decimal.is_empty() && doubles.len() == count;
        return if is_plain { Ok(doubles.iter().map(double).collect()) } else { Err(Corrupt) };
    };
    let scale = usize::try_from(exponent).ok().and_then(|exponent| POWERS.get(exponent)).ok_or(Corrupt)?;
    if deltas.len() != count || exceptions.len() != doubles.len() {
        return Err(Corrupt);
    }
    let mut mantissa = base.wrapping_sub(step);
    let next = |delta: &i64| {
        mantissa = mantissa.wrapping_add(*delta).wrapping_add(step);
        mantissa as f64 / scale
    };
    let mut values: Vec<f64> = deltas.iter().map(next).collect();
    for (at, bits) in exceptions.iter().zip(doubles) {
        let place = usize::try_from(*at).ok().and_then(|at| values.get_mut(at)).ok_or(Corrupt)?;
        *place = double(bits);
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use model::stale_nan;
    use proptest::prelude::*;

    use super::*;

    fn round_trip(values: &[f64]) -> usize {
        let mut out = Vec::new();
        put_values(&mut out, values);
        let mut reader = Reader(&out);
        let back = read_values(&mut reader, values.len()).unwrap();
        let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(values));
        assert!(reader.0.is_empty());
        assert_eq!(bits(&formed(values)), bits(values));
        for cut in 0..out.len().min(64) {
            let _ = read_values(&mut Reader(&out[..cut]), values.len());
        }
        out.len()
    }

    /// Through the form of a block, and through the sum that the manual shows as SQL, which has no overflow to wrap around.
    fn formed(values: &[f64]) -> Vec<f64> {
        let mut form = Form::default();
        form.set(&[1.0, f64::NAN]);
        form.set(values);
        let doubles: Vec<i64> = form.doubles.iter().map(|value| value.to_bits() as i64).collect();
        let back = values_of(&form.decimal, &form.deltas, &form.exceptions, &doubles, values.len()).unwrap();
        if let [exponent, base, step] = form.decimal[..] {
            let mut sum = i128::from(base);
            for (at, (delta, value)) in form.deltas.iter().zip(&back).enumerate() {
                sum += i128::from(*delta);
                let shown = (sum + i128::from(step) * at as i128) as f64 / 10f64.powi(exponent as i32);
                let is_exception = form.exceptions.contains(&(at as i64));
                assert!(is_exception || shown.to_bits() == value.to_bits(), "{shown} is not {value} at {at}");
            }
        }
        back
    }

    #[test]
    fn forms_of_other_lengths_are_corrupt() {
        assert_eq!(values_of(&[0, 1, 0], &[0, 1], &[], &[], 2), Ok(vec![1.0, 2.0]));
        for (decimal, deltas, exceptions, doubles) in [
            (&[0, 1][..], &[0, 1][..], &[][..], &[][..]),
            (&[7, 1, 0], &[0, 1], &[], &[]),
            (&[-1, 1, 0], &[0, 1], &[], &[]),
            (&[0, 1, 0], &[0], &[], &[]),
            (&[0, 1, 0], &[0, 1], &[2], &[5]),
            (&[0, 1, 0], &[0, 1], &[0], &[]),
            (&[], &[], &[], &[1]),
        ] {
            assert_eq!(values_of(decimal, deltas, exceptions, doubles, 2), Err(Corrupt), "{decimal:?} {deltas:?}");
        }
    }

    #[test]
    fn edges_of_the_decimal_form_keep_their_bits() {
        let whole = 9_007_199_254_740_992.0f64;
        let nan = |bits: u64| f64::from_bits(bits);
        let counter: Vec<f64> = (0..20).map(|at| whole - 10.0 + f64::from(at)).collect();
        let resets: Vec<f64> = (0..40).map(|at| if at % 10 == 9 { 0.0 } else { whole - 1.0 - f64::from(at) }).collect();
        let payloads: Vec<f64> = (0..16).map(|at| nan(0x7ff8_0000_0000_0000 | at)).collect();
        let mostly: Vec<f64> =
            (0..64).map(|at| [f64::from(at) / 100.0, nan(0x7ff0_0000_0000_0002)][usize::from(at % 9 == 0)]).collect();
        let small = [f64::MIN_POSITIVE, 5e-324, -5e-324, 0.0, -0.0, 1e-7, 0.1 + 0.2];
        let signed = [-whole + 1.0, whole - 1.0, -whole + 1.0, 0.5, -0.5];
        for values in [&counter[..], &resets, &payloads, &mostly, &small, &signed, &[stale_nan()], &[]] {
            round_trip(values);
        }
    }

    #[test]
    fn special_values_keep_their_bits() {
        let values = [0.0, -0.0, f64::NAN, stale_nan(), f64::INFINITY, -f64::INFINITY, 0.1, 1e300, -1.5, 2.0];
        round_trip(&values);
        round_trip(&[-0.0]);
        let mostly_whole: Vec<f64> = (0..32).map(|i| if i == 7 { stale_nan() } else { f64::from(i) * 0.25 }).collect();
        let bytes = round_trip(&mostly_whole);
        assert!(bytes < 100, "32 samples of a decimal series took {bytes} bytes");
    }

    proptest! {
        #[test]
        fn everything_round_trips(bits in prop::collection::vec(any::<u64>(), 0..50)) {
            round_trip(&bits.into_iter().map(f64::from_bits).collect::<Vec<_>>());
        }

        #[test]
        fn decimals_round_trip(values in prop::collection::vec((-100_000i64..100_000, 0i32..8), 0..50)) {
            let values: Vec<f64> = values.iter().map(|(m, e)| *m as f64 / 10f64.powi(*e)).collect();
            round_trip(&values);
        }
    }
}
