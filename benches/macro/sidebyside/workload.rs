//! What is sent and asked: one kind of data with its questions.

use anyhow::Result;
use benches::Described;

use crate::RunOptions;
use crate::engine::Engine;

/// Rows in one form: cells as text, sorted.
pub(crate) type Table = Vec<Vec<String>>;

/// A question. Each engine's file says it in the engine's own language.
pub(crate) trait Question: Copy + PartialEq + 'static {
    /// All of them, in the order in which they are asked.
    const ALL: &'static [Self];

    /// Its name in options, budgets and results.
    fn id(self) -> &'static str;

    /// Its name in the table.
    fn title(self) -> &'static str;
}

/// One kind of data, and what is to be known of it.
pub(crate) trait Workload: Described + Clone {
    type Question: Question;

    /// What is counted.
    const UNIT: &'static str;

    /// The question by whose answer a server shows that it has everything.
    const WHOLE: Self::Question;

    /// How many there are.
    fn units(&self) -> u64;

    /// The data in a line.
    fn told(&self) -> String;

    /// Whether results of that data may stand beside results of this.
    fn is_same(&self, other: &Self) -> bool;

    /// What bytes on disk are divided by, in words and as a number.
    fn raw(&self) -> (&'static str, u64);

    /// How much an answer has, for the title of its question.
    fn size(question: Self::Question, answer: &Table) -> String;

    /// Where an answer differs from what was generated.
    fn unlike_known(&self, question: Self::Question, answer: &Table) -> Option<String>;

    /// Where the second engine's answer differs from the first one's, each with the engine's name.
    fn unlike(question: Self::Question, first: (&str, &Table), second: (&str, &Table)) -> Option<String>;

    /// An engine by its name.
    fn engine(name: &str, options: &RunOptions) -> Result<Box<dyn Engine<Self>>>;
}

/// What stands in a cell, if it is the only one.
pub(crate) fn single(table: &Table) -> Option<&str> {
    match table.as_slice() {
        [row] if row.len() == 1 => row.first().map(String::as_str),
        _ => None,
    }
}

/// How many rows two tables have and which are only in one, if they are not equal.
pub(crate) fn difference(other: &str, theirs: &Table, ours: &Table) -> Option<String> {
    if theirs == ours {
        return None;
    }
    let row = ours.iter().find(|row| !theirs.contains(row)).map_or_else(String::new, |row| row.join(" "));
    let missing = theirs.iter().find(|row| !ours.contains(row)).map_or_else(String::new, |row| row.join(" "));
    let (rows, other_rows) = (ours.len(), theirs.len());
    Some(format!("{rows} rows, {other} has {other_rows}; only here: {row:?}; only there: {missing:?}"))
}
