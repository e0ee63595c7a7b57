//! A store against a plain list of numbers: appends in both forms, flushes, merges, deletes, restarts and crashes in any
//! order.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Action {
    Rows(i64),
    Columns(i64),
    /// One append of both.
    Both(i64, i64),
    Flush {
        merge: bool,
    },
    Maintain,
    /// Rows whose number leaves this remainder.
    Delete {
        modulus: i64,
        remainder: i64,
    },
    Repair,
    Restart,
    /// The next work stops at this step, as a crash would; then a restart.
    Crash(Step),
}

fn action() -> impl Strategy<Value = Action> {
    let merge = any::<bool>().prop_map(|merge| Action::Flush { merge });
    let delete = (2i64..9, 0i64..9).prop_map(|(modulus, rest)| Action::Delete { modulus, remainder: rest % modulus });
    let crash = (0..Step::ALL.len()).prop_map(|at| Action::Crash(Step::ALL[at]));
    prop_oneof![
        3 => (1i64..40).prop_map(Action::Rows),
        3 => (1i64..40).prop_map(Action::Columns),
        1 => (1i64..700).prop_map(Action::Columns),
        1 => (1i64..5, 1i64..5).prop_map(|(a, b)| Action::Both(a, b)),
        3 => merge,
        2 => Just(Action::Maintain),
        2 => delete,
        1 => Just(Action::Repair),
        1 => Just(Action::Restart),
        2 => crash,
    ]
}

/// The store, and what should be in it.
struct Model {
    dir: tempfile::TempDir,
    store: Option<Store>,
    stop: Arc<Mutex<Option<Step>>>,
    next: i64,
    kept: BTreeSet<i64>,
}

impl Model {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut model = Self { dir, store: None, stop: Arc::default(), next: 0, kept: BTreeSet::new() };
        model.restart();
        model
    }

    fn restart(&mut self) {
        self.store = None;
        *self.stop.lock() = None;
        let stop = Arc::clone(&self.stop);
        let hook: StepHook = Arc::new(move |step| match *stop.lock() {
            Some(at) if at == step => Err("crash".to_owned()),
            _ => Ok(()),
        });
        let options = StoreOptions { step_hook: Some(hook), merge_rows_max: 400, ..options(self.dir.path()) };
        self.store = Some(Store::open(options).unwrap());
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn take(&mut self, count: i64) -> std::ops::Range<i64> {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        self.kept.extend(numbers.clone());
        numbers
    }

    fn run(&mut self, action: &Action) {
        match action {
            Action::Rows(count) => {
                let numbers = self.take(*count);
                append(self.store(), rows(numbers));
            }
            Action::Columns(count) => {
                let numbers = self.take(*count);
                append(self.store(), columns(numbers));
            }
            Action::Both(first, second) => {
                let batches = vec![rows(self.take(*first)), columns(self.take(*second)), sample(self.next, 1.0)];
                self.store().append(batches).unwrap().wait().unwrap();
            }
            Action::Flush { merge } => drop(self.store().flush(*merge).unwrap()),
            Action::Maintain => self.store().maintain(Timestamp(20_000 * DAY_NS)).unwrap(),
            Action::Delete { modulus, remainder } => {
                let wanted = |n: i64| n % modulus == *remainder;
                delete(self.store(), wanted).unwrap();
                self.kept.retain(|n| !wanted(*n));
            }
            Action::Repair => assert_eq!(self.store().repair().unwrap(), []),
            Action::Restart => self.restart(),
            Action::Crash(step) => self.crash(*step),
        }
    }

    /// Work that meets most steps, until it fails.
    fn crash(&mut self, step: Step) {
        *self.stop.lock() = Some(step);
        let gone = |n: i64| n % 11 == 4;
        let deleted = delete(self.store(), gone);
        if deleted.is_ok() && self.store().flush(true).is_ok() {
            drop(self.store().repair());
        }
        self.restart();
        // A crash before the commit deletes nothing, one after it deletes all: never a part.
        let found: BTreeSet<i64> = numbers(self.store()).into_iter().collect();
        if deleted.is_ok() || found.iter().all(|n| !gone(*n)) {
            self.kept.retain(|n| !gone(*n));
        } else {
            assert_eq!(found.iter().filter(|n| gone(**n)).count(), self.kept.iter().filter(|n| gone(**n)).count());
        }
    }

    fn check(&self) {
        let found = numbers(self.store());
        assert_eq!(found, self.kept.iter().copied().collect::<Vec<_>>());
        let stats = self.store().stats();
        assert_eq!(stats.segment_rows + stats.memtable_rows, found.len() as u64 + stats.deleted_rows);
        assert_eq!((stats.orphans, stats.damaged_segments.len(), stats.wal_damage.len()), (0, 0, 0));
        assert!(self.store().segments().iter().all(|meta| meta.rows <= 700));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_row_is_there_once_until_it_is_deleted(actions in proptest::collection::vec(action(), 1..14)) {
        let mut model = Model::new();
        for action in &actions {
            model.run(action);
            model.check();
        }
        let before = read(&snapshot(model.store()));
        model.restart();
        model.check();
        assert_eq!(read(&snapshot(model.store())), before, "ids are the same after a restart");
        model.store().flush(true).unwrap();
        assert_eq!(model.store().stats().deleted_rows, 0);
        assert_eq!(read(&snapshot(model.store())), before, "and after a merge");
    }
}
