//! A model of the action protocol, explored state by state: two evaluators that pause and crash, a ledger whose commits fail or
//! succeed without anyone hearing of it, a target that is slow and may or may not check fences.
//!
//! | transition   | what it stands for |
//! |--------------|--------------------|
//! | `Tick`       | time passes for everyone: a pause of an evaluator is every `Tick` between two of its steps |
//! | `Look`       | `Responder::before_start` up to `Lease::of`: what is read, and the time that is reckoned with |
//! | `Start`      | the commit of `Responder::start`: lease and `planned` -> `started` in one batch |
//! | `StartLost`  | the same commit, applied, and the answer lost: `advance` fails and executes nothing |
//! | `Execute`    | `carry_out`: the command leaves for the target |
//! | `Deliver`    | the command takes effect at the target, at any time later |
//! | `Renew`      | `Responder::renew_leases` |
//! | `StartFailed`, `EndFailed` | the same commits when the ledger is lost: nothing is applied, `advance` fails |
//! | `End`        | the commit of `Responder::commit_end`, or `Responder::late` when others were faster |
//! | `Crash`      | the process ends and begins anew: `Responder::recover` |
//! | `GiveUp`     | `Responder::orphan` -> `Responder::give_up` |
//!
//! There are two actions on the same target, so that leases matter. The search is breadth first over all reachable states, so the
//! trace of a broken rule is a shortest one. Each rule is shown to be one that can be broken, by a protocol that breaks it.

use std::collections::{HashMap, VecDeque};

/// How long a lease lasts in the model.
const TTL: u8 = 2;
/// When the model's time ends.
const NOW_MAX: u8 = 4;
/// Most states that are looked at; more would mean that the model has no bound.
const STATES_MAX: usize = 3_000_000;

const EVALUATORS: usize = 2;
const KEYS: usize = 2;

/// What is left out of the protocol.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Variant {
    /// Nothing.
    Whole,
    /// The start expects neither the action to be planned nor the lease as it was read. Each of the two alone keeps an action from
    /// starting twice.
    StartsBlindly,
    /// An action of which nobody knows is planned again.
    Retries,
    /// The lease is taken without expecting it as it was read.
    TakesLeaseBlindly,
    /// The side effect comes before `started` is committed.
    ActsFirst,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Action {
    Planned,
    Started,
    Ended,
    Unknown,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Lease {
    seq: u8,
    fence: u8,
    holder: Option<u8>,
    key: u8,
    expires: u8,
}

impl Lease {
    fn is_held(&self, now: u8) -> bool {
        self.holder.is_some() && now < self.expires
    }
}

/// Where an evaluator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum At {
    Idle,
    /// It has read what there is, at a time.
    Looked {
        key: u8,
        lease: Lease,
        now: u8,
    },
    /// It knows that `started` is committed.
    Started {
        key: u8,
        lease: Lease,
    },
    /// The command has left.
    Executed {
        key: u8,
        lease: Lease,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    now: u8,
    actions: [Action; KEYS],
    lease: Lease,
    evaluators: [At; EVALUATORS],
    /// Commands that have left and not arrived: key and fence.
    under_way: Vec<(u8, u8)>,
    executed: [u8; KEYS],
    /// The fences of the commands that took effect, in order.
    effects: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
#[expect(dead_code, reason = "who and what is for the trace")]
enum Step {
    Tick,
    Look(usize, u8),
    Start(usize),
    StartLost(usize),
    StartFailed(usize),
    Execute(usize),
    Deliver(usize),
    Renew(usize),
    End(usize),
    EndFailed(usize),
    Crash(usize),
    GiveUp(usize, u8),
}

/// A rule: whether a state keeps it.
type Rule = fn(&State) -> bool;

fn once(state: &State) -> bool {
    state.executed.iter().all(|times| *times <= 1)
}

fn nothing_late(state: &State) -> bool {
    state.effects.windows(2).all(|pair| pair[0] < pair[1])
}

struct Model {
    variant: Variant,
    /// Whether the target refuses a fence that is not above the last.
    fences: bool,
}

impl Model {
    fn begin() -> State {
        State {
            now: 0,
            actions: [Action::Planned; KEYS],
            lease: Lease::default(),
            evaluators: [At::Idle; EVALUATORS],
            under_way: Vec::new(),
            executed: [0; KEYS],
            effects: Vec::new(),
        }
    }

    fn next(&self, state: &State) -> Vec<(Step, State)> {
        let mut next = Vec::new();
        if state.now < NOW_MAX {
            next.push((Step::Tick, State { now: state.now + 1, ..state.clone() }));
        }
        for who in 0..EVALUATORS {
            self.evaluator(state, who, &mut next);
        }
        for (place, (_, fence)) in state.under_way.iter().enumerate() {
            let mut then = state.clone();
            then.under_way.remove(place);
            let refused = self.fences && then.effects.last().is_some_and(|last| fence <= last);
            if !refused {
                then.effects.push(*fence);
            }
            next.push((Step::Deliver(place), then));
        }
        next
    }

    fn evaluator(&self, state: &State, who: usize, next: &mut Vec<(Step, State)>) {
        let mut push = |step, then| next.push((step, then));
        let with = |at: At| {
            let mut then = state.clone();
            then.evaluators[who] = at;
            then
        };
        match state.evaluators[who] {
            At::Idle => {
                for key in 0..KEYS as u8 {
                    let action = state.actions[usize::from(key)];
                    if action == Action::Planned && !state.lease.is_held(state.now) {
                        push(Step::Look(who, key), with(At::Looked { key, lease: state.lease, now: state.now }));
                    }
                    let elsewhere = state.lease.key == key
                        && state.lease.holder != Some(who as u8)
                        && state.lease.is_held(state.now);
                    if action == Action::Started && !elsewhere {
                        push(Step::GiveUp(who, key), self.give_up(state.clone(), key));
                    }
                }
            }
            At::Looked { key, lease, now } => {
                push(Step::StartFailed(who), with(At::Idle));
                if let Some((then, taken)) = self.start(state, who, key, lease, now) {
                    let mut lost = then.clone();
                    lost.evaluators[who] = At::Idle;
                    push(Step::StartLost(who), lost);
                    let mut then = then;
                    then.evaluators[who] = At::Started { key, lease: taken };
                    if self.variant == Variant::ActsFirst {
                        then.evaluators[who] = At::Executed { key, lease: taken };
                    }
                    push(Step::Start(who), then);
                }
                if self.variant == Variant::ActsFirst {
                    // The command leaves first; the process may end before anything is committed.
                    let mut then = with(At::Looked { key, lease, now });
                    then.executed[usize::from(key)] += 1;
                    push(Step::Execute(who), then);
                }
            }
            At::Started { key, lease } => {
                let mut then = with(At::Executed { key, lease });
                then.executed[usize::from(key)] += 1;
                then.under_way.push((key, lease.fence));
                push(Step::Execute(who), then);
            }
            At::Executed { key, lease } => {
                if state.lease.seq == lease.seq && state.lease.is_held(state.now) {
                    let renewed = Lease { seq: lease.seq + 1, expires: state.now + TTL, ..lease };
                    if renewed.expires > lease.expires {
                        let mut then = with(At::Executed { key, lease: renewed });
                        then.lease = renewed;
                        push(Step::Renew(who), then);
                    }
                }
                let mut then = with(At::Idle);
                if then.actions[usize::from(key)] == Action::Started {
                    then.actions[usize::from(key)] = Action::Ended;
                    release(&mut then, key);
                }
                push(Step::End(who), then);
                push(Step::EndFailed(who), with(At::Idle));
            }
        }
        if state.evaluators[who] != At::Idle {
            let mut then = with(At::Idle);
            for key in 0..KEYS as u8 {
                let elsewhere =
                    then.lease.key == key && then.lease.holder != Some(who as u8) && then.lease.is_held(then.now);
                if then.actions[usize::from(key)] == Action::Started && !elsewhere {
                    then = self.give_up(then, key);
                }
            }
            push(Step::Crash(who), then);
        }
    }

    /// The batch that starts an action, when the ledger takes it.
    fn start(&self, state: &State, who: usize, key: u8, lease: Lease, now: u8) -> Option<(State, Lease)> {
        let planned = state.actions[usize::from(key)] == Action::Planned;
        if !planned && self.variant != Variant::StartsBlindly {
            return None;
        }
        let blind = [Variant::TakesLeaseBlindly, Variant::StartsBlindly].contains(&self.variant);
        if state.lease.seq != lease.seq && !blind {
            return None;
        }
        let taken =
            Lease { seq: lease.seq + 1, fence: lease.fence + 1, holder: Some(who as u8), key, expires: now + TTL };
        let mut then = state.clone();
        then.lease = taken;
        then.actions[usize::from(key)] = Action::Started;
        Some((then, taken))
    }

    fn give_up(&self, mut state: State, key: u8) -> State {
        let again = self.variant == Variant::Retries;
        state.actions[usize::from(key)] = if again { Action::Planned } else { Action::Unknown };
        release(&mut state, key);
        state
    }

    /// Looks at every state that can be reached; the shortest way to one that breaks a rule, if there is one.
    fn explore(&self, rules: &[Rule]) -> Result<usize, Vec<Step>> {
        let begin = Self::begin();
        let mut from: HashMap<State, Option<(State, Step)>> = HashMap::from([(begin.clone(), None)]);
        let mut queue = VecDeque::from([begin]);
        while let Some(state) = queue.pop_front() {
            if !rules.iter().all(|rule| rule(&state)) {
                let mut trace = Vec::new();
                let mut at = &state;
                while let Some(Some((before, step))) = from.get(at) {
                    trace.push(*step);
                    at = before;
                }
                trace.reverse();
                return Err(trace);
            }
            for (step, then) in self.next(&state) {
                if !from.contains_key(&then) {
                    from.insert(then.clone(), Some((state.clone(), step)));
                    queue.push_back(then);
                }
            }
            assert!(from.len() <= STATES_MAX, "the model has no bound");
        }
        Ok(from.len())
    }
}

/// Lets go of the lease, if it is that action's.
fn release(state: &mut State, key: u8) {
    if state.lease.holder.is_some() && state.lease.key == key {
        state.lease = Lease { seq: state.lease.seq + 1, holder: None, ..state.lease };
    }
}

/// No two evaluators have ever the same fence.
fn fences_apart(state: &State) -> bool {
    let fence = |at: &At| match at {
        At::Started { lease, .. } | At::Executed { lease, .. } => Some(lease.fence),
        _ => None,
    };
    let held: Vec<u8> = state.evaluators.iter().filter_map(fence).collect();
    held.len() < 2 || held[0] != held[1]
}

fn holds(fences: bool, rules: &[Rule]) {
    let states = match (Model { variant: Variant::Whole, fences }).explore(rules) {
        Ok(states) => states,
        Err(trace) => panic!("broken by {trace:?}"),
    };
    println!("fences {fences}: {states} states, {} rules hold in all", rules.len());
    assert!(states > 10_000, "only {states} states: the model does nothing");
}

fn breaks(variant: Variant, fences: bool, rule: Rule) {
    match (Model { variant, fences }).explore(&[rule]) {
        Ok(states) => panic!("{variant:?}, fences {fences}: the checker found nothing wrong in {states} states"),
        Err(trace) => println!("{variant:?}, fences {fences}, is broken by {trace:?}"),
    }
}

#[test]
fn an_action_is_executed_at_most_once_and_nothing_late_takes_effect_where_fences_are_checked() {
    holds(true, &[once, fences_apart, nothing_late]);
}

#[test]
fn an_action_is_executed_at_most_once_at_a_target_that_checks_nothing() {
    holds(false, &[once, fences_apart]);
    // But a command of a holder that paused arrives after the next holder's: that is what fences are for.
    breaks(Variant::Whole, false, nothing_late);
}

#[test]
fn the_checker_finds_what_is_wrong_with_broken_protocols() {
    breaks(Variant::StartsBlindly, true, once);
    breaks(Variant::Retries, true, once);
    breaks(Variant::ActsFirst, true, once);
    // Only expecting the lease as it was read keeps fences apart.
    breaks(Variant::TakesLeaseBlindly, true, fences_apart);
}
