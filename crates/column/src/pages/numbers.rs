//! Numbers of eight bytes in a page: integers, and the bits of floating point numbers.

use std::ops::Range;

use super::{Checked, Damage};

const NUMBERS_END: Damage = Damage::of("its numbers end early");

/// Checks that a page has bytes for `count` numbers.
pub(super) fn check(bytes: &[u8], count: usize) -> Checked<()> {
    if bytes.len() / 8 >= count { Ok(()) } else { Err(NUMBERS_END) }
}

/// Appends numbers that are one after the other (PLAIN).
pub(super) fn plain(bytes: &[u8], numbers: Range<usize>, out: &mut Vec<i64>) -> Checked<()> {
    let bytes = bytes.get(numbers.start * 8..numbers.end * 8).ok_or(NUMBERS_END)?;
    let (numbers, _) = bytes.as_chunks();
    out.extend(numbers.iter().map(|number| i64::from_le_bytes(*number)));
    Ok(())
}

/// Appends numbers of which all first bytes come first, then all second ones (BYTE_STREAM_SPLIT). `count` are in the page.
pub(super) fn split(bytes: &[u8], count: usize, numbers: Range<usize>, out: &mut Vec<i64>) -> Checked<()> {
    let old = out.len();
    out.resize(old + numbers.len(), 0);
    for stream in 0..8 {
        let from = stream * count;
        let bytes = bytes.get(from + numbers.start..from + numbers.end).ok_or(NUMBERS_END)?;
        // Small numbers have nothing but zeros in most streams, and looking costs less than adding them.
        if bytes.iter().fold(0, |all, byte| all | byte) == 0 {
            continue;
        }
        for (number, byte) in out[old..].iter_mut().zip(bytes) {
            *number |= i64::from(*byte) << (8 * stream);
        }
    }
    Ok(())
}
