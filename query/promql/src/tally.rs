//! What aggregations add up: a column of steps for each figure that an operator needs.

use model::histogram::add_compensated;

use crate::ast::AggregateOp;
use crate::tile::{ABSENT, is_absent};
use crate::windows::{Mean, any_nan};

/// What is known of one group at each step.
pub(crate) struct Tallies {
    op: AggregateOp,
    /// Values that came.
    counts: Vec<f64>,
    /// Sum, extreme, or mean of values; empty if the operator needs none.
    values: Vec<f64>,
    /// Compensation of the sum, or sum of squared deviations; empty if the operator needs none.
    extras: Vec<f64>,
    /// Means, once a sum is no number any more.
    means: Vec<Mean>,
}

/// Which columns an operator needs besides the counts: values, extras.
fn needs(op: AggregateOp) -> (bool, bool) {
    match op {
        AggregateOp::Sum | AggregateOp::Avg | AggregateOp::Stddev | AggregateOp::Stdvar => (true, true),
        AggregateOp::Min | AggregateOp::Max => (true, false),
        _ => (false, false),
    }
}

impl Tallies {
    pub(crate) fn new(op: AggregateOp, steps: usize) -> Self {
        let (values, extras) = needs(op);
        let column = |needed: bool, empty: f64| vec![empty; if needed { steps } else { 0 }];
        // The mean of negative zeros is one.
        let empty = if op == AggregateOp::Avg { -0.0 } else { 0.0 };
        let (counts, values, extras) = (column(true, 0.0), column(values, empty), column(extras, 0.0));
        Self { op, counts, values, extras, means: Vec::new() }
    }

    /// What those of one group take.
    pub(crate) fn bytes(op: AggregateOp, steps: usize) -> usize {
        let (values, extras) = needs(op);
        steps * size_of::<f64>() * (1 + usize::from(values) + usize::from(extras))
    }

    pub(crate) fn count(&self, step: usize) -> f64 {
        self.counts[step]
    }

    /// Adds a row of numbers.
    pub(crate) fn add_row(&mut self, row: &[f64]) {
        let is_mean = self.op == AggregateOp::Avg && self.means.is_empty() && !any_infinite(&self.values, row);
        if (is_mean || self.op == AggregateOp::Sum) && !any_nan(row) {
            self.counts.iter_mut().for_each(|count| *count += 1.0);
            return add_all(&mut self.values, &mut self.extras, row);
        }
        if matches!(self.op, AggregateOp::Count | AggregateOp::Group) {
            let counts = self.counts.iter_mut().zip(row);
            return counts.for_each(|(count, value)| *count += f64::from(u8::from(!is_absent(*value))));
        }
        for (step, value) in row.iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
            self.add(step, *value);
        }
    }

    /// Adds a number at one step.
    pub(crate) fn add(&mut self, step: usize, value: f64) {
        let first = self.counts[step] == 0.0;
        self.counts[step] += 1.0;
        match self.op {
            AggregateOp::Sum => {
                let (sum, extra) = (&mut self.values[step], &mut self.extras[step]);
                (*sum, *extra) = add_compensated(value, *sum, *extra);
            }
            AggregateOp::Avg => self.add_to_mean(step, value),
            AggregateOp::Min | AggregateOp::Max => self.meet(step, value, first),
            AggregateOp::Stddev | AggregateOp::Stdvar => {
                // Welford's way; an infinity or NaN makes the deviation NaN.
                let (mean, squares) = (&mut self.values[step], &mut self.extras[step]);
                let delta = value - *mean;
                *mean += delta / self.counts[step];
                *squares += delta * (value - *mean);
                if !value.is_finite() {
                    *squares = f64::NAN;
                }
            }
            _ => {}
        }
    }

    fn add_to_mean(&mut self, step: usize, value: f64) {
        let (sum, extra) = add_compensated(value, self.values[step], self.extras[step]);
        if self.means.is_empty() && !sum.is_infinite() {
            (self.values[step], self.extras[step]) = (sum, extra);
            return;
        }
        if self.means.is_empty() {
            // The value is counted already.
            self.counts[step] -= 1.0;
            self.take_means();
            self.counts[step] += 1.0;
        }
        self.means[step].add(value);
    }

    /// Goes on with means, which do not overflow.
    fn take_means(&mut self) {
        if self.means.is_empty() {
            let sums = self.values.iter().zip(&self.extras).zip(&self.counts);
            self.means = sums.map(|((sum, extra), count)| Mean::of_sum(*count, *sum, *extra)).collect();
        }
    }

    /// Lets a value be the extreme; NaN is it only where there is nothing else.
    fn meet(&mut self, step: usize, value: f64, first: bool) {
        let extreme = &mut self.values[step];
        let is_better = if self.op == AggregateOp::Min { value < *extreme } else { value > *extreme };
        if first || is_better || extreme.is_nan() {
            *extreme = value;
        }
    }

    /// Adds what was added up of values behind these.
    pub(crate) fn join(&mut self, behind: &Self) {
        if self.op == AggregateOp::Avg {
            return self.join_means(behind);
        }
        for step in (0..self.counts.len()).filter(|step| behind.counts[*step] > 0.0) {
            let (before, more) = (self.counts[step], behind.counts[step]);
            self.counts[step] += more;
            match self.op {
                AggregateOp::Sum => {
                    let (sum, extra) = (&mut self.values[step], &mut self.extras[step]);
                    (*sum, *extra) = add_compensated(behind.values[step], *sum, *extra);
                    *extra += behind.extras[step];
                }
                AggregateOp::Min | AggregateOp::Max => self.meet(step, behind.values[step], before == 0.0),
                AggregateOp::Stddev | AggregateOp::Stdvar => {
                    // Chan's way.
                    let (mean, squares) = (&mut self.values[step], &mut self.extras[step]);
                    let delta = behind.values[step] - *mean;
                    let share = more / (before + more);
                    *squares += behind.extras[step] + delta * delta * before * share;
                    *mean += delta * share;
                }
                _ => {}
            }
        }
    }

    fn join_means(&mut self, behind: &Self) {
        if !behind.means.is_empty() || any_infinite(&self.values, &behind.values) {
            self.take_means();
        }
        for step in (0..self.counts.len()).filter(|step| behind.counts[*step] > 0.0) {
            let (sum, extra) = (behind.values[step], behind.extras[step]);
            if self.means.is_empty() {
                let (total, lost) = add_compensated(sum, self.values[step], self.extras[step]);
                (self.values[step], self.extras[step]) = (total, lost + extra);
            } else {
                let mean = Mean::of_sum(behind.counts[step], sum, extra);
                self.means[step].join(behind.means.get(step).unwrap_or(&mean));
            }
            self.counts[step] += behind.counts[step];
        }
    }

    /// The result at each step.
    pub(crate) fn results(&self) -> Vec<f64> {
        (0..self.counts.len()).map(|step| self.result(step)).collect()
    }

    fn result(&self, step: usize) -> f64 {
        let count = self.counts[step];
        if count == 0.0 {
            return ABSENT;
        }
        match self.op {
            AggregateOp::Sum => self.values[step] + self.extras[step],
            AggregateOp::Avg => {
                let mean = Mean::of_sum(count, self.values[step], self.extras[step]);
                self.means.get(step).unwrap_or(&mean).value()
            }
            AggregateOp::Min | AggregateOp::Max => self.values[step],
            AggregateOp::Count => count,
            AggregateOp::Stdvar => self.extras[step] / count,
            AggregateOp::Stddev => (self.extras[step] / count).sqrt(),
            _ => 1.0,
        }
    }
}

/// Whether a sum with a value of the row would be infinite.
fn any_infinite(sums: &[f64], row: &[f64]) -> bool {
    sums.iter().zip(row).fold(false, |any, (sum, value)| any | (sum + value).is_infinite())
}

/// [`add_compensated`] for a row without NaN, in a form that a processor does for several steps at once: what a sum loses is found without
/// asking which of the two is larger.
fn add_all(sums: &mut [f64], extras: &mut [f64], row: &[f64]) {
    for ((sum, extra), value) in sums.iter_mut().zip(extras).zip(row) {
        let total = *sum + *value;
        let added = total - *sum;
        let lost = (*sum - (total - added)) + (*value - added);
        *extra = if total.is_infinite() { 0.0 } else { *extra + lost };
        *sum = total;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => -1e6..1e6f64,
            2 => (-300i32..300, -1.0..1.0f64).prop_map(|(power, value)| value * 10f64.powi(power)),
            1 => prop::sample::select(vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 9007199254740993.0]),
        ]
    }

    proptest! {
        #[test]
        fn many_steps_at_once_are_one_after_the_other(rows in prop::collection::vec(prop::collection::vec(number(), 7), 1..30)) {
            let (mut sums, mut extras) = (vec![0.0; 7], vec![0.0; 7]);
            let mut want = [(0.0, 0.0); 7];
            for row in &rows {
                add_all(&mut sums, &mut extras, row);
                for (kept, value) in want.iter_mut().zip(row) {
                    *kept = add_compensated(*value, kept.0, kept.1);
                }
            }
            let same = |a: f64, b: f64| a == b || a.is_nan() && b.is_nan();
            for (at, (sum, extra)) in want.into_iter().enumerate() {
                prop_assert!(same(sums[at], sum) && same(extras[at], extra), "{:?} {:?} {sum} {extra}", sums[at], extras[at]);
            }
        }

        #[test]
        fn parts_come_to_what_all_do(
            rows in prop::collection::vec(prop::option::weighted(0.9, prop_oneof![-1e6..1e6f64, Just(f64::NAN)]), 1..60),
            cuts in prop::collection::vec(1usize..9, 1..20),
        ) {
            for op in [
                AggregateOp::Sum, AggregateOp::Avg, AggregateOp::Min, AggregateOp::Max, AggregateOp::Count,
                AggregateOp::Group, AggregateOp::Stddev, AggregateOp::Stdvar,
            ] {
                let values: Vec<f64> = rows.iter().map(|value| value.unwrap_or(ABSENT)).collect();
                let (mut all, mut joined) = (Tallies::new(op, 1), Tallies::new(op, 1));
                values.iter().for_each(|value| all.add_row(&[*value]));
                let mut rest = &values[..];
                for cut in cuts.iter().cycle() {
                    let (now, later) = rest.split_at((*cut).min(rest.len()));
                    let mut part = Tallies::new(op, 1);
                    now.iter().for_each(|value| part.add_row(&[*value]));
                    joined.join(&part);
                    rest = later;
                    if rest.is_empty() {
                        break;
                    }
                }
                let (want, found) = (all.result(0), joined.result(0));
                let close = (want - found).abs() <= 1e-11 * (1.0 + want.abs());
                prop_assert!(close || want.to_bits() == found.to_bits() || want.is_nan() && found.is_nan() && !is_absent(found), "{op:?}: {want} {found}");
            }
        }
    }

    #[test]
    fn a_mean_that_overflows_is_joined_as_well() {
        let mut joined = Tallies::new(AggregateOp::Avg, 1);
        for values in [[1e308, 1.5e308], [1.2e308, 1.1e308], [-1e308, 1.0]] {
            let mut part = Tallies::new(AggregateOp::Avg, 1);
            values.iter().for_each(|value| part.add_row(&[*value]));
            joined.join(&part);
        }
        let want = 3.8 / 6.0 * 1e308;
        assert!((joined.result(0) / want - 1.0).abs() < 1e-9, "{} {want}", joined.result(0));
    }
}
