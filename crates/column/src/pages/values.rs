//! The values of a page that are not null, by encoding.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::StringArray;
use arrow_buffer::BooleanBuffer;

use super::delta::Delta;
use super::dictionary::Dictionary;
use super::header::PageEncoding;
use super::out::OutValues;
use super::page::ValueKind;
use super::rle::{Runs, bits};
use super::texts::TextPage;
use super::{Checked, Damage, numbers};

/// Values, and how far they were read. Their bytes are the page's and given to each call.
#[derive(Debug, Default)]
pub(super) enum Values {
    /// No row has one.
    #[default]
    Empty,
    /// Numbers of texts in the chunk's dictionary.
    TextKeys(Option<Runs>, Arc<StringArray>),
    /// Numbers of numbers in the chunk's dictionary.
    NumberKeys(Option<Runs>, Arc<[i64]>),
    /// Numbers one after the other, and the next.
    Plain(usize),
    /// The same byte of all numbers together; their count, and the next.
    Split(usize, usize),
    Delta(Delta),
    /// Texts, and the next.
    Texts(TextPage, usize),
    /// Flags, and the next.
    Flags(BooleanBuffer, usize),
}

impl Values {
    /// Keys of a dictionary: one byte says how many bits each has.
    pub(super) fn keys(bytes: &[u8], count: usize, dictionary: Dictionary) -> Checked<Self> {
        let runs = match bytes.first() {
            _ if count == 0 => None,
            Some(width) => Some(Runs::new(1, u32::from(*width))?),
            None => return Err(Damage::of("it lacks its keys")),
        };
        Ok(match dictionary {
            Dictionary::Texts(texts) => Self::TextKeys(runs, texts),
            Dictionary::Numbers(numbers) => Self::NumberKeys(runs, numbers),
        })
    }

    /// Values without a dictionary.
    pub(super) fn open(kind: ValueKind, encoding: PageEncoding, bytes: &[u8], count: usize) -> Checked<Self> {
        use PageEncoding::{ByteStreamSplit, DeltaBinaryPacked, Plain, Rle};
        Ok(match (kind, encoding) {
            (ValueKind::Text, encoding) => Self::Texts(TextPage::open(encoding, bytes, count)?, 0),
            (ValueKind::Number, DeltaBinaryPacked) => {
                let delta = Delta::open(bytes, 0)?;
                if delta.left() != count {
                    return Err(Damage::new(format!("it has {} differences of {count} values", delta.left())));
                }
                Self::Delta(delta)
            }
            (ValueKind::Number, Plain) => {
                numbers::check(bytes, count)?;
                Self::Plain(0)
            }
            (ValueKind::Number, ByteStreamSplit) => {
                numbers::check(bytes, count)?;
                Self::Split(count, 0)
            }
            (ValueKind::Flag, Plain) if bytes.len() >= count.div_ceil(8) => {
                Self::Flags(BooleanBuffer::new(bytes[..count.div_ceil(8)].into(), 0, count), 0)
            }
            // After their length in four bytes.
            (ValueKind::Flag, Rle) => Self::Flags(bits(bytes.get(4..).unwrap_or_default(), count)?, 0),
            (ValueKind::Flag, Plain) => return Err(Damage::of("its flags end early")),
            _ => return Err(Damage::new(format!("{encoding:?} is not how this program writes such values"))),
        })
    }

    /// Steps over values.
    pub(super) fn skip(&mut self, bytes: &[u8], count: usize) -> Checked<()> {
        match self {
            Self::Empty => Ok(()),
            Self::TextKeys(Some(runs), _) | Self::NumberKeys(Some(runs), _) => runs.skip(bytes, count),
            Self::TextKeys(None, _) | Self::NumberKeys(None, _) => Ok(()),
            Self::Delta(delta) => delta.skip(bytes, count),
            Self::Plain(next) | Self::Split(_, next) | Self::Texts(_, next) | Self::Flags(_, next) => {
                *next += count;
                Ok(())
            }
        }
    }

    /// Appends values.
    pub(super) fn read(&mut self, bytes: &[u8], count: usize, out: &mut OutValues) -> Checked<()> {
        match (self, out) {
            (Self::TextKeys(runs, texts), OutValues::Keys(out)) => out.push_keys(texts, |keys| {
                runs.as_mut().map_or(Ok(()), |runs| runs.read(bytes, count, keys, |key| key as i32))
            }),
            _ if count == 0 => Ok(()),
            (Self::TextKeys(Some(runs), texts), OutValues::Texts(out)) => {
                let mut keys = Vec::with_capacity(count);
                runs.read(bytes, count, &mut keys, |key| key as i32)?;
                out.push_keys(&keys, texts)
            }
            (Self::NumberKeys(Some(runs), numbers), OutValues::Numbers(out)) => {
                let mut keys: Vec<u32> = Vec::with_capacity(count);
                runs.read(bytes, count, &mut keys, |key| key as u32)?;
                gather(&keys, numbers, out)
            }
            (Self::Plain(next), OutValues::Numbers(out)) => numbers::plain(bytes, take(next, count), out),
            (Self::Split(all, next), OutValues::Numbers(out)) => numbers::split(bytes, *all, take(next, count), out),
            (Self::Delta(delta), OutValues::Numbers(out)) => delta.read(bytes, count, out),
            (Self::Texts(texts, next), OutValues::Texts(out)) => out.push_page(texts, bytes, take(next, count)),
            (Self::Texts(texts, next), OutValues::Keys(out)) => out.push_page(texts, bytes, take(next, count)),
            (Self::Flags(flags, next), OutValues::Flags(out)) if *next + count <= flags.len() => {
                out.append_buffer(&flags.slice(*next, count));
                *next += count;
                Ok(())
            }
            _ => Err(Damage::of("its values are encoded like another type's")),
        }
    }
}

fn take(next: &mut usize, count: usize) -> Range<usize> {
    let start = *next;
    *next += count;
    start..*next
}

/// Looks numbers up. That a key is wrong is noticed after all of them, so that the loop has no way out.
fn gather(keys: &[u32], numbers: &[i64], out: &mut Vec<i64>) -> Checked<()> {
    let mut wrong = None;
    out.extend(keys.iter().map(|key| match numbers.get(*key as usize) {
        Some(number) => *number,
        None => {
            wrong = Some(*key);
            0
        }
    }));
    match wrong {
        None => Ok(()),
        Some(key) => Err(Damage::new(format!("key {key} is not one of its dictionary's {}", numbers.len()))),
    }
}
