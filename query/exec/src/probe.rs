//! A test tried on a group's text: all of it for a group of one value, the fixed parts for a group of similar texts.
//!
//! Between two fixed parts stands a run of letters and digits that differs from row to row (a hole), so a fixed part that
//! meets one has a word character behind or before it.

use model::Value;
use shape::{GroupText, Literal, Piece, Probe};

use crate::needle::{Needle, lower_case};
use crate::predicate::Match;

/// Tries one test on many groups.
pub(crate) struct Prober<'a> {
    test: &'a Match,
    /// Texts of which a matching value holds one; empty when none is known.
    needed: Vec<Literal>,
}

impl<'a> Prober<'a> {
    pub(crate) fn new(test: &'a Match) -> Self {
        let needed = match test {
            Match::Needle(needle) => vec![needle.lower().to_owned()],
            Match::CasedNeedle(needle) => vec![needle.any_case().lower().to_owned()],
            Match::Exact(text) | Match::StartsWith(text) => vec![lower_case(text)],
            Match::ExactAnyCase(text) | Match::StartsWithAnyCase(text) => vec![text.clone()],
            Match::In(values) => values.iter().map(|value| lower_case(value)).collect(),
            Match::Regex(_, required, _) | Match::Anchored(_, required, _) => required.texts.clone(),
            Match::Sequence(needles) => needles.first().map(Needle::lower).into_iter().map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Self { test, needed: needed.iter().map(|text| Literal::new(text)).collect() }
    }

    /// Whether every row of the group matches, none does, or only the rows tell.
    pub(crate) fn probe(&self, group: &GroupText<'_>) -> Probe {
        if let Some(text) = group.whole() {
            let holds = self.test.holds_for_value(Some(&Value::Str(text.to_owned())));
            return if holds { Probe::Sure } else { Probe::No };
        }
        let may = |text: &Literal| group.could_contain(text) != Probe::No;
        if !self.needed.is_empty() && !self.needed.iter().any(may) {
            return Probe::No;
        }
        if let Match::Regex(_, _, Some(automaton)) | Match::Anchored(_, _, Some(automaton)) = self.test
            && !automaton.may_match(group.raw())
        {
            return Probe::No;
        }
        if self.holds_in_a_piece(group) { Probe::Sure } else { Probe::Maybe }
    }

    /// Whether the test holds for every text of the group because of one fixed part.
    fn holds_in_a_piece(&self, group: &GroupText<'_>) -> bool {
        match self.test {
            Match::Needle(needle) => {
                any_piece(group, |piece, before, behind| needle.is_in_piece(piece, before, behind))
            }
            Match::CasedNeedle(needle) => {
                any_piece(group, |piece, before, behind| needle.is_in_piece(piece, before, behind))
            }
            Match::Regex(regex, required, _) if required.local => any_piece(group, |piece, _, _| regex.is_match(piece)),
            // A hole is never empty, and so is no text with one.
            Match::Exists => true,
            _ => false,
        }
    }
}

/// Whether a test holds for a fixed part, given whether holes touch it before and behind.
fn any_piece(group: &GroupText<'_>, test: impl Fn(&str, bool, bool) -> bool) -> bool {
    let mut pieces = group.pieces().peekable();
    let mut hole_before = false;
    while let Some(piece) = pieces.next() {
        let Piece::Text(text) = piece else {
            hole_before = true;
            continue;
        };
        let hole_behind = matches!(pieces.peek(), Some(Piece::Hole { .. }));
        if test(text, hole_before, hole_behind) {
            return true;
        }
        hole_before = false;
    }
    false
}
