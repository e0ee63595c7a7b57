//! The distinct texts of a column over all sources.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{Array as _, DictionaryArray, Int32Array, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::GatherError;
use super::parts::{Cells, Dict, Part};
use super::plan::{Place, Plan};

/// Most texts that an output batch's dictionary takes over from the batch before. Then the numbering starts anew, so a
/// column of many distinct texts costs each batch its own texts and not those of all before it.
const TEXTS_MAX: usize = 8 * 1024;

/// Most numbers of sources that are remembered with ours. A long merge reads many sources, each with its own numbers; past
/// this they are looked up again.
const NUMBERS_KEPT_MAX: usize = 1 << 20;

/// A number of a source that has not been looked up yet.
const UNKNOWN: i32 = -1;

/// A number that stands for null.
const NULL: i32 = -2;

/// The texts, and for each source which of its numbers is which of ours.
#[derive(Default)]
pub(super) struct Dictionary {
    codes: HashMap<Box<str>, i32, Seed>,
    text: Vec<u8>,
    ends: Vec<i32>,
    /// Our numbers of the sources' numbers, source after source.
    known: Vec<i32>,
    /// Where those of each source begin; `None` until the source is used.
    starts: Vec<Option<usize>>,
    /// The texts as an array; `None` after one was added.
    values: Option<Arc<StringArray>>,
}

impl Dictionary {
    /// The source's number is another batch's now.
    pub(super) fn forget(&mut self, source: usize) {
        if self.starts.len() <= source {
            self.starts.resize(source + 1, None);
        }
        self.starts[source] = None;
    }

    /// The picked rows as a dictionary.
    pub(super) fn gather(&mut self, parts: &[Part], plan: &Plan) -> Result<DictionaryArray<Int32Type>, GatherError> {
        self.make_room();
        let mut out = vec![NULL; plan.rows];
        for (source, places) in plan.groups() {
            match &parts[source].cells {
                Cells::Dict(dict) => self.translate(source, dict, places, &mut out)?,
                Cells::Plain(_) => self.number(&parts[source], places, &mut out)?,
                _ => {}
            }
        }
        let keys = match out.contains(&NULL) {
            false => Int32Array::new(ScalarBuffer::from(out), None),
            true => {
                let valid = NullBuffer::from_iter(out.iter().map(|code| *code != NULL));
                out.iter_mut().for_each(|code| *code = (*code).max(0));
                Int32Array::new(ScalarBuffer::from(out), Some(valid))
            }
        };
        Ok(DictionaryArray::try_new(keys, self.values()?)?)
    }

    /// Starts anew where the last batches left too much.
    fn make_room(&mut self) {
        let restart = self.ends.len() > TEXTS_MAX;
        if restart {
            self.codes.clear();
            self.text.clear();
            self.ends.clear();
            self.values = None;
        }
        if restart || self.known.len() > NUMBERS_KEPT_MAX {
            self.known.clear();
            self.starts.iter_mut().for_each(|start| *start = None);
        }
    }

    /// Puts our numbers where the rows of a source go.
    fn translate(&mut self, source: usize, dict: &Dict, places: &[Place], out: &mut [i32]) -> Result<(), GatherError> {
        let start = *self.starts[source].get_or_insert(self.known.len());
        if start == self.known.len() {
            self.known.resize(start + dict.values.len(), UNKNOWN);
        }
        let keys: &[i32] = &dict.keys;
        for (row, to) in places.iter().flat_map(Place::each) {
            if dict.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let key = keys[row] as usize;
            let mut code = self.known[start + key];
            if code == UNKNOWN {
                code = if dict.values.is_null(key) { NULL } else { self.code(dict.values.value(key))? };
                self.known[start + key] = code;
            }
            out[to] = code;
        }
        Ok(())
    }

    /// Looks up the number of each text of a plain column.
    fn number(&mut self, part: &Part, places: &[Place], out: &mut [i32]) -> Result<(), GatherError> {
        let Cells::Plain(texts) = &part.cells else { return Ok(()) };
        for (row, to) in places.iter().flat_map(Place::each) {
            if part.nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                out[to] = self.code(texts.value(row))?;
            }
        }
        Ok(())
    }

    fn code(&mut self, text: &str) -> Result<i32, GatherError> {
        if let Some(code) = self.codes.get(text) {
            return Ok(*code);
        }
        let code = i32::try_from(self.ends.len()).map_err(|_| GatherError::TooLarge)?;
        self.ends.push(i32::try_from(self.text.len() + text.len()).map_err(|_| GatherError::TooLarge)?);
        self.text.extend_from_slice(text.as_bytes());
        self.codes.insert(text.into(), code);
        self.values = None;
        Ok(code)
    }

    fn values(&mut self) -> Result<Arc<StringArray>, GatherError> {
        if let Some(values) = &self.values {
            return Ok(values.clone());
        }
        let offsets: Vec<i32> = std::iter::once(0).chain(self.ends.iter().copied()).collect();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        let values = Arc::new(StringArray::try_new(offsets, Buffer::from_slice_ref(&self.text), None)?);
        self.values = Some(values.clone());
        Ok(values)
    }
}

/// XXH3, several times as fast for short texts as the standard library's hash and seeded like it, so that a sender cannot
/// choose texts that collide.
#[derive(Clone)]
struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().hash_one(0u64))
    }
}

impl BuildHasher for Seed {
    type Hasher = Xxh3Hash;

    fn build_hasher(&self) -> Xxh3Hash {
        Xxh3Hash(self.0)
    }
}

struct Xxh3Hash(u64);

impl Hasher for Xxh3Hash {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    /// A text ends with such a byte; there is one text in a hash, so it says nothing.
    fn write_u8(&mut self, _: u8) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
