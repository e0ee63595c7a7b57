//! Patterns of log lines: which lines one statement of a program wrote, found from the lines alone.
//!
//! **Entry points.** A [`Miner`] learns lines, or better their stored shapes with the number of their rows
//! ([`Miner::learn`]), and tells the pattern of any line ([`Miner::find`]). [`mine`] does it for one answer. A pattern has a
//! [`PatternId`] for good, a template ([`Miner::template`]) and words that all of its lines hold
//! ([`Miner::required_words`]). [`Miner::state`], [`Miner::restore`] and [`Miner::merge`] carry it over restarts and nodes.
//!
//! **How.** A line is cut into tokens, and what is surely a value (numbers, addresses, paths, …) is left blank: that is its
//! *form*. Thousands of lines have one form, and a text that was seen is not cut again. Forms of one number of tokens are
//! grouped by how the words at each place differ; that is done again whenever a quarter of the forms is new, from the set
//! of forms only, so early mistakes do not stay.
//!
//! **Guarantees.** No input or output, no clock, no threads, no panic on any text. Memory is bounded by [`Limits`]; rows
//! beyond them are counted. A text and its shape have the same pattern. Ids stay while patterns grow, and an id that was
//! replaced leads to what replaced it. **Not** guaranteed: that two nodes give new patterns the same ids before they have
//! seen similar lines; that rows learned before a pattern was split are divided rightly (count rows by asking for them).

mod batch;
mod cluster;
mod form;
mod id;
mod limits;
mod lists;
mod miner;
mod scan;
mod state;
mod templates;

pub use batch::{Mined, mine, mined};
pub use id::{BadId, PatternId};
pub use limits::{
    ALIASES_MAX, CACHE_MAX, CHILDREN_MAX, FORMS_MAX, Limits, TEMPLATES_MAX, TEXT_BYTES_MAX, TOKENS_MAX, TUNING, Tuning,
};
pub use miner::{Miner, Pattern};
pub use state::{BadState, STATE_VERSION, State};
