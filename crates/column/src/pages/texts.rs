//! Pages of texts: where each text begins, and the bytes of all of them one after the other.

use std::ops::Range;

use super::delta::Delta;
use super::header::PageEncoding;
use super::{Checked, Damage, PAGE_INFLATED_BYTES_MAX};

/// The texts of a page.
#[derive(Debug)]
pub(super) struct TextPage {
    /// Text number `n` is at `offsets[n]..offsets[n + 1]`.
    offsets: Vec<u32>,
    /// The bytes, when they are not one after the other in the page.
    own: Option<Vec<u8>>,
    /// Where they begin in the page, when they are.
    start: usize,
}

impl TextPage {
    /// Finds `count` texts in the values of a page.
    pub(super) fn open(encoding: PageEncoding, bytes: &[u8], count: usize) -> Checked<Self> {
        match encoding {
            PageEncoding::Plain => plain(bytes, count),
            PageEncoding::DeltaLengthByteArray => {
                let (offsets, start) = lengths(bytes, 0, count)?;
                Ok(Self { offsets, own: None, start })
            }
            PageEncoding::DeltaByteArray => with_prefixes(bytes, count),
            _ => Err(Damage::of("texts are encoded like something else")),
        }
    }

    /// Where some texts are in [`Self::bytes`], with the end of the last.
    pub(super) fn offsets(&self, texts: Range<usize>) -> Checked<&[u32]> {
        self.offsets.get(texts.start..=texts.end).ok_or(Damage::of("it has fewer texts than rows"))
    }

    /// The bytes of all texts.
    pub(super) fn bytes<'a>(&'a self, page: &'a [u8]) -> &'a [u8] {
        match &self.own {
            Some(own) => own,
            None => page.get(self.start..).unwrap_or_default(),
        }
    }

    /// The bytes of all texts, when they were not one after the other in the page.
    pub(super) fn into_own(self) -> Vec<u8> {
        self.own.unwrap_or_default()
    }
}

/// The offsets of texts whose lengths begin at a byte and whose bytes follow, and where those begin.
fn lengths(bytes: &[u8], at: usize, count: usize) -> Checked<(Vec<u32>, usize)> {
    let (lengths, start) = numbers(bytes, at, count)?;
    let mut offsets = Vec::with_capacity(count + 1);
    let mut end = 0u64;
    offsets.push(0);
    offsets.extend(lengths.iter().map(|length| {
        end += u64::from(*length as u32);
        end as u32
    }));
    // A negative length counts as 2 GB and more. Cut offsets are never looked at.
    if end > bytes.len().saturating_sub(start) as u64 {
        return Err(Damage::new(format!("its texts have {end} bytes, of {}", bytes.len())));
    }
    Ok((offsets, start))
}

/// All of `count` packed numbers, and where they end.
fn numbers(bytes: &[u8], at: usize, count: usize) -> Checked<(Vec<i64>, usize)> {
    let mut delta = Delta::open(bytes, at)?;
    if delta.left() != count {
        return Err(Damage::new(format!("it has {} lengths of {count} texts", delta.left())));
    }
    let mut numbers = Vec::with_capacity(count);
    delta.read(bytes, count, &mut numbers)?;
    let end = delta.end().ok_or(Damage::of("lengths do not end"))?;
    Ok((numbers, end))
}

/// Each text after its length in four bytes.
fn plain(bytes: &[u8], count: usize) -> Checked<TextPage> {
    let mut offsets = Vec::with_capacity(count + 1);
    let mut own = Vec::with_capacity(bytes.len().saturating_sub(count * 4));
    offsets.push(0);
    let mut rest = bytes;
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or(TEXTS_END)?;
        let (text, after) = after.split_at_checked(u32::from_le_bytes(*length) as usize).ok_or(TEXTS_END)?;
        own.extend_from_slice(text);
        offsets.push(own.len() as u32);
        rest = after;
    }
    Ok(TextPage { offsets, own: Some(own), start: 0 })
}

const TEXTS_END: Damage = Damage::of("its texts end early");

/// Each text as what it shares with the one before, and the rest.
fn with_prefixes(bytes: &[u8], count: usize) -> Checked<TextPage> {
    let (prefixes, at) = numbers(bytes, 0, count)?;
    let (suffixes, start) = lengths(bytes, at, count)?;
    let rests = &bytes[start..];
    let mut offsets = Vec::with_capacity(count + 1);
    let mut own: Vec<u8> = Vec::with_capacity(rests.len());
    offsets.push(0);
    let mut before = 0;
    for (prefix, suffix) in prefixes.iter().zip(suffixes.windows(2)) {
        let (from, end) = (before, own.len());
        let prefix = usize::try_from(*prefix).ok().filter(|prefix| *prefix <= end - from);
        let prefix = prefix.ok_or(Damage::of("a text shares more than there is with the one before"))?;
        own.extend_from_within(from..from + prefix);
        own.extend_from_slice(&rests[suffix[0] as usize..suffix[1] as usize]);
        if own.len() > PAGE_INFLATED_BYTES_MAX {
            return Err(Damage::new(format!("its texts have more than {PAGE_INFLATED_BYTES_MAX} bytes")));
        }
        offsets.push(own.len() as u32);
        before = end;
    }
    Ok(TextPage { offsets, own: Some(own), start: 0 })
}
