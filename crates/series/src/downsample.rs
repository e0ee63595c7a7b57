//! When series are downsampled, and how far; `fold` does it to one series.
//!
//! A block is written anew once all of it is older than a rule says, by the machinery that merges blocks: one temporary file that is
//! synced and renamed, and names the block that it replaces. So a crash leaves one of the two, and what was done is seen in the rows of
//! the block and not done again.

use std::sync::Arc;

use model::Labels;
use parking_lot::RwLock;

use crate::fold;
use crate::head::{Block, Tenant};
use crate::index::SeriesId;
use crate::samples::Samples;
use crate::{Matcher, SeriesDb, SeriesError};

/// A rule: samples of some series, once they are old enough, are downsampled.
#[derive(Clone, Debug)]
pub struct SeriesDownsampling {
    /// Which series: those that satisfy all of them. Rules with the same matchers belong together, one for each age; a series follows
    /// those of the first matchers that it satisfies.
    pub matchers: Vec<Matcher>,
    /// How old samples are, in milliseconds.
    pub after_ms: i64,
    /// Length of the buckets of which two samples are left.
    pub resolution_ms: i64,
}

/// A series whose row has no more samples than this cannot become smaller.
const SAMPLES_KEPT: usize = 2;

/// What is old enough, by rules that have their matchers in common.
#[derive(Clone, Debug)]
struct Group {
    matchers: Vec<Matcher>,
    /// Age, resolution, and the time before which samples are that old.
    steps: Vec<(i64, i64, i64)>,
}

/// What is old enough to be downsampled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cutoffs(Vec<Group>);

impl Cutoffs {
    pub(crate) fn new(rules: &[SeriesDownsampling]) -> Self {
        let key = |matchers: &[Matcher]| -> Vec<(String, &'static str, String)> {
            let key =
                |matcher: &Matcher| (matcher.name().to_owned(), matcher.op().as_str(), matcher.value().to_owned());
            let mut key: Vec<_> = matchers.iter().map(key).collect();
            key.sort_unstable();
            key
        };
        let mut groups: Vec<Group> = Vec::new();
        for rule in rules {
            let step = (rule.after_ms, rule.resolution_ms, i64::MIN);
            match groups.iter_mut().find(|group| key(&group.matchers) == key(&rule.matchers)) {
                Some(group) => group.steps.push(step),
                None => groups.push(Group { matchers: rule.matchers.clone(), steps: vec![step] }),
            }
        }
        Self(groups)
    }

    /// To which resolution samples of a series up to a time are to be downsampled; 0 is not at all.
    fn resolution_ms(&self, labels: &Labels, last_ms: i64) -> i64 {
        let meant = |group: &&Group| group.matchers.iter().all(|matcher| matcher.matches_labels(labels));
        let steps = self.0.iter().find(meant).map_or(&[][..], |group| &group.steps);
        let old = steps.iter().filter(|(_, _, before_ms)| last_ms < *before_ms);
        old.map(|(_, resolution_ms, _)| *resolution_ms).max().unwrap_or(0)
    }

    /// Whether anything that ends at a time may be old enough.
    fn may_be_old(&self, last_ms: i64) -> bool {
        self.0.iter().flat_map(|group| &group.steps).any(|(_, _, before_ms)| last_ms < *before_ms)
    }
}

/// How the series of some blocks are downsampled while they become one.
pub(crate) struct Plan {
    cutoffs: Arc<Cutoffs>,
    last_ms: i64,
    /// Blocks that are not among them and have samples at the same times.
    others: Vec<Arc<Block>>,
}

impl Plan {
    /// Downsamples a series of these blocks.
    pub(crate) fn apply(&self, id: SeriesId, labels: &Labels, samples: &mut Samples) {
        let resolution_ms = self.cutoffs.resolution_ms(labels, self.last_ms);
        if resolution_ms == 0 {
            return;
        }
        let span = |block: &Arc<Block>| block.entry(id).map(|entry| (entry.min_ms, entry.max_ms));
        let others: Vec<(i64, i64)> = self.others.iter().filter_map(span).collect();
        *samples = fold::fold(samples, resolution_ms, &others);
    }
}

impl SeriesDb {
    /// Sets what is old enough at a time.
    pub(crate) fn set_cutoffs(&self, now_ms: i64) {
        let mut cutoffs = Cutoffs::clone(&self.cutoffs.read());
        for (after_ms, _, before_ms) in cutoffs.0.iter_mut().flat_map(|group| &mut group.steps) {
            *before_ms = (*before_ms).max(now_ms.saturating_sub(*after_ms));
        }
        *self.cutoffs.write() = Arc::new(cutoffs);
    }

    /// How blocks are downsampled while they become one, if they are, and whether that one has downsampled series.
    pub(crate) fn plan(&self, tenant: &Tenant, run: &[Arc<Block>]) -> (Option<Plan>, bool) {
        let is_downsampled = run.iter().any(|block| block.coarsest_ms() > 0);
        let cutoffs = Arc::clone(&self.cutoffs.read());
        let first_ms = run.iter().map(|block| block.min_ms).min().unwrap_or(i64::MAX);
        let last_ms = run.iter().map(|block| block.max_ms).max().unwrap_or(i64::MIN);
        if !cutoffs.may_be_old(last_ms) {
            return (None, is_downsampled);
        }
        let is_other = |block: &&Arc<Block>| {
            let is_apart = block.min_ms > last_ms || block.max_ms < first_ms;
            !is_apart && !run.iter().any(|known| Arc::ptr_eq(known, block))
        };
        let others = tenant.blocks.iter().filter(is_other).cloned().collect();
        (Some(Plan { cutoffs, last_ms, others }), true)
    }

    /// Writes those blocks anew that have series that are to be downsampled further. Between two of them others may have the files.
    /// One that can not be written holds up no other; the first error comes back.
    pub(crate) fn downsample_old_blocks(&self) -> Result<(), SeriesError> {
        let cutoffs = Arc::clone(&self.cutoffs.read());
        if cutoffs.0.is_empty() {
            return Ok(());
        }
        let tenants: Vec<Arc<RwLock<Tenant>>> = self.tenants.read().values().cloned().collect();
        let mut done = Ok(());
        for tenant in tenants {
            let old: Vec<Arc<Block>> = {
                let tenant = tenant.read();
                tenant.blocks.iter().filter(|block| is_to_do(&tenant, block, &cutoffs)).cloned().collect()
            };
            for block in old {
                let _files = self.files.lock();
                let is_there = tenant.read().blocks.iter().any(|known| Arc::ptr_eq(known, &block));
                if is_there {
                    done = done.and(self.merge_readable(&tenant, &[block]).map(drop));
                }
            }
        }
        done
    }
}

/// Whether a block has a series that is to be downsampled further.
fn is_to_do(tenant: &Tenant, block: &Block, cutoffs: &Cutoffs) -> bool {
    cutoffs.may_be_old(block.max_ms)
        && block.entries.iter().any(|entry| {
            let Some(head) = tenant.heads.get(entry.id) else { return false };
            let wanted_ms = cutoffs.resolution_ms(&head.labels, block.max_ms);
            wanted_ms > block.resolution_ms(entry) && entry.samples() > SAMPLES_KEPT
        })
}
