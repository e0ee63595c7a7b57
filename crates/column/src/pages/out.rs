//! What a batch's column is built from: dense values first, which are then spread over the rows that have one.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, StringArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, NullBuffer, NullBufferBuilder};

use super::dictionary::strings;
use super::texts::TextPage;
use super::{Checked, Damage};
use crate::intern::Interner;

/// The values of one leaf column of a batch.
pub(super) struct Out {
    pub(super) values: OutValues,
    /// Of the values.
    pub(super) nulls: NullBufferBuilder,
    /// Of a repeated leaf: where each row's values begin and end, and which rows have no list.
    pub(super) lists: Option<Lists>,
}

impl Out {
    /// Whether rows that nobody wants may be appended and dropped again. A list would need more than that; and texts that
    /// become keys would be remembered for nothing.
    pub(super) fn can_compact(&self, are_texts: bool) -> bool {
        self.lists.is_none() && !(are_texts && matches!(self.values, OutValues::Keys(_)))
    }

    /// Keeps of the rows from `start` on those of the runs, `wanted` in all. Those are counted from `base`.
    pub(super) fn compact(&mut self, start: usize, base: usize, runs: &[Range<usize>], wanted: usize) {
        let runs = runs.iter().map(|run| start + run.start - base..start + run.end - base);
        match &mut self.values {
            OutValues::Numbers(numbers) => compact(numbers, start, runs.clone()),
            OutValues::Keys(keys) => compact(&mut keys.keys, start, runs.clone()),
            OutValues::Texts(texts) => texts.compact(start, runs.clone()),
            OutValues::Flags(flags) => {
                let kept: Vec<bool> = runs.clone().flatten().map(|row| flags.get_bit(row)).collect();
                flags.truncate(start);
                kept.into_iter().for_each(|flag| flags.append(flag));
            }
        }
        if self.nulls.as_slice().is_none() {
            self.nulls.truncate(start + wanted);
            return;
        }
        let kept: Vec<bool> = runs.flatten().map(|row| self.nulls.is_valid(row)).collect();
        self.nulls.truncate(start);
        self.nulls.append_slice(&kept);
    }
}

fn compact<T: Copy>(values: &mut Vec<T>, start: usize, runs: impl Iterator<Item = Range<usize>>) {
    let mut to = start;
    for run in runs {
        let len = run.len();
        if len == 1 {
            values[to] = values[run.start];
        } else {
            values.copy_within(run, to);
        }
        to += len;
    }
    values.truncate(to);
}

/// Where in the values the lists of rows are.
pub(super) struct Lists {
    pub(super) offsets: Vec<i32>,
    pub(super) nulls: NullBufferBuilder,
}

impl Lists {
    pub(super) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, nulls: NullBufferBuilder::new(rows) }
    }

    /// Appends rows of which each has one value or none, by their definition levels, where `list` is that of a list
    /// without values. Says whether there are values.
    pub(super) fn push_short(&mut self, definition: &[u8], list: u8) -> Checked<bool> {
        let before = self.offsets.last().copied().unwrap_or_default();
        let mut end = before;
        i32::try_from(before as usize + definition.len()).map_err(|_| TOO_LONG)?;
        self.offsets.extend(definition.iter().map(|level| {
            end += i32::from(*level > list);
            end
        }));
        if definition.iter().all(|level| *level >= list) {
            self.nulls.append_n_non_nulls(definition.len());
        } else if definition.iter().all(|level| *level < list) {
            self.nulls.append_n_nulls(definition.len());
        } else {
            let there: BooleanBuffer = definition.iter().map(|level| *level >= list).collect();
            self.nulls.append_buffer(&NullBuffer::new(there));
        }
        Ok(end > before)
    }
}

/// Values by type. A null has a value that means nothing.
pub(super) enum OutValues {
    Numbers(Vec<i64>),
    Flags(BooleanBufferBuilder),
    Texts(OutTexts),
    Keys(OutKeys),
}

impl OutValues {
    /// Appends values for nulls.
    pub(super) fn push_nulls(&mut self, count: usize) {
        match self {
            Self::Numbers(numbers) => numbers.resize(numbers.len() + count, 0),
            Self::Flags(flags) => flags.append_n(count, false),
            Self::Texts(texts) => texts.push_empty(count),
            Self::Keys(keys) => keys.keys.resize(keys.keys.len() + count, 0),
        }
    }

    /// Moves the last values, which are dense, to the places that are set, and puts something into the others.
    pub(super) fn spread(&mut self, valid: &BooleanBuffer, dense: usize) {
        match self {
            Self::Numbers(numbers) => spread(numbers, valid, dense),
            Self::Texts(texts) => texts.spread(valid, dense),
            Self::Keys(keys) => spread(&mut keys.keys, valid, dense),
            Self::Flags(flags) => {
                let start = flags.len() - dense;
                let values: Vec<bool> = (start..flags.len()).map(|at| flags.get_bit(at)).collect();
                flags.truncate(start);
                let mut values = values.into_iter();
                for is_valid in valid {
                    flags.append(is_valid && values.next().unwrap_or_default());
                }
            }
        }
    }
}

/// From the last to the first, so that no value is overwritten before it has moved.
fn spread<T: Copy + Default>(out: &mut Vec<T>, valid: &BooleanBuffer, dense: usize) {
    let start = out.len() - dense;
    out.resize(start + valid.len(), T::default());
    let places = &mut out[start..];
    let mut from = dense;
    for place in (0..valid.len()).rev() {
        if from == place + 1 {
            // All that are left are in their places.
            break;
        }
        if from > 0 && valid.value(place) {
            from -= 1;
            places[place] = places[from];
        } else {
            places[place] = T::default();
        }
    }
}

/// Texts one after the other.
pub(super) struct OutTexts {
    pub(super) offsets: Vec<i32>,
    pub(super) bytes: Vec<u8>,
}

const TOO_LONG: Damage = Damage::of("the texts of a batch have more than 2 GB; read fewer rows at a time");

impl OutTexts {
    pub(super) fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self { offsets, bytes: Vec::new() }
    }

    /// Appends consecutive texts of a page.
    pub(super) fn push_page(&mut self, texts: &TextPage, page: &[u8], numbers: Range<usize>) -> Checked<()> {
        let offsets = texts.offsets(numbers)?;
        let (Some(first), Some(last)) = (offsets.first(), offsets.last()) else { return Ok(()) };
        let bytes = texts.bytes(page).get(*first as usize..*last as usize);
        let bytes = bytes.ok_or(Damage::of("its texts end early"))?;
        let base = self.bytes.len();
        i32::try_from(base + bytes.len()).map_err(|_| TOO_LONG)?;
        self.bytes.extend_from_slice(bytes);
        let shift = (base as u32).wrapping_sub(*first);
        self.offsets.extend(offsets[1..].iter().map(|offset| offset.wrapping_add(shift) as i32));
        Ok(())
    }

    /// Appends texts of a dictionary.
    pub(super) fn push_keys(&mut self, keys: &[i32], texts: &StringArray) -> Checked<()> {
        for key in keys {
            let text = text_of(texts, *key)?;
            self.bytes.extend_from_slice(text.as_bytes());
            self.offsets.push(i32::try_from(self.bytes.len()).map_err(|_| TOO_LONG)?);
        }
        Ok(())
    }

    fn push_empty(&mut self, count: usize) {
        let end = self.offsets.last().copied().unwrap_or_default();
        self.offsets.resize(self.offsets.len() + count, end);
    }

    /// Moves texts to the front, one run after the other.
    fn compact(&mut self, start: usize, runs: impl Iterator<Item = Range<usize>>) {
        let (mut to, mut bytes_to) = (start, self.offsets[start] as usize);
        for run in runs {
            let from = self.offsets[run.start] as usize;
            let end = self.offsets[run.end] as usize;
            self.bytes.copy_within(from..end, bytes_to);
            let shift = (from - bytes_to) as i32;
            for row in run {
                to += 1;
                self.offsets[to] = self.offsets[row + 1] - shift;
            }
            bytes_to += end - from;
        }
        self.offsets.truncate(to + 1);
        self.bytes.truncate(bytes_to);
    }

    /// The offset after a null is the one before it.
    fn spread(&mut self, valid: &BooleanBuffer, dense: usize) {
        let start = self.offsets.len() - dense;
        let before = self.offsets[start - 1];
        self.offsets.resize(start + valid.len(), before);
        let places = &mut self.offsets[start..];
        let mut from = dense;
        for place in (0..valid.len()).rev() {
            if from == place + 1 {
                break;
            }
            places[place] = if from == 0 { before } else { places[from - 1] };
            from -= usize::from(from > 0 && valid.value(place));
        }
    }
}

fn text_of(texts: &StringArray, key: i32) -> Checked<&str> {
    match usize::try_from(key) {
        Ok(key) if key < texts.len() => Ok(texts.value(key)),
        _ => Err(Damage::new(format!("key {key} is not one of its dictionary's {}", texts.len()))),
    }
}

/// Keys of a dictionary: the chunk's, as long as all rows have their text there, or the batch's own.
pub(super) struct OutKeys {
    keys: Vec<i32>,
    chunk: Option<Arc<StringArray>>,
    own: Option<Interner>,
    own_bytes: usize,
}

impl OutKeys {
    pub(super) fn new(rows: usize) -> Self {
        Self { keys: Vec::with_capacity(rows), chunk: None, own: None, own_bytes: 0 }
    }

    /// Appends keys of the chunk's dictionary, which `read` yields.
    pub(super) fn push_keys(
        &mut self,
        texts: &Arc<StringArray>,
        read: impl FnOnce(&mut Vec<i32>) -> Checked<()>,
    ) -> Checked<()> {
        let start = self.keys.len();
        read(&mut self.keys)?;
        self.chunk.get_or_insert_with(|| texts.clone());
        if self.own.is_some() { self.translate(texts, start) } else { Ok(()) }
    }

    /// Appends consecutive texts of a page without a dictionary.
    pub(super) fn push_page(&mut self, texts: &TextPage, page: &[u8], numbers: Range<usize>) -> Checked<()> {
        if self.own.is_none() {
            self.own = Some(Interner::default());
            if let Some(chunk) = self.chunk.clone()
                && !chunk.is_empty()
            {
                self.translate(&chunk, 0)?;
            }
        }
        let bytes = texts.bytes(page);
        for ends in texts.offsets(numbers)?.windows(2) {
            let text = bytes.get(ends[0] as usize..ends[1] as usize).ok_or(Damage::of("its texts end early"))?;
            let text = str::from_utf8(text).map_err(|_| Damage::of("a text is not UTF-8"))?;
            let key = self.intern(text)?;
            self.keys.push(key);
        }
        Ok(())
    }

    /// Replaces the chunk's keys by the batch's own, from a row on. One of a null becomes that of any text.
    fn translate(&mut self, texts: &StringArray, start: usize) -> Checked<()> {
        for at in start..self.keys.len() {
            self.keys[at] = self.intern(text_of(texts, self.keys[at])?)?;
        }
        Ok(())
    }

    fn intern(&mut self, text: &str) -> Checked<i32> {
        let own = self.own.get_or_insert_default();
        let (before, number) = (own.len(), own.intern(text));
        if own.len() > before {
            self.own_bytes += text.len();
            i32::try_from(self.own_bytes).map_err(|_| TOO_LONG)?;
        }
        i32::try_from(number).map_err(|_| TOO_LONG)
    }

    /// The keys, and the texts that they are of.
    pub(super) fn finish(self) -> Checked<(Vec<i32>, ArrayRef)> {
        let texts: ArrayRef = match (self.own, self.chunk) {
            (Some(own), _) => {
                let (text, ends) = own.into_parts();
                Arc::new(strings(ends, text.into_bytes())?)
            }
            (None, Some(chunk)) => chunk,
            (None, None) => Arc::new(StringArray::new_null(0)),
        };
        Ok((self.keys, texts))
    }
}

#[cfg(test)]
mod tests {
    use super::super::header::PageEncoding;
    use super::*;

    /// Our writer never returns to a dictionary that was full; another might.
    #[test]
    fn keys_before_and_after_texts_are_the_batch_s_own() {
        let chunk = Arc::new(StringArray::from(vec!["a", "b"]));
        let page = [1, 0, 0, 0, b'b', 1, 0, 0, 0, b'c'];
        let texts = TextPage::open(PageEncoding::Plain, &page, 2).unwrap();
        let mut out = OutKeys::new(6);
        let push = |out: &mut OutKeys, keys: &[i32]| {
            out.push_keys(&chunk, |all| {
                all.extend_from_slice(keys);
                Ok(())
            })
        };
        push(&mut out, &[1, 0]).unwrap();
        out.push_page(&texts, &page, 0..2).unwrap();
        push(&mut out, &[0, 1]).unwrap();
        assert!(push(&mut out, &[2]).is_err());
        let (keys, values) = out.finish().unwrap();
        assert_eq!(keys[..6], [0, 1, 0, 2, 1, 0]);
        assert_eq!(values.as_ref(), &StringArray::from(vec!["b", "a", "c"]));
    }
}
