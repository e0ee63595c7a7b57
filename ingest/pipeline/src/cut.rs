//! Cutting what a request brings into appends that the store takes.

use std::collections::BTreeSet;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{RecordBatch, UInt32Array};
use arrow_select::take::take_record_batch;
use decode::Decoded;
use model::{Batch, BatchData, Row, SeriesBatch, SeriesSamples, Table, TenantId, Timestamp, field};
use store::ROWS_PER_APPEND_MAX;

use crate::{APPEND_BYTES_MAX, APPEND_DAYS_MAX, Source};

/// Cuts a request into appends of at most [`APPEND_BYTES_MAX`] and [`APPEND_DAYS_MAX`]; nearly always one. None for an empty
/// request.
pub(crate) fn appends(tenant: &TenantId, source: &Source, received: Timestamp, decoded: Decoded) -> Vec<Vec<Batch>> {
    let quarantine: Vec<Row> = decoded
        .rejects
        .into_iter()
        .map(|reject| reject.into_row(source.protocol.as_str(), &source.peer, received))
        .collect();
    let mut cutter = Cutter { tenant, done: Vec::new(), open: Vec::new(), bytes: 0, rows: 0, days: BTreeSet::new() };
    for batch in decoded.log_batches {
        cutter.add_columns(Table::Logs, batch);
    }
    for (table, rows) in [(Table::Logs, decoded.logs), (Table::Spans, decoded.spans), (Table::Quarantine, quarantine)] {
        cutter.add_rows(table, rows);
    }
    cutter.add_series(decoded.series);
    cutter.finish()
}

struct Cutter<'a> {
    tenant: &'a TenantId,
    done: Vec<Vec<Batch>>,
    /// The append being filled, and what is in it.
    open: Vec<Batch>,
    bytes: usize,
    rows: usize,
    days: BTreeSet<i64>,
}

impl Cutter<'_> {
    fn add_columns(&mut self, table: Table, batch: RecordBatch) {
        let days: Vec<i64> = column::days(&batch).into_iter().collect();
        match by_days(&batch, &days) {
            Some(parts) => parts.into_iter().for_each(|part| self.add_columns(table, part)),
            None => self.add_slices(table, batch, &days),
        }
    }

    fn add_slices(&mut self, table: Table, batch: RecordBatch, days: &[i64]) {
        // Decoders bound their batches, so this is nearly always one part. Parts by number of rows, not by size: a row that is
        // larger than an append is the store's to judge.
        let bytes = column::batch_bytes(&batch);
        let rows = batch.num_rows();
        let parts = bytes.div_ceil(APPEND_BYTES_MAX).max(rows.div_ceil(ROWS_PER_APPEND_MAX)).clamp(1, rows.max(1));
        let part_rows = rows.div_ceil(parts);
        for start in (0..rows).step_by(part_rows.max(1)) {
            let part = batch.slice(start, part_rows.min(rows - start));
            self.room(bytes / parts, part.num_rows(), days);
            self.add(BatchData::Columns(table, part));
        }
    }

    fn add_rows(&mut self, table: Table, mut rows: Vec<Row>) {
        let day = |row: &Row| row.time.day();
        if rows.iter().map(day).collect::<BTreeSet<i64>>().len() > APPEND_DAYS_MAX {
            rows.sort_by_key(day);
        }
        let mut part = Vec::new();
        for row in rows {
            let (bytes, days) = (row.size_bytes(), &[day(&row)]);
            if !self.has_room(bytes, 1, days) {
                self.add(BatchData::Rows(table, std::mem::take(&mut part)));
            }
            self.room(bytes, 1, days);
            part.push(row);
        }
        self.add(BatchData::Rows(table, part));
    }

    fn add_series(&mut self, batch: SeriesBatch) {
        let all = batch.series.iter().map(series_bytes).sum();
        if self.has_room(all, 0, &[]) && all <= APPEND_BYTES_MAX {
            // Nearly always, and then nothing is moved.
            self.room(all, 0, &[]);
            self.add(BatchData::Series(batch));
            return;
        }
        let mut part = SeriesBatch { series: Vec::new(), metadata: batch.metadata };
        for series in batch.series {
            let bytes = series_bytes(&series);
            if !self.has_room(bytes, 0, &[]) {
                self.add(BatchData::Series(std::mem::take(&mut part)));
            }
            self.room(bytes, 0, &[]);
            part.series.push(series);
        }
        self.add(BatchData::Series(part));
    }

    /// Whether the open append takes so much more. An empty one takes anything.
    fn has_room(&self, bytes: usize, rows: usize, days: &[i64]) -> bool {
        let new_days = || days.iter().filter(|day| !self.days.contains(day)).count();
        self.bytes == 0
            || self.bytes + bytes <= APPEND_BYTES_MAX
                && self.rows + rows <= ROWS_PER_APPEND_MAX
                && (self.days.len() + days.len() <= APPEND_DAYS_MAX || self.days.len() + new_days() <= APPEND_DAYS_MAX)
    }

    /// Makes room in the open append, or opens the next one. What belongs to the open one must be added before.
    fn room(&mut self, bytes: usize, rows: usize, days: &[i64]) {
        if !self.has_room(bytes, rows, days) {
            self.cut();
        }
        self.bytes += bytes;
        self.rows += rows;
        self.days.extend(days);
    }

    fn add(&mut self, data: BatchData) {
        let batch = Batch { tenant: self.tenant.clone(), data };
        if !batch.is_empty() {
            self.open.push(batch);
        }
    }

    fn cut(&mut self) {
        let open = std::mem::take(&mut self.open);
        (self.bytes, self.rows) = (0, 0);
        self.days.clear();
        if !open.is_empty() {
            self.done.push(open);
        }
    }

    fn finish(mut self) -> Vec<Vec<Batch>> {
        self.cut();
        self.done
    }
}

/// What a series counts for in an append.
fn series_bytes(series: &SeriesSamples) -> usize {
    let labels: usize = series.labels.iter().map(|(name, value)| name.len() + value.len() + 16).sum();
    labels + series.size_bytes()
}

/// The rows of a batch in parts of at most [`APPEND_DAYS_MAX`] days, by day; rows of one day keep their order. `None` when it is
/// one part as it is.
fn by_days(batch: &RecordBatch, days: &[i64]) -> Option<Vec<RecordBatch>> {
    if days.len() <= APPEND_DAYS_MAX {
        return None;
    }
    let times = batch.column_by_name(field::TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
    let mut parts = vec![Vec::new(); days.len().div_ceil(APPEND_DAYS_MAX)];
    for (row, time) in (0u32..).zip(times.values()) {
        let at = days.partition_point(|day| *day < Timestamp(*time).day());
        parts[at / APPEND_DAYS_MAX].push(row);
    }
    let take = |rows| take_record_batch(batch, &UInt32Array::from(rows));
    // Should Arrow refuse, the store does too, with a word on the days.
    parts.into_iter().map(take).collect::<Result<_, _>>().ok()
}

#[cfg(test)]
mod tests {
    use model::{MetricKind, MetricMetadata, Sample};

    use super::*;
    use crate::Protocol;

    /// Series in each append of a request of series whose labels have so many bytes.
    fn check(label_bytes: &[usize]) -> Vec<usize> {
        let one = |(at, bytes): (usize, &usize)| SeriesSamples {
            labels: [("__name__", "m".repeat(*bytes))].into_iter().collect(),
            samples: vec![Sample { time_ms: at as i64, value: 1.0 }],
            ..SeriesSamples::default()
        };
        let (help, unit) = (String::new(), String::new());
        let metadata = vec![MetricMetadata { name: "m".to_owned(), kind: MetricKind::Counter, help, unit }];
        let series = SeriesBatch { series: label_bytes.iter().enumerate().map(one).collect(), metadata };
        let source = Source { protocol: Protocol::RemoteWrite, peer: String::new() };
        let decoded = Decoded { series: series.clone(), ..Decoded::default() };
        let appends = appends(&TenantId::default(), &source, Timestamp(0), decoded);
        let mut found = SeriesBatch::default();
        let counts = appends.into_iter().map(|batches| {
            let series = batches.into_iter().map(|batch| match batch.data {
                BatchData::Series(series) => series,
                other => panic!("{other:?} came of series"),
            });
            series.fold(0, |count, mut part| {
                let here = part.series.len();
                found.series.append(&mut part.series);
                found.metadata.append(&mut part.metadata);
                count + here
            })
        });
        let counts = counts.collect();
        assert!(found == series, "all of it, once and in order");
        counts
    }

    #[test]
    fn series_are_cut_where_an_append_is_full() {
        const MIB: usize = 1 << 20;
        assert_eq!(check(&[]), [0]);
        assert_eq!(check(&[10; 2000]), [2000]);
        assert_eq!(check(&[MIB; 15]), [15]);
        assert_eq!(check(&[MIB; 40]), [15, 15, 10]);
        assert_eq!(check(&[10, 20 * MIB, 10]), [1, 1, 1], "what is larger than an append goes alone");
    }
}
