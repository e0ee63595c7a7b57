//! The ring of exemplars of one tenant.

use std::collections::VecDeque;

use model::{Exemplar, Labels};

/// Exemplars of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplars {
    /// The series.
    pub labels: Labels,
    /// Its exemplars in time order.
    pub exemplars: Vec<Exemplar>,
}

/// A bounded ring; the oldest arrival goes first.
#[derive(Debug, Default)]
pub(crate) struct Ring {
    entries: VecDeque<(Labels, Exemplar)>,
    /// Entries at the end that no block holds yet.
    fresh: usize,
}

impl Ring {
    /// Adds an exemplar, unless it is there already (replays repeat them).
    pub(crate) fn push(&mut self, labels: &Labels, exemplar: &Exemplar, max: usize) {
        let known = |entry: &(Labels, Exemplar)| entry.0 == *labels && entry.1 == *exemplar;
        if max == 0 || self.entries.iter().rev().take(REPEATS_SOUGHT).any(known) {
            return;
        }
        while self.entries.len() >= max {
            self.entries.pop_front();
        }
        self.entries.push_back((labels.clone(), exemplar.clone()));
        self.fresh = (self.fresh + 1).min(self.entries.len());
    }

    /// Adds what a block held when the database was opened.
    pub(crate) fn load(&mut self, entries: Vec<(Labels, Exemplar)>, max: usize) {
        for (labels, exemplar) in entries {
            self.push(&labels, &exemplar, max);
        }
        self.fresh = 0;
    }

    /// What no block holds yet; the caller writes it and then calls [`Self::flushed`].
    pub(crate) fn unflushed(&self) -> Vec<(Labels, Exemplar)> {
        self.entries.iter().skip(self.entries.len() - self.fresh).cloned().collect()
    }

    /// How many no block holds yet.
    pub(crate) fn unflushed_len(&self) -> usize {
        self.fresh
    }

    pub(crate) fn flushed(&mut self, count: usize) {
        self.fresh = self.fresh.saturating_sub(count);
    }

    pub(crate) fn drop_before(&mut self, before_ms: i64) {
        self.entries.retain(|(_, exemplar)| exemplar.time_ms >= before_ms);
        self.fresh = self.fresh.min(self.entries.len());
    }

    /// Forgets those of which `gone` is true.
    pub(crate) fn remove(&mut self, gone: impl Fn(&Labels, &Exemplar) -> bool) {
        let flushed = self.entries.len() - self.fresh;
        let mut at = 0;
        let mut fresh = 0;
        self.entries.retain(|(labels, exemplar)| {
            let keep = !gone(labels, exemplar);
            fresh += usize::from(keep && at >= flushed);
            at += 1;
            keep
        });
        self.fresh = fresh;
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &(Labels, Exemplar)> {
        self.entries.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// How far back a repeated exemplar is looked for: a client sends the same one with every export until a newer comes.
const REPEATS_SOUGHT: usize = 256;
