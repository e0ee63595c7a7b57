//! Small reads of what is in memory, for threads that must not wait.

use model::TenantId;

use crate::head::Tenant;
use crate::index::narrows;
use crate::selection::SeriesSelection;
use crate::{Matcher, SeriesDb};

/// Series up to which the shortest list that a matcher gives is looked through.
const CANDIDATES_MAX: usize = 4096;

impl SeriesDb {
    /// What [`Self::open_selection`] gives, if it is easily found, has no more than so many samples, and all of them are in memory, the
    /// decoded columns of blocks included. `None` also where somebody else holds a lock. It notes that somebody asked, as
    /// [`Self::note_asked`] does.
    ///
    /// Between this and a read a column may be forgotten, and then the read opens its block after all.
    pub fn open_at_hand(
        &self,
        id: &TenantId,
        matchers: &[Matcher],
        (start_ms, end_ms): (i64, i64),
        samples_max: usize,
        now_ms: i64,
    ) -> Option<SeriesSelection> {
        let tenant = self.tenants.try_read()?.get(id).cloned()?;
        let tenant = tenant.try_read()?;
        if !is_easily_found(&tenant, matchers) {
            return None;
        }
        let found = self.find_of(&tenant, matchers, start_ms, end_ms);
        let selection = SeriesSelection::new(found, end_ms, &self.decoded);
        if selection.samples_at_most() > samples_max || !selection.is_at_hand() {
            return None;
        }
        tenant.asked.try_lock()?.note(tenant.named(matchers), now_ms);
        Some(selection)
    }
}

/// Whether texts alone are compared, and one of the matchers leaves few series.
fn is_easily_found(tenant: &Tenant, matchers: &[Matcher]) -> bool {
    let few = |matcher: &Matcher| {
        let values = matcher.accepted_values().filter(|_| narrows(matcher)).unwrap_or_default();
        let series = values.iter().map(|value| tenant.index.count(matcher.name(), value)).sum::<usize>();
        !values.is_empty() && series <= CANDIDATES_MAX
    };
    matchers.iter().all(Matcher::is_simple) && matchers.iter().any(few)
}

#[cfg(test)]
mod tests {
    use model::{Labels, Sample, SeriesBatch, SeriesSamples};

    use super::*;
    use crate::{MatchOp, SeriesOptions};

    const ASKED_MS: i64 = 77;

    fn batch(names: &[&str], samples: i64) -> SeriesBatch {
        let one = |name: &&str| {
            let labels: Labels = [("__name__", *name), ("job", "a")].into_iter().collect();
            let samples = (0..samples).map(|at| Sample { time_ms: at, value: at as f64 }).collect();
            SeriesSamples { labels, samples, ..SeriesSamples::default() }
        };
        SeriesBatch { series: names.iter().map(one).collect(), metadata: Vec::new() }
    }

    fn found(db: &SeriesDb, op: MatchOp, name: &str) -> Option<usize> {
        let matcher = Matcher::new("__name__", op, name).unwrap();
        let selection = db.open_at_hand(&TenantId::default(), &[matcher], (0, i64::MAX), 100, ASKED_MS)?;
        Some((0..selection.len()).map(|at| selection.read(at).unwrap().times.len()).sum())
    }

    #[test]
    fn it_is_little_in_memory_and_nobody_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let open = || {
            let options = SeriesOptions { recent_bytes_max: 0, ..SeriesOptions::default() };
            SeriesDb::open(dir.path(), options).unwrap()
        };
        let tenant = TenantId::default();
        let db = open();
        assert_eq!(found(&db, MatchOp::Equal, "m1"), None, "no tenant");
        db.insert(&tenant, &batch(&["m1", "m2"], 60));
        assert_eq!(found(&db, MatchOp::Equal, "m1"), Some(60));
        assert_eq!(found(&db, MatchOp::Equal, "none"), Some(0));
        assert_eq!(found(&db, MatchOp::Regex, "m1|m2"), None, "too many samples");
        assert_eq!(found(&db, MatchOp::Regex, "m[12]"), None, "an expression");
        assert_eq!(found(&db, MatchOp::NotEqual, "m1"), None, "nothing but what it is not");
        {
            let known = db.tenant(&tenant).unwrap();
            let _writer = known.write();
            assert_eq!(found(&db, MatchOp::Equal, "m1"), None, "a writer");
        }
        let asked = |name: &str| {
            let usage = db.metric_usage(&tenant, 10);
            usage.iter().find(|usage| usage.metric == name).and_then(|usage| usage.asked_ms)
        };
        assert_eq!((asked("m1"), asked("m2")), (Some(ASKED_MS), None));

        db.flush().unwrap();
        drop(db);
        let db = open();
        let read = |name: &str| {
            let matcher = Matcher::new("__name__", MatchOp::Equal, name).unwrap();
            db.select(&tenant, &[matcher], 0, i64::MAX).unwrap()
        };
        assert_eq!(found(&db, MatchOp::Equal, "m1"), None, "in a block, and not decoded");
        let want = read("m1");
        assert_eq!(found(&db, MatchOp::Equal, "m1"), Some(60));
        assert_eq!(found(&db, MatchOp::Equal, "m2"), None, "its times are, its values are not");
        assert_eq!(read("m1"), want);
    }

    #[test]
    fn many_candidates_are_not_looked_through() {
        let dir = tempfile::tempdir().unwrap();
        let db = SeriesDb::open(dir.path(), SeriesOptions::default()).unwrap();
        let names: Vec<String> = (0..=CANDIDATES_MAX).map(|at| format!("m{at}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        db.insert(&TenantId::default(), &batch(&names, 0));
        db.insert(&TenantId::default(), &batch(&names[..1], 1));
        let open = |matchers: &[(&str, &str)]| {
            let matchers = matchers.iter().map(|(name, value)| Matcher::new(*name, MatchOp::Equal, *value).unwrap());
            let matchers: Vec<Matcher> = matchers.collect();
            db.open_at_hand(&TenantId::default(), &matchers, (0, i64::MAX), 100, ASKED_MS).map(|found| found.len())
        };
        assert_eq!(open(&[("job", "a")]), None);
        assert_eq!(open(&[("job", "a"), ("__name__", "m0")]), Some(1));
        assert_eq!(open(&[("host", "")]), None, "what lacks a label is everything");
    }
}
