//! What a query's stages did: for `explain analyze`, and for its statistics.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

/// Something that narrows, reads or computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Manifest entries answered.
    Statistics,
    /// The index narrowed.
    Index,
    /// Deleted rows were taken out.
    Deletes,
    /// Times of pages, streams and rows narrowed.
    Time,
    /// Shapes of bodies narrowed.
    Shapes,
    /// Columns decided.
    Verify,
    /// Groups were counted from the index.
    Count,
    /// Rows were read and folded to groups.
    Fold,
    /// Times were read to find the first rows.
    Order,
    /// Columns of matching rows were read.
    Output,
}

impl Stage {
    /// Every stage, in the order in which they work.
    pub const ALL: [Stage; 10] = [
        Stage::Statistics,
        Stage::Index,
        Stage::Deletes,
        Stage::Time,
        Stage::Shapes,
        Stage::Verify,
        Stage::Count,
        Stage::Fold,
        Stage::Order,
        Stage::Output,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Statistics => "statistics",
            Stage::Index => "index",
            Stage::Deletes => "deletes",
            Stage::Time => "time",
            Stage::Shapes => "shapes",
            Stage::Verify => "verify",
            Stage::Count => "count",
            Stage::Fold => "fold",
            Stage::Order => "order",
            Stage::Output => "output",
        }
    }
}

/// What one stage did.
#[derive(Debug, Default)]
struct Work {
    calls: AtomicU64,
    before: AtomicU64,
    after: AtomicU64,
    ns: AtomicU64,
}

/// Counters of all stages of a query.
#[derive(Debug, Default)]
pub struct Profile {
    stages: [Work; Stage::ALL.len()],
    sure: AtomicU64,
    maybe: AtomicU64,
    verified: AtomicU64,
    confirmed: AtomicU64,
    pub(crate) index_failures: AtomicU64,
}

/// What one stage did, for showing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StageReport {
    /// Which.
    pub stage: &'static str,
    /// How often it ran: about once a part.
    pub calls: u64,
    /// Rows that it was given.
    pub rows_in: u64,
    /// Rows that it left.
    pub rows_out: u64,
    /// How long it took, in nanoseconds, summed over threads.
    pub ns: u64,
}

impl Profile {
    pub(crate) fn add(&self, stage: Stage, before: u64, after: u64, start: Option<Instant>) {
        let work = &self.stages[stage as usize];
        work.calls.fetch_add(1, Relaxed);
        work.before.fetch_add(before, Relaxed);
        work.after.fetch_add(after, Relaxed);
        let ns = start.map_or(0, |start| u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        work.ns.fetch_add(ns, Relaxed);
    }

    pub(crate) fn add_found(&self, sure: u64, maybe: u64) {
        self.sure.fetch_add(sure, Relaxed);
        self.maybe.fetch_add(maybe, Relaxed);
    }

    pub(crate) fn add_verified(&self, tried: u64, found: u64) {
        self.verified.fetch_add(tried, Relaxed);
        self.confirmed.fetch_add(found, Relaxed);
    }

    /// Rows that statistics and indexes were sure of.
    pub fn rows_sure(&self) -> u64 {
        self.sure.load(Relaxed)
    }

    /// Rows that they left open.
    pub fn rows_maybe(&self) -> u64 {
        self.maybe.load(Relaxed)
    }

    /// Rows that were verified on the columns.
    pub fn rows_verified(&self) -> u64 {
        self.verified.load(Relaxed)
    }

    /// Indexes that could not be used because they are damaged.
    pub fn index_failures(&self) -> u64 {
        self.index_failures.load(Relaxed)
    }

    /// The stages that ran.
    pub fn stages(&self) -> Vec<StageReport> {
        let report = |stage: Stage| {
            let work = &self.stages[stage as usize];
            StageReport {
                stage: stage.as_str(),
                calls: work.calls.load(Relaxed),
                rows_in: work.before.load(Relaxed),
                rows_out: work.after.load(Relaxed),
                ns: work.ns.load(Relaxed),
            }
        };
        Stage::ALL.into_iter().map(report).filter(|report| report.calls > 0).collect()
    }

    /// The stages as lines of text.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for StageReport { stage, calls, rows_in, rows_out, ns } in self.stages() {
            let ms = ns as f64 / 1e6;
            let _ = writeln!(out, "{stage:<10} {calls} calls, {rows_in} rows in, {rows_out} rows out, {ms:.3} ms");
        }
        let (verified, confirmed) = (self.rows_verified(), self.confirmed.load(Relaxed));
        let _ = writeln!(
            out,
            "rows: {} sure, {} open, {verified} verified, {confirmed} of them match",
            self.rows_sure(),
            self.rows_maybe()
        );
        out
    }
}
