//! The store: appends, and the thread that makes them visible.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::JoinHandle;

use catalog::Catalog;
use model::{Batch, BatchData, RowId, SeriesBatch, SeriesSamples, Timestamp};
use parking_lot::Mutex;
use roaring::RoaringBitmap;
use segment::{Segment, SegmentMeta};
use series::SeriesDb;
use telemetry::metrics::{MEMTABLE_BYTES, REFUSED_SAMPLES, SEGMENT_BYTES, SEGMENTS, SEGMENTS_DAMAGED};
use wal::{Payload, Resolver, Ticket, Wal};

use crate::chunk::Charge;
use crate::error::RETRY_MEMORY_MS;
use crate::follow::Followers;
use crate::gate::{Gate, Signal};
use crate::home::Home;
use crate::memtable::{self, Memtable};
use crate::shelf::Grave;
use crate::{Ack, AppendError, DamagedSegment, Step, StoreError, StoreOptions, StoreStats, encode_batches, shelf};

/// Bits of a row's id that number it within its append; the bits above are the append's log number.
const ROW_BITS: u32 = 20;
/// Rows of one append.
pub const ROWS_PER_APPEND_MAX: usize = 1 << ROW_BITS;
/// UTC days that the rows of one append may fall on: each becomes files of its own at the next flush.
const DAYS_PER_APPEND_MAX: usize = 1000;

/// An open store. Share it in an `Arc`; dropping it makes durable what is queued, and flushes nothing.
pub struct Store {
    pub(crate) inner: Arc<Inner>,
    /// Where appends go, in the order of their log numbers; `None` once closing.
    queue: Mutex<Option<Sender<Job>>>,
    applier: Option<JoinHandle<()>>,
}

/// What the threads of a store share.
pub(crate) struct Inner {
    pub(crate) options: StoreOptions,
    pub(crate) wal: Wal,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) series: SeriesDb,
    pub(crate) state: Mutex<State>,
    /// Memory of rows that are not in segments and of appends on their way. What is on its way to the series database counts until it
    /// is there, which then counts what it keeps; see [`Inner::held_bytes`].
    pub(crate) memory: Arc<AtomicUsize>,
    pub(crate) series_rejected: AtomicU64,
    /// One flush at a time.
    pub(crate) flushing: Mutex<()>,
    /// One merge, retention, delete or repair at a time: they take segments away, a flush only adds.
    pub(crate) merging: Arc<Gate>,
    /// Files that left the catalog; they go when nobody reads them any more.
    pub(crate) graveyard: Mutex<Vec<Grave>>,
    /// Who watches rows come.
    pub(crate) followers: Followers,
    /// Segments that a merge failed on although they are sound: not tried again before a restart.
    pub(crate) unmergeable: Mutex<HashSet<String>>,
    /// Segments whose streams were read for a retention rule, with the rule's place in the settings: once is enough.
    pub(crate) streams_read: Mutex<HashSet<(String, usize)>>,
    /// Raised when the memtable is as large as a flush wants it.
    pub(crate) memtable_full: Signal,
    pub(crate) fault: Mutex<Option<String>>,
    pub(crate) home: Home,
    pub(crate) found: Found,
}

/// What this start found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) replayed_records: u64,
    pub(crate) torn_tails: u64,
    pub(crate) wal_damage: Vec<String>,
    pub(crate) orphans: u64,
}

/// What a snapshot sees. The lock is held for moments only, never while a file is touched.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) active: Memtable,
    /// Being flushed; more than one after a failed flush.
    pub(crate) frozen: Vec<Arc<Memtable>>,
    pub(crate) live: BTreeMap<String, Arc<Segment>>,
    /// Rows of live segments that count as gone.
    pub(crate) deleted: BTreeMap<String, Arc<RoaringBitmap>>,
    pub(crate) damaged: BTreeMap<String, DamagedSegment>,
    pub(crate) applied_lsn: u64,
    pub(crate) flushed_lsn: u64,
    /// When `maintain` first saw that there is something to flush.
    pub(crate) unflushed_since: Option<Timestamp>,
}

/// An append on its way into memory.
struct Job {
    ticket: Ticket,
    batches: Vec<(Batch, Charge)>,
    resolver: Resolver,
}

impl Store {
    pub(crate) fn start(inner: Inner) -> Result<Self, StoreError> {
        let inner = Arc::new(inner);
        let (sender, receiver) = std::sync::mpsc::channel();
        let for_thread = Arc::clone(&inner);
        let applier = std::thread::Builder::new()
            .name("store-apply".to_owned())
            .spawn(move || for_thread.apply_all(&receiver))
            .map_err(|source| StoreError::Io {
                action: "start a thread for",
                path: inner.options.dir.clone(),
                source,
            })?;
        Ok(Self { inner, queue: Mutex::new(Some(sender)), applier: Some(applier) })
    }

    /// Takes batches in. All of them are one log record: after a crash either all are there or none. Never waits for the disk;
    /// the [`Ack`] does.
    pub fn append(&self, batches: Vec<Batch>) -> Result<Ack, AppendError> {
        let inner = &self.inner;
        inner.check_size(&batches)?;
        let total = &inner.memory;
        let charged: Vec<usize> = batches.iter().map(memory_bytes).collect();
        let wanted: usize = charged.iter().sum();
        let held = inner.held_bytes();
        // A lone append passes whatever its size, or it never could.
        if held > 0 && held + wanted > inner.options.memory_bytes_max {
            return Err(AppendError::Busy { retry_after_ms: RETRY_MEMORY_MS, reason: "the memtable is full" });
        }
        if let Some(reason) = self.fault() {
            return Err(AppendError::Failed { reason });
        }
        let payload = Payload::new(encode_batches(&batches));
        let charges = charged.into_iter().map(|bytes| Charge::new(bytes, total));
        let batches: Vec<(Batch, Charge)> = batches.into_iter().zip(charges).collect();
        // The lock keeps the order of the queue that of the log.
        let queue = self.queue.lock();
        let Some(sender) = &*queue else { return Err(wal::WalError::Closed.into()) };
        let ticket = inner.wal.append(payload)?;
        let (resolver, ack) = Ticket::new(ticket.lsn());
        if sender.send(Job { ticket, batches, resolver }).is_err() {
            let reason = "the thread `store-apply` has panicked".to_owned();
            inner.set_fault(reason.clone());
            return Err(AppendError::Failed { reason });
        }
        Ok(Ack(ack))
    }

    /// The directory that it lives in.
    pub fn dir(&self) -> &Path {
        &self.inner.home.dir
    }

    /// The metric store. Write to it through [`Store::append`] only.
    pub fn series(&self) -> &SeriesDb {
        &self.inner.series
    }

    /// The catalog, for the records of the loop.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.inner.catalog
    }

    /// Live segments, in order of id.
    pub fn segments(&self) -> Vec<SegmentMeta> {
        self.inner.state.lock().live.values().map(|segment| segment.meta().clone()).collect()
    }

    /// Why the store is out of use, if it is: a write failed, and what is durable is unknown until a restart. The server ends
    /// the process with exit code 70.
    pub fn fault(&self) -> Option<String> {
        self.inner.fault()
    }

    /// Takes a segment out of use that a reader found damaged. It is remembered in the catalog and shown in
    /// [`StoreStats::damaged_segments`] and in every later snapshot that it would be part of.
    pub fn report_damage(&self, segment_id: &str, reason: &str) -> Result<(), StoreError> {
        self.inner.quarantine(segment_id, reason)
    }

    /// The store at this instant. Also sets the gauges of the own metrics.
    pub fn stats(&self) -> StoreStats {
        let inner = &self.inner;
        let state = inner.state.lock();
        let frozen_rows: u64 = state.frozen.iter().map(|memtable| memtable.rows).sum();
        let stats = StoreStats {
            memtable_rows: state.active.rows + frozen_rows,
            memtable_bytes: inner.held_bytes(),
            segments: state.live.len(),
            segment_rows: state.live.values().map(|segment| segment.meta().rows).sum(),
            deleted_rows: state.deleted.values().map(|rows| rows.len()).sum(),
            segment_bytes: state.live.values().map(|segment| segment.meta().bytes()).sum(),
            flushed_lsn: state.flushed_lsn,
            applied_lsn: state.applied_lsn,
            wal_bytes: inner.wal.disk_bytes(),
            replayed_records: inner.found.replayed_records,
            torn_tails: inner.found.torn_tails,
            orphans: inner.found.orphans,
            wal_damage: inner.found.wal_damage.clone(),
            damaged_segments: state.damaged.values().cloned().collect(),
            series_rejected: inner.series_rejected.load(Relaxed),
            fault: inner.fault(),
        };
        drop(state);
        MEMTABLE_BYTES.set(stats.memtable_bytes as f64);
        SEGMENTS.set(stats.segments as f64);
        SEGMENT_BYTES.set(stats.segment_bytes as f64);
        stats
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        *self.queue.lock() = None;
        if let Some(applier) = self.applier.take() {
            drop(applier.join()); // its panic resolved the acks with an error
        }
        self.inner.sweep();
    }
}

impl Inner {
    fn check_size(&self, batches: &[Batch]) -> Result<(), AppendError> {
        let too_large = |size, unit, max| Err(AppendError::TooLarge { size, unit, max });
        let (mut count, mut days) = (0, BTreeSet::new());
        for batch in batches {
            match &batch.data {
                BatchData::Rows(_, rows) => {
                    count += rows.len();
                    days.extend(rows.iter().map(|row| row.time.day()));
                }
                BatchData::Columns(_, columns) => {
                    count += columns.num_rows();
                    days.extend(column::days(columns));
                }
                BatchData::Series(_) => {}
            }
        }
        if count > ROWS_PER_APPEND_MAX {
            return too_large(count, "rows", ROWS_PER_APPEND_MAX);
        }
        if days.len() > DAYS_PER_APPEND_MAX {
            return too_large(days.len(), "days", DAYS_PER_APPEND_MAX);
        }
        Ok(())
    }

    fn apply_all(&self, jobs: &Receiver<Job>) {
        while let Ok(job) = jobs.recv() {
            let lsn = job.ticket.lsn();
            let result = job.ticket.wait();
            if result.is_ok() {
                self.apply(lsn, job.batches);
            }
            job.resolver.resolve(result);
        }
    }

    /// Makes a durable record visible.
    pub(crate) fn apply(&self, lsn: u64, batches: Vec<(Batch, Charge)>) {
        let mut next_id = first_row_id(lsn);
        let (mut rows, mut series) = (Vec::new(), false);
        for (batch, charge) in batches {
            match batch.data {
                BatchData::Rows(table, mut of_table) => {
                    for row in &mut of_table {
                        row.id = RowId(next_id);
                        next_id += 1;
                    }
                    self.followers.tell_rows(&batch.tenant, table, &of_table);
                    rows.push((batch.tenant, table, memtable::pieces(of_table, charge)));
                }
                BatchData::Columns(table, columns) => {
                    let columns = column::with_first_id(&columns, RowId(next_id));
                    next_id += columns.num_rows() as u64;
                    self.followers.tell_columns(&batch.tenant, table, &columns);
                    let pieces = memtable::column_pieces(columns, charge);
                    rows.push((batch.tenant, table, pieces));
                }
                BatchData::Series(samples) => {
                    let report = self.series.insert(&batch.tenant, &samples);
                    self.note_rejected(&batch.tenant, &report);
                    series = true;
                    // The series database has packed what it keeps, and counts that; the request goes.
                    drop((samples, charge));
                }
            }
        }
        let large = {
            let mut state = self.state.lock();
            for (tenant, table, pieces) in rows {
                pieces.into_iter().for_each(|piece| state.active.push(&tenant, table, piece));
            }
            state.active.series |= series;
            state.applied_lsn = lsn;
            self.is_large(&state)
        };
        if large {
            self.memtable_full.raise();
        }
    }

    /// Memory of rows and samples that are on their way or not yet in segments or blocks.
    pub(crate) fn held_bytes(&self) -> usize {
        self.memory.load(Relaxed) + self.series.unflushed_bytes()
    }

    /// Whether a flush has enough to write. Samples that one is just writing count as well, for they may come back.
    pub(crate) fn is_large(&self, state: &State) -> bool {
        state.active.bytes + self.series.unflushed_bytes() >= self.options.flush_bytes
    }

    fn note_rejected(&self, tenant: &model::TenantId, report: &series::InsertReport) {
        if let Some(reason) = report.metadata_rejected {
            tracing::warn!(%tenant, %reason, "metadata refused");
        }
        let Some(first) = report.rejected.first() else { return };
        self.series_rejected.fetch_add(report.rejected.len() as u64, Relaxed);
        for rejected in &report.rejected {
            REFUSED_SAMPLES.add(tenant.as_str(), rejected.reason.name(), rejected.samples as u64);
        }
        tracing::warn!(%tenant, rejected = report.rejected.len(), first = %first.labels, reason = %first.reason, "series refused");
    }

    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().clone().or_else(|| self.wal.poison().map(|poison| poison.to_string()))
    }

    pub(crate) fn check_fault(&self) -> Result<(), StoreError> {
        self.fault().map_or(Ok(()), |reason| Err(StoreError::Faulted { reason }))
    }

    pub(crate) fn set_fault(&self, reason: String) {
        tracing::error!(reason, "the store is out of use");
        self.fault.lock().get_or_insert(reason);
    }

    pub(crate) fn step(&self, step: Step) -> Result<(), StoreError> {
        let Some(hook) = &self.options.step_hook else { return Ok(()) };
        hook(step).map_err(|reason| StoreError::Stopped { step, reason })
    }

    /// Takes a segment out of use, in the catalog first.
    pub(crate) fn quarantine(&self, id: &str, reason: &str) -> Result<(), StoreError> {
        if !self.catalog.quarantine_segment(id, reason)? {
            return Ok(());
        }
        SEGMENTS_DAMAGED.add(1);
        tracing::error!(segment = id, reason, "a segment is damaged and out of use");
        let mut state = self.state.lock();
        state.deleted.remove(id);
        if let Some(segment) = state.live.remove(id) {
            let damaged = shelf::damaged_of(&shelf::row_of(segment.meta()), reason.to_owned());
            state.damaged.insert(id.to_owned(), damaged);
        }
        Ok(())
    }

    /// Takes segments out of memory that have left the catalog; their files go when nobody reads them.
    pub(crate) fn bury(&self, ids: &[String]) {
        let gone: Vec<Arc<Segment>> = {
            let mut state = self.state.lock();
            for id in ids {
                state.damaged.remove(id);
                state.deleted.remove(id);
            }
            ids.iter().filter_map(|id| state.live.remove(id)).collect()
        };
        self.entomb(&gone);
    }

    /// Notes that the files of segments may go when nobody reads them.
    pub(crate) fn entomb(&self, gone: &[Arc<Segment>]) {
        let grave =
            |segment: &Arc<Segment>| Grave { keys: segment.meta().keys().to_vec(), segment: Arc::clone(segment) };
        self.graveyard.lock().extend(gone.iter().map(grave));
    }

    /// Deletes the files of segments that left the catalog and that no snapshot holds any more.
    pub(crate) fn sweep(&self) {
        let mut graveyard = self.graveyard.lock();
        graveyard.retain(|grave| {
            if Arc::strong_count(&grave.segment) > 1 {
                return true;
            }
            match shelf::remove(&self.home.segments, &grave.keys) {
                Ok(()) => false,
                Err(error) => {
                    tracing::warn!(%error, "cannot delete files of a segment, trying again later");
                    true
                }
            }
        });
    }
}

/// The id of the first row of a log record.
pub(crate) fn first_row_id(lsn: u64) -> u64 {
    lsn << ROW_BITS
}

/// The log record that a row came with.
pub(crate) fn lsn_of_row(id: u64) -> u64 {
    id >> ROW_BITS
}

/// The memory that a batch takes on its way, roughly.
pub(crate) fn memory_bytes(batch: &Batch) -> usize {
    match &batch.data {
        BatchData::Rows(_, rows) => rows.iter().map(model::Row::size_bytes).sum(),
        BatchData::Columns(_, batch) => column::batch_bytes(batch),
        BatchData::Series(series) => series_bytes(series),
    }
}

/// Labels that the request shares with the series database are not its own.
fn series_bytes(batch: &SeriesBatch) -> usize {
    let bytes = |series: &SeriesSamples| {
        let labels = if series.labels.is_shared() { 0 } else { series.labels.size_bytes() };
        size_of::<SeriesSamples>() + series.size_bytes() + labels
    };
    batch.series.iter().map(bytes).sum()
}
