//! The miner: learns lines one by one and groups them again from time to time.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::cluster;
use crate::form::{self, Former, Piece, decode, encode, generalize};
use crate::id::PatternId;
use crate::limits::{Limits, TUNING, Tuning};
use crate::scan::{Class, Kind};
use crate::templates::{Slot, Template, Templates};

/// New forms before the first refinement.
const REFINE_FORMS_MIN: usize = 64;
/// A refinement comes when one of this many forms is new, so that all of them together cost a few times what the last one does.
const REFINE_SHARE: usize = 4;

/// Room is looked for only when one of this many forms is new since the last time.
const ROOM_SHARE: usize = 16;
/// When room for forms runs out a pattern keeps this part of the forms it may have.
const THIN_SHARE: usize = 4;

/// A form that is kept.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    /// As [`encode`] writes it.
    pub(crate) text: Box<str>,
    pub(crate) slot: Slot,
}

/// A pattern as it is told to others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// Its name.
    pub id: PatternId,
    /// What its lines have in common, with placeholders for what differs: `<num>`, `<ip>`, `<id>`, `<path>`, `<time>`, `<*>`.
    pub template: String,
    /// Rows that were learned of it.
    pub rows: u64,
}

/// Learns lines and tells their patterns. The same lines in any order make the same patterns, and mostly the same ids.
pub struct Miner {
    pub(crate) limits: Limits,
    pub(crate) tuning: Tuning,
    former: Former,
    pub(crate) forms: Vec<Form>,
    by_key: HashMap<u64, u32>,
    pub(crate) templates: Templates,
    /// Texts that were seen since the last refinement.
    cache: HashMap<u64, Slot>,
    pub(crate) born: u64,
    /// Forms that no refinement has seen.
    pub(crate) fresh: usize,
    pub(crate) overflow_rows: u64,
}

impl Miner {
    /// A miner that has learned nothing.
    pub fn new(limits: Limits) -> Self {
        Self::with_tuning(limits, TUNING)
    }

    /// One that decides by other numbers than [`TUNING`].
    pub fn with_tuning(limits: Limits, tuning: Tuning) -> Self {
        Self {
            limits,
            tuning,
            former: Former::default(),
            forms: Vec::new(),
            by_key: HashMap::new(),
            templates: Templates::default(),
            cache: HashMap::new(),
            born: 0,
            fresh: 0,
            overflow_rows: 0,
        }
    }

    /// Learns that so many rows have this text, or this shape ([`shape::marked`]). The id may be replaced in a later
    /// refinement; it then leads to what replaced it.
    pub fn learn(&mut self, text: &str, rows: u64) -> PatternId {
        let hash = xxh3_64(text.as_bytes());
        if let Some(slot) = self.cache.get(&hash) {
            let template = self.templates.get_mut(*slot);
            template.rows = template.rows.saturating_add(rows);
            return template.id;
        }
        let Some(slot) = self.place_text(text) else {
            self.overflow_rows = self.overflow_rows.saturating_add(rows);
            return PatternId::OVERFLOW;
        };
        let template = self.templates.get_mut(slot);
        template.rows = template.rows.saturating_add(rows);
        let id = template.id;
        self.remember(hash, slot);
        if self.fresh >= REFINE_FORMS_MIN.max(self.forms.len() / REFINE_SHARE) {
            self.refine();
            return self.templates.resolve(id).unwrap_or(PatternId::OVERFLOW);
        }
        id
    }

    fn remember(&mut self, hash: u64, slot: Slot) {
        if self.cache.len() >= self.limits.cache_max {
            self.cache.clear();
        }
        self.cache.insert(hash, slot);
    }

    /// The template of a text, as [`Self::place`] gives it; quick when its form is known and brings nothing new.
    fn place_text(&mut self, text: &str) -> Option<Slot> {
        self.former.cut(text, &self.limits);
        if let Some(nth) = self.by_key.get(&xxh3_64(self.former.key().as_bytes())) {
            let slot = self.forms[*nth as usize].slot;
            if !self.former.is_news(&self.templates.get(slot).pieces) {
                return Some(slot);
            }
        }
        let pieces = self.former.pieces();
        self.place(&pieces)
    }

    /// The template of a line, a new one when it has to be; `None` beyond the limits.
    pub(crate) fn place(&mut self, pieces: &[Piece]) -> Option<Slot> {
        let key = xxh3_64(form::key(pieces).as_bytes());
        if let Some(nth) = self.by_key.get(&key) {
            let slot = self.forms[*nth as usize].slot;
            generalize(&mut self.templates.get_mut(slot).pieces, pieces);
            return Some(slot);
        }
        let mut covering = self.templates.covering(pieces);
        if self.is_full() && self.fresh >= (self.limits.forms_max / ROOM_SHARE).max(1) {
            self.refine();
            self.thin();
            covering = self.templates.covering(pieces);
        }
        let keeps = self.forms.len() < self.limits.forms_max;
        let slot = match covering {
            Some(slot) => {
                let template = self.templates.get_mut(slot);
                if !keeps || template.forms >= self.limits.children_max {
                    template.closed = true;
                    return Some(slot);
                }
                template.forms += 1;
                slot
            }
            None if !keeps || self.templates.all.len() >= self.limits.templates_max => return None,
            None => self.templates.push(Template {
                id: self.templates.new_id(pieces, &[]),
                born: self.born,
                settled: false,
                closed: false,
                forms: 1,
                rows: 0,
                pieces: pieces.to_vec(),
            }),
        };
        self.born += 1;
        self.keep(key, pieces, slot);
        Some(slot)
    }

    fn is_full(&self) -> bool {
        self.forms.len() >= self.limits.forms_max || self.templates.all.len() >= self.limits.templates_max
    }

    /// Lets go of forms that the templates cover anyway.
    fn thin(&mut self) {
        let mut left = vec![self.limits.children_max / THIN_SHARE; self.templates.all.len()];
        let mut gone: HashSet<Slot> = HashSet::new();
        self.forms.retain(|form| {
            let left = &mut left[form.slot as usize];
            // A template has at least one form.
            let keeps = *left > 0 || self.templates.get(form.slot).forms <= 1;
            *left = left.saturating_sub(1);
            if !keeps {
                let template = self.templates.get_mut(form.slot);
                template.forms -= 1;
                template.closed = true;
                gone.insert(form.slot);
            }
            keeps
        });
        if !gone.is_empty() {
            self.index_forms();
        }
    }

    /// Forgets the patterns that `keep` does not want, as those that no row has had for long, to make room for others.
    pub fn retain(&mut self, mut keep: impl FnMut(PatternId) -> bool) {
        let keeps: Vec<bool> = self.templates.all.iter().map(|template| keep(template.id)).collect();
        let mut place = 0;
        let places: Vec<Slot> = keeps
            .iter()
            .map(|keeps| {
                let own = place;
                place += Slot::from(*keeps);
                own
            })
            .collect();
        let all = std::mem::take(&mut self.templates.all);
        self.templates.replace(all.into_iter().zip(&keeps).filter(|(_, keeps)| **keeps).map(|(all, _)| all).collect());
        self.forms.retain(|form| keeps[form.slot as usize]);
        self.forms.iter_mut().for_each(|form| form.slot = places[form.slot as usize]);
        self.index_forms();
        self.cache.clear();
    }

    fn index_forms(&mut self) {
        let key = |form: &Form| decode(&form.text).map(|pieces| xxh3_64(form::key(&pieces).as_bytes()));
        self.by_key = self.forms.iter().zip(0..).filter_map(|(form, nth)| Some((key(form)?, nth))).collect();
    }

    fn keep(&mut self, key: u64, pieces: &[Piece], slot: Slot) {
        self.insert(key, Form { text: encode(pieces).into(), slot });
        self.fresh += 1;
    }

    pub(crate) fn insert(&mut self, key: u64, form: Form) {
        self.by_key.insert(key, self.forms.len() as u32);
        self.forms.push(form);
    }

    /// The pattern of a text or shape, when it has one.
    pub fn find(&self, text: &str) -> Option<PatternId> {
        let slot = match self.cache.get(&xxh3_64(text.as_bytes())) {
            Some(slot) => Some(*slot),
            None => {
                let mut former = Former::default();
                former.cut(text, &self.limits);
                match self.by_key.get(&xxh3_64(former.key().as_bytes())) {
                    Some(nth) => Some(self.forms[*nth as usize].slot),
                    None => self.templates.covering(&former.pieces()),
                }
            }
        };
        slot.map(|slot| self.templates.get(slot).id)
    }

    pub(crate) fn find_pieces(&self, pieces: &[Piece]) -> Option<Slot> {
        match self.by_key.get(&xxh3_64(form::key(pieces).as_bytes())) {
            Some(nth) => Some(self.forms[*nth as usize].slot),
            None => self.templates.covering(pieces),
        }
    }

    /// Whether the rows of a text or shape are of this pattern.
    pub fn matches(&self, id: PatternId, text: &str) -> bool {
        let id = self.resolve(id);
        id.is_some() && self.find(text) == id
    }

    /// What an id is called now: itself, or what it became in a merge.
    pub fn resolve(&self, id: PatternId) -> Option<PatternId> {
        self.templates.resolve(id)
    }

    /// The pattern with this id, or with the one that replaced it.
    pub fn pattern(&self, id: PatternId) -> Option<Pattern> {
        self.templates.slot(id).map(|slot| shown(self.templates.get(slot)))
    }

    /// The template of a pattern as people read it.
    pub fn template(&self, id: PatternId) -> Option<String> {
        self.templates.slot(id).map(|slot| form::show(&self.templates.get(slot).pieces))
    }

    /// Words, as the index has them ([`shape::tokenize`]), that every line of the pattern holds. There may be none.
    pub fn required_words(&self, id: PatternId) -> Vec<String> {
        self.templates.slot(id).map_or_else(Vec::new, |slot| form::required_words(&self.templates.get(slot).pieces))
    }

    /// All patterns, in no particular order.
    pub fn patterns(&self) -> impl Iterator<Item = Pattern> {
        self.templates.all.iter().map(shown)
    }

    /// How many patterns there are.
    pub fn len(&self) -> usize {
        self.templates.all.len()
    }

    /// Whether nothing was learned.
    pub fn is_empty(&self) -> bool {
        self.templates.all.is_empty()
    }

    /// Rows that were learned beyond the limits.
    pub fn overflow_rows(&self) -> u64 {
        self.overflow_rows
    }

    /// Groups all that was learned again. It also happens by itself as more is learned; whoever has learned everything calls
    /// it once more.
    pub fn refine(&mut self) {
        if self.fresh == 0 {
            return;
        }
        let kept = self.forms.len();
        let mut lines: Vec<Vec<Piece>> = self.forms.iter().map(|form| decode(&form.text).unwrap_or_default()).collect();
        let closed = |slot: &Slot| self.templates.get(*slot).closed;
        let extra: Vec<Slot> = (0..self.templates.all.len() as Slot).filter(closed).collect();
        lines.extend(extra.iter().map(|slot| self.templates.get(*slot).pieces.clone()));
        let old: Vec<Slot> = self.forms.iter().map(|form| form.slot).chain(extra).collect();
        let groups = cluster(&lines, kept, &self.tuning);
        let members = members(&groups);
        let mut all: Vec<Template> = Vec::with_capacity(members.len());
        let heirs = heirs(&groups, &old, members.len(), self.templates.all.len());
        for (group, members) in members.iter().enumerate() {
            let template = self.regrouped(members, &lines, kept, &heirs, (group, &old));
            all.push(template);
        }
        distinguish(&mut all);
        let gone: Vec<PatternId> = self.templates.all.iter().map(|template| template.id).collect();
        self.templates.replace(all);
        for (from, heir) in gone.into_iter().zip(&heirs).filter(|(_, heir)| **heir < members.len()) {
            let to = self.templates.get(*heir as Slot).id;
            self.templates.alias(from, to, self.limits.aliases_max);
        }
        self.forms.iter_mut().zip(&groups).for_each(|(form, group)| form.slot = *group as Slot);
        self.cache.clear();
        self.fresh = 0;
    }

    /// The template of a group of forms, with the id of the oldest that it inherits from.
    fn regrouped(
        &self,
        members: &[usize],
        lines: &[Vec<Piece>],
        kept: usize,
        heirs: &[usize],
        (group, old): (usize, &[Slot]),
    ) -> Template {
        let mut pieces = lines[members[0]].clone();
        members[1..].iter().for_each(|nth| generalize(&mut pieces, &lines[*nth]));
        let mut from: Vec<Slot> =
            members.iter().map(|nth| old[*nth]).filter(|slot| heirs[*slot as usize] == group).collect();
        from.sort_unstable();
        from.dedup();
        let parents = || from.iter().map(|slot| self.templates.get(*slot));
        // What no refinement has seen yet is called by its template, whichever line came first.
        let id = match parents().filter(|parent| parent.settled).min_by_key(|parent| parent.born) {
            Some(parent) => parent.id,
            None if from.len() == 1 && members.len() == 1 => self.templates.get(from[0]).id,
            None => self.templates.new_id(&pieces, &from),
        };
        // Types of values are known to the parents from lines whose forms are alike.
        let length = pieces.len();
        parents()
            .filter(|parent| parent.pieces.len() == length)
            .for_each(|parent| soften_types(&mut pieces, &parent.pieces));
        Template {
            id,
            born: parents().map(|parent| parent.born).min().unwrap_or(self.born),
            settled: true,
            closed: parents().any(|parent| parent.closed),
            forms: members.iter().filter(|nth| **nth < kept).count(),
            rows: parents().map(|parent| parent.rows).fold(0, u64::saturating_add),
            pieces,
        }
    }
}

/// Sees that no two templates have one id.
fn distinguish(all: &mut [Template]) {
    let mut taken: HashSet<PatternId> = HashSet::new();
    for template in all {
        while !taken.insert(template.id) {
            template.id = template.id.next();
        }
    }
}

fn shown(template: &Template) -> Pattern {
    Pattern { id: template.id, template: form::show(&template.pieces), rows: template.rows }
}

/// The lines of each group.
fn members(groups: &[usize]) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); groups.iter().max().map_or(0, |max| max + 1)];
    groups.iter().enumerate().for_each(|(nth, group)| members[*group].push(nth));
    members
}

/// Which group a template lives on in: the one with most of its lines, the first of those.
fn heirs(groups: &[usize], old: &[Slot], new_count: usize, old_count: usize) -> Vec<usize> {
    let mut shares: HashMap<(Slot, usize), usize> = HashMap::new();
    for (group, slot) in groups.iter().zip(old) {
        *shares.entry((*slot, *group)).or_default() += 1;
    }
    let mut best = vec![(0, new_count); old_count];
    for ((slot, group), count) in shares {
        let now = &mut best[slot as usize];
        if count > now.0 || count == now.0 && group < now.1 {
            *now = (count, group);
        }
    }
    best.into_iter().map(|(_, group)| group).collect()
}

/// Takes over from an earlier template that values of several looks were seen.
fn soften_types(pieces: &mut [Piece], earlier: &[Piece]) {
    for (piece, earlier) in pieces.iter_mut().zip(earlier) {
        if piece.is_value() && earlier.is_value() && *piece != *earlier {
            *piece = Piece { kind: Kind::Value(Class::Any), text: String::new(), space: piece.space };
        }
    }
}
