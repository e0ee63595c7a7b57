//! Numbers of a few bits each, packed one after the other, least bit first.

use super::{Checked, Damage};

/// Widest number that eight bytes hold wherever in a byte it begins.
const WORD_WIDTH_MAX: u32 = 57;

/// Reads as many numbers of `width` bits as `out` has places, the first of which begins at a bit.
pub(super) fn unpack<T>(
    bytes: &[u8],
    bit: usize,
    width: u32,
    out: &mut [T],
    make: impl Fn(u64) -> T + Copy,
) -> Checked<()> {
    let end = out.len().checked_mul(width as usize).and_then(|bits| bits.checked_add(bit));
    if end.is_none_or(|end| end.div_ceil(8) > bytes.len()) {
        return Err(Damage::of("packed numbers end early"));
    }
    if width > WORD_WIDTH_MAX {
        unpack_wide(bytes, bit, width, out, make);
        return Ok(());
    }
    // Numbers whose eight bytes lie within the bytes, and the few after them.
    let fast = match (bytes.len().checked_sub(8), width) {
        (_, 0) | (None, _) => 0,
        (Some(last), _) => ((last * 8 + 8).saturating_sub(bit)).div_ceil(width as usize).min(out.len()),
    };
    let (fast_out, slow_out) = out.split_at_mut(fast);
    unpack_words(bytes, bit, width, fast_out, make);
    if slow_out.is_empty() {
        return Ok(());
    }
    let bit = bit + fast * width as usize;
    let rest = &bytes[(bit / 8).min(bytes.len())..];
    let mut padded = [0; 24];
    let len = rest.len().min(16);
    padded[..len].copy_from_slice(&rest[..len]);
    unpack_words(&padded, bit % 8, width, slow_out, make);
    Ok(())
}

/// Few loads, and a shift and a mask a number.
fn unpack_words<T>(bytes: &[u8], bit: usize, width: u32, out: &mut [T], make: impl Fn(u64) -> T + Copy) {
    // As many numbers of a load as there are bits for, whatever the bit at which it begins.
    match width {
        0..=7 => unpack_groups::<8, _>(bytes, bit, width, out, make),
        8..=9 => unpack_groups::<6, _>(bytes, bit, width, out, make),
        10..=14 => unpack_groups::<4, _>(bytes, bit, width, out, make),
        15..=19 => unpack_groups::<3, _>(bytes, bit, width, out, make),
        20..=28 => unpack_groups::<2, _>(bytes, bit, width, out, make),
        _ => unpack_groups::<1, _>(bytes, bit, width, out, make),
    }
}

#[inline]
fn unpack_groups<const N: usize, T>(
    bytes: &[u8],
    bit: usize,
    width: u32,
    out: &mut [T],
    make: impl Fn(u64) -> T + Copy,
) {
    let mask = (1u64 << width) - 1;
    let load = |bit: usize| {
        let word = bytes.get(bit / 8..).and_then(<[u8]>::first_chunk).map_or(0, |word| u64::from_le_bytes(*word));
        word >> (bit % 8)
    };
    let mut bit = bit;
    let (groups, rest) = out.as_chunks_mut::<N>();
    for group in groups {
        let mut word = load(bit);
        for slot in group {
            *slot = make(word & mask);
            word >>= width;
        }
        bit += N * width as usize;
    }
    for slot in rest {
        *slot = make(load(bit) & mask);
        bit += width as usize;
    }
}

/// Wide numbers hardly occur: the differences of random ones.
fn unpack_wide<T>(bytes: &[u8], bit: usize, width: u32, out: &mut [T], make: impl Fn(u64) -> T) {
    let mask = u64::MAX >> (64 - width.min(64));
    let mut bit = bit;
    for slot in out {
        let from = &bytes[bit / 8..];
        let mut word = [0; 16];
        let len = from.len().min(9);
        word[..len].copy_from_slice(&from[..len]);
        *slot = make((u128::from_le_bytes(word) >> (bit % 8)) as u64 & mask);
        bit += width as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_every_width_come_back() {
        for width in 0..=64u32 {
            for count in [1usize, 7, 8, 33, 100] {
                for start in [0usize, 3, 7, 13] {
                    let value = |n: usize| {
                        let all = (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
                        if width == 0 { 0 } else { all >> (64 - width) }
                    };
                    let mut bytes = vec![0u8; (start + count * width as usize).div_ceil(8)];
                    for bit in 0..count * width as usize {
                        let set = value(bit / width as usize) >> (bit % width as usize) & 1;
                        bytes[(start + bit) / 8] |= (set as u8) << ((start + bit) % 8);
                    }
                    let mut out = vec![0u64; count];
                    unpack(&bytes, start, width, &mut out, |value| value).unwrap();
                    assert_eq!(out, (0..count).map(value).collect::<Vec<_>>(), "{count} of {width} bits at {start}");
                    out.push(0);
                    let more = unpack(&bytes, start, width.max(8), &mut out, |value| value);
                    assert!(more.is_err());
                }
            }
        }
    }
}
