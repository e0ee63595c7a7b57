//! A regular expression tried on a shape: whether any text of the shape can match.
//!
//! The expression's automaton runs over the shape byte by byte. At a hole it takes every way at once that a text in the hole
//! could take, so it is in several states from there on. When it can end in no state that matches, no row of the shape does,
//! however many rows that are, and none of their texts is read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;
use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use shape::Hole;

/// Memory of an automaton's states in each thread that runs it. One that needs more is not told apart: it may match.
const CACHE_BYTES_MAX: usize = 2 << 20;

/// Most states that it is in at a time, and most that are looked at in a hole.
const STATES_MAX: usize = 128;

/// The automaton of an expression. Cheap to share: threads have their own states.
pub(crate) struct Automaton {
    dfa: DFA,
    /// States of those who are done, for the next.
    idle: Mutex<Vec<Walk>>,
    /// Whether it turned out to need too many states, so that trying again would be as much work for nothing.
    too_large: AtomicBool,
}

/// The states of an automaton, made as they are reached.
struct Walk {
    cache: Cache,
    /// Where a hole leads to from a state; `None` when it may match in there, or when nobody knows.
    holes: HashMap<(LazyStateID, Hole), Option<Vec<LazyStateID>>>,
}

impl std::fmt::Debug for Automaton {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Automaton")
    }
}

impl Automaton {
    /// `None` for an expression that cannot be run like this, for instance because of a word boundary of Unicode.
    pub(crate) fn new(pattern: &str) -> Option<Self> {
        Self::sized(pattern, CACHE_BYTES_MAX)
    }

    fn sized(pattern: &str, cache_bytes: usize) -> Option<Self> {
        let config = DFA::config()
            .cache_capacity(cache_bytes)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(0));
        let dfa = DFA::builder().configure(config).build(pattern).ok()?;
        Some(Self { dfa, idle: Mutex::new(Vec::new()), too_large: AtomicBool::new(false) })
    }

    /// Whether a text of the shape can match. True when nobody knows.
    pub(crate) fn may_match(&self, shape: &[u8]) -> bool {
        if self.too_large.load(Relaxed) {
            return true;
        }
        let idle = self.idle.lock().pop();
        let mut walk = idle.unwrap_or_else(|| Walk { cache: self.dfa.create_cache(), holes: HashMap::new() });
        let found = walk.may_match(&self.dfa, shape);
        match found {
            Some(_) => self.idle.lock().push(walk),
            None => self.too_large.store(true, Relaxed),
        }
        found.unwrap_or(true)
    }
}

impl Walk {
    /// `None` when there are too many states.
    fn may_match(&mut self, dfa: &DFA, shape: &[u8]) -> Option<bool> {
        let mut states = vec![dfa.start_state_forward(&mut self.cache, &Input::new(shape)).ok()?];
        let mut next = Vec::new();
        for byte in shape {
            next.clear();
            for state in &states {
                match Hole::of(*byte) {
                    None => next.push(dfa.next_state(&mut self.cache, *state, *byte).ok()?),
                    Some(hole) => match self.through(dfa, *state, hole)? {
                        None => return Some(true),
                        Some(reached) => next.extend_from_slice(reached),
                    },
                }
            }
            if next.len() > 1 {
                next.sort_unstable();
                next.dedup();
            }
            next.retain(|state| !state.is_dead());
            if next.iter().any(|state| state.is_match() || state.is_quit()) || next.len() > STATES_MAX {
                return Some(true);
            }
            if next.is_empty() {
                return Some(false);
            }
            std::mem::swap(&mut states, &mut next);
        }
        for state in states {
            if dfa.next_eoi_state(&mut self.cache, state).ok()?.is_match() {
                return Some(true);
            }
        }
        Some(false)
    }

    /// The states behind a hole; the inner `None` when it may match inside.
    fn through(&mut self, dfa: &DFA, from: LazyStateID, hole: Hole) -> Option<Option<&[LazyStateID]>> {
        if !self.holes.contains_key(&(from, hole)) {
            let reached = self.reached(dfa, from, hole)?;
            self.holes.insert((from, hole), reached);
        }
        self.holes.get(&(from, hole)).map(Option::as_deref)
    }

    fn reached(&mut self, dfa: &DFA, from: LazyStateID, hole: Hole) -> Option<Option<Vec<LazyStateID>>> {
        let mut reached: Vec<LazyStateID> = Vec::new();
        let mut todo = vec![from];
        while let Some(state) = todo.pop() {
            for byte in 0..=u8::MAX {
                if !can_hold(hole, byte) {
                    continue;
                }
                let next = dfa.next_state(&mut self.cache, state, byte).ok()?;
                if next.is_match() || next.is_quit() || reached.len() > STATES_MAX {
                    return Some(None);
                }
                if !next.is_dead() && !reached.contains(&next) {
                    reached.push(next);
                    todo.push(next);
                }
            }
        }
        Some(Some(reached))
    }
}

/// Whether a byte can be in a hole. A part of a longer character can be in one for anything.
fn can_hold(hole: Hole, byte: u8) -> bool {
    match hole {
        Hole::Digits => byte.is_ascii_digit(),
        Hole::Hex => byte.is_ascii_hexdigit(),
        Hole::Opaque => byte.is_ascii_alphanumeric() || !byte.is_ascii(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;
    use shape::Cutter;

    use super::*;

    fn may(pattern: &str, text: &str) -> bool {
        let mut cutter = Cutter::default();
        cutter.cut(text);
        Automaton::new(pattern).unwrap().may_match(&cutter.shape)
    }

    #[test]
    fn what_no_text_of_a_shape_can_match_is_known() {
        let line = "authentication failure; logname= uid=0 rhost=10.0.0.7 user=root";
        assert!(may(r"rhost=\S+", line));
        assert!(!may(r"authentication failure.*rhost=\S+\.com", line));
        assert!(may(r"authentication failure.*rhost=\S+\.com", "authentication failure rhost=a7.com"));
        assert!(may(r"uid=[0-9]+ ", line) && may(r"uid=42 ", line) && !may(r"uid=[a-z]", line));
        assert!(may(r"^auth.*root$", line) && !may(r"^root", line) && !may(r"7$", line));
        assert!(may(r"(?i)DEAD", "id 3f2504e0") && !may(r"(?i)xyz", "id 3f2504e0") && may("xyz", "0x1f3z"));
        assert!(may("^$", "") && !may("x", ""));
        // More states than there is room for: nothing is ruled out, and nobody tries again.
        let large = Automaton::sized("[a-q][^u-z]{13}x", 1).unwrap();
        let text: Vec<u8> = (0..20_000u32).map(|n| b'a' + (n.wrapping_mul(2_654_435_761) >> 27) as u8 % 20).collect();
        assert!(large.may_match(&text) && large.too_large.load(Relaxed) && large.may_match(b"q"));
        assert!(Automaton::new(r"\bword\b").is_none());
    }

    proptest! {
        #[test]
        fn a_text_that_matches_is_never_ruled_out(
            pattern in r"[ab1]?(\[0-9\]\+|[a1-2]|\.|\\S|\\d)[ab12*?]?|\^?[a1]{1,2}\$?|[a-b1é]{1,3}",
            text in "[ab1é_ .-]{0,20}|\\PC{0,20}|[0-9a-f x]{0,30}",
        ) {
            if let (Ok(regex), Some(automaton)) = (Regex::new(&pattern), Automaton::new(&pattern)) {
                let mut cutter = Cutter::default();
                cutter.cut(&text);
                prop_assert!(!regex.is_match(&text) || automaton.may_match(&cutter.shape), "{pattern:?} {text:?}");
            }
        }
    }
}
