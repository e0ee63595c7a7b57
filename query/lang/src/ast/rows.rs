//! Pipes that choose, order and compare rows.

use model::TimeRange;

/// A key of a sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The field. Numbers sort as numbers, before texts; missing values last in either direction.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// The pipes `top` and `rare`. Groups with equal counts come in order of their values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// How many groups, above zero.
    pub limit: u64,
    /// What rows are grouped by; not empty.
    pub by: Vec<String>,
    /// The fewest first: `rare`.
    pub rare: bool,
    /// The column of the counts; `hits` by default.
    pub hits: String,
    /// `percent as name`: the column of each group's share of all rows of the pipe's input, in percent.
    pub percent: Option<String>,
}

/// The pipe `uniq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uniq {
    /// The fields whose different combinations are wanted; not empty.
    pub by: Vec<String>,
    /// `with hits`: the column that counts the rows of each.
    pub hits: Option<String>,
}

/// The pipe `dedup n by (f, g)`: of the rows with one combination of values, the first `keep` in the order of rows. Rows
/// stay whole and in order. A missing field is a value of its own, equal to the empty one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dedup {
    /// The fields; not empty.
    pub by: Vec<String>,
    /// How many rows of each, above zero; 1 by default.
    pub keep: u64,
}

/// The pipe `sample`. Rows stay in order. The same rows of a table are chosen each time: chance is a hash of the row's
/// `_id`, or of its place among the rows where it has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sample {
    /// `1/100`: each row with this chance, above zero; so about a hundredth of the rows.
    OneIn(u64),
    /// `10%`: each row with this chance, above 0 and up to 100.
    Percent(f64),
    /// `500`: this many rows, above zero, each with the same chance; all rows when there are fewer.
    Rows(u64),
}

/// The pipe `context before n after m`: each row together with the rows of the same `_stream` that came right before and
/// after it, whether they match the query or not.
///
/// It stands right after the filter (`where` may stand between). Rows come in order of `_stream`, then `_time`, then `_id`;
/// a row that is near several matches comes once. Each has the column [`Context::COLUMN`]: `match`, `before` or `after`
/// (before a match when both).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// How many rows before, up to [`crate::limits::CONTEXT_ROWS_MAX`].
    pub before: u64,
    /// How many rows after, likewise; one of the two is above zero.
    pub after: u64,
}

impl Context {
    /// The column that says what a row is.
    pub const COLUMN: &'static str = "_context";
}

/// The pipe `patterns by (f) limit n`: one row for each template of the rows' bodies, the most frequent first, equal ones
/// by id. Columns: the fields of `by`, `_pattern` (the stable id), `template`, `count`, `share` (of all rows, 0 to 1),
/// `first_seen`, `last_seen`, `example` (the newest body).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patterns {
    /// Fields whose values are counted apart; may be empty.
    pub by: Vec<String>,
    /// How many rows, above zero.
    pub limit: u64,
}

impl Patterns {
    /// How many rows when the query does not say.
    pub const LIMIT_DEFAULT: u64 = 50;
}

/// The pipe `facets n f, g`: the most frequent values of each field. Columns: `field`, `value`, `hits`; ordered by the
/// field's name (or as the fields were named), then by hits, most first, then by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facets {
    /// How many values of each field, above zero.
    pub limit: u64,
    /// Which fields; empty for every field, but for those whose values differ in every row or are long (ids, bodies).
    pub fields: Vec<String>,
}

impl Facets {
    /// How many values of each field when the query does not say.
    pub const LIMIT_DEFAULT: u64 = 10;
}

/// The pipe `diff`: what is different in this window of time, against another one. The rows before it, and the rows that
/// the same query finds in the other window, are counted for each value of each field.
///
/// One row for each value that differs, the largest score first. Columns: `field`, `value`, `count`, `baseline_count`,
/// `share` (of the rows of this window, 0 to 1), `baseline_share`, `change` (share minus baseline share), `score` (how
/// surprising the difference is: the G statistic of the two counts, above zero). The template of the bodies is the field
/// `_pattern`. It stands right after the filter; `where`, `parse`, `eval` and the like may stand between.
#[derive(Clone, Debug, PartialEq)]
pub struct Diff {
    /// The other window.
    pub against: DiffAgainst,
    /// The fields that are compared; empty for all fields and `_pattern`, but for ids.
    pub by: Vec<String>,
}

/// The window that `diff` compares with. The query's own window is its time range, with its `_time` filters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DiffAgainst {
    /// `previous`: as long, and right before.
    Previous,
    /// `1h ago`: as long, and this much earlier, in nanoseconds above zero. They may overlap.
    Ago(i64),
    /// `2026-11-22..2026-11-23`: this one, of any length.
    Range(TimeRange),
}
