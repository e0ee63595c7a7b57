//! What expressions and templates of the query language are worth, row by row.
//!
//! **Entry points.** [`Program::new`] reads an expression over named columns once: constant parts are computed, regular
//! expressions, networks, formats and zones compiled. [`Program::eval`] then computes it for a row, which is a function from
//! a column's place to its [`Value`]; [`Program::holds`] asks it as a condition; [`Program::kind`] says
//! before what kind of column the values make. [`Template`] is the same for the pipe
//! `format`.
//!
//! **Values.** Rows hold texts, numbers, truths and times. A text that is a number counts as that number where a number is
//! needed, and a text in RFC 3339 as a time; whole numbers keep all their digits up to 64 bits and become doubles beyond.
//! Equality takes a missing value for the empty text, as all of the language does; two texts are equal when they read the
//! same, a text and a number when their numbers are. Order compares numbers as numbers when both sides are, texts by their
//! bytes; a number and a text that is none do not compare. `and`, `or`, `not` and `if` take what is missing for false.
//!
//! **Guarantees.** Nothing fails at run time and nothing panics: what cannot be computed is missing, and a function of a
//! missing value is missing unless its documentation says otherwise. What can be seen to be wrong before (the number of
//! arguments, a constant pattern, network, path, format or zone) is a [`ComputeError`] with its place in the query. No
//! clock: the time that is now is an argument. Memory and time of a row are bounded by [`limits`].
//!
//! **Not here.** Columns in memory and plans (`exec`), and the grammar, names and documentation of functions (`lang`).

mod arithmetic;
mod compare;
mod error;
mod functions;
mod items;
mod kinds;
pub mod limits;
mod prepare;
mod program;
mod template;
mod value;

#[cfg(test)]
mod tests;

pub use error::ComputeError;
pub use kinds::ColumnKind;
pub use program::{Program, Row};
pub use template::Template;
pub use value::Value;
