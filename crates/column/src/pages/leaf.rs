//! A leaf column of a file: goes to the pages that have the wanted rows, and reads them.

use std::ops::Range;
use std::sync::Arc;

use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder};
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::page_index::offset_index::PageLocation;
use parquet::file::reader::ChunkReader as _;

use super::dictionary::{Dictionaries, Dictionary};
use super::header::PageKind;
use super::out::{Lists, Out, OutKeys, OutTexts, OutValues};
use super::page::{LeafShape, Opened, Page, ValueKind};
use super::{Damage, PAGE_INFLATED_BYTES_MAX, PagesRead};
use crate::{ColumnError, Source};

/// What all columns of a read share.
#[derive(Clone, Debug)]
pub(crate) struct OpenFile {
    pub(crate) source: Source,
    pub(crate) metadata: Arc<ParquetMetaData>,
    pub(crate) dictionaries: Arc<Dictionaries>,
}

impl OpenFile {
    fn chunk(&self, group: usize, leaf: usize) -> Option<&ColumnChunkMetaData> {
        self.metadata.row_groups().get(group)?.columns().get(leaf)
    }

    fn pages(&self, group: usize, leaf: usize) -> Option<&[PageLocation]> {
        Some(self.metadata.offset_index()?.get(group)?.get(leaf)?.page_locations())
    }

    /// The bytes of a page, in one piece.
    fn bytes(&self, offset: i64, len: i64) -> Result<Bytes, ColumnError> {
        let place = u64::try_from(offset).ok().zip(usize::try_from(len).ok());
        let place = place.filter(|(_, len)| *len <= PAGE_INFLATED_BYTES_MAX);
        let (start, len) = place.ok_or_else(|| ColumnError::Corrupt(format!("a page has {len} bytes at {offset}")))?;
        self.source.get_bytes(start, len).map_err(ColumnError::parquet)
    }
}

/// A leaf column that is being read. It keeps the page that it is in, and the dictionary of the row group.
pub(super) struct Leaf {
    number: usize,
    name: String,
    shape: LeafShape,
    /// Whether its texts become keys of a dictionary.
    is_keys: bool,
    page: Page,
    /// The row group and the number of the page.
    page_at: (usize, usize),
    dictionary: Option<(usize, Dictionary)>,
    read: PagesRead,
}

impl Leaf {
    /// A leaf by its number in the file.
    pub(super) fn new(number: usize, name: String, shape: LeafShape, is_keys: bool) -> Self {
        Self {
            number,
            name,
            shape,
            is_keys,
            page: Page::default(),
            page_at: (0, 0),
            dictionary: None,
            read: PagesRead::default(),
        }
    }

    /// What was read so far, without dictionaries.
    pub(super) fn pages_read(&self) -> PagesRead {
        self.read
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads some rows of a row group, which must be after those that were read before.
    pub(super) fn read(
        &mut self,
        file: &OpenFile,
        group: usize,
        runs: &[Range<u64>],
        rows: usize,
    ) -> Result<Out, ColumnError> {
        let mut out = self.room(rows);
        let mut in_page = Vec::new();
        let (mut next, mut row) = (0, runs.first().map_or(0, |run| run.start));
        while next < runs.len() {
            self.seek(file, group, row)?;
            // A page has no more rows than it has values, which are few.
            let (start, end) = (self.page.next_row, self.page.rows.end);
            in_page.clear();
            while let Some(run) = runs.get(next).filter(|_| row < end) {
                let stop = run.end.min(end);
                in_page.push((row - start) as usize..(stop - start) as usize);
                row = stop;
                if stop == run.end {
                    next += 1;
                    row = runs.get(next).map_or(row, |run| run.start);
                }
            }
            self.page.read_runs(&in_page, &mut out).map_err(|damage| self.damaged(file, damage))?;
        }
        Ok(out)
    }

    fn room(&self, rows: usize) -> Out {
        Out {
            values: match self.shape.kind {
                ValueKind::Number => OutValues::Numbers(Vec::with_capacity(rows)),
                ValueKind::Flag => OutValues::Flags(BooleanBufferBuilder::new(rows)),
                ValueKind::Text if self.is_keys => OutValues::Keys(OutKeys::new(rows)),
                ValueKind::Text => OutValues::Texts(OutTexts::new(rows)),
            },
            nulls: NullBufferBuilder::new(rows),
            lists: self.shape.list_definition.map(|_| Lists::new(rows)),
        }
    }

    /// Goes to a row, in the page that is open or in another.
    fn seek(&mut self, file: &OpenFile, group: usize, row: u64) -> Result<(), ColumnError> {
        if self.page_at.0 != group || !self.page.rows.contains(&row) || row < self.page.next_row {
            self.open(file, group, row)?;
        }
        if row > self.page.next_row {
            let skipped = self.page.skip((row - self.page.next_row) as usize);
            skipped.map_err(|damage| self.damaged(file, damage))?;
        }
        Ok(())
    }

    /// Opens the page that has a row.
    fn open(&mut self, file: &OpenFile, group: usize, row: u64) -> Result<(), ColumnError> {
        let missing = |what: &str| ColumnError::Corrupt(format!("column {}: {what}", self.name));
        let places = file.pages(group, self.number).ok_or_else(|| missing("the file has no index of its pages"))?;
        let number = places.partition_point(|place| u64::try_from(place.first_row_index).is_ok_and(|at| at <= row));
        let number = number.checked_sub(1).ok_or_else(|| missing("the index of pages begins late"))?;
        let first = |place: &PageLocation| u64::try_from(place.first_row_index).unwrap_or(u64::MAX);
        let group_rows = file.metadata.row_groups().get(group).map_or(0, |group| group.num_rows().unsigned_abs());
        let end = places.get(number + 1).map_or(group_rows, first);
        let rows = first(&places[number])..end;
        if !rows.contains(&row) {
            return Err(missing("the index of pages contradicts itself"));
        }
        let place = &places[number];
        let bytes = file.bytes(place.offset, place.compressed_page_size.into())?;
        self.read = self.read + PagesRead { pages: 1, bytes: bytes.len() as u64 };
        self.page_at = (group, number);
        let is_zstd = self.is_zstd(file, group)?;
        let buffer = self.page.take_buffer();
        self.page.rows = 0..0;
        let opened = Opened::new(&bytes, is_zstd, buffer).map_err(|damage| self.damaged(file, damage))?;
        let dictionary = if opened.needs_dictionary() { Some(self.dictionary(file, group)?) } else { None };
        let page = Page::open(opened, rows, self.shape, dictionary);
        self.page = page.map_err(|damage| self.damaged(file, damage))?;
        Ok(())
    }

    fn is_zstd(&self, file: &OpenFile, group: usize) -> Result<bool, ColumnError> {
        match file.chunk(group, self.number).map(ColumnChunkMetaData::compression) {
            Some(Compression::UNCOMPRESSED) => Ok(false),
            Some(Compression::ZSTD(_)) => Ok(true),
            Some(other) => {
                let what =
                    format!("column {} is compressed with {other}, which this program does not write", self.name);
                Err(ColumnError::Corrupt(what))
            }
            None => Err(ColumnError::Corrupt(format!("row group {group} has no column {}", self.name))),
        }
    }

    /// The dictionary of a row group: the one in hand, the file's, or a new one from its page.
    fn dictionary(&mut self, file: &OpenFile, group: usize) -> Result<Dictionary, ColumnError> {
        if let Some((of, dictionary)) = &self.dictionary
            && *of == group
        {
            return Ok(dictionary.clone());
        }
        let dictionary = match file.dictionaries.get(group, self.number) {
            Some(dictionary) => dictionary,
            None => file.dictionaries.keep(group, self.number, self.read_dictionary(file, group)?),
        };
        self.dictionary = Some((group, dictionary.clone()));
        Ok(dictionary)
    }

    /// The dictionary page ends where the first data page begins.
    fn read_dictionary(&self, file: &OpenFile, group: usize) -> Result<Dictionary, ColumnError> {
        let damaged = |what: &str| ColumnError::Corrupt(format!("column {}: its dictionary: {what}", self.name));
        let start = file.chunk(group, self.number).and_then(ColumnChunkMetaData::dictionary_page_offset);
        let end = file.pages(group, self.number).and_then(<[_]>::first).map(|place| place.offset);
        let (start, end) = start.zip(end).ok_or_else(|| damaged("there is none"))?;
        let bytes = file.bytes(start, end.saturating_sub(start))?;
        let page = Opened::new(&bytes, self.is_zstd(file, group)?, Vec::new());
        let page = page.map_err(|damage| damaged(damage.as_str()))?;
        if page.header.kind != PageKind::Dictionary {
            return Err(damaged("there is another page in its place"));
        }
        let (encoding, values) = (page.header.encoding, page.header.values);
        let dictionary = match self.shape.kind {
            ValueKind::Text => Dictionary::texts(encoding, page.values(), values),
            ValueKind::Number => Dictionary::numbers(encoding, page.values(), values),
            ValueKind::Flag => Err(Damage::of("flags have none")),
        };
        dictionary.map_err(|damage| damaged(damage.as_str()))
    }

    /// Damage of the page that is open.
    fn damaged(&self, file: &OpenFile, damage: Damage) -> ColumnError {
        let (group, number) = self.page_at;
        let place = file.pages(group, self.number).and_then(|places| places.get(number));
        let at = place.map_or(-1, |place| place.offset);
        ColumnError::Corrupt(format!("column {}, page at byte {at}: {}", self.name, damage.as_str()))
    }
}
