//! Every limit of the language. Going over one is a [`crate::Diagnostic`] that names it, never a panic or a slow parse.

/// Longest query, in bytes. Room for an `in(...)` list of some thousand ids.
pub const QUERY_BYTES_MAX: usize = 256 * 1024;

/// Deepest nesting of parentheses. The parser and everything after it recurse once per level.
pub const NESTING_MAX: usize = 64;

/// Most tests in the filters of one query, values of `in(...)` not counted.
pub const FILTER_TERMS_MAX: usize = 1024;

/// Most values in one list: `in(...)`, `seq(...)`, the fields of a pipe, the keys of `by (...)`.
pub const LIST_ITEMS_MAX: usize = 8192;

/// Most pipes in one query.
pub const PIPES_MAX: usize = 64;

/// Longest regular expression, in bytes.
pub const REGEX_BYTES_MAX: usize = 4096;

/// Largest regular expression after its repetitions are written out, in characters and classes: what decides how large
/// its automaton becomes. `(a{100}){100}` is 10,000.
pub const REGEX_EXPANDED_MAX: u64 = 20_000;

/// Largest number that `limit`, `top` and `offset` take.
pub const ROWS_MAX: u64 = 1_000_000_000;

/// Most remarks reported for one query; the first ones matter.
pub const DIAGNOSTICS_MAX: usize = 32;

const _: () = assert!(REGEX_BYTES_MAX < QUERY_BYTES_MAX && FILTER_TERMS_MAX <= LIST_ITEMS_MAX);
