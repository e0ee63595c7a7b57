//! The distinct values of a chunk, which are kept from one read to the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_array::{Array as _, StringArray};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::header::PageEncoding;
use super::texts::TextPage;
use super::{Checked, Damage, numbers};

/// Most bytes of dictionaries that a reader keeps; the oldest goes first. A file of 20 columns has about 200 KB a row group,
/// and one whose texts all reach the writer's limit 1 MB a column. A process has hundreds of readers open.
const DICTIONARY_BYTES_MAX: usize = 8 << 20;

/// The distinct values of a chunk.
#[derive(Clone, Debug)]
pub(super) enum Dictionary {
    Texts(Arc<StringArray>),
    Numbers(Arc<[i64]>),
}

impl Dictionary {
    /// Decodes a dictionary page of `count` texts.
    pub(super) fn texts(encoding: PageEncoding, bytes: &[u8], count: usize) -> Checked<Self> {
        check_plain(encoding)?;
        if count > bytes.len() / 4 {
            return Err(Damage::new(format!("its dictionary claims {count} texts in {} bytes", bytes.len())));
        }
        let page = TextPage::open(PageEncoding::Plain, bytes, count)?;
        let offsets: Option<Vec<i32>> =
            page.offsets(0..count)?.iter().map(|offset| i32::try_from(*offset).ok()).collect();
        let offsets = offsets.ok_or(Damage::of("its dictionary has more than 2 GB"))?;
        let texts = page.into_own();
        strings(offsets, texts).map(|array| Self::Texts(Arc::new(array)))
    }

    /// Decodes a dictionary page of `count` numbers.
    pub(super) fn numbers(encoding: PageEncoding, bytes: &[u8], count: usize) -> Checked<Self> {
        check_plain(encoding)?;
        let mut out = Vec::new();
        numbers::check(bytes, count)?;
        numbers::plain(bytes, 0..count, &mut out)?;
        Ok(Self::Numbers(out.into()))
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Texts(texts) => texts.get_array_memory_size(),
            Self::Numbers(numbers) => size_of_val(&**numbers),
        }
    }
}

fn check_plain(encoding: PageEncoding) -> Checked<()> {
    match encoding {
        PageEncoding::Plain | PageEncoding::Dictionary => Ok(()),
        _ => Err(Damage::of("its dictionary is not plain")),
    }
}

/// An array of texts without nulls. The offsets ascend from zero.
pub(super) fn strings(offsets: Vec<i32>, bytes: Vec<u8>) -> Checked<StringArray> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, Buffer::from_vec(bytes), None).map_err(|error| Damage::new(error.to_string()))
}

/// The dictionaries that a reader keeps. They are few: a row group and a column each have one.
#[derive(Debug, Default)]
pub(crate) struct Dictionaries {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Oldest first.
    entries: VecDeque<((usize, usize), Dictionary)>,
    bytes: usize,
}

impl Dictionaries {
    /// Bytes that are kept.
    pub(crate) fn size_bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The dictionary of a row group and a column, if it is kept.
    pub(super) fn get(&self, group: usize, leaf: usize) -> Option<Dictionary> {
        self.lock().entries.iter().find(|(key, _)| *key == (group, leaf)).map(|(_, dictionary)| dictionary.clone())
    }

    /// Keeps a dictionary, and says which one is kept: of two threads that decode the same, one is first. One that is too
    /// large is not kept.
    pub(super) fn keep(&self, group: usize, leaf: usize, dictionary: Dictionary) -> Dictionary {
        let bytes = dictionary.size_bytes();
        let mut kept = self.lock();
        if let Some((_, first)) = kept.entries.iter().find(|(key, _)| *key == (group, leaf)) {
            return first.clone();
        }
        if bytes > DICTIONARY_BYTES_MAX {
            return dictionary;
        }
        while kept.bytes + bytes > DICTIONARY_BYTES_MAX {
            let Some((_, oldest)) = kept.entries.pop_front() else { break };
            kept.bytes -= oldest.size_bytes();
        }
        kept.bytes += bytes;
        kept.entries.push_back(((group, leaf), dictionary.clone()));
        dictionary
    }

    /// Every state between two statements is consistent, so that a panic elsewhere leaves nothing to mend.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_first() {
        let kept = Dictionaries::default();
        let numbers = |n: usize| Dictionary::Numbers(vec![0; n].into());
        let third = DICTIONARY_BYTES_MAX / 8 / 3;
        for leaf in 0..4 {
            kept.keep(0, leaf, numbers(third));
        }
        assert!(kept.get(0, 0).is_none() && kept.get(0, 1).is_some() && kept.get(0, 3).is_some());
        assert_eq!(kept.size_bytes(), third * 8 * 3);
        kept.keep(1, 0, numbers(DICTIONARY_BYTES_MAX));
        assert!(kept.get(1, 0).is_none_or(|_| kept.size_bytes() == DICTIONARY_BYTES_MAX));
        assert!(kept.size_bytes() <= DICTIONARY_BYTES_MAX);
        kept.keep(1, 1, numbers(DICTIONARY_BYTES_MAX));
        assert!(kept.get(1, 1).is_none());
    }
}
