//! The label index of one tenant: label pair -> series, in memory, over head and blocks alike.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use model::Labels;

use crate::Matcher;

/// A series within its tenant; ids are never used twice, so that postings stay sorted by appending.
pub(crate) type SeriesId = u32;

type Values = BTreeMap<Arc<str>, Vec<SeriesId>>;

/// Label pair -> sorted ids.
#[derive(Debug, Default)]
pub(crate) struct LabelIndex {
    ids: HashMap<Labels, SeriesId>,
    postings: BTreeMap<Arc<str>, Values>,
    next: SeriesId,
}

impl LabelIndex {
    pub(crate) fn id(&self, labels: &Labels) -> Option<SeriesId> {
        self.ids.get(labels).copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Adds a series that is not there yet. `None` once four thousand million series have come and gone.
    pub(crate) fn add(&mut self, labels: &Labels) -> Option<SeriesId> {
        let id = self.next;
        self.next = self.next.checked_add(1)?;
        self.ids.insert(labels.clone(), id);
        for (name, value) in labels.pairs() {
            let values = match self.postings.get_mut(name) {
                Some(values) => values,
                None => self.postings.entry(name.clone()).or_default(),
            };
            match values.get_mut(value) {
                Some(ids) => ids.push(id),
                None => drop(values.insert(value.clone(), vec![id])),
            }
        }
        Some(id)
    }

    pub(crate) fn remove(&mut self, labels: &Labels) {
        let Some(id) = self.ids.remove(labels) else { return };
        for (name, value) in labels.pairs() {
            let Some(values) = self.postings.get_mut(name) else { continue };
            if let Some(ids) = values.get_mut(value) {
                if let Ok(at) = ids.binary_search(&id) {
                    ids.remove(at);
                }
                if ids.is_empty() {
                    values.remove(value);
                }
            }
            if values.is_empty() {
                self.postings.remove(name);
            }
        }
    }

    /// The series that may satisfy the matchers, sorted; the caller checks the matchers that [`narrows`] says no to.
    /// `None` stands for every series.
    pub(crate) fn candidates(&self, matchers: &[Matcher]) -> Option<Vec<SeriesId>> {
        let mut lists: Vec<Vec<SeriesId>> =
            matchers.iter().filter(|matcher| narrows(matcher)).map(|matcher| self.matching(matcher)).collect();
        lists.sort_by_key(Vec::len);
        let mut lists = lists.into_iter();
        let first = lists.next()?;
        Some(lists.fold(first, |ids, other| intersect(&ids, &other)))
    }

    fn matching(&self, matcher: &Matcher) -> Vec<SeriesId> {
        let Some(values) = self.postings.get(matcher.name()) else { return Vec::new() };
        let lists: Vec<&Vec<SeriesId>> = match matcher.accepted_values() {
            Some(accepted) => accepted.iter().filter_map(|value| values.get(value.as_str())).collect(),
            None => values.iter().filter(|(value, _)| matcher.matches(value)).map(|(_, ids)| ids).collect(),
        };
        if let [one] = lists[..] {
            return one.clone();
        }
        let mut ids: Vec<SeriesId> = lists.into_iter().flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
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
}

/// Whether the postings alone decide a matcher: it is not satisfied by a series without the label.
pub(crate) fn narrows(matcher: &Matcher) -> bool {
    !matcher.matches("")
}

fn intersect(small: &[SeriesId], large: &[SeriesId]) -> Vec<SeriesId> {
    small.iter().filter(|id| large.binary_search(id).is_ok()).copied().collect()
}
