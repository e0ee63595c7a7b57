//! Texts as words and as shapes: what the index, the columns and a query must see in the same way.
//!
//! **Entry points.** [`tokenize`] cuts a text into the words that are searched. [`Cutter`] cuts it into its *shape*, which it
//! shares with its neighbours, and what is in the *holes* of the shape. [`GroupText`] tries words, phrases and parts of texts
//! on a shape instead of on each of its rows. [`marked`] and [`fill`] write a shape and its variables as ordinary text and
//! put them together again.
//!
//! **Guarantees.** No input or output, no clock, no panic on any text. [`fill`] of what [`marked`] gave is the text, byte by
//! byte.

mod cut;
mod split;
mod text;
mod tokenize;

pub use cut::{Cutter, Hole, Looks, Variable, is_hole};
pub use split::{SPLIT_BYTES_MAX, Token, Words, fill, marked, raw, whole};
pub use text::{GroupText, Literal, Piece, Probe, lower, static_words};
pub use tokenize::{Tokens, tokenize};
