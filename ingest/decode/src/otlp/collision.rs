//! Samples of one request that fall together: the same series, the same time, another value.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use model::{HistogramSample, Sample, SeriesSamples};

use crate::Reject;

/// Keeps the first of the samples of each time. Equal ones are dropped without a word, others are one reject of the series.
pub(super) fn resolve(series: &mut SeriesSamples) -> Option<Reject> {
    let mut refused = 0;
    if series.samples.len() > 1 {
        let known = keep_first(&series.samples, |sample| sample.time_ms, |a, b| same(*a, *b), &mut refused);
        if known.contains(&false) {
            let mut kept = known.iter();
            series.samples.retain(|_| kept.next() == Some(&true));
            let mut kept = known.iter();
            series.starts.retain(|_| kept.next() == Some(&true));
        }
    }
    if series.histograms.len() > 1 {
        let same = |a: &HistogramSample, b: &HistogramSample| a.histogram.same_data(&b.histogram);
        let mut kept = keep_first(&series.histograms, |sample| sample.time_ms, same, &mut refused).into_iter();
        series.histograms.retain(|_| kept.next() == Some(true));
    }
    (refused > 0).then(|| {
        let reason = format!(
            "{refused} samples have the series and the time of others in the request, and other values: metrics whose names fall \
             together, or one metric of several scopes; rename one, or set ingest.otlp.promote_scope_metadata or \
             ingest.otlp.translation_strategy"
        );
        Reject::new(reason, series.labels.to_string().as_bytes()).of_items(refused)
    })
}

fn same(a: Sample, b: Sample) -> bool {
    a.value.to_bits() == b.value.to_bits()
}

/// Which items are the first of their time; counts the others that differ from it.
fn keep_first<T>(
    items: &[T],
    time_ms: impl Fn(&T) -> i64,
    same: impl Fn(&T, &T) -> bool,
    refused: &mut usize,
) -> Vec<bool> {
    if items.is_sorted_by(|a, b| time_ms(a) < time_ms(b)) {
        return vec![true; items.len()];
    }
    let mut first: HashMap<i64, &T> = HashMap::with_capacity(items.len());
    let mut keep = |item| match first.entry(time_ms(item)) {
        Entry::Vacant(entry) => {
            entry.insert(item);
            true
        }
        Entry::Occupied(entry) => {
            *refused += usize::from(!same(entry.get(), item));
            false
        }
    };
    items.iter().map(&mut keep).collect()
}
