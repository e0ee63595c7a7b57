//! Merging: many small segments of a partition become one.
//!
//! Sizes fall into classes, each [`CLASS_FACTOR`] times the one below; when a partition has enough segments of one class,
//! they become one of the next. So a row is rewritten once per class, and the number of segments stays logarithmic.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::Edit;
use model::{Table, TenantId};
use segment::{Segment, SegmentMeta, SegmentSpec, merge_segments};
use telemetry::metrics::MERGES;

use crate::store::Inner;
use crate::{Step, StoreError, shelf};

/// Rows up to which a segment is in the lowest class.
const CLASS_ROWS_BASE: u64 = 1024;
/// Between two classes.
const CLASS_FACTOR: u64 = 8;

/// Segments by tenant, table and day.
type Partitions<'a> = BTreeMap<(&'a TenantId, Table, i64), Vec<&'a SegmentMeta>>;

impl Inner {
    /// Does the most useful merge, if one is due; whether it did.
    pub(crate) fn merge_one(&self) -> Result<bool, StoreError> {
        let _one_at_a_time = self.merging.lock();
        let metas = self.live_metas();
        let Some(ids) = due(&metas, self.options.merge_fan_in, self.options.merge_rows_max) else { return Ok(false) };
        self.merge(&ids)
    }

    /// Joins the segments of every partition as far as the size limit allows; gives the number of merges.
    pub(crate) fn merge_all(&self) -> Result<usize, StoreError> {
        let _one_at_a_time = self.merging.lock();
        let metas = self.live_metas();
        let mut merges = 0;
        for ids in packed(&metas, self.options.merge_rows_max) {
            merges += usize::from(self.merge(&ids)?);
        }
        Ok(merges)
    }

    fn live_metas(&self) -> Vec<SegmentMeta> {
        self.state.lock().live.values().map(|segment| segment.meta().clone()).collect()
    }

    /// Merges segments of one partition. An input that turns out damaged is quarantined and the merge given up.
    fn merge(&self, ids: &[String]) -> Result<bool, StoreError> {
        let inputs: Vec<Arc<Segment>> = {
            let state = self.state.lock();
            ids.iter().filter_map(|id| state.live.get(id).cloned()).collect()
        };
        let Some(first) = inputs.first().filter(|_| inputs.len() > 1) else { return Ok(false) };
        let level = inputs.iter().map(|input| input.meta().level).max().unwrap_or(0) + 1;
        let of = first.meta();
        let spec = SegmentSpec { tenant: of.tenant.clone(), table: of.table, day: of.day, level };
        let merged = match merge_segments(&self.home.segments, &spec, &inputs) {
            Ok(meta) => meta,
            Err(error) => {
                let culprit = shelf::segment_of(&error).filter(|id| error.is_corrupt() && ids.iter().any(|i| i == id));
                if let Some(id) = culprit {
                    self.quarantine(id, &error.to_string())?;
                    return Ok(false);
                }
                return Err(error.into());
            }
        };
        let rows_in: u64 = inputs.iter().map(|input| input.meta().rows).sum();
        if merged.rows != rows_in {
            self.discard(std::slice::from_ref(&merged));
            return Err(StoreError::Faulted {
                reason: format!("merging {rows_in} rows of {} segments gave {} rows", inputs.len(), merged.rows),
            });
        }
        self.step(Step::MergeWritten)?;
        self.swap(merged, inputs)?;
        MERGES.add(1);
        Ok(true)
    }

    /// Puts a merged segment in the place of its inputs.
    fn swap(&self, merged: SegmentMeta, inputs: Vec<Arc<Segment>>) -> Result<(), StoreError> {
        let opened = Arc::new(Segment::open(&self.home.segments, merged.clone())?);
        let remove: Vec<String> = inputs.iter().map(|input| input.meta().id.clone()).collect();
        let edit = Edit { add: vec![shelf::row_of(&merged)], remove, checkpoint: None };
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
            let mut state = self.state.lock();
            edit.remove.iter().for_each(|id| drop(state.live.remove(id)));
            edit.remove.iter().for_each(|id| drop(state.damaged.remove(id)));
            state.live.insert(merged.id, opened);
        }
        self.step(Step::MergeCommitted)?;
        self.graveyard.lock().extend(inputs);
        Ok(())
    }
}

fn partitions(metas: &[SegmentMeta]) -> Partitions<'_> {
    let mut partitions = Partitions::new();
    for meta in metas {
        partitions.entry((&meta.tenant, meta.table, meta.day)).or_default().push(meta);
    }
    partitions
}

fn class(rows: u64) -> u32 {
    (rows / CLASS_ROWS_BASE).max(1).ilog(CLASS_FACTOR)
}

/// The fullest class of any partition that has at least `fan_in` segments, oldest rows first, within `rows_max`.
fn due(metas: &[SegmentMeta], fan_in: usize, rows_max: u64) -> Option<Vec<String>> {
    let mut best: Option<Vec<&SegmentMeta>> = None;
    for segments in partitions(metas).into_values() {
        let mut classes: BTreeMap<u32, Vec<&SegmentMeta>> = BTreeMap::new();
        segments.into_iter().for_each(|meta| classes.entry(class(meta.rows)).or_default().push(meta));
        for mut same in classes.into_values() {
            same.sort_by_key(|meta| meta.min_id);
            let mut rows = 0;
            same.retain(|meta| {
                let fits = rows + meta.rows <= rows_max;
                rows += if fits { meta.rows } else { 0 };
                fits
            });
            if same.len() >= fan_in.max(2) && best.as_ref().is_none_or(|best| best.len() < same.len()) {
                best = Some(same);
            }
        }
    }
    best.map(|segments| segments.into_iter().map(|meta| meta.id.clone()).collect())
}

/// Every partition packed into groups of at most `rows_max` rows, smallest segments first; groups of one are left out.
fn packed(metas: &[SegmentMeta], rows_max: u64) -> Vec<Vec<String>> {
    let mut groups = Vec::new();
    for mut segments in partitions(metas).into_values() {
        segments.sort_by_key(|meta| meta.rows);
        let (mut group, mut rows) = (Vec::new(), 0);
        for meta in segments {
            if rows + meta.rows > rows_max {
                groups.push(std::mem::take(&mut group));
                rows = 0;
            }
            rows += meta.rows;
            group.push(meta.id.clone());
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups
}
