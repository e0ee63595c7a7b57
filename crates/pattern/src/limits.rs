//! What bounds the memory and the work of a miner, and the numbers that decide what is a value.

/// What a [`crate::Miner`] may hold and look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most patterns. Lines beyond them are counted as [`crate::PatternId::OVERFLOW`].
    pub templates_max: usize,
    /// Most forms that are kept: lines without their numbers, addresses and paths, of which a pattern has one or more. They are
    /// what a refinement looks at.
    pub forms_max: usize,
    /// Most forms kept of one pattern, its children. Further ones are still found by the pattern's template.
    pub children_max: usize,
    /// Most tokens of a line. What is behind them is one value.
    pub tokens_max: usize,
    /// Longest part of a line that is looked at, in bytes.
    pub text_bytes_max: usize,
    /// Most texts remembered with their pattern, so that a text that repeats is not cut again.
    pub cache_max: usize,
    /// Most replaced ids that still lead to their pattern.
    pub aliases_max: usize,
}

/// Patterns that a miner holds.
pub const TEMPLATES_MAX: usize = 10_000;
/// Forms that a miner holds; about 200 bytes each.
pub const FORMS_MAX: usize = 20_000;
/// Forms kept of one pattern.
pub const CHILDREN_MAX: usize = 64;
/// Tokens of a line.
pub const TOKENS_MAX: usize = 200;
/// Bytes of a line: stack traces and documents differ early or not at all.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Texts in the cache; 12 bytes each.
pub const CACHE_MAX: usize = 1 << 17;
/// Replaced ids.
pub const ALIASES_MAX: usize = 40_000;

const _: () = assert!(TEMPLATES_MAX <= FORMS_MAX && CHILDREN_MAX <= FORMS_MAX);

impl Default for Limits {
    fn default() -> Self {
        Self {
            templates_max: TEMPLATES_MAX,
            forms_max: FORMS_MAX,
            children_max: CHILDREN_MAX,
            tokens_max: TOKENS_MAX,
            text_bytes_max: TEXT_BYTES_MAX,
            cache_max: CACHE_MAX,
            aliases_max: ALIASES_MAX,
        }
    }
}

/// When words that differ at one place are values. One set for the logs of every program; `tests/accuracy.rs` measures it, and
/// what a fifth more or less of each number does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Distinct words that make a place a value when at most one other word is in the line.
    pub values_min_bare: usize,
    /// The same with two other words.
    pub values_min_short: usize,
    /// The same with three or more.
    pub values_min_long: usize,
    /// Distinct words that make a place for values (behind `=`, in quotes) hold values rather than names of states.
    pub named_values_min: usize,
    /// Other words of a line in which names with two or more dots are values.
    pub dotted_words_min: usize,
    /// Other words of a line in which names that end in a number, as `pool-2`, are values.
    pub numbered_words_min: usize,
    /// Other words of a line in which a place that once holds a sure value always holds one.
    pub mixed_words_min: usize,
    /// Patterns in which the same two tokens stand before differing words, for those to be values everywhere.
    pub spread_patterns_min: usize,
    /// Distinct words behind those two tokens.
    pub spread_values_min: usize,
    /// Other words of a line to which this applies.
    pub spread_words_min: usize,
    /// Words that are values at other places, for a place that holds them to hold values too if they are half of its words.
    pub known_values_min: usize,
    /// Other words of a line to which this applies.
    pub known_words_min: usize,
}

/// The numbers that are used.
pub const TUNING: Tuning = Tuning {
    values_min_bare: 30,
    values_min_short: 12,
    values_min_long: 5,
    named_values_min: 5,
    dotted_words_min: 1,
    numbered_words_min: 3,
    mixed_words_min: 2,
    spread_patterns_min: 2,
    spread_values_min: 3,
    spread_words_min: 2,
    known_values_min: 4,
    known_words_min: 2,
};

impl Default for Tuning {
    fn default() -> Self {
        TUNING
    }
}
