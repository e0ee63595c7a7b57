//! Series that were found, to be read one by one.

use std::num::NonZeroU32;
use std::sync::Arc;

use model::{Labels, settle_reset_hints};
use parking_lot::Mutex;

use crate::SeriesError;
use crate::block::Entry;
use crate::db::SeriesData;
use crate::decoded::{Decodings, Pages};
use crate::folds::Wanted;
use crate::head::Block;
use crate::index::SeriesId;
use crate::layer::Layer;
use crate::samples::Samples;
use crate::tombstones::{self, Tombstone};

/// The series of one read, as they were when it began: what is in memory is copied, blocks are read when a series is asked for.
#[derive(Debug, Default)]
pub struct SeriesSelection {
    series: Vec<Held>,
    blocks: Vec<Arc<Block>>,
    /// For each series and each block the place of its entry, if there is one.
    places: Vec<Option<NonZeroU32>>,
    deleted: Vec<Tombstone>,
    end_ms: i64,
    samples_at_most: usize,
    held_bytes: usize,
    pages: Pages,
    wanted: Wanted,
}

/// What a read takes of a tenant while nobody changes it.
#[derive(Debug)]
pub(crate) struct Found {
    /// In the order in which they are read.
    pub(crate) series: Vec<Held>,
    pub(crate) blocks: Vec<Arc<Block>>,
    pub(crate) deleted: Vec<Tombstone>,
}

/// What a read took of a series from memory: layers in the order of writes, packed, so that a read of many series holds the lock of
/// the tenant for a copy of few bytes and unpacks them with as many threads as it has.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) id: SeriesId,
    pub(crate) labels: Labels,
    /// The first time that is wanted of it.
    pub(crate) start_ms: i64,
    /// Taken when the series is read; none where nothing of it was in memory.
    pub(crate) layers: Option<Box<Mutex<Vec<Layer>>>>,
}

impl SeriesSelection {
    pub(crate) fn new(found: Found, end_ms: i64, cache: &Arc<Decodings>) -> Self {
        let Found { series, blocks, deleted } = found;
        let mut selection = Self { series, blocks, deleted, end_ms, ..Self::default() };
        selection.places.reserve(selection.series.len() * selection.blocks.len());
        let mut stored_samples = 0;
        for held in &selection.series {
            for block in &selection.blocks {
                let place = block.place(held.id);
                stored_samples += place.map_or(0, |at| block.entries[at].samples());
                // One more than the place, which leaves nothing for none.
                selection.places.push(place.and_then(|at| NonZeroU32::new(at as u32 + 1)));
            }
            if let Some(layers) = &held.layers {
                let layers = layers.lock();
                selection.samples_at_most += layers.iter().map(Layer::len).sum::<usize>();
                selection.held_bytes += layers.iter().map(Layer::bytes).sum::<usize>();
            }
        }
        selection.samples_at_most += stored_samples;
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
        self.series.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The labels of a series; they ascend.
    pub fn labels(&self, at: usize) -> &Labels {
        &self.series[at].labels
    }

    /// How many samples all series have at most.
    pub fn samples_at_most(&self) -> usize {
        self.samples_at_most
    }

    /// Bytes of samples that were copied from memory, packed.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Whether everything that blocks have of the series is decoded and in memory.
    pub(crate) fn is_at_hand(&self) -> bool {
        let has = |(block, entry): (&Block, &Entry)| {
            entry.is_plain() && block.file.has_columns(entry, self.pages.of(&block.file, self.blocks.len()))
        };
        (0..self.len()).all(|at| self.entries(at).all(has))
    }

    /// What blocks have of a series in the time of the read.
    fn entries(&self, at: usize) -> impl Iterator<Item = (&Block, &Entry)> {
        let (start_ms, places) = (self.series[at].start_ms, &self.places[at * self.blocks.len()..]);
        let entries = self.blocks.iter().zip(places).filter_map(|(block, place)| {
            let entry = block.entries.get((*place)?.get() as usize - 1)?;
            Some((&**block, entry))
        });
        entries.filter(move |(_, entry)| entry.min_ms <= self.end_ms && entry.max_ms >= start_ms)
    }

    /// The samples of a series, of which there may be none after all. Each series is read once; a damaged block fails the read.
    pub fn read(&self, at: usize) -> Result<SeriesData, SeriesError> {
        if let Some(shared) = self.read_shared(at)? {
            return Ok(shared);
        }
        let mut stored = Samples::default();
        let Held { labels, start_ms, layers, .. } = &self.series[at];
        for (block, entry) in self.entries(at) {
            let pages = self.pages.of(&block.file, self.blocks.len());
            let mut samples = block.file.samples(entry, self.wanted, pages)?;
            samples.resolution_ms = block.resolution_ms(entry);
            samples.clip(*start_ms, self.end_ms);
            tombstones::apply(&self.deleted, block.file.id.sequence, labels, &mut samples);
            if stored.is_empty() {
                stored = samples;
            } else {
                stored.lay_over(samples.view());
            }
        }
        let layers = layers.as_ref().map(|layers| std::mem::take(&mut *layers.lock()));
        for layer in layers.into_iter().flatten() {
            let samples = layer.range(*start_ms, self.end_ms);
            if stored.is_empty() {
                stored = samples;
            } else {
                stored.lay_over(samples.view());
            }
        }
        if self.wanted == Wanted::Samples && !stored.folds.is_empty() {
            stored = Samples::from(stored.range(*start_ms, self.end_ms));
            stored.folds = Vec::new();
        }
        Ok(series_data(labels.clone(), stored))
    }

    /// The samples of a series of which all are in one block, as they are there: nothing is copied.
    fn read_shared(&self, at: usize) -> Result<Option<SeriesData>, SeriesError> {
        let Held { labels, start_ms, layers, .. } = &self.series[at];
        if layers.is_some() || !self.deleted.is_empty() {
            return Ok(None);
        }
        let mut entries = self.entries(at);
        let (Some((block, entry)), None) = (entries.next(), entries.next()) else { return Ok(None) };
        if !entry.is_plain() {
            return Ok(None);
        }
        let (times, values) = block.file.columns(entry, self.pages.of(&block.file, self.blocks.len()))?;
        let from = times.partition_point(|time| time < start_ms);
        let to = times.partition_point(|time| *time <= self.end_ms);
        let (labels, times, values) = (labels.clone(), times.part(from, to), values.part(from, to));
        Ok(Some(SeriesData { labels, times, values, ..SeriesData::default() }))
    }
}

/// What a read returns of a series. Hints are settled here, over what all layers give together, and not kept: the sample before
/// may come later or go.
fn series_data(labels: Labels, samples: Samples) -> SeriesData {
    let Samples { times, values, mut histograms, starts, folds, resolution_ms } = samples;
    settle_reset_hints(histograms.iter_mut().map(|slot| slot.as_mut().map(Arc::make_mut)));
    SeriesData { labels, times: times.into(), values: values.into(), histograms, starts, folds, resolution_ms }
}
