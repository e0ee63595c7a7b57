//! Tokens with row lists of their own, while a segment is indexed.

use xxhash_rust::xxh3::xxh3_64;

use crate::rows::RowsBuilder;
use crate::table::{self, IdTable};

/// Most digits of a number that is found by its value in an array instead of by a hash.
pub(crate) const NUMBER_DIGITS_MAX: usize = 4;

/// Where the numbers of each length begin in that array: `7`, `07` and `007` are three tokens.
const NUMBER_STARTS: [usize; NUMBER_DIGITS_MAX + 1] = [0, 10, 110, 1_110, 11_110];

/// Longest token that is hashed as one number.
const SHORT_BYTES_MAX: usize = 8;

/// No term.
const NONE: u32 = u32::MAX;

/// A token and its rows.
pub(crate) struct Term {
    at: usize,
    len: usize,
    pub(crate) rows: RowsBuilder,
}

/// The tokens of one field.
#[derive(Default)]
pub(crate) struct Terms {
    /// By [`NUMBER_STARTS`]; empty until the first number.
    numbers: Vec<u32>,
    short: IdTable,
    long: IdTable,
    pub(crate) list: Vec<Term>,
    texts: Vec<u8>,
}

impl Terms {
    /// The term of a token of one to [`NUMBER_DIGITS_MAX`] digits.
    pub(crate) fn number(&mut self, digits: &[u8]) -> u32 {
        let value = digits.iter().fold(0, |n, digit| n * 10 + usize::from(digit - b'0'));
        let at = NUMBER_STARTS[digits.len() - 1] + value;
        if self.numbers.len() <= at {
            let len = NUMBER_STARTS.into_iter().find(|end| *end > at).unwrap_or(at + 1);
            self.numbers.resize(len, NONE);
        }
        if self.numbers[at] == NONE {
            self.numbers[at] = self.push(digits);
        }
        self.numbers[at]
    }

    /// The term of a token. A token may be asked for either here or by [`Self::number`], not both.
    pub(crate) fn get(&mut self, token: &[u8]) -> u32 {
        if let Some(key) = short_key(token) {
            let hash = table::mix(key);
            let found = self.short.find(hash, |id| self.text(id) == token);
            return found.unwrap_or_else(|| {
                let id = self.push(token);
                self.short.insert(hash, id);
                id
            });
        }
        let hash = xxh3_64(token);
        let found = self.long.find(hash, |id| self.text(id) == token);
        found.unwrap_or_else(|| {
            let id = self.push(token);
            self.long.insert(hash, id);
            id
        })
    }

    fn push(&mut self, token: &[u8]) -> u32 {
        let at = self.texts.len();
        self.texts.extend_from_slice(token);
        self.list.push(Term { at, len: token.len(), rows: RowsBuilder::default() });
        self.list.len() as u32 - 1
    }

    pub(crate) fn text(&self, id: u32) -> &[u8] {
        let term = &self.list[id as usize];
        &self.texts[term.at..term.at + term.len]
    }

    /// All terms in the order of their tokens.
    pub(crate) fn in_order(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..self.list.len() as u32).collect();
        ids.sort_unstable_by_key(|id| self.text(*id));
        ids
    }

    /// Frees what only finding needs; nothing is found or added afterwards.
    pub(crate) fn free_tables(&mut self) {
        (self.numbers, self.short, self.long) = Default::default();
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let lists: usize = self.list.iter().map(|term| term.rows.memory_bytes()).sum();
        let tables = self.short.memory_bytes() + self.long.memory_bytes() + self.numbers.capacity() * size_of::<u32>();
        lists + tables + self.texts.capacity() + self.list.capacity() * size_of::<Term>()
    }
}

/// A token of up to eight bytes as a number; no token holds a zero byte.
fn short_key(token: &[u8]) -> Option<u64> {
    if token.len() > SHORT_BYTES_MAX {
        return None;
    }
    let mut bytes = [0; SHORT_BYTES_MAX];
    bytes[..token.len()].copy_from_slice(token);
    Some(u64::from_le_bytes(bytes))
}
