//! Joining small neighbouring blocks, so that their number stays small.

use std::sync::Arc;

use model::Labels;
use parking_lot::RwLock;
use roaring::RoaringBitmap;

use crate::block::{self, About, BlockId, BlockWriter};
use crate::head::{Block, Tenant};
use crate::index::SeriesId;
use crate::pages::Pages;
use crate::samples::Samples;
use crate::tombstones;
use crate::{SeriesDb, SeriesError, SeriesOptions};

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
    /// names them all, so that a crash at any point leaves the same samples.
    pub fn merge(&self) -> Result<MergeReport, SeriesError> {
        let _files = self.files.lock();
        let mut report = MergeReport::default();
        let tenants: Vec<_> = self.tenants.read().values().cloned().collect();
        for tenant in tenants {
            loop {
                let run = find_run(&tenant.read().blocks, &self.options);
                let Some(run) = run else { break };
                self.merge_run(&tenant, &run)?;
                report.inputs += run.len();
                report.outputs += 1;
            }
        }
        Ok(report)
    }

    /// Puts one block in the place of a run of them, without what is deleted. The caller holds the lock of the files.
    pub(crate) fn merge_run(&self, tenant: &RwLock<Tenant>, run: &[Arc<Block>]) -> Result<(), SeriesError> {
        let Some(last) = run.last() else { return Ok(()) };
        let deleted = self.tombstones_of(&tenant.read().id, i64::MIN, i64::MAX);
        let floors = self.floors();
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
        let mut writer = BlockWriter::create(&self.dir, id)?;
        let pages = Pages::default();
        let mut rows: Vec<_> = run.iter().map(|block| block.places_by_row().into_iter().peekable()).collect();
        for (labels, id) in &series {
            let mut merged = Samples::default();
            for (nth, (block, rows)) in run.iter().zip(&mut rows).enumerate() {
                // Rows have the same order, so that a series is a block's next one or not in it.
                let next = rows.peek().and_then(|place| block.entries.get(*place as usize));
                let Some(entry) = next.filter(|entry| entry.id == *id) else { continue };
                rows.next();
                let page = |part, row| pages.get((nth, run.len()), &block.file, part, row);
                let mut samples = block.file.samples(entry, page)?;
                tombstones::apply(&deleted, block.file.id.sequence, labels, &mut samples);
                if merged.is_empty() {
                    merged = samples;
                } else {
                    merged.lay_over(samples.view());
                }
            }
            let floor_ms = floors.of(labels);
            if floor_ms > i64::MIN {
                merged.remove_range(i64::MIN, floor_ms - 1);
            }
            writer.push(*id, labels, &merged)?;
        }
        drop((series, pages, rows));
        let (file, entries) = writer.finish(&about)?;
        let mut tenant = tenant.write();
        tenant.add_block(file, entries);
        for block in run {
            tenant.remove_block(block);
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

/// The first run of neighbours that are small enough, many enough, and close enough in time.
fn find_run(blocks: &[Arc<Block>], options: &SeriesOptions) -> Option<Vec<Arc<Block>>> {
    let mut run: Vec<Arc<Block>> = Vec::new();
    for block in blocks {
        let bytes: u64 = run.iter().map(|block| block.file.bytes).sum();
        let min_ms = run.iter().map(|block| block.min_ms).fold(block.min_ms, i64::min);
        let max_ms = run.iter().map(|block| block.max_ms).fold(block.max_ms, i64::max);
        let fits = bytes + block.file.bytes <= options.merge_bytes_max
            && max_ms.saturating_sub(min_ms) <= options.merge_span_ms_max;
        if !fits {
            if run.len() >= options.merge_blocks_min.max(2) {
                return Some(run);
            }
            run.clear();
        }
        if block.file.bytes <= options.merge_bytes_max {
            run.push(block.clone());
        }
    }
    (run.len() >= options.merge_blocks_min.max(2)).then_some(run)
}
