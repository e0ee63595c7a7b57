//! An open data page: its levels, its values, and how far it was read.

use std::ops::Range;

use arrow_buffer::{BooleanBuffer, NullBuffer};
use bytes::Bytes;

use super::dictionary::Dictionary;
use super::header::{PageEncoding, PageHeader, PageKind};
use super::inflate::inflate;
use super::levels::{Levels, Nested};
use super::out::Out;
use super::values::Values;
use super::{Checked, Damage};

/// One wanted row of so many is reason to decode all rows between and to drop the others: that is 2 ns a row, and going to
/// each run of rows 40.
const SPARSE_ROWS: usize = 6;

/// Types of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ValueKind {
    /// Eight bytes, of integers or floating point.
    Number,
    Flag,
    Text,
}

/// What a file says of a leaf column.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeafShape {
    pub(super) kind: ValueKind,
    /// Definition level of a value.
    pub(super) max_definition: u8,
    /// Of a repeated leaf: the definition level of a list without values. One less is a null list.
    pub(super) list_definition: Option<u8>,
}

/// A data page that is being read, or none, where `rows` is empty.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// The rows of it, counted in the row group.
    pub(super) rows: Range<u64>,
    /// The row that is read next.
    pub(super) next_row: u64,
    body: Body,
    levels: Levels,
    values: Values,
}

/// The bytes of the values: as they are in the file, or decompressed into a buffer that stays for the next page.
#[derive(Debug, Default)]
struct Body {
    stored: Bytes,
    inflated: Vec<u8>,
    is_inflated: bool,
    /// Where the values begin.
    start: usize,
}

impl Body {
    fn values(&self) -> &[u8] {
        let bytes = if self.is_inflated { &self.inflated[..] } else { &self.stored[..] };
        bytes.get(self.start..).unwrap_or_default()
    }
}

/// The header of a page, and its bytes without compression.
pub(super) struct Opened {
    pub(super) header: PageHeader,
    body: Body,
    /// The repetition levels and the definition levels of a version 2 page.
    levels: Bytes,
}

impl Opened {
    /// Parses the header of a page and decompresses what is compressed, into the given buffer.
    pub(super) fn new(page: &Bytes, is_zstd: bool, buffer: Vec<u8>) -> Checked<Self> {
        let header = PageHeader::parse(page)?;
        let end = header.header_bytes.checked_add(header.stored_bytes).filter(|end| *end <= page.len());
        let end = end.ok_or_else(|| {
            let (stored, len) = (header.stored_bytes, page.len());
            Damage::new(format!("its header claims {stored} bytes, and the page index {len}"))
        })?;
        let level_bytes = match header.kind {
            PageKind::DataV2 => header.repetition_bytes.saturating_add(header.definition_bytes),
            PageKind::DataV1 | PageKind::Dictionary => 0,
        };
        if level_bytes > header.stored_bytes || level_bytes > header.inflated_bytes {
            return Err(Damage::of("its levels are longer than itself"));
        }
        let split = header.header_bytes + level_bytes;
        let levels = page.slice(header.header_bytes..split);
        let mut body = Body { stored: page.slice(split..end), inflated: buffer, is_inflated: false, start: 0 };
        let inflated_bytes = header.inflated_bytes - level_bytes;
        if is_zstd && header.is_compressed && inflated_bytes > 0 {
            inflate(&body.stored, inflated_bytes, &mut body.inflated)?;
            body.is_inflated = true;
        }
        Ok(Self { header, body, levels })
    }

    /// The bytes of the values; of version 1 the levels are before them.
    pub(super) fn values(&self) -> &[u8] {
        self.body.values()
    }

    /// Whether the values are keys of the chunk's dictionary.
    pub(super) fn needs_dictionary(&self) -> bool {
        self.header.encoding == PageEncoding::Dictionary
    }
}

impl Page {
    /// The buffer for decompression, for the next page.
    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body.inflated)
    }

    /// Opens a page of which the page index says which rows it has.
    pub(super) fn open(
        opened: Opened,
        rows: Range<u64>,
        shape: LeafShape,
        dictionary: Option<Dictionary>,
    ) -> Checked<Self> {
        let Opened { header, mut body, levels } = opened;
        let count = usize::try_from(rows.end - rows.start).unwrap_or(usize::MAX);
        let fits = header.rows.is_none_or(|rows| rows == count)
            && (shape.list_definition.is_some() || header.values == count)
            && header.kind != PageKind::Dictionary;
        if !fits {
            let values = header.values;
            return Err(Damage::new(format!("it has {values} values, and {count} rows by the page index")));
        }
        let levels = match header.kind {
            PageKind::DataV2 => Levels::of_v2(&header, &levels, shape)?,
            PageKind::DataV1 | PageKind::Dictionary => {
                let (levels, start) = Levels::of_v1(&header, body.values(), shape)?;
                body.start = start;
                levels
            }
        };
        levels.check(header.nulls, header.values, count)?;
        let dense = levels.dense(header.values);
        let values = match dictionary {
            Some(dictionary) => Values::keys(body.values(), dense, dictionary)?,
            None if dense == 0 => Values::Empty,
            None => Values::open(shape.kind, header.encoding, body.values(), dense)?,
        };
        Ok(Self { next_row: rows.start, rows, body, levels, values })
    }

    /// Steps over rows, at most those that are left.
    pub(super) fn skip(&mut self, rows: usize) -> Checked<()> {
        let dense = match &mut self.levels {
            Levels::Valid => rows,
            Levels::Null => 0,
            Levels::Flat { valid, at } => {
                let dense = valid.slice(*at, rows).count_set_bits();
                *at += rows;
                dense
            }
            Levels::Nested(nested) => nested.skip(rows),
        };
        self.next_row += rows as u64;
        self.values.skip(self.body.values(), dense)
    }

    /// Appends runs of rows, counted from the next one, which ascend.
    pub(super) fn read_runs(&mut self, runs: &[Range<usize>], out: &mut Out) -> Checked<()> {
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(()) };
        let wanted: usize = runs.iter().map(Range::len).sum();
        let is_dense = wanted * SPARSE_ROWS >= last.end - first.start;
        if runs.len() > 1 && is_dense && out.can_compact(matches!(self.values, Values::Texts(..))) {
            self.skip(first.start)?;
            let start = out.nulls.len();
            self.read(last.end - first.start, out)?;
            out.compact(start, first.start, runs, wanted);
            return Ok(());
        }
        let mut at = 0;
        for run in runs {
            if run.start > at {
                self.skip(run.start - at)?;
            }
            self.read(run.len(), out)?;
            at = run.end;
        }
        Ok(())
    }

    /// Appends rows, at most those that are left.
    fn read(&mut self, rows: usize, out: &mut Out) -> Checked<()> {
        self.next_row += rows as u64;
        match &mut self.levels {
            Levels::Valid => {
                out.nulls.append_n_non_nulls(rows);
                self.values.read(self.body.values(), rows, &mut out.values)
            }
            Levels::Null => {
                // So that batches of one row group share their dictionary, whether or not a row of them has a text.
                self.values.read(self.body.values(), 0, &mut out.values)?;
                out.nulls.append_n_nulls(rows);
                out.values.push_nulls(rows);
                Ok(())
            }
            Levels::Flat { valid, at } => {
                let valid = valid.slice(*at, rows);
                *at += rows;
                read_nullable(&mut self.values, self.body.values(), valid, out)
            }
            Levels::Nested(nested) => read_nested(nested, &mut self.values, self.body.values(), rows, out),
        }
    }
}

fn read_nullable(values: &mut Values, bytes: &[u8], valid: BooleanBuffer, out: &mut Out) -> Checked<()> {
    let valid = NullBuffer::new(valid);
    let dense = valid.len() - valid.null_count();
    values.read(bytes, dense, &mut out.values)?;
    if valid.null_count() == 0 {
        out.nulls.append_n_non_nulls(dense);
    } else {
        out.values.spread(valid.inner(), dense);
        out.nulls.append_buffer(&valid);
    }
    Ok(())
}

fn read_nested(nested: &mut Nested, values: &mut Values, bytes: &[u8], rows: usize, out: &mut Out) -> Checked<()> {
    let lists = out.lists.as_mut().ok_or(Damage::of("it repeats and its column does not"))?;
    match nested.read(rows, lists)? {
        Some(valid) => read_nullable(values, bytes, valid, out),
        None => Ok(()),
    }
}
