//! Rows as they become visible, for who watches: bounded, and never in the way of an append.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use arrow_array::RecordBatch;
use model::{Row, Table, TenantId};
use parking_lot::Mutex;

use crate::Store;

/// Rows that wait for a follower. What comes when there are more is left out, and counted.
pub const FOLLOWER_ROWS_MAX: usize = 50_000;
/// Bytes of rows that wait for a follower, likewise.
pub const FOLLOWER_BYTES_MAX: usize = 32 << 20;

/// Who is told of the rows of one table of one tenant. It is told until it is dropped.
#[derive(Debug)]
pub struct Follower {
    tenant: TenantId,
    table: Table,
    waiting: Mutex<Waiting>,
    left_out: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<RecordBatch>,
    rows: usize,
    bytes: usize,
}

impl Follower {
    /// The rows that came since the last call, in the order of their arrival, and how many were left out.
    pub fn take(&self) -> (Vec<RecordBatch>, u64) {
        let waiting = std::mem::take(&mut *self.waiting.lock());
        (waiting.batches.into(), self.left_out.swap(0, Relaxed))
    }

    fn offer(&self, batch: &RecordBatch) {
        let mut waiting = self.waiting.lock();
        // Of a batch that no room is ever large enough for, the first rows count.
        let kept = batch.num_rows().min(FOLLOWER_ROWS_MAX);
        self.left_out.fetch_add((batch.num_rows() - kept) as u64, Relaxed);
        let batch = batch.slice(0, kept);
        let bytes = column::batch_bytes(&batch);
        if waiting.rows + batch.num_rows() > FOLLOWER_ROWS_MAX || waiting.bytes + bytes > FOLLOWER_BYTES_MAX {
            self.left_out.fetch_add(batch.num_rows() as u64, Relaxed);
            return;
        }
        waiting.rows += batch.num_rows();
        waiting.bytes += bytes;
        waiting.batches.push_back(batch);
    }
}

/// All followers.
#[derive(Debug, Default)]
pub(crate) struct Followers(Mutex<Vec<Weak<Follower>>>);

impl Followers {
    fn of(&self, tenant: &TenantId, table: Table) -> Vec<Arc<Follower>> {
        let mut all = self.0.lock();
        if all.is_empty() {
            return Vec::new();
        }
        all.retain(|follower| follower.strong_count() > 0);
        let meant = |follower: &Arc<Follower>| follower.tenant == *tenant && follower.table == table;
        all.iter().filter_map(Weak::upgrade).filter(meant).collect()
    }

    /// Tells of rows.
    pub(crate) fn tell_rows(&self, tenant: &TenantId, table: Table, rows: &[Row]) {
        let followers = self.of(tenant, table);
        if !followers.is_empty() && !rows.is_empty() {
            let batch = column::rows_to_batch(&rows.iter().collect::<Vec<_>>());
            followers.iter().for_each(|follower| follower.offer(&batch));
        }
    }

    /// Tells of columns.
    pub(crate) fn tell_columns(&self, tenant: &TenantId, table: Table, columns: &RecordBatch) {
        self.of(tenant, table).iter().for_each(|follower| follower.offer(columns));
    }
}

impl Store {
    /// Tells of every row of a table that becomes visible from now on.
    pub fn follow(&self, tenant: &TenantId, table: Table) -> Arc<Follower> {
        let (waiting, left_out) = (Mutex::default(), AtomicU64::new(0));
        let follower = Arc::new(Follower { tenant: tenant.clone(), table, waiting, left_out });
        self.inner.followers.0.lock().push(Arc::downgrade(&follower));
        follower
    }
}
