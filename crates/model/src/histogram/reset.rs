//! Whether a counter started again.

use super::FloatHistogram;

/// What is known about a reset of the counter between a histogram and the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ResetHint {
    /// Nothing; both must be compared.
    #[default]
    Unknown,
    /// It was reset.
    Reset,
    /// It was not reset.
    NotReset,
    /// It is no counter.
    Gauge,
}

impl ResetHint {
    /// The hint of a sum or difference, and whether the two contradict each other.
    pub fn combine(self, other: Self) -> (Self, bool) {
        match (self, other) {
            (a, b) if a == b => (a, false),
            (Self::Gauge, _) | (_, Self::Gauge) => (Self::Gauge, false),
            (Self::Unknown, _) | (_, Self::Unknown) => (Self::Unknown, false),
            _ => (Self::Unknown, true),
        }
    }
}

impl FloatHistogram {
    /// Whether the counter was reset between `before` and this one: some count fell, or the layout changed as it only can after
    /// a restart (finer buckets, a narrower zero bucket, other custom bounds with fewer observations).
    pub fn is_reset_after(&self, before: &Self) -> bool {
        match self.reset_hint {
            ResetHint::Reset => return true,
            ResetHint::NotReset => return false,
            ResetHint::Unknown | ResetHint::Gauge => {}
        }
        if self.count < before.count {
            return true;
        }
        if self.is_custom() {
            if !before.is_custom() {
                return true;
            }
            if self.custom_values != before.custom_values {
                return self.custom_counts_fell(before);
            }
        }
        // Custom buckets have the lowest schema, so that a change to them was settled above.
        if self.schema > before.schema
            || self.zero_threshold < before.zero_threshold
            || self.is_custom() != before.is_custom()
        {
            return true;
        }
        let (before_zero, threshold) =
            if self.is_custom() { (0.0, self.zero_threshold) } else { before.zero_count_within(self.zero_threshold) };
        if threshold != self.zero_threshold || self.zero_count < before_zero {
            return true;
        }
        let sides = [(&self.positive, &before.positive), (&self.negative, &before.negative)];
        sides.into_iter().any(|(now, then)| self.side_fell(now, then, before.schema))
    }

    /// Whether a bucket holds less than before.
    fn side_fell(&self, now: &super::Buckets, then: &super::Buckets, schema: i32) -> bool {
        let within_zero =
            |index: i32| !self.is_custom() && super::upper_bound(index, self.schema) <= self.zero_threshold;
        let coarse;
        let then = if schema == self.schema {
            then
        } else {
            coarse = then.coarser(schema, self.schema);
            &coarse
        };
        let mut now = now.pairs().peekable();
        then.pairs().filter(|(index, count)| *count != 0.0 && !within_zero(*index)).any(|(index, count)| {
            while now.next_if(|(known, _)| *known < index).is_some() {}
            match now.peek() {
                Some((known, present)) if *known == index => *present < count,
                _ => true,
            }
        })
    }

    /// Compares histograms with different custom bounds at the bounds that both have.
    fn custom_counts_fell(&self, before: &Self) -> bool {
        let between = |histogram: &Self, low: f64, high: f64| -> f64 {
            let inside = |upper: f64| upper > low && upper <= high;
            histogram.positive_buckets().filter(|bucket| inside(bucket.upper)).map(|bucket| bucket.count).sum()
        };
        let common = self.custom_values.iter().filter(|bound| before.custom_values.contains(bound));
        let mut low = f64::NEG_INFINITY;
        for high in common.copied().chain([f64::INFINITY]) {
            if between(self, low, high) < between(before, low, high) {
                return true;
            }
            low = high;
        }
        false
    }

    /// Whether a store can keep this one in the same run of samples as `before`; `None` if the counter was reset.
    fn continues(&self, before: &Self) -> Option<bool> {
        if self.reset_hint == ResetHint::Reset {
            return None;
        }
        if self.is_stale() || before.is_stale() {
            return Some(self.is_stale());
        }
        if self.count < before.count {
            return None;
        }
        if self.schema != before.schema || self.zero_threshold != before.zero_threshold {
            return Some(false);
        }
        if self.is_custom() && self.custom_values != before.custom_values || self.zero_count < before.zero_count {
            return None;
        }
        let fell = self.side_fell(&self.positive, &before.positive, before.schema)
            || self.side_fell(&self.negative, &before.negative, before.schema);
        if fell { None } else { Some(true) }
    }
}

/// Gives the histograms of a series, in time order, the hints that a store knows: those that surely continue the one before say
/// so, gauges stay gauges, and all others are unknown, because what came before may be gone or come later.
///
/// `None` stands for samples that are no histograms; they end a run.
pub fn settle_reset_hints<'a>(samples: impl IntoIterator<Item = Option<&'a mut FloatHistogram>>) {
    let mut before: Option<&FloatHistogram> = None;
    for sample in samples {
        let Some(histogram) = sample else {
            before = None;
            continue;
        };
        let gauge = histogram.reset_hint == ResetHint::Gauge;
        let run = before.is_some_and(|before| {
            (before.reset_hint != ResetHint::Gauge) && !gauge && histogram.continues(before) == Some(true)
        });
        if !gauge {
            histogram.reset_hint = if run { ResetHint::NotReset } else { ResetHint::Unknown };
        }
        before = Some(histogram);
    }
}
