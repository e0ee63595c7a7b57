//! The query engine's facade: text in, rows out, within limits.
//!
//! **Entry points.** [`Engine::run`] takes a [`QueryRequest`] and gives a [`QueryStream`] of Arrow batches that ends with
//! [`QueryStats`]; [`row_json`] turns a row of a batch into a JSON object. [`Engine::histogram`], [`Engine::fields`],
//! [`Engine::values`] and [`Engine::explain`] serve the user interface. [`Engine::prom_instant`] and
//! [`Engine::prom_range`] evaluate PromQL; [`Engine::prom`] gives the series of a tenant. [`Engine::running`] lists what
//! runs, [`Engine::cancel`] stops it.
//!
//! **Read path.** (SQL goes from its own parser to DataFusion's planner, in `exec`.) text -> `lang::parse` -> `plan::plan` -> admission (a permit, or a place in the queue) -> a snapshot of the
//! store, or rows of the catalog through [`StateTables`] -> `exec` on the engine's own threads -> batches, as they come.
//!
//! **Guarantees.** A query reads one snapshot: rows written later are not in it, and merges and retention do not disturb
//! it. Every limit has a name, and the error says it. Dropping the stream cancels the query. An answer that misses data is
//! an error, or, when the request allows it, says so: `complete` is false and the warnings name the segments.
//!
//! Without `sort` or `stats`, rows come newest first.
//!
//! **Not here.** The language (`lang`), rewrites (`plan`), operators (`exec`), PromQL's evaluation (`promql`).

mod admission;
mod delete;
mod engine;
mod error;
mod facets;
mod governor;
mod limits;
mod lookups;
mod patterns;
mod prom;
mod registry;
mod request;
mod resolve;
mod sources;
mod sql;
mod stream;
mod tables;
mod tail;
#[cfg(test)]
mod tests;

pub use engine::Engine;
pub use error::QueryError;
pub use exec::{
    RECORD_COLUMN, SQL_DEPTH_MAX, SQL_OPERATORS_MAX, SQL_TABLES_MAX, row_json, row_value, sql_functions, take_rows,
};
pub use facets::{FIELDS_SAMPLE_ROWS, HISTOGRAM_BUCKETS_MAX};
pub use limits::QueryLimits;
pub use lookups::{LOOKUP_BYTES_MAX, LookupTables};
pub use prom::{PromRequest, PromResult, PromSource};
pub use request::{
    EXPORT_TIMEOUT_FACTOR, FieldInfo, Fields, Histogram, HistogramBucket, Language, QueryRequest, QueryStats,
    RunningQuery, ValueCount, Values,
};
pub use sql::diagnose_sql;
pub use store::DeleteReport;
pub use stream::{QueryResult, QueryStream};
pub use tables::{NoStateTables, STATE_TABLES, StateTables};
pub use tail::{TAIL_ROWS_PER_TICK_MAX, TAILS_MAX, Tail, TailEvent};
