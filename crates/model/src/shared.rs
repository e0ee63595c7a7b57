//! Lists that readers share instead of copying them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A part of a list that does not change as long as somebody shares it. Copies cost nothing, and what has to write gets a list of its own.
pub struct SharedSlice<T> {
    list: Arc<Vec<T>>,
    from: usize,
    to: usize,
}

impl<T> SharedSlice<T> {
    /// A whole list.
    pub fn new(list: Arc<Vec<T>>) -> Self {
        let to = list.len();
        Self { list, from: 0, to }
    }

    /// The part from one place to before another, both within this one.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        let to = to.min(self.len());
        let from = from.min(to);
        Self { list: Arc::clone(&self.list), from: self.from + from, to: self.from + to }
    }

    /// Whether both are the same part of the same list, which says nothing of what is in them when they are not.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.list, &other.list) && (self.from, self.to) == (other.from, other.to)
    }
}

impl<T: Clone> SharedSlice<T> {
    /// Changes the list; if others share it, a copy.
    pub fn change<R>(&mut self, change: impl FnOnce(&mut Vec<T>) -> R) -> R {
        let mut list = std::mem::take(self).into_vec();
        let result = change(&mut list);
        *self = Self::from(list);
        result
    }

    /// The list for one who keeps it.
    pub fn into_vec(self) -> Vec<T> {
        let is_whole = self.from == 0 && self.to == self.list.len();
        if !is_whole {
            return self.to_vec();
        }
        Arc::try_unwrap(self.list).unwrap_or_else(|shared| shared.to_vec())
    }
}

impl<T> Deref for SharedSlice<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.list[self.from..self.to]
    }
}

impl<T> Clone for SharedSlice<T> {
    fn clone(&self) -> Self {
        Self { list: Arc::clone(&self.list), from: self.from, to: self.to }
    }
}

impl<T> Default for SharedSlice<T> {
    fn default() -> Self {
        Self::from(Vec::new())
    }
}

impl<T> From<Vec<T>> for SharedSlice<T> {
    fn from(list: Vec<T>) -> Self {
        Self::new(Arc::new(list))
    }
}

impl<T> FromIterator<T> for SharedSlice<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::from(items.into_iter().collect::<Vec<T>>())
    }
}

impl<'a, T> IntoIterator for &'a SharedSlice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq> PartialEq for SharedSlice<T> {
    fn eq(&self, other: &Self) -> bool {
        self[..] == other[..]
    }
}

impl<T: PartialEq> PartialEq<Vec<T>> for SharedSlice<T> {
    fn eq(&self, other: &Vec<T>) -> bool {
        self[..] == other[..]
    }
}

impl<T: PartialEq, const N: usize> PartialEq<[T; N]> for SharedSlice<T> {
    fn eq(&self, other: &[T; N]) -> bool {
        self[..] == other[..]
    }
}

impl<T: fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self[..].fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_writes_gets_a_list_of_its_own() {
        let whole: SharedSlice<i32> = (0..10).collect();
        let mut part = whole.part(2, 5);
        assert_eq!(part[..], [2, 3, 4]);
        assert!(part.is_same(&whole.part(1, 9).part(1, 4)));
        assert!(!part.is_same(&whole.part(2, 6)));
        part.change(|list| list.push(7));
        part.change(|list| list.retain(|number| *number != 3));
        assert_eq!((part.clone().into_vec(), part.len()), (vec![2, 4, 7], 3));
        assert_eq!(part.part(1, 3)[..], [4, 7]);
        assert_eq!(whole.len(), 10, "the other one is what it was");
        assert_eq!(whole.part(8, 99)[..], [8, 9], "never beyond its end");
        assert_eq!(whole.part(9, 3).len(), 0);
        let mut own = SharedSlice::from(vec![1, 2]);
        let place = own.as_ptr();
        own.change(|list| list[0] = 5);
        assert_eq!((own.as_ptr(), own.into_vec()), (place, vec![5, 2]), "nothing is copied for nobody");
        assert_eq!(SharedSlice::<u8>::default().len(), 0);
    }
}
