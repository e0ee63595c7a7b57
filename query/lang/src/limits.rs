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

/// Most rows that `context` takes on either side of a row.
pub const CONTEXT_ROWS_MAX: u64 = 1000;

/// Most buckets of `histogram`.
pub const HISTOGRAM_BUCKETS_MAX: u32 = 1000;

/// Most different values that the query in `in(query)` may yield.
pub const SUBQUERY_VALUES_MAX: usize = 100_000;

/// Fewest characters of a word of a fuzzy search: a shorter one would find half of all words.
pub const FUZZY_CHARS_MIN: usize = 3;

/// Fewest characters of a word that is searched for with two edits.
pub const FUZZY_CHARS_MIN_FOR_TWO: usize = 5;

/// Most characters of a word of a fuzzy search: its automaton grows with them.
pub const FUZZY_CHARS_MAX: usize = 64;

/// How many characters at the start of a fuzzy word must be right: what lets an index look at a part of its words only.
pub const FUZZY_PREFIX_CHARS: usize = 1;

/// Most edits of a fuzzy word.
pub const FUZZY_EDITS_MAX: u8 = 2;

/// Most wildcards in one pattern.
pub const WILDCARDS_MAX: usize = 16;

/// Most queries inside a query (`join`, `union`, `in(query)`), all together.
pub const SUBQUERIES_MAX: usize = 16;

/// Most remarks reported for one query; the first ones matter.
pub const DIAGNOSTICS_MAX: usize = 32;

const _: () = assert!(REGEX_BYTES_MAX < QUERY_BYTES_MAX && FILTER_TERMS_MAX <= LIST_ITEMS_MAX);
