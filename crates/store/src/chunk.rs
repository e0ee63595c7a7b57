//! Rows of the memtable that are read as one batch.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use arrow_select::concat::concat_batches;
use column::{FieldCounts, Layout};
use index::{IndexError, IndexFile, IndexReader, IndexWriter};
use model::{Row, Timestamp};
use parking_lot::Mutex;

/// Below this many rows, reading them costs less than asking an index.
const INDEX_ROWS_MIN: usize = 4096;
/// How often a chunk is asked for its index before it builds one. Building costs about as much as this many scans, and most
/// chunks go to a segment before they are asked so often.
const INDEX_ASKS_MIN: u32 = 8;

/// Memory that is counted against the store's limit until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    pub(crate) bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Charge {
    pub(crate) fn new(bytes: usize, total: &Arc<AtomicUsize>) -> Self {
        total.fetch_add(bytes, Relaxed);
        Self { bytes, total: Arc::clone(total) }
    }

    /// Another that counts for the same store.
    pub(crate) fn beside(&self, bytes: usize) -> Self {
        Self::new(bytes, &self.total)
    }

    /// Where it counts.
    fn total(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.total)
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Relaxed);
    }
}

/// A few rows of one append, too few to be a chunk.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) data: PieceData,
    pub(crate) charge: Charge,
}

#[derive(Debug)]
pub(crate) enum PieceData {
    Rows(Vec<Row>),
    Columns(RecordBatch),
}

impl Piece {
    pub(crate) fn rows(&self) -> usize {
        match &self.data {
            PieceData::Rows(rows) => rows.len(),
            PieceData::Columns(batch) => batch.num_rows(),
        }
    }

    fn times(&self) -> Option<(Timestamp, Timestamp)> {
        match &self.data {
            PieceData::Rows(rows) => {
                let times = || rows.iter().map(|row| row.time);
                Some((times().min()?, times().max()?))
            }
            PieceData::Columns(batch) => column::times(batch),
        }
    }
}

/// Rows of a table that are not in a segment yet; they never change. The batch is made when somebody first reads it, the
/// index when it is worth it.
pub struct Chunk {
    rows: usize,
    times: (Timestamp, Timestamp),
    /// What the batch is made of, until it is made.
    source: Mutex<Source>,
    made: OnceLock<Made>,
    asks: AtomicU32,
    index: OnceLock<Option<Built>>,
}

enum Source {
    /// The batch is made.
    None,
    Pieces(Vec<Arc<Piece>>),
    Chunks(Vec<Arc<Chunk>>),
}

impl Source {
    /// The batches, and where memory is counted.
    fn parts(&self) -> (Vec<RecordBatch>, Arc<AtomicUsize>) {
        match self {
            Self::Pieces(pieces) => {
                (batches(pieces), pieces.first().map(|piece| piece.charge.total()).unwrap_or_default())
            }
            Self::Chunks(chunks) => {
                let mut batches = Vec::new();
                chunks.iter().for_each(|chunk| chunk.collect(&mut batches));
                (batches, chunks.first().map(|chunk| chunk.total()).unwrap_or_default())
            }
            Self::None => Default::default(), // only a chunk that was made has no source
        }
    }
}

struct Made {
    batch: Arc<RecordBatch>,
    charge: Charge,
}

struct Built {
    reader: IndexReader,
    _charge: Charge,
}

impl Chunk {
    /// A batch as it came.
    pub(crate) fn of_batch(batch: RecordBatch, charge: Charge) -> Self {
        let times = column::times(&batch).unwrap_or_default();
        let chunk = Self::new(batch.num_rows(), times, Source::None);
        drop(chunk.made.set(Made { batch: Arc::new(batch), charge }));
        chunk
    }

    /// Pieces that will be joined; `None` when there are no rows.
    pub(crate) fn of_pieces(pieces: Vec<Arc<Piece>>) -> Option<Self> {
        let times = pieces.iter().filter_map(|piece| piece.times()).reduce(wider)?;
        Some(Self::new(pieces.iter().map(|piece| piece.rows()).sum(), times, Source::Pieces(pieces)))
    }

    /// Smaller chunks that will be joined; `None` when there are none.
    pub(crate) fn of_chunks(chunks: Vec<Arc<Chunk>>) -> Option<Self> {
        let times = chunks.iter().map(|chunk| chunk.times).reduce(wider)?;
        Some(Self::new(chunks.iter().map(|chunk| chunk.rows).sum(), times, Source::Chunks(chunks)))
    }

    fn new(rows: usize, times: (Timestamp, Timestamp), source: Source) -> Self {
        let (made, index) = (OnceLock::new(), OnceLock::new());
        Self { rows, times, source: Mutex::new(source), made, asks: AtomicU32::new(0), index }
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The earliest and the latest time of its rows.
    pub fn times(&self) -> (Timestamp, Timestamp) {
        self.times
    }

    /// The rows, made one batch at the first call.
    pub fn batch(&self) -> &Arc<RecordBatch> {
        &self.made().batch
    }

    /// An index of the rows of [`Self::batch`], by their place in it. `None` when there is none: the chunk is small, or was
    /// not asked often enough for an index to be worth it. Then the batch is to be read.
    pub fn index(&self) -> Option<&IndexReader> {
        if self.rows < INDEX_ROWS_MIN {
            return None;
        }
        if self.asks.fetch_add(1, Relaxed) < INDEX_ASKS_MIN {
            return None;
        }
        self.index.get_or_init(|| self.build_index()).as_ref().map(|built| &built.reader)
    }

    /// The rows as batches, without joining what is not joined yet: for who reads them once.
    pub(crate) fn collect(&self, out: &mut Vec<RecordBatch>) {
        if let Some(made) = self.made.get() {
            out.push((*made.batch).clone());
            return;
        }
        let source = self.source.lock();
        match &*source {
            Source::Pieces(pieces) => out.extend(batches(pieces)),
            Source::Chunks(chunks) => chunks.iter().for_each(|chunk| chunk.collect(out)),
            // It was made in between.
            Source::None => {
                drop(source);
                out.push((*self.made().batch).clone());
            }
        }
    }

    fn made(&self) -> &Made {
        if let Some(made) = self.made.get() {
            return made;
        }
        let made = self.made.get_or_init(|| {
            let (batches, total) = self.source.lock().parts();
            let batch = join(&batches);
            let charge = Charge::new(column::batch_bytes(&batch), &total);
            Made { batch: Arc::new(batch), charge }
        });
        // What it was made of goes; its memory is free unless a snapshot still has it.
        *self.source.lock() = Source::None;
        made
    }

    /// Where its memory is counted.
    fn total(&self) -> Arc<AtomicUsize> {
        match self.made.get() {
            Some(made) => made.charge.total(),
            None => self.source.lock().parts().1,
        }
    }

    fn build_index(&self) -> Option<Built> {
        let made = self.made();
        match index_of(&made.batch) {
            Ok((reader, bytes)) => Some(Built { reader, _charge: made.charge.beside(bytes) }),
            Err(error) => {
                tracing::warn!(%error, rows = self.rows, "no index of rows in memory; they are scanned");
                None
            }
        }
    }
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chunk({} rows)", self.rows)
    }
}

fn wider(a: (Timestamp, Timestamp), b: (Timestamp, Timestamp)) -> (Timestamp, Timestamp) {
    (a.0.min(b.0), a.1.max(b.1))
}

/// Pieces as batches; rows that follow each other are one batch.
fn batches(pieces: &[Arc<Piece>]) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    let mut rows: Vec<&Row> = Vec::new();
    for piece in pieces {
        match &piece.data {
            PieceData::Rows(more) => rows.extend(more),
            PieceData::Columns(batch) => {
                if !rows.is_empty() {
                    batches.push(column::rows_to_batch(&std::mem::take(&mut rows)));
                }
                batches.push(batch.clone());
            }
        }
    }
    if !rows.is_empty() {
        batches.push(column::rows_to_batch(&rows));
    }
    batches
}

/// Batches of any layouts as one.
fn join(batches: &[RecordBatch]) -> RecordBatch {
    if let [one] = batches {
        return one.clone();
    }
    let same = batches.windows(2).all(|pair| pair[0].schema_ref() == pair[1].schema_ref());
    let joined = match batches.first().filter(|_| same) {
        Some(first) => concat_batches(first.schema_ref(), batches),
        None => {
            let mut counts = FieldCounts::new();
            batches.iter().for_each(|batch| counts.add_batch(batch));
            let layout = Layout::new(&counts);
            let conformed: Vec<RecordBatch> = batches.iter().map(|batch| layout.conform(batch)).collect();
            concat_batches(layout.schema(), &conformed)
        }
    };
    joined.unwrap_or_else(|error| {
        // Row by row costs time and cannot fail.
        tracing::error!(%error, batches = batches.len(), "batches cannot be joined as columns");
        let rows: Vec<Row> = batches.iter().flat_map(column::rows_from_batch).collect();
        column::rows_to_batch(&rows.iter().collect::<Vec<_>>())
    })
}

fn index_of(batch: &RecordBatch) -> Result<(IndexReader, usize), IndexError> {
    let mut writer = IndexWriter::for_rows(batch.num_rows() as u64)?;
    writer.add_batch(batch)?;
    let mut bytes = Vec::new();
    writer.finish(&mut bytes)?;
    bytes.shrink_to_fit();
    let len = bytes.len();
    Ok((IndexReader::open(IndexFile::from(bytes))?, len))
}
