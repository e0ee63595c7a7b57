//! Filters: whether a token that looks random may be in one of a few thousand rows.
//!
//! A *page* holds [`PAGE_KEYS`] different keys of one field (a key is the hash of a token) and remembers the rows that they
//! come from, so that all pages are equally full however many tokens a row has. A page's filter is a ribbon (Dillinger and
//! Walzer, "Ribbon filter: practically smaller than Bloom and Xor", 2021): a table of cells in which each key has a start
//! and 64 coefficient bits; the cells that those select, added up without carry, give the key's fingerprint. It takes about 1.05
//! cells a key, where a Bloom filter of the same errors takes 1.44 and a xor filter 1.23. The few keys
//! that find no place are listed.
//!
//! The cells of short tokens are 8 bits of fingerprint: one page in 256 is looked at in vain. Long tokens are ids that people look
//! for one at a time, and a trace id is in every fifth row, so that a page of them has 10,000 rows: their cells have 16 bits, of
//! which 10 are fingerprint and 6 say in which of [`PARTS`] of the page's rows the key is, the least one that has all its rows.
//! A key in places far apart is several keys, see [`LINKS_MAX`]. With 16 bits of fingerprint the 12 rows of a trace among 2 million
//! left 114,000 to look at, with the parts 3,900, and the 64 times as many wrong pages of other ids cost 320 rows each.
//!
//! [`BUNDLE_PAGES`] pages are one *bundle*, laid out cell by cell: first the first cells of all pages, then the second
//! ones. All pages of a bundle have as many cells, so a key has the same place in each, and a lookup reads one stretch of 4 KiB
//! for 64 pages instead of 64 places.

use std::ops::Range;

use crate::pack::{Output, Span};
use crate::varint::{self, Input};
use crate::{IndexError, Stop, table};

/// Different keys of a full page. Fewer would make pages of fewer rows and so cheaper to verify, and more of the bits
/// overhead: 64 cells of [`RIBBON_BITS`] are 3 % of this.
pub(crate) const PAGE_KEYS: usize = 2048;

/// Pages of a full bundle: one cache line of 8-bit cells.
const BUNDLE_PAGES: usize = 64;

/// Coefficients of a key.
const RIBBON_BITS: usize = 64;

/// A page's rows are cut into so many leaves: the 320 rows of one are on one page of the columns or two.
const LEAVES: u32 = 32;

/// The parts: for each width in leaves one part at every so many leaves. Parts of a width overlap, so that a key in two
/// rows close together is never in a much wider part because a border happens to be between them.
const PARTS: [(u32, u32); 5] = [(1, 1), (4, 2), (8, 4), (16, 4), (LEAVES, LEAVES)];

/// How many parts there are of a width.
const fn parts((width, stride): (u32, u32)) -> u32 {
    (LEAVES - width) / stride + 1
}

/// Bits of a wide cell that say the part; four of the 64 numbers stand for none.
const PART_BITS: u32 = 6;

/// Rows between two with a key that are still taken for one place. A page of trace ids has 10,000 rows, and where streams are
/// small, a trace is in several of them.
const NEAR_ROWS: u32 = 512;

/// Most places in a page that a key has; the last has all further ones too.
const LINKS_MAX: usize = 4;

/// The key that stands for another one in its next place in the page.
fn next_key(key: u64) -> u64 {
    table::mix(!key).max(1)
}

/// The part of a listed key of a narrow page.
const NO_PART: u8 = u8::MAX;

/// Tokens of at least this many bytes have wide cells.
const WIDE_TOKEN_BYTES_MIN: usize = 20;

/// Most bundles of a file; 2^32 rows with a thousand tokens each would be fewer.
const BUNDLES_MAX: u64 = 1 << 26;

/// The field of a page with keys of many.
pub(crate) const MIXED: u32 = u32::MAX;

/// Bytes of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Width {
    Narrow,
    Wide,
}

impl Width {
    pub(crate) const ALL: [Width; 2] = [Self::Narrow, Self::Wide];

    /// The width for a token: decided by its looks alone, so that a query knows it too.
    pub(crate) fn of(token: &[u8]) -> Self {
        let wide = token.len() >= WIDE_TOKEN_BYTES_MIN || !token.iter().any(u8::is_ascii_digit);
        if wide { Self::Wide } else { Self::Narrow }
    }

    fn bytes(self) -> usize {
        self as usize + 1
    }
}

/// Cells of a page with so many keys. One part in 64 above the keys and the ribbon's own width lets all but a few keys in a
/// thousand find a place; those cost four bytes each.
fn cells(keys: usize) -> usize {
    keys + keys / 64 + RIBBON_BITS
}

/// The least part of a page's rows that has both the first and the last row of a key.
fn part_of(rows: &Range<u32>, first: u32, last: u32) -> u16 {
    let len = u64::from(rows.end - rows.start).max(1);
    let leaf = |row: u32| (u64::from(row - rows.start) * u64::from(LEAVES) / len) as u32;
    let (first, last) = (leaf(first), leaf(last));
    let mut before = 0;
    for (width, stride) in PARTS {
        let count = parts((width, stride));
        let nth = (first / stride).min(count - 1);
        if last < nth * stride + width {
            return (before + nth) as u16;
        }
        before += count;
    }
    // The last part is all rows, so this is not reached.
    (before - 1) as u16
}

/// The rows of a part; `None` when there is no such part.
fn rows_of_part(rows: &Range<u32>, part: u16) -> Option<Range<u32>> {
    let mut nth = u32::from(part);
    for (width, stride) in PARTS {
        let count = parts((width, stride));
        if nth < count {
            let len = u64::from(rows.end - rows.start);
            let at = |leaf: u32| rows.start + (u64::from(leaf) * len).div_ceil(LEAVES.into()) as u32;
            return Some(at(nth * stride)..at(nth * stride + width));
        }
        nth -= count;
    }
    None
}

/// What a key selects in a page of `cells` cells: the first cell, the coefficients and the fingerprint.
fn place(key: u64, cells: usize) -> (usize, u64, u16) {
    let starts = (cells - RIBBON_BITS + 1) as u64;
    let start = ((u128::from(key) * u128::from(starts)) >> 64) as usize;
    let mixed = table::mix(key);
    (start, mixed | 1, table::mix(mixed) as u16)
}

/// Keys of one field on their way into a page.
pub(crate) struct PageKeys {
    width: Width,
    /// Open addressing, at most half full; 0 is no key.
    set: Vec<u64>,
    /// First and last row of each key of `set`; wide pages only.
    spans: Vec<(u32, u32)>,
    len: usize,
    rows: Option<Range<u32>>,
}

impl PageKeys {
    pub(crate) fn new(width: Width) -> Self {
        Self { width, set: Vec::new(), spans: Vec::new(), len: 0, rows: None }
    }

    /// Adds the key of a row; whether the page is full now. When the row is far from the last one with the key, another key
    /// stands for it, see [`next_key`].
    pub(crate) fn add(&mut self, key: u64, row: u32) -> bool {
        let mut key = key.max(1);
        for _ in 1..LINKS_MAX {
            match self.last_row(key) {
                Some(last) if row > last.saturating_add(NEAR_ROWS) => key = next_key(key),
                _ => break,
            }
        }
        self.add_span(key, (row, row))
    }

    /// The last row of a key of a wide page.
    fn last_row(&self, key: u64) -> Option<u32> {
        let mask = self.spans.len().checked_sub(1)?;
        let mut at = key as usize & mask;
        while self.set[at] != 0 && self.set[at] != key {
            at = (at + 1) & mask;
        }
        (self.set[at] == key).then(|| self.spans[at].1)
    }

    /// Adds a key that is in a first row, in a last one and perhaps in some between. Keys that [`Self::add`] made follow the
    /// one that they were made of: they must go to the same page.
    pub(crate) fn add_span(&mut self, key: u64, span: (u32, u32)) -> bool {
        let key = key.max(1);
        if (self.len + 1) * 2 > self.set.len() {
            self.grow();
        }
        self.len += usize::from(self.place(key, span));
        let (first, last) = span;
        self.rows =
            Some(self.rows.take().map_or(first..last + 1, |rows| rows.start.min(first)..rows.end.max(last + 1)));
        self.len >= PAGE_KEYS
    }

    fn grow(&mut self) {
        let slots = (self.set.len() * 2).max(64);
        let set = std::mem::replace(&mut self.set, vec![0; slots]);
        let wide_slots = if self.width == Width::Wide { slots } else { 0 };
        let spans = std::mem::replace(&mut self.spans, vec![(0, 0); wide_slots]);
        for (at, key) in set.into_iter().enumerate().filter(|(_, key)| *key != 0) {
            self.place(key, spans.get(at).copied().unwrap_or_default());
        }
    }

    /// Whether the key is new.
    fn place(&mut self, key: u64, (first, last): (u32, u32)) -> bool {
        let mask = self.set.len() - 1;
        let mut at = key as usize & mask;
        while self.set[at] != 0 && self.set[at] != key {
            at = (at + 1) & mask;
        }
        let is_new = std::mem::replace(&mut self.set[at], key) == 0;
        if let Some(span) = self.spans.get_mut(at) {
            *span = if is_new { (first, last) } else { (span.0.min(first), span.1.max(last)) };
        }
        is_new
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The rows of the keys.
    fn rows(&self) -> Range<u32> {
        self.rows.clone().unwrap_or_default()
    }

    /// The keys, each with a first and a last row, as far as that is known.
    pub(crate) fn spans(&self) -> impl Iterator<Item = (u64, (u32, u32))> {
        let all = self.rows();
        let all = (all.start, all.end.saturating_sub(1));
        let span = move |at| self.spans.get(at).copied().unwrap_or(all);
        self.set.iter().enumerate().filter(|(_, key)| **key != 0).map(move |(at, key)| (*key, span(at)))
    }

    pub(crate) fn clear(&mut self) {
        self.set.fill(0);
        self.len = 0;
        self.rows = None;
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.set.capacity() * size_of::<u64>() + self.spans.capacity() * size_of::<(u32, u32)>()
    }
}

/// Makes the filters of a file: pages are added as they fill, in any order of fields and rows.
#[derive(Default)]
pub(crate) struct FilterBuilder {
    bundles: [Bundle; 2],
    /// Finished bundles, in the order of `directory`. Each is an allocation of its own, so that none is ever moved or has room
    /// to spare.
    finished: Vec<Vec<u8>>,
    directory: Vec<u8>,
    count: u64,
    ribbon: Ribbon,
}

/// What the directory says of a page.
#[derive(Clone, Debug)]
struct Page {
    field: u32,
    rows: Range<u32>,
    /// Upper halves of the keys that are not in the cells, and their parts.
    listed: Vec<(u32, u8)>,
}

#[derive(Default)]
struct Bundle {
    cells: usize,
    pages: Vec<Page>,
    /// As the file has them, but always with room for [`BUNDLE_PAGES`] pages.
    planes: Vec<u8>,
}

impl FilterBuilder {
    /// Makes a page of the keys and empties them.
    pub(crate) fn page(&mut self, field: u32, keys: &mut PageKeys) {
        let width = keys.width;
        let cells = cells(keys.len());
        if cells != self.bundles[width as usize].cells {
            self.end_bundle(width);
        }
        let rows = keys.rows();
        let value = |(key, (first, last))| match width {
            Width::Narrow => (key, None),
            Width::Wide => (key, Some(part_of(&rows, first, last))),
        };
        let listed = self.ribbon.solve(keys.spans().map(value), cells, width);
        let bundle = &mut self.bundles[width as usize];
        bundle.cells = cells;
        bundle.planes.resize(cells * width.bytes() * BUNDLE_PAGES, 0);
        let page = bundle.pages.len();
        let columns = bundle.planes.chunks_exact_mut(BUNDLE_PAGES * width.bytes());
        for (column, cell) in columns.zip(&self.ribbon.solution) {
            // A wide cell is two planes: the low bytes of all pages, then the high ones.
            for (plane, byte) in column.chunks_exact_mut(BUNDLE_PAGES).zip(cell.to_le_bytes()) {
                plane[page] = byte;
            }
        }
        bundle.pages.push(Page { field, rows, listed });
        if bundle.pages.len() == BUNDLE_PAGES {
            self.end_bundle(width);
        }
        keys.clear();
    }

    fn end_bundle(&mut self, width: Width) {
        let bundle = std::mem::take(&mut self.bundles[width as usize]);
        if bundle.pages.is_empty() {
            return;
        }
        self.count += 1;
        let directory = &mut self.directory;
        varint::put(directory, (bundle.pages.len() as u64) << 1 | width as u64);
        varint::put(directory, bundle.cells as u64);
        for Page { field, rows, listed } in &bundle.pages {
            varint::put(directory, if *field == MIXED { 0 } else { u64::from(*field) + 1 });
            varint::put(directory, rows.start.into());
            varint::put(directory, (rows.end - rows.start).into());
            varint::put(directory, listed.len() as u64);
            for (key, part) in listed {
                directory.extend_from_slice(&key.to_le_bytes());
                directory.push(*part);
            }
        }
        let pages = bundle.pages.len();
        self.finished.push(match pages {
            BUNDLE_PAGES => bundle.planes,
            _ => bundle.planes.chunks_exact(BUNDLE_PAGES).flat_map(|plane| &plane[..pages]).copied().collect(),
        });
    }

    /// Bytes in memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let bundles: usize = self.bundles.iter().map(|bundle| bundle.planes.capacity()).sum();
        bundles + self.finished.iter().map(Vec::capacity).sum::<usize>() + self.directory.capacity()
    }

    /// Ends the last bundles; the directory.
    fn end(&mut self) -> Vec<u8> {
        Width::ALL.into_iter().for_each(|width| self.end_bundle(width));
        let mut directory = Vec::with_capacity(self.directory.len() + 10);
        varint::put(&mut directory, self.count);
        directory.extend_from_slice(&self.directory);
        directory
    }

    /// Writes the directory and the cells.
    pub(crate) fn write(mut self, out: &mut Output<'_>) -> Result<[Span; 2], IndexError> {
        let directory = out.append(&self.end())?;
        let start = out.len();
        for planes in self.finished {
            out.append(&planes)?;
        }
        Ok([directory, out.since(start)])
    }
}

/// Solves the equations of a page by Gaussian elimination in a band.
#[derive(Default)]
struct Ribbon {
    /// For each cell the row of the matrix that begins there, and its right side; 0 is none.
    band: Vec<(u64, u16)>,
    solution: Vec<u16>,
}

impl Ribbon {
    /// Fills `solution`; returns the upper halves of the keys that found no place, and their parts.
    fn solve(&mut self, keys: impl Iterator<Item = (u64, Option<u16>)>, cells: usize, width: Width) -> Vec<(u32, u8)> {
        self.band.clear();
        self.band.resize(cells, (0, 0));
        let left = keys.filter(|(key, part)| !self.insert(*key, *part, cells));
        let left = left.map(|(key, part)| ((key >> 32) as u32, part.map_or(NO_PART, |part| part as u8))).collect();
        self.solution.clear();
        self.solution.resize(cells, 0);
        // From the last cell back: bit `n` of `columns[b]` is bit `b` of the cell `n` further on.
        let mut columns = [[0u64; 8]; 2];
        for (&(coefficients, want), cell) in self.band.iter().zip(&mut self.solution).rev() {
            for (plane, columns) in columns.iter_mut().enumerate().take(width.bytes()) {
                columns.iter_mut().for_each(|column| *column <<= 1);
                // A cell that no key is about is free: 0.
                if coefficients != 0 {
                    let value = (want >> (8 * plane)) as u8 ^ parities(columns, coefficients);
                    for (bit, column) in columns.iter_mut().enumerate() {
                        *column |= u64::from(value >> bit & 1);
                    }
                    *cell |= u16::from(value) << (8 * plane);
                }
            }
        }
        left
    }

    /// Adds the equation of a key, whose cells give its fingerprint or, of wide cells, the top of it and the part.
    fn insert(&mut self, key: u64, part: Option<u16>, cells: usize) -> bool {
        let (mut at, mut coefficients, fingerprint) = place(key, cells);
        let mut want = part.map_or(fingerprint, |part| fingerprint >> PART_BITS << PART_BITS | part);
        loop {
            let (known, sum) = self.band[at];
            if known == 0 {
                self.band[at] = (coefficients, want);
                return true;
            }
            coefficients ^= known;
            want ^= sum;
            if coefficients == 0 {
                return want == 0;
            }
            let skip = coefficients.trailing_zeros();
            at += skip as usize;
            coefficients >>= skip;
        }
    }
}

/// For each column whether an odd number of its bits that `mask` selects is set. All eight are folded together, for counting
/// bits takes a dozen instructions where the processor is not known to do it in one.
fn parities(columns: &[u64; 8], mask: u64) -> u8 {
    const HALVES: u64 = 0x0000_0000_ffff_ffff;
    const QUARTERS: u64 = 0x0000_ffff_0000_ffff;
    const BYTES: u64 = 0x00ff_00ff_00ff_00ff;
    let [a, b, c, d, e, f, g, h] = columns.map(|column| column & mask);
    let fold =
        |low: u64, high: u64, shift: u32, keep: u64| ((low ^ low >> shift) & keep) | ((high ^ high << shift) & !keep);
    let (ae, bf) = (fold(a, e, 32, HALVES), fold(b, f, 32, HALVES));
    let (cg, dh) = (fold(c, g, 32, HALVES), fold(d, h, 32, HALVES));
    let (aceg, bdfh) = (fold(ae, cg, 16, QUARTERS), fold(bf, dh, 16, QUARTERS));
    let mut all = fold(aceg, bdfh, 8, BYTES);
    all ^= all >> 4;
    all ^= all >> 2;
    all ^= all >> 1;
    // The lowest bit of each byte, gathered in the highest byte.
    ((all & 0x0101_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56) as u8
}

/// The filters of a file: which pages there are. The cells stay in the file.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    bundles: Vec<BundleEntry>,
    pages: Vec<Page>,
}

#[derive(Debug)]
struct BundleEntry {
    width: Width,
    cells: usize,
    /// Its pages among all.
    pages: Range<usize>,
    /// Where its cells are.
    offset: u64,
}

impl Filters {
    /// Reads the directory; `len` is the length of the cells, `rows` that of the segment.
    pub(crate) fn read(directory: &[u8], len: u64, rows: u64) -> Result<Self, IndexError> {
        let mut input = Input(directory);
        let mut out = Self::default();
        let mut offset = 0;
        let count = input.number()?;
        if count > BUNDLES_MAX {
            return Err(damaged(format!("{count} bundles")));
        }
        for _ in 0..count {
            let head = input.number()?;
            let width = Width::ALL[head as usize & 1];
            let pages = head >> 1;
            let cells = input.small()? as usize;
            if pages == 0 || pages > BUNDLE_PAGES as u64 || cells < RIBBON_BITS {
                return Err(damaged(format!("a bundle of {pages} pages and {cells} cells")));
            }
            let first = out.pages.len();
            for _ in 0..pages {
                let field = u32::try_from(input.number()?.wrapping_sub(1)).unwrap_or(MIXED);
                let start = input.number()?;
                let end = start.saturating_add(input.number()?);
                if end > rows {
                    return Err(damaged(format!("a page of rows {start} to {end} of {rows}")));
                }
                let rows = start as u32..u32::try_from(end).unwrap_or(u32::MAX);
                let count = input.count()?;
                let listed = input.bytes(count.saturating_mul(size_of::<u32>() + 1))?.as_chunks().0;
                let listed =
                    listed.iter().map(|[a, b, c, d, part]| (u32::from_le_bytes([*a, *b, *c, *d]), *part)).collect();
                out.pages.push(Page { field, rows, listed });
            }
            out.bundles.push(BundleEntry { width, cells, pages: first..out.pages.len(), offset });
            offset += pages * cells as u64 * width.bytes() as u64;
        }
        if offset != len || !input.is_empty() {
            return Err(damaged(format!("{offset} bytes of cells of {len}")));
        }
        Ok(out)
    }

    /// Calls `each` with the rows of the pages that may have the key of the field. `read` reads cells.
    pub(crate) fn lookup<B: AsRef<[u8]>>(
        &self,
        field: u32,
        (width, key): (Width, u64),
        stop: Stop<'_>,
        mut read: impl FnMut(Range<u64>) -> Result<B, IndexError>,
        mut each: impl FnMut(Range<u32>),
    ) -> Result<(), IndexError> {
        for bundle in &self.bundles {
            let pages = &self.pages[bundle.pages.clone()];
            // Mixed pages cover many rows, so they are wide whatever is in them.
            let is_mixed = |page: &Page| page.field == MIXED && bundle.width == Width::Wide;
            let is_own = |page: &&Page| page.field == field && bundle.width == width || is_mixed(page);
            if !pages.iter().any(|page| is_own(&page)) {
                continue;
            }
            if stop() {
                return Err(IndexError::Stopped);
            }
            let sums = bundle.sums(key.max(1), &mut read)?;
            for (nth, page) in pages.iter().enumerate().filter(|(_, page)| is_own(page)) {
                let mut key = key.max(1);
                let mut found = bundle.rows(page, nth, key, &sums, &mut each);
                for _ in 1..LINKS_MAX {
                    if !found || bundle.width == Width::Narrow {
                        break;
                    }
                    key = next_key(key);
                    found = bundle.rows(page, nth, key, &bundle.sums(key, &mut read)?, &mut each);
                }
            }
        }
        Ok(())
    }
}

impl BundleEntry {
    /// What the cells that a key selects add up to, in each page: the low bytes of all, then the high ones.
    fn sums<B: AsRef<[u8]>>(
        &self,
        key: u64,
        read: &mut impl FnMut(Range<u64>) -> Result<B, IndexError>,
    ) -> Result<[u8; 2 * BUNDLE_PAGES], IndexError> {
        let (start, coefficients, _) = place(key, self.cells);
        let stride = self.pages.len() * self.width.bytes();
        let from = self.offset + (start * stride) as u64;
        let cells = read(from..from + (RIBBON_BITS * stride) as u64)?;
        let mut sums = [0u8; 2 * BUNDLE_PAGES];
        for (nth, cell) in cells.as_ref().chunks_exact(stride).enumerate() {
            // All ones or none, so that there is no branch to mispredict.
            let mask = 0u8.wrapping_sub((coefficients >> nth & 1) as u8);
            for (sum, byte) in sums[..stride].iter_mut().zip(cell) {
                *sum ^= byte & mask;
            }
        }
        Ok(sums)
    }

    /// Calls `each` with the rows of a page that may have the key; whether there are any.
    fn rows(&self, page: &Page, nth: usize, key: u64, sums: &[u8], each: &mut impl FnMut(Range<u32>)) -> bool {
        let (_, _, fingerprint) = place(key, self.cells);
        let mut found = false;
        for (_, part) in page.listed.iter().filter(|(listed, _)| u64::from(*listed) == key >> 32) {
            found = true;
            each(rows_of_part(&page.rows, (*part).into()).unwrap_or(page.rows.clone()));
        }
        let rows = match self.width {
            Width::Narrow => (sums[nth] == fingerprint as u8).then(|| page.rows.clone()),
            Width::Wide => {
                let sum = u16::from_le_bytes([sums[nth], sums[self.pages.len() + nth]]);
                let is_key = sum >> PART_BITS == fingerprint >> PART_BITS;
                is_key.then(|| rows_of_part(&page.rows, sum & ((1 << PART_BITS) - 1))).flatten()
            }
        };
        found |= rows.is_some();
        rows.into_iter().for_each(each);
        found
    }
}

fn damaged(what: String) -> IndexError {
    IndexError::Corrupt(format!("{what} in the filters"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Adds a key and makes a page of a full set.
    fn add(filters: &mut FilterBuilder, keys: &mut PageKeys, key: u64, row: u32) {
        if keys.add(key, row) {
            filters.page(7, keys);
        }
    }

    #[test]
    fn a_key_is_found_and_others_hardly_ever() {
        for (width, errors_max) in [(Width::Narrow, 1.3 / 256.0), (Width::Wide, 1.3 / 1024.0)] {
            let (mut filters, mut keys) = (FilterBuilder::default(), PageKeys::new(width));
            let rows = 400_000u32;
            let key = |row: u32| table::mix(u64::from(row / 2));
            (0..rows).for_each(|row| add(&mut filters, &mut keys, key(row), row));
            if !keys.is_empty() {
                let mut mixed = PageKeys::new(Width::Wide);
                keys.spans().for_each(|(key, span)| assert!(!mixed.add_span(key, span)));
                filters.page(MIXED, &mut mixed);
            }
            let (directory, cells) = (filters.end(), filters.finished.concat());
            let bits = cells.len() as f64 * 8.0 / f64::from(rows / 2);
            assert!(bits < 8.6 * width.bytes() as f64, "{bits} bits a key");
            let filters = Filters::read(&directory, cells.len() as u64, rows.into()).unwrap();
            let lookup = |field, key| {
                let mut found = Vec::new();
                let read = |range: Range<u64>| Ok(&cells[range.start as usize..range.end as usize]);
                filters.lookup(field, (width, key), &|| false, read, |rows| found.push(rows)).unwrap();
                found
            };
            for row in (0..rows).step_by(97) {
                let found = lookup(7, key(row));
                assert!(found.iter().any(|rows| rows.contains(&row)), "row {row}: {found:?}");
            }
            let rows_found: usize =
                (0..rows).step_by(997).flat_map(|row| lookup(7, key(row))).map(|rows| rows.len()).sum();
            assert!(width == Width::Narrow || rows_found < 402 * 200, "{rows_found} rows");
            let wrong: usize = (0..2000).map(|n| lookup(7, table::mix(1 << 40 | n)).len()).sum();
            let rate = wrong as f64 / 2000.0 / filters.pages.len() as f64;
            assert!(rate < errors_max, "{rate} of the pages were wrong");
            let mixed = filters.pages.iter().filter(|page| page.field == MIXED).count();
            assert!(lookup(8, key(0)).len() <= mixed && mixed == 1, "{mixed} mixed pages");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_row_of_a_key_is_found(
            rows in proptest::collection::vec((0u64..40, any::<u64>(), 0u32..90), 1..9000), wide in any::<bool>(), mixed in any::<bool>(),
        ) {
            let width = Width::ALL[usize::from(wide)];
            let (mut filters, mut keys) = (FilterBuilder::default(), PageKeys::new(width));
            let mut last = 0;
            let rows = rows.into_iter().map(|(kind, key, gap)| {
                last += gap;
                (if kind < 20 { kind } else { key }, last)
            });
            let rows: Vec<(u64, u32)> = rows.collect();
            rows.iter().for_each(|(key, row)| add(&mut filters, &mut keys, table::mix(*key), *row));
            if mixed {
                let mut page = PageKeys::new(Width::Wide);
                keys.spans().for_each(|(key, span)| assert!(!page.add_span(key, span)));
                filters.page(MIXED, &mut page);
            } else if !keys.is_empty() {
                filters.page(7, &mut keys);
            }
            let (directory, cells) = (filters.end(), filters.finished.concat());
            let filters = Filters::read(&directory, cells.len() as u64, u64::from(last) + 1).unwrap();
            for (key, row) in rows.iter().step_by(1 + rows.len() / 500) {
                let mut found = false;
                let read = |range: Range<u64>| Ok(&cells[range.start as usize..range.end as usize]);
                filters.lookup(7, (width, table::mix(*key)), &|| false, read, |rows| found |= rows.contains(row)).unwrap();
                prop_assert!(found, "row {} of {}", row, key);
            }
        }

        #[test]
        fn a_part_has_the_rows_of_its_key(start in 0u32..1000, len in 1u32..50_000, a in 0u32..50_000, b in 0u32..50_000) {
            let (a, b) = (start + a % len, start + b % len);
            let rows = start..start + len;
            let part = rows_of_part(&rows, part_of(&rows, a.min(b), a.max(b))).unwrap();
            prop_assert!(part.contains(&a) && part.contains(&b) && rows.start <= part.start && part.end <= rows.end);
            let one = rows_of_part(&rows, part_of(&rows, a, a)).unwrap();
            prop_assert!(one.len() as u32 <= len.div_ceil(LEAVES));
        }
    }

    #[test]
    fn parities_are_those_of_each_column() {
        for seed in 0..200u64 {
            let columns: [u64; 8] = std::array::from_fn(|at| table::mix(seed * 8 + at as u64));
            let mask = table::mix(!seed);
            let naive = (0..8).map(|at| ((columns[at] & mask).count_ones() as u8 & 1) << at).sum::<u8>();
            assert_eq!(parities(&columns, mask), naive);
        }
    }

    #[test]
    fn a_damaged_directory_is_an_error_or_another_one() {
        let (mut filters, mut keys) = (FilterBuilder::default(), PageKeys::new(Width::Wide));
        (0..9000).for_each(|row| add(&mut filters, &mut keys, table::mix(row.into()), row));
        let (directory, cells) = (filters.end(), filters.finished.concat());
        for at in 0..directory.len() * 8 {
            let mut bad = directory.clone();
            bad[at / 8] ^= 1 << (at % 8);
            if let Ok(filters) = Filters::read(&bad, cells.len() as u64, 9000) {
                let read = |range: Range<u64>| Ok(&cells[range.start as usize..range.end as usize]);
                filters.lookup(7, (Width::Wide, 5), &|| false, read, |rows| assert!(rows.end <= 9000)).unwrap();
            }
        }
        assert!(Filters::read(&directory, cells.len() as u64 - 1, 9000).is_err());
    }
}
