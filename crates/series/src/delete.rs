//! Deleting samples of series, and copies of the database as it is.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use model::{Labels, TenantId};

use crate::block::{self, Entry};
use crate::head::{Block, Tenant};
use crate::index::SeriesId;
use crate::tombstones::{self, TOMBSTONES_MAX, Tombstone};
use crate::{Matcher, SeriesDb, SeriesError};

impl SeriesDb {
    /// Deletes the samples and exemplars from `start_ms` to `end_ms`, both included, of every series that satisfies all matchers of
    /// some selector. When it returns they are durably gone from every later read; the disk gives their room back when their block is
    /// merged or [`Self::clean_tombstones`] runs. It is about what is in blocks: flush first. What was inserted after that
    /// flush stays.
    ///
    /// Gives the number of series that had something to delete.
    pub fn delete(
        &self,
        tenant_id: &TenantId,
        selectors: &[Vec<Matcher>],
        start_ms: i64,
        end_ms: i64,
    ) -> Result<usize, SeriesError> {
        let _files = self.files.lock();
        let Some(tenant) = self.tenant(tenant_id) else { return Ok(0) };
        let mut touched: Vec<SeriesId> = {
            let tenant = tenant.read();
            selectors.iter().flat_map(|matchers| tenant.find(matchers, start_ms, end_ms)).collect()
        };
        touched.sort_unstable();
        touched.dedup();
        if touched.is_empty() {
            return Ok(0);
        }
        let before = self.sequence.load(Ordering::Relaxed);
        let tombstone = |matchers: &Vec<Matcher>| {
            let (tenant, matchers) = (tenant_id.clone(), matchers.clone());
            Tombstone { tenant, before, start_ms, end_ms, matchers }
        };
        let mut all: Vec<Tombstone> = self.tombstones.read().to_vec();
        all.extend(selectors.iter().map(tombstone));
        if all.len() > TOMBSTONES_MAX {
            return Err(SeriesError::TooManyTombstones { max: TOMBSTONES_MAX });
        }
        tombstones::write(&self.dir, &all)?;
        let mut tenant = tenant.write();
        *self.tombstones.write() = Arc::new(all);
        for id in &touched {
            if let Some(head) = tenant.heads.get_mut(*id) {
                head.recent.remove_range(start_ms, end_ms);
            }
        }
        let meant = |labels: &Labels| {
            selectors.iter().any(|matchers| matchers.iter().all(|matcher| matcher.matches_labels(labels)))
        };
        tenant.exemplars.remove(|labels, exemplar| (start_ms..=end_ms).contains(&exemplar.time_ms) && meant(labels));
        tenant.count_bytes();
        tenant.settle_spans(&self.tombstones_of(tenant_id, i64::MIN, i64::MAX));
        Ok(touched.len())
    }

    /// Rewrites the blocks that hold deleted samples, and forgets the tombstones. Gives the number of blocks. A damaged block is not
    /// rewritten, and what is deleted in it stays remembered.
    pub fn clean_tombstones(&self) -> Result<usize, SeriesError> {
        let _files = self.files.lock();
        let mut rewritten = 0;
        let mut damaged: Vec<(TenantId, Arc<Block>)> = Vec::new();
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        for tenant in tenants {
            let (id, blocks) = {
                let tenant = tenant.read();
                let deleted = self.tombstones_of(&tenant.id, i64::MIN, i64::MAX);
                let holds = |block: &&Arc<Block>| tenant.holds_deleted(block, &deleted);
                (tenant.id.clone(), tenant.blocks.iter().filter(holds).cloned().collect::<Vec<_>>())
            };
            for block in blocks {
                if self.merge_readable(&tenant, std::slice::from_ref(&block))? {
                    rewritten += 1;
                } else {
                    damaged.push((id.clone(), block));
                }
            }
        }
        self.keep_tombstones(|tombstone| {
            let mut of_tenant = damaged.iter().filter(|(tenant, _)| *tenant == tombstone.tenant);
            of_tenant.any(|(_, block)| {
                block.file.id.sequence < tombstone.before && tombstone.overlaps(block.min_ms, block.max_ms)
            })
        })?;
        Ok(rewritten)
    }

    /// Puts the blocks and tombstones of now into a directory that must not be there yet, from which a database can be opened. Blocks
    /// are linked, not copied, where the file system can. Flush first: what is in no block is not in the snapshot. Gives the number
    /// of blocks.
    pub fn snapshot(&self, to: &Path) -> Result<usize, SeriesError> {
        let _files = self.files.lock();
        std::fs::create_dir_all(to).map_err(SeriesError::io("create", to))?;
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        let mut paths: Vec<_> = Vec::new();
        for tenant in tenants {
            paths.extend(tenant.read().blocks.iter().map(|block| block.file.path.clone()));
        }
        let blocks = paths.len();
        paths.extend(Some(tombstones::path(&self.dir)).filter(|path| path.exists()));
        for path in paths {
            let Some(name) = path.file_name() else { continue };
            let copy = to.join(name);
            if std::fs::hard_link(&path, &copy).is_err() {
                std::fs::copy(&path, &copy).map_err(SeriesError::io("copy", &path))?;
            }
        }
        block::sync_dir(to)?;
        Ok(blocks)
    }

    /// At most how many samples [`Self::select`] would give; no block is read for it.
    pub fn samples_at_most(&self, tenant: &TenantId, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> usize {
        let Some(tenant) = self.tenant(tenant) else { return 0 };
        let tenant = tenant.read();
        let mut samples = 0;
        for id in tenant.find(matchers, start_ms, end_ms) {
            let entries = tenant.blocks.iter().filter_map(|block| block.entry(id));
            let inside = entries.filter(|entry| entry.min_ms <= end_ms && entry.max_ms >= start_ms);
            samples += inside.map(Entry::samples).sum::<usize>();
            let head = tenant.heads.get(id);
            samples += head.map_or(0, |head| head.fresh.len() + head.flushing.as_ref().map_or(0, |layer| layer.len()));
        }
        samples
    }

    /// The tombstones of a tenant that are about some of a span.
    pub(crate) fn tombstones_of(&self, tenant: &TenantId, start_ms: i64, end_ms: i64) -> Vec<Tombstone> {
        let all = Arc::clone(&self.tombstones.read());
        let wanted = |tombstone: &&Tombstone| tombstone.tenant == *tenant && tombstone.overlaps(start_ms, end_ms);
        all.iter().filter(wanted).cloned().collect()
    }

    /// Whether something at a time in a block of that sequence is deleted.
    pub(crate) fn is_deleted(&self, tenant: &TenantId, sequence: u64, labels: &Labels, time_ms: i64) -> bool {
        let all = Arc::clone(&self.tombstones.read());
        let mut own = all.iter().filter(|tombstone| tombstone.tenant == *tenant);
        own.any(|tombstone| tombstone.overlaps(time_ms, time_ms) && tombstone.hides(sequence, labels))
    }

    /// Applies the tombstones to what is known of the series after opening.
    pub(crate) fn settle_deleted(&self) {
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        for tenant in tenants {
            let mut tenant = tenant.write();
            let deleted = self.tombstones_of(&tenant.id, i64::MIN, i64::MAX);
            tenant.settle_spans(&deleted);
        }
    }

    /// Forgets tombstones that are about nothing after retention. One stays as long as a block from before it reaches into its time:
    /// what retention hides is known only until the database is closed. The caller holds the lock of the files.
    pub(crate) fn forget_tombstones(&self, before_ms: i64) -> Result<(), SeriesError> {
        self.keep_tombstones(|tombstone| {
            tombstone.end_ms >= before_ms
                || self.tenant(&tombstone.tenant).is_some_and(|tenant| {
                    let tenant = tenant.read();
                    let mut older = tenant.blocks.iter().filter(|block| block.file.id.sequence < tombstone.before);
                    older.any(|block| block.min_ms <= tombstone.end_ms)
                })
        })
    }

    fn keep_tombstones(&self, keep: impl Fn(&Tombstone) -> bool) -> Result<(), SeriesError> {
        let all = Arc::clone(&self.tombstones.read());
        let left: Vec<Tombstone> = all.iter().filter(|tombstone| keep(tombstone)).cloned().collect();
        if left.len() < all.len() {
            tombstones::write(&self.dir, &left)?;
            *self.tombstones.write() = Arc::new(left);
        }
        Ok(())
    }
}

impl Tenant {
    /// Whether a block holds samples that tombstones hide.
    fn holds_deleted(&self, block: &Block, deleted: &[Tombstone]) -> bool {
        let sequence = block.file.id.sequence;
        block.entries.iter().any(|entry| {
            let Some(head) = self.heads.get(entry.id) else { return false };
            deleted.iter().any(|tombstone| {
                tombstone.overlaps(entry.min_ms, entry.max_ms) && tombstone.hides(sequence, &head.labels)
            })
        })
    }

    /// Finds the spans anew of the series that tombstones are about, so that series of which nothing is left are not listed.
    pub(crate) fn settle_spans(&mut self, deleted: &[Tombstone]) {
        let meant = |labels: &Labels| deleted.iter().any(|tombstone| tombstone.hides(0, labels));
        let touched = self.heads.iter().filter(|(_, head)| meant(&head.labels));
        let mut spans: HashMap<SeriesId, (i64, i64)> = touched.map(|(id, _)| (id, (i64::MAX, i64::MIN))).collect();
        for block in &self.blocks {
            for entry in &block.entries {
                let (Some(span), Some(head)) = (spans.get_mut(&entry.id), self.heads.get(entry.id)) else { continue };
                let hiding = deleted.iter().filter(|tombstone| tombstone.hides(block.file.id.sequence, &head.labels));
                let whole = Some((entry.min_ms, entry.max_ms));
                if let Some((min_ms, max_ms)) =
                    hiding.fold(whole, |left, tombstone| left.and_then(|span| tombstone.cut_span(span)))
                {
                    *span = (span.0.min(min_ms), span.1.max(max_ms));
                }
            }
        }
        for (id, (mut min_ms, mut max_ms)) in spans {
            let Some(head) = self.heads.get_mut(id) else { continue };
            for layer in head.flushing.as_deref().into_iter().chain([&head.fresh]) {
                if let Some((first, last)) = layer.span() {
                    (min_ms, max_ms) = (min_ms.min(first), max_ms.max(last));
                }
            }
            (head.min_ms, head.max_ms) = (min_ms, max_ms);
        }
    }
}
