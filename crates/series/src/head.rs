//! What one tenant has in memory: its label index, the head of each series, metadata and exemplars.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use model::{Labels, METRIC_NAME, MetricMetadata, SeriesBatch, SeriesSamples, TenantId};
use parking_lot::Mutex;

use crate::block::{BlockFile, Entries, Entry};
use crate::exemplars::Ring;
use crate::heads::Heads;
use crate::index::{LabelIndex, SeriesId, narrows};
use crate::known::Forms;
use crate::layer::Layer;
use crate::samples::{Samples, View};
use crate::unflushed::Unflushed;
use crate::usage::Asked;
use crate::{InsertReport, Limit, Matcher, Rejected, SeriesOptions};

/// Memory that a series costs besides its samples: labels, postings, maps. An estimate, for budgets.
const SERIES_BYTES: usize = 800;
/// Memory of an exemplar with a few labels of its own. An estimate, for budgets.
pub(crate) const EXEMPLAR_BYTES: usize = 256;

/// The rank of a series that has none yet.
const UNRANKED: u32 = u32::MAX;

/// One series in memory. Layers in the order of writes: blocks, `recent`, `flushing`, `fresh`.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) labels: Labels,
    /// Not in any block yet.
    pub(crate) fresh: Layer,
    /// Being written to a block right now.
    pub(crate) flushing: Option<Arc<Layer>>,
    /// In a block too; complete from the tenant's `memory_floor_ms` on.
    pub(crate) recent: Layer,
    /// Blocks that hold the series.
    pub(crate) blocks: u32,
    /// Ascends as labels do, among the series that have one; see [`Tenant::ordered`].
    rank: u32,
    /// The series that came behind it in a request, see [`Tenant::known_id`].
    next: SeriesId,
    /// Span of everything ever seen of the series.
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
}

/// A block with its entries by series id.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) file: BlockFile,
    /// Sorted by id.
    pub(crate) entries: Vec<Entry>,
    /// To which series are downsampled.
    resolutions: Vec<i64>,
    pub(crate) min_ms: i64,
    pub(crate) max_ms: i64,
    /// What is wrong with its samples, once something was found. It stays for the series that can still be read, and joins no merge.
    pub(crate) damage: OnceLock<String>,
}

impl Block {
    /// Places of entries in the order of rows.
    pub(crate) fn places_by_row(&self) -> Vec<u32> {
        let mut places: Vec<u32> = (0..self.entries.len() as u32).collect();
        places.sort_unstable_by_key(|place| self.entries[*place as usize].row);
        places
    }

    /// To which resolution a series is downsampled; 0 is not at all.
    pub(crate) fn resolution_ms(&self, entry: &Entry) -> i64 {
        entry.resolution_ms(&self.resolutions)
    }

    /// The coarsest resolution to which a series is downsampled; 0 is none.
    pub(crate) fn coarsest_ms(&self) -> i64 {
        self.resolutions.iter().copied().max().unwrap_or(0)
    }

    pub(crate) fn entry(&self, id: SeriesId) -> Option<&Entry> {
        self.place(id).map(|at| &self.entries[at])
    }

    /// The place of a series' entry. A block that has all series of a tenant has each at the place of its id.
    pub(crate) fn place(&self, id: SeriesId) -> Option<usize> {
        let guess = (id as usize).min(self.entries.len().saturating_sub(1));
        if self.entries.get(guess).is_some_and(|entry| entry.id == id) {
            return Some(guess);
        }
        self.entries.binary_search_by_key(&id, |entry| entry.id).ok()
    }
}

/// Everything of one tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) index: LabelIndex,
    /// How senders write the labels of its series.
    pub(crate) forms: Arc<Forms>,
    pub(crate) heads: Heads,
    /// Every series in the order of its labels, but for those that are newer.
    order: Vec<SeriesId>,
    newer: Vec<SeriesId>,
    /// In the order of writes.
    pub(crate) blocks: Vec<Arc<Block>>,
    pub(crate) metadata: BTreeMap<String, MetricMetadata>,
    pub(crate) metadata_dirty: bool,
    pub(crate) exemplars: Ring,
    pub(crate) asked: Mutex<Asked>,
    /// Every sample at or after this time is in memory, so a read from here on opens no block.
    pub(crate) memory_floor_ms: i64,
    /// Bytes of samples in memory that are in no block yet.
    fresh_bytes: usize,
    /// Bytes of samples in memory that are in blocks too.
    pub(crate) recent_bytes: usize,
    /// What the samples and exemplars that are in no block yet take; see [`Self::tell_unflushed`].
    unflushed: Unflushed,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, unflushed: Unflushed) -> Self {
        Self {
            id,
            index: LabelIndex::default(),
            forms: Arc::default(),
            heads: Heads::default(),
            order: Vec::new(),
            newer: Vec::new(),
            blocks: Vec::new(),
            metadata: BTreeMap::new(),
            metadata_dirty: false,
            exemplars: Ring::default(),
            asked: Mutex::default(),
            memory_floor_ms: i64::MIN,
            fresh_bytes: 0,
            recent_bytes: 0,
            unflushed,
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let entries: usize = self.blocks.iter().map(|block| block.entries.len() * size_of::<Entry>()).sum();
        let per_series = SERIES_BYTES + size_of::<Head>();
        let samples = self.fresh_bytes + self.recent_bytes;
        self.heads.len() * per_series + samples + entries + self.exemplars.len() * EXEMPLAR_BYTES
    }

    pub(crate) fn insert(&mut self, batch: &SeriesBatch, options: &SeriesOptions, report: &mut InsertReport) {
        let mut before = None;
        for (at, series) in batch.series.iter().enumerate() {
            match self.insert_series(series, before, options, report) {
                Ok(id) => {
                    report.samples += series.sample_count();
                    before = Some(id);
                }
                Err(reason) => {
                    let (labels, samples) = (series.labels.clone(), series.sample_count());
                    report.rejected.push(Rejected { at, labels, samples, reason });
                }
            }
        }
        let max = options.metadata_per_tenant_max;
        for metadata in &batch.metadata {
            let known = self.metadata.get(&metadata.name);
            if known.is_none() && self.metadata.len() >= max {
                report.metadata_rejected = Some(Limit::MetadataPerTenant { max });
            } else if known != Some(metadata) {
                self.metadata.insert(metadata.name.clone(), metadata.clone());
                self.metadata_dirty = true;
            }
        }
        self.tell_unflushed();
    }

    /// Says how much is in no block yet. For the end of everything that changes it: other threads ask all the time.
    fn tell_unflushed(&mut self) {
        self.unflushed.set(self.fresh_bytes + self.exemplars.unflushed_len() * EXEMPLAR_BYTES);
    }

    /// Which metadata an insert would refuse, by their places.
    pub(crate) fn refused_metadata(&self, metadata: &[MetricMetadata], options: &SeriesOptions) -> Vec<usize> {
        let mut room = options.metadata_per_tenant_max.saturating_sub(self.metadata.len());
        if metadata.len() <= room {
            return Vec::new();
        }
        let mut added: HashSet<&str> = HashSet::new();
        let mut refused = Vec::new();
        for (at, MetricMetadata { name, .. }) in metadata.iter().enumerate() {
            if self.metadata.contains_key(name) || added.contains(name.as_str()) {
                continue;
            }
            if room == 0 {
                refused.push(at);
            } else {
                room -= 1;
                added.insert(name);
            }
        }
        refused
    }

    /// What an insert would refuse, without inserting.
    pub(crate) fn refused(&self, batch: &SeriesBatch, options: &SeriesOptions) -> Vec<Rejected> {
        let mut added: HashSet<&Labels> = HashSet::new();
        let mut added_to: HashMap<&str, usize> = HashMap::new();
        let mut rejected = Vec::new();
        for (at, series) in batch.series.iter().enumerate() {
            if self.index.id(&series.labels).is_some() || added.contains(&series.labels) {
                continue;
            }
            let metric = series.labels.metric_name();
            let more = (added.len(), added_to.get(metric).copied().unwrap_or(0));
            match self.check_limits(&series.labels, options, more) {
                Ok(()) => {
                    added.insert(&series.labels);
                    *added_to.entry(metric).or_default() += 1;
                }
                Err(reason) => {
                    let (labels, samples) = (series.labels.clone(), series.sample_count());
                    rejected.push(Rejected { at, labels, samples, reason });
                }
            }
        }
        rejected
    }

    /// Whether there is room for a new series, when so many more, of all metrics and of its own, are about to come.
    fn check_limits(&self, labels: &Labels, options: &SeriesOptions, more: (usize, usize)) -> Result<(), Limit> {
        check_labels(labels, options)?;
        let max = options.series_per_metric_max;
        if self.index.count(METRIC_NAME, labels.metric_name()) + more.1 >= max {
            return Err(Limit::SeriesPerMetric { max });
        }
        let max = options.series_per_tenant_max;
        if self.index.len() + more.0 >= max { Err(Limit::SeriesPerTenant { max }) } else { Ok(()) }
    }

    /// The series with these labels, which was behind `before` the last time. A sender writes its series in the same order each time, and
    /// the head of the series is needed anyway: where it is the one, there is no table to look into.
    fn known_id(&mut self, labels: &Labels, before: Option<SeriesId>) -> Option<SeriesId> {
        let next = before.and_then(|before| Some(self.heads.get(before)?.next));
        let same = |head: &Head| head.labels == *labels;
        if next.and_then(|next| self.heads.get(next)).is_some_and(same) {
            return next;
        }
        let id = self.index.id(labels)?;
        if let Some(head) = before.and_then(|before| self.heads.get_mut(before)) {
            head.next = id;
        }
        Some(id)
    }

    /// Takes samples of a series in that came behind those of another one; gives its id.
    fn insert_series(
        &mut self,
        series: &SeriesSamples,
        before: Option<SeriesId>,
        options: &SeriesOptions,
        report: &mut InsertReport,
    ) -> Result<SeriesId, Limit> {
        let id = match self.known_id(&series.labels, before) {
            Some(id) => id,
            None => {
                self.check_limits(&series.labels, options, (0, 0))?;
                report.series_new += 1;
                let max = options.series_per_tenant_max;
                self.register(series.labels.iter()).ok_or(Limit::SeriesPerTenant { max })?
            }
        };
        let Some(head) = self.heads.get_mut(id) else { return Ok(id) };
        let before = head.fresh.bytes();
        insert_samples(head, series);
        self.fresh_bytes = (self.fresh_bytes + head.fresh.bytes()).saturating_sub(before);
        for exemplar in &series.exemplars {
            self.exemplars.push(&head.labels, exemplar, options.exemplars_per_tenant_max);
        }
        Ok(id)
    }

    /// Adds a series to the index with an empty head.
    pub(crate) fn register<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<SeriesId> {
        let (id, labels) = self.index.add(pairs)?;
        let head = Head {
            labels,
            fresh: Layer::default(),
            flushing: None,
            recent: Layer::default(),
            blocks: 0,
            rank: UNRANKED,
            next: id.wrapping_add(1),
            min_ms: i64::MAX,
            max_ms: i64::MIN,
        };
        self.heads.insert(id, head);
        self.newer.push(id);
        Some(id)
    }

    /// Every series in the order of its labels, which is that of the rows of blocks. Only what is new is sorted.
    pub(crate) fn ordered(&mut self) -> &[SeriesId] {
        if !self.newer.is_empty() {
            let heads = &self.heads;
            let labels = |id: &SeriesId| heads.get(*id).map(|head| &head.labels);
            let mut newer = std::mem::take(&mut self.newer);
            newer.sort_unstable_by(|a, b| labels(a).cmp(&labels(b)));
            let mut order = Vec::with_capacity(self.order.len() + newer.len());
            let mut newer = newer.into_iter().peekable();
            for id in &self.order {
                while let Some(new) = newer.next_if(|new| labels(new) < labels(id)) {
                    order.push(new);
                }
                order.push(*id);
            }
            order.extend(newer);
            for (rank, id) in (0..UNRANKED).zip(&order) {
                if let Some(head) = self.heads.get_mut(*id) {
                    head.rank = rank;
                }
            }
            self.order = order;
        }
        &self.order
    }

    /// Makes a written or opened block part of the tenant.
    pub(crate) fn add_block(&mut self, file: BlockFile, entries: Entries) -> Arc<Block> {
        let Entries { list: mut entries, resolutions } = entries;
        for entry in &entries {
            if let Some(head) = self.heads.get_mut(entry.id) {
                head.blocks += 1;
                head.min_ms = head.min_ms.min(entry.min_ms);
                head.max_ms = head.max_ms.max(entry.max_ms);
            }
        }
        entries.sort_unstable_by_key(|entry| entry.id);
        entries.shrink_to_fit();
        let min_ms = entries.iter().map(|entry| entry.min_ms).min().unwrap_or(i64::MAX);
        let max_ms = entries.iter().map(|entry| entry.max_ms).max().unwrap_or(i64::MIN);
        let block = Arc::new(Block { file, entries, resolutions, min_ms, max_ms, damage: OnceLock::new() });
        let at = self.blocks.partition_point(|known| known.file.id < block.file.id);
        self.blocks.insert(at, block.clone());
        block
    }

    /// Takes a block out; series that live nowhere any more leave the index.
    pub(crate) fn remove_block(&mut self, block: &Arc<Block>) {
        self.blocks.retain(|known| !Arc::ptr_eq(known, block));
        for entry in &block.entries {
            if let Some(head) = self.heads.get_mut(entry.id) {
                head.blocks -= 1;
            }
        }
    }

    /// Forgets series without samples in memory or blocks.
    pub(crate) fn drop_empty_series(&mut self) {
        let index = &mut self.index;
        let before = self.heads.len();
        self.heads.retain(|head| {
            let in_memory = !head.fresh.is_empty() || head.flushing.is_some() || !head.recent.is_empty();
            let keep = in_memory || head.blocks > 0;
            if !keep {
                index.remove(&head.labels);
            }
            keep
        });
        if self.heads.len() < before {
            let heads = &self.heads;
            self.order.retain(|id| heads.get(*id).is_some());
            self.newer.retain(|id| heads.get(*id).is_some());
        }
    }

    /// Ids of the series that satisfy all matchers and have samples between the times, sorted.
    pub(crate) fn find(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<SeriesId> {
        let rest: Vec<&Matcher> = matchers.iter().filter(|matcher| !narrows(matcher)).collect();
        let wanted = |head: &Head| {
            head.min_ms <= head.max_ms
                && head.min_ms <= end_ms
                && head.max_ms >= start_ms
                && rest.iter().all(|matcher| matcher.matches_labels(&head.labels))
        };
        match self.index.candidates(matchers) {
            None => self.heads.iter().filter(|(_, head)| wanted(head)).map(|(id, _)| id).collect(),
            Some(ids) => ids.into_iter().filter(|id| self.heads.get(*id).is_some_and(wanted)).collect(),
        }
    }

    /// The same in the order of labels, with their heads. Ranks are compared instead of labels where there are any.
    pub(crate) fn find_ordered(&self, matchers: &[Matcher], start_ms: i64, end_ms: i64) -> Vec<(SeriesId, &Head)> {
        let ids = self.find(matchers, start_ms, end_ms);
        let mut heads: Vec<_> = ids.into_iter().filter_map(|id| Some((id, self.heads.get(id)?))).collect();
        heads.sort_unstable_by(|(_, a), (_, b)| match (a.rank, b.rank) {
            (UNRANKED, _) | (_, UNRANKED) => a.labels.cmp(&b.labels),
            (a, b) => a.cmp(&b),
        });
        heads
    }

    /// Whether nothing is known of the tenant any more.
    pub(crate) fn is_empty(&self) -> bool {
        let no_samples = self.heads.len() == 0 && self.blocks.is_empty();
        no_samples && self.metadata.is_empty() && self.exemplars.len() == 0
    }

    /// Freezes what is fresh for a flush; in order of labels. What a flush that never ended left frozen goes with it, under what
    /// is fresh.
    pub(crate) fn freeze(&mut self) -> Vec<(SeriesId, Labels, Arc<Layer>)> {
        let mut frozen = Vec::new();
        self.ordered();
        for id in &self.order {
            let Some(head) = self.heads.get_mut(*id) else { continue };
            let left = head.flushing.take();
            if left.is_none() && head.fresh.is_empty() {
                continue;
            }
            let mut layer = left.map(Arc::unwrap_or_clone).unwrap_or_default();
            layer.absorb(std::mem::take(&mut head.fresh));
            let layer = Arc::new(layer);
            head.flushing = Some(layer.clone());
            frozen.push((*id, head.labels.clone(), layer));
        }
        frozen
    }

    /// Ends a flush. What was written becomes recent; after a failure it is fresh again, under what came meanwhile.
    pub(crate) fn thaw(&mut self, written: bool) {
        let floor = self.memory_floor_ms;
        let (mut fresh, mut recent) = (0, 0);
        for head in self.heads.values_mut() {
            if let Some(flushed) = head.flushing.take() {
                let mut layer = Arc::unwrap_or_clone(flushed);
                if written {
                    layer.drop_before(floor);
                    head.recent.absorb(layer);
                } else {
                    layer.absorb(std::mem::take(&mut head.fresh));
                    head.fresh = layer;
                }
            }
            fresh += head.fresh.bytes();
            recent += head.recent.bytes();
        }
        (self.fresh_bytes, self.recent_bytes) = (fresh, recent);
        self.tell_unflushed();
    }

    /// Counts again after samples or exemplars went.
    pub(crate) fn count_bytes(&mut self) {
        let unwritten = |head: &Head| head.fresh.bytes() + head.flushing.as_ref().map_or(0, |layer| layer.bytes());
        self.recent_bytes = self.heads.values().map(|head| head.recent.bytes()).sum();
        self.fresh_bytes = self.heads.values().map(unwritten).sum();
        self.tell_unflushed();
    }

    /// Lets go of the oldest recent samples until they fit the budget.
    pub(crate) fn evict(&mut self, bytes_max: usize) {
        while self.recent_bytes > bytes_max {
            let spans = self.heads.values().filter_map(|head| head.recent.span());
            let Some((first, last)) = spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return };
            // Halving the span takes a few rounds and needs no sort of all times.
            let floor = first.saturating_add((last.saturating_sub(first) / 2).max(1));
            if floor <= first {
                // The last millisecond there is: no floor lies behind it, so what is left cannot go.
                return;
            }
            self.memory_floor_ms = self.memory_floor_ms.max(floor);
            for head in self.heads.values_mut() {
                head.recent.drop_before(floor);
            }
            self.count_bytes();
        }
    }
}

/// Adds samples to a head.
fn insert_samples(head: &mut Head, series: &SeriesSamples) {
    let histogram_times = series.histograms.iter().map(|sample| sample.time_ms);
    for time_ms in series.samples.iter().map(|sample| sample.time_ms).chain(histogram_times) {
        head.min_ms = head.min_ms.min(time_ms);
        head.max_ms = head.max_ms.max(time_ms);
    }
    let plain = series.starts.is_empty() && series.histograms.is_empty();
    if let ([one], true) = (&series.samples[..], plain) {
        return head.fresh.insert(one.time_ms, one.value);
    }
    let mut batch = Samples::default();
    let ascending = series.samples.windows(2).all(|pair| pair[0].time_ms < pair[1].time_ms);
    let starts = Some(&series.starts).filter(|starts| starts.len() == series.samples.len());
    if ascending {
        batch.times.extend(series.samples.iter().map(|sample| sample.time_ms));
        batch.values.extend(series.samples.iter().map(|sample| sample.value));
        batch.starts.extend(starts.into_iter().flatten());
    } else {
        for (at, sample) in series.samples.iter().enumerate() {
            let starts = starts.map_or(&[][..], |starts| &starts[at..=at]);
            batch.lay_over(View { starts, ..View::of(&[sample.time_ms], &[sample.value]) });
        }
    }
    for sample in &series.histograms {
        let starts = if sample.start_ms == 0 { &[][..] } else { &[sample.start_ms] };
        let histograms = &[Some(sample.histogram.clone())];
        batch.lay_over(View { histograms, starts, ..View::of(&[sample.time_ms], &[0.0]) });
    }
    head.fresh.lay_over(batch.view());
}

/// The limits that do not depend on other series.
fn check_labels(labels: &Labels, options: &SeriesOptions) -> Result<(), Limit> {
    if labels.is_empty() {
        return Err(Limit::NoLabels);
    }
    let (count, max) = (labels.len(), options.labels_per_series_max);
    if count > max {
        return Err(Limit::LabelsPerSeries { count, max });
    }
    for (name, value) in labels.iter() {
        let (bytes, max) = (name.len(), options.label_name_bytes_max);
        if bytes > max {
            return Err(Limit::LabelNameBytes { bytes, max });
        }
        let (bytes, max) = (value.len(), options.label_value_bytes_max);
        if bytes > max {
            return Err(Limit::LabelValueBytes { bytes, max });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::Sample;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Requests of series in any order, with labels of the index or of their own, of which some are forgotten in between.
        #[test]
        fn samples_go_to_their_series_whatever_came_before(
            requests in prop::collection::vec((prop::collection::vec(0usize..6, 0..8), any::<bool>()), 0..20), forget in 0usize..24,
        ) {
            let mut tenant = Tenant::new(TenantId::default(), Unflushed::default());
            let mut wanted: BTreeMap<Labels, Vec<i64>> = BTreeMap::new();
            let mut time_ms = 0;
            for (round, (request, shared)) in requests.iter().enumerate() {
                let mut batch = SeriesBatch::default();
                for number in request {
                    time_ms += 1;
                    let name = format!("m{number}");
                    let labels: Labels = [(METRIC_NAME, name.as_str())].into_iter().collect();
                    wanted.entry(labels.clone()).or_default().push(time_ms);
                    let known = tenant.index.labels(&[(METRIC_NAME.as_bytes(), name.as_bytes())]).filter(|_| *shared);
                    let labels = known.cloned().unwrap_or(labels);
                    let samples = vec![Sample { time_ms, value: 1.0 }];
                    batch.series.push(SeriesSamples { labels, samples, ..SeriesSamples::default() });
                }
                tenant.insert(&batch, &SeriesOptions::default(), &mut InsertReport::default());
                if round == forget {
                    // Every other series goes, and the next new ones have their ids.
                    let goes = |labels: &Labels| labels.metric_name().ends_with(['0', '2', '4']);
                    wanted.retain(|labels, _| !goes(labels));
                    tenant.heads.values_mut().filter(|head| goes(&head.labels)).for_each(|head| head.fresh = Layer::default());
                    tenant.drop_empty_series();
                }
            }
            let found = tenant.heads.values().map(|head| (head.labels.clone(), head.fresh.samples().times));
            prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), wanted);
        }
    }

    #[test]
    fn what_a_flush_that_never_ended_left_is_in_the_next_one() {
        let mut tenant = Tenant::new(TenantId::default(), Unflushed::default());
        let insert = |tenant: &mut Tenant, name: &str, samples: &[(i64, f64)]| {
            let labels = [(METRIC_NAME, name)].into_iter().collect();
            let samples = samples.iter().map(|(time_ms, value)| Sample { time_ms: *time_ms, value: *value }).collect();
            let series = SeriesSamples { labels, samples, ..SeriesSamples::default() };
            let batch = SeriesBatch { series: vec![series], metadata: Vec::new() };
            tenant.insert(&batch, &SeriesOptions::default(), &mut InsertReport::default());
        };
        insert(&mut tenant, "both", &[(1, 1.0), (2, 2.0)]);
        insert(&mut tenant, "before", &[(1, 7.0)]);
        drop(tenant.freeze());
        insert(&mut tenant, "both", &[(2, 3.0), (3, 4.0)]);
        let frozen = tenant.freeze();
        let found: Vec<_> = frozen.iter().map(|(_, labels, layer)| (labels.metric_name(), layer.samples())).collect();
        let shown: Vec<_> =
            found.iter().map(|(name, samples)| (*name, &samples.times[..], &samples.values[..])).collect();
        assert_eq!(shown, [("before", &[1][..], &[7.0][..]), ("both", &[1, 2, 3][..], &[1.0, 3.0, 4.0][..])]);
        assert!(tenant.heads.values().all(|head| head.fresh.is_empty() && head.flushing.is_some()));
    }
}
