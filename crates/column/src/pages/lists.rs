//! Whole pages of the lists of a series block, which its own reader asks for one by one.

use arrow_buffer::NullBufferBuilder;
use bytes::Bytes;

use super::header::PageHeader;
use super::out::{Lists, Out, OutValues};
use super::page::{LeafShape, Opened, Page, ValueKind};
use super::{Checked, Damage};
use crate::ColumnError;

/// Where the entry of each row begins in what follows, and one more for the end; and the entries of all rows.
pub(crate) type Entries<T> = (Vec<i32>, Vec<T>);

/// The lengths of the pages of a column chunk, heads included, one after the other.
pub(crate) fn page_lengths(chunk: &[u8]) -> Result<Vec<usize>, ColumnError> {
    let mut lengths = Vec::new();
    let mut at = 0;
    while at < chunk.len() {
        let header = PageHeader::parse(&chunk[at..]).map_err(damaged)?;
        let len = header.header_bytes.saturating_add(header.stored_bytes);
        if len > chunk.len() - at {
            return Err(damaged(Damage::of("a page is longer than its column")));
        }
        lengths.push(len);
        at += len;
    }
    Ok(lengths)
}

/// A page of a list of numbers, neither of which may be null; doubles by their bits.
pub(crate) fn number_lists(page: &Bytes, rows: usize) -> Result<Entries<i64>, ColumnError> {
    read_lists(page, rows).map_err(damaged)
}

fn read_lists(page: &Bytes, rows: usize) -> Checked<Entries<i64>> {
    let shape = LeafShape { kind: ValueKind::Number, max_definition: 1, list_definition: Some(0) };
    let opened = Opened::new(page, true, Vec::new())?;
    let values = opened.header.values.min(page_values(&opened)?);
    let mut out = Out {
        values: OutValues::Numbers(Vec::with_capacity(values)),
        nulls: NullBufferBuilder::new(values),
        lists: Some(Lists::new(rows)),
    };
    let mut open = Page::open(opened, 0..rows as u64, shape, None)?;
    let every = 0..rows;
    open.read_runs(std::slice::from_ref(&every), &mut out)?;
    match out {
        Out { values: OutValues::Numbers(numbers), lists: Some(lists), .. } if lists.offsets.len() == rows + 1 => {
            Ok((lists.offsets, numbers))
        }
        _ => Err(Damage::of("it has not as many lists as rows")),
    }
}

/// Values that the bytes of a page can have at most: packed, 256 equal ones may take a byte.
fn page_values(opened: &Opened) -> Checked<usize> {
    const PER_BYTE: usize = 256;
    Ok(opened.values().len().saturating_add(1).saturating_mul(PER_BYTE))
}

/// A page of texts of bytes, none of which may be null, one after the other (PLAIN).
pub(crate) fn blobs(page: &Bytes, rows: usize) -> Result<Entries<u8>, ColumnError> {
    read_blobs(page, rows).map_err(damaged)
}

fn read_blobs(page: &Bytes, rows: usize) -> Checked<Entries<u8>> {
    const CUT_OFF: Damage = Damage::of("its bytes are cut off");
    let opened = Opened::new(page, true, Vec::new())?;
    let (mut rest, mut offsets, mut bytes) = (opened.values(), vec![0], Vec::new());
    for _ in 0..rows {
        let (len, after) = rest.split_first_chunk().ok_or(CUT_OFF)?;
        let (blob, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(CUT_OFF)?;
        bytes.extend_from_slice(blob);
        offsets.push(i32::try_from(bytes.len()).map_err(|_| Damage::of("it is too long"))?);
        rest = after;
    }
    if rest.is_empty() { Ok((offsets, bytes)) } else { Err(Damage::of("it has more bytes than rows")) }
}

fn damaged(damage: Damage) -> ColumnError {
    ColumnError::Corrupt(damage.as_str().to_owned())
}
