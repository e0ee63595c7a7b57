//! Rows to a segment.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use blob::{BlobWriter, LocalDir};
use column::{FieldCounts, FieldView, Layout, Writer};
use index::{IndexError, IndexWriter};
use model::{Row, RowId, Severity, Timestamp, field};
use xxhash_rust::xxh3::Xxh3;

use crate::meta::{index_key, parquet_key};
use crate::{SegmentError, SegmentField, SegmentMeta, SegmentSpec};

/// Most rows that are turned into columns at a time.
pub const BATCH_ROWS_MAX: usize = 32 * 1024;

/// Most bytes of rows that are turned into columns at a time, as [`Row::size_bytes`] counts. Far below the 2 GiB that an
/// Arrow column of text holds.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Key of the Parquet footer under which a segment says what it is.
const FOOTER_KEY: &str = "backstop.segment";

/// Sorts rows by stream, time and id and writes them as a segment. The rows must have their ids and be of the spec's day;
/// there must be at least one; owned rows or references will do. When only the index cannot be built, the segment is written without it and says why.
pub fn write_segment<R: Borrow<Row>>(
    dir: &LocalDir,
    spec: &SegmentSpec,
    rows: &[R],
) -> Result<SegmentMeta, SegmentError> {
    let rows: Vec<&Row> = rows.iter().map(Borrow::borrow).collect();
    let mut counts = FieldCounts::new();
    for row in &rows {
        counts.add(row);
    }
    let order = sorted(&rows);
    let mut hash = Xxh3::new();
    for &at in &order {
        hash.update(&rows[at as usize].id.0.to_le_bytes());
    }
    let min_id = rows.iter().map(|row| row.id).min().unwrap_or_default();
    let mut writer = SegmentWriter::new(dir, spec, segment_id(spec, min_id, hash), counts)?;
    for chunk in chunks(&order, |at| rows[*at as usize].size_bytes()) {
        writer.push(chunk.iter().map(|at| rows[*at as usize]))?;
    }
    writer.finish()
}

/// The name of a segment; `hash` is of what goes in.
pub(crate) fn segment_id(spec: &SegmentSpec, min_id: RowId, mut hash: Xxh3) -> String {
    hash.update(format!("{} {} {}", spec.tenant, spec.table, spec.day).as_bytes());
    format!("{:02}-{min_id}-{:016x}", spec.level, hash.digest())
}

/// The numbers of the rows in the order of a segment. Streams are ranked first, so that sorting compares integers.
fn sorted(rows: &[&Row]) -> Vec<u32> {
    let mut ranks: HashMap<&str, u32> = rows.iter().map(|row| (&*row.stream, 0)).collect();
    let mut streams: Vec<&str> = ranks.keys().copied().collect();
    streams.sort_unstable();
    for (rank, stream) in streams.into_iter().enumerate() {
        ranks.insert(stream, rank as u32);
    }
    let key = |(at, row): (usize, &&Row)| (ranks[&*row.stream], row.time, row.id, at as u32);
    let mut keys: Vec<_> = rows.iter().enumerate().map(key).collect();
    keys.sort_unstable();
    keys.into_iter().map(|(_, _, _, at)| at).collect()
}

/// Cuts a list of rows so that each part fits a batch.
pub(crate) fn chunks<T>(mut items: &[T], size_bytes: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |item: &&T| {
            bytes += size_bytes(item);
            bytes <= BATCH_BYTES_MAX
        };
        let count = items.iter().take(BATCH_ROWS_MAX).take_while(fits).count().max(1).min(items.len());
        let (chunk, rest) = items.split_at(count);
        items = rest;
        (!chunk.is_empty()).then_some(chunk)
    })
}

/// A file on its way to the disk and the checksum of what went in.
struct Checked {
    file: BlobWriter,
    hash: Xxh3,
}

impl Checked {
    fn create(dir: &LocalDir, id: &str, key: &str) -> Result<Self, SegmentError> {
        Ok(Self { file: dir.create(key).map_err(SegmentError::blob(id))?, hash: Xxh3::new() })
    }

    /// Makes the file durable; its length and checksum.
    fn finish(self, id: &str) -> Result<(u64, u64), SegmentError> {
        let checksum = self.hash.digest();
        Ok((self.file.finish().map_err(SegmentError::blob(id))?, checksum))
    }
}

impl Write for Checked {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

/// Writes one segment from rows that come in its order.
pub(crate) struct SegmentWriter<'d> {
    dir: &'d LocalDir,
    id: String,
    spec: SegmentSpec,
    counts: FieldCounts,
    layout: Layout,
    columns: Writer<Checked>,
    index: Result<IndexWriter, IndexError>,
    totals: Totals,
}

/// What is gathered from the rows that pass.
struct Totals {
    rows: u64,
    min_time: Timestamp,
    max_time: Timestamp,
    min_id: RowId,
    max_id: RowId,
    last: Option<(Arc<str>, Timestamp, RowId)>,
    severities: BTreeMap<String, u64>,
}

impl<'d> SegmentWriter<'d> {
    pub(crate) fn new(
        dir: &'d LocalDir,
        spec: &SegmentSpec,
        id: String,
        counts: FieldCounts,
    ) -> Result<Self, SegmentError> {
        let layout = Layout::new(&counts);
        let about = serde_json::json!({
            "id": id, "tenant": spec.tenant.as_str(), "table": spec.table.as_str(), "day": spec.day, "level": spec.level,
        });
        let file = Checked::create(dir, &id, &parquet_key(&id))?;
        let footer = [(FOOTER_KEY.to_owned(), about.to_string())];
        let columns = Writer::new(file, &layout, &footer).map_err(SegmentError::columns(&id))?;
        let index = IndexWriter::new();
        Ok(Self { dir, id, spec: spec.clone(), counts, layout, columns, index, totals: Totals::new() })
    }

    /// Adds rows, at most a batch of them; see [`chunks`].
    pub(crate) fn push<'r>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'r Row> + Clone,
    ) -> Result<(), SegmentError> {
        for row in rows.clone() {
            self.totals.add(row, self.spec.day)?;
            if let Ok(index) = &mut self.index
                && let Err(error) = index.add(row)
            {
                self.index = Err(error);
            }
        }
        let batch = self.layout.batch(rows);
        self.totals.add_severities(&batch);
        self.columns.write(&batch).map_err(SegmentError::columns(&self.id))
    }

    /// Makes both files durable. When the index cannot be written, no file of the segment stays.
    pub(crate) fn finish(self) -> Result<SegmentMeta, SegmentError> {
        if self.totals.rows == 0 {
            return Err(SegmentError::Rows { what: "there are none".to_owned() });
        }
        let columns = self.columns.finish().map_err(SegmentError::columns(&self.id))?;
        let rows = columns.rows;
        let (bytes_parquet, checksum_parquet) = columns.sink.finish(&self.id)?;
        let index = write_index(self.dir, &self.id, self.index).inspect_err(|_| {
            // The first error is the one to report; an orphan is cleared by the store.
            drop(self.dir.delete(&parquet_key(&self.id)));
        })?;
        let mut meta = SegmentMeta {
            id: self.id,
            tenant: self.spec.tenant,
            table: self.spec.table,
            day: self.spec.day,
            level: self.spec.level,
            rows,
            min_time: self.totals.min_time,
            max_time: self.totals.max_time,
            min_id: self.totals.min_id,
            max_id: self.totals.max_id,
            bytes_parquet,
            checksum_parquet,
            bytes_index: 0,
            checksum_index: 0,
            index_failure: None,
            fields: fields(&self.counts, &self.layout),
            fields_complete: !self.counts.is_truncated(),
            index_incomplete_fields: Default::default(),
            severities: self.totals.severities,
        };
        index.note(&mut meta);
        meta.check()?;
        Ok(meta)
    }
}

impl Totals {
    fn new() -> Self {
        Self {
            rows: 0,
            min_time: Timestamp(i64::MAX),
            max_time: Timestamp(i64::MIN),
            min_id: RowId(u64::MAX),
            max_id: RowId(0),
            last: None,
            severities: BTreeMap::new(),
        }
    }

    fn add(&mut self, row: &Row, day: i64) -> Result<(), SegmentError> {
        if row.time.day() != day {
            let what = format!("{} is of day {} and not of day {day}", row.time, row.time.day());
            return Err(SegmentError::Rows { what });
        }
        if let Some((stream, time, id)) = &self.last
            && (&**stream, *time, *id) > (&*row.stream, row.time, row.id)
        {
            return Err(SegmentError::Rows {
                what: format!("row {} comes after row {id} and sorts before it", row.id),
            });
        }
        self.last = Some((row.stream.clone(), row.time, row.id));
        self.rows += 1;
        self.min_time = self.min_time.min(row.time);
        self.max_time = self.max_time.max(row.time);
        self.min_id = self.min_id.min(row.id);
        self.max_id = self.max_id.max(row.id);
        Ok(())
    }

    fn add_severities(&mut self, batch: &RecordBatch) {
        let view = FieldView::new(batch, field::SEVERITY);
        let mut counts = [0u64; Severity::ALL.len()];
        for row in 0..batch.num_rows() {
            let Some(text) = view.text(row) else { continue };
            if let Some(at) = Severity::ALL.iter().position(|severity| severity.as_str() == text) {
                counts[at] += 1;
            }
        }
        for (severity, count) in Severity::ALL.iter().zip(counts).filter(|(_, count)| *count > 0) {
            *self.severities.entry(severity.to_string()).or_default() += count;
        }
    }
}

fn fields(counts: &FieldCounts, layout: &Layout) -> Vec<SegmentField> {
    let columns: HashMap<&str, _> = layout.columns().collect();
    let field = |(name, count): (&str, &_)| SegmentField {
        name: name.to_owned(),
        column: columns.get(name).copied(),
        count: *count,
    };
    counts.iter().map(field).collect()
}

/// An index file, or why there is none.
pub(crate) enum IndexOutcome {
    Written { bytes: u64, checksum: u64, written: index::IndexWritten },
    Failed(String),
}

impl IndexOutcome {
    pub(crate) fn note(self, meta: &mut SegmentMeta) {
        match self {
            Self::Written { bytes, checksum, written } => {
                meta.bytes_index = bytes;
                meta.checksum_index = checksum;
                meta.index_failure = None;
                meta.index_incomplete_fields = written.incomplete_fields;
            }
            Self::Failed(why) => {
                meta.bytes_index = 0;
                meta.checksum_index = 0;
                meta.index_failure = Some(why);
                meta.index_incomplete_fields.clear();
            }
        }
    }
}

/// Writes the index file of a segment. An index that cannot be built is an outcome; a disk that refuses is an error.
pub(crate) fn write_index(
    dir: &LocalDir,
    id: &str,
    index: Result<IndexWriter, IndexError>,
) -> Result<IndexOutcome, SegmentError> {
    let index = match index {
        Ok(index) => index,
        Err(IndexError::Io(error)) => return Err(SegmentError::index(id)(IndexError::Io(error))),
        Err(error) => return Ok(IndexOutcome::Failed(error.to_string())),
    };
    let mut file = Checked::create(dir, id, &index_key(id))?;
    let written = match index.finish(&mut file) {
        Ok(written) => written,
        Err(IndexError::Io(error)) => return Err(SegmentError::index(id)(IndexError::Io(error))),
        Err(error) => return Ok(IndexOutcome::Failed(error.to_string())),
    };
    let (bytes, checksum) = file.finish(id)?;
    Ok(IndexOutcome::Written { bytes, checksum, written })
}
