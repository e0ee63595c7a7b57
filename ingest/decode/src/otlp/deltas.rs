//! Running totals of series of delta temporality, so that they become counters.
//!
//! A point adds to the total of its series and is stored as that total. A point that comes again (a sender repeats what was not
//! acknowledged) adds nothing: its times are remembered, together with a hash of what it said, so that another point of the same time (two
//! scopes whose series fall together) is refused and not taken for a repetition. One that comes after a later one can not be added and is
//! refused, as is one that is not finite: the total would never be a number again. What is not known
//! of a series yet begins with a zero right behind the point's start, so that the first point counts in `rate`, and so that a total that
//! starts again (after a restart, the totals are in memory only) is seen as the reset that it is.
//!
//! Bounded: [`super::MetricsOptions::delta_series_max`] series of each tenant; those without a point for [`IDLE_MS`] give way when there
//! are more.

use std::collections::HashMap;
use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::{Hash as _, Hasher as _};

use model::{FloatHistogram, Labels, ResetHint, TenantId};

/// After how long without a point a series may be forgotten for the sake of another, in milliseconds.
pub const IDLE_MS: i64 = 3_600_000;

/// How long nothing is looked for that could be forgotten after nothing was found.
const SWEEP_PAUSE_MS: i64 = 60_000;

/// Points that are remembered of a series.
const POINTS_KEPT: usize = 8;

/// What is added up.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Amount {
    Number(f64),
    Explicit { bounds: Vec<f64>, counts: Vec<u64>, count: u64, sum: Option<f64> },
    Native(FloatHistogram),
}

/// A series' total after a point.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Total {
    pub(super) amount: Amount,
    /// When the total began, in milliseconds; zero where the sender does not say.
    pub(super) start_ms: i64,
    /// Where a zero belongs before this point.
    pub(super) zero_ms: Option<i64>,
}

/// Why a point was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeltaError {
    #[error(
        "{0} series of delta temporality are being added up, and none of them is idle: send cumulative temporality, or raise \
         ingest.otlp.delta_series_max"
    )]
    TooMany(usize),
    #[error("the delta came after a later one of its series, and can not be added any more")]
    Late,
    #[error(
        "another delta of the series and the time was added, and this one has another start or another value: metrics whose names fall \
         together, or one metric of several scopes; rename one, or set ingest.otlp.promote_scope_metadata or \
         ingest.otlp.translation_strategy"
    )]
    Collides,
    #[error("the delta is not a finite number, and can not be added: correct the instrument that records it")]
    NotFinite,
}

/// A point that was added.
#[derive(Clone, Copy, Debug)]
struct Added {
    time_ms: i64,
    /// Hash of its start and its amount.
    mark: u64,
}

#[derive(Debug)]
struct Running {
    amount: Amount,
    start_ms: i64,
    /// Points that were added, the newest last.
    added: Vec<Added>,
    received_ms: i64,
}

/// The totals of all tenants.
#[derive(Debug, Default)]
pub(super) struct Deltas {
    tenants: HashMap<TenantId, Totals>,
}

/// The totals of one tenant: no tenant takes the room of another.
#[derive(Debug, Default)]
struct Totals {
    series: HashMap<Labels, Running>,
    swept_ms: i64,
}

impl Deltas {
    /// Adds a point that covers the time from `start_ms` (zero when that is not known) to `time_ms`. `None` for a repetition whose
    /// total is known no more; the later one that came with it has it.
    pub(super) fn add(
        &mut self,
        (tenant, labels): (TenantId, Labels),
        amount: Amount,
        span_ms: (i64, i64),
        received_ms: i64,
        series_max: usize,
    ) -> Result<Option<Total>, DeltaError> {
        if !amount.is_finite() {
            return Err(DeltaError::NotFinite);
        }
        self.tenants.entry(tenant).or_default().add(labels, amount, span_ms, received_ms, series_max)
    }

    /// Forgets a series whose sender says that it has no value.
    pub(super) fn end(&mut self, (tenant, labels): &(TenantId, Labels)) {
        if let Some(totals) = self.tenants.get_mut(tenant) {
            totals.series.remove(labels);
            if totals.series.is_empty() {
                self.tenants.remove(tenant);
            }
        }
    }
}

impl Totals {
    fn add(
        &mut self,
        key: Labels,
        amount: Amount,
        (start_ms, time_ms): (i64, i64),
        received_ms: i64,
        series_max: usize,
    ) -> Result<Option<Total>, DeltaError> {
        let added = Added { time_ms, mark: amount.mark(start_ms) };
        if self.series.len() >= series_max && !self.series.contains_key(&key) {
            self.sweep(received_ms);
            if self.series.len() >= series_max {
                return Err(DeltaError::TooMany(series_max));
            }
        }
        let known = match self.series.entry(key) {
            Entry::Vacant(entry) => {
                let running = Running::new(amount, start_ms, added, received_ms);
                return Ok(Some(entry.insert(running).total()));
            }
            Entry::Occupied(entry) => entry.into_mut(),
        };
        known.received_ms = received_ms;
        if let Some(before) = known.added.iter().find(|before| before.time_ms == time_ms) {
            let newest = known.added.last().is_some_and(|last| last.time_ms == time_ms);
            return if before.mark == added.mark {
                Ok(newest.then(|| known.total()))
            } else {
                Err(DeltaError::Collides)
            };
        }
        if known.added.last().is_some_and(|last| last.time_ms > time_ms) {
            return Err(DeltaError::Late);
        }
        if known.amount.add(&amount) {
            if known.added.len() == POINTS_KEPT {
                known.added.remove(0);
            }
            known.added.push(added);
        } else {
            // Other bounds than before: another histogram, whose total begins here. So does one whose sum has no room for more.
            *known = Running::new(amount, start_ms, added, received_ms);
        }
        Ok(Some(known.total()))
    }

    fn sweep(&mut self, now_ms: i64) {
        if now_ms < self.swept_ms.saturating_add(SWEEP_PAUSE_MS) {
            return;
        }
        self.swept_ms = now_ms;
        self.series.retain(|_, running| running.received_ms.saturating_add(IDLE_MS) > now_ms);
    }
}

impl Running {
    fn new(amount: Amount, start_ms: i64, added: Added, received_ms: i64) -> Self {
        Self { amount, start_ms, added: vec![added], received_ms }
    }

    fn total(&self) -> Total {
        let begins = self.added.len() == 1;
        let last = self.added.last().map_or(0, |added| added.time_ms);
        let zero_ms = (begins && self.start_ms > 0 && self.start_ms + 1 < last).then_some(self.start_ms + 1);
        Total { amount: self.amount.clone(), start_ms: self.start_ms, zero_ms }
    }
}

impl Amount {
    /// The number, or the sum of a histogram that has one.
    fn sum(&self) -> f64 {
        match self {
            Self::Number(value) => *value,
            Self::Explicit { sum, .. } => sum.unwrap_or_default(),
            Self::Native(histogram) => histogram.sum,
        }
    }

    fn is_finite(&self) -> bool {
        self.sum().is_finite()
    }

    /// The same for a point that comes again.
    fn mark(&self, start_ms: i64) -> u64 {
        let mut hasher = DefaultHasher::new();
        start_ms.hash(&mut hasher);
        self.sum().to_bits().hash(&mut hasher);
        match self {
            Self::Number(_) => {}
            Self::Explicit { bounds, counts, count, sum } => {
                (counts, count, sum.is_some()).hash(&mut hasher);
                bounds.iter().for_each(|bound| bound.to_bits().hash(&mut hasher));
            }
            Self::Native(histogram) => {
                histogram.schema.hash(&mut hasher);
                let numbers = [histogram.count, histogram.zero_count, histogram.zero_threshold];
                numbers.iter().chain(&*histogram.custom_values).for_each(|number| number.to_bits().hash(&mut hasher));
                for (index, count) in histogram.positive.pairs().chain(histogram.negative.pairs()) {
                    (index, count.to_bits()).hash(&mut hasher);
                }
            }
        }
        hasher.finish()
    }

    /// Adds what another holds; whether both are of one shape and there is room for their sum.
    fn add(&mut self, other: &Self) -> bool {
        if !(self.sum() + other.sum()).is_finite() {
            return false;
        }
        match (self, other) {
            (Self::Number(total), Self::Number(value)) => *total += value,
            (
                Self::Explicit { bounds, counts, count, sum },
                Self::Explicit { bounds: their_bounds, counts: their_counts, count: their_count, sum: their_sum },
            ) if bounds == their_bounds && counts.len() == their_counts.len() => {
                counts.iter_mut().zip(their_counts).for_each(|(total, value)| *total = total.saturating_add(*value));
                *count = count.saturating_add(*their_count);
                *sum = sum.zip(*their_sum).map(|(total, value)| total + value);
            }
            (Self::Native(total), Self::Native(histogram)) => {
                let added = total.add(histogram).is_ok();
                total.reset_hint = ResetHint::Unknown;
                return added;
            }
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> (TenantId, Labels) {
        (TenantId::default(), [("__name__", name)].into_iter().collect())
    }

    fn number(deltas: &mut Deltas, name: &str, value: f64, span: (i64, i64)) -> Result<Option<Total>, DeltaError> {
        deltas.add(key(name), Amount::Number(value), span, span.1, 2)
    }

    fn total(value: f64, zero_ms: Option<i64>) -> Result<Option<Total>, DeltaError> {
        Ok(Some(Total { amount: Amount::Number(value), start_ms: 1000, zero_ms }))
    }

    #[test]
    fn points_add_up_once_each() {
        let mut deltas = Deltas::default();
        assert_eq!(number(&mut deltas, "a", 5.0, (1000, 2000)), total(5.0, Some(1001)));
        assert_eq!(number(&mut deltas, "a", 5.0, (1000, 2000)), total(5.0, Some(1001)), "a repetition");
        assert_eq!(number(&mut deltas, "a", 2.0, (2000, 3000)), total(7.0, None));
        assert_eq!(number(&mut deltas, "a", 2.0, (2000, 3000)), total(7.0, None), "a repetition");
        assert_eq!(number(&mut deltas, "a", 5.0, (1000, 2000)), Ok(None), "a repetition of an earlier one");
        assert_eq!(number(&mut deltas, "a", 1.0, (1000, 1500)), Err(DeltaError::Late));
        deltas.end(&key("a"));
        let again = number(&mut deltas, "a", 1.0, (1000, 4000));
        assert_eq!(again, total(1.0, Some(1001)), "after its end it begins anew");
    }

    #[test]
    fn another_point_of_the_same_time_is_no_repetition() {
        let mut deltas = Deltas::default();
        assert_eq!(number(&mut deltas, "a", 5.0, (1000, 2000)), total(5.0, Some(1001)));
        assert_eq!(number(&mut deltas, "a", 6.0, (1000, 2000)), Err(DeltaError::Collides));
        assert_eq!(number(&mut deltas, "a", 5.0, (1500, 2000)), Err(DeltaError::Collides), "another start");
        assert_eq!(number(&mut deltas, "a", 2.0, (2000, 3000)), total(7.0, None));
        assert_eq!(number(&mut deltas, "a", 6.0, (1000, 2000)), Err(DeltaError::Collides), "also later");
        assert_eq!(number(&mut deltas, "a", 5.0, (1000, 2000)), Ok(None));
    }

    #[test]
    fn a_total_stays_a_number() {
        let mut deltas = Deltas::default();
        assert_eq!(number(&mut deltas, "a", f64::MAX, (1000, 2000)), total(f64::MAX, Some(1001)));
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(number(&mut deltas, "a", value, (2000, 3000)), Err(DeltaError::NotFinite));
        }
        let explicit = Amount::Explicit { bounds: vec![], counts: vec![1], count: 1, sum: Some(f64::NAN) };
        assert_eq!(deltas.add(key("h"), explicit, (1000, 2000), 0, 2), Err(DeltaError::NotFinite));
        let native = Amount::Native(FloatHistogram { sum: f64::INFINITY, ..FloatHistogram::default() });
        assert_eq!(deltas.add(key("h"), native, (1000, 2000), 0, 2), Err(DeltaError::NotFinite));
        let anew = number(&mut deltas, "a", f64::MAX, (1000, 3000));
        assert_eq!(anew, total(f64::MAX, Some(1001)), "there is no room for the sum: it begins anew");
    }

    #[test]
    fn tenants_take_no_room_from_each_other() {
        let mut deltas = Deltas::default();
        let other = TenantId::new("other").unwrap();
        for name in ["a", "b"] {
            number(&mut deltas, name, 1.0, (0, 1000)).unwrap();
        }
        let (_, labels) = key("c");
        assert!(deltas.add((other, labels), Amount::Number(1.0), (0, 1000), 1000, 2).is_ok());
        assert!(number(&mut deltas, "c", 1.0, (0, 1000)).is_err());
    }

    #[test]
    fn series_are_bounded_and_idle_ones_give_way() {
        let mut deltas = Deltas::default();
        number(&mut deltas, "a", 1.0, (0, 1000)).unwrap();
        number(&mut deltas, "b", 1.0, (0, 1000 + IDLE_MS)).unwrap();
        let refused = number(&mut deltas, "c", 1.0, (0, IDLE_MS)).unwrap_err();
        assert!(refused.to_string().starts_with("2 series of delta temporality"), "{refused}");
        assert!(number(&mut deltas, "a", 1.0, (0, 2000)).is_ok(), "known series go on");
        let later = 2 * IDLE_MS;
        assert!(number(&mut deltas, "c", 1.0, (0, later)).is_ok(), "a gave way");
        assert!(number(&mut deltas, "a", 1.0, (0, later)).is_err());
    }

    #[test]
    fn histograms_add_up_and_begin_anew_with_other_bounds() {
        let mut deltas = Deltas::default();
        let explicit = |bounds: &[f64], counts: &[u64]| Amount::Explicit {
            bounds: bounds.to_vec(),
            counts: counts.to_vec(),
            count: counts.iter().sum(),
            sum: Some(2.5),
        };
        let mut add = |amount, time_ms| deltas.add(key("h"), amount, (1000, time_ms), time_ms, 1).unwrap().unwrap();
        add(explicit(&[1.0], &[1, 2]), 2000);
        let both = add(explicit(&[1.0], &[3, 0]), 3000);
        let want = Amount::Explicit { bounds: vec![1.0], counts: vec![4, 2], count: 6, sum: Some(5.0) };
        assert_eq!((both.amount, both.zero_ms), (want, None));
        let other = add(explicit(&[2.0], &[1, 1]), 4000);
        assert_eq!((other.amount, other.zero_ms), (explicit(&[2.0], &[1, 1]), Some(1001)));
    }
}
