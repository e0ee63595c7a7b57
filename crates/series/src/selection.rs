//! Series that were found, to be read one by one.

use std::sync::Arc;

use model::{Labels, settle_reset_hints};
use parking_lot::Mutex;

use crate::SeriesError;
use crate::block::Entry;
use crate::db::SeriesData;
use crate::folds::Wanted;
use crate::head::Block;
use crate::index::SeriesId;
use crate::layer::Layer;
use crate::pages::{PageCache, Pages};
use crate::samples::Samples;
use crate::tombstones::{self, Tombstone};

/// The series of one read, as they were when it began: what is in memory is copied, blocks are read when a series is asked for.
#[derive(Debug, Default)]
pub struct SeriesSelection {
    ids: Vec<SeriesId>,
    labels: Vec<Labels>,
    /// What was in memory, packed; taken when the series is read.
    heads: Vec<Mutex<[Option<Layer>; 3]>>,
    /// The first time of each series.
    starts_ms: Vec<i64>,
    blocks: Vec<Arc<Block>>,
    deleted: Vec<Tombstone>,
    end_ms: i64,
    samples_at_most: usize,
    held_bytes: usize,
    pages: Pages,
    wanted: Wanted,
}

/// What a read took of a series from memory: layers in the order of writes, packed, so that a read of many series holds the lock of
/// the tenant for a copy of few bytes and unpacks them with as many threads as it has.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) labels: Labels,
    pub(crate) start_ms: i64,
    pub(crate) layers: [Option<Layer>; 3],
}

impl SeriesSelection {
    /// `heads` in the order in which series are read.
    pub(crate) fn new(
        heads: Vec<(SeriesId, Held)>,
        blocks: Vec<Arc<Block>>,
        deleted: Vec<Tombstone>,
        end_ms: i64,
        cache: &Arc<PageCache>,
    ) -> Self {
        let mut selection = Self { blocks, deleted, end_ms, ..Self::default() };
        let mut stored_samples = 0;
        for (id, Held { labels, start_ms, layers }) in heads {
            let stored: usize = selection.blocks.iter().filter_map(|block| block.entry(id)).map(Entry::samples).sum();
            stored_samples += stored;
            let held = layers.iter().flatten();
            selection.samples_at_most += held.clone().map(Layer::len).sum::<usize>() + stored;
            selection.held_bytes += held.map(Layer::bytes).sum::<usize>();
            selection.ids.push(id);
            selection.labels.push(labels);
            selection.starts_ms.push(start_ms);
            selection.heads.push(Mutex::new(layers));
        }
        selection.pages = Pages::new(Arc::clone(cache), stored_samples);
        selection
    }

    /// The same with what is wanted of samples that downsampling left out. Then series that are downsampled also have the samples at
    /// the ends of folds that reach into the time of the read.
    #[must_use]
    pub fn wanting(self, wanted: Wanted) -> Self {
        Self { wanted, ..self }
    }

    /// What is wanted of samples that downsampling left out.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The labels of a series; they ascend.
    pub fn labels(&self, at: usize) -> &Labels {
        &self.labels[at]
    }

    /// How many samples all series have at most.
    pub fn samples_at_most(&self) -> usize {
        self.samples_at_most
    }

    /// Bytes of samples that were copied from memory, packed.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The samples of a series, of which there may be none after all. Each series is read once; a damaged block fails the read.
    pub fn read(&self, at: usize) -> Result<SeriesData, SeriesError> {
        if let Some(shared) = self.read_shared(at)? {
            return Ok(shared);
        }
        let mut stored = Samples::default();
        let start_ms = self.starts_ms[at];
        for block in &self.blocks {
            let inside = |entry: &&Entry| entry.min_ms <= self.end_ms && entry.max_ms >= start_ms;
            let Some(entry) = block.entry(self.ids[at]).filter(inside) else { continue };
            let pages = self.pages.of(&block.file, self.blocks.len());
            let mut samples = block.file.samples(entry, self.wanted, pages)?;
            samples.resolution_ms = block.resolution_ms(entry);
            samples.clip(start_ms, self.end_ms);
            tombstones::apply(&self.deleted, block.file.id.sequence, &self.labels[at], &mut samples);
            if stored.is_empty() {
                stored = samples;
            } else {
                stored.lay_over(samples.view());
            }
        }
        let layers = std::mem::take(&mut *self.heads[at].lock());
        for layer in layers.into_iter().flatten() {
            let samples = layer.range(start_ms, self.end_ms);
            if stored.is_empty() {
                stored = samples;
            } else {
                stored.lay_over(samples.view());
            }
        }
        if self.wanted == Wanted::Samples && !stored.folds.is_empty() {
            stored = Samples::from(stored.range(start_ms, self.end_ms));
            stored.folds = Vec::new();
        }
        Ok(series_data(self.labels[at].clone(), stored))
    }

    /// The samples of a series of which all are in one block, as they are there: nothing is copied.
    fn read_shared(&self, at: usize) -> Result<Option<SeriesData>, SeriesError> {
        let start_ms = self.starts_ms[at];
        let in_memory = self.heads[at].lock().iter().flatten().any(|layer| !layer.is_empty());
        if in_memory || !self.deleted.is_empty() {
            return Ok(None);
        }
        let entries = self.blocks.iter().filter_map(|block| Some((block, block.entry(self.ids[at])?)));
        let mut entries = entries.filter(|(_, entry)| entry.min_ms <= self.end_ms && entry.max_ms >= start_ms);
        let (Some((block, entry)), None) = (entries.next(), entries.next()) else { return Ok(None) };
        if !entry.is_plain() {
            return Ok(None);
        }
        let (times, values) = block.file.columns(entry, self.pages.of(&block.file, self.blocks.len()))?;
        let from = times.partition_point(|time| *time < start_ms);
        let to = times.partition_point(|time| *time <= self.end_ms);
        let labels = self.labels[at].clone();
        Ok(Some(SeriesData { labels, times: times.part(from, to), values: values.part(from, to), ..SeriesData::default() }))
    }
}

/// What a read returns of a series. Hints are settled here, over what all layers give together, and not kept: the sample before
/// may come later or go.
fn series_data(labels: Labels, samples: Samples) -> SeriesData {
    let Samples { times, values, mut histograms, starts, folds, resolution_ms } = samples;
    settle_reset_hints(histograms.iter_mut().map(|slot| slot.as_mut().map(Arc::make_mut)));
    SeriesData { labels, times: times.into(), values: values.into(), histograms, starts, folds, resolution_ms }
}
