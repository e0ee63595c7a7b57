//! The tree of a query: what [`crate::parse`] makes and [`crate::format`] prints. Plain data, no behaviour beyond names.
//!
//! Two trees are equal when they mean the same text: [`Span`]s take no part in the comparison.

mod filter;
mod join;
mod rows;
mod source;
mod stats;
mod text;

use std::ops::Range;

pub use filter::*;
pub use join::*;
pub use rows::*;
pub use source::*;
pub use stats::*;
pub use text::*;

use crate::Expr;

/// A whole query: where rows come from, which of them count, and what is done with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is read.
    pub input: Input,
    /// Which of its rows count.
    pub filter: Filter,
    /// What is done with them, in this order.
    pub pipes: Vec<Pipe>,
}

impl Default for Query {
    /// The query `*`: every log record.
    fn default() -> Self {
        Self { input: Input::default(), filter: Filter::All, pipes: Vec::new() }
    }
}

/// Where a part of a query stands in its text, in bytes. Spans are always equal to each other, so that trees compare by
/// meaning.
#[derive(Clone, Debug, Default)]
pub struct Span(pub Range<usize>);

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

/// One pipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipe {
    /// What it does.
    pub kind: PipeKind,
    /// Where it is written, its name included.
    pub span: Span,
}

/// What a pipe does. Unless a pipe says otherwise it keeps the order of rows, and a field that is missing counts as one
/// whose text is empty.
#[derive(Clone, Debug, PartialEq)]
pub enum PipeKind {
    /// `stats by (...) ...`: one row for each group.
    Stats(Stats),
    /// `sort by (f desc, g)`; not empty.
    Sort(Vec<SortKey>),
    /// `limit n`: the first rows.
    Limit(u64),
    /// `offset n`: all but the first rows.
    Offset(u64),
    /// `fields a, b`: only these, in this order. A name that ends in `*` stands for every field that starts so.
    Fields(Vec<String>),
    /// `drop a, b`: all but these. `*` as in `fields`.
    Drop(Vec<String>),
    /// `rename a as b, ...`: from, to.
    Rename(Vec<(String, String)>),
    /// `where filter`.
    Where(Filter),
    /// `eval n = expression, ...`: each sees the ones before it.
    Eval(Vec<(String, Expr)>),
    /// `top n by (...)` and `rare n by (...)`: the values with the most and the fewest rows.
    Top(Top),
    /// `uniq by (...)`: the different values.
    Uniq(Uniq),
    /// `dedup n by (...)`: the first rows of each value.
    Dedup(Dedup),
    /// `sample 1/100`: some rows, chosen by chance.
    Sample(Sample),
    /// `bin _time 5m`: a value becomes the start of its bucket.
    Bin(Bin),
    /// `timechart 5m by (f) count()`: one row for each bucket of time and group, also for empty buckets.
    Timechart(Timechart),
    /// `fill n with 0`: rows for the buckets of time that have none.
    Fill(Fill),
    /// `parse json from f`: fields out of a text.
    Parse(ParsePipe),
    /// `replace ("a", "b") at f` and `replace_regexp`: a part of a text becomes another.
    Replace(Replace),
    /// `format "<a> of <b>" as f`: a text made of fields.
    Format(FormatPipe),
    /// `unroll by (f)`: a row for each value of a JSON array.
    Unroll(Vec<String>),
    /// `join by (f) (query)`: fields of the rows of another query.
    Join(Join),
    /// `union (query)`: the rows, then those of another query, which has its own source, filter and pipes. Columns of
    /// one name are one column; a row lacks the columns that only the other side has.
    Union(Box<Query>),
    /// `lookup owners on service.name`: fields of a table of names.
    Lookup(Lookup),
    /// `context before 5 after 5`: the rows around each row.
    Context(Context),
    /// `patterns`: the templates of the bodies.
    Patterns(Patterns),
    /// `facets`: the most frequent values of each field.
    Facets(Facets),
    /// `diff previous`: what is different in this window of time.
    Diff(Diff),
    /// `explain`: the plan of everything before it in place of the rows, one row a line, in the column `plan`. Nothing is
    /// read. Always the last pipe.
    Explain,
}
