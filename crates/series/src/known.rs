//! Looking series up by the bytes that a request has.
//!
//! A sender writes the labels of a series with the same bytes in every request. Once a series is in the index, its bytes are
//! remembered by a hash of 128 bits, seeded anew by every process, and from then on one lookup gives its labels: nothing is parsed,
//! checked or compared. That two series share such a hash is less likely than that memory flips a bit unseen.
//!
//! A sender also writes its series in the same order each time, and forms are kept in the order in which they were learned. So the one
//! behind the last that was found is looked at first: memory that the processor has fetched already, where each place of a table of
//! 15,200 forms is a wait of 100 nanoseconds, a tenth of the time that all of a sample took.

use std::hash::BuildHasher as _;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use model::{Labels, TenantId};
use parking_lot::{RwLock, RwLockReadGuard};

use crate::SeriesDb;
use crate::head::Tenant;

/// Lookups after which writers that wait get their turn.
const LOOKUPS_PER_TURN: u32 = 512;
/// For each series so many forms of its labels are remembered on average, and some more; beyond that all are forgotten and learned anew.
const FORMS_PER_SERIES: usize = 2;
const FORMS_MIN: usize = 1024;

/// Labels by the bytes that stand for them in requests.
#[derive(Debug)]
pub(crate) struct Forms {
    seed: u64,
    learned: RwLock<Learned>,
}

/// What was learned, in that order, and where by hash.
#[derive(Debug, Default)]
struct Learned {
    list: Vec<(u128, Labels)>,
    places: HashTable<u32>,
}

impl Learned {
    /// The place of a form, which is looked for at `guess` first.
    fn place(&self, hash: u128, guess: usize) -> Option<usize> {
        if self.list.get(guess).is_some_and(|(known, _)| *known == hash) {
            return Some(guess);
        }
        let is_it = |place: &u32| self.list[*place as usize].0 == hash;
        self.places.find(hash as u64, is_it).map(|place| *place as usize)
    }

    fn add(&mut self, hash: u128, labels: Labels) {
        let Self { list, places } = self;
        let Ok(place) = u32::try_from(list.len()) else { return };
        list.push((hash, labels));
        places.insert_unique(hash as u64, place, |place| list[*place as usize].0 as u64);
    }
}

impl Default for Forms {
    fn default() -> Self {
        Self { seed: RandomState::default().hash_one(0), learned: RwLock::default() }
    }
}

impl Forms {
    fn hash(&self, bytes: &[u8]) -> u128 {
        xxhash_rust::xxh3::xxh3_128_with_seed(bytes, self.seed)
    }

    fn learn(&self, new: Vec<(u128, Labels)>, series: usize) {
        if new.is_empty() {
            return;
        }
        let mut learned = self.learned.write();
        // Series that are gone are among them, and hold their labels.
        if learned.list.len() + new.len() > series * FORMS_PER_SERIES + FORMS_MIN {
            *learned = Learned::default();
        }
        for (hash, labels) in new {
            if learned.place(hash, usize::MAX).is_none() {
                learned.add(hash, labels);
            }
        }
    }
}

/// The series that a tenant has, for who reads a request. Writers of the tenant wait meanwhile, but for turns between lookups.
#[derive(Debug)]
pub struct KnownLabels<'a> {
    tenant: Option<Reading<'a>>,
    lookups: u32,
}

#[derive(Debug)]
struct Reading<'a> {
    /// Locked before the tenant.
    learned: RwLockReadGuard<'a, Learned>,
    /// Behind the form that was found last.
    next: usize,
    tenant: RwLockReadGuard<'a, Tenant>,
    forms: &'a Forms,
    new: Vec<(u128, Labels)>,
}

impl KnownLabels<'_> {
    /// The labels with just these pairs, sorted by name, if a series has them. They share the memory of that series'.
    pub fn find(&mut self, pairs: &[(&[u8], &[u8])]) -> Option<Labels> {
        let reading = self.tenant.as_mut()?;
        self.lookups += 1;
        if self.lookups.is_multiple_of(LOOKUPS_PER_TURN) {
            RwLockReadGuard::bump(&mut reading.tenant);
        }
        reading.tenant.index.labels(pairs).cloned()
    }

    /// The labels that these bytes stand for, if they were learned.
    pub fn find_form(&mut self, bytes: &[u8]) -> Option<Labels> {
        let reading = self.tenant.as_mut()?;
        let place = reading.learned.place(reading.forms.hash(bytes), reading.next)?;
        reading.next = place + 1;
        Some(reading.learned.list[place].1.clone())
    }

    /// Remembers that these bytes stand for labels that [`Self::find`] gave.
    pub fn learn_form(&mut self, bytes: &[u8], labels: &Labels) {
        if let Some(reading) = &mut self.tenant {
            reading.new.push((reading.forms.hash(bytes), labels.clone()));
        }
    }
}

impl SeriesDb {
    /// Reads with what is known of a tenant's series. Nothing else of the database may be called within.
    pub fn with_known_labels<T>(&self, tenant: &TenantId, read: impl FnOnce(&mut KnownLabels<'_>) -> T) -> T {
        let Some(tenant) = self.tenant(tenant) else { return read(&mut KnownLabels { tenant: None, lookups: 0 }) };
        let forms = std::sync::Arc::clone(&tenant.read().forms);
        // Nobody waits for the forms with a lock of the tenant in hand: who gives writers their turn has the forms, and gets the tenant back.
        let learned = forms.learned.read();
        let reading = Reading { learned, next: 0, tenant: tenant.read(), forms: &forms, new: Vec::new() };
        let mut known = KnownLabels { tenant: Some(reading), lookups: 0 };
        let result = read(&mut known);
        let Some(Reading { tenant, learned, new, .. }) = known.tenant.take() else { return result };
        let series = tenant.index.len();
        drop((tenant, learned));
        forms.learn(new, series);
        result
    }
}

#[cfg(test)]
mod tests {
    use model::{Sample, SeriesBatch, SeriesSamples};

    use super::*;
    use crate::SeriesOptions;

    fn batch(labels: &Labels, time_ms: i64) -> SeriesBatch {
        let samples = vec![Sample { time_ms, value: 1.0 }];
        let series = SeriesSamples { labels: labels.clone(), samples, ..SeriesSamples::default() };
        SeriesBatch { series: vec![series], metadata: Vec::new() }
    }

    fn learned(db: &SeriesDb, form: &[u8]) -> Option<Labels> {
        db.with_known_labels(&TenantId::default(), |known| {
            let labels = known.find(&[(b"__name__", b"up"), (b"job", b"a")]);
            labels.inspect(|labels| known.learn_form(form, labels));
            known.find_form(form)
        })
    }

    #[test]
    fn a_form_gives_the_labels_of_the_index() {
        let dir = tempfile::tempdir().unwrap();
        let db = SeriesDb::open(dir.path(), SeriesOptions::default()).unwrap();
        let tenant = TenantId::default();
        let labels: Labels = [("__name__", "up"), ("job", "a")].into_iter().collect();
        assert_eq!(learned(&db, b"form"), None, "no tenant");
        db.insert(&tenant, &batch(&labels, 1));
        assert_eq!(learned(&db, b"form"), None, "learned after the request");
        let known = learned(&db, b"form").unwrap();
        assert_eq!(known, labels);
        assert_eq!(learned(&db, b"other"), None);
        // A clone of the index's labels goes to the same series, without a look at its texts.
        let report = db.insert(&tenant, &batch(&known, 2));
        assert_eq!((report.samples, report.series_new), (1, 0));
        // Labels of a series that is gone make a new one, once.
        db.retain(10).unwrap();
        assert_eq!(db.select(&tenant, &[], 0, 100).unwrap(), []);
        let kept = db.with_known_labels(&tenant, |known| known.find_form(b"form"));
        for (at, labels) in [kept.unwrap_or(known), labels].iter().enumerate() {
            let report = db.insert(&tenant, &batch(labels, 20 + at as i64));
            assert_eq!((report.samples, report.series_new), (1, usize::from(at == 0)));
        }
        assert_eq!(db.select(&tenant, &[], 0, 100).unwrap().len(), 1);
    }

    /// Readers that learn, readers that give turns, and a writer, all of one tenant: none waits for ever for another.
    #[test]
    fn readers_that_learn_and_writers_go_on_together() {
        const ROUNDS: u64 = 300;
        let dir = tempfile::tempdir().unwrap();
        let db = SeriesDb::open(dir.path(), SeriesOptions::default()).unwrap();
        let labels: Labels = [("__name__", "up"), ("job", "a")].into_iter().collect();
        db.insert(&TenantId::default(), &batch(&labels, 1));
        std::thread::scope(|scope| {
            for reader in 0..3u64 {
                let db = &db;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        db.with_known_labels(&TenantId::default(), |known| {
                            for _ in 0..=LOOKUPS_PER_TURN {
                                let labels = known.find(&[(b"__name__", b"up"), (b"job", b"a")]).unwrap();
                                known.learn_form(&(reader * ROUNDS + round).to_le_bytes(), &labels);
                            }
                        });
                    }
                });
            }
            for time_ms in 2..2000 {
                db.insert(&TenantId::default(), &batch(&labels, time_ms));
            }
        });
        assert_eq!(db.select(&TenantId::default(), &[], 0, i64::MAX).unwrap()[0].times.len(), 1999);
    }

    #[test]
    fn forms_are_bounded_by_series() {
        let dir = tempfile::tempdir().unwrap();
        let db = SeriesDb::open(dir.path(), SeriesOptions::default()).unwrap();
        let labels: Labels = [("__name__", "up"), ("job", "a")].into_iter().collect();
        db.insert(&TenantId::default(), &batch(&labels, 1));
        let max = FORMS_PER_SERIES + FORMS_MIN;
        for at in 0..max + 10 {
            learned(&db, &at.to_le_bytes());
        }
        let tenant = db.tenant(&TenantId::default()).unwrap();
        let kept = tenant.read().forms.learned.read().list.len();
        assert!(kept <= 10, "{kept} are kept: all were to be forgotten at {max}");
    }
}
