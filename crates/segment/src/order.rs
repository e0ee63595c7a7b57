//! The order of a segment's rows: stream, time, id.

use std::collections::HashMap;

use arrow_array::{Array as _, RecordBatch};

use crate::SegmentError;
use crate::gather::Pick;
use crate::head::{Head, Texts};

/// Where a row is, and what it sorts by inside its stream.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entry {
    time: i64,
    pub(crate) id: u64,
    batch: u32,
    row: u32,
}

/// The rows of batches in the order of a segment.
///
/// Streams are ranked once by their distinct texts, rows are dealt to their streams by counting, and each stream is sorted by
/// time and id. Rows of a stream mostly come in the order of time already, in which case a stable sort finds runs and merges
/// them; so the whole is close to linear.
pub(crate) fn sorted(batches: &[RecordBatch]) -> Result<Vec<Entry>, SegmentError> {
    let heads: Vec<Head<'_>> = batches.iter().map(Head::of).collect::<Result<_, _>>()?;
    let total: usize = heads.iter().map(Head::rows).sum();
    if u32::try_from(total).is_err() {
        return Err(SegmentError::Rows { what: format!("{total} rows are more than a segment can number") });
    }
    let mut streams = Streams::default();
    let codes: Vec<Vec<u32>> = heads.iter().map(|head| streams.codes(head)).collect();
    let ranks = streams.ranks();
    let mut starts = vec![0u32; ranks.len() + 1];
    for code in codes.iter().flatten() {
        starts[ranks[*code as usize] as usize + 1] += 1;
    }
    for rank in 0..ranks.len() {
        starts[rank + 1] += starts[rank];
    }
    let mut entries = vec![Entry::default(); total];
    let mut next = starts.clone();
    for (batch, (head, codes)) in heads.iter().zip(&codes).enumerate() {
        for (row, code) in codes.iter().enumerate() {
            let at = &mut next[ranks[*code as usize] as usize];
            entries[*at as usize] =
                Entry { time: head.times[row], id: head.ids[row], batch: batch as u32, row: row as u32 };
            *at += 1;
        }
    }
    for stream in starts.windows(2) {
        entries[stream[0] as usize..stream[1] as usize].sort_by_key(|entry| (entry.time, entry.id));
    }
    Ok(entries)
}

/// Rows as ranges of their batches: neighbours that were neighbours before become one.
pub(crate) fn picks(entries: &[Entry]) -> Vec<Pick> {
    let mut picks: Vec<Pick> = Vec::with_capacity(entries.len());
    for entry in entries {
        match picks.last_mut() {
            Some(last) if last.source == entry.batch && last.start + last.len == entry.row => last.len += 1,
            _ => picks.push(Pick { source: entry.batch, start: entry.row, len: 1 }),
        }
    }
    picks
}

/// Distinct streams, numbered in the order of first appearance.
#[derive(Default)]
struct Streams<'a> {
    codes: HashMap<&'a str, u32>,
}

impl<'a> Streams<'a> {
    fn code(&mut self, stream: &'a str) -> u32 {
        let next = self.codes.len() as u32;
        *self.codes.entry(stream).or_insert(next)
    }

    /// The number of the stream of each row.
    fn codes(&mut self, head: &Head<'a>) -> Vec<u32> {
        match *head.streams() {
            Texts::Dict(keys, values) => {
                // A dictionary may list texts that no row has; they take a number and no harm is done.
                let null = |at: usize| if values.is_valid(at) { values.value(at) } else { "" };
                let of_key: Vec<u32> = (0..values.len()).map(|at| self.code(null(at))).collect();
                keys.values().iter().map(|key| of_key[*key as usize]).collect()
            }
            Texts::Plain(_) => {
                let mut codes: Vec<u32> = Vec::with_capacity(head.rows());
                for row in 0..head.rows() {
                    let same = row > 0 && head.streams().is_same(row - 1, row);
                    let code = if same { codes[row - 1] } else { self.code(head.stream(row)) };
                    codes.push(code);
                }
                codes
            }
        }
    }

    /// The place of each number in the order of the texts.
    fn ranks(self) -> Vec<u32> {
        let mut streams: Vec<(&str, u32)> = self.codes.into_iter().collect();
        streams.sort_unstable();
        let mut ranks = vec![0; streams.len()];
        for (rank, (_, code)) in streams.into_iter().enumerate() {
            ranks[code as usize] = rank as u32;
        }
        ranks
    }
}
