//! Retention: by age, whole segments go once their newest row is too old; by size, whole days go, oldest first; by stream,
//! rows are deleted as [`crate::delete`] does it.

use std::collections::{BTreeMap, BTreeSet};

use catalog::Edit;
use column::{FieldView, Projection};
use model::{StreamSelector, Timestamp, field};
use roaring::RoaringBitmap;
use segment::{Segment, SegmentError};
use telemetry::metrics::RETAINED;

use crate::store::Inner;
use crate::{Step, StoreError, shelf};

impl Inner {
    /// Drops what is past its retention at `now`. Damaged segments go the same way, files included.
    pub(crate) fn retain(&self, now: Timestamp) -> Result<(), StoreError> {
        self.series.retain_at(now.millis(), self.options.retention.metrics_ms)?;
        let _one_at_a_time = self.merging.enter();
        let mut remove = self.too_old(now);
        remove.extend(self.too_much(&remove));
        self.drop_segments(remove)?;
        self.retain_streams(now)
    }

    /// Segments whose newest row is past its table's retention.
    fn too_old(&self, now: Timestamp) -> BTreeSet<String> {
        let is_old = |table, max_time: Timestamp| {
            let keep_ns = self.options.retention.of(table);
            keep_ns.is_some_and(|keep_ns| max_time.0 < now.0.saturating_sub(keep_ns))
        };
        let state = self.state.lock();
        let live = state.live.values().map(|segment| segment.meta());
        let live = live.filter(|meta| is_old(meta.table, meta.max_time)).map(|meta| meta.id.clone());
        let damaged = state.damaged.values().filter(|segment| is_old(segment.table, segment.max_time));
        live.chain(damaged.map(|segment| segment.id.clone())).collect()
    }

    /// Segments of the oldest days, until the rest is within the size limit. The newest day stays whatever its size.
    fn too_much(&self, gone: &BTreeSet<String>) -> Vec<String> {
        let Some(bytes_max) = self.options.retention_bytes else { return Vec::new() };
        let mut days: BTreeMap<i64, (u64, Vec<String>)> = BTreeMap::new();
        let state = self.state.lock();
        let live = state.live.values().map(|segment| segment.meta()).map(|meta| (meta.day, meta.bytes(), &meta.id));
        let damaged = state.damaged.values().map(|segment| (segment.day, segment.bytes, &segment.id));
        for (day, bytes, id) in live.chain(damaged).filter(|(_, _, id)| !gone.contains(*id)) {
            let of_day = days.entry(day).or_default();
            of_day.0 += bytes;
            of_day.1.push(id.clone());
        }
        drop(state);
        let mut total: u64 = days.values().map(|(bytes, _)| bytes).sum();
        let mut remove = Vec::new();
        while total > bytes_max && days.len() > 1 {
            let Some((day, (bytes, ids))) = days.pop_first() else { break };
            tracing::info!(day, bytes, total, bytes_max, "the oldest day goes: the segments exceed their size limit");
            total -= bytes;
            remove.extend(ids);
        }
        remove
    }

    /// Takes segments out of the catalog, then out of memory; files of damaged ones go at once, for nobody reads them.
    fn drop_segments(&self, remove: BTreeSet<String>) -> Result<(), StoreError> {
        if remove.is_empty() {
            return Ok(());
        }
        let remove: Vec<String> = remove.into_iter().collect();
        self.catalog.commit(&Edit { remove: remove.clone(), ..Edit::default() })?;
        let damaged: Vec<String> = {
            let state = self.state.lock();
            remove.iter().filter(|id| state.damaged.contains_key(*id)).cloned().collect()
        };
        self.bury(&remove);
        RETAINED.add(remove.len() as u64);
        self.step(Step::RetainCommitted)?;
        for id in &damaged {
            shelf::remove(&self.home.segments, &shelf::keys_of(&self.home.segments, id)?)?;
        }
        Ok(())
    }

    /// Deletes rows of streams that a rule keeps for a shorter time. A stream's rows of one segment go together, once the
    /// newest of them is too old.
    fn retain_streams(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut rows: BTreeMap<String, RoaringBitmap> = BTreeMap::new();
        for (at, rule) in self.options.retention_streams.iter().enumerate() {
            let before = Timestamp(now.0.saturating_sub(rule.keep_ns));
            let segments: Vec<_> = {
                let state = self.state.lock();
                let old = state.live.values().filter(|segment| segment.meta().min_time < before);
                old.map(|segment| (segment.clone(), state.deleted.get(&segment.meta().id).cloned())).collect()
            };
            for (segment, deleted) in segments {
                let id = &segment.meta().id;
                let found = match segment.streams() {
                    Some(_) => listed_rows(&segment, &rule.selector, before),
                    None => self.read_rows(&segment, at, &rule.selector, before)?,
                };
                if !found.is_empty() && deleted.is_none_or(|deleted| !found.is_subset(&deleted)) {
                    *rows.entry(id.clone()).or_default() |= found;
                }
            }
        }
        let report = self.delete_rows(rows)?;
        if report.rows > 0 {
            tracing::info!(rows = report.rows, segments = report.segments, "rows of streams are past their retention");
        }
        Ok(())
    }

    /// The rows of a segment that does not list its streams: read from the columns, once for each rule, when all its rows are
    /// old enough. A damaged segment leaves use.
    fn read_rows(
        &self,
        segment: &Segment,
        rule: usize,
        selector: &StreamSelector,
        before: Timestamp,
    ) -> Result<RoaringBitmap, StoreError> {
        let meta = segment.meta();
        if meta.max_time >= before || !self.streams_read.lock().insert((meta.id.clone(), rule)) {
            return Ok(RoaringBitmap::new());
        }
        match matching_rows(segment, selector) {
            Ok(rows) => Ok(rows),
            Err(error) if error.is_corrupt() => {
                self.quarantine(&meta.id, &error.to_string())?;
                Ok(RoaringBitmap::new())
            }
            Err(error) => {
                self.streams_read.lock().remove(&(meta.id.clone(), rule));
                Err(error.into())
            }
        }
    }
}

/// The rows of streams of which the newest row is before a time, by the manifest entry.
fn listed_rows(segment: &Segment, selector: &StreamSelector, before: Timestamp) -> RoaringBitmap {
    let mut rows = RoaringBitmap::new();
    for stream in segment.streams().unwrap_or_default() {
        if stream.max_time < before && selector.matches(&stream.stream) {
            rows.insert_range(stream.first_row..stream.first_row + stream.rows);
        }
    }
    rows
}

/// The rows of matching streams, by the columns.
fn matching_rows(segment: &Segment, selector: &StreamSelector) -> Result<RoaringBitmap, SegmentError> {
    let mut rows = RoaringBitmap::new();
    let mut first = 0u32;
    let mut last: Option<(String, bool)> = None;
    for batch in segment.read(&Projection::Fields(vec![field::STREAM.to_owned()]), None)? {
        let batch = batch?;
        let streams = FieldView::new(&batch, field::STREAM);
        for row in 0..batch.num_rows() {
            let stream = streams.text(row).unwrap_or_default();
            // Rows of a stream lie together.
            let matches = match &last {
                Some((known, matches)) if *known == stream => *matches,
                _ => selector.matches(&stream),
            };
            if matches {
                rows.insert(first + row as u32);
            }
            if last.as_ref().is_none_or(|(known, _)| *known != stream) {
                last = Some((stream.into_owned(), matches));
            }
        }
        first += batch.num_rows() as u32;
    }
    Ok(rows)
}
