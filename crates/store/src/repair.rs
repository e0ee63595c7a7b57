//! Mending what can be mended: an index can be built again from its columns.

use std::sync::Arc;

use catalog::{Edit, SegmentRow, SegmentState};
use segment::{Segment, SegmentError, SegmentMeta, rebuild_index};

use crate::shelf::Grave;
use crate::store::Inner;
use crate::{Step, Store, StoreError, shelf};

/// What became of a segment that was not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The segment.
    pub segment: String,
    /// What became of it.
    pub outcome: RepairOutcome,
}

/// What became of a segment that was not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RepairOutcome {
    /// Its index was missing or damaged and was built again; it has this many bytes.
    Rebuilt {
        /// Length of the index file.
        bytes: u64,
    },
    /// It was out of use and turned out to be whole: it is in use again.
    Restored,
    /// Its columns are damaged, so it stays out of use; or its index cannot be built.
    Damaged {
        /// What is wrong.
        reason: String,
    },
}

impl Store {
    /// Reads every segment whole, those out of use included, and mends what can be mended. Gives the segments that were not
    /// whole. Merges and retention wait meanwhile; queries, appends and flushes go on.
    pub fn repair(&self) -> Result<Vec<Repair>, StoreError> {
        let inner = &self.inner;
        let _one_at_a_time = inner.merging.enter();
        let live: Vec<Arc<Segment>> = inner.state.lock().live.values().cloned().collect();
        let mut repairs = Vec::new();
        for segment in live {
            repairs.extend(inner.repair_live(&segment)?);
        }
        for row in inner.catalog.segments()? {
            if matches!(row.state, SegmentState::Damaged { .. }) {
                // One that was taken out of use just now is in the list already.
                let known = repairs.iter().any(|repair| repair.segment == row.id);
                if !known {
                    repairs.push(inner.repair_damaged(&row)?);
                }
            }
        }
        inner.sweep();
        Ok(repairs)
    }
}

impl Inner {
    fn repair_live(&self, segment: &Arc<Segment>) -> Result<Option<Repair>, StoreError> {
        let meta = segment.meta();
        match segment.verify() {
            Ok(()) if meta.bytes_index > 0 => Ok(None),
            Ok(()) | Err(SegmentError::IndexDamaged { .. }) => {
                let outcome = self.rebuild(meta)?;
                Ok(Some(Repair { segment: meta.id.clone(), outcome }))
            }
            Err(error) if error.is_corrupt() => {
                let reason = error.to_string();
                self.quarantine(&meta.id, &reason)?;
                Ok(Some(Repair { segment: meta.id.clone(), outcome: RepairOutcome::Damaged { reason } }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Looks at a segment that is out of use again.
    fn repair_damaged(&self, row: &SegmentRow) -> Result<Repair, StoreError> {
        let of = |outcome| Ok(Repair { segment: row.id.clone(), outcome });
        let segment = match shelf::open(&self.home.segments, row)? {
            Ok(segment) => segment,
            Err(reason) => return of(RepairOutcome::Damaged { reason }),
        };
        match segment.verify() {
            Ok(()) if segment.meta().bytes_index > 0 => {
                self.put_in_use(segment.meta())?;
                of(RepairOutcome::Restored)
            }
            Ok(()) | Err(SegmentError::IndexDamaged { .. }) => of(self.rebuild(segment.meta())?),
            Err(error) if error.is_corrupt() => of(RepairOutcome::Damaged { reason: error.to_string() }),
            Err(error) => Err(error.into()),
        }
    }

    /// Builds an index again, under a new name, and puts the segment with it in use.
    fn rebuild(&self, meta: &SegmentMeta) -> Result<RepairOutcome, StoreError> {
        let rebuilt = match rebuild_index(&self.home.segments, meta) {
            Ok(rebuilt) => rebuilt,
            Err(error) if error.is_corrupt() => {
                let reason = error.to_string();
                self.quarantine(&meta.id, &reason)?;
                return Ok(RepairOutcome::Damaged { reason });
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(reason) = rebuilt.index_failure {
            return Ok(RepairOutcome::Damaged { reason });
        }
        self.step(Step::RepairWritten)?;
        self.put_in_use(&rebuilt)?;
        self.step(Step::RepairCommitted)?;
        Ok(RepairOutcome::Rebuilt { bytes: rebuilt.bytes_index })
    }

    /// Commits a new description of a segment and reads by it from now on. What of the old one's files is not the new one's
    /// goes when nobody reads it.
    fn put_in_use(&self, meta: &SegmentMeta) -> Result<(), StoreError> {
        let opened = Arc::new(Segment::open(&self.home.segments, meta.clone())?);
        let deleted = self.catalog.deleted_rows()?.into_iter().find(|row| row.segment == meta.id);
        let deleted = deleted.map(|row| shelf::deleted_bitmap(&row)).transpose();
        let deleted = deleted.map_err(|reason| StoreError::Delete { segment: meta.id.clone(), reason })?;
        self.catalog.commit(&Edit { update: vec![shelf::row_of(meta)], ..Edit::default() })?;
        let old = {
            let mut state = self.state.lock();
            state.damaged.remove(&meta.id);
            if let Some(rows) = deleted {
                state.deleted.insert(meta.id.clone(), Arc::new(rows));
            }
            state.live.insert(meta.id.clone(), opened)
        };
        if let Some(segment) = old {
            let kept = meta.keys();
            let keys = segment.meta().keys().into_iter().filter(|key| !kept.contains(key)).collect();
            self.graveyard.lock().push(Grave { segment, keys });
        }
        Ok(())
    }
}
