//! The tree of a query: what [`crate::parse`] makes and [`crate::format`] prints. Plain data, no behaviour beyond names.
//!
//! Two trees are equal when they mean the same text: [`Span`]s take no part in the comparison.

use std::ops::Range;

use model::{TimeRange, field};

use crate::Expr;

/// A whole query: where rows come from, which of them count, and what is done with them.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The table that is read.
    pub source: Source,
    /// Which of its rows count.
    pub filter: Filter,
    /// What is done with them, in this order.
    pub pipes: Vec<Pipe>,
}

impl Default for Query {
    /// The query `*`: every log record.
    fn default() -> Self {
        Self { source: Source::Logs, filter: Filter::All, pipes: Vec::new() }
    }
}

/// The table that a query reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Log records: the default.
    Logs,
    /// Trace spans.
    Spans,
    /// What could not be decoded.
    Quarantine,
    /// Deploys and other changes.
    Changes,
    /// Alerts and their states.
    Alerts,
    /// Incidents.
    Incidents,
    /// Actions of playbooks.
    Actions,
    /// The audit trail.
    Audit,
}

impl Source {
    /// Every table that can be read.
    pub const ALL: [Source; 8] = [
        Self::Logs,
        Self::Spans,
        Self::Quarantine,
        Self::Changes,
        Self::Alerts,
        Self::Incidents,
        Self::Actions,
        Self::Audit,
    ];

    /// The name after `from`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Quarantine => "quarantine",
            Self::Changes => "changes",
            Self::Alerts => "alerts",
            Self::Incidents => "incidents",
            Self::Actions => "actions",
            Self::Audit => "audit",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

/// Which rows count.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// `*`: every row.
    All,
    /// `!*`: no row. Also what constant folding leaves of a contradiction.
    Nothing,
    /// Rows for which every part holds. Two parts or more.
    And(Vec<Filter>),
    /// Rows for which some part holds. Two parts or more.
    Or(Vec<Filter>),
    /// Rows for which the part does not hold.
    Not(Box<Filter>),
    /// A test of one field, or of any field.
    Field(FieldName, Test),
    /// `{service.name="checkout", host.name!="a"}`: every matcher holds. May be empty, which every row matches.
    Stream(Vec<StreamMatcher>),
    /// `_time:...`, made absolute when the query was parsed.
    Time(TimeRange),
    /// `expr(...)`, and in `where` what only an expression can mean: the expression holds.
    Expr(Expr),
}

/// What a test looks at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FieldName {
    /// The field of this name.
    Named(String),
    /// `*:`: any field of the row; the test holds when it holds for one of them.
    Any,
}

impl FieldName {
    /// The field that a bare word searches.
    pub fn body() -> Self {
        Self::Named(field::BODY.to_owned())
    }
}

/// Whether letters of different case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Case {
    /// They are: `Error` finds `ERROR`.
    Insensitive,
    /// They are not.
    Sensitive,
}

/// A test of a field's value. A value is compared by its text (`model::Value::text`); a missing field has the empty text,
/// and no test but [`Test::Empty`] holds for it.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `word`, `"a phrase"`, `pre*`, `"a phrase pre"*`: the text is in the value, and starts and ends where a word of the
    /// value starts and ends; with `prefix` it may end inside a word. Insensitive to case unless asked by `c(...)`.
    Phrase {
        /// The text, never empty.
        text: String,
        /// Whether the last word may go on.
        prefix: bool,
        /// Case; insensitive by default.
        case: Case,
    },
    /// `=exact`, `="exact"`, `="starts with"*`: the whole value is the text, or starts with it. Sensitive to case unless
    /// asked by `i(...)`.
    Exact {
        /// The text; may be empty only with `prefix`.
        text: String,
        /// Whether the value may go on.
        prefix: bool,
        /// Case; sensitive by default.
        case: Case,
    },
    /// `~"regex"`: the expression matches somewhere in the value. In the syntax of the `regex` crate, known to be valid
    /// and within [`crate::limits`]. Sensitive to case unless it says `(?i)`.
    Regex(String),
    /// `>`, `>=`, `<`, `<=`.
    Compare(Comparison, Bound),
    /// `in(a, b)`: the whole value is one of these, sensitive to case. Not empty.
    In(Vec<String>),
    /// `field:*`: the row has the field, and its text is not empty.
    Exists,
    /// `field:""`: the row does not have the field, or its text is empty.
    Empty,
    /// `seq("a", "b")`: the phrases are in the value in this order, each after the end of the one before. Insensitive to
    /// case. Not empty.
    Sequence(Vec<String>),
    /// `ipv4_range(10.0.0.0/8)` or `ipv4_range(10.0.0.1, 10.0.0.9)`: the value is an IPv4 address from the first to the
    /// last, both included.
    Ipv4Range(u32, u32),
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
}

impl Comparison {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }

    /// Whether it holds for two values that compare so.
    pub fn holds(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// What a value is compared with. With `number`, only values that are numbers match, compared as numbers; without, values
/// compare by the bytes of their text.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// As written.
    pub text: String,
    /// The number that the text is: a plain number, a duration in nanoseconds (`500ms`), or a size in bytes (`10MiB`).
    pub number: Option<f64>,
}

/// One matcher of a stream selector. It looks at a field of the row, which for stream fields is part of `_stream`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamMatcher {
    /// The field's name.
    pub name: String,
    /// How its value is matched.
    pub op: MatchOp,
    /// The value, or the expression; anchored at both ends as in Prometheus. A missing field has the empty text.
    pub value: String,
}

/// How a stream matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`
    Regex,
    /// `!~`
    NotRegex,
}

impl MatchOp {
    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
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

/// One pipe.
#[derive(Clone, Debug, PartialEq)]
pub struct Pipe {
    /// What it does.
    pub kind: PipeKind,
    /// Where it is written, its name included.
    pub span: Span,
}

/// What a pipe does.
#[derive(Clone, Debug, PartialEq)]
pub enum PipeKind {
    /// `stats by (...) ...`
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
    /// `top n by (...)` and `rare n by (...)`.
    Top(Top),
    /// `uniq by (...)`.
    Uniq(Uniq),
}

/// The pipe `stats`.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// What rows are grouped by; empty for one group.
    pub by: Vec<Group>,
    /// What is computed for each group; not empty.
    pub aggregates: Vec<Aggregate>,
}

/// A key that rows are grouped by. The result has it as a column named as the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// The text of a field; missing counts as empty.
    Field(String),
    /// `_time:1h`: the start of the bucket that the time falls in; buckets start at multiples of the step since the Unix
    /// epoch.
    TimeBucket {
        /// The field; today always `_time`.
        field: String,
        /// Width of a bucket in nanoseconds, above zero.
        step_ns: i64,
    },
}

impl Group {
    /// The field that it reads, and the column that it makes.
    pub fn field(&self) -> &str {
        match self {
            Self::Field(field) | Self::TimeBucket { field, .. } => field,
        }
    }
}

/// One value computed for each group.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What is computed.
    pub function: Function,
    /// Of which fields: any number for `count` (none means rows), one or more for `count_distinct`, none for `rate`, exactly
    /// one for every other function.
    pub fields: Vec<String>,
    /// `if (filter)`: only of rows that match.
    pub filter: Option<Filter>,
    /// The column that holds it. Without `as`, the call as written in canonical form: `count(*)`, `quantile(0.5, x)`,
    /// `count(*) if (error)`, as VictoriaLogs names it.
    pub name: String,
}

/// What an aggregate computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// Rows; with fields, rows in which one of them is not empty.
    Count,
    /// Different values of the fields together, the empty one not counted.
    CountDistinct,
    /// Sum of the numbers.
    Sum,
    /// Mean of the numbers.
    Avg,
    /// Smallest value: of numbers as numbers, else of texts.
    Min,
    /// Largest value, likewise.
    Max,
    /// The value below which this share of the numbers lies, from 0 to 1.
    Quantile(f64),
    /// Half of the numbers lie below.
    Median,
    /// Standard deviation of the population of numbers.
    Stddev,
    /// Rows a second: of the bucket when grouped by time, else of the query's time range.
    Rate,
    /// Value of the oldest row that has the field.
    First,
    /// Value of the newest row that has the field.
    Last,
    /// Different values, as a JSON array.
    Values,
    /// Some value that is not empty.
    Any,
}

impl Function {
    /// The name in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::CountDistinct => "count_distinct",
            Self::Sum => "sum",
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Quantile(_) => "quantile",
            Self::Median => "median",
            Self::Stddev => "stddev",
            Self::Rate => "rate",
            Self::First => "first",
            Self::Last => "last",
            Self::Values => "values",
            Self::Any => "any",
        }
    }
}

/// A key of a sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SortKey {
    /// The field. Numbers sort as numbers, before texts; missing values last in either direction.
    pub field: String,
    /// Largest first.
    pub descending: bool,
}

/// The pipes `top` and `rare`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Top {
    /// How many groups.
    pub limit: u64,
    /// What rows are grouped by; not empty.
    pub by: Vec<String>,
    /// The fewest first: `rare`.
    pub rare: bool,
    /// The column of the counts; `hits` by default.
    pub hits: String,
}

/// The pipe `uniq`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uniq {
    /// The fields whose different combinations are wanted; not empty.
    pub by: Vec<String>,
    /// `with hits`: the column that counts the rows of each.
    pub hits: Option<String>,
}
