//! Batches to a segment.

use std::collections::{HashMap, HashSet};

use arrow_array::RecordBatch;
use blob::{CheckedFile, CheckedWriter, LocalDir};
use column::{Effort, FieldCount, FieldCounts, Layout, Writer, WriterOptions, split_bodies};
use index::{IndexError, IndexWriter};
use model::RowId;
use xxhash_rust::xxh3::Xxh3;

use crate::gather::{Gather, GatherError, Pick, rows_of};
use crate::meta::{index_key, parquet_key};
use crate::order::{picks, sorted};
use crate::totals::Totals;
use crate::{SegmentError, SegmentField, SegmentMeta, SegmentSpec};

/// Rows of a batch on its way from memory to the files. Sorted neighbours come from all over the memory, and what a batch
/// fetches of a page it need not fetch again: with half as many rows, a million of 128 streams cost a tenth more.
const OUTPUT_ROWS: usize = 64 * 1024;

/// Most bytes of such a batch, as far as the mean row of each source tells. Rows are split further when there are more, down
/// to one; far below the 2 GiB that an Arrow column of text holds.
const OUTPUT_BYTES_MAX: usize = 64 << 20;

/// Key of the Parquet footer under which a segment says what it is.
const FOOTER_KEY: &str = "backstop.segment";

/// Sorts the rows of batches by stream, time and id and writes them as a segment. The batches may be of any layout; their
/// rows must have their ids and be of the spec's day; there must be at least one. When only the index cannot be built, the
/// segment is written without it and says why.
///
/// Beside the batches, memory holds some 40 bytes a row while they are sorted and 24 afterwards, one batch of at most 64 Ki
/// rows, and what the encoders gather.
pub fn write_segment(dir: &LocalDir, spec: &SegmentSpec, batches: &[RecordBatch]) -> Result<SegmentMeta, SegmentError> {
    let entries = sorted(batches)?;
    let mut counts = FieldCounts::new();
    batches.iter().for_each(|batch| counts.add_batch(batch));
    let mut hash = Xxh3::new();
    let mut min_id = RowId(u64::MAX);
    for entry in &entries {
        hash.update(&entry.id.to_le_bytes());
        min_id = min_id.min(RowId(entry.id));
    }
    let layout = Layout::new(&counts);
    let mut gather = Gather::new(layout.clone());
    for batch in batches {
        gather.add(batch)?;
    }
    let id = segment_id(spec, min_id, hash);
    let mut writer = SegmentWriter::new(dir, spec, id, layout, Effort::Fast, entries.len() as u64)?;
    for chunk in entries.chunks(OUTPUT_ROWS) {
        push_picks(&mut writer, &mut gather, &picks(chunk))?;
    }
    writer.finish(&counts)
}

/// The name of a segment; `hash` is of what goes in.
pub(crate) fn segment_id(spec: &SegmentSpec, min_id: RowId, mut hash: Xxh3) -> String {
    hash.update(format!("{} {} {}", spec.tenant, spec.table, spec.day).as_bytes());
    format!("{:02}-{min_id}-{:016x}", spec.level, hash.digest())
}

/// Writes picked rows, in as many batches as their size asks for.
pub(crate) fn push_picks(
    writer: &mut SegmentWriter<'_>,
    gather: &mut Gather,
    picks: &[Pick],
) -> Result<(), SegmentError> {
    let rows = rows_of(picks);
    let bytes: usize = picks.iter().map(|pick| gather.row_bytes(pick.source) * pick.len as usize).sum();
    let gathered = if bytes > OUTPUT_BYTES_MAX && rows > 1 { Err(GatherError::TooLarge) } else { gather.gather(picks) };
    match gathered {
        Ok(batch) if batch.num_rows() == 0 => Ok(()),
        Ok(batch) => writer.push(&batch),
        Err(GatherError::TooLarge) if rows > 1 => {
            let (first, second) = split(picks, rows / 2);
            push_picks(writer, gather, &first)?;
            push_picks(writer, gather, &second)
        }
        Err(error) => Err(error.into()),
    }
}

/// The first `rows` rows of picks, and the others.
fn split(picks: &[Pick], rows: usize) -> (Vec<Pick>, Vec<Pick>) {
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let mut left = rows as u32;
    for pick in picks {
        let len = pick.len.min(left);
        left -= len;
        if len > 0 {
            first.push(Pick { len, ..*pick });
        }
        if len < pick.len {
            second.push(Pick { source: pick.source, start: pick.start + len, len: pick.len - len });
        }
    }
    (first, second)
}

/// Writes one segment from rows that come in its order.
pub(crate) struct SegmentWriter<'d> {
    dir: &'d LocalDir,
    id: String,
    spec: SegmentSpec,
    layout: Layout,
    columns: Writer<CheckedWriter>,
    index: Result<IndexWriter, IndexError>,
    totals: Totals,
    recounted: Option<FieldCounts>,
}

impl<'d> SegmentWriter<'d> {
    /// Begins a segment that will have `rows` rows.
    pub(crate) fn new(
        dir: &'d LocalDir,
        spec: &SegmentSpec,
        id: String,
        layout: Layout,
        effort: Effort,
        rows: u64,
    ) -> Result<Self, SegmentError> {
        let about = serde_json::json!({
            "id": id, "tenant": spec.tenant.as_str(), "table": spec.table.as_str(), "day": spec.day, "level": spec.level,
        });
        let file = dir.create_checked(&parquet_key(&id)).map_err(SegmentError::blob(&id))?;
        let footer = [(FOOTER_KEY.to_owned(), about.to_string())];
        let options = WriterOptions { effort };
        let layout = layout.split();
        let columns = Writer::with_options(file, &layout, &footer, options).map_err(SegmentError::columns(&id))?;
        let totals = Totals::new(spec.day);
        let index = IndexWriter::for_rows(rows);
        Ok(Self { dir, id, spec: spec.clone(), layout, columns, index, totals, recounted: None })
    }

    /// Has the fields counted in the rows that are pushed, because what is known beforehand may be too much.
    pub(crate) fn recount(&mut self) {
        self.recounted = Some(FieldCounts::new());
    }

    /// Adds a batch that fits the layout, with bodies whole or in two parts.
    pub(crate) fn push(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let batch = &split_bodies(batch);
        self.totals.add(batch)?;
        if let Some(counts) = &mut self.recounted {
            counts.add_batch(batch);
        }
        add_to_index(&mut self.index, batch);
        self.columns.write(batch).map_err(SegmentError::columns(&self.id))
    }

    /// Makes both files durable. When the index cannot be written, no file of the segment stays. `counts` are of the rows
    /// that were pushed, unless they are counted anew.
    pub(crate) fn finish(self, counts: &FieldCounts) -> Result<SegmentMeta, SegmentError> {
        if self.totals.rows == 0 {
            return Err(SegmentError::Rows { what: "there are none".to_owned() });
        }
        let counts = self.recounted.as_ref().unwrap_or(counts);
        let columns = self.columns.finish().map_err(SegmentError::columns(&self.id))?;
        let rows = columns.rows;
        let file = columns.sink.finish().map_err(SegmentError::blob(&self.id))?;
        let index = write_index(self.dir, &self.id, 0, self.index).inspect_err(|_| {
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
            bytes_parquet: file.bytes,
            checksum_parquet: file.xxh3,
            blocks_parquet: Some(file.blocks),
            bytes_index: 0,
            checksum_index: 0,
            blocks_index: None,
            index_generation: 0,
            index_groups_bytes: 0,
            index_terms_bytes: 0,
            index_filters_bytes: 0,
            index_failure: None,
            fields: fields(counts, &self.layout),
            fields_complete: !counts.is_truncated(),
            index_incomplete_fields: Default::default(),
            streams: self.totals.streams().cloned(),
            hours: Some(self.totals.hours),
            severities: self.totals.severities,
        };
        index.note(&mut meta);
        meta.check()?;
        Ok(meta)
    }
}

/// Adds a batch to an index that has not failed yet.
pub(crate) fn add_to_index(index: &mut Result<IndexWriter, IndexError>, batch: &RecordBatch) {
    if let Ok(writer) = index
        && let Err(error) = writer.add_batch(batch)
    {
        *index = Err(error);
    }
}

/// The fields of the layout's columns, and the others that were counted, in this order: the file lists its columns so. A
/// column may have lost all its values to deletes.
fn fields(counts: &FieldCounts, layout: &Layout) -> Vec<SegmentField> {
    let counted: HashMap<&str, &FieldCount> = counts.iter().collect();
    let of_column = |(name, ty): (&str, _)| SegmentField {
        name: name.to_owned(),
        column: Some(ty),
        count: counted.get(name).copied().copied().unwrap_or_default(),
    };
    let mut fields: Vec<SegmentField> = layout.columns().map(of_column).collect();
    let known: HashSet<&str> = layout.columns().map(|(name, _)| name).collect();
    let others = counts.iter().filter(|(name, _)| !known.contains(name));
    fields.extend(others.map(|(name, count)| SegmentField { name: name.to_owned(), column: None, count: *count }));
    fields
}

/// An index file, or why there is none.
pub(crate) enum IndexOutcome {
    Written { file: CheckedFile, written: index::IndexWritten },
    Failed(String),
}

impl IndexOutcome {
    pub(crate) fn note(self, meta: &mut SegmentMeta) {
        match self {
            Self::Written { file, written } => {
                meta.bytes_index = file.bytes;
                meta.checksum_index = file.xxh3;
                meta.blocks_index = Some(file.blocks);
                meta.index_failure = None;
                meta.index_groups_bytes = written.tiers.groups;
                meta.index_terms_bytes = written.tiers.terms;
                meta.index_filters_bytes = written.tiers.filters;
                meta.index_incomplete_fields = written.incomplete_fields;
            }
            Self::Failed(why) => {
                meta.bytes_index = 0;
                meta.checksum_index = 0;
                meta.blocks_index = None;
                meta.index_failure = Some(why);
                (meta.index_groups_bytes, meta.index_terms_bytes, meta.index_filters_bytes) = (0, 0, 0);
                meta.index_incomplete_fields.clear();
            }
        }
    }
}

/// Writes the index file of a segment. An index that cannot be built is an outcome; a disk that refuses is an error.
pub(crate) fn write_index(
    dir: &LocalDir,
    id: &str,
    generation: u64,
    index: Result<IndexWriter, IndexError>,
) -> Result<IndexOutcome, SegmentError> {
    let index = match index {
        Ok(index) => index,
        Err(IndexError::Io(error)) => return Err(SegmentError::index(id)(IndexError::Io(error))),
        Err(error) => return Ok(IndexOutcome::Failed(error.to_string())),
    };
    let mut file = dir.create_checked(&index_key(id, generation)).map_err(SegmentError::blob(id))?;
    let written = match index.finish(&mut file) {
        Ok(written) => written,
        Err(IndexError::Io(error)) => return Err(SegmentError::index(id)(IndexError::Io(error))),
        Err(error) => return Ok(IndexOutcome::Failed(error.to_string())),
    };
    let file = file.finish().map_err(SegmentError::blob(id))?;
    Ok(IndexOutcome::Written { file, written })
}
