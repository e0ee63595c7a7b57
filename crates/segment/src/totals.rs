//! What is counted while the rows of a segment pass in order, and checked when they are read again.

use std::collections::BTreeMap;

use arrow_array::{Array as _, RecordBatch};
use column::FieldView;
use model::{RowId, Severity, Timestamp, field};
use serde::{Deserialize, Serialize};

use crate::SegmentError;
use crate::head::{Head, Texts};

/// Most streams that a manifest entry lists. A segment of more is not asked for one stream by its entry.
pub const STREAMS_LISTED_MAX: usize = 4096;

/// Most bytes of stream texts that a manifest entry lists: all entries are read at every start, and with this limit a
/// thousand of them are parsed in a fraction of a second.
pub const STREAMS_LISTED_BYTES_MAX: usize = 64 * 1024;

const HOUR_NS: i64 = 3_600_000_000_000;
const HOURS: usize = 24;

/// The rows of one stream of a segment: rows are sorted by stream, so they lie together. A list `[stream, first row, rows,
/// earliest time, latest time]` in JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StreamTuple", into = "StreamTuple")]
pub struct StreamRows {
    /// The stream, as `_stream` shows it.
    pub stream: String,
    /// Number of its first row.
    pub first_row: u32,
    /// How many rows it has.
    pub rows: u32,
    /// `_time` of its first row.
    pub min_time: Timestamp,
    /// `_time` of its last row.
    pub max_time: Timestamp,
}

type StreamTuple = (String, u32, u32, i64, i64);

impl From<StreamTuple> for StreamRows {
    fn from((stream, first_row, rows, min, max): StreamTuple) -> Self {
        Self { stream, first_row, rows, min_time: Timestamp(min), max_time: Timestamp(max) }
    }
}

impl From<StreamRows> for StreamTuple {
    fn from(rows: StreamRows) -> Self {
        (rows.stream, rows.first_row, rows.rows, rows.min_time.0, rows.max_time.0)
    }
}

/// Counts of the rows that passed.
#[derive(Debug)]
pub(crate) struct Totals {
    day: i64,
    pub(crate) rows: u64,
    pub(crate) min_time: Timestamp,
    pub(crate) max_time: Timestamp,
    pub(crate) min_id: RowId,
    pub(crate) max_id: RowId,
    pub(crate) hours: [u64; HOURS],
    pub(crate) severities: BTreeMap<String, u64>,
    /// The last row's stream and place in its order.
    last: Option<(String, (i64, u64))>,
    streams: Option<Vec<StreamRows>>,
    stream_bytes: usize,
}

impl Totals {
    pub(crate) fn new(day: i64) -> Self {
        Self {
            day,
            rows: 0,
            min_time: Timestamp(i64::MAX),
            max_time: Timestamp(i64::MIN),
            min_id: RowId(u64::MAX),
            max_id: RowId(0),
            hours: [0; HOURS],
            severities: BTreeMap::new(),
            last: None,
            streams: Some(Vec::new()),
            stream_bytes: 0,
        }
    }

    /// Counts the next rows. Fails when one is out of order or of another day.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), SegmentError> {
        let head = Head::of(batch)?;
        let mut from = 0;
        for (end, stream) in head.runs() {
            let end = end as usize;
            self.add_run(&head, from, end, stream)?;
            from = end;
        }
        self.add_severities(batch);
        Ok(())
    }

    /// Counts rows of one stream.
    fn add_run(&mut self, head: &Head<'_>, from: usize, end: usize, stream: &str) -> Result<(), SegmentError> {
        let mut previous = match &self.last {
            Some((last, key)) if last == stream => Some(*key),
            Some((last, _)) if last.as_str() > stream => return Err(out_of_order(self.rows)),
            _ => None,
        };
        let continues = previous.is_some();
        let day_start = self.day.saturating_mul(HOUR_NS * HOURS as i64);
        for row in from..end {
            let key = head.key(row);
            if previous.is_some_and(|previous| previous > key) {
                return Err(out_of_order(self.rows + (row - from) as u64));
            }
            previous = Some(key);
            let hour = key.0.wrapping_sub(day_start).div_euclid(HOUR_NS);
            let Some(count) = usize::try_from(hour).ok().and_then(|hour| self.hours.get_mut(hour)) else {
                let time = Timestamp(key.0);
                let what = format!("{time} is of day {} and not of day {}", time.day(), self.day);
                return Err(SegmentError::Rows { what });
            };
            *count += 1;
            self.min_id = self.min_id.min(RowId(key.1));
            self.max_id = self.max_id.max(RowId(key.1));
        }
        let Some(last) = previous else { return Ok(()) };
        let (first, rows) = (Timestamp(head.times[from]), (end - from) as u64);
        self.note_stream(continues, stream, first, Timestamp(last.0), rows as u32);
        self.min_time = self.min_time.min(first);
        self.max_time = self.max_time.max(Timestamp(last.0));
        self.rows += rows;
        match &mut self.last {
            Some((_, key)) if continues => *key = last,
            other => *other = Some((stream.to_owned(), last)),
        }
        Ok(())
    }

    fn note_stream(&mut self, continues: bool, stream: &str, first: Timestamp, last: Timestamp, rows: u32) {
        let Some(streams) = &mut self.streams else { return };
        match streams.last_mut() {
            Some(known) if continues => {
                known.rows += rows;
                known.max_time = last;
            }
            _ => {
                let first_row = self.rows as u32;
                streams.push(StreamRows {
                    stream: stream.to_owned(),
                    first_row,
                    rows,
                    min_time: first,
                    max_time: last,
                });
                self.stream_bytes += stream.len();
            }
        }
        if streams.len() > STREAMS_LISTED_MAX || self.stream_bytes > STREAMS_LISTED_BYTES_MAX {
            self.streams = None;
        }
    }

    /// The streams in order; `None` when there are too many to list.
    pub(crate) fn streams(&self) -> Option<&Vec<StreamRows>> {
        self.streams.as_ref()
    }

    fn add_severities(&mut self, batch: &RecordBatch) {
        let mut counts = [0u64; Severity::ALL.len()];
        let place = |text: &str| Severity::ALL.iter().position(|severity| severity.as_str() == text);
        match batch.column_by_name(field::SEVERITY).and_then(|column| Texts::of(column)) {
            Some(Texts::Dict(keys, values)) => {
                let mut by_key = vec![0u64; values.len()];
                keys.iter().flatten().for_each(|key| by_key[key as usize] += 1);
                for (key, count) in by_key.into_iter().enumerate().filter(|(key, _)| values.is_valid(*key)) {
                    if let Some(at) = place(values.value(key)) {
                        counts[at] += count;
                    }
                }
                // Texts beside the column: an overflow that holds severities is rare and looked at row by row.
                self.add_view(batch, &mut counts, |row| keys.is_null(row));
            }
            _ => self.add_view(batch, &mut counts, |_| true),
        }
        for (severity, count) in Severity::ALL.iter().zip(counts).filter(|(_, count)| *count > 0) {
            *self.severities.entry(severity.to_string()).or_default() += count;
        }
    }

    /// Counts the severities of the rows that are wanted, wherever the batch keeps them.
    fn add_view(&self, batch: &RecordBatch, counts: &mut [u64], wanted: impl Fn(usize) -> bool) {
        let view = FieldView::new(batch, field::SEVERITY);
        for row in (0..batch.num_rows()).filter(|row| wanted(*row)) {
            let Some(text) = view.text(row) else { continue };
            if let Some(at) = Severity::ALL.iter().position(|severity| severity.as_str() == text) {
                counts[at] += 1;
            }
        }
    }
}

fn out_of_order(row: u64) -> SegmentError {
    SegmentError::Rows { what: format!("row {row} sorts before the row that precedes it") }
}
