//! Which rows count.

use model::{TimeRange, field};

use super::Query;
use crate::Expr;

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
    /// `_time:day_range[08:00, 18:00)`: the time of day is in a range.
    DayRange(DayRange),
    /// `_time:week_range[Mon, Fri]`: the day of the week is in a range.
    WeekRange(WeekRange),
    /// `expr(...)`, and in `where` what only an expression can mean: the expression holds.
    Expr(Expr),
}

/// A range of times of day, in UTC unless an offset is given. One that ends before it starts goes over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayRange {
    /// Nanoseconds since midnight, from zero to below a day; in the range.
    pub start_ns: i64,
    /// Nanoseconds since midnight, above zero and up to a day; not in the range, and not equal to the start.
    pub end_ns: i64,
    /// How far local time is ahead of UTC, in nanoseconds, less than a day either way.
    pub offset_ns: i64,
}

impl DayRange {
    /// Whether a time, in nanoseconds since the Unix epoch, is in the range.
    pub fn contains(&self, time_ns: i64) -> bool {
        let of_day = time_ns.saturating_add(self.offset_ns).rem_euclid(DAY_NS);
        match self.start_ns < self.end_ns {
            true => self.start_ns <= of_day && of_day < self.end_ns,
            false => self.start_ns <= of_day || of_day < self.end_ns,
        }
    }
}

/// A range of days of the week, in UTC unless an offset is given. One that ends before it starts goes over Sunday.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeekRange {
    /// The first day: 0 is Monday, 6 is Sunday.
    pub first: u8,
    /// The last day, itself in the range.
    pub last: u8,
    /// How far local time is ahead of UTC, in nanoseconds, less than a day either way.
    pub offset_ns: i64,
}

impl WeekRange {
    /// Names of the days as they are printed, Monday first.
    pub const DAYS: [&'static str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

    /// Whether a time, in nanoseconds since the Unix epoch, is in the range.
    pub fn contains(&self, time_ns: i64) -> bool {
        // The epoch was a Thursday.
        let day = (time_ns.saturating_add(self.offset_ns).div_euclid(DAY_NS) + 3).rem_euclid(7);
        let (first, last) = (i64::from(self.first), i64::from(self.last));
        match first <= last {
            true => first <= day && day <= last,
            false => first <= day || day <= last,
        }
    }
}

const DAY_NS: i64 = 86_400_000_000_000;

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
///
/// **Words.** A word is a run of letters, digits and `_` of any script. It starts and ends where such a run does. Chinese,
/// Japanese and Korean are written without spaces, so a character of those scripts (Han, Hiragana, Katakana, Hangul,
/// Bopomofo) is a word by itself: between two of them, and between one and anything else, a word starts and ends. A text of
/// two such characters or more is so found anywhere inside a run.
///
/// **Case.** Two characters are the same in any case when their Unicode simple case folding is.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// `word`, `"a phrase"`, `pre*`, `"a phrase pre"*`: the text is in the value, and starts and ends where a word of the
    /// value starts and ends (an end that is no part of a word, as in `"(a"`, may stand anywhere); with `prefix` it may end
    /// inside a word. Insensitive to case unless asked by `c(...)`.
    Phrase {
        /// The text, never empty.
        text: String,
        /// Whether the last word may go on.
        prefix: bool,
        /// Case; insensitive by default.
        case: Case,
    },
    /// `*fix`, `*"fix of a phrase"`: as a phrase that may start inside a word, and ends where a word ends.
    Suffix {
        /// The text, never empty.
        text: String,
        /// Case; insensitive by default.
        case: Case,
    },
    /// `*mid*`, `*"any text"*`: the text is in the value, wherever.
    Substring {
        /// The text, never empty.
        text: String,
        /// Case; insensitive by default.
        case: Case,
    },
    /// `a*b`, `wild("a*b?")`: a part of the value that starts and ends where words do (as for a phrase) is the pattern from
    /// its start to its end. A pattern that starts with [`WildPart::Run`] may start inside a word, one that ends with it may
    /// end inside one.
    Wildcard {
        /// The parts; not empty, no two texts and no two runs in a row, and a text among them.
        parts: Vec<WildPart>,
        /// Case; insensitive by default.
        case: Case,
    },
    /// `word~1`, `word~2`: some word of the value is this one with at most so many edits (a character put in, taken out or
    /// replaced by another, or two neighbours swapped: optimal string alignment). The first
    /// [`crate::limits::FUZZY_PREFIX_CHARS`] characters are the same. Insensitive to case.
    Fuzzy {
        /// One word, of [`crate::limits::FUZZY_CHARS_MIN`] to [`crate::limits::FUZZY_CHARS_MAX`] characters; not of CJK.
        word: String,
        /// Most edits, 1 or 2.
        edits: u8,
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
    /// `>`, `>=`, `<`, `<=`. A range, `[a, b)`, is two of these.
    Compare(Comparison, Bound),
    /// `in(a, b)`: the whole value is one of these, sensitive to case. Not empty.
    In(Vec<String>),
    /// `in(from changes | fields target.service)`: the whole value is one of those that the query yields, sensitive to case; empty
    /// ones do not count. The query is run first, in the same time range unless its own filter says another `_time`. It
    /// ends in a pipe that leaves one column (`fields f`, `uniq by (f)`, `stats by (f) ...`, of which the first column
    /// counts), which is known. At most [`crate::limits::SUBQUERY_VALUES_MAX`] different values.
    InQuery(Box<Query>),
    /// `contains_any(a, "b c")`: one of the phrases is in the value, as [`Test::Phrase`] finds it. Not empty.
    ContainsAny(Vec<String>),
    /// `contains_all(a, "b c")`: every phrase is in the value, likewise, in any order. Not empty.
    ContainsAll(Vec<String>),
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
    /// `ipv6_range(2001:db8::/32)`, likewise for IPv6. An IPv4 address counts as `::ffff:a.b.c.d`.
    Ipv6Range(u128, u128),
    /// `len_range(5, 10)`: the value has so many characters, both included; the last may be `u64::MAX`, written `inf`.
    LenRange(u64, u64),
    /// `string_range(a, b)`: the text is at or after the first and before the second, by bytes.
    StringRange(String, String),
    /// `eq_field(other)`: the value is that of the other field of the same row, as texts, or as numbers when both are.
    EqualsField(String),
    /// `lt_field(other)`, `le_field`, `gt_field`, `ge_field`: it compares so with the other field's, as numbers when both
    /// are, else by bytes. Does not hold when the other field is missing or empty.
    CompareField(Comparison, String),
}

/// A part of a pattern with wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WildPart {
    /// This text; not empty.
    Text(String),
    /// `*`: any number of characters, none included, but no white space.
    Run,
    /// `?`: one character, but no white space.
    One,
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
