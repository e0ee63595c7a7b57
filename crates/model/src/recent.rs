//! Things that were made lately and are likely to be wanted again.

use std::borrow::Borrow;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

/// A few things that cost much to make and little to copy, each under a key; the one that was made first goes first. For tens of them: it looks
/// through all.
#[derive(Debug)]
pub struct Recent<K, V> {
    max: usize,
    items: Mutex<VecDeque<(K, V)>>,
}

impl<K, V: Clone> Recent<K, V> {
    /// Room for so many.
    pub const fn new(max: usize) -> Self {
        Self { max, items: Mutex::new(VecDeque::new()) }
    }

    /// A copy of the thing under a key.
    pub fn get<Q: PartialEq + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        // Nobody panics while it is held.
        let items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        items.iter().find(|(known, _)| known.borrow() == key).map(|(_, value)| value.clone())
    }

    /// Keeps a thing under a key that was not there; two that are kept at the same time do no harm.
    pub fn keep(&self, key: K, value: V) {
        let mut items = self.items.lock().unwrap_or_else(PoisonError::into_inner);
        if items.len() >= self.max {
            items.pop_front();
        }
        items.push_back((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_one_goes_first() {
        let recent: Recent<String, u32> = Recent::new(2);
        assert_eq!(recent.get("a"), None);
        recent.keep("a".to_owned(), 1);
        recent.keep("b".to_owned(), 2);
        assert_eq!((recent.get("a"), recent.get("b")), (Some(1), Some(2)));
        recent.keep("c".to_owned(), 3);
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (None, Some(2), Some(3)));
    }
}
