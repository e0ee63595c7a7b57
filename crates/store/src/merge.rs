//! Merging: many small segments of a partition become one. Which ones is decided in [`crate::due`].

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Edit;
use roaring::RoaringBitmap;
use segment::{Segment, SegmentError, SegmentMeta, SegmentSpec, merge_segments};
use telemetry::metrics::MERGES;

use crate::due::{Candidate, Limits, due, packed};
use crate::store::Inner;
use crate::{Step, StoreError, shelf};

/// Deleted rows of segments that are merged.
type Deleted = BTreeMap<String, Arc<RoaringBitmap>>;

impl Inner {
    /// Does the most useful merge, if one is due; whether it did.
    pub(crate) fn merge_one(&self) -> Result<bool, StoreError> {
        let _one_at_a_time = self.merging.enter();
        let limits = self.limits();
        let Some(ids) = due(&self.candidates(), limits) else { return Ok(false) };
        self.merge(&ids)
    }

    /// Joins the segments of every partition as far as the size limit allows, and rids all of deleted rows; gives the number
    /// of merges.
    pub(crate) fn merge_all(&self) -> Result<usize, StoreError> {
        let _one_at_a_time = self.merging.enter();
        let mut merges = 0;
        loop {
            let groups = packed(&self.candidates(), self.limits());
            let mut done = 0;
            for ids in groups {
                done += usize::from(self.merge(&ids)?);
            }
            // Each merge leaves fewer segments or fewer deleted rows, and a group that failed is no candidate any more.
            if done == 0 {
                return Ok(merges);
            }
            merges += done;
        }
    }

    fn limits(&self) -> Limits {
        Limits { fan_in: self.options.merge_fan_in.max(2), rows_max: self.options.merge_rows_max }
    }

    fn candidates(&self) -> Vec<Candidate> {
        let unmergeable = self.unmergeable.lock();
        let state = self.state.lock();
        let live = state.live.values().filter(|segment| !unmergeable.contains(&segment.meta().id));
        live.map(|segment| Candidate::new(segment.meta(), state.deleted.get(&segment.meta().id).map_or(0, |d| d.len())))
            .collect()
    }

    /// Merges segments of one partition; whether it did. When an input turns out damaged, it is taken out of use and the
    /// merge given up.
    fn merge(&self, ids: &[String]) -> Result<bool, StoreError> {
        let (inputs, deleted): (Vec<Arc<Segment>>, Deleted) = {
            let state = self.state.lock();
            let deleted = ids.iter().filter_map(|id| Some((id.clone(), state.deleted.get(id)?.clone())));
            (ids.iter().filter_map(|id| state.live.get(id).cloned()).collect(), deleted.collect())
        };
        let Some(first) = inputs.first().filter(|_| inputs.len() > 1 || !deleted.is_empty()) else { return Ok(false) };
        let level = inputs.iter().map(|input| input.meta().level).max().unwrap_or(0) + 1;
        let of = first.meta();
        let spec = SegmentSpec { tenant: of.tenant.clone(), table: of.table, day: of.day, level };
        let rows_of = |segment: &Segment| deleted.get(&segment.meta().id).map(|rows| (**rows).clone());
        let merged = match merge_segments(&self.home.segments, &spec, &inputs, &rows_of) {
            Ok(meta) => meta,
            Err(error) => return self.merge_failed(&inputs, error).map(|()| false),
        };
        let rows_in: u64 = inputs.iter().map(|input| input.meta().rows).sum();
        let rows_deleted: u64 = deleted.values().map(|rows| rows.len()).sum();
        if merged.rows + rows_deleted != rows_in {
            self.discard(std::slice::from_ref(&merged));
            let expected = rows_in - rows_deleted;
            let error = SegmentError::RowsLost { inputs: ids.to_vec(), expected, found: merged.rows };
            return self.merge_failed(&inputs, error).map(|()| false);
        }
        self.step(Step::MergeWritten)?;
        self.swap(merged, &inputs)?;
        MERGES.add(1);
        Ok(true)
    }

    /// Sees to it that a merge which failed is not tried again for ever: damaged inputs leave use. When an error speaks of
    /// damage and every input is sound all the same, nobody loses rows: the inputs stay, unmerged until a restart.
    fn merge_failed(&self, inputs: &[Arc<Segment>], error: SegmentError) -> Result<(), StoreError> {
        if !error.is_corrupt() {
            return Err(error.into());
        }
        let suspects = error.segments();
        let mut found = false;
        for input in inputs.iter().filter(|input| suspects.contains(&input.meta().id.as_str())) {
            if let Err(damage) = input.verify()
                && damage.is_corrupt()
            {
                self.quarantine(&input.meta().id, &damage.to_string())?;
                found = true;
            }
        }
        if !found {
            tracing::error!(%error, "a merge failed on sound segments; they stay as they are");
            self.unmergeable.lock().extend(inputs.iter().map(|input| input.meta().id.clone()));
        }
        Ok(())
    }

    /// Puts a merged segment in the place of its inputs.
    fn swap(&self, merged: SegmentMeta, inputs: &[Arc<Segment>]) -> Result<(), StoreError> {
        let opened = Arc::new(Segment::open(&self.home.segments, merged.clone())?);
        let remove: Vec<String> = inputs.iter().map(|input| input.meta().id.clone()).collect();
        let edit = Edit { add: vec![shelf::row_of(&merged)], remove, ..Edit::default() };
        if let Err(error) = self.catalog.commit(&edit) {
            // Whether it happened decides which files are in use.
            match self.catalog.segments() {
                Ok(rows) if rows.iter().any(|row| row.id == merged.id) => {}
                Ok(_) => {
                    self.discard(std::slice::from_ref(&merged));
                    return Err(error.into());
                }
                Err(_) => {
                    self.set_fault(format!("the outcome of a catalog transaction is unknown: {error}"));
                    return Err(error.into());
                }
            }
        }
        {
            // In one step: a snapshot sees the inputs or the merged segment, never both.
            let mut state = self.state.lock();
            for id in &edit.remove {
                state.live.remove(id);
                state.damaged.remove(id);
                state.deleted.remove(id);
            }
            state.live.insert(merged.id, opened);
        }
        self.step(Step::MergeCommitted)?;
        self.entomb(inputs);
        Ok(())
    }
}
