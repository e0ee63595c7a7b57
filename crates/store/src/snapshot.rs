//! What a query reads.

use std::collections::HashMap;
use std::sync::Arc;

use model::{Table, TenantId, TimeRange};
use roaring::RoaringBitmap;
use segment::Segment;

use crate::store::Inner;
use crate::{Chunk, DamagedSegment, Store};

/// One table of one tenant at one instant. Holding a segment keeps its files.
#[derive(Clone)]
pub struct Snapshot {
    /// Segments with rows in the range, perhaps with others.
    pub segments: Vec<Arc<Segment>>,
    /// Rows of these segments that count as gone although their files and manifest entries still have them, by segment id. A
    /// segment without deleted rows is not in it.
    pub deleted: HashMap<String, Arc<RoaringBitmap>>,
    /// The memtable's rows, about in order of arrival; chunks with rows in the range, perhaps with others.
    pub chunks: Vec<Arc<Chunk>>,
    /// The range asked for.
    pub range: TimeRange,
    /// Segments of the range that are out of use: what is read from this snapshot is not complete unless this is empty.
    pub damaged: Vec<DamagedSegment>,
}

impl Store {
    /// The rows of a table in a range. Every acknowledged row is in exactly one segment or chunk. The caller still filters by
    /// time: segments and chunks reach over the edges of the range. And leaves out [`Snapshot::deleted`].
    pub fn snapshot(&self, tenant: &TenantId, table: Table, range: TimeRange) -> Snapshot {
        self.inner.snapshot(tenant, table, range)
    }
}

impl Inner {
    pub(crate) fn snapshot(&self, tenant: &TenantId, table: Table, range: TimeRange) -> Snapshot {
        let mut chunks: Vec<Arc<Chunk>> = Vec::new();
        let mut state = self.state.lock();
        for memtable in &state.frozen {
            memtable.collect_frozen(tenant, table, &mut chunks);
        }
        state.active.collect(tenant, table, &mut chunks);
        let segments: Vec<Arc<Segment>> = {
            let in_range = state.live.values().filter(|segment| {
                let meta = segment.meta();
                meta.tenant == *tenant && meta.table == table && range.overlaps(meta.min_time, meta.max_time)
            });
            in_range.cloned().collect()
        };
        let deleted_of = |segment: &Arc<Segment>| {
            let id = &segment.meta().id;
            Some((id.clone(), state.deleted.get(id)?.clone()))
        };
        let deleted = segments.iter().filter_map(deleted_of).collect();
        let damaged = state.damaged.values().filter(|segment| {
            segment.tenant == *tenant && segment.table == table && range.overlaps(segment.min_time, segment.max_time)
        });
        let damaged = damaged.cloned().collect();
        drop(state);
        chunks.retain(|chunk| range.overlaps(chunk.times().0, chunk.times().1));
        Snapshot { segments, deleted, chunks, range, damaged }
    }
}
