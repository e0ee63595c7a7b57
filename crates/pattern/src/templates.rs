//! The patterns themselves, found by id and by what they cover.

use std::collections::{BTreeMap, HashMap};

use xxhash_rust::xxh3::xxh3_64;

use crate::form::{Piece, key};
use crate::id::PatternId;
use crate::scan::Kind;

/// A pattern.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) id: PatternId,
    /// The order of birth; of two that merge the older gives the id.
    pub(crate) born: u64,
    /// Whether a refinement saw it: before, its id is provisional.
    pub(crate) settled: bool,
    /// Whether it covers forms that are not kept.
    pub(crate) closed: bool,
    pub(crate) forms: usize,
    pub(crate) rows: u64,
    pub(crate) pieces: Vec<Piece>,
}

/// Where a template is; valid until the next refinement.
pub(crate) type Slot = u32;

/// All patterns of a miner.
#[derive(Clone, Debug, Default)]
pub(crate) struct Templates {
    pub(crate) all: Vec<Template>,
    by_id: HashMap<PatternId, Slot>,
    /// Replaced ids, by age, with what replaced them.
    pub(crate) aliases: BTreeMap<u64, (PatternId, PatternId)>,
    replaced: HashMap<PatternId, PatternId>,
    /// Templates that cover more than one form, by length and a word at its place.
    by_word: HashMap<u64, Vec<Slot>>,
}

impl Templates {
    pub(crate) fn push(&mut self, template: Template) -> Slot {
        let slot = self.all.len() as Slot;
        self.by_id.insert(template.id, slot);
        self.all.push(template);
        slot
    }

    pub(crate) fn get(&self, slot: Slot) -> &Template {
        &self.all[slot as usize]
    }

    pub(crate) fn get_mut(&mut self, slot: Slot) -> &mut Template {
        &mut self.all[slot as usize]
    }

    /// What an id is called now.
    pub(crate) fn resolve(&self, id: PatternId) -> Option<PatternId> {
        self.slot(id).map(|slot| self.get(slot).id)
    }

    pub(crate) fn slot(&self, id: PatternId) -> Option<Slot> {
        let mut id = id;
        // Each step leads to an id that lived longer, so there is an end.
        for _ in 0..=self.replaced.len() {
            if let Some(slot) = self.by_id.get(&id) {
                return Some(*slot);
            }
            id = *self.replaced.get(&id)?;
        }
        None
    }

    /// The id of a template that is new: none has it or had it but one of its own parents.
    pub(crate) fn new_id(&self, pieces: &[Piece], parents: &[Slot]) -> PatternId {
        let mut id = PatternId::of(&key(pieces));
        if self.by_id.get(&id).is_some_and(|slot| parents.contains(slot)) {
            return id;
        }
        while self.by_id.contains_key(&id) || self.replaced.contains_key(&id) {
            id = id.next();
        }
        id
    }

    /// Gives a template another id when no other has it or had it.
    pub(crate) fn call(&mut self, slot: Slot, id: PatternId) {
        if !self.by_id.contains_key(&id) && !self.replaced.contains_key(&id) {
            let before = std::mem::replace(&mut self.get_mut(slot).id, id);
            self.by_id.remove(&before);
            self.by_id.insert(id, slot);
        }
    }

    /// Lets a replaced id lead to another; the oldest such go when there are more than `max`.
    pub(crate) fn alias(&mut self, from: PatternId, to: PatternId, max: usize) {
        if from == to || self.by_id.contains_key(&from) || self.replaced.contains_key(&from) {
            return;
        }
        let age = self.aliases.last_key_value().map_or(0, |(age, _)| age + 1);
        self.aliases.insert(age, (from, to));
        self.replaced.insert(from, to);
        while self.aliases.len() > max {
            if let Some((_, (from, _))) = self.aliases.pop_first() {
                self.replaced.remove(&from);
            }
        }
    }

    /// Puts other templates in place of all.
    pub(crate) fn replace(&mut self, all: Vec<Template>) {
        self.by_id = all.iter().zip(0..).map(|(template, slot)| (template.id, slot)).collect();
        self.all = all;
        self.by_word.clear();
        for slot in 0..self.all.len() as Slot {
            if self.get(slot).forms > 1 || self.get(slot).closed {
                self.index(slot);
            }
        }
    }

    /// Lets a template be found by what it covers.
    fn index(&mut self, slot: Slot) {
        let pieces = &self.get(slot).pieces;
        let at = pieces.iter().position(|piece| matches!(piece.kind, Kind::Word | Kind::Named));
        let word = word_key(pieces, at);
        self.by_word.entry(word).or_default().push(slot);
    }

    /// The template with most constants that covers a line, the oldest of those.
    pub(crate) fn covering(&self, line: &[Piece]) -> Option<Slot> {
        let words = line.iter().enumerate().filter(|(_, piece)| matches!(piece.kind, Kind::Word | Kind::Named));
        let places = words.map(|(at, _)| Some(at)).chain([None]);
        let slots = places.filter_map(|at| self.by_word.get(&word_key(line, at))).flatten();
        let fits = slots.filter(|slot| {
            let pieces = &self.get(**slot).pieces;
            pieces.len() == line.len() && pieces.iter().zip(line).all(|(piece, line)| piece.covers(line))
        });
        fits.copied().min_by_key(|slot| {
            let template = self.get(*slot);
            (template.pieces.iter().filter(|piece| piece.is_value()).count(), template.born)
        })
    }
}

/// A line's length, and a word of it at its place.
fn word_key(pieces: &[Piece], at: Option<usize>) -> u64 {
    let word = at.map_or("", |at| &pieces[at].text);
    let numbers = [pieces.len() as u64, at.map_or(u64::MAX, |at| at as u64), xxh3_64(word.as_bytes())];
    xxh3_64(numbers.map(u64::to_le_bytes).as_flattened())
}
