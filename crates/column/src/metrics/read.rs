//! Blocks to series.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, Int64Type};
use arrow_schema::SchemaRef;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::reader::{ChunkReader as _, Length as _};

use super::seal::{self, PAGES_KEY};
use super::{Aggregate, DOWNSAMPLED, HEAD_COLUMNS, HEAD_LEAVES, Part, SCHEMA, TAIL_COLUMNS};
use crate::pages::{blobs, number_lists};
use crate::{ColumnError, Source};

/// A footer that claims to be larger than this is damaged.
const FOOTER_BYTES_MAX: u64 = 1 << 30;
/// Parquet's last bytes: the footer's length and a magic number.
const TRAILER_BYTES: u64 = 8;
const MAGIC: &[u8; 4] = b"PAR1";

/// A page in the file.
#[derive(Clone, Copy, Debug)]
struct PageAt {
    offset: u64,
    bytes: u32,
    checksum: u32,
    first_row: u32,
}

/// An open block: its pages can be read. The footer and the index of pages were checked when it was opened.
#[derive(Debug)]
pub struct SeriesFile {
    source: Source,
    rows: u32,
    parts: [Vec<PageAt>; Part::ALL.len()],
    /// Pages of labels and the other columns that every row has.
    head: Vec<PageAt>,
    /// Whether it has the columns of downsampled series.
    downsampled: bool,
}

/// What a row says of its series besides the lists.
#[derive(Debug)]
pub struct SeriesHead<'a> {
    /// Names and values, sorted by name.
    pub labels: Vec<(&'a str, &'a str)>,
    /// Time of the first sample.
    pub first_ms: i64,
    /// Time of the last sample.
    pub last_ms: i64,
    /// How many samples there are.
    pub samples: u32,
    /// Row that has the times.
    pub axis: u32,
    /// Which lists have something.
    pub parts: u32,
    /// To which resolution the series is downsampled; 0 is not at all.
    pub resolution_ms: i64,
    /// What the values of the row are.
    pub aggregate: Aggregate,
}

/// A decoded page of a list.
#[derive(Debug)]
pub struct PartPage {
    first_row: u32,
    offsets: Vec<i32>,
    numbers: Vec<i64>,
    bytes: Vec<u8>,
}

impl PartPage {
    /// The list of a row; doubles by their bits. Nothing where the page has no such row.
    pub fn numbers(&self, row: u32) -> &[i64] {
        self.range(row).and_then(|range| self.numbers.get(range)).unwrap_or_default()
    }

    /// The bytes of a row.
    pub fn bytes(&self, row: u32) -> &[u8] {
        self.range(row).and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }

    /// Bytes of memory that it takes.
    pub fn size_bytes(&self) -> usize {
        self.offsets.capacity() * 4 + self.numbers.capacity() * 8 + self.bytes.capacity()
    }

    fn range(&self, row: u32) -> Option<std::ops::Range<usize>> {
        let at = row.checked_sub(self.first_row)? as usize;
        Some(*self.offsets.get(at)? as usize..*self.offsets.get(at + 1)? as usize)
    }
}

impl SeriesFile {
    /// Reads and checks the footer and the index of pages. Gives the pairs of the footer too.
    pub fn open(source: Source) -> Result<(Self, Vec<(String, String)>), ColumnError> {
        check_footer(&source)?;
        let metadata = ParquetMetaDataReader::new()
            .with_offset_index_policy(PageIndexPolicy::Required)
            .with_column_index_policy(PageIndexPolicy::Skip)
            .parse_and_finish(&source)
            .map_err(ColumnError::parquet)?;
        let pairs = metadata.file_metadata().key_value_metadata().into_iter().flatten();
        let pairs = pairs.filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?))).collect::<Vec<_>>();
        let checksums = pairs.iter().find(|(key, _)| key == PAGES_KEY).ok_or_else(|| corrupt("no checksums"))?;
        let checksums = STANDARD.decode(&checksums.1).map_err(ColumnError::reading)?;
        let rows = metadata.file_metadata().num_rows();
        let rows = u32::try_from(rows).map_err(|_| corrupt(&format!("it claims {rows} rows")))?;
        let leaves = metadata.file_metadata().schema_descr().num_columns();
        let downsampled = leaves == HEAD_LEAVES + Part::ALL.len() + TAIL_COLUMNS.len();
        let mut file = Self { source, rows, parts: Default::default(), head: Vec::new(), downsampled };
        file.note_pages(&metadata, checksums.as_chunks().0)?;
        Ok((file, pairs))
    }

    /// Makes the tables of pages, with their checksums, which come in the order of the file.
    fn note_pages(&mut self, metadata: &ParquetMetaData, checksums: &[[u8; 4]]) -> Result<(), ColumnError> {
        let mut checksums = checksums.iter().map(|bytes| u32::from_le_bytes(*bytes));
        let mut group_row = 0u32;
        let offsets = match metadata.offset_index() {
            Some(offsets) => &offsets[..],
            None if metadata.row_groups().is_empty() => &[],
            None => return Err(corrupt("no index of pages")),
        };
        for (group, offsets) in metadata.row_groups().iter().zip(offsets) {
            for (leaf, (chunk, offsets)) in group.columns().iter().zip(offsets).enumerate() {
                let mut add = |offset: i64, bytes: i64, row: i64| -> Result<(), ColumnError> {
                    let place = u64::try_from(offset).ok().zip(u32::try_from(bytes).ok()).zip(u32::try_from(row).ok());
                    let ((offset, bytes), row) = place.ok_or_else(|| corrupt("a page is nowhere"))?;
                    let checksum = checksums.next().ok_or_else(|| corrupt("fewer checksums than pages"))?;
                    let page = PageAt { offset, bytes, checksum, first_row: group_row.saturating_add(row) };
                    let part = leaf.checked_sub(HEAD_LEAVES);
                    let pages = match part.and_then(|part| self.parts.get_mut(part)) {
                        Some(pages) => pages,
                        None if part.is_none() || self.downsampled => &mut self.head,
                        None => return Err(corrupt("too many columns")),
                    };
                    pages.push(page);
                    Ok(())
                };
                let places = offsets.page_locations();
                let first = places.first().map_or(0, |place| place.offset);
                if let Some(dictionary) = chunk.dictionary_page_offset() {
                    add(dictionary, first - dictionary, 0)?;
                }
                for place in places {
                    add(place.offset, place.compressed_page_size.into(), place.first_row_index)?;
                }
            }
            let rows = u32::try_from(group.num_rows()).ok().and_then(|rows| group_row.checked_add(rows));
            group_row = rows.ok_or_else(|| corrupt("too many rows"))?;
        }
        let ascending = |pages: &Vec<PageAt>| pages.windows(2).all(|pair| pair[0].first_row <= pair[1].first_row);
        let complete = group_row == self.rows && checksums.next().is_none() && self.parts.iter().all(ascending);
        if complete { Ok(()) } else { Err(corrupt("its index of pages makes no sense")) }
    }

    /// How many rows there are.
    pub fn rows(&self) -> u32 {
        self.rows
    }

    /// The number of the page that has a row of a part.
    pub fn page_of(&self, part: Part, row: u32) -> Result<u32, ColumnError> {
        let pages = &self.parts[part as usize];
        let after = pages.partition_point(|page| page.first_row <= row);
        let found = after.checked_sub(1).filter(|_| row < self.rows);
        found.map(|at| at as u32).ok_or(ColumnError::RowOutOfRange { row: row.into(), rows: self.rows.into() })
    }

    /// Reads, checks and decodes a page.
    pub fn page(&self, part: Part, number: u32) -> Result<PartPage, ColumnError> {
        let pages = &self.parts[part as usize];
        let page = pages.get(number as usize).ok_or_else(|| corrupt("no such page"))?;
        let end = pages.get(number as usize + 1).map_or(self.rows, |next| next.first_row);
        let rows = end.saturating_sub(page.first_row) as usize;
        let stored = self.checked(page)?;
        let mut decoded =
            PartPage { first_row: page.first_row, offsets: Vec::new(), numbers: Vec::new(), bytes: Vec::new() };
        if part == Part::Histograms {
            (decoded.offsets, decoded.bytes) = blobs(&stored, rows)?;
        } else {
            (decoded.offsets, decoded.numbers) = number_lists(&stored, rows)?;
        }
        Ok(decoded)
    }

    fn checked(&self, page: &PageAt) -> Result<Bytes, ColumnError> {
        let bytes = self.source.get_bytes(page.offset, page.bytes as usize).map_err(ColumnError::parquet)?;
        if crc32c::crc32c(&bytes) == page.checksum {
            return Ok(bytes);
        }
        Err(corrupt(&format!("the checksum of the page at byte {} does not hold", page.offset)))
    }

    /// Looks at the checksum of every page.
    pub fn verify(&self) -> Result<(), ColumnError> {
        self.head.iter().chain(self.parts.iter().flatten()).try_for_each(|page| self.checked(page).map(drop))
    }

    /// Reads what every row says of its series, in the order of the rows.
    pub fn heads(&self, mut take: impl FnMut(SeriesHead<'_>)) -> Result<(), ColumnError> {
        self.head.iter().try_for_each(|page| self.checked(page).map(drop))?;
        if self.rows == 0 {
            return Ok(());
        }
        let schema = if self.downsampled { &DOWNSAMPLED } else { &SCHEMA };
        let options = ArrowReaderOptions::new().with_schema(SchemaRef::clone(schema));
        let metadata = ArrowReaderMetadata::load(&self.source, options).map_err(ColumnError::parquet)?;
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.source.clone(), metadata);
        let lists_end = HEAD_COLUMNS.len() + Part::ALL.len();
        let wanted = (0..HEAD_COLUMNS.len()).chain(lists_end..schema.fields().len());
        let mask = ProjectionMask::roots(builder.parquet_schema(), wanted);
        let reader = builder.with_projection(mask).build().map_err(ColumnError::parquet)?;
        for batch in reader {
            take_heads(&batch.map_err(ColumnError::reading)?, &mut take)?;
        }
        Ok(())
    }
}

fn take_heads(batch: &RecordBatch, take: &mut impl FnMut(SeriesHead<'_>)) -> Result<(), ColumnError> {
    let wrong = || corrupt("its columns have other types");
    let labels = batch.column(0).as_map_opt().ok_or_else(wrong)?;
    let names = labels.keys().as_string_opt::<i32>().ok_or_else(wrong)?;
    let values = labels.values().as_string_opt::<i32>().ok_or_else(wrong)?;
    let times = |at: usize| batch.column(at).as_primitive_opt::<Int64Type>().ok_or_else(wrong);
    let counts = |at: usize| batch.column(at).as_primitive_opt::<Int32Type>().ok_or_else(wrong);
    let (first, last, samples, axis, parts) = (times(1)?, times(2)?, counts(3)?, counts(4)?, counts(5)?);
    let tail = if batch.num_columns() > HEAD_COLUMNS.len() {
        Some((times(6)?, batch.column(7).as_string_opt::<i32>().ok_or_else(wrong)?))
    } else {
        None
    };
    for row in 0..batch.num_rows() {
        let pairs = labels.value_offsets()[row] as usize..labels.value_offsets()[row + 1] as usize;
        let (resolution_ms, aggregate) = match tail {
            Some((resolutions, aggregates)) => {
                let aggregate =
                    Aggregate::parse(aggregates.value(row)).ok_or_else(|| corrupt("an unknown aggregate"))?;
                (resolutions.value(row), aggregate)
            }
            None => (0, Aggregate::Sample),
        };
        take(SeriesHead {
            labels: pairs.map(|at| (names.value(at), values.value(at))).collect(),
            first_ms: first.value(row),
            last_ms: last.value(row),
            samples: samples.value(row).unsigned_abs(),
            axis: axis.value(row).unsigned_abs(),
            parts: parts.value(row).unsigned_abs(),
            resolution_ms,
            aggregate,
        });
    }
    Ok(())
}

/// Checks what follows the pages before anything is parsed.
fn check_footer(source: &Source) -> Result<(), ColumnError> {
    let len = source.len();
    let read = |start: u64, end: u64| source.get_bytes(start, (end - start) as usize).map_err(ColumnError::parquet);
    let trailer_at = len.checked_sub(TRAILER_BYTES).ok_or_else(|| corrupt(&format!("it has only {len} bytes")))?;
    let trailer = read(trailer_at, len)?;
    let footer_bytes: u64 = trailer.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)).into();
    let footer_at = trailer_at.checked_sub(footer_bytes).filter(|_| trailer.ends_with(MAGIC));
    let footer_at = footer_at.ok_or_else(|| corrupt("it does not end as a Parquet file does"))?;
    let end = seal::pages_end(&read(footer_at, len)?).filter(|end| *end <= footer_at);
    let end = end.filter(|end| len - end <= FOOTER_BYTES_MAX);
    let end = end.ok_or_else(|| corrupt("its footer has no checksum"))?;
    if seal::holds(&read(end, len)?) { Ok(()) } else { Err(corrupt("the checksum of its footer does not hold")) }
}

fn corrupt(what: &str) -> ColumnError {
    ColumnError::Corrupt(what.to_owned())
}
