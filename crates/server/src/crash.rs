//! Crash points: places at which a test lets this process end at once, as the OOM killer or a kill -9 would.
//!
//! **What is counted.** The opening of the ledger, each commit to it, each look at a target, each action and each delivery of a notification is two
//! events, one before it and one after it. Reads change nothing and are not counted.
//!
//! **How it is asked for.** `BACKSTOP_CRASH_POINT=LABEL#N` kills the process at the Nth event of a label, counted from 0, such as
//! `before action#0`; `#N` counts all events. `LABEL#N+US` does it so many microseconds later, while the process goes on: this is
//! how it ends in the middle of a request, of a program, or of a transaction of SQLite. `BACKSTOP_CRASH_LOG=FILE` writes the
//! label of every event to a file, one a line, before anything else happens.
//!
//! **Only in debug builds.** A release binary has none of this: the functions below give back what they are given.
//!
//! **Not here.** A power cut: what the kernel has taken survives a kill, synced or not. What is synced when is the business of
//! `wal` (with a disk that fails on purpose) and of SQLite's `synchronous=FULL`.

use std::sync::Arc;

use catalog::ledger::Records;
use notify::Deliver;
use respond::Executor;

/// The start of what keeps the loop's state, with a crash point before and after it.
pub(crate) fn opening<T>(open: impl FnOnce() -> T) -> T {
    #[cfg(debug_assertions)]
    return points::around("opening the ledger", open);
    #[cfg(not(debug_assertions))]
    open()
}

/// The ledger, with a crash point before and after every commit.
pub(crate) fn records(inner: Arc<dyn Records>) -> Arc<dyn Records> {
    #[cfg(debug_assertions)]
    let inner = points::wrap(inner, |inner, points| Arc::new(points::Counted { inner, points }));
    inner
}

/// What carries out actions, with a crash point before and after every look and every action.
pub(crate) fn executor(inner: Arc<dyn Executor>) -> Arc<dyn Executor> {
    #[cfg(debug_assertions)]
    let inner = points::wrap(inner, |inner, points| Arc::new(points::Counted { inner, points }));
    inner
}

/// What delivers notifications, with a crash point before and after every delivery.
pub(crate) fn deliveries(inner: Arc<dyn Deliver>) -> Arc<dyn Deliver> {
    #[cfg(debug_assertions)]
    let inner = points::wrap(inner, |inner, points| Arc::new(points::Counted { inner, points }));
    inner
}

#[cfg(debug_assertions)]
mod points {
    use std::fs::File;
    use std::io::Write as _;
    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    use catalog::ledger::{Document, Filter, LedgerError, LedgerTable, Records, Write};
    use notify::Deliver;
    use parking_lot::Mutex;
    use respond::{ActionRequest, ActionResult, Executor, Notification, Precheck};
    use rustix::process::{Signal, getpid, kill_process};

    /// One for the process: a process has one order of events, and ends once.
    static POINTS: OnceLock<Option<Points>> = OnceLock::new();

    /// The events of this process, and at which of them it ends.
    pub(super) struct Points {
        at: Option<Point>,
        seen: Mutex<Seen>,
    }

    #[derive(Debug, PartialEq, Eq)]
    struct Point {
        /// Empty for every event.
        label: String,
        nth: u64,
        delay: Duration,
    }

    struct Seen {
        /// Events of the point's label.
        events: u64,
        log: Option<File>,
    }

    impl Points {
        fn from_env() -> Option<Self> {
            let at = std::env::var("BACKSTOP_CRASH_POINT").ok().and_then(|text| point(&text));
            let path = std::env::var_os("BACKSTOP_CRASH_LOG");
            let log = path.and_then(|path| File::options().create(true).append(true).open(path).ok());
            (at.is_some() || log.is_some()).then(|| Self { at, seen: Mutex::new(Seen { events: 0, log }) })
        }

        /// Counts an event; the process may end here.
        fn event(&self, label: &str) {
            let mut seen = self.seen.lock();
            if let Some(log) = &mut seen.log {
                // A file that can not be written makes the test fail, which reads it.
                let _ = writeln!(log, "{label}");
            }
            let Some(Point { nth, delay, .. }) = self.at.as_ref().filter(|at| at.label.is_empty() || at.label == label)
            else {
                return;
            };
            seen.events += 1;
            if seen.events != nth + 1 {
                return;
            }
            let delay = *delay;
            if delay.is_zero() {
                die();
            }
            let later = std::thread::Builder::new().name("crash".to_owned()).spawn(move || {
                std::thread::sleep(delay);
                die()
            });
            if later.is_err() {
                die();
            }
        }

        fn around<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
            self.event(&format!("before {what}"));
            let done = work();
            self.event(&format!("after {what}"));
            done
        }
    }

    /// `LABEL#N` or `LABEL#N+US`.
    fn point(text: &str) -> Option<Point> {
        let (label, number) = text.rsplit_once('#')?;
        let (nth, delay_us) = number.split_once('+').unwrap_or((number, "0"));
        let delay = Duration::from_micros(delay_us.parse().ok()?);
        Some(Point { label: label.to_owned(), nth: nth.parse().ok()?, delay })
    }

    /// Ends the process without another word: no destructor runs, nothing is flushed.
    fn die() -> ! {
        loop {
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }

    pub(super) fn around<T>(what: &str, work: impl FnOnce() -> T) -> T {
        match POINTS.get_or_init(Points::from_env) {
            Some(points) => points.around(what, work),
            None => work(),
        }
    }

    pub(super) fn wrap<T: ?Sized>(inner: Arc<T>, with: impl FnOnce(Arc<T>, &'static Points) -> Arc<T>) -> Arc<T> {
        match POINTS.get_or_init(Points::from_env) {
            Some(points) => with(inner, points),
            None => inner,
        }
    }

    pub(super) struct Counted<T: ?Sized> {
        pub(super) inner: Arc<T>,
        pub(super) points: &'static Points,
    }

    impl Records for Counted<dyn Records> {
        fn commit(&self, batch: Vec<Write>) -> Result<(), LedgerError> {
            let label = format!("commit {}", subject(&batch));
            self.points.around(&label, || self.inner.commit(batch))
        }

        fn get(&self, table: LedgerTable, id: &str) -> Result<Option<Document>, LedgerError> {
            self.inner.get(table, id)
        }

        fn list(&self, table: LedgerTable, filter: &Filter) -> Result<Vec<Document>, LedgerError> {
            self.inner.list(table, filter)
        }
    }

    /// What a batch is about: what its audit entries say, else its tables.
    fn subject(batch: &[Write]) -> String {
        let verbs = batch.iter().filter_map(|write| match write {
            Write::Audit(entry) => Some(entry.verb.as_str()),
            _ => None,
        });
        let mut words: Vec<&str> = verbs.collect();
        if words.is_empty() {
            words = batch.iter().filter_map(table).map(LedgerTable::as_str).collect();
        }
        words.dedup();
        words.join("+")
    }

    fn table(write: &Write) -> Option<LedgerTable> {
        match write {
            Write::Put(table, _)
            | Write::Insert(table, _)
            | Write::InsertOrKeep(table, _)
            | Write::Delete(table, _) => Some(*table),
            Write::Transition { table, .. } | Write::Replace { table, .. } => Some(*table),
            Write::Expect { .. } | Write::Audit(_) => None,
        }
    }

    impl Executor for Counted<dyn Executor> {
        fn precheck(&self, request: &ActionRequest) -> Precheck {
            self.points.around("look", || self.inner.precheck(request))
        }

        fn execute(&self, request: &ActionRequest) -> ActionResult {
            self.points.around("action", || self.inner.execute(request))
        }
    }

    impl Deliver for Counted<dyn Deliver> {
        fn deliver(&self, notification: &Notification) -> Result<(), String> {
            let label = format!("delivery {}", notification.template);
            self.points.around(&label, || self.inner.deliver(notification))
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_point_is_an_event_and_perhaps_a_delay() {
            let read = |label: &str, nth, delay_us| {
                Some(Point { label: label.to_owned(), nth, delay: Duration::from_micros(delay_us) })
            };
            assert_eq!(point("#7"), read("", 7, 0));
            assert_eq!(point("before action#0+250"), read("before action", 0, 250));
            assert_eq!([point(""), point("7"), point("#x"), point("#7+"), point("#-1")], [const { None }; 5]);
        }
    }
}
