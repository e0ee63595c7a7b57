//! What both versions have in common about a series: its labels, its samples and what is wrong with them.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use model::{Exemplar, HistogramSample, Labels, METRIC_NAME, Sample, SeriesSamples};

use super::{LABELS_PER_SERIES_MAX, Sink, Stop, TIME_MS_MAX, double, histogram, int};
use crate::wire::Message;

/// Most characters of an exemplar's labels, names and values together (OpenMetrics).
pub(super) const EXEMPLAR_LABEL_CHARS_MAX: usize = 128;

/// Name and value of a label as they came.
pub(super) type Pair<'a> = (&'a [u8], &'a [u8]);

/// Texts of one request, each allocated once.
#[derive(Default)]
pub(super) struct Interned<'a>(HashMap<&'a str, Arc<str>>);

impl<'a> Interned<'a> {
    pub(super) fn get(&mut self, text: &'a str) -> Arc<str> {
        self.0.entry(text).or_insert_with(|| text.into()).clone()
    }
}

/// One series being read. A part that is wrong by itself is noted in `faults` and left out.
#[derive(Default)]
pub(super) struct Building<'a> {
    pub(super) pairs: Vec<Pair<'a>>,
    /// The labels, where the bytes that stand for them are known.
    pub(super) known: Option<Labels>,
    /// The bytes that stand for the labels, to be learned.
    pub(super) form: Option<&'a [u8]>,
    /// What is wrong with the labels as they came.
    pub(super) label_fault: Option<String>,
    pub(super) samples: Vec<Sample>,
    /// As many as samples, or none.
    pub(super) starts: Vec<i64>,
    pub(super) histograms: Vec<HistogramSample>,
    pub(super) exemplars: Vec<(Vec<Pair<'a>>, Sample)>,
    pub(super) faults: Vec<String>,
}

impl<'a> Building<'a> {
    pub(super) fn pair(pairs: &mut Vec<Pair<'a>>, pair: Pair<'a>) {
        // One more than allowed is kept, so that the check finds it.
        if pairs.len() <= LABELS_PER_SERIES_MAX {
            pairs.push(pair);
        }
    }

    /// A sample: value, time, and in version 2 the start.
    pub(super) fn sample(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), Stop> {
        sink.count(1)?;
        let (mut sample, mut start_ms) = (Sample { time_ms: 0, value: 0.0 }, 0);
        let mut message = Message::new(bytes);
        while let Some((number, content)) = message.next()? {
            match number {
                1 => sample.value = double(content)?,
                2 => sample.time_ms = int(content)?,
                3 => start_ms = int(content)?,
                _ => {}
            }
        }
        match check_time(sample.time_ms) {
            Ok(()) => {
                // Nearly always the only one.
                if self.samples.is_empty() {
                    self.samples.reserve_exact(1);
                }
                if start_ms != 0 || !self.starts.is_empty() {
                    self.starts.resize(self.samples.len(), 0);
                    self.starts.push(start_ms);
                }
                self.samples.push(sample);
            }
            Err(fault) => self.faults.push(fault),
        }
        Ok(())
    }

    pub(super) fn histogram(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<(), Stop> {
        match histogram::read(bytes, sink)?.and_then(|sample| check_time(sample.time_ms).map(|()| sample)) {
            Ok(sample) => self.histograms.push(sample),
            Err(fault) => self.faults.push(fault),
        }
        Ok(())
    }

    /// Gives the start of the whole series to samples that have none of their own.
    pub(super) fn default_start(&mut self, start_ms: i64) {
        if start_ms == 0 {
            return;
        }
        self.starts.resize(self.samples.len(), 0);
        let own = self.histograms.iter_mut().map(|sample| &mut sample.start_ms);
        self.starts.iter_mut().chain(own).filter(|start| **start == 0).for_each(|start| *start = start_ms);
    }

    /// Forgets the series, and keeps the room that it took.
    pub(super) fn reset(&mut self) {
        self.pairs.clear();
        (self.known, self.form) = (None, None);
        self.label_fault = None;
        self.samples.clear();
        self.starts.clear();
        self.histograms.clear();
        self.exemplars.clear();
        self.faults.clear();
    }

    fn items(&self) -> usize {
        self.samples.len() + self.histograms.len() + self.faults.len()
    }

    /// The labels, and whether they are known.
    fn labels(&mut self, texts: &mut Interned<'a>, sink: &mut Sink<'_>) -> Result<(Labels, bool), String> {
        if let Some(known) = self.known.take() {
            return Ok((known, true));
        }
        let named = self.pairs.iter().any(|(name, value)| *name == METRIC_NAME.as_bytes() && !value.is_empty());
        if let Some(known) = named.then(|| sink.known.labels(&self.pairs)).flatten() {
            if let Some(form) = self.form {
                sink.known.learn_form(form, &known);
            }
            return Ok((known, true));
        }
        labels(&self.pairs, texts).and_then(|labels| check_name(&labels).map(|()| (labels, false)))
    }

    /// Hands the series on, or rejects it. `kept` is told its labels when it was kept.
    pub(super) fn finish(
        &mut self,
        texts: &mut Interned<'a>,
        sink: &mut Sink<'_>,
        kept: impl FnOnce(&Labels, &mut Sink<'_>),
    ) {
        let items = self.items();
        let labels = match self.label_fault.take() {
            Some(fault) => Err(fault),
            None => self.labels(texts, sink),
        };
        let (labels, is_known) = match labels {
            Ok(labels) => labels,
            Err(fault) => {
                sink.reject(format!("{fault}, in the series {}", shown(&self.pairs)), &shown(&self.pairs), items);
                return;
            }
        };
        for fault in std::mem::take(&mut self.faults) {
            sink.reject(format!("{fault}, in the series {labels}"), &labels.to_string(), 1);
        }
        let mut exemplars = Vec::with_capacity(self.exemplars.len());
        for (pairs, sample) in std::mem::take(&mut self.exemplars) {
            match exemplar(&pairs, sample, texts) {
                Ok(exemplar) => exemplars.push(exemplar),
                Err(fault) => sink.reject(format!("{fault}, in an exemplar of {labels}"), &shown(&pairs), 1),
            }
        }
        let (samples, histograms) = (std::mem::take(&mut self.samples), std::mem::take(&mut self.histograms));
        let mut starts = std::mem::take(&mut self.starts);
        if starts.iter().all(|start| *start == 0) {
            starts = Vec::new();
        }
        kept(&labels, sink);
        if !samples.is_empty() || !histograms.is_empty() || !exemplars.is_empty() {
            let series = SeriesSamples { labels, samples, starts, histograms, exemplars };
            sink.decoded.series.series.push(series);
            sink.decoded.series_known += usize::from(is_known);
        }
    }
}

fn exemplar<'a>(pairs: &[Pair<'a>], sample: Sample, texts: &mut Interned<'a>) -> Result<Exemplar, String> {
    let Sample { time_ms, value } = sample;
    check_time(time_ms)?;
    let labels = labels(pairs, texts)?;
    let chars: usize = labels.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
    if chars > EXEMPLAR_LABEL_CHARS_MAX {
        return Err(format!("the labels have {chars} characters, {EXEMPLAR_LABEL_CHARS_MAX} are allowed"));
    }
    Ok(Exemplar { labels, time_ms, value })
}

fn check_time(time_ms: i64) -> Result<(), String> {
    if time_ms.unsigned_abs() <= TIME_MS_MAX.unsigned_abs() {
        return Ok(());
    }
    Err(format!("the time {time_ms} is out of bounds: give milliseconds since 1970, within {TIME_MS_MAX}"))
}

fn check_name(labels: &Labels) -> Result<(), String> {
    if labels.metric_name().is_empty() {
        return Err(format!("the series has no name: give the label {METRIC_NAME}"));
    }
    Ok(())
}

fn labels<'a>(pairs: &[Pair<'a>], texts: &mut Interned<'a>) -> Result<Labels, String> {
    if pairs.len() > LABELS_PER_SERIES_MAX {
        return Err(format!("there are more than {LABELS_PER_SERIES_MAX} labels"));
    }
    let mut names = HashSet::with_capacity(pairs.len());
    let mut known = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).map_err(|_| "a label is not UTF-8".to_owned());
        let (name, value) = (text(name)?, text(value)?);
        if name.is_empty() {
            return Err("a label has no name".to_owned());
        }
        if !names.insert(name) {
            return Err(format!("duplicate label with name {name:?}"));
        }
        known.push((texts.get(name), texts.get(value)));
    }
    Ok(known.into_iter().collect())
}

/// Labels for people, whatever bytes they are.
fn shown(pairs: &[Pair<'_>]) -> String {
    /// Labels beyond these say no more.
    const SHOWN_MAX: usize = 32;
    let mut out = "{".to_owned();
    for (at, (name, value)) in pairs.iter().take(SHOWN_MAX).enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let text = String::from_utf8_lossy;
        // Writing to a text does not fail.
        let _ = write!(out, "{comma}{}={:?}", text(name), text(value));
    }
    out.push_str(if pairs.len() > SHOWN_MAX { ", ...}" } else { "}" });
    out
}
