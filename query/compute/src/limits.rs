//! Every limit of expressions. Programs over one are compile errors that name it; rows over one give a missing value.

/// Largest text that a function makes, in bytes. What is made of a longer text may be a quarter of this longer than that.
/// Functions that copy or join (`repeat`, `concat`, `replace`, `hex`) are missing above it, so that no expression, however
/// nested, grows rows without end. Whoever keeps the values of many rows still counts their bytes: 8192 rows of this are
/// 2 GiB.
pub const TEXT_BYTES_MAX: usize = 256 * 1024;

/// Largest compiled regular expression, in bytes. The same order as what searches allow for theirs.
pub const REGEX_COMPILED_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Most regular expressions in one program: together they hold at most 256 MiB.
pub const PATTERNS_MAX: usize = 128;

/// Longest text whose edit distance is computed, in characters: the time grows with the product of both.
pub const EDIT_DISTANCE_CHARS_MAX: usize = 512;

/// Deepest expression. `lang` makes none deeper than its NESTING_MAX; trees made by hand are held to this.
pub const DEPTH_MAX: usize = 128;

/// Most steps of a path into JSON.
pub const PATH_STEPS_MAX: usize = 64;

/// Most pieces of a template.
pub const TEMPLATE_PIECES_MAX: usize = 256;

/// From how many constant items on `in` looks them up in a table instead of one by one.
pub(crate) const ITEMS_LISTED_MAX: usize = 8;

const _: () = assert!(lang::limits::NESTING_MAX <= DEPTH_MAX);
