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
    /// What is wrong with the labels as they came.
    pub(super) label_fault: Option<String>,
    pub(super) samples: Vec<Sample>,
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
    pub(super) fn sample(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<(), Stop> {
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
                self.samples.push(sample);
                self.starts.push(start_ms);
            }
            Err(fault) => self.faults.push(fault),
        }
        Ok(())
    }

    pub(super) fn histogram(&mut self, bytes: &[u8], sink: &mut Sink) -> Result<(), Stop> {
        match histogram::read(bytes, sink)?.and_then(|sample| check_time(sample.time_ms).map(|()| sample)) {
            Ok(sample) => self.histograms.push(sample),
            Err(fault) => self.faults.push(fault),
        }
        Ok(())
    }

    /// Gives the start of the whole series to samples that have none of their own.
    pub(super) fn default_start(&mut self, start_ms: i64) {
        let own = self.histograms.iter_mut().map(|sample| &mut sample.start_ms);
        self.starts.iter_mut().chain(own).filter(|start| **start == 0).for_each(|start| *start = start_ms);
    }

    fn items(&self) -> usize {
        self.samples.len() + self.histograms.len() + self.faults.len()
    }

    /// Hands the series on, or rejects it. Returns its labels when it was kept.
    pub(super) fn finish(mut self, texts: &mut Interned<'a>, sink: &mut Sink) -> Option<Labels> {
        let items = self.items();
        let labels = match self.label_fault.take() {
            Some(fault) => Err(fault),
            None => labels(&self.pairs, texts).and_then(|labels| check_name(&labels).map(|()| labels)),
        };
        let labels = match labels {
            Ok(labels) => labels,
            Err(fault) => {
                sink.reject(format!("{fault}, in the series {}", shown(&self.pairs)), &shown(&self.pairs), items);
                return None;
            }
        };
        for fault in std::mem::take(&mut self.faults) {
            sink.reject(format!("{fault}, in the series {labels}"), &labels.to_string(), 1);
        }
        let mut exemplars = Vec::with_capacity(self.exemplars.len());
        for (pairs, sample) in self.exemplars {
            match exemplar(&pairs, sample, texts) {
                Ok(exemplar) => exemplars.push(exemplar),
                Err(fault) => sink.reject(format!("{fault}, in an exemplar of {labels}"), &shown(&pairs), 1),
            }
        }
        if self.starts.iter().all(|start| *start == 0) {
            self.starts = Vec::new();
        }
        let (samples, starts, histograms) = (self.samples, self.starts, self.histograms);
        if !samples.is_empty() || !histograms.is_empty() || !exemplars.is_empty() {
            let series = SeriesSamples { labels: labels.clone(), samples, starts, histograms, exemplars };
            sink.decoded.series.series.push(series);
        }
        Some(labels)
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
