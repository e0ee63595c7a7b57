//! Two responders over one ledger file: whatever the order of their steps, an action happens once.

use super::*;
use crate::{LEASE_TTL_NS, Lease};

/// A directory for a ledger; in memory where there is such a place, because every commit is synced.
fn directory() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("directory")
}

/// A responder of a process of its own: its own connection to the same file.
fn process(path: &std::path::Path, name: &str, playbook: &str, now: Timestamp) -> (Arc<Ledger>, Responder) {
    let ledger = Arc::new(Ledger::open(path).expect("ledger"));
    let options = ResponderOptions { holder: name.to_owned(), ..ResponderOptions::default() };
    let responder =
        Responder::new(records(&ledger), playbooks(playbook), options, Box::new(|| None), now).expect("responder");
    (ledger, responder)
}

/// An executor during whose action the other process goes on as far as it can.
struct Meanwhile<'a> {
    world: &'a World,
    other: &'a Responder,
    now: Timestamp,
}

impl Executor for Meanwhile<'_> {
    fn execute(&self, request: &ActionRequest) -> ActionResult {
        assert_eq!(request.fence, 1, "the first to take the lease");
        let effects = Effects { query: self.world, executor: self.world };
        for second in 0..20 {
            let now = self.now.saturating_add_ns(second * SECOND_NS);
            self.other.observe(&[firing(now)], now).expect("observed");
            for run in self.other.due(now).expect("due").0 {
                self.other.advance(&run, now, &effects).expect("advanced");
            }
        }
        self.world.execute(request)
    }
}

#[test]
fn while_one_acts_the_other_waits_and_then_goes_on_with_its_outcome() {
    let dir = directory();
    let path = dir.path().join("ledger.sqlite");
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, first) = process(&path, "first", PLAYBOOK, at(8));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let (_, second) = process(&path, "second", PLAYBOOK, at(8));
    first.observe(&[firing(at(8))], at(8)).expect("observed");
    let meanwhile = Meanwhile { world: &world, other: &second, now: at(8) };
    let effects = Effects { query: &world, executor: &meanwhile };
    for run in first.due(at(8)).expect("due").0 {
        first.advance(&run, at(8), &effects).expect("advanced");
    }
    assert_eq!(world.executed(), 1, "{}", story(&ledger));
    live(&second, &world, at(30)).expect("the other process verifies");
    assert_eq!(world.executed(), 1);
    assert!(story(&ledger).contains("ended: helped"), "{}", story(&ledger));
    let lease = Lease::of(&*ledger, "checkout").expect("lease");
    assert!(lease.fence == 1 && !lease.is_held(at(30)), "{lease:?}");
    ledger.verify_audit().expect("the audit trail verifies");
}

/// Every interleaving of the first steps of two processes: at each turn one of them takes a step.
#[test]
fn no_order_of_two_processes_executes_twice() {
    const TURNS: u32 = 7;
    for order in 0..1_u32 << TURNS {
        let dir = directory();
        let path = dir.path().join("ledger.sqlite");
        let world = World::new(ActionState::Succeeded, true);
        let (ledger, first) = process(&path, "first", PLAYBOOK, at(8));
        deploy(&ledger, "d1", "1.9", "2.0", at(2));
        let (_, second) = process(&path, "second", PLAYBOOK, at(8));
        let effects = Effects { query: &world, executor: &world };
        for turn in 0..TURNS {
            let now = at(8 + i64::from(turn));
            let acts = if order >> turn & 1 == 0 { &first } else { &second };
            // Both are told; conflicts are what a process meets when the other was faster.
            drop(acts.observe(&[firing(now)], now));
            for run in acts.due(now).expect("due").0 {
                acts.advance(&run, now, &effects).expect("advanced");
            }
        }
        live(&second, &world, at(20)).expect("it ends");
        assert_eq!(world.executed(), 1, "order {order:b}\n{}", story(&ledger));
        ledger.verify_audit().expect("the audit trail verifies");
    }
}

/// The holder pauses for longer than its lease. The other process takes the action for unknown and never repeats it; when the
/// holder comes back, what it did is written down and nothing else changes.
#[test]
fn a_holder_that_pauses_for_too_long_is_given_up_and_its_late_end_is_recorded() {
    struct Pauses<'a>(&'a World, &'a Responder);
    impl Executor for Pauses<'_> {
        fn execute(&self, request: &ActionRequest) -> ActionResult {
            let effects = Effects { query: self.0, executor: self.0 };
            for second in (0..LEASE_TTL_NS / SECOND_NS + 5).step_by(5) {
                let now = at(8 + second);
                for run in self.1.due(now).expect("due").0 {
                    self.1.advance(&run, now, &effects).expect("advanced");
                }
            }
            self.0.execute(request)
        }
    }
    let dir = directory();
    let path = dir.path().join("ledger.sqlite");
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, first) = process(&path, "first", PLAYBOOK, at(8));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let (_, second) = process(&path, "second", PLAYBOOK, at(8));
    first.observe(&[firing(at(8))], at(8)).expect("observed");
    let pauses = Pauses(&world, &second);
    let effects = Effects { query: &world, executor: &pauses };
    for run in first.due(at(8)).expect("due").0 {
        first.advance(&run, at(8), &effects).expect("advanced");
    }
    assert_eq!(world.executed(), 1);
    let told = story(&ledger);
    assert!(told.contains("succeeded (exit 0) after it had been taken for unknown"), "{told}");
    assert!(told.contains("ended: unknown"), "{told}");
    assert_eq!(actions(&ledger)[0]["state"], "unknown");
    assert!(audit(&ledger).contains("action.late"), "{}", audit(&ledger));
}

#[test]
fn a_lease_is_renewed_while_the_action_runs_and_the_fence_only_grows() {
    let ledger = Ledger::in_memory().expect("ledger");
    let free = Lease::of(&ledger, "checkout").expect("lease");
    let first = free.taken("one", "a", LEASE_TTL_NS, at(0)).expect("free");
    ledger.commit(first.writes(at(0)).to_vec()).expect("committed");
    let stored = Lease::of(&ledger, "checkout").expect("lease");
    assert_eq!(stored, first);
    assert!(stored.taken("two", "b", LEASE_TTL_NS, at(29)).is_err(), "held");
    assert_eq!(stored.renewed(LEASE_TTL_NS, at(5)), None, "not yet");
    let renewed = stored.renewed(LEASE_TTL_NS, at(15)).expect("due");
    ledger.commit(renewed.writes(at(15)).to_vec()).expect("committed");
    assert_eq!(stored.renewed(LEASE_TTL_NS, at(31)), None, "what has run out is not renewed");
    // Somebody who read the lease before it was renewed can not take it.
    let stolen = stored.taken("two", "b", LEASE_TTL_NS, at(31)).expect("looks free");
    assert!(matches!(ledger.commit(stolen.writes(at(31)).to_vec()), Err(LedgerError::Conflict { .. })));
    let now = Lease::of(&ledger, "checkout").expect("lease");
    let second = now.taken("two", "b", LEASE_TTL_NS, at(46)).expect("ran out");
    ledger.commit(second.writes(at(46)).to_vec()).expect("committed");
    assert_eq!((first.fence, second.fence), (1, 2));
    // The first holder neither renews nor lets go of what is not its own any more.
    assert!(matches!(ledger.commit(renewed.released().writes(at(47)).to_vec()), Err(LedgerError::Conflict { .. })));
    let released = second.released();
    ledger.commit(released.writes(at(48)).to_vec()).expect("committed");
    assert_eq!(Lease::of(&ledger, "checkout").expect("lease").fence, 2);
}
