//! An automaton over a sorted dictionary.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::start::Config;

/// Goes through a dictionary and stops at the texts that an automaton accepts.
pub(crate) struct Walk<'a> {
    dfa: &'a DFA,
    cache: Cache,
}

/// What an automaton says of a text.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
    /// No text that begins with so many bytes of this one is accepted.
    Dead(usize),
    /// The automaton grew over its limit.
    Unknown,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(dfa: &'a DFA) -> Self {
        Self { dfa, cache: dfa.create_cache() }
    }

    /// The texts that are accepted and what stands beside them, in order.
    pub(crate) fn over<V>(mut self, values: &BTreeMap<Arc<str>, V>) -> Vec<(&Arc<str>, &V)> {
        let mut found = Vec::new();
        let mut texts = values.range::<str, _>(..);
        let mut next = texts.next();
        while let Some((text, value)) = next {
            next = texts.next();
            match self.judge(text) {
                Verdict::Accepted => found.push((text, value)),
                Verdict::Refused => {}
                Verdict::Unknown => {
                    if self.dfa_accepts_slowly(text) {
                        found.push((text, value));
                    }
                }
                Verdict::Dead(len) => {
                    // Only worth a step from the root when the neighbour is dead too.
                    let shares = next.is_some_and(|(other, _)| other.as_bytes().starts_with(&text.as_bytes()[..len]));
                    if !shares {
                        continue;
                    }
                    let Some(beyond) = beyond(text, len) else { return found };
                    texts = values.range::<str, _>((Bound::Included(&*beyond), Bound::Unbounded));
                    next = texts.next();
                }
            }
        }
        found
    }

    fn judge(&mut self, text: &str) -> Verdict {
        let Some(mut state) = self.start() else { return Verdict::Unknown };
        for (at, byte) in text.bytes().enumerate() {
            let Ok(after) = self.dfa.next_state(&mut self.cache, state, byte) else { return Verdict::Unknown };
            if after.is_dead() {
                return Verdict::Dead(at + 1);
            }
            if after.is_quit() {
                return Verdict::Unknown;
            }
            state = after;
        }
        match self.dfa.next_eoi_state(&mut self.cache, state) {
            Ok(end) if end.is_match() => Verdict::Accepted,
            Ok(_) => Verdict::Refused,
            Err(_) => Verdict::Unknown,
        }
    }

    fn start(&mut self) -> Option<LazyStateID> {
        let config = Config::new().anchored(regex_automata::Anchored::Yes);
        self.dfa.start_state(&mut self.cache, &config).ok()
    }

    /// By the search of the automaton, which clears its cache as often as need be.
    fn dfa_accepts_slowly(&mut self, text: &str) -> bool {
        self.cache.reset(self.dfa);
        let input = Input::new(text).anchored(regex_automata::Anchored::Yes);
        self.dfa.try_search_fwd(&mut self.cache, &input).is_ok_and(|found| found.is_some())
    }
}

/// The least text after all that begin with so many bytes of a text; `None` when there is none.
fn beyond(text: &str, len: usize) -> Option<String> {
    // The first character boundary at or after the bytes: texts with the same bytes have the same character there only if the
    // bytes end with it, and otherwise a later start passes fewer texts over, which is no harm.
    let end = (len..=text.len()).find(|at| text.is_char_boundary(*at))?;
    let mut prefix = text[..end].to_owned();
    while let Some(last) = prefix.pop() {
        let after = u32::from(last) + 1;
        let after = if after == 0xd800 { 0xe000 } else { after };
        if let Some(after) = char::from_u32(after) {
            prefix.push(after);
            return Some(prefix);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{MatchOp, Matcher};

    fn check(pattern: &str, texts: &[String]) {
        let matcher = Matcher::new("l", MatchOp::Regex, pattern).unwrap();
        let Some(automaton) = matcher.automaton() else { return };
        let values: BTreeMap<Arc<str>, &str> = texts.iter().map(|text| (Arc::from(&**text), &**text)).collect();
        let want: Vec<&str> = values.values().filter(|text| matcher.matches(text)).copied().collect();
        let found: Vec<&str> = Walk::new(automaton).over(&values).into_iter().map(|(_, text)| *text).collect();
        assert_eq!(found, want, "{pattern} of {texts:?}");
    }

    #[test]
    fn dead_prefixes_are_passed_over() {
        let mut texts: Vec<String> = (0..3000).map(|at| format!("host-{at:05}:9100")).collect();
        texts.extend(
            ["", "\u{d7ff}x", "\u{d7ff}y", "\u{e000}", "\u{10ffff}a", "\u{10ffff}b", "größe", "grüße"]
                .map(str::to_owned),
        );
        for pattern in [
            "host-0000[0-4]:.+",
            "host-.*1:9100",
            ".*99.*",
            "(host-01.*|gr..e)",
            "\u{d7ff}y|[b]x",
            "gr[öü]ße",
            "[^h].*",
            "\u{10ffff}[b]",
            "(?i)HOST-0010.*",
        ] {
            check(pattern, &texts);
        }
    }

    #[test]
    fn a_prefix_is_gone_to_directly() {
        let texts: BTreeMap<Arc<str>, u32> = (0..100_000u32).map(|at| (format!("host-{at:06}").into(), at)).collect();
        let matcher = Matcher::new("l", MatchOp::Regex, "host-0500[0-1].").unwrap();
        let mut walk = Walk::new(matcher.automaton().unwrap());
        let mut judged = 0;
        // As `over` does it, counted.
        let mut at = Bound::Unbounded;
        let mut found = 0;
        while let Some((text, _)) = texts.range::<str, _>((at, Bound::Unbounded)).next() {
            judged += 1;
            let next = match walk.judge(text) {
                Verdict::Dead(len) => beyond(text, len),
                verdict => {
                    found += usize::from(verdict == Verdict::Accepted);
                    Some(format!("{text}\0"))
                }
            };
            let Some(next) = next else { break };
            let next: &'static str = next.leak();
            at = Bound::Included(next);
        }
        assert_eq!(found, 20);
        assert!(judged < 100, "{judged} texts were judged");
    }

    proptest! {
        #[test]
        fn the_walk_finds_what_matching_each_text_finds(
            texts in prop::collection::vec("[ab\u{e4}\u{10ffff}]{0,5}", 0..40),
            pattern in prop::sample::select(vec![
                "a.*", "a[ab]+", "(ab|ba).*", ".*a", ".+b.+", "[^a]*", "(a|ab)(b|)", "\u{e4}.*", "a{2,3}b?", "(?i)A.*", "a*",
            ]),
        ) {
            check(pattern, &texts);
        }
    }
}
