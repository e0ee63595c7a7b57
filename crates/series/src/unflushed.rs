//! How much of a database is in no block yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes of one tenant that are in no block yet. They count in a total of all tenants until they are set anew, or the tenant goes.
#[derive(Debug, Default)]
pub(crate) struct Unflushed {
    bytes: usize,
    total: Arc<AtomicUsize>,
}

impl Unflushed {
    pub(crate) fn new(total: &Arc<AtomicUsize>) -> Self {
        Self { bytes: 0, total: Arc::clone(total) }
    }

    pub(crate) fn set(&mut self, bytes: usize) {
        // The total is a sum of what all tenants have, so it never goes below what is taken from it here.
        match bytes.checked_sub(self.bytes) {
            Some(more) => self.total.fetch_add(more, Relaxed),
            None => self.total.fetch_sub(self.bytes - bytes, Relaxed),
        };
        self.bytes = bytes;
    }
}

impl Drop for Unflushed {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use model::{Exemplar, FloatHistogram, HistogramSample, Labels, Sample, SeriesBatch, SeriesSamples, TenantId};
    use proptest::prelude::*;

    use crate::head::{EXEMPLAR_BYTES, Head};
    use crate::{Matcher, SeriesDb, SeriesOptions};

    #[derive(Clone, Debug)]
    enum Step {
        /// Tenant, series, times, and whether there are start times, a histogram and an exemplar.
        Insert(usize, u8, Vec<i64>, [bool; 3]),
        Flush,
        /// The directory is away meanwhile.
        FailToFlush,
        Delete(usize, i64),
        Retain(i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let times = prop::collection::vec(0i64..1000, 1..40);
        let insert = (0..3usize, 0u8..4, times, any::<[bool; 3]>()).prop_map(
            |(tenant, series, mut times, [sorted, rare, both])| {
                if sorted {
                    times.sort_unstable();
                }
                Step::Insert(tenant, series, times, [rare && !both, rare && both && series == 0, both && !rare])
            },
        );
        prop_oneof![
            8 => insert,
            2 => Just(Step::Flush),
            1 => Just(Step::FailToFlush),
            1 => (0..3usize, 0i64..1000).prop_map(|(tenant, to)| Step::Delete(tenant, to)),
            1 => (0i64..1000).prop_map(Step::Retain),
        ]
    }

    fn batch(series: u8, times: &[i64], [starts, histogram, exemplar]: [bool; 3]) -> SeriesBatch {
        let labels: Labels = [("__name__".to_owned(), format!("m{series}"))].into_iter().collect();
        let samples: Vec<Sample> =
            times.iter().map(|time| Sample { time_ms: *time, value: *time as f64 / 7.0 }).collect();
        let distribution = FloatHistogram { count: 3.0, ..FloatHistogram::default() };
        let histograms = HistogramSample { time_ms: times[0] + 1, start_ms: 0, histogram: distribution.into() };
        let exemplars = Exemplar { labels: labels.clone(), time_ms: times[0], value: times.len() as f64 };
        let series = SeriesSamples {
            labels,
            starts: if starts { vec![1; samples.len()] } else { Vec::new() },
            samples,
            histograms: histogram.then_some(histograms).into_iter().collect(),
            exemplars: exemplar.then_some(exemplars).into_iter().collect(),
        };
        SeriesBatch { series: vec![series], metadata: Vec::new() }
    }

    /// What the account should say: everything looked at.
    fn found(db: &SeriesDb) -> usize {
        let of = |head: &Head| head.fresh.bytes() + head.flushing.as_ref().map_or(0, |layer| layer.bytes());
        let tenants = db.tenants.read();
        let tenants = tenants.values().map(|tenant| tenant.read());
        tenants
            .map(|tenant| {
                tenant.heads.values().map(of).sum::<usize>() + tenant.exemplars.unflushed_len() * EXEMPLAR_BYTES
            })
            .sum()
    }

    fn apply(db: &SeriesDb, dir: &Path, step: &Step) {
        let tenant = |number: &usize| TenantId::new(&format!("t{number}")).unwrap();
        match step {
            Step::Insert(of, series, times, rare) => drop(db.insert(&tenant(of), &batch(*series, times, *rare))),
            Step::Flush => {
                db.flush().unwrap();
                assert_eq!(db.unflushed_bytes(), 0, "everything is in blocks");
            }
            Step::FailToFlush => {
                let away = dir.with_extension("away");
                std::fs::rename(dir, &away).unwrap();
                let before = db.unflushed_bytes();
                assert_eq!(db.flush().is_err(), before > 0, "{before} bytes");
                std::fs::rename(away, dir).unwrap();
            }
            Step::Delete(of, to) => drop(db.delete(&tenant(of), &[Vec::<Matcher>::new()], 0, *to).unwrap()),
            Step::Retain(before) => db.retain(*before).unwrap(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_account_is_what_is_resident(steps in prop::collection::vec(step(), 0..30)) {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path().join("series");
            let db = SeriesDb::open(&dir, SeriesOptions::default()).unwrap();
            for step in &steps {
                apply(&db, &dir, step);
                prop_assert_eq!(db.unflushed_bytes(), found(&db), "after {:?}", step);
            }
            apply(&db, &dir, &Step::Flush);
            drop(db);
            prop_assert_eq!(SeriesDb::open(&dir, SeriesOptions::default()).unwrap().unflushed_bytes(), 0);
        }
    }

    #[test]
    fn a_million_series_with_a_sample_or_two_are_not_taken_for_four() {
        let dir = tempfile::tempdir().unwrap();
        let db = SeriesDb::open(dir.path(), SeriesOptions::default()).unwrap();
        let bytes_of = |times: &[i64]| {
            db.insert(&TenantId::default(), &batch(0, times, [false; 3]));
            db.unflushed_bytes()
        };
        assert_eq!([bytes_of(&[1]), bytes_of(&[2]), bytes_of(&[3]), bytes_of(&[4, 5])], [16, 32, 64, 128]);
        // A counter that grows steadily takes three bytes a sample.
        let bytes = bytes_of(&(6..=1600).collect::<Vec<_>>());
        assert!((256..1600 * 12).contains(&bytes), "{bytes} bytes");
    }
}
