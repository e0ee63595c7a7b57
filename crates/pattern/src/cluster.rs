//! Forms to groups: which words are values is seen from all forms together.
//!
//! Forms of one group have the same number of tokens and the same marks at the same places. Two steps alternate until nothing
//! changes:
//!
//! - *Soft* places are those where the looks of the words already hint at values: behind `=`, in quotes, names with dots, names
//!   that end in a number. All soft places of a form may differ at once; each is judged by how many words it holds.
//! - At any other place words are values when many forms differ only there, when a sure value stands there too, or when the two
//!   tokens before it introduce differing words in several other patterns (`for user …`).
//!
//! The result depends on the set of forms only, not on their order. Templates may be among the forms to say what was found
//! earlier: what is a value in one of these stays a value.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use crate::form::{HOLES, Piece};
use crate::limits::Tuning;
use crate::scan::Kind;

/// How often the steps are taken at most.
const ROUNDS_MAX: usize = 8;

/// A form or a template as numbers of a vocabulary.
type Line = Vec<u32>;

/// What a token tells by its looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Value,
    Mark,
    Equals,
    Quote,
    Colon,
    Word,
    /// A word with a digit in it.
    Holed,
    /// A word that ends in a number behind a mark.
    Numbered,
    /// A name with two or more dots.
    Dotted,
    /// A word where values stand.
    Named,
    /// Words in quotes.
    Phrase,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    sort: Sort,
    space: bool,
    /// The number of its text, whatever stands before it.
    name: u32,
    /// Whether it says what happened, as `started` does: that is text, never the name of something.
    participle: bool,
}

/// The tokens of all forms, numbered. A value is 0, or 1 with a space before it.
struct Vocabulary {
    entries: Vec<Entry>,
}

/// The number of a form's group, by form; groups are numbered in the order of their first forms. From `forms` number
/// `templates_from` on they are templates.
pub(crate) fn cluster(forms: &[Vec<Piece>], templates_from: usize, tuning: &Tuning) -> Vec<usize> {
    let (vocabulary, mut lines) = Vocabulary::of(forms);
    let mut known = HashSet::new();
    for _ in 0..ROUNDS_MAX {
        let soft = soften(&vocabulary, &mut lines, templates_from, &mut known, tuning);
        let merged = Round::new(&vocabulary, &lines, templates_from, tuning).run(&mut lines, &mut known);
        if !soft && !merged {
            break;
        }
    }
    let mut groups: HashMap<&Line, usize> = HashMap::new();
    lines
        .iter()
        .map(|line| {
            let next = groups.len();
            *groups.entry(line).or_insert(next)
        })
        .collect()
}

impl Vocabulary {
    fn of(forms: &[Vec<Piece>]) -> (Self, Vec<Line>) {
        // Numbered in the order of the texts, so that the order of the forms is nowhere in the result.
        let texts: BTreeSet<(&str, bool, bool)> =
            forms.iter().flatten().filter(|piece| !piece.is_value()).map(Self::key).collect();
        let values = [false, true].map(|space| Entry { sort: Sort::Value, space, name: 0, participle: false });
        let mut names: HashMap<&str, u32> = HashMap::new();
        let words = texts.iter().map(|(text, space, named)| {
            let next = names.len() as u32 + 1;
            let name = *names.entry(text).or_insert(next);
            Entry { sort: sort(text, *named), space: *space, name, participle: participle(text) }
        });
        let entries = values.into_iter().chain(words).collect();
        let ids: HashMap<(&str, bool, bool), u32> = texts.iter().copied().zip(values.len() as u32..).collect();
        let id = |piece: &Piece| {
            if piece.is_value() {
                u32::from(piece.space)
            } else {
                ids.get(&Self::key(piece)).copied().unwrap_or_default()
            }
        };
        let lines = forms.iter().map(|form| form.iter().map(id).collect()).collect();
        (Self { entries }, lines)
    }

    fn key(piece: &Piece) -> (&str, bool, bool) {
        (&piece.text, piece.space, piece.kind == Kind::Named)
    }

    fn entry(&self, id: u32) -> Entry {
        self.entries[id as usize]
    }

    fn sort(&self, id: u32) -> Sort {
        self.entry(id).sort
    }

    fn is_mark(&self, id: u32) -> bool {
        matches!(self.sort(id), Sort::Mark | Sort::Equals | Sort::Quote | Sort::Colon)
    }

    /// The value that can stand in place of a token.
    fn value(&self, id: u32) -> u32 {
        u32::from(self.entry(id).space)
    }

    /// Those of the tokens that can be the name of something, by their texts.
    fn names(&self, ids: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
        ids.map(|id| self.entry(id)).filter(|entry| entry.name > 0 && !entry.participle).map(|entry| entry.name)
    }

    fn is_soft(&self, id: u32) -> bool {
        matches!(self.sort(id), Sort::Dotted | Sort::Named | Sort::Phrase | Sort::Numbered)
    }

    /// How many words the line has that are neither values nor names of values (`name=`, `"name":`).
    fn words(&self, line: &[u32]) -> usize {
        let sort = |at: usize| line.get(at).map(|id| self.sort(*id));
        let names = |at: usize| match sort(at + 1) {
            Some(Sort::Equals) => true,
            Some(Sort::Quote) => sort(at + 2) == Some(Sort::Colon),
            _ => false,
        };
        let word = |at: usize| matches!(sort(at), Some(Sort::Word | Sort::Dotted | Sort::Holed | Sort::Numbered));
        (0..line.len()).filter(|at| word(*at) && !names(*at)).count()
    }
}

fn sort(text: &str, named: bool) -> Sort {
    match text {
        "=" => Sort::Equals,
        "\"" => Sort::Quote,
        ":" => Sort::Colon,
        _ if named && text.contains(' ') => Sort::Phrase,
        _ if named => Sort::Named,
        _ if text.bytes().all(|byte| byte.is_ascii_punctuation() && byte != b'_') => Sort::Mark,
        _ if text.bytes().filter(|byte| *byte == b'.').count() >= 2 || is_port(text) => Sort::Dotted,
        _ if ends_in_number(text) => Sort::Numbered,
        _ if text.contains(HOLES) => Sort::Holed,
        _ => Sort::Word,
    }
}

/// Whether it ends in a number behind a mark, or in a letter and a number: `pool-2`, `rack_B7`.
fn ends_in_number(text: &str) -> bool {
    let Some(name) = text.strip_suffix(HOLES) else { return false };
    let marked = |name: &str| name.ends_with(['.', '_', '-', '#', '/']);
    marked(name) || name.strip_suffix(|c: char| c.is_ascii_alphabetic()).is_some_and(marked)
}

/// Whether it is a name with a dot, a colon and a number: a host and its port, a file and its line.
fn is_port(text: &str) -> bool {
    text.strip_suffix(HOLES).and_then(|text| text.strip_suffix(':')).is_some_and(|name| name.contains('.'))
}

/// Shortest word that is looked at for an ending.
const PARTICIPLE_BYTES_MIN: usize = 5;

fn participle(text: &str) -> bool {
    let ends = |ending: &str| {
        let start = text.len().saturating_sub(ending.len());
        text.is_char_boundary(start) && text[start..].eq_ignore_ascii_case(ending)
    };
    text.len() >= PARTICIPLE_BYTES_MIN && (ends("ed") || ends("ing"))
}

/// Makes values of soft places; whether any was made.
fn soften(
    vocabulary: &Vocabulary,
    lines: &mut [Line],
    templates_from: usize,
    known: &mut HashSet<u32>,
    tuning: &Tuning,
) -> bool {
    let mut alike: BTreeMap<Line, Vec<usize>> = BTreeMap::new();
    for (nth, line) in lines.iter().enumerate() {
        let blank = |id: &u32| if vocabulary.is_soft(*id) { vocabulary.value(*id) } else { *id };
        alike.entry(line.iter().map(blank).collect()).or_default().push(nth);
    }
    let mut changed = false;
    for (key, members) in alike.iter().filter(|(_, members)| members.len() > 1) {
        let mut words = vocabulary.words(key);
        let sort = |lines: &[Line], nth: usize, at: usize| vocabulary.sort(lines[nth][at]);
        let is_phrase = |lines: &[Line], at| members.iter().any(|nth| sort(lines, *nth, at) == Sort::Phrase);
        // Texts in quotes come first: one that stays says what the line is about, as other words do.
        let (phrases, others): (Vec<usize>, Vec<usize>) = (0..key.len()).partition(|at| is_phrase(lines, *at));
        for at in phrases.into_iter().chain(others) {
            let distinct: BTreeSet<u32> = members.iter().map(|nth| lines[*nth][at]).collect();
            let proven = members.iter().any(|nth| *nth >= templates_from && sort(lines, *nth, at) == Sort::Value);
            if distinct.len() > 1 && (proven || holds_values(vocabulary, &distinct, words, tuning)) {
                members.iter().for_each(|nth| lines[*nth][at] = key[at]);
                known.extend(vocabulary.names(distinct.into_iter()));
                changed = true;
            }
            words += usize::from(is_phrase(lines, at));
        }
    }
    changed
}

/// Whether the words of a soft place are values, given how many other words the line has.
fn holds_values(vocabulary: &Vocabulary, distinct: &BTreeSet<u32>, words: usize, tuning: &Tuning) -> bool {
    let any = |sort| distinct.iter().any(|id| vocabulary.sort(*id) == sort);
    if any(Sort::Dotted) {
        return words >= tuning.dotted_words_min;
    }
    if any(Sort::Numbered) {
        return words >= tuning.numbered_words_min;
    }
    if any(Sort::Value) {
        return words > 0 || !any(Sort::Phrase);
    }
    // A line of nothing but names and values tells in its values what it is about.
    if words == 0 {
        return !any(Sort::Phrase) && distinct.len() >= tuning.values_min_bare;
    }
    distinct.len() >= tuning.named_values_min
}

/// Lines that differ at one place only.
struct Family {
    at: usize,
    /// Which of the distinct lines.
    members: Vec<usize>,
}

/// The two tokens before a place.
type Context = (u32, u32);

/// Stands before the first token.
const START: u32 = u32::MAX;

fn context(line: &[u32], at: usize) -> Context {
    let before = |back: usize| at.checked_sub(back).map_or(START, |at| line[at]);
    (before(2), before(1))
}

/// One search for places that hold values.
struct Round<'a> {
    vocabulary: &'a Vocabulary,
    tuning: &'a Tuning,
    distinct: Vec<Line>,
    /// Which of the distinct lines are templates that were found earlier.
    proven: Vec<bool>,
    /// Those with most words first.
    families: Vec<Family>,
    spread: HashSet<Context>,
}

impl<'a> Round<'a> {
    fn new(vocabulary: &'a Vocabulary, lines: &[Line], templates_from: usize, tuning: &'a Tuning) -> Self {
        let distinct: BTreeSet<&Line> = lines.iter().collect();
        let distinct: Vec<Line> = distinct.into_iter().cloned().collect();
        let templates: HashSet<&Line> = lines[templates_from..].iter().collect();
        let proven = distinct.iter().map(|line| templates.contains(line)).collect();
        let mut round = Self { vocabulary, tuning, distinct, proven, families: Vec::new(), spread: HashSet::new() };
        round.families = round.families();
        round.spread = round.spread();
        round
    }

    fn families(&self) -> Vec<Family> {
        let mut by: HashMap<(u64, usize), Vec<usize>> = HashMap::new();
        for (nth, line) in self.distinct.iter().enumerate() {
            // Soft places may differ too: they are judged elsewhere.
            let blank = |id: u32| if self.vocabulary.is_soft(id) { self.vocabulary.value(id) } else { id };
            let sum =
                line.iter().enumerate().fold(line.len() as u64, |sum, (at, id)| sum.wrapping_add(mix(at, blank(*id))));
            for (at, id) in line.iter().enumerate().filter(|(_, id)| !self.vocabulary.is_mark(**id)) {
                let key = sum.wrapping_sub(mix(at, blank(*id))).wrapping_add(mix(at, self.vocabulary.value(*id)));
                by.entry((key, at)).or_default().push(nth);
            }
        }
        let large = by.into_iter().filter(|(_, members)| members.len() > 1);
        let mut families: Vec<Family> = large.map(|((_, at), members)| Family { at, members }).collect();
        families.sort_by_cached_key(|family| {
            (Reverse(self.names(family, &family.members).len()), family.at, family.members[0])
        });
        families
    }

    /// The contexts that introduce differing words in several patterns.
    fn spread(&self) -> HashSet<Context> {
        let mut seen: HashMap<Context, (usize, HashSet<u32>)> = HashMap::new();
        // Only a word introduces: what stands behind marks is of any kind.
        let introduced = |family: &&Family| {
            let before = family.at.checked_sub(1).map(|at| self.distinct[family.members[0]][at]);
            before.is_some_and(|id| matches!(self.vocabulary.sort(id), Sort::Word | Sort::Holed))
        };
        for family in self.families.iter().filter(introduced) {
            let names = self.names(family, &family.members);
            if names.len() > 1 {
                let (patterns, words) = seen.entry(context(&self.distinct[family.members[0]], family.at)).or_default();
                *patterns += 1;
                words.extend(names);
            }
        }
        let Tuning { spread_patterns_min, spread_values_min, .. } = *self.tuning;
        seen.retain(|_, (patterns, words)| *patterns >= spread_patterns_min && words.len() >= spread_values_min);
        seen.into_keys().collect()
    }

    /// The words of a family that can be names of something.
    fn names(&self, family: &Family, members: &[usize]) -> BTreeSet<u32> {
        let ids = members.iter().map(|nth| self.distinct[*nth][family.at]);
        ids.filter(|id| !self.vocabulary.entry(*id).participle).collect()
    }

    /// Merges families; whether any was merged.
    fn run(&self, lines: &mut [Line], known: &mut HashSet<u32>) -> bool {
        let mut into: Vec<Option<Line>> = vec![None; self.distinct.len()];
        let mut introduces = self.spread.clone();
        for family in &self.families {
            let members: Vec<usize> = family.members.iter().copied().filter(|nth| into[*nth].is_none()).collect();
            if members.len() > 1 && self.merges(family, &members, &mut introduces, known) {
                known.extend(self.vocabulary.names(members.iter().map(|nth| self.distinct[*nth][family.at])));
                for nth in members
                    .into_iter()
                    .filter(|nth| self.vocabulary.sort(self.distinct[*nth][family.at]) != Sort::Value)
                {
                    let mut merged = self.distinct[nth].clone();
                    merged[family.at] = self.vocabulary.value(merged[family.at]);
                    into[nth] = Some(merged);
                }
            }
        }
        let merged: HashMap<&Line, &Line> =
            self.distinct.iter().zip(&into).filter_map(|(from, into)| Some((from, into.as_ref()?))).collect();
        for line in lines.iter_mut() {
            if let Some(into) = merged.get(line) {
                *line = (*into).clone();
            }
        }
        !merged.is_empty()
    }

    /// Whether what differs in these members of a family are values.
    fn merges(
        &self,
        family: &Family,
        members: &[usize],
        introduces: &mut HashSet<Context>,
        known: &HashSet<u32>,
    ) -> bool {
        let mut rest = self.distinct[members[0]].clone();
        let context = context(&rest, family.at);
        rest[family.at] = self.vocabulary.value(rest[family.at]);
        let names = self.names(family, members).len();
        if names < 2 {
            return false;
        }
        let is_value = |nth: &&usize| self.vocabulary.sort(self.distinct[**nth][family.at]) == Sort::Value;
        if members.iter().filter(is_value).any(|nth| self.proven[*nth]) {
            return true;
        }
        let words = self.vocabulary.words(&rest);
        let min = match words {
            0 => return false,
            1 => self.tuning.values_min_bare,
            2 => self.tuning.values_min_short,
            _ => self.tuning.values_min_long,
        };
        if names >= min {
            introduces.insert(context);
            return true;
        }
        let mixed = members.iter().any(|nth| is_value(&nth));
        let introduced = words >= self.tuning.spread_words_min && introduces.contains(&context);
        let ids = members.iter().map(|nth| self.distinct[*nth][family.at]);
        let elsewhere = self.vocabulary.names(ids).filter(|name| known.contains(name)).count();
        let familiar =
            words >= self.tuning.known_words_min && elsewhere >= self.tuning.known_values_min && 2 * elsewhere >= names;
        mixed && words >= self.tuning.mixed_words_min || introduced || familiar
    }
}

/// A token at its place, as a number; the sum over a line tells it from other lines.
fn mix(at: usize, id: u32) -> u64 {
    xxh3_64(&((at as u64) << 32 | u64::from(id)).to_le_bytes())
}
