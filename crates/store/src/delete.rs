//! Deleting rows: the catalog keeps which rows of a segment count as gone; a merge leaves them out of the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Edit;
use model::{Table, TenantId, TimeRange};
use roaring::RoaringBitmap;

use crate::gate::Passage;
use crate::store::Inner;
use crate::{Snapshot, Step, Store, StoreError, shelf};

/// A store whose segments stay as they are until this is dropped: no merge, no retention. Row numbers read from its
/// snapshots are valid for [`Frozen::delete`]. Appends and flushes go on beside it, and only add segments.
pub struct Frozen {
    inner: Arc<Inner>,
    _passage: Passage,
}

/// What a delete did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeleteReport {
    /// Rows that are gone now and were there before.
    pub rows: u64,
    /// Segments that had them.
    pub segments: usize,
    /// Those of them that had no other rows and left the store.
    pub segments_removed: usize,
}

/// Rows by segment.
type Rows = BTreeMap<String, RoaringBitmap>;

impl Store {
    /// Waits for a merge that is running, flushes everything acknowledged so far, and holds up merges and retention until
    /// the result is dropped. Compute in it which rows to delete, and delete them with it.
    pub fn freeze_for_delete(&self) -> Result<Frozen, StoreError> {
        let passage = self.inner.merging.enter();
        self.inner.flush_memtables()?;
        Ok(Frozen { inner: Arc::clone(&self.inner), _passage: passage })
    }
}

impl Frozen {
    /// The segments of a table in a range, and the rows of them that are deleted already. Rows that came after the freeze may
    /// be in it, if they were flushed; those in memory are not.
    pub fn snapshot(&self, tenant: &TenantId, table: Table, range: TimeRange) -> Snapshot {
        let mut snapshot = self.inner.snapshot(tenant, table, range);
        snapshot.chunks.clear();
        snapshot
    }

    /// Deletes rows of segments of a table by their numbers, all in one transaction: when this returns, they are durably gone
    /// from every later snapshot. Rows that are deleted already do no harm. A segment that is not there, of another table,
    /// or has fewer rows is an error, and nothing is deleted.
    pub fn delete(
        &self,
        tenant: &TenantId,
        table: Table,
        deletes: Vec<(String, RoaringBitmap)>,
    ) -> Result<DeleteReport, StoreError> {
        let mut rows = Rows::new();
        for (segment, more) in deletes {
            let known = rows.entry(segment).or_default();
            *known |= more;
        }
        rows.retain(|_, rows| !rows.is_empty());
        for (segment, rows) in &rows {
            self.inner.check_delete(tenant, table, segment, rows)?;
        }
        self.inner.delete_rows(rows)
    }
}

impl Inner {
    fn check_delete(
        &self,
        tenant: &TenantId,
        table: Table,
        segment: &str,
        rows: &RoaringBitmap,
    ) -> Result<(), StoreError> {
        let refuse = |reason: &str| Err(StoreError::Delete { segment: segment.to_owned(), reason: reason.to_owned() });
        let state = self.state.lock();
        let Some(meta) = state.live.get(segment).map(|segment| segment.meta()) else {
            return refuse("it is not in use: look at the segments again");
        };
        if meta.tenant != *tenant || meta.table != table {
            return refuse("it is of another tenant or table");
        }
        if rows.max().is_some_and(|row| u64::from(row) >= meta.rows) {
            return refuse("it has fewer rows");
        }
        Ok(())
    }

    /// Deletes rows of live segments. The caller has passed the gate `merging`. Segments that keep no row leave the store.
    pub(crate) fn delete_rows(&self, rows: Rows) -> Result<DeleteReport, StoreError> {
        let mut report = DeleteReport::default();
        let (mut changed, mut remove) = (Rows::new(), Vec::new());
        {
            let state = self.state.lock();
            for (id, more) in rows {
                // A reader may have reported it damaged meanwhile: then its rows are gone from queries anyway.
                let Some(segment) = state.live.get(&id) else { continue };
                let before = state.deleted.get(&id).map(|rows| (**rows).clone()).unwrap_or_default();
                let known = before.len();
                let after = before | more;
                if after.len() == known {
                    continue;
                }
                report.rows += after.len() - known;
                report.segments += 1;
                if after.len() >= segment.meta().rows { remove.push(id) } else { drop(changed.insert(id, after)) }
            }
        }
        report.segments_removed = remove.len();
        if report.segments == 0 {
            return Ok(report);
        }
        self.step(Step::DeleteReady)?;
        self.commit_delete(&changed, &remove)?;
        {
            let mut state = self.state.lock();
            state.deleted.extend(changed.into_iter().map(|(id, rows)| (id, Arc::new(rows))));
        }
        self.step(Step::DeleteCommitted)?;
        self.bury(&remove);
        Ok(report)
    }

    /// The catalog transaction. When it fails, it is looked up whether it happened.
    fn commit_delete(&self, changed: &Rows, remove: &[String]) -> Result<(), StoreError> {
        let delete: Vec<_> = changed.iter().map(|(id, rows)| shelf::deleted_row(id, rows)).collect();
        let edit = Edit { delete, remove: remove.to_vec(), ..Edit::default() };
        let Err(error) = self.catalog.commit(&edit) else { return Ok(()) };
        match (self.catalog.deleted_rows(), self.catalog.segments()) {
            (Ok(rows), Ok(segments)) => {
                let done = edit.delete.iter().all(|wanted| rows.contains(wanted))
                    && segments.iter().all(|segment| !remove.contains(&segment.id));
                if done { Ok(()) } else { Err(error.into()) }
            }
            _ => {
                self.set_fault(format!("the outcome of a catalog transaction is unknown: {error}"));
                Err(error.into())
            }
        }
    }
}
