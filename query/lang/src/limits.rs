//! Every limit of the language. Going over one is a [`crate::Diagnostic`] that names it, never a panic or a slow parse.

/// Declares limits, and the table of all of them that the documentation is made of.
macro_rules! limits {
    ($($(#[doc = $doc:literal])* $name:ident: $type:ty = $value:expr;)*) => {
        $($(#[doc = $doc])* pub const $name: $type = $value;)*

        /// Every limit: its name, its value, what it limits.
        pub(crate) const ALL: &[(&str, u64, &str)] = &[$((stringify!($name), $name as u64, concat!($($doc),*)),)*];
    };
}

limits! {
    /// Longest query, in bytes. Room for an `in(...)` list of some thousand ids.
    QUERY_BYTES_MAX: usize = 256 * 1024;

    /// Deepest nesting of parentheses. The parser and everything after it recurse once per level.
    NESTING_MAX: usize = 64;

    /// Most tests in the filters of one query, values of `in(...)` not counted.
    FILTER_TERMS_MAX: usize = 1024;

    /// Most values in one list: `in(...)`, `seq(...)`, the fields of a pipe, the keys of `by (...)`.
    LIST_ITEMS_MAX: usize = 8192;

    /// Most pipes in one query.
    PIPES_MAX: usize = 64;

    /// Longest regular expression, in bytes.
    REGEX_BYTES_MAX: usize = 4096;

    /// Largest regular expression after its repetitions are written out, in characters and classes: what decides how large
    /// its automaton becomes. `(a{100}){100}` is 10,000.
    REGEX_EXPANDED_MAX: u64 = 20_000;

    /// Largest number that `limit`, `top` and `offset` take.
    ROWS_MAX: u64 = 1_000_000_000;

    /// Most rows that `context` takes on either side of a row.
    CONTEXT_ROWS_MAX: u64 = 1000;

    /// Most buckets of `histogram`.
    HISTOGRAM_BUCKETS_MAX: u32 = 1000;

    /// Most different values that the query in `in(query)` may yield.
    SUBQUERY_VALUES_MAX: usize = 100_000;

    /// Fewest characters of a word of a fuzzy search: a shorter one would find half of all words.
    FUZZY_CHARS_MIN: usize = 3;

    /// Fewest characters of a word that is searched for with two edits.
    FUZZY_CHARS_MIN_FOR_TWO: usize = 5;

    /// Most characters of a word of a fuzzy search: its automaton grows with them.
    FUZZY_CHARS_MAX: usize = 64;

    /// How many characters at the start of a fuzzy word must be right: what lets an index look at a part of its words only.
    FUZZY_PREFIX_CHARS: usize = 1;

    /// Most edits of a fuzzy word.
    FUZZY_EDITS_MAX: u8 = 2;

    /// Most wildcards in one pattern.
    WILDCARDS_MAX: usize = 16;

    /// Most queries inside a query (`join`, `union`, `in(query)`), all together.
    SUBQUERIES_MAX: usize = 16;

    /// Most remarks reported for one query; the first ones matter.
    DIAGNOSTICS_MAX: usize = 32;
}

const _: () = assert!(REGEX_BYTES_MAX < QUERY_BYTES_MAX && FILTER_TERMS_MAX <= LIST_ITEMS_MAX);
const _: () = assert!(FUZZY_CHARS_MIN <= FUZZY_CHARS_MIN_FOR_TWO && FUZZY_CHARS_MIN_FOR_TWO <= FUZZY_CHARS_MAX);
const _: () = assert!(FUZZY_PREFIX_CHARS < FUZZY_CHARS_MIN && SUBQUERIES_MAX < NESTING_MAX);
