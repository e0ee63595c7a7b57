//! What a query reads.

use std::sync::Arc;

use arrow_array::RecordBatch;
use model::{Table, TenantId, TimeRange};
use segment::Segment;

use crate::memtable::Chunk;
use crate::{DamagedSegment, Store};

/// One table of one tenant at one instant. Holding a segment keeps its files.
#[derive(Clone)]
pub struct Snapshot {
    /// Segments with rows in the range, perhaps with others.
    pub segments: Vec<Arc<Segment>>,
    /// The memtable's rows, in order of arrival; batches with rows in the range, perhaps with others.
    pub chunks: Vec<Arc<RecordBatch>>,
    /// The range asked for.
    pub range: TimeRange,
    /// Segments of the range that are out of use: what is read from this snapshot is not complete unless this is empty.
    pub damaged: Vec<DamagedSegment>,
}

impl Store {
    /// The rows of a table in a range. Every acknowledged row is in exactly one segment or chunk. The caller still filters by
    /// time: segments and chunks reach over the edges of the range.
    pub fn snapshot(&self, tenant: &TenantId, table: Table, range: TimeRange) -> Snapshot {
        let mut chunks: Vec<Arc<Chunk>> = Vec::new();
        let (segments, damaged) = {
            let mut state = self.inner.state.lock();
            for memtable in &state.frozen {
                memtable.collect_frozen(tenant, table, &mut chunks);
            }
            state.active.collect(tenant, table, &mut chunks);
            let segments = state.live.values().filter(|s| {
                let meta = s.meta();
                meta.tenant == *tenant && meta.table == table && range.overlaps(meta.min_time, meta.max_time)
            });
            let damaged = state.damaged.values().filter(|segment| {
                segment.tenant == *tenant
                    && segment.table == table
                    && range.overlaps(segment.min_time, segment.max_time)
            });
            (segments.cloned().collect(), damaged.cloned().collect())
        };
        // Rows become Arrow outside the lock, and once per chunk.
        let chunks = chunks.iter().filter(|chunk| chunk.overlaps(&range)).map(|chunk| chunk.batch()).collect();
        Snapshot { segments, chunks, range, damaged }
    }
}
