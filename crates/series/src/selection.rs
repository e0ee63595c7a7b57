//! Series that were found, to be read one by one.

use std::sync::Arc;

use model::{Labels, settle_reset_hints};
use parking_lot::Mutex;

use crate::SeriesError;
use crate::block::Entry;
use crate::db::SeriesData;
use crate::head::Block;
use crate::index::SeriesId;
use crate::pages::Pages;
use crate::retention::Floors;
use crate::samples::Samples;
use crate::tombstones::{self, Tombstone};

/// The series of one read, as they were when it began: what is in memory is copied, blocks are read when a series is asked for.
#[derive(Debug, Default)]
pub struct SeriesSelection {
    ids: Vec<SeriesId>,
    labels: Vec<Labels>,
    /// What was in memory; taken when the series is read.
    heads: Vec<Mutex<Samples>>,
    blocks: Vec<Arc<Block>>,
    deleted: Vec<Tombstone>,
    floors: Option<Arc<Floors>>,
    start_ms: i64,
    end_ms: i64,
    samples_at_most: usize,
    held_bytes: usize,
    pages: Pages,
}

impl SeriesSelection {
    /// `heads` in the order in which series are read.
    pub(crate) fn new(
        heads: Vec<(SeriesId, (Labels, Samples))>,
        blocks: Vec<Arc<Block>>,
        (deleted, floors): (Vec<Tombstone>, Arc<Floors>),
        (start_ms, end_ms): (i64, i64),
    ) -> Self {
        let mut selection = Self { blocks, deleted, floors: Some(floors), start_ms, end_ms, ..Self::default() };
        for (id, (labels, head)) in heads {
            let stored: usize = selection.blocks.iter().filter_map(|block| block.entry(id)).map(Entry::samples).sum();
            selection.samples_at_most += head.len() + stored;
            selection.held_bytes += head.bytes();
            selection.ids.push(id);
            selection.labels.push(labels);
            selection.heads.push(Mutex::new(head));
        }
        selection
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

    /// Bytes of samples that were copied from memory.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// The samples of a series, of which there may be none after all. Each series is read once; a damaged block fails the read.
    pub fn read(&self, at: usize) -> Result<SeriesData, SeriesError> {
        let mut stored = Samples::default();
        let floor_ms = self.floors.as_ref().map_or(i64::MIN, |floors| floors.of(&self.labels[at]));
        let start_ms = self.start_ms.max(floor_ms);
        for (nth, block) in self.blocks.iter().enumerate() {
            let inside = |entry: &&Entry| entry.min_ms <= self.end_ms && entry.max_ms >= start_ms;
            let Some(entry) = block.entry(self.ids[at]).filter(inside) else { continue };
            let page = |part, row| self.pages.get((nth, self.blocks.len()), &block.file, part, row);
            let mut samples = block.file.samples(entry, page)?;
            if *samples.times.first().unwrap_or(&0) < start_ms || *samples.times.last().unwrap_or(&0) > self.end_ms {
                samples = Samples::from(samples.range(start_ms, self.end_ms));
            }
            tombstones::apply(&self.deleted, block.file.id.sequence, &self.labels[at], &mut samples);
            if stored.is_empty() {
                stored = samples;
            } else {
                stored.lay_over(samples.view());
            }
        }
        let head = std::mem::take(&mut *self.heads[at].lock());
        let samples = if stored.is_empty() {
            head
        } else {
            stored.lay_over(head.view());
            stored
        };
        Ok(series_data(self.labels[at].clone(), samples))
    }
}

/// What a read returns of a series. Hints are settled here, over what all layers give together, and not kept: the sample before
/// may come later or go.
fn series_data(labels: Labels, samples: Samples) -> SeriesData {
    let Samples { times, values, mut histograms, starts } = samples;
    settle_reset_hints(histograms.iter_mut().map(|slot| slot.as_mut().map(Arc::make_mut)));
    SeriesData { labels, times, values, histograms, starts }
}
