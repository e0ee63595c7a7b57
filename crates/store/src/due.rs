//! Which segments are merged.
//!
//! Sizes fall into classes, each [`CLASS_FACTOR`] times the one below; when a partition has enough segments of one class,
//! they become one of a higher. So a row is rewritten once per class, and the number of segments stays logarithmic. A
//! segment of which much is deleted is rewritten alone.

use std::collections::BTreeMap;

use model::{RowId, Table, TenantId};
use segment::SegmentMeta;

/// Rows up to which a segment is in the lowest class, times [`CLASS_FACTOR`].
const CLASS_ROWS_BASE: u64 = 128;
/// Between two classes. Below the fan-in, so that a merge always leads to a higher class.
const CLASS_FACTOR: u64 = 8;
/// A segment with a larger share of deleted rows is due.
const DELETED_PERCENT_MAX: u64 = 20;
/// Segments of one merge, however small: each is two open files.
const INPUTS_MAX: usize = 64;
/// Rows of one merge that are in memory at a time, for each of the segments that the fan-in asks for: a merge holds a batch of
/// each input.
const INPUT_ROWS_OPEN: u64 = column::READ_BATCH_ROWS_MAX as u64;

/// A segment that may be merged.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    id: String,
    partition: (TenantId, Table, i64),
    rows: u64,
    deleted: u64,
    min_id: RowId,
}

/// What a merge may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Segments of one class that are merged together.
    pub(crate) fan_in: usize,
    /// Rows of a merged segment.
    pub(crate) rows_max: u64,
}

impl Candidate {
    pub(crate) fn new(meta: &SegmentMeta, deleted: u64) -> Self {
        Self {
            id: meta.id.clone(),
            partition: (meta.tenant.clone(), meta.table, meta.day),
            rows: meta.rows,
            deleted,
            min_id: meta.min_id,
        }
    }

    /// Rows that a merge keeps.
    fn kept(&self) -> u64 {
        self.rows.saturating_sub(self.deleted)
    }

    fn class(&self) -> u32 {
        (self.kept() / CLASS_ROWS_BASE).max(1).ilog(CLASS_FACTOR)
    }

    fn is_worn(&self) -> bool {
        self.deleted * 100 > self.rows * DELETED_PERCENT_MAX
    }
}

/// What is picked for one merge, as far as the limits allow.
struct Picked<'a> {
    limits: Limits,
    picked: Vec<&'a Candidate>,
    rows: u64,
    open: u64,
}

impl<'a> Picked<'a> {
    fn new(limits: Limits) -> Self {
        Self { limits, picked: Vec::new(), rows: 0, open: 0 }
    }

    /// Adds a segment unless a limit is met; whether it did.
    fn add(&mut self, one: &'a Candidate) -> bool {
        let rows = self.rows + one.kept();
        let open = self.open + one.rows.min(INPUT_ROWS_OPEN);
        let fits = rows <= self.limits.rows_max
            && open <= self.limits.fan_in as u64 * INPUT_ROWS_OPEN
            && self.picked.len() < INPUTS_MAX;
        if fits || self.picked.is_empty() {
            (self.rows, self.open) = (rows, open);
            self.picked.push(one);
            return true;
        }
        false
    }

    fn ids(&self) -> Vec<String> {
        self.picked.iter().map(|one| one.id.clone()).collect()
    }

    /// Whether merging changes anything.
    fn is_useful(&self) -> bool {
        self.picked.len() > 1 || self.picked.iter().any(|one| one.deleted > 0)
    }
}

/// The next merge: a worn segment, or the fullest class of any partition that has at least the fan-in of segments, oldest
/// rows first.
pub(crate) fn due(candidates: &[Candidate], limits: Limits) -> Option<Vec<String>> {
    if let Some(worn) = candidates.iter().find(|one| one.is_worn()) {
        return Some(vec![worn.id.clone()]);
    }
    let mut best: Option<Vec<String>> = None;
    for segments in partitions(candidates).into_values() {
        let mut classes: BTreeMap<u32, Vec<&Candidate>> = BTreeMap::new();
        segments.into_iter().for_each(|one| classes.entry(one.class()).or_default().push(one));
        for mut same in classes.into_values() {
            same.sort_by_key(|one| one.min_id);
            let mut picked = Picked::new(limits);
            for one in same {
                picked.add(one);
            }
            let ids = picked.ids();
            if ids.len() >= limits.fan_in && best.as_ref().is_none_or(|best| best.len() < ids.len()) {
                best = Some(ids);
            }
        }
    }
    best
}

/// Every partition packed into merges within the limits, smallest segments first; what would change nothing is left out.
pub(crate) fn packed(candidates: &[Candidate], limits: Limits) -> Vec<Vec<String>> {
    let mut groups = Vec::new();
    for mut segments in partitions(candidates).into_values() {
        segments.sort_by_key(|one| one.kept());
        let mut group = Picked::new(limits);
        for one in segments {
            if !group.add(one) {
                groups.push(std::mem::replace(&mut group, Picked::new(limits)));
                group.add(one);
            }
        }
        groups.push(group);
    }
    groups.retain(Picked::is_useful);
    groups.iter().map(Picked::ids).collect()
}

/// Segments by tenant, table and day.
fn partitions(candidates: &[Candidate]) -> BTreeMap<&(TenantId, Table, i64), Vec<&Candidate>> {
    let mut partitions: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in candidates {
        partitions.entry(&one.partition).or_default().push(one);
    }
    partitions
}
