//! Execution of logical plans: our own scan of a snapshot, everything above it by DataFusion.
//!
//! **Entry points.** [`execute`] runs a plan over a [`Source`] and yields Arrow batches; [`Control`] stops it and counts what
//! it does; [`row_json`] shows a row; [`explain`] says how a plan would run.
//!
//! **Read path.** The leaf operator takes the parts of the snapshot (segments, memtable chunks) from a queue. For each it
//! asks the index for rows that may match (`lookup`), reads the needed columns of those rows (`reader`), verifies them with
//! the same kernels for segments and memtable (`predicate`, `needle`), and yields the wanted columns (`output`). The first
//! rows by time are found in two phases (`ordered`). Other operators are DataFusion's (`translate`, `aggregate`).
//!
//! **Guarantees.** The index only narrows: rows are verified unless its answer is exact. Work runs in steps on blocking
//! threads, and looks at the order to stop at each batch and every few thousand rows. Memory counts in a pool of the query
//! under a budget of all queries; what can spill does. A part that cannot be read is an error, or, when that was allowed, is
//! named by [`Control::missing`].
//!
//! **Not guaranteed.** Buffers of a batch on its way are not counted in the pool.
//!
//! **Not here.** Meaning of the language (`lang`), rewrites (`plan`), admission and time limits (`engine`).

mod aggregate;
mod cells;
mod control;
mod error;
mod functions;
mod json;
mod lookup;
mod memory;
mod needle;
mod ordered;
mod output;
mod predicate;
mod reader;
mod run;
mod scan;
mod source;
mod translate;

pub use control::Control;
pub use error::ExecError;
pub use json::{row_json, row_value};
pub use memory::Budget;
pub use output::RECORD_COLUMN;
pub use run::{ExecOptions, ExecStream, execute, explain};
pub use source::Source;

/// Whether a field is one that every row has and that is not among a segment's fields.
pub(crate) fn is_built_in(name: &str) -> bool {
    [model::field::TIME, model::field::ID, model::field::STREAM].contains(&name)
}
