//! Lists of ascending row numbers: built in memory, encoded, decoded.
//!
//! An encoded list is one byte that says how, then the numbers, in whichever way is shorter:
//!
//! - *runs*: for each run of consecutive rows a [`varint`] of `gap * 2 + (length > 1)`, where the gap counts the rows since
//!   the end of the run before, and for longer runs one of `length - 2`. Rows that are sorted by stream make the values of
//!   its labels a run each.
//! - *Rice*: a varint of how many, then in blocks of [`RICE_BLOCK`] five bits `k` and each gap as its upper part in ones, a
//!   zero, and its lower `k` bits: 1.5 bits above the entropy of evenly spread rows, where a byte would be the least.

use std::ops::Range;

use roaring::RoaringBitmap;

use crate::pack::COARSE;
use crate::varint::{self, Input};
use crate::{IndexError, Stop};

/// Numbers that share a Rice parameter: small enough to follow a density that changes from stream to stream.
const RICE_BLOCK: usize = 128;

/// Bits of a Rice parameter.
const RICE_K_BITS: u32 = 5;

/// Greatest Rice parameter.
const RICE_K_MAX: u32 = (1 << RICE_K_BITS) - 1;

/// Ones after which the number follows as 32 plain bits, so that one large gap costs 7 bytes and not a megabyte.
const RICE_ONES_MAX: u32 = 24;

/// Between two looks at the order to stop.
const ROWS_PER_CHECK: u32 = 4096;

/// So many rows are sorted rather than put into bits, and one in so many of the segment's: bits cost a pass over all rows.
const FEW_MIN: u64 = 1024;
const FEW_SHARE: u64 = 256;

/// Bytes of runs from which on a list grows by an eighth and is not doubled.
const LONG_BYTES: usize = 512;

/// Most bytes of a run: two numbers of up to 33 bits.
const RUN_BYTES_MAX: usize = 10;

const RUNS: u8 = 0;
const RICE: u8 = 1;

/// A list being built. Runs that have ended are in `bytes`, in the encoding of runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowsBuilder {
    bytes: Vec<u8>,
    count: u32,
    /// First row of the run that is still open.
    start: u32,
    /// Rows of the run that is still open.
    run: u32,
    /// Row after the last run that has ended.
    done: u32,
}

impl RowsBuilder {
    /// Appends a row, which must not be below the last one; the last one again changes nothing.
    #[inline]
    pub(crate) fn push(&mut self, row: u32) {
        if self.run > 0 {
            let next = self.start + self.run;
            if row < next {
                debug_assert_eq!(row + 1, next, "rows go up");
                return;
            }
            if row == next {
                self.run += 1;
                self.count += 1;
                return;
            }
            self.end_run();
        }
        self.start = row;
        self.run = 1;
        self.count += 1;
    }

    pub(crate) fn len(&self) -> u32 {
        self.count
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// Bytes of the runs that have ended.
    #[inline]
    pub(crate) fn run_bytes(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn end_run(&mut self) {
        if self.bytes.capacity() - self.bytes.len() < RUN_BYTES_MAX {
            self.grow();
        }
        let gap = self.start - self.done;
        if self.run == 1 && gap < 64 {
            self.bytes.push((gap << 1) as u8);
            self.done = self.start + 1;
            return;
        }
        put_run(&mut self.bytes, self.start - self.done, self.run);
        self.done = self.start + self.run;
    }

    /// Makes room for a run: by a part of the list and not to twice of it, once it is long. There are thousands of lists, and what
    /// is spare is of no use.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        let len = self.bytes.len();
        self.bytes.reserve_exact(RUN_BYTES_MAX.max(if len < LONG_BYTES { len } else { len / 8 }));
    }

    /// The rows in order.
    pub(crate) fn to_vec(&self) -> Vec<u32> {
        let mut out = Vec::with_capacity(self.count as usize);
        self.each_run(|start, len| out.extend(start..start + len));
        out
    }

    /// Start and length of every run, in order.
    fn each_run(&self, mut each: impl FnMut(u32, u32)) {
        // What this program has just written itself can be read.
        let read = runs(&self.bytes, u64::from(u32::MAX), |start, len| {
            each(start, len);
            Ok(())
        });
        debug_assert!(read.is_ok(), "{read:?}");
        if self.run > 0 {
            each(self.start, self.run);
        }
    }

    /// The list with more rows, which may be in any order.
    pub(crate) fn merged(self, mut more: Vec<u32>) -> Self {
        if more.is_empty() {
            return self;
        }
        more.sort_unstable();
        let mut more = more.into_iter().peekable();
        let mut out = Self::default();
        self.each_run(|start, len| {
            while let Some(row) = more.next_if(|row| *row < start) {
                out.push(row);
            }
            (start..start + len).for_each(|row| out.push(row));
            while more.next_if(|row| *row < start + len).is_some() {}
        });
        more.for_each(|row| out.push(row));
        out
    }

    /// Those of ascending rows that are in the list.
    pub(crate) fn kept(&self, rows: impl Iterator<Item = u32>) -> Vec<u32> {
        let mut rows = rows.peekable();
        let mut out = Vec::new();
        self.each_run(|start, len| {
            while rows.next_if(|row| *row < start).is_some() {}
            while let Some(row) = rows.next_if(|row| *row < start + len) {
                out.push(row);
            }
        });
        out
    }

    /// The blocks of `1 << log` rows that have a row of the list.
    pub(crate) fn blocks(&self, log: u32) -> Self {
        let mut out = Self::default();
        let mut next = 0;
        self.each_run(|start, len| {
            let end = ((start + len - 1) >> log) + 1;
            for block in next.max(start >> log)..end {
                out.push(block);
            }
            next = end;
        });
        out
    }

    /// About how many bytes the encoded list has.
    pub(crate) fn encoded_bytes(&self) -> usize {
        let Some(gap) = (self.start + self.run).checked_div(self.count) else { return 1 };
        // What Rice takes for evenly spread rows; others are shorter.
        let rice = self.count as usize * (gap.max(1).ilog2() as usize * 2 + 3) / 16;
        rice.min(self.bytes.len()) + 1
    }

    /// Appends the list in the shorter encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let at = out.len();
        // Two bytes for each of two rows are what Rice needs too, and a bit for each row of long runs is too much.
        if self.count > 2 && (self.count as usize) / 8 < self.bytes.len() + 16 {
            out.push(RICE);
            varint::put(out, self.count.into());
            let mut rice = RiceWriter::new(out);
            self.each_run(|start, len| (start..start + len).for_each(|row| rice.push(row)));
            rice.finish();
            if out.len() - at <= self.bytes.len() {
                return;
            }
        }
        let rice = out.len() - at;
        out.push(RUNS);
        out.extend_from_slice(&self.bytes);
        if self.run > 0 {
            put_run(out, self.start - self.done, self.run);
        }
        if rice == 0 || out.len() - at - rice < rice {
            out.drain(at..at + rice);
        } else {
            out.truncate(at + rice);
        }
    }
}

impl FromIterator<u32> for RowsBuilder {
    fn from_iter<T: IntoIterator<Item = u32>>(rows: T) -> Self {
        let mut out = Self::default();
        rows.into_iter().for_each(|row| out.push(row));
        out
    }
}

fn put_run(out: &mut Vec<u8>, gap: u32, run: u32) {
    varint::put(out, u64::from(gap) << 1 | u64::from(run > 1));
    if run > 1 {
        varint::put(out, u64::from(run - 2));
    }
}

/// Writes the body of a Rice list.
struct RiceWriter<'a> {
    bits: BitWriter<'a>,
    /// Gaps of the block.
    block: [u32; RICE_BLOCK],
    len: usize,
    next: u32,
}

impl<'a> RiceWriter<'a> {
    fn new(out: &'a mut Vec<u8>) -> Self {
        Self { bits: BitWriter::new(out), block: [0; RICE_BLOCK], len: 0, next: 0 }
    }

    fn push(&mut self, row: u32) {
        self.block[self.len] = row - self.next;
        self.next = row + 1;
        self.len += 1;
        if self.len == RICE_BLOCK {
            self.end_block();
        }
    }

    fn end_block(&mut self) {
        let gaps = &self.block[..std::mem::take(&mut self.len)];
        let sum: u64 = gaps.iter().map(|gap| u64::from(*gap)).sum();
        // The best parameter is close to the logarithm of the mean gap.
        let about = (sum / gaps.len().max(1) as u64).max(1).ilog2();
        let bits = |k: u32| gaps.iter().map(|gap| u64::from(gap >> k)).sum::<u64>() + u64::from(k) * gaps.len() as u64;
        let k = (about.saturating_sub(1)..=about + 1)
            .min_by_key(|k| bits((*k).min(RICE_K_MAX)))
            .unwrap_or(0)
            .min(RICE_K_MAX);
        self.bits.put(u64::from(k), RICE_K_BITS);
        for &gap in gaps {
            let ones = gap >> k;
            let low = u64::from(gap) & ((1 << k) - 1);
            if ones + 1 + k <= 32 && ones < RICE_ONES_MAX {
                self.bits.put(low << (ones + 1) | ((1 << ones) - 1), ones + 1 + k);
            } else if ones < RICE_ONES_MAX {
                self.bits.put((1 << ones) - 1, ones + 1);
                self.bits.put(low, k);
            } else {
                self.bits.put((1 << RICE_ONES_MAX) - 1, RICE_ONES_MAX);
                self.bits.put(gap.into(), 32);
            }
        }
    }

    fn finish(mut self) {
        if self.len > 0 {
            self.end_block();
        }
        self.bits.finish();
    }
}

/// Writes bits, the lowest first.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    buffer: u64,
    filled: u32,
}

impl<'a> BitWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out, buffer: 0, filled: 0 }
    }

    /// Appends the lowest `len` (at most 32) bits.
    pub(crate) fn put(&mut self, bits: u64, len: u32) {
        self.buffer |= bits << self.filled;
        self.filled += len;
        if self.filled >= 32 {
            self.out.extend_from_slice(&(self.buffer as u32).to_le_bytes());
            self.buffer >>= 32;
            self.filled -= 32;
        }
    }

    pub(crate) fn finish(self) {
        let bytes = self.filled.div_ceil(8) as usize;
        self.out.extend_from_slice(&self.buffer.to_le_bytes()[..bytes]);
    }
}

/// Reads what [`BitWriter`] wrote; after the end come zeros.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    buffer: u64,
    filled: u32,
    /// Bits taken beyond the end.
    missing: u32,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, buffer: 0, filled: 0, missing: 0 }
    }

    /// Makes at least 32 bits available.
    pub(crate) fn fill(&mut self) {
        if self.filled > 32 {
            return;
        }
        if let Some((head, rest)) = self.bytes.split_first_chunk::<4>() {
            self.buffer |= u64::from(u32::from_le_bytes(*head)) << self.filled;
            self.bytes = rest;
        } else {
            let mut last = [0; 4];
            last[..self.bytes.len()].copy_from_slice(self.bytes);
            self.missing += 32 - 8 * self.bytes.len() as u32;
            self.buffer |= u64::from(u32::from_le_bytes(last)) << self.filled;
            self.bytes = &[];
        }
        self.filled += 32;
    }

    /// The next `len` (at most 32) bits, of which [`Self::fill`] made sure.
    pub(crate) fn take(&mut self, len: u32) -> u64 {
        let bits = self.buffer & ((1 << len) - 1);
        self.buffer >>= len;
        self.filled -= len;
        bits
    }

    /// Whether more was taken than there was.
    pub(crate) fn is_over(&self) -> bool {
        self.missing > self.filled
    }
}

/// Calls `each` with the start and length of every run of an encoded list of row numbers below `rows`. Lengths of a Rice list
/// are all 1.
pub(crate) fn decode(
    list: &[u8],
    rows: u64,
    stop: Stop<'_>,
    mut each: impl FnMut(u32, u32),
) -> Result<u64, IndexError> {
    let Some((kind, body)) = list.split_first() else { return Err(damaged("an empty list")) };
    let mut total = 0;
    let mut unchecked = 0;
    let mut each = |start: u32, len: u32| {
        total += u64::from(len);
        unchecked += len.min(ROWS_PER_CHECK);
        if unchecked >= ROWS_PER_CHECK {
            unchecked = 0;
            if stop() {
                return Err(IndexError::Stopped);
            }
        }
        each(start, len);
        Ok(())
    };
    match kind & !COARSE {
        RUNS => runs(body, rows, &mut each)?,
        RICE => rice(body, rows, &mut each)?,
        other => return Err(damaged(&format!("a list of kind {other}"))),
    }
    Ok(total)
}

fn runs(body: &[u8], rows: u64, mut each: impl FnMut(u32, u32) -> Result<(), IndexError>) -> Result<(), IndexError> {
    let mut input = Input(body);
    let mut next = 0u64;
    while !input.is_empty() {
        let head = input.small_or_gap()?;
        let start = next + (head >> 1);
        let len = if head & 1 == 0 { 1 } else { u64::from(input.small()?) + 2 };
        next = start + len;
        if next > rows {
            return Err(damaged(&format!("row {} of {rows}", next - 1)));
        }
        each(start as u32, len as u32)?;
    }
    Ok(())
}

impl Input<'_> {
    /// A gap and its flag: 33 bits.
    fn small_or_gap(&mut self) -> Result<u64, IndexError> {
        self.number().and_then(|n| if n >> 33 == 0 { Ok(n) } else { Err(damaged("a gap over 32 bits")) })
    }
}

fn rice(body: &[u8], rows: u64, mut each: impl FnMut(u32, u32) -> Result<(), IndexError>) -> Result<(), IndexError> {
    let mut input = Input(body);
    let count = input.number()?;
    let mut bits = BitReader::new(input.0);
    let mut next = 0u64;
    let mut k = 0;
    for at in 0..count {
        if at % RICE_BLOCK as u64 == 0 {
            bits.fill();
            k = bits.take(RICE_K_BITS) as u32;
        }
        bits.fill();
        let ones = bits.buffer.trailing_ones().min(RICE_ONES_MAX);
        let gap = if ones < RICE_ONES_MAX {
            bits.take(ones + 1);
            bits.fill();
            u64::from(ones) << k | bits.take(k)
        } else {
            bits.take(ones);
            bits.fill();
            bits.take(32)
        };
        let row = next + gap;
        next = row + 1;
        if next > rows || bits.is_over() {
            return Err(damaged(&format!("row {row} of {rows}")));
        }
        each(row as u32, 1)?;
    }
    Ok(())
}

fn damaged(what: &str) -> IndexError {
    IndexError::Corrupt(format!("{what} in a list of rows"))
}

/// Rows of many lists, made into one set.
pub(crate) struct Union {
    rows: u64,
    /// The rows, in any order, as long as they are few.
    few: Vec<u32>,
    /// After that one bit a row, so that no order is needed.
    bits: Vec<u8>,
}

impl Union {
    pub(crate) fn new(rows: u64) -> Self {
        Self { rows, few: Vec::new(), bits: Vec::new() }
    }

    /// Adds an encoded list of about `count` rows; how many it has.
    pub(crate) fn add(&mut self, list: &[u8], count: u64, stop: Stop<'_>) -> Result<u64, IndexError> {
        let rows = self.rows;
        if self.is_few(count) {
            let few = &mut self.few;
            return decode(list, rows, stop, |start, len| few.extend(start..start + len));
        }
        let bits = &mut self.bits;
        decode(list, rows, stop, |start, len| set(bits, start, len))
    }

    /// Adds the rows of a list of blocks of `block` rows each.
    pub(crate) fn add_blocks(&mut self, list: &[u8], block: u32, stop: Stop<'_>) -> Result<(), IndexError> {
        self.is_few(u64::MAX);
        let (rows, bits) = (self.rows, &mut self.bits);
        let blocks = rows.div_ceil(block.into());
        decode(list, blocks, stop, |start, len| {
            let end = (u64::from(start + len) * u64::from(block)).min(rows);
            let start = u64::from(start) * u64::from(block);
            set(bits, start as u32, (end - start) as u32);
        })?;
        Ok(())
    }

    /// Adds consecutive rows.
    pub(crate) fn add_range(&mut self, range: Range<u32>) {
        let range = range.start..u64::from(range.end).min(self.rows) as u32;
        if range.is_empty() {
        } else if self.is_few(range.len() as u64) {
            self.few.extend(range);
        } else {
            set(&mut self.bits, range.start, range.len() as u32);
        }
    }

    /// Whether the rows are few with so many more; when not, `bits` is ready.
    fn is_few(&mut self, more: u64) -> bool {
        if !self.bits.is_empty() {
            return false;
        }
        if (self.few.len() as u64).saturating_add(more) <= FEW_MIN + self.rows / FEW_SHARE {
            return true;
        }
        self.bits = vec![0; self.rows.div_ceil(8) as usize];
        for row in std::mem::take(&mut self.few) {
            set(&mut self.bits, row, 1);
        }
        false
    }

    pub(crate) fn finish(mut self) -> RoaringBitmap {
        if !self.bits.is_empty() {
            return RoaringBitmap::from_lsb0_bytes(0, &self.bits);
        }
        self.few.sort_unstable();
        self.few.dedup();
        // Sorted and without doubles, which is all that is asked.
        RoaringBitmap::from_sorted_iter(self.few).unwrap_or_default()
    }
}

/// Sets the bits of rows that are known to be below the length.
fn set(bits: &mut [u8], start: u32, len: u32) {
    if len == 1 {
        bits[start as usize / 8] |= 1 << (start % 8);
        return;
    }
    let (mut at, end) = (start as usize, (start + len) as usize);
    while at < end && at % 8 != 0 {
        bits[at / 8] |= 1 << (at % 8);
        at += 1;
    }
    if at < end {
        let whole = (end - at) / 8;
        bits[at / 8..at / 8 + whole].fill(0xff);
        at += whole * 8;
    }
    while at < end {
        bits[at / 8] |= 1 << (at % 8);
        at += 1;
    }
}

/// One encoded list as a set.
pub(crate) fn bitmap(list: &[u8], rows: u64, stop: Stop<'_>) -> Result<RoaringBitmap, IndexError> {
    let mut singles = Vec::new();
    let mut out = RoaringBitmap::new();
    let mut in_order = true;
    decode(list, rows, stop, |start, len| {
        if len < 16 {
            singles.extend(start..start + len);
        } else {
            in_order &= out.append(singles.drain(..)).is_ok();
            out.insert_range(start..start + len);
        }
    })?;
    in_order &= out.append(singles).is_ok();
    if in_order { Ok(out) } else { Err(damaged("numbers out of order")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn check(rows: &[u32]) -> usize {
        let total = rows.last().map_or(1, |last| u64::from(*last) + 1);
        let built: RowsBuilder = rows.iter().copied().collect();
        assert_eq!((built.to_vec(), built.len() as usize), (rows.to_vec(), rows.len()));
        let mut list = Vec::new();
        built.encode(&mut list);
        let mut found = Vec::new();
        decode(&list, total, &|| false, |start, len| found.extend(start..start + len)).unwrap();
        assert_eq!(found, rows);
        let set: RoaringBitmap = rows.iter().copied().collect();
        for count in [rows.len() as u64, u64::MAX] {
            let mut union = Union::new(total);
            union.add(&list, count, &|| false).unwrap();
            assert_eq!(union.finish(), set);
        }
        assert_eq!(bitmap(&list, total, &|| false).unwrap(), set);
        assert!(rows.is_empty() || decode(&list, total - 1, &|| false, |_, _| ()).is_err());
        list.len()
    }

    /// Some rows, with long runs among them.
    fn rows() -> impl Strategy<Value = BTreeSet<u32>> {
        let runs = proptest::collection::vec((0u32..300, 1u32..20), 0..30);
        runs.prop_map(|runs| runs.into_iter().flat_map(|(start, len)| start..start + len).collect())
    }

    #[test]
    fn lists_of_all_shapes() {
        check(&[]);
        check(&[0]);
        check(&[7, 8, 9]);
        assert!(check(&(0..100_000).collect::<Vec<_>>()) < 6);
        assert!(check(&(0..100_000).step_by(3).collect::<Vec<_>>()) < 100_000 / 3 / 8 * 4);
        check(&(0..300).map(|n| n * 1000).chain([1 << 27]).collect::<Vec<_>>());
    }

    #[test]
    fn decoding_stops_when_told() {
        let mut list = Vec::new();
        (0..100_000).step_by(2).collect::<RowsBuilder>().encode(&mut list);
        assert!(matches!(bitmap(&list, 100_000, &|| true), Err(IndexError::Stopped)));
    }

    proptest! {
        #[test]
        fn what_goes_in_comes_out(gaps in proptest::collection::vec((0u32..8, 0u32..2_000), 0..600)) {
            let mut rows = Vec::new();
            let mut next = 0;
            for (kind, gap) in gaps {
                next += match kind { 0..4 => 0, 4..7 => gap % 9, _ => gap };
                rows.push(next);
                next += 1;
            }
            check(&rows);
        }

        #[test]
        fn lists_and_loose_rows_are_merged(own in rows(), more in rows(), asked in rows()) {
            let list: RowsBuilder = own.iter().copied().collect();
            let kept: Vec<u32> = asked.iter().copied().filter(|row| own.contains(row)).collect();
            prop_assert_eq!(list.kept(asked.iter().copied()), kept);
            let all: Vec<u32> = own.union(&more).copied().collect();
            prop_assert_eq!(list.merged(more.into_iter().rev().collect()).to_vec(), all);
        }

        #[test]
        fn damage_is_an_error_or_other_rows(bytes in proptest::collection::vec(any::<u8>(), 0..60), rows in 0u64..5000) {
            let mut last = None;
            let _ = decode(&bytes, rows, &|| false, |start, len| {
                assert!(last.is_none_or(|last| last < start) && u64::from(start) + u64::from(len) <= rows);
                last = Some(start + len - 1);
            });
        }
    }
}
