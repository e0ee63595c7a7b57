//! Distinct texts and their numbers.

use std::hash::{BuildHasher as _, RandomState};

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Distinct texts, numbered in the order of first appearance. One arena and one table of numbers: a text costs its bytes and
/// about 20 more, and looking one up allocates nothing. The hash is seeded, so that a sender cannot choose texts that collide.
#[derive(Clone, Debug)]
pub(crate) struct Interner {
    text: String,
    /// `ends[n]..ends[n + 1]` is text number `n`.
    ends: Vec<i32>,
    hashes: Vec<u64>,
    /// Numbers plus one by hash; zero is free. A power of two long, at most half full.
    table: Vec<u32>,
    seed: u64,
}

/// Size of the first table.
const TABLE_MIN: usize = 16;

impl Default for Interner {
    fn default() -> Self {
        let seed = RandomState::new().hash_one(0u64);
        Self { text: String::new(), ends: vec![0], hashes: Vec::new(), table: Vec::new(), seed }
    }
}

impl Interner {
    pub(crate) fn len(&self) -> usize {
        self.hashes.len()
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        let number = number as usize;
        &self.text[self.ends[number] as usize..self.ends[number + 1] as usize]
    }

    /// The number of a text, which is remembered if it is new.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        let hash = self.hash(text);
        self.find(text, hash).unwrap_or_else(|| self.insert(text, hash))
    }

    /// The number of a text; a new one is only remembered if `may_grow`.
    pub(crate) fn intern_if(&mut self, text: &str, may_grow: bool) -> Option<u32> {
        let hash = self.hash(text);
        let known = self.find(text, hash);
        if known.is_none() && may_grow { Some(self.insert(text, hash)) } else { known }
    }

    fn insert(&mut self, text: &str, hash: u64) -> u32 {
        if (self.len() + 1) * 2 > self.table.len() {
            self.grow();
        }
        let number = self.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len() as i32);
        self.hashes.push(hash);
        place(&mut self.table, hash, number);
        number
    }

    /// The texts and where each ends, with a leading zero: what an Arrow array of them is made of.
    pub(crate) fn into_parts(self) -> (String, Vec<i32>) {
        (self.text, self.ends)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.text.capacity() + self.ends.capacity() * 4 + self.hashes.capacity() * 8 + self.table.capacity() * 4
    }

    fn hash(&self, text: &str) -> u64 {
        xxh3_64_with_seed(text.as_bytes(), self.seed)
    }

    fn find(&self, text: &str, hash: u64) -> Option<u32> {
        let mask = self.table.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let number = self.table[at].checked_sub(1)?;
            if self.hashes[number as usize] == hash && self.get(number) == text {
                return Some(number);
            }
            at = (at + 1) & mask;
        }
    }

    fn grow(&mut self) {
        let mut table = vec![0; (self.table.len() * 2).max(TABLE_MIN)];
        for (number, hash) in self.hashes.iter().enumerate() {
            place(&mut table, *hash, number as u32);
        }
        self.table = table;
    }
}

/// Puts a number into the first free place at or after its hash.
fn place(table: &mut [u32], hash: u64, number: u32) {
    let mask = table.len() - 1;
    let mut at = hash as usize & mask;
    while table[at] != 0 {
        at = (at + 1) & mask;
    }
    table[at] = number + 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_keep_their_numbers() {
        let mut interner = Interner::default();
        assert_eq!(interner.intern_if("a", false), None);
        for round in 0..2 {
            for n in 0..1000 {
                assert_eq!(interner.intern(&format!("text {n}")), n, "round {round}");
            }
        }
        assert_eq!((interner.len(), interner.get(999)), (1000, "text 999"));
        assert_eq!(interner.intern_if("text 7", false), Some(7));
        assert_eq!(interner.intern(""), 1000);
        assert_eq!(interner.intern_if("x", true), Some(1001));
    }
}
