//! Numbers as the differences between them (DELTA_BINARY_PACKED): times, ids, counters, lengths of texts.
//!
//! Specification: <https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC>.

use super::bits::unpack;
use super::thrift::{unzigzag, varint};
use super::{Checked, Damage, PAGE_VALUES_MAX};

/// Most numbers of a block. The writer's have 128 of 32 bits or 256 of 64.
const BLOCK_MAX: u64 = 1 << 16;

/// Numbers that are unpacked at a time.
const STEP: usize = 64;

/// Where a reader of differences is. The bytes are its owner's and given to each call.
#[derive(Clone, Debug)]
pub(super) struct Delta {
    /// Where the next packed differences, or the next block's head, begin.
    at: usize,
    /// Numbers that were not read yet.
    left: usize,
    /// The number that was read last; the first of all before any was.
    last: i64,
    is_first: bool,
    per_mini: usize,
    minis: usize,
    /// Miniblocks of this block that were not begun, and where their widths are.
    minis_left: usize,
    widths_at: usize,
    min_delta: i64,
    /// The miniblock that was begun.
    mini_left: usize,
    width: u32,
    bit: usize,
}

impl Delta {
    /// Starts at a byte.
    pub(super) fn open(bytes: &[u8], at: usize) -> Checked<Self> {
        let mut at = at;
        let block = varint(bytes, &mut at)?;
        let minis = varint(bytes, &mut at)?;
        let total = varint(bytes, &mut at)?;
        let first = unzigzag(varint(bytes, &mut at)?);
        let fits = block <= BLOCK_MAX && minis > 0 && block.is_multiple_of(minis) && (block / minis).is_multiple_of(8);
        if !fits || block == 0 || total > PAGE_VALUES_MAX as u64 {
            return Err(Damage::new(format!("{total} differences in blocks of {block} and {minis} parts")));
        }
        Ok(Self {
            at,
            left: total as usize,
            last: first,
            is_first: true,
            per_mini: (block / minis) as usize,
            minis: minis as usize,
            minis_left: 0,
            widths_at: 0,
            min_delta: 0,
            mini_left: 0,
            width: 0,
            bit: 0,
        })
    }

    /// Numbers that were not read yet.
    pub(super) fn left(&self) -> usize {
        self.left
    }

    /// Where the bytes go on after the last number; only known when all were read.
    pub(super) fn end(&self) -> Option<usize> {
        (self.left == 0).then_some(self.at)
    }

    /// Appends the next numbers.
    pub(super) fn read(&mut self, bytes: &[u8], count: usize, out: &mut Vec<i64>) -> Checked<()> {
        let mut deltas = [0; STEP];
        let mut count = count;
        out.reserve(count.min(self.left));
        while count > 0 {
            let n = self.step(bytes, count, &mut deltas)?;
            let mut value = self.last;
            out.extend(deltas[..n].iter().map(|delta| {
                value = value.wrapping_add(*delta);
                value
            }));
            self.last = value;
            count -= n;
        }
        Ok(())
    }

    /// Steps over numbers, which must be added up all the same.
    pub(super) fn skip(&mut self, bytes: &[u8], count: usize) -> Checked<()> {
        let mut deltas = [0; STEP];
        let mut count = count;
        while count > 0 {
            let n = self.step(bytes, count, &mut deltas)?;
            let sum = deltas[..n].iter().fold(0i64, |sum, delta| sum.wrapping_add(*delta));
            self.last = self.last.wrapping_add(sum);
            count -= n;
        }
        Ok(())
    }

    /// Differences of the next numbers, at most `count`, each to the number before. The first one has none.
    #[inline]
    fn step(&mut self, bytes: &[u8], count: usize, deltas: &mut [i64; STEP]) -> Checked<usize> {
        if count > self.left {
            return Err(Damage::of("there are fewer differences than values"));
        }
        if self.is_first {
            self.is_first = false;
            self.left -= 1;
            deltas[0] = 0;
            return Ok(1);
        }
        if self.mini_left == 0 {
            self.next_mini(bytes)?;
        }
        let n = count.min(self.mini_left).min(STEP);
        let min = self.min_delta;
        if self.width == 0 {
            deltas[..n].fill(min);
        } else {
            unpack(bytes, self.bit, self.width, &mut deltas[..n], |delta| (delta as i64).wrapping_add(min))?;
        }
        self.bit += n * self.width as usize;
        self.mini_left -= n;
        self.left -= n;
        Ok(n)
    }

    fn next_mini(&mut self, bytes: &[u8]) -> Checked<()> {
        if self.minis_left == 0 {
            self.min_delta = unzigzag(varint(bytes, &mut self.at)?);
            self.widths_at = self.at;
            self.at += self.minis;
            self.minis_left = self.minis;
        }
        let width = *bytes.get(self.widths_at).ok_or(CUT_OFF)?;
        if width > 64 {
            return Err(Damage::new(format!("differences have {width} bits")));
        }
        self.widths_at += 1;
        self.minis_left -= 1;
        self.width = width.into();
        self.bit = self.at * 8;
        // The last one is filled up to its full length.
        self.at += self.per_mini * usize::from(width) / 8;
        self.mini_left = self.per_mini;
        if self.at > bytes.len() { Err(CUT_OFF) } else { Ok(()) }
    }
}

const CUT_OFF: Damage = Damage::of("differences are cut off");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_an_error() {
        let open = |bytes: &[u8]| Delta::open(bytes, 0).and_then(|mut delta| delta.read(bytes, 3, &mut Vec::new()));
        // Blocks of 128 in 4 parts, 3 values, the first is 5.
        let good = [128, 1, 4, 3, 10, 2, 0, 0, 0, 0];
        let mut out = Vec::new();
        Delta::open(&good, 0).unwrap().read(&good, 3, &mut out).unwrap();
        assert_eq!(out, [5, 6, 7]);
        for len in 0..good.len() - 4 {
            assert!(open(&good[..len]).is_err(), "{len} bytes");
        }
        assert!(open(&[128, 1, 0, 3, 10, 2, 0, 0, 0, 0]).is_err(), "no parts");
        assert!(open(&[128, 1, 4, 2, 10, 2, 0, 0, 0, 0]).is_err(), "too few values");
        assert!(open(&[128, 1, 4, 3, 10, 2, 65, 0, 0, 0]).is_err(), "too wide");
        assert!(open(&[128, 1, 4, 3, 10, 2, 64, 0, 0, 0]).is_err(), "cut off");
    }
}
