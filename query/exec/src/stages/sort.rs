//! Stages that tables have too, over rows whose columns nobody knows before: sorting, and groups that fold over columns.

use std::sync::Arc;

use arrow_array::RecordBatch;
use lang::SortKey;

use super::Operator;
use super::cells;
use crate::ExecError;
use crate::control::Control;
use crate::finish::{self, Grouped};
use crate::fold::{Fold, FoldSpec};
use crate::translate::to_usize;

/// Rows that wait beside the first ones before those that can not be among them are let go.
const WAITING_ROWS: usize = 16_384;

/// Rows in the order of keys; equal ones keep their order.
pub(super) struct SortRows {
    keys: Vec<SortKey>,
    fetch: Option<usize>,
    rows: Vec<RecordBatch>,
    count: usize,
    bytes: usize,
}

impl SortRows {
    pub(super) fn new(keys: Vec<SortKey>, fetch: Option<u64>) -> Self {
        Self { keys, fetch: fetch.map(to_usize), rows: Vec::new(), count: 0, bytes: 0 }
    }

    fn sorted(&mut self) -> Result<RecordBatch, ExecError> {
        let batch = cells::unite(&std::mem::take(&mut self.rows))?;
        let sorted = finish::sort(Grouped { batch, keys: 0, ordered: false }, &self.keys)?.batch;
        let kept = self.fetch.unwrap_or(usize::MAX).min(sorted.num_rows());
        Ok(sorted.slice(0, kept))
    }
}

impl Operator for SortRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        self.count += batch.num_rows();
        self.bytes += cells::bytes(&batch);
        self.rows.push(batch);
        if self.fetch.is_some_and(|fetch| self.count > fetch.saturating_mul(2).saturating_add(WAITING_ROWS)) {
            let sorted = self.sorted()?;
            let kept = cells::copied(&sorted)?;
            (self.count, self.bytes) = (kept.num_rows(), cells::bytes(&kept));
            self.rows.push(kept);
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.sorted().map(Some)
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }
}

/// Groups that fold over columns.
pub(super) struct FoldRows {
    fold: Option<Fold>,
    keys: usize,
    control: Arc<Control>,
}

impl FoldRows {
    pub(super) fn new(spec: FoldSpec, keys: usize, control: &Arc<Control>) -> Self {
        Self { fold: Some(Fold::new(Arc::new(spec))), keys, control: Arc::clone(control) }
    }
}

impl Operator for FoldRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        if let Some(fold) = &mut self.fold {
            let rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
            fold.add(&batch, &rows, &self.control)?;
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let Some(fold) = self.fold.take() else { return Ok(None) };
        let batch = fold.finish()?;
        finish::sort(Grouped { batch, keys: self.keys, ordered: false }, &[]).map(|grouped| Some(grouped.batch))
    }

    fn held_bytes(&self) -> usize {
        self.fold.as_ref().map_or(0, Fold::bytes)
    }
}
