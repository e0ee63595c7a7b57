//! Folds as the rows of a block behind that of their samples.
//!
//! The row of counts has a count for each sample, zero where nothing was left out before it; the others have a value for each sample
//! that has a fold. Rows that say nothing new are left out: no counter was reset, or no value lies beyond the two samples around it, as
//! it is with counters.

use std::sync::Arc;

use column::metrics::Aggregate;

use crate::SeriesError;
use crate::block::Entry;
use crate::fold::Fold;
use crate::samples::Samples;

/// What a read wants of what downsampling left out. The samples that are there come with each, as they were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing: the samples between two times, and no others.
    #[default]
    Samples,
    /// How many samples there were.
    Count,
    /// The sums, and how many.
    Sum,
    /// The smallest values.
    Min,
    /// The largest values.
    Max,
    /// What a counter lost at resets, and how often it was reset.
    Counter,
    /// All of it.
    Everything,
}

impl Wanted {
    fn includes(self, aggregate: Aggregate) -> bool {
        let wants = match aggregate {
            Aggregate::Sample | Aggregate::Count => return true,
            Aggregate::Sum => Self::Sum,
            Aggregate::Min => Self::Min,
            Aggregate::Max => Self::Max,
            Aggregate::Resets | Aggregate::Lost => Self::Counter,
        };
        self == wants || self == Self::Everything
    }
}

/// The aggregates in the order of their rows.
const ROWS: [Aggregate; 6] =
    [Aggregate::Count, Aggregate::Sum, Aggregate::Min, Aggregate::Max, Aggregate::Resets, Aggregate::Lost];

/// The bit of an aggregate in an entry. Counts and sums are always there together, and so are resets and what is lost at them.
pub(crate) fn bit(aggregate: Aggregate) -> u32 {
    match aggregate {
        Aggregate::Sample => 0,
        Aggregate::Count | Aggregate::Sum => 1,
        Aggregate::Min => 2,
        Aggregate::Max => 4,
        Aggregate::Resets | Aggregate::Lost => 8,
    }
}

/// The rows of aggregates of a series, in their order.
pub(crate) fn columns(samples: &Samples) -> Vec<(Aggregate, Vec<i64>, Vec<f64>)> {
    let places: Vec<usize> = (0..samples.folds.len()).filter(|at| !samples.folds[*at].is_empty()).collect();
    if places.is_empty() {
        return Vec::new();
    }
    let times: Vec<i64> = places.iter().map(|at| samples.times[*at]).collect();
    let column = |value: &dyn Fn(&Fold) -> f64| places.iter().map(|at| value(&samples.folds[*at])).collect::<Vec<_>>();
    let counts = samples.folds.iter().map(|fold| f64::from(fold.count)).collect();
    let mut columns = vec![
        (Aggregate::Count, samples.times.clone(), counts),
        (Aggregate::Sum, times.clone(), column(&|fold| fold.sum)),
    ];
    let (min, max) = (column(&|fold| fold.min), column(&|fold| fold.max));
    let is_told = |column: &[f64], aggregate: Aggregate| {
        let around = places.iter().map(|at| around(&samples.values, *at, aggregate));
        around.zip(column).all(|(told, value)| told.to_bits() == value.to_bits())
    };
    for (aggregate, column) in [(Aggregate::Min, min), (Aggregate::Max, max)] {
        if !is_told(&column, aggregate) {
            columns.push((aggregate, times.clone(), column));
        }
    }
    if samples.folds.iter().any(|fold| fold.resets > 0) {
        columns.push((Aggregate::Resets, times.clone(), column(&|fold| fold.resets.into())));
        columns.push((Aggregate::Lost, times.clone(), column(&|fold| fold.lost)));
    }
    columns
}

/// The smaller or the larger value of a sample and the one before it.
fn around(values: &[f64], at: usize, aggregate: Aggregate) -> f64 {
    let (before, now) = (values[at.saturating_sub(1)], values[at]);
    if aggregate == Aggregate::Min { before.min(now) } else { before.max(now) }
}

/// Reads folds. `column` gives the values of a row so many behind that of the samples, of which there must be so many. `None` if they
/// make no sense.
pub(crate) fn read(
    entry: &Entry,
    values: &[f64],
    wanted: Wanted,
    column: impl Fn(u32, usize) -> Result<Arc<Vec<f64>>, SeriesError>,
) -> Result<Option<Vec<Fold>>, SeriesError> {
    let is_count = |count: &f64| *count >= 0.0 && *count <= f64::from(u32::MAX) && count.fract() == 0.0;
    let counts = column(1, values.len())?;
    if !counts.iter().all(is_count) {
        return Ok(None);
    }
    let mut folds: Vec<Fold> = counts.iter().map(|count| Fold { count: *count as u32, ..Fold::default() }).collect();
    let places: Vec<usize> = (0..folds.len()).filter(|at| !folds[*at].is_empty()).collect();
    let mut behind = 0;
    for aggregate in ROWS {
        let is_there = entry.has_aggregate(aggregate);
        behind += u32::from(is_there);
        if aggregate == Aggregate::Count || !wanted.includes(aggregate) {
            continue;
        }
        let read = if is_there { column(behind, places.len())? } else { Arc::default() };
        for (nth, at) in places.iter().enumerate() {
            let value = match (read.get(nth), aggregate) {
                (Some(value), _) => *value,
                (None, Aggregate::Min | Aggregate::Max) => around(values, *at, aggregate),
                (None, _) => 0.0,
            };
            let fold = &mut folds[*at];
            match aggregate {
                Aggregate::Sum => fold.sum = value,
                Aggregate::Min => fold.min = value,
                Aggregate::Max => fold.max = value,
                Aggregate::Lost => fold.lost = value,
                Aggregate::Resets if !is_count(&value) => return Ok(None),
                Aggregate::Resets => fold.resets = value as u32,
                Aggregate::Sample | Aggregate::Count => {}
            }
        }
    }
    Ok(Some(folds))
}
