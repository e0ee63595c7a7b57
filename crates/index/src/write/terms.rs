//! Tokens with row lists of their own, while a segment is indexed.

use xxhash_rust::xxh3::xxh3_64;

use crate::pack::{COARSE_DENSE, COARSE_ROWS};
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

/// A token and its rows. There are at most [`super::field::TERMS_MAX`] of a limited length, so 32 bits are enough.
pub(crate) struct Term {
    at: u32,
    len: u32,
    pub(crate) rows: TermRows,
}

/// The rows of a token, or only which blocks of [`COARSE_ROWS`] have it, when it is in so many rows that the file will have no
/// more of it: of 2 million log lines the lists of numbers as in addresses took half of all memory that an index was built in.
pub(crate) struct TermRows {
    list: RowsBuilder,
    /// Bytes of a list above which it is kept by blocks.
    dense_bytes: u32,
    /// Bytes of the list when it is looked at next.
    check_bytes: u32,
    /// With blocks only: how many rows there are, and the last one.
    rows: u32,
    last: u32,
}

impl TermRows {
    fn new(dense_bytes: u32) -> Self {
        Self { list: RowsBuilder::default(), dense_bytes, check_bytes: dense_bytes, rows: 0, last: 0 }
    }

    /// Whether only the blocks are known.
    pub(crate) fn is_coarse(&self) -> bool {
        self.rows > 0
    }

    /// Appends a row, which must not be below the last one; the last one again changes nothing.
    #[inline]
    pub(crate) fn push(&mut self, row: u32) {
        if self.rows > 0 {
            self.rows += u32::from(row != self.last);
            self.last = row;
            self.list.push(row / COARSE_ROWS);
            return;
        }
        self.list.push(row);
        if self.list.run_bytes() > self.check_bytes as usize {
            self.check(row);
        }
    }

    /// Turns rows into blocks if they are too many; `last` is the last row.
    #[cold]
    #[inline(never)]
    fn check(&mut self, last: u32) {
        if self.list.encoded_bytes() > self.dense_bytes as usize {
            (self.rows, self.last) = (self.list.len(), last);
            self.list = self.list.blocks(COARSE_ROWS.ilog2());
        } else {
            self.check_bytes += self.check_bytes / 8 + 1;
        }
    }

    /// How many rows have the token.
    pub(crate) fn len(&self) -> u32 {
        if self.is_coarse() { self.rows } else { self.list.len() }
    }

    /// The rows with those of the same word elsewhere, which are others.
    pub(crate) fn merged(mut self, mut more: Vec<u32>) -> Self {
        if self.is_coarse() {
            self.rows += more.len() as u32;
            more.iter_mut().for_each(|row| *row /= COARSE_ROWS);
        }
        self.list = self.list.merged(more);
        self
    }

    /// The rows, or the blocks.
    pub(crate) fn list(&self) -> &RowsBuilder {
        &self.list
    }
}

/// A list that takes more bytes than this in a segment of so many rows is kept by blocks.
pub(crate) fn dense_bytes(rows: u32) -> u32 {
    rows / COARSE_DENSE
}

/// The tokens of one field.
pub(crate) struct Terms {
    /// For [`TermRows`].
    dense_bytes: u32,
    /// By [`NUMBER_STARTS`]; empty until the first number.
    numbers: Vec<u32>,
    short: IdTable,
    long: IdTable,
    pub(crate) list: Vec<Term>,
    texts: Vec<u8>,
}

impl Terms {
    /// No tokens; [`dense_bytes`] of the segment, as far as its rows are known.
    pub(crate) fn new(dense_bytes: u32) -> Self {
        let (numbers, texts) = (Vec::new(), Vec::new());
        Self { dense_bytes, numbers, short: IdTable::default(), long: IdTable::default(), list: Vec::new(), texts }
    }

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
        let (at, len) = (self.texts.len() as u32, token.len() as u32);
        self.texts.extend_from_slice(token);
        self.list.push(Term { at, len, rows: TermRows::new(self.dense_bytes) });
        self.list.len() as u32 - 1
    }

    pub(crate) fn text(&self, id: u32) -> &[u8] {
        let Term { at, len, .. } = self.list[id as usize];
        &self.texts[at as usize..(at + len) as usize]
    }

    /// The rows of a term, which has none afterwards.
    pub(crate) fn take(&mut self, id: u32) -> TermRows {
        std::mem::replace(&mut self.list[id as usize].rows, TermRows::new(self.dense_bytes))
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
        let lists: usize = self.list.iter().map(|term| term.rows.list.memory_bytes()).sum();
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
