//! Execution of logical plans: our own scan of a snapshot, groups and rows in order by ourselves, the rest by DataFusion.
//!
//! **Entry points.** [`begin`] starts a plan over a [`Source`] and [`Begun::stream`] yields Arrow batches; [`Control`] stops
//! it and counts what it does; [`row_json`] shows a row; [`explain`] says how a plan would run; [`matching_rows`] finds the
//! rows that a delete means.
//!
//! **Read path.** A [`Source`] is parts: segments and chunks of the memtable (`part`, `chunk`). What matches in a part is a
//! set of rows that are sure and rows that are open (`set`), by its index (`hits`, `probe`, `required`), its deleted rows, and
//! its times (`matching`); open rows are verified on their columns, with the same kernels for segments and memtable
//! (`predicate`, `needle`), of which those on bodies are tried on the bodies' shapes first (`shapes`). Then one of three:
//! - groups (`answer`, `fold`): counted from manifest entries, index lists and page times where those are exact, folded from
//!   columns for the rest; sorted and cut by `finish`;
//! - rows in the order of their times (`ordered`): pages are visited best first, whole rows are read of the first ones only;
//! - everything else: DataFusion's operators over a scan of ours (`translate`, `aggregate`, `scan`).
//!
//! From the first pipe on that tables do not have (`parse`, `join`, `timechart`, ...) rows go through `stages`.
//!
//! Queries in SQL come by `sql`, which reads and checks the text and gives DataFusion the same scans.
//!
//! `direct` chooses. Starting DataFusion costs a millisecond and more, which is longer than most answers take.
//!
//! **Guarantees.** The index only narrows: rows are verified unless its answer is exact. A damaged index is reported and not
//! used. Work runs in steps on blocking threads and on helpers that end with a step (`workers`), and looks at the order to
//! stop at each batch and every few thousand rows. Memory of batches that are read, of groups and of operators counts in a
//! pool of the query under a budget of all queries; what can spill does. A part that cannot be read is an error, or, when
//! that was allowed, is named by [`Control::missing`].
//!
//! **Not guaranteed.** Buffers inside the Parquet reader and bitmaps of rows are not counted in the pool: a page of each
//! column, and at most an eighth of a byte a row. Neither are the dictionaries that a segment's reader keeps between queries.
//!
//! **Not here.** Meaning of the language (`lang`), rewrites (`plan`), admission and time limits (`engine`).

mod aggregate;
mod answer;
mod automaton;
mod cells;
mod chunk;
mod control;
mod direct;
mod error;
mod finish;
mod fold;
mod functions;
mod hits;
mod json;
mod matching;
mod memory;
mod needle;
mod ordered;
mod output;
mod part;
mod predicate;
mod probe;
mod profile;
mod required;
mod run;
mod scan;
mod set;
mod shapes;
mod source;
mod sql;
mod stages;
mod translate;
mod word_tests;
mod workers;

pub use control::Control;
pub use error::ExecError;
pub use json::{row_json, row_value};
pub use memory::Budget;
pub use output::RECORD_COLUMN;
pub use profile::{Profile, Stage, StageReport};
pub use run::{Begun, ExecOptions, ExecStream, begin, explain, matching_rows};
pub use source::{Chunk, Source, SourceSegment};
pub use sql::{
    SQL_DEPTH_MAX, SQL_EXPRESSION_PARTS_MAX, SQL_NESTED_MAX, SQL_OPERATORS_MAX, SQL_TABLES_MAX, SQL_UNKNOWN_FIELDS_MAX,
    Sql, SqlError, SqlInput, SqlRun, sql_explain, sql_functions, sql_stream,
};
pub use stages::{Sources, Template, take_rows};

/// Whether a field is one that every row has and that is not among a segment's fields.
pub(crate) fn is_built_in(name: &str) -> bool {
    [model::field::TIME, model::field::ID, model::field::STREAM].contains(&name)
}
