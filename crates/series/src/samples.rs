//! Samples of one series as two columns in time order.

/// Times and values of one series, strictly ascending in time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// Memory of one sample in the two columns.
pub(crate) const SAMPLE_BYTES: usize = 16;

impl Samples {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// Puts one sample in its place; at a time that is there already the new value stays.
    pub(crate) fn insert(&mut self, time_ms: i64, value: f64) {
        if self.times.last().is_none_or(|last| *last < time_ms) {
            self.times.push(time_ms);
            self.values.push(value);
            return;
        }
        match self.times.binary_search(&time_ms) {
            Ok(at) => self.values[at] = value,
            Err(at) => {
                self.times.insert(at, time_ms);
                self.values.insert(at, value);
            }
        }
    }

    /// Lays newer writes over these samples: where both have a time, the newer value stays.
    pub(crate) fn lay_over(&mut self, newer: &[i64], values: &[f64]) {
        let Some(first) = newer.first() else { return };
        if self.times.last().is_none_or(|last| last < first) {
            self.times.extend_from_slice(newer);
            self.values.extend_from_slice(values);
            return;
        }
        let start = self.times.partition_point(|time| time < first);
        let (old_times, old_values) = (self.times.split_off(start), self.values.split_off(start));
        let (mut old, mut new) = (0, 0);
        while old < old_times.len() || new < newer.len() {
            let take_new = match (old_times.get(old), newer.get(new)) {
                (Some(a), Some(b)) => b <= a,
                (None, Some(_)) => true,
                _ => false,
            };
            if take_new {
                old += usize::from(old_times.get(old) == Some(&newer[new]));
                self.times.push(newer[new]);
                self.values.push(values[new]);
                new += 1;
            } else {
                self.times.push(old_times[old]);
                self.values.push(old_values[old]);
                old += 1;
            }
        }
    }

    /// The samples from `start_ms` to `end_ms`, both included.
    pub(crate) fn range(&self, start_ms: i64, end_ms: i64) -> (&[i64], &[f64]) {
        let from = self.times.partition_point(|time| *time < start_ms);
        let to = self.times.partition_point(|time| *time <= end_ms).max(from);
        (&self.times[from..to], &self.values[from..to])
    }

    /// Forgets what is before `floor_ms`; says how many samples that were.
    pub(crate) fn drop_before(&mut self, floor_ms: i64) -> usize {
        let count = self.times.partition_point(|time| *time < floor_ms);
        if count > 0 {
            self.times.drain(..count);
            self.values.drain(..count);
            self.times.shrink_to_fit();
            self.values.shrink_to_fit();
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_order_of_writes_equals_a_sorted_map(writes in prop::collection::vec((0i64..40, -5i8..5), 0..60), cut in 0usize..60) {
            let mut map = BTreeMap::new();
            let mut samples = Samples::default();
            let mut newer = Samples::default();
            for (i, (time, value)) in writes.iter().enumerate() {
                map.insert(*time, f64::from(*value));
                if i < cut { samples.insert(*time, f64::from(*value)) } else { newer.insert(*time, f64::from(*value)) }
            }
            samples.lay_over(&newer.times, &newer.values);
            prop_assert_eq!(samples.times, map.keys().copied().collect::<Vec<_>>());
            prop_assert_eq!(samples.values, map.values().copied().collect::<Vec<_>>());
        }
    }
}
