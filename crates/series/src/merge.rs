//! Joining small neighbouring blocks, so that their number stays small.

use std::collections::HashMap;
use std::sync::Arc;

use model::Labels;
use parking_lot::RwLock;

use crate::block::{self, BlockId, Content};
use crate::db::read_all;
use crate::head::{Block, Tenant};
use crate::index::SeriesId;
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
        // Taken out first, so that inserts do not wait while files are read.
        let labels: HashMap<SeriesId, Labels> = if deleted.is_empty() {
            HashMap::new()
        } else {
            tenant.read().heads.iter().map(|(id, head)| (*id, head.labels.clone())).collect()
        };
        let samples = read_all(run, |block, id, samples| {
            if let Some(labels) = labels.get(&id) {
                tombstones::apply(&deleted, block.file.id.sequence, labels, samples);
            }
        })?;
        let content = {
            let tenant = tenant.read();
            let mut series: Vec<(Labels, Arc<Samples>)> = samples
                .into_iter()
                .filter(|(_, samples)| !samples.is_empty())
                .filter_map(|(id, samples)| Some((tenant.heads.get(&id)?.labels.clone(), Arc::new(samples))))
                .collect();
            series.sort_by(|a, b| a.0.cmp(&b.0));
            Content {
                tenant: tenant.id.clone(),
                replaces: run.iter().map(|block| block.file.id.file_name()).collect(),
                series,
                metadata: tenant.metadata.values().cloned().collect(),
                exemplars: tenant.exemplars.iter().cloned().collect(),
            }
        };
        let id = BlockId { sequence: last.file.id.sequence, generation: last.file.id.generation + 1 };
        let (file, footer) = block::write(&self.dir, id, &content)?;
        let mut tenant = tenant.write();
        tenant.add_block(file, footer);
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
