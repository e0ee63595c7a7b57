//! How long samples are kept: all, or those of some series for another time.
//!
//! What is too old is hidden from reads at once. Blocks that hold nothing else are removed; from others a merge leaves it out, and a
//! block of which more than half is too old is written anew ([`REWRITE_EVERY_MS`]).

use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::Labels;
use parking_lot::RwLock;

use crate::head::{Block, Tenant};
use crate::{Matcher, SeriesDb, SeriesError, block};

/// Samples of some series that are kept for another time than the rest.
#[derive(Clone, Debug)]
pub struct SeriesRetention {
    /// Which series: those that satisfy all of them. Of several rules the first one counts.
    pub matchers: Vec<Matcher>,
    /// For how long, in milliseconds; shorter or longer than the rest.
    pub keep_ms: i64,
}

/// How often blocks are looked through for samples that are too old by a rule, or old enough to be downsampled. It costs a look at every series of every block.
pub const REWRITE_EVERY_MS: i64 = 3_600_000;

/// How often what is hidden is also removed, from memory and as whole blocks. It costs a look at every series.
pub const REMOVE_EVERY_MS: i64 = 60_000;

/// The times before which samples are hidden. They only ever rise.
#[derive(Clone, Debug)]
pub(crate) struct Floors {
    default_ms: i64,
    rules: Vec<(Vec<Matcher>, i64)>,
}

impl Floors {
    pub(crate) fn new(rules: &[SeriesRetention]) -> Self {
        let rules = rules.iter().map(|rule| (rule.matchers.clone(), i64::MIN)).collect();
        Self { default_ms: i64::MIN, rules }
    }

    /// The first time at which a sample of any series may be.
    pub(crate) fn lowest(&self) -> i64 {
        self.rules.iter().map(|(_, floor)| *floor).fold(self.default_ms, i64::min)
    }

    /// The first time at which a sample of a series may be.
    pub(crate) fn of(&self, labels: &Labels) -> i64 {
        let meant = |matchers: &[Matcher]| matchers.iter().all(|matcher| matcher.matches_labels(labels));
        self.rules.iter().find(|(matchers, _)| meant(matchers)).map_or(self.default_ms, |(_, floor)| *floor)
    }
}

impl SeriesDb {
    /// Forgets what is before a time, but of series that a rule of [`SeriesOptions::retention`](crate::SeriesOptions::retention) is
    /// about: reads show none of it at once, blocks and series that hold nothing newer go.
    pub fn retain(&self, before_ms: i64) -> Result<(), SeriesError> {
        let mut floors = Floors::clone(&self.floors());
        floors.default_ms = floors.default_ms.max(before_ms);
        self.enforce(floors)
    }

    /// Forgets what is older at `now_ms` than the rules of [`SeriesOptions::retention`](crate::SeriesOptions::retention) say, and of
    /// all other series what is older than `keep_ms`, if that is given. Samples are hidden at once, and removed by the first call
    /// in [`REMOVE_EVERY_MS`].
    pub fn retain_at(&self, now_ms: i64, keep_ms: Option<i64>) -> Result<(), SeriesError> {
        let floors = self.floors_at(now_ms, keep_ms);
        let has_rules = !floors.rules.is_empty();
        self.set_cutoffs(now_ms);
        let removed_ms = self.removed_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(removed_ms) < REMOVE_EVERY_MS {
            *self.floors.write() = Arc::new(floors);
            return Ok(());
        }
        self.removed_ms.store(now_ms, Ordering::Relaxed);
        self.enforce(floors)?;
        let looked_ms = self.rewrites_looked_ms.load(Ordering::Relaxed);
        if now_ms.saturating_sub(looked_ms) >= REWRITE_EVERY_MS {
            self.rewrites_looked_ms.store(now_ms, Ordering::Relaxed);
            if has_rules {
                self.rewrite_old_blocks()?;
            }
            self.downsample_old_blocks()?;
        }
        Ok(())
    }

    /// Hides from reads what [`Self::retain_at`] would forget, and removes nothing. For a database that was just opened: no read may
    /// see what was hidden before.
    pub fn hide_at(&self, now_ms: i64, keep_ms: Option<i64>) {
        let floors = self.floors_at(now_ms, keep_ms);
        *self.floors.write() = Arc::new(floors);
    }

    /// The floors of a time; none is lower than it was.
    fn floors_at(&self, now_ms: i64, keep_ms: Option<i64>) -> Floors {
        let mut floors = Floors::clone(&self.floors());
        if let Some(keep_ms) = keep_ms {
            floors.default_ms = floors.default_ms.max(now_ms.saturating_sub(keep_ms));
        }
        for ((_, floor), rule) in floors.rules.iter_mut().zip(&self.options.retention) {
            *floor = (*floor).max(now_ms.saturating_sub(rule.keep_ms));
        }
        floors
    }

    pub(crate) fn floors(&self) -> Arc<Floors> {
        Arc::clone(&self.floors.read())
    }

    fn enforce(&self, floors: Floors) -> Result<(), SeriesError> {
        let _files = self.files.lock();
        let before_ms = floors.lowest();
        let floors = Arc::new(floors);
        *self.floors.write() = Arc::clone(&floors);
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        for tenant in tenants {
            let mut tenant = tenant.write();
            let old: Vec<_> = tenant.blocks.iter().filter(|block| block.max_ms < before_ms).cloned().collect();
            // The newest block carries the metadata; it stays until another takes its place.
            let newest = tenant.blocks.last().cloned();
            for block in old {
                if newest.as_ref().is_some_and(|newest| Arc::ptr_eq(newest, &block)) && !tenant.metadata.is_empty() {
                    continue;
                }
                std::fs::remove_file(&block.file.path).map_err(SeriesError::io("remove", &block.file.path))?;
                tenant.remove_block(&block);
                self.decoded.forget(block.file.id);
            }
            for head in tenant.heads.values_mut() {
                let floor = floors.of(&head.labels);
                head.recent.drop_before(floor);
                head.fresh.drop_before(floor);
                head.min_ms = head.min_ms.max(floor);
            }
            tenant.exemplars.drop_before(before_ms);
            tenant.count_bytes();
            tenant.drop_empty_series();
            tenant.forget_gone_metrics();
        }
        // A tenant that someone holds may be about to get samples.
        self.tenants.write().retain(|_, tenant| Arc::strong_count(tenant) > 1 || !tenant.read().is_empty());
        self.forget_tombstones(before_ms)?;
        block::sync_dir(&self.dir)
    }

    /// Writes those blocks anew of which more than half is too old.
    fn rewrite_old_blocks(&self) -> Result<(), SeriesError> {
        let _files = self.files.lock();
        let floors = self.floors();
        let tenants: Vec<Arc<RwLock<Tenant>>> = self.tenants.read().values().cloned().collect();
        for tenant in tenants {
            let old: Vec<Arc<Block>> = {
                let tenant = tenant.read();
                tenant.blocks.iter().filter(|block| is_mostly_old(&tenant, block, &floors)).cloned().collect()
            };
            for block in old {
                self.merge_readable(&tenant, &[block])?;
            }
            tenant.write().drop_empty_series();
        }
        Ok(())
    }
}

fn is_mostly_old(tenant: &Tenant, block: &Block, floors: &Floors) -> bool {
    let (mut old, mut all) = (0, 0);
    for entry in &block.entries {
        let floor = tenant.heads.get(entry.id).map_or(i64::MIN, |head| floors.of(&head.labels));
        all += entry.samples();
        old += if entry.max_ms < floor { entry.samples() } else { 0 };
    }
    old * 2 > all
}
