//! The series of one target: what each name in its answers stands for, so that a series that was seen before costs no labels, and
//! which of them vanished, so that they are marked as stale.
//!
//! **Path.** [`TargetSeries::body`] reads an answer into a batch, [`TargetSeries::nothing`] makes the batch of a scrape that failed.
//! Both add the markers of series that were there before and are no more. A body with a mistake changes nothing.

mod sample;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash as _, Hasher as _};

use decode::exposition::{
    ClassicToNative, ExpositionError, ExpositionFormat, ExpositionOptions, Fact, Point, PointExemplar, PointValue,
    Visitor, read_exposition,
};
use model::{
    Exemplar, FloatHistogram, HistogramSample, Labels, MetricKind, MetricMetadata, Sample, SeriesBatch, SeriesSamples,
    stale_nan,
};
use xxhash_rust::xxh3::{Xxh3, Xxh3Builder};

use crate::labels::Texts;
use crate::limits::{METADATA_PER_TARGET_MAX, METADATA_TEXT_BYTES_MAX, SERIES_PER_TARGET_MAX};

pub(crate) use sample::SampleRules;

/// What is known of the series of a target.
#[derive(Debug, Default)]
pub(crate) struct TargetSeries {
    /// By the bytes that name a series in a body.
    names: HashMap<Box<[u8]>, Name, Xxh3Builder>,
    /// By what the series is stored as: two names may stand for one.
    ids: HashMap<Labels, u32, Xxh3Builder>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// Number of the body that is read, from one; there is room for one each second of a hundred years.
    turn: u32,
    texts: Texts,
    metadata: BTreeMap<String, Known>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug)]
struct Name {
    /// The series; `None` where a rule drops it.
    slot: Option<u32>,
    /// The body that it was in first.
    first: u32,
    /// The body that it was in last.
    turn: u32,
}

#[derive(Debug)]
struct Slot {
    labels: Labels,
    /// The body that it was in first.
    first: u32,
    /// The body that it was in last; zero before it was in one.
    turn: u32,
    /// Whether that body's sample is one that is marked as stale when it vanishes.
    tracked: bool,
    /// Whether the store has a sample of it that is not marked as stale.
    live: bool,
    histogram: bool,
    /// What its exemplars were last, so that those that stay are not stored with every scrape.
    exemplars: u64,
}

#[derive(Debug)]
struct Known {
    metadata: MetricMetadata,
    turn: u32,
    /// Whether the store has not heard of it yet.
    fresh: bool,
}

/// What came of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Samples in the body.
    pub(crate) scraped: u64,
    /// Those that no rule dropped.
    pub(crate) kept: u64,
    /// Those of series that were not in the body before.
    pub(crate) added: u64,
    /// Samples of a series that was in the body already.
    pub(crate) duplicates: u64,
    /// Samples of the far future.
    pub(crate) out_of_bounds: u64,
}

/// Why nothing of a body is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    /// It can not be read, or a series in it may not be.
    #[error(transparent)]
    Exposition(#[from] ExpositionError),
    /// There are too many samples.
    #[error("sample limit exceeded: the answer has more than {0} samples")]
    SampleLimit(u64),
    /// A native histogram has too many buckets, however coarse.
    #[error("histogram bucket limit exceeded")]
    BucketLimit,
}

/// How a body is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyOptions {
    pub(crate) format: ExpositionFormat,
    pub(crate) native_histograms: bool,
    pub(crate) classic_histograms: bool,
    pub(crate) convert_histograms: bool,
    /// The time of samples without one.
    pub(crate) time_ms: i64,
}

impl TargetSeries {
    /// Reads an answer. The batch has its samples and the markers of series that vanished. On a mistake the counts say how far it
    /// got, and what was known before is unchanged.
    pub(crate) fn body(
        &mut self,
        body: &[u8],
        options: BodyOptions,
        rules: &SampleRules,
    ) -> (Counts, Result<SeriesBatch, BodyError>) {
        self.turn += 1;
        let reading = ExpositionOptions {
            native_histograms: options.native_histograms,
            classic_too: options.classic_histograms || options.convert_histograms,
        };
        let mut append = Append {
            rules,
            time_ms: options.time_ms,
            batch: SeriesBatch::default(),
            counts: Counts::default(),
            error: None,
            names_seen: 0,
            known: self,
        };
        // An answer without a byte has no samples, and is no mistake, whatever its format wants.
        let read = if body.is_empty() {
            Ok(())
        } else if options.convert_histograms {
            let mut converter = ClassicToNative::new(&mut append, options.classic_histograms);
            read_exposition(options.format, body, reading, &mut converter).and_then(|()| {
                let whole = |what| ExpositionError::Line { line: 0, what, excerpt: String::new() };
                converter.finish().map_err(whole)
            })
        } else {
            read_exposition(options.format, body, reading, &mut append)
        };
        let Append { mut batch, counts, error, names_seen, .. } = append;
        let outcome = match (read, error) {
            (Err(error), _) => Err(BodyError::Exposition(error)),
            (Ok(()), Some(error)) => Err(error),
            (Ok(()), None) => Ok(()),
        };
        if let Err(error) = outcome {
            self.undo();
            return (counts, Err(error));
        }
        self.markers(options.time_ms, &mut batch);
        if names_seen < self.names.len() {
            self.forget();
        }
        self.fresh_metadata(&mut batch);
        (counts, Ok(batch))
    }

    /// A scrape without an answer: every series that was there is marked as stale. Their labels are kept in mind: most targets come
    /// back.
    pub(crate) fn nothing(&mut self, time_ms: i64) -> SeriesBatch {
        self.turn += 1;
        let mut batch = SeriesBatch::default();
        self.markers(time_ms, &mut batch);
        batch
    }

    /// What names stand for is found out anew: the rules have changed. Series that are no more are still marked as stale.
    pub(crate) fn forget_names(&mut self) {
        self.names.clear();
    }

    /// What the target says of its metrics.
    pub(crate) fn metadata(&self) -> impl Iterator<Item = &MetricMetadata> {
        self.metadata.values().map(|known| &known.metadata)
    }

    /// Whether the store has to hear of metadata: to be asked before [`Self::body`]'s batch is made.
    fn fresh_metadata(&mut self, batch: &mut SeriesBatch) {
        let turn = self.turn;
        self.metadata.retain(|_, known| known.turn == turn);
        for known in self.metadata.values_mut().filter(|known| known.fresh) {
            known.fresh = false;
            batch.metadata.push(known.metadata.clone());
        }
    }

    /// Marks what vanished, and what is there as live.
    fn markers(&mut self, time_ms: i64, batch: &mut SeriesBatch) {
        for slot in &mut self.slots {
            if slot.turn == self.turn {
                slot.live = slot.tracked;
            } else if slot.live {
                slot.live = false;
                batch.series.push(slot.marker(time_ms));
            }
        }
    }

    /// Gives up names and series that were not in the body.
    fn forget(&mut self) {
        let turn = self.turn;
        self.names.retain(|_, name| name.turn == turn);
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.ids.retain(|_, id| slots[*id as usize].stays(|slot| slot.turn == turn) || give_up(free, *id));
        self.texts.forget();
    }

    /// Gives up what was not known before a body that is not taken. Bodies with ever new series would fill the memory otherwise, and at
    /// [`SERIES_PER_TARGET_MAX`] there would be no room for a good one.
    fn undo(&mut self) {
        let turn = self.turn;
        self.names.retain(|_, name| name.first != turn);
        let (slots, free) = (&mut self.slots, &mut self.free);
        self.ids.retain(|_, id| slots[*id as usize].stays(|slot| slot.first != turn) || give_up(free, *id));
        // What it said anew of known metrics is learned again.
        self.metadata.retain(|_, known| known.turn != turn || !known.fresh);
        self.texts.forget();
    }

    /// The place of a series, an old or a new one.
    fn slot(&mut self, labels: Labels) -> u32 {
        if let Some(id) = self.ids.get(&labels) {
            return *id;
        }
        let slot = Slot {
            labels: labels.clone(),
            first: self.turn,
            turn: 0,
            tracked: false,
            live: false,
            histogram: false,
            exemplars: 0,
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                // Bounded by SERIES_PER_TARGET_MAX.
                (self.slots.len() - 1) as u32
            }
        };
        self.ids.insert(labels, id);
        id
    }
}

/// Makes the place of a series free for another; it does not stay.
fn give_up(free: &mut Vec<u32>, id: u32) -> bool {
    free.push(id);
    false
}

impl Slot {
    /// Whether it stays where it is; if not, its labels are given up.
    fn stays(&mut self, stays: impl Fn(&Self) -> bool) -> bool {
        let stays = stays(self);
        if !stays {
            self.labels = Labels::default();
        }
        stays
    }

    fn marker(&self, time_ms: i64) -> SeriesSamples {
        let mut series = SeriesSamples { labels: self.labels.clone(), ..SeriesSamples::default() };
        if self.histogram {
            let histogram = FloatHistogram { sum: stale_nan(), ..FloatHistogram::default() };
            series.histograms.push(HistogramSample { time_ms, start_ms: 0, histogram: histogram.into() });
        } else {
            series.samples.push(Sample { time_ms, value: stale_nan() });
        }
        series
    }
}

/// Makes a batch of a body.
struct Append<'a> {
    known: &'a mut TargetSeries,
    rules: &'a SampleRules,
    time_ms: i64,
    batch: SeriesBatch,
    counts: Counts,
    /// A mistake after which the body is still read, for its counts.
    error: Option<BodyError>,
    names_seen: usize,
}

impl Append<'_> {
    /// The series that a point is of; `None` where a rule drops it.
    fn find(&mut self, point: &Point<'_>) -> Result<Option<u32>, String> {
        let turn = self.known.turn;
        if let Some(name) = self.known.names.get_mut(point.series.key()) {
            self.names_seen += usize::from(name.turn != turn);
            name.turn = turn;
            return Ok(name.slot);
        }
        if self.known.names.len() >= SERIES_PER_TARGET_MAX {
            return Err(format!("the target has more than {SERIES_PER_TARGET_MAX} series"));
        }
        let labels = self.rules.labels(point.series, &mut self.known.texts)?;
        let slot = labels.map(|labels| self.known.slot(labels));
        self.known.names.insert(point.series.key().into(), Name { slot, first: turn, turn });
        self.names_seen += 1;
        Ok(slot)
    }

    fn push(&mut self, id: u32, mut point: Point<'_>, time_ms: i64) {
        let slot = &mut self.known.slots[id as usize];
        let mut series = SeriesSamples { labels: slot.labels.clone(), ..SeriesSamples::default() };
        match point.value {
            PointValue::Number(value) => {
                slot.histogram = false;
                series.samples.push(Sample { time_ms, value });
                if point.start_ms != 0 {
                    series.starts.push(point.start_ms);
                }
            }
            PointValue::Histogram(histogram) => {
                slot.histogram = true;
                series.histograms.push(HistogramSample { time_ms, start_ms: point.start_ms, histogram });
            }
        }
        let mark = exemplars_mark(&point.exemplars);
        if std::mem::replace(&mut slot.exemplars, mark) == mark {
            point.exemplars.clear();
        }
        let exemplars = point.exemplars.into_iter().map(|exemplar| Exemplar {
            labels: exemplar.labels,
            time_ms: exemplar.time_ms.unwrap_or(time_ms),
            value: exemplar.value,
        });
        series.exemplars.extend(exemplars);
        self.batch.series.push(series);
    }
}

/// The same for the same exemplars; zero for none.
fn exemplars_mark(exemplars: &[PointExemplar]) -> u64 {
    if exemplars.is_empty() {
        return 0;
    }
    let mut hasher = Xxh3::new();
    for exemplar in exemplars {
        exemplar.labels.hash(&mut hasher);
        hasher.write_u64(exemplar.value.to_bits());
        exemplar.time_ms.hash(&mut hasher);
    }
    hasher.finish().max(1)
}

impl Visitor for Append<'_> {
    fn point(&mut self, mut point: Point<'_>) -> Result<(), String> {
        self.counts.scraped += 1;
        let Some(id) = self.find(&point)? else { return Ok(()) };
        let own_time = point.time_ms.filter(|_| self.rules.honor_timestamps);
        self.counts.kept += 1;
        let turn = self.known.turn;
        let slot = &mut self.known.slots[id as usize];
        let again = slot.turn == turn;
        self.counts.added += u64::from(!again && slot.turn == 0);
        slot.turn = turn;
        if again && own_time.is_none() {
            self.counts.duplicates += 1;
            return Ok(());
        }
        slot.tracked = own_time.is_none() || self.rules.track_timestamps;
        if self.rules.sample_limit > 0 && self.counts.kept > self.rules.sample_limit {
            self.error.get_or_insert(BodyError::SampleLimit(self.rules.sample_limit));
            return Ok(());
        }
        let time_ms = own_time.unwrap_or(self.time_ms);
        if time_ms > self.time_ms.saturating_add(crate::limits::AHEAD_MAX.as_millis() as i64) {
            self.counts.out_of_bounds += 1;
            return Ok(());
        }
        if let PointValue::Histogram(histogram) = &mut point.value
            && !self.rules.limit_buckets(histogram)
        {
            self.error.get_or_insert(BodyError::BucketLimit);
            return Ok(());
        }
        self.push(id, point, time_ms);
        Ok(())
    }

    fn metadata(&mut self, name: &str, fact: Fact<'_>) {
        let (turn, count) = (self.known.turn, self.known.metadata.len());
        let known = match self.known.metadata.get_mut(name) {
            Some(known) => known,
            None if count >= METADATA_PER_TARGET_MAX => return,
            None => self.known.metadata.entry(name.to_owned()).or_insert_with(|| Known {
                metadata: MetricMetadata {
                    name: name.to_owned(),
                    kind: MetricKind::Unknown,
                    help: String::new(),
                    unit: String::new(),
                },
                turn,
                fresh: true,
            }),
        };
        known.turn = turn;
        known.fresh |= known.metadata.learn(fact);
    }
}

/// Keeps a piece of metadata, and says whether it was news.
trait Learn {
    fn learn(&mut self, fact: Fact<'_>) -> bool;
}

impl Learn for MetricMetadata {
    fn learn(&mut self, fact: Fact<'_>) -> bool {
        let cut = |text: &str| text.floor_char_boundary(METADATA_TEXT_BYTES_MAX);
        let keep = |known: &mut String, text: &str| {
            let text = &text[..cut(text)];
            let news = known != text;
            if news {
                text.clone_into(known);
            }
            news
        };
        match fact {
            Fact::Kind(kind) => std::mem::replace(&mut self.kind, kind) != kind,
            Fact::Help(help) => keep(&mut self.help, help),
            Fact::Unit(unit) => keep(&mut self.unit, unit),
        }
    }
}
