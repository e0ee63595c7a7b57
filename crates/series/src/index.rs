//! The label index of one tenant: label pair -> series, in memory, over head and blocks alike.
//!
//! **Texts.** A name or value exists once: the keys of the dictionaries here are what the labels of every series point at.
//!
//! **Dictionaries.** The values of a label are a sorted map. A regular expression runs over it as an automaton ([`Walk`]): where the
//! automaton dies, every value that begins with the bytes read so far is passed over in one step, and a prefix that an expression
//! begins with is gone to directly. So `host-0001.*` of a million hosts looks at the hosts that it selects. Why not tantivy's term
//! dictionary, which segments of logs use: it is written once and then read, and these dictionaries take a new value with any
//! sample; it would be built anew with every flush of a tenant with churn, and need a sorted map for what came since all the same.
//!
//! **Postings.** Series of a value are a few sorted numbers, or a roaring bitmap where they are more than [`FEW_MAX`]: a bitmap takes
//! two bytes a series or less, and two of them meet without looking at each series.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Bound;
use std::sync::Arc;

use foldhash::quality::RandomState;
use hashbrown::HashTable;
use model::Labels;
use roaring::RoaringBitmap;

use crate::Matcher;
use crate::walk::Walk;

/// A series within its tenant. An id is used again when nothing holds samples under it any more.
pub(crate) type SeriesId = u32;

type Values = BTreeMap<Arc<str>, Postings>;

/// Series that are kept as a list.
const FEW_MAX: usize = 32;

/// The series of one label pair.
#[derive(Debug)]
enum Postings {
    /// Sorted.
    Few(Vec<SeriesId>),
    Many(Box<RoaringBitmap>),
}

impl Postings {
    fn len(&self) -> usize {
        match self {
            Self::Few(ids) => ids.len(),
            Self::Many(ids) => ids.len() as usize,
        }
    }

    fn insert(&mut self, id: SeriesId) {
        match self {
            Self::Few(ids) => {
                if let Err(at) = ids.binary_search(&id) {
                    ids.insert(at, id);
                }
                if ids.len() > FEW_MAX {
                    let mut many: RoaringBitmap = ids.iter().copied().collect();
                    many.optimize();
                    *self = Self::Many(Box::new(many));
                }
            }
            Self::Many(ids) => {
                // The series of a target come together, so that theirs are few runs. Looked for whenever there are twice as many.
                if ids.insert(id) && ids.len().is_power_of_two() {
                    ids.optimize();
                }
            }
        }
    }

    fn remove(&mut self, id: SeriesId) {
        match self {
            Self::Few(ids) => ids.retain(|known| *known != id),
            Self::Many(ids) => drop(ids.remove(id)),
        }
    }

    fn add_to(&self, all: &mut RoaringBitmap) {
        match self {
            Self::Few(ids) => all.extend(ids.iter().copied()),
            Self::Many(ids) => *all |= &**ids,
        }
    }

    fn within(&self, found: &RoaringBitmap) -> RoaringBitmap {
        match self {
            Self::Few(ids) => ids.iter().copied().filter(|id| found.contains(*id)).collect(),
            Self::Many(ids) => &**ids & found,
        }
    }
}

/// Label pair -> sorted ids.
#[derive(Debug, Default)]
pub(crate) struct LabelIndex {
    ids: HashTable<(Labels, SeriesId)>,
    /// The same by [`place_of`], for labels that came from here: nothing of them is looked at.
    places: HashTable<(usize, SeriesId)>,
    hasher: RandomState,
    postings: BTreeMap<Arc<str>, Values>,
    next: SeriesId,
    free: Vec<SeriesId>,
}

impl LabelIndex {
    pub(crate) fn id(&self, labels: &Labels) -> Option<SeriesId> {
        let place = place_of(labels);
        if let Some((_, id)) = self.places.find(self.hasher.hash_one(place), |(known, _)| *known == place) {
            return Some(*id);
        }
        let hash = hash(&self.hasher, bytes_of(labels));
        self.ids.find(hash, |(known, _)| known == labels).map(|(_, id)| *id)
    }

    /// The same by pairs that are sorted by name.
    pub(crate) fn id_of_pairs(&self, pairs: &[(&str, &str)]) -> Option<SeriesId> {
        let pairs = pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        self.find(pairs).map(|(_, id)| *id)
    }

    /// The labels of the series with just these pairs, in this order.
    pub(crate) fn labels(&self, pairs: &[(&[u8], &[u8])]) -> Option<&Labels> {
        self.find(pairs.iter().copied()).map(|(labels, _)| labels)
    }

    fn find<'a>(
        &self,
        pairs: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])> + Clone,
    ) -> Option<&(Labels, SeriesId)> {
        let hash = hash(&self.hasher, pairs.clone());
        let same = |known: &Labels| {
            known.len() == pairs.len() && bytes_of(known).zip(pairs.clone()).all(|(known, pair)| known == pair)
        };
        self.ids.find(hash, |(known, _)| same(known))
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds a series that is not there yet, and gives its labels with the texts of the index. `None` once four thousand million
    /// series are there.
    pub(crate) fn add<'a>(&mut self, pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Option<(SeriesId, Labels)> {
        let id = match self.free.pop() {
            Some(id) => id,
            None => {
                let id = self.next;
                self.next = self.next.checked_add(1)?;
                id
            }
        };
        let labels: Labels = pairs.map(|(name, value)| self.post(name, value, id)).collect();
        let (hasher, entry) = (&self.hasher, (labels.clone(), id));
        self.ids.insert_unique(hash(hasher, bytes_of(&labels)), entry, |(known, _)| hash(hasher, bytes_of(known)));
        let place = place_of(&labels);
        self.places.insert_unique(hasher.hash_one(place), (place, id), |(known, _)| hasher.hash_one(known));
        Some((id, labels))
    }

    /// Notes that a series has a label pair; gives its texts.
    fn post(&mut self, name: &str, value: &str, id: SeriesId) -> (Arc<str>, Arc<str>) {
        let name = match self.postings.get_key_value(name) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(name),
        };
        let values = self.postings.entry(Arc::clone(&name)).or_default();
        let value = match values.get_key_value(value) {
            Some((known, _)) => Arc::clone(known),
            None => Arc::from(value),
        };
        values.entry(Arc::clone(&value)).or_insert_with(|| Postings::Few(Vec::with_capacity(1))).insert(id);
        (name, value)
    }

    pub(crate) fn remove(&mut self, labels: &Labels) {
        let hash = hash(&self.hasher, bytes_of(labels));
        let Ok(entry) = self.ids.find_entry(hash, |(known, _)| known == labels) else { return };
        let ((known, id), _) = entry.remove();
        let place = place_of(&known);
        if let Ok(entry) = self.places.find_entry(self.hasher.hash_one(place), |(known, _)| *known == place) {
            entry.remove();
        }
        self.free.push(id);
        for (name, value) in labels.iter() {
            let Some(values) = self.postings.get_mut(name) else { continue };
            if let Some(ids) = values.get_mut(value) {
                ids.remove(id);
                if ids.len() == 0 {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.postings.remove(name);
            }
        }
    }

    /// The series that may satisfy the matchers; the caller checks the matchers that [`narrows`] says no to. `None` stands for
    /// every series.
    pub(crate) fn candidates(&self, matchers: &[Matcher]) -> Option<RoaringBitmap> {
        let mut lists: Vec<Vec<&Postings>> =
            matchers.iter().filter(|matcher| narrows(matcher)).map(|matcher| self.matching(matcher)).collect();
        lists.sort_by_cached_key(|lists| lists.iter().map(|ids| ids.len()).sum::<usize>());
        let mut lists = lists.into_iter();
        let mut found = union(&lists.next()?);
        for list in lists {
            // What is not found already is left out of each before they are joined: a join of all would look at every series of
            // every value, selected or not.
            let mut both = RoaringBitmap::new();
            list.iter().for_each(|ids| both |= ids.within(&found));
            found = both;
        }
        Some(found)
    }

    fn matching(&self, matcher: &Matcher) -> Vec<&Postings> {
        self.entries(matcher).into_iter().map(|(_, ids)| ids).collect()
    }

    /// The values of its label that a matcher accepts.
    pub(crate) fn accepted(&self, matcher: &Matcher) -> Vec<Arc<str>> {
        self.entries(matcher).into_iter().map(|(value, _)| Arc::clone(value)).collect()
    }

    fn entries(&self, matcher: &Matcher) -> Vec<(&Arc<str>, &Postings)> {
        let Some(values) = self.postings.get(matcher.name()) else { return Vec::new() };
        if let Some(accepted) = matcher.accepted_values() {
            return accepted.iter().filter_map(|value| values.get_key_value(value.as_str())).collect();
        }
        match matcher.automaton() {
            Some(automaton) => Walk::new(automaton).over(values),
            None => values.iter().filter(|(value, _)| matcher.matches(value)).collect(),
        }
    }

    /// Every label name.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.postings.keys()
    }

    /// Every value of a label with how many series carry it, in order.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, usize)> {
        let values = self.postings.range::<str, _>((Bound::Included(name), Bound::Included(name)));
        values.flat_map(|(_, values)| values.iter().map(|(value, ids)| (value, ids.len())))
    }

    /// How many series carry a label pair.
    pub(crate) fn count(&self, name: &str, value: &str) -> usize {
        self.postings.get(name).and_then(|values| values.get(value)).map_or(0, Postings::len)
    }
}

fn union(lists: &[&Postings]) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    lists.iter().for_each(|ids| ids.add_to(&mut all));
    all
}

/// Where labels are in memory. Clones share the place, so that equal places are equal labels for as long as one of them is held.
fn place_of(labels: &Labels) -> usize {
    labels.pairs().as_ptr().addr()
}

fn bytes_of(labels: &Labels) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
    labels.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

fn hash<'a>(hasher: &RandomState, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> u64 {
    let mut hasher = hasher.build_hasher();
    for (name, value) in pairs {
        hasher.write(name);
        // Lengths keep `ab` `c` apart from `a` `bc`.
        hasher.write_u64((name.len() as u64) << 32 | value.len() as u64);
        hasher.write(value);
    }
    hasher.finish()
}

/// Whether the postings alone decide a matcher: it is not satisfied by a series without the label.
pub(crate) fn narrows(matcher: &Matcher) -> bool {
    !matcher.matches("")
}
