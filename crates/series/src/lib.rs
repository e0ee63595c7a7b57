//! The metric store: label index, head and sample blocks of every tenant.
//!
//! **Entry point.** [`SeriesDb`]. One directory, one database; the store above it owns the write-ahead log and calls
//! [`SeriesDb::insert`] for what is acknowledged, [`SeriesDb::flush`] before it lets go of the log.
//!
//! **Write path.** `insert` checks the limits of [`SeriesOptions`], finds or creates the series in the tenant's label index (`index`)
//! and puts samples in time order into the series' *fresh* samples, a `layer`, which packs them. `flush` freezes what is fresh, writes it
//! as one block file per tenant (`block`, a Parquet file: temporary name, fsync, rename, fsync of the directory), and then keeps the newest
//! of it in memory as *recent* samples, within a budget. `merge` joins small neighbouring blocks, series by series, `compact` all
//! that may be joined; `retain` drops old ones.
//!
//! **Read path.** `select` intersects postings, then lays blocks (oldest first), recent, flushing and fresh samples over
//! each other: at one timestamp the last write wins. `open_selection` does the same series by series, when each is asked for.
//!
//! **Downsampling.** What is old enough by [`SeriesOptions::downsampling`] is written anew with the first and the last sample of each
//! bucket and a [`Fold`] of what lies between (`fold`); [`SeriesSelection::wanting`] reads it.
//!
//! **Guarantees.** A sample that `insert` accepted is seen by every later `select`. After `flush` returns, everything
//! inserted before it was called is on disk. Inserting a sample again changes nothing. Values come back bit for bit, staleness
//! markers included, and so do native histograms and start times; hints about resets are settled by each read. A damaged block is set aside, reported by [`SeriesDb::damaged`], and takes no other block with it; one
//! whose damage shows only later stays in place, is reported too, and joins no merge. A series
//! over a limit is returned to the caller with the reason; nothing is dropped silently. What [`SeriesDb::delete`] deleted stays
//! deleted across restarts and merges, and what is written again afterwards is seen.
//!
//! **Not here.** The log (`wal`), the meaning of queries (`promql`), HTTP (`api`). No clock and no thread.

mod at_hand;
mod block;
mod cardinality;
mod codec;
mod db;
mod decoded;
mod delete;
mod downsample;
mod error;
mod exemplars;
mod fold;
mod folds;
mod head;
mod heads;
mod histograms;
mod index;
mod known;
mod layer;
mod matcher;
mod merge;
mod options;

mod recent;
mod retention;
mod samples;
mod selection;
mod tombstones;
mod unflushed;
mod usage;
mod walk;

pub use cardinality::Cardinality;
pub use db::{DamagedBlock, FlushReport, InsertReport, SeriesData, SeriesDb};
pub use downsample::SeriesDownsampling;
pub use error::{Limit, Rejected, SeriesError};
pub use exemplars::SeriesExemplars;
pub use fold::Fold;
pub use folds::Wanted;
pub use known::KnownLabels;
pub use matcher::{MatchOp, Matcher};
pub use merge::MergeReport;
pub use options::SeriesOptions;
pub use retention::{REMOVE_EVERY_MS, REWRITE_EVERY_MS, SeriesRetention};
pub use selection::SeriesSelection;
pub use tombstones::TOMBSTONES_MAX;
pub use usage::MetricUsage;
