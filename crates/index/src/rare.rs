//! Words of letters that stand in one or two rows, with those rows.
//!
//! There are many of them (free text, names, typing errors) and hardly one is ever asked for, so they are kept small and a
//! question reads one block of them. A filter would be smaller still, two bytes a word; but it answers with a page of rows,
//! and somebody who looks for a word in 37 of 20 million lines would have 67,000 of them read for nothing.
//!
//! A block is [`BLOCK_WORDS`] words in order: the length of the words, packed; the words, front-coded and packed with zstd;
//! then for each word a bit that says whether it has two rows, and its rows, each in as many bits as the greatest row of the
//! segment needs. The directory has of each block its first word and its lengths. A word stands behind the number of its
//! field, as terms do.

use crate::pack::{Compressed, Packed, Span};
use crate::rows::{BitReader, BitWriter};
use crate::varint::{self, Input};
use crate::{IndexError, TOKEN_BYTES_MAX};

/// Most rows of a word that is kept here. A word in three rows takes as much as a term as it would here.
pub(crate) const RARE_ROWS_MAX: usize = 2;

/// Words of a block: unpacking one takes some ten microseconds, and larger ones pack hardly better.
const BLOCK_WORDS: usize = 256;

/// Longest key: a token behind the number of its field.
const KEY_BYTES_MAX: usize = TOKEN_BYTES_MAX + FIELD_BYTES;

/// Bytes of a field's number.
const FIELD_BYTES: usize = 2;

/// Most bytes of a block's words, unpacked: each is a whole key and two lengths.
const BLOCK_BYTES_MAX: usize = BLOCK_WORDS * (KEY_BYTES_MAX + 4);

/// How hard words are packed.
const ZSTD_LEVEL: i32 = 9;

/// The rows of a word, ascending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RareRows {
    first: u32,
    second: Option<u32>,
}

impl RareRows {
    /// `None` when there are none or too many; ascending rows, each once.
    pub(crate) fn new(mut rows: impl Iterator<Item = u32>) -> Option<Self> {
        let (first, second) = (rows.next()?, rows.next());
        rows.next().is_none().then_some(Self { first, second })
    }

    pub(crate) fn len(self) -> u64 {
        1 + u64::from(self.second.is_some())
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = u32> {
        [self.first].into_iter().chain(self.second)
    }
}

/// Bits of a row's number in a segment of so many rows.
fn row_bits(rows: u32) -> u32 {
    u32::BITS - rows.saturating_sub(1).leading_zeros()
}

/// Makes the blocks; words are added in the order of their keys, each once.
pub(crate) struct RareBuilder {
    row_bits: u32,
    /// Words of the block that is open, front-coded.
    words: Vec<u8>,
    rows: Vec<RareRows>,
    last: Vec<u8>,
    /// Finished blocks.
    pub(crate) bytes: Vec<u8>,
    pub(crate) directory: Vec<u8>,
}

impl RareBuilder {
    pub(crate) fn new(rows: u32) -> Self {
        let (words, bytes, directory) = (Vec::new(), Vec::new(), Vec::new());
        Self { row_bits: row_bits(rows), words, rows: Vec::new(), last: Vec::new(), bytes, directory }
    }

    pub(crate) fn add(&mut self, key: &[u8], rows: RareRows) -> Result<(), IndexError> {
        if self.rows.is_empty() {
            varint::put(&mut self.directory, key.len() as u64);
            self.directory.extend_from_slice(key);
        }
        let shared = key.iter().zip(&self.last).take_while(|(a, b)| a == b).count();
        varint::put(&mut self.words, shared as u64);
        varint::put(&mut self.words, (key.len() - shared) as u64);
        self.words.extend_from_slice(&key[shared..]);
        self.last.truncate(shared);
        self.last.extend_from_slice(&key[shared..]);
        self.rows.push(rows);
        if self.rows.len() == BLOCK_WORDS { self.end_block() } else { Ok(()) }
    }

    /// Ends the block that is open, if one is.
    pub(crate) fn end_block(&mut self) -> Result<(), IndexError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let packed = zstd::bulk::compress(&self.words, ZSTD_LEVEL)?;
        let at = self.bytes.len();
        varint::put(&mut self.bytes, packed.len() as u64);
        self.bytes.extend_from_slice(&packed);
        let mut bits = BitWriter::new(&mut self.bytes);
        for rows in self.rows.drain(..) {
            bits.put(rows.second.is_some().into(), 1);
            rows.iter().for_each(|row| bits.put(row.into(), self.row_bits));
        }
        bits.finish();
        varint::put(&mut self.directory, (self.bytes.len() - at) as u64);
        self.words.clear();
        self.last.clear();
        Ok(())
    }
}

/// Called with words and their rows; says whether to go on.
pub(crate) type Each<'a> = &'a mut dyn FnMut(&[u8], RareRows) -> Result<bool, IndexError>;

/// The blocks of an index; only the directory is in memory.
#[derive(Debug, Default)]
pub(crate) struct Rares {
    blocks: Vec<Block>,
    place: Span,
    rows: u32,
}

#[derive(Debug)]
struct Block {
    first: Box<[u8]>,
    /// Where the block is among all.
    start: u64,
    end: u64,
}

impl Rares {
    pub(crate) fn read(packed: &Packed, directory: Compressed, place: Span) -> Result<Self, IndexError> {
        let mut out = Self { blocks: Vec::new(), place, rows: packed.header.rows };
        if directory.span.is_empty() {
            return Ok(out);
        }
        let directory = packed.decompress(directory)?;
        let mut input = Input(&directory);
        let mut end = 0u64;
        while !input.is_empty() {
            let len = input.count()?;
            let first = input.bytes(len)?.into();
            let start = end;
            end = start.saturating_add(input.number()?);
            out.blocks.push(Block { first, start, end });
        }
        if end != place.1 || !out.blocks.is_sorted_by(|a, b| a.first < b.first) {
            return Err(damaged("blocks of other lengths or out of order"));
        }
        Ok(out)
    }

    /// The rows of a word.
    pub(crate) fn find(&self, packed: &Packed, key: &[u8]) -> Result<Option<RareRows>, IndexError> {
        let mut found = None;
        let after = self.blocks.partition_point(|block| *block.first <= *key);
        if let Some(nth) = after.checked_sub(1) {
            self.block(packed, nth, &mut |word, rows| {
                if word == key {
                    found = Some(rows);
                }
                Ok(word < key)
            })?;
        }
        Ok(found)
    }

    /// Calls `each` with the words that begin so, in order, until it says that it is enough.
    pub(crate) fn range(&self, packed: &Packed, prefix: &[u8], each: Each<'_>) -> Result<(), IndexError> {
        let after = self.blocks.partition_point(|block| *block.first <= *prefix);
        for nth in after.saturating_sub(1)..self.blocks.len() {
            let goes_on = self.block(packed, nth, &mut |word, rows| match word.starts_with(prefix) {
                true => each(word, rows),
                false => Ok(word < prefix),
            })?;
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Calls `each` with the words of a block, until it says that it is enough; whether it never did.
    fn block(&self, packed: &Packed, nth: usize, each: Each<'_>) -> Result<bool, IndexError> {
        let Some(Block { first, start, end }) = self.blocks.get(nth) else { return Ok(false) };
        let bytes = packed.read_in(self.place, *start..*end)?;
        let mut input = Input(&bytes);
        let len = input.count()?;
        let words = zstd::bulk::decompress(input.bytes(len)?, BLOCK_BYTES_MAX).map_err(IndexError::reading)?;
        let mut bits = BitReader::new(input.0);
        let mut input = Input(&words);
        let mut word = Vec::with_capacity(KEY_BYTES_MAX);
        let mut is_first = true;
        while !input.is_empty() {
            let shared = usize::try_from(input.number()?).map_err(IndexError::reading)?;
            let more = input.count()?;
            let rest = input.bytes(more)?;
            if shared > word.len() || shared + more > KEY_BYTES_MAX || (!is_first && rest <= &word[shared..]) {
                return Err(damaged("words out of order"));
            }
            word.truncate(shared);
            word.extend_from_slice(rest);
            if std::mem::take(&mut is_first) && *word != **first {
                return Err(damaged("a block with another first word"));
            }
            if !each(&word, self.rows_of(&mut bits)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn rows_of(&self, bits: &mut BitReader<'_>) -> Result<RareRows, IndexError> {
        let width = row_bits(self.rows);
        let mut next = |len| {
            bits.fill();
            bits.take(len) as u32
        };
        let two = next(1) == 1;
        let first = next(width);
        let second = two.then(|| next(width));
        let last = second.unwrap_or(first);
        if bits.is_over() || last >= self.rows || second.is_some_and(|second| second <= first) {
            return Err(damaged("a row that is not there"));
        }
        Ok(RareRows { first, second })
    }
}

fn damaged(what: &str) -> IndexError {
    IndexError::Corrupt(format!("{what} among the rare words"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::pack::{Header, Output};

    const ROWS: u32 = 70_000;

    fn built(words: &BTreeMap<Vec<u8>, RareRows>) -> RareBuilder {
        let mut builder = RareBuilder::new(ROWS);
        words.iter().for_each(|(word, rows)| builder.add(word, *rows).unwrap());
        builder.end_block().unwrap();
        builder
    }

    /// A file with nothing else in it.
    fn packed(directory: &[u8], blocks: &[u8]) -> Packed {
        let mut file = Vec::new();
        let mut out = Output::new(&mut file).unwrap();
        let rares = (out.append_compressed([directory].into_iter()).unwrap(), out.append(blocks).unwrap());
        out.finish(&Header { rows: ROWS, rares, ..Header::default() }).unwrap();
        Packed::open(file.into()).unwrap()
    }

    fn open(packed: &Packed) -> Result<Rares, IndexError> {
        Rares::read(packed, packed.header.rares.0, packed.header.rares.1)
    }

    fn words() -> impl Strategy<Value = BTreeMap<Vec<u8>, RareRows>> {
        let rows = (0..ROWS - 1, 0..ROWS)
            .prop_map(|(first, second)| RareRows { first, second: Some(second).filter(|second| *second > first) });
        proptest::collection::btree_map("[a-c]{1,6}|é{0,3}[a-z]{1,3}".prop_map(String::into_bytes), rows, 0..700)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn every_word_is_found_and_no_other(words in words()) {
            let builder = built(&words);
            let packed = packed(&builder.directory, &builder.bytes);
            let rares = open(&packed).unwrap();
            for (word, rows) in &words {
                prop_assert_eq!(rares.find(&packed, word).unwrap(), Some(*rows));
                let absent = [word, &b"!"[..]].concat();
                prop_assert_eq!(rares.find(&packed, &absent).unwrap(), None);
            }
            for prefix in ["", "a", "bc", "cab", "é", "zz"] {
                let mut found = BTreeMap::new();
                rares.range(&packed, prefix.as_bytes(), &mut |word, rows| {
                    found.insert(word.to_vec(), rows);
                    Ok(true)
                }).unwrap();
                let mut want = words.clone();
                want.retain(|word, _| word.starts_with(prefix.as_bytes()));
                prop_assert_eq!(found, want, "{}", prefix);
            }
        }

        #[test]
        fn damage_is_an_error_or_other_words(words in words(), at in any::<prop::sample::Index>(), bit in 0..8, what in 0..3) {
            let RareBuilder { mut directory, mut bytes, .. } = built(&words);
            prop_assume!(!bytes.is_empty());
            let (in_directory, in_bytes) = (at.index(directory.len()), at.index(bytes.len()));
            match what {
                0 => directory[in_directory] ^= 1u8 << bit,
                1 => bytes[in_bytes] ^= 1u8 << bit,
                _ => bytes.truncate(in_bytes),
            }
            let packed = packed(&directory, &bytes);
            let Ok(rares) = open(&packed) else { return Ok(()) };
            for word in words.keys().step_by(50) {
                let _ = rares.find(&packed, word);
            }
            let _ = rares.range(&packed, b"", &mut |word, rows| {
                assert!(word.len() <= KEY_BYTES_MAX && rows.iter().all(|row| row < ROWS));
                Ok(true)
            });
        }
    }
}
