//! Joining small neighbouring blocks, so that their number stays small.

use std::sync::Arc;

use model::Labels;
use parking_lot::RwLock;
use roaring::RoaringBitmap;

use crate::block::{self, About, BlockId, BlockWriter};
use crate::decoded::Pages;
use crate::folds::Wanted;
use crate::head::{Block, Tenant};
use crate::index::SeriesId;
use crate::samples::Samples;
use crate::tombstones;
use crate::{SeriesDb, SeriesError, SeriesOptions};

/// How many times as large as all newer blocks of a run a block may be to join them.
const SIZE_RATIO_MAX: u64 = 2;

/// Buckets that a merged block of downsampled series spans at most, where that is more than a block spans otherwise: a week of five
/// minutes. With few samples of each series in a block, labels would take more room than samples.
const MERGE_BUCKETS_MAX: i64 = 2016;

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Blocks that were joined.
    pub inputs: usize,
    /// Blocks that came out.
    pub outputs: usize,
}

impl SeriesDb {
    /// Joins runs of small neighbouring blocks of each tenant. The merged block takes the place of the last of its inputs and
    /// names them all, so that a crash at any point leaves the same samples. A block whose samples are damaged is left as it is and
    /// reported by [`Self::damaged`]. A tenant whose blocks cannot be joined holds up no other; the first error comes back.
    pub fn merge(&self) -> Result<MergeReport, SeriesError> {
        self.merge_by(self.options.merge_blocks_min, SIZE_RATIO_MAX)
    }

    /// The same for all neighbours that may be one block by their size and time, so that as few as possible are left.
    pub fn compact(&self) -> Result<MergeReport, SeriesError> {
        self.merge_by(2, u64::MAX)
    }

    fn merge_by(&self, blocks_min: usize, ratio_max: u64) -> Result<MergeReport, SeriesError> {
        let _files = self.files.lock();
        let mut report = MergeReport::default();
        let mut merged = Ok(());
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        for tenant in tenants {
            merged = merged.and(self.merge_tenant(&tenant, (blocks_min, ratio_max), &mut report));
        }
        merged.map(|()| report)
    }

    fn merge_tenant(
        &self,
        tenant: &RwLock<Tenant>,
        (blocks_min, ratio_max): (usize, u64),
        report: &mut MergeReport,
    ) -> Result<(), SeriesError> {
        loop {
            let run = find_run(&tenant.read().blocks, &self.options, blocks_min, ratio_max);
            let Some(run) = run else { return Ok(()) };
            if self.merge_readable(tenant, &run)? {
                report.inputs += run.len();
                report.outputs += 1;
            }
        }
    }

    /// Does what [`Self::merge_run`] does, or marks the block of the run that is damaged and changes nothing: false then. The mark keeps
    /// the block out of every later run, which would fail at the same place.
    pub(crate) fn merge_readable(&self, tenant: &RwLock<Tenant>, run: &[Arc<Block>]) -> Result<bool, SeriesError> {
        if run.iter().any(|block| block.damage.get().is_some()) {
            return Ok(false);
        }
        let Err(error) = self.merge_run(tenant, run) else { return Ok(true) };
        let SeriesError::Damaged { path, reason } = &error else { return Err(error) };
        let Some(block) = run.iter().find(|block| block.file.path == *path) else { return Err(error) };
        tracing::error!(block = %path.display(), reason, "a metric block is damaged and stays out of merges");
        block.damage.get_or_init(|| reason.clone());
        Ok(false)
    }

    /// Puts one block in the place of a run of them, without what is deleted. The caller holds the lock of the files.
    fn merge_run(&self, tenant: &RwLock<Tenant>, run: &[Arc<Block>]) -> Result<(), SeriesError> {
        let Some(last) = run.last() else { return Ok(()) };
        let deleted = self.tombstones_of(&tenant.read().id, i64::MIN, i64::MAX);
        let floors = self.floors();
        let (plan, downsampled) = self.plan(&tenant.read(), run);
        // Taken out first, so that inserts do not wait while files are read.
        let (series, about) = {
            let mut tenant = tenant.write();
            let about = About {
                tenant: tenant.id.clone(),
                replaces: run.iter().map(|block| block.file.id.file_name()).collect(),
                metadata: tenant.metadata.values().cloned().collect(),
                exemplars: tenant.exemplars.iter().cloned().collect(),
            };
            (series_of(&mut tenant, run), about)
        };
        let id = BlockId { sequence: last.file.id.sequence, generation: last.file.id.generation + 1 };
        let mut writer = BlockWriter::create(&self.dir, id, downsampled)?;
        let pages = Pages::default();
        let mut rows: Vec<_> = run.iter().map(|block| block.places_by_row().into_iter().peekable()).collect();
        let mut left_out = 0;
        for (labels, id) in &series {
            let mut merged = Samples::default();
            for (block, rows) in run.iter().zip(&mut rows) {
                // Rows have the same order, so that a series is a block's next one or not in it.
                let next = rows.peek().and_then(|place| block.entries.get(*place as usize));
                let Some(entry) = next.filter(|entry| entry.id == *id) else { continue };
                rows.next();
                let mut samples = block.file.samples(entry, Wanted::Everything, pages.of(&block.file, run.len()))?;
                samples.resolution_ms = block.resolution_ms(entry);
                tombstones::apply(&deleted, block.file.id.sequence, labels, &mut samples);
                if merged.is_empty() {
                    merged = samples;
                } else {
                    left_out += merged.lay_over(samples.view());
                }
            }
            let floor_ms = floors.of(labels);
            if floor_ms > i64::MIN {
                merged.remove_range(i64::MIN, floor_ms - 1);
            }
            if let Some(plan) = &plan {
                plan.apply(*id, labels, &mut merged);
            }
            writer.push(*id, labels, &merged)?;
        }
        if left_out > 0 {
            tracing::warn!(left_out, "late samples of metrics lie in what is downsampled already, and were left out");
        }
        drop((series, pages, rows));
        let (file, entries) = writer.finish(&about)?;
        let mut tenant = tenant.write();
        tenant.add_block(file, entries);
        for block in run {
            tenant.remove_block(block);
            self.decoded.forget(block.file.id);
            std::fs::remove_file(&block.file.path).map_err(SeriesError::io("remove", &block.file.path))?;
        }
        if !deleted.is_empty() {
            tenant.drop_empty_series();
        }
        block::sync_dir(&self.dir)
    }
}

/// The series of some blocks in the order of their labels, which is that of the rows of every block: so each page is read once.
fn series_of(tenant: &mut Tenant, run: &[Arc<Block>]) -> Vec<(Labels, SeriesId)> {
    let ids: RoaringBitmap = run.iter().flat_map(|block| block.entries.iter().map(|entry| entry.id)).collect();
    let order: Vec<SeriesId> = tenant.ordered().iter().copied().filter(|id| ids.contains(*id)).collect();
    order.into_iter().filter_map(|id| Some((tenant.heads.get(id)?.labels.clone(), id))).collect()
}

/// The newest run of neighbours that are small enough, many enough, and close enough in time. A block joins newer ones only if it is
/// not much larger than they are together, so that a sample is written again a number of times that grows with the logarithm of the
/// number of flushes.
fn find_run(
    blocks: &[Arc<Block>],
    options: &SeriesOptions,
    blocks_min: usize,
    ratio_max: u64,
) -> Option<Vec<Arc<Block>>> {
    for end in (1..=blocks.len()).rev() {
        let (mut start, mut bytes, mut span) = (end, 0u64, (i64::MAX, i64::MIN));
        while let Some(block) = start.checked_sub(1).map(|at| &blocks[at]) {
            let with = (span.0.min(block.min_ms), span.1.max(block.max_ms));
            let coarsest_ms = block.coarsest_ms();
            let span_ms_max = options.merge_span_ms_max.max(coarsest_ms.saturating_mul(MERGE_BUCKETS_MAX));
            let fits = block.damage.get().is_none()
                && coarsest_ms == blocks[end - 1].coarsest_ms()
                && bytes + block.file.bytes <= options.merge_bytes_max
                && with.1.saturating_sub(with.0) <= span_ms_max
                && (start == end || block.file.bytes <= bytes.saturating_mul(ratio_max));
            if !fits {
                break;
            }
            (start, bytes, span) = (start - 1, bytes + block.file.bytes, with);
        }
        if end - start >= blocks_min.max(2) {
            return Some(blocks[start..end].to_vec());
        }
    }
    None
}
