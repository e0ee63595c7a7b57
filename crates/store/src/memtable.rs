//! Rows that are durable in the log and not yet in segments.
//!
//! A batch of columns is a chunk as it came. Rows and small batches wait in a tail, which becomes a chunk when it is long
//! enough; small chunks become one of [`CHUNK_ROWS`]. Nothing is copied for that before somebody reads: a query turns only
//! the tail into columns, and a flush takes the batches as they came.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use model::{Row, Table, TenantId};

use crate::chunk::{Charge, Chunk, Piece, PieceData};

/// Rows of a chunk that is made of small ones. Large enough that a snapshot of a full memtable has some dozens, small enough
/// that they are read in parallel.
pub(crate) const CHUNK_ROWS: usize = 16 * 1024;
/// Rows from which a batch of columns is a chunk of its own, and at which the tail becomes one: a query turns less than this
/// into columns.
pub(crate) const TAIL_ROWS: usize = 512;

/// The rows of one table of one tenant.
#[derive(Debug, Default)]
struct Part {
    sealed: Vec<Arc<Chunk>>,
    /// Chunks that will be joined to one of [`CHUNK_ROWS`].
    open: Vec<Arc<Chunk>>,
    open_rows: usize,
    tail: Vec<Arc<Piece>>,
    tail_rows: usize,
    /// The tail as a chunk, until another piece comes.
    view: Option<Arc<Chunk>>,
}

impl Part {
    fn push(&mut self, piece: Piece) {
        if let PieceData::Columns(batch) = &piece.data
            && batch.num_rows() >= TAIL_ROWS
        {
            let rows = batch.num_rows();
            let chunk = Arc::new(Chunk::of_batch(batch.clone(), piece.charge));
            if rows >= CHUNK_ROWS {
                self.sealed.push(chunk)
            } else {
                self.push_open(chunk)
            }
            return;
        }
        self.tail_rows += piece.rows();
        self.tail.push(Arc::new(piece));
        self.view = None;
        if self.tail_rows >= TAIL_ROWS {
            self.seal_tail();
        }
    }

    fn push_open(&mut self, chunk: Arc<Chunk>) {
        self.open_rows += chunk.rows();
        self.open.push(chunk);
        if self.open_rows >= CHUNK_ROWS {
            self.seal_open();
        }
    }

    fn seal_tail(&mut self) {
        let tail = self.tail();
        (self.tail, self.tail_rows, self.view) = (Vec::new(), 0, None);
        if let Some(chunk) = tail {
            self.push_open(chunk);
        }
    }

    fn seal_open(&mut self) {
        self.open_rows = 0;
        match std::mem::take(&mut self.open) {
            one if one.len() == 1 => self.sealed.extend(one),
            many => self.sealed.extend(Chunk::of_chunks(many).map(Arc::new)),
        }
    }

    fn tail(&mut self) -> Option<Arc<Chunk>> {
        if self.view.is_none() {
            self.view = Chunk::of_pieces(self.tail.clone()).map(Arc::new);
        }
        self.view.clone()
    }

    fn chunks(&mut self, out: &mut Vec<Arc<Chunk>>) {
        let tail = self.tail();
        out.extend(self.sealed.iter().chain(&self.open).cloned().chain(tail));
    }
}

/// All rows between two flushes.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    parts: BTreeMap<(TenantId, Table), Part>,
    /// Whether something went to the series database since the last flush.
    pub(crate) series: bool,
    pub(crate) rows: u64,
    /// Memory of the rows.
    pub(crate) bytes: usize,
}

impl Memtable {
    /// Whether there is nothing to flush.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 && !self.series
    }

    /// Adds rows, which are at most [`CHUNK_ROWS`]; see [`pieces`].
    pub(crate) fn push(&mut self, tenant: &TenantId, table: Table, piece: Piece) {
        self.rows += piece.rows() as u64;
        self.bytes += piece.charge.bytes;
        match self.parts.get_mut(&(tenant.clone(), table)) {
            Some(part) => part.push(piece),
            None => self.parts.entry((tenant.clone(), table)).or_default().push(piece),
        }
    }

    /// Closes what is open; from then on nothing is added.
    pub(crate) fn freeze(&mut self) {
        for part in self.parts.values_mut() {
            part.seal_tail();
            part.seal_open();
        }
    }

    /// The chunks of a table.
    pub(crate) fn collect(&mut self, tenant: &TenantId, table: Table, out: &mut Vec<Arc<Chunk>>) {
        if let Some(part) = self.parts.get_mut(&(tenant.clone(), table)) {
            part.chunks(out);
        }
    }

    /// As [`Memtable::collect`], of a memtable that is frozen.
    pub(crate) fn collect_frozen(&self, tenant: &TenantId, table: Table, out: &mut Vec<Arc<Chunk>>) {
        if let Some(part) = self.parts.get(&(tenant.clone(), table)) {
            out.extend(part.sealed.iter().cloned());
        }
    }

    /// The chunks of a frozen memtable by tenant and table.
    pub(crate) fn frozen_parts(&self) -> impl Iterator<Item = (&TenantId, Table, &[Arc<Chunk>])> {
        self.parts.iter().map(|((tenant, table), part)| (tenant, *table, &part.sealed[..]))
    }
}

/// Rows of an append cut to pieces that a memtable takes. Many rows become columns here, outside every lock.
pub(crate) fn pieces(rows: Vec<Row>, charge: Charge) -> Vec<Piece> {
    if rows.is_empty() {
        return Vec::new();
    }
    if rows.len() < TAIL_ROWS {
        return vec![Piece { data: PieceData::Rows(rows), charge }];
    }
    let chunks = rows.chunks(CHUNK_ROWS);
    let batches = chunks.map(|rows| column::rows_to_batch(&rows.iter().collect::<Vec<_>>()));
    batches.map(|batch| piece_of(batch, &charge)).collect()
}

/// As [`pieces`], of columns. Pieces share the memory of the batch.
pub(crate) fn column_pieces(batch: RecordBatch, charge: Charge) -> Vec<Piece> {
    match batch.num_rows() {
        0 => return Vec::new(),
        1..=CHUNK_ROWS => return vec![Piece { data: PieceData::Columns(batch), charge }],
        _ => {}
    }
    let starts = (0..batch.num_rows()).step_by(CHUNK_ROWS);
    let slices = starts.map(|start| batch.slice(start, CHUNK_ROWS.min(batch.num_rows() - start)));
    slices.map(|slice| piece_of(slice, &charge)).collect()
}

fn piece_of(batch: RecordBatch, charge: &Charge) -> Piece {
    let charge = charge.beside(column::batch_bytes(&batch));
    Piece { data: PieceData::Columns(batch), charge }
}
