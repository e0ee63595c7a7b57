//! Rows that are durable in the log and not yet in segments.
//!
//! Rows stay in the vectors they came in (a *piece*); pieces gather to *chunks* of [`CHUNK_ROWS`], and a chunk turns into an
//! Arrow batch when somebody first reads it. The open chunk is read through a view that shares its pieces and is made anew
//! only after it grew.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use arrow_array::RecordBatch;
use model::{Row, Table, TenantId, TimeRange, Timestamp};

/// Rows of a chunk.
pub(crate) const CHUNK_ROWS: usize = 8192;

/// Memory that is counted against the store's limit until this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Charge {
    pub(crate) fn new(bytes: usize, total: &Arc<AtomicUsize>) -> Self {
        total.fetch_add(bytes, Relaxed);
        Self { bytes, total: Arc::clone(total) }
    }

    /// Takes over what another counts.
    fn absorb(&mut self, mut other: Charge) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Relaxed);
    }
}

/// The rows of one append to one table.
#[derive(Debug)]
struct Piece {
    rows: Vec<Row>,
    charge: Charge,
}

/// Rows that are read as one batch.
#[derive(Debug)]
pub(crate) struct Chunk {
    pieces: Vec<Arc<Piece>>,
    min_time: Timestamp,
    max_time: Timestamp,
    batch: OnceLock<(Arc<RecordBatch>, Charge)>,
}

impl Chunk {
    fn new(pieces: Vec<Arc<Piece>>) -> Self {
        let times = || pieces.iter().flat_map(|piece| &piece.rows).map(|row| row.time);
        let (min_time, max_time) = (times().min().unwrap_or_default(), times().max().unwrap_or_default());
        Self { pieces, min_time, max_time, batch: OnceLock::new() }
    }

    pub(crate) fn overlaps(&self, range: &TimeRange) -> bool {
        range.overlaps(self.min_time, self.max_time)
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.pieces.iter().flat_map(|piece| &piece.rows)
    }

    /// The rows as Arrow, made at the first call. Its memory counts as long as the chunk lives.
    pub(crate) fn batch(&self) -> Arc<RecordBatch> {
        let (batch, _) = self.batch.get_or_init(|| {
            let rows: Vec<&Row> = self.rows().collect();
            let batch = column::rows_to_batch(&rows);
            let total = self.pieces.first().map(|piece| Arc::clone(&piece.charge.total)).unwrap_or_default();
            let charge = Charge::new(batch.get_array_memory_size(), &total);
            (Arc::new(batch), charge)
        });
        Arc::clone(batch)
    }
}

/// The rows of one table of one tenant.
#[derive(Debug, Default)]
struct Part {
    sealed: Vec<Arc<Chunk>>,
    open: Vec<Arc<Piece>>,
    open_rows: usize,
    /// The open pieces as a chunk, until another piece comes.
    view: Option<Arc<Chunk>>,
}

impl Part {
    fn push(&mut self, piece: Piece) {
        self.open_rows += piece.rows.len();
        self.open.push(Arc::new(piece));
        self.view = None;
        if self.open_rows >= CHUNK_ROWS {
            self.seal();
        }
    }

    fn seal(&mut self) {
        if let Some(chunk) = self.view() {
            self.sealed.push(chunk);
        }
        (self.open, self.open_rows, self.view) = (Vec::new(), 0, None);
    }

    fn view(&mut self) -> Option<Arc<Chunk>> {
        if self.open.is_empty() {
            return None;
        }
        Some(Arc::clone(self.view.get_or_insert_with(|| Arc::new(Chunk::new(self.open.clone())))))
    }
}

/// All rows between two flushes.
#[derive(Debug, Default)]
pub(crate) struct Memtable {
    parts: BTreeMap<(TenantId, Table), Part>,
    /// Counts samples that went to the series database since the last flush.
    series: Option<Charge>,
    pub(crate) rows: u64,
}

impl Memtable {
    /// Whether there is nothing to flush.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0 && self.series.is_none()
    }

    /// Adds rows; large appends are cut so that no chunk is much larger than [`CHUNK_ROWS`].
    pub(crate) fn push(&mut self, tenant: &TenantId, table: Table, mut rows: Vec<Row>, charge: Charge) {
        if rows.is_empty() {
            return;
        }
        self.rows += rows.len() as u64;
        let part = self.parts.entry((tenant.clone(), table)).or_default();
        if rows.len() <= CHUNK_ROWS {
            part.push(Piece { rows, charge });
            return;
        }
        while !rows.is_empty() {
            let rest = rows.split_off(rows.len().min(CHUNK_ROWS));
            let bytes = rows.iter().map(Row::size_bytes).sum();
            part.push(Piece { rows, charge: Charge::new(bytes, &charge.total) });
            rows = rest;
        }
    }

    /// Counts samples that the series database has taken.
    pub(crate) fn push_series(&mut self, charge: Charge) {
        match &mut self.series {
            Some(sum) => sum.absorb(charge),
            None => self.series = Some(charge),
        }
    }

    /// Closes every open chunk; from then on nothing is added.
    pub(crate) fn freeze(&mut self) {
        self.parts.values_mut().for_each(Part::seal);
    }

    /// The chunks of a table.
    pub(crate) fn collect(&mut self, tenant: &TenantId, table: Table, out: &mut Vec<Arc<Chunk>>) {
        if let Some(part) = self.parts.get_mut(&(tenant.clone(), table)) {
            out.extend(part.sealed.iter().cloned());
            out.extend(part.view());
        }
    }

    /// As [`Memtable::collect`], of a memtable that is frozen.
    pub(crate) fn collect_frozen(&self, tenant: &TenantId, table: Table, out: &mut Vec<Arc<Chunk>>) {
        if let Some(part) = self.parts.get(&(tenant.clone(), table)) {
            out.extend(part.sealed.iter().cloned());
        }
    }

    /// The rows of a frozen memtable by tenant and table.
    pub(crate) fn frozen_parts(&self) -> impl Iterator<Item = (&TenantId, Table, impl Iterator<Item = &Row>)> {
        self.parts
            .iter()
            .map(|((tenant, table), part)| (tenant, *table, part.sealed.iter().flat_map(|chunk| chunk.rows())))
    }
}
