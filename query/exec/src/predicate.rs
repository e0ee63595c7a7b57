//! A filter made ready to run: expressions compiled, needles lower-cased, then applied to rows.
//!
//! Evaluation narrows a list of row numbers: the parts of an `and` see only the rows that the parts before left, so cheap
//! tests come first.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array as _, RecordBatch};
use column::FieldView;
use compute::Program;
use lang::{Bound, Case, Comparison, DayRange, FieldName, Filter, MatchOp, Test, WeekRange};
use model::{TimeRange, Timestamp, Value, field};
use regex::{Regex, RegexBuilder};

use crate::ExecError;
use crate::automaton::Automaton;
use crate::control::Control;
use crate::needle::{CasedNeedle, Needle, lower_case};
use crate::required::{self, Required};
use crate::shapes::ShapeTest;
use crate::stages::cells;
use crate::word_tests::{self, FuzzyWord};

/// Rows between two looks at the order to stop.
const ROWS_PER_CHECK: usize = 4096;

/// Below this a double holds every integer exactly (2^53).
const EXACT_INTEGER_MAX: f64 = 9_007_199_254_740_992.0;

/// A filter made ready to run.
#[derive(Debug, Clone)]
pub(crate) enum Predicate {
    All,
    Nothing,
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
    Not(Box<Predicate>),
    Field(FieldName, Match),
    Time(TimeRange),
    /// The time of day, or the day of the week.
    Day(DayRange),
    Week(WeekRange),
    /// A field is compared with another of the same row; as equal ones without a comparison.
    Fields(String, Option<Comparison>, String),
    /// An expression over these fields holds.
    Expr(Arc<Program>, Vec<String>),
}

/// A test made ready to run.
#[derive(Debug, Clone)]
pub(crate) enum Match {
    Needle(Needle),
    /// A phrase with case: the needle narrows, the text decides.
    CasedNeedle(CasedNeedle),
    Exact(String),
    ExactAnyCase(String),
    StartsWith(String),
    StartsWithAnyCase(String),
    Regex(Regex, Required, Option<Arc<Automaton>>),
    /// A regular expression that must match the whole value, a missing one counting as empty.
    Anchored(Regex, Required, Option<Arc<Automaton>>),
    Compare(Comparison, Bound),
    In(HashSet<String>),
    Exists,
    Empty,
    Sequence(Vec<Needle>),
    Ipv4Range(u32, u32),
    Ipv6Range(u128, u128),
    /// So many characters, from and to.
    LenRange(u64, u64),
    /// At or after the first text, before the second.
    StringRange(String, String),
    Fuzzy(FuzzyWord),
}

/// Compiles a filter. `regex_bytes_max` limits each compiled expression; `now` is when the query was asked.
pub(crate) fn compile_at(filter: &Filter, regex_bytes_max: usize, now: Timestamp) -> Result<Predicate, ExecError> {
    let compile = |part: &Filter| compile_at(part, regex_bytes_max, now);
    let all = |parts: &[Filter]| parts.iter().map(compile).collect::<Result<Vec<_>, _>>();
    Ok(match filter {
        Filter::All => Predicate::All,
        Filter::Nothing => Predicate::Nothing,
        Filter::And(parts) => {
            let mut parts = all(parts)?;
            parts.sort_by_key(Predicate::cost);
            Predicate::And(parts)
        }
        Filter::Or(parts) => Predicate::Or(all(parts)?),
        Filter::Not(part) => Predicate::Not(Box::new(compile(part)?)),
        Filter::Field(name, test) => compile_field(name, test, regex_bytes_max)?,
        Filter::DayRange(range) => Predicate::Day(*range),
        Filter::WeekRange(range) => Predicate::Week(*range),
        Filter::Expr(expr) => {
            let names: Vec<String> = expr.fields().into_iter().collect();
            let program = Program::new(expr, &names, now);
            let program = program.map_err(|error| crate::stages::unsupported(error.message, error.hint))?;
            Predicate::Expr(Arc::new(program), names)
        }
        Filter::Time(range) => Predicate::Time(*range),
        Filter::Stream(matchers) => {
            let parts: Result<Vec<Predicate>, ExecError> = matchers
                .iter()
                .map(|matcher| {
                    let name = FieldName::Named(matcher.name.clone());
                    let positive = match matcher.op {
                        MatchOp::Equal | MatchOp::NotEqual if matcher.value.is_empty() => Match::Empty,
                        MatchOp::Equal | MatchOp::NotEqual => Match::Exact(matcher.value.clone()),
                        MatchOp::Regex | MatchOp::NotRegex => {
                            let pattern = format!("^(?s:{})$", matcher.value);
                            Match::Anchored(
                                regex(&pattern, regex_bytes_max)?,
                                required::of(&pattern),
                                Automaton::new(&pattern).map(Arc::new),
                            )
                        }
                    };
                    let test = Predicate::Field(name, positive);
                    Ok(match matcher.op {
                        MatchOp::Equal | MatchOp::Regex => test,
                        MatchOp::NotEqual | MatchOp::NotRegex => Predicate::Not(Box::new(test)),
                    })
                })
                .collect();
            Predicate::And(parts?)
        }
    })
}

/// A test of a field: some are several tests, or look at another field.
fn compile_field(name: &FieldName, test: &Test, regex_bytes_max: usize) -> Result<Predicate, ExecError> {
    let phrases = |phrases: &[String]| {
        let one = |phrase: &String| Predicate::Field(name.clone(), Match::Needle(Needle::phrase(phrase)));
        phrases.iter().map(one).collect::<Vec<_>>()
    };
    let other = |comparison, other: &String| match name {
        FieldName::Named(name) => Ok(Predicate::Fields(name.clone(), comparison, other.clone())),
        FieldName::Any => Err(crate::stages::unsupported(
            "any field can not be compared with another one",
            "name the field, as in a:eq_field(b)",
        )),
    };
    Ok(match test {
        Test::ContainsAny(texts) => Predicate::Or(phrases(texts)),
        Test::ContainsAll(texts) => Predicate::And(phrases(texts)),
        Test::EqualsField(field) => other(None, field)?,
        Test::CompareField(comparison, field) => other(Some(*comparison), field)?,
        test => Predicate::Field(name.clone(), compile_test(test, regex_bytes_max)?),
    })
}

fn compile_test(test: &Test, regex_bytes_max: usize) -> Result<Match, ExecError> {
    let of_pattern = |pattern: &str| {
        let automaton = Automaton::new(pattern).map(Arc::new);
        Ok::<_, ExecError>(Match::Regex(regex(pattern, regex_bytes_max)?, required::of(pattern), automaton))
    };
    Ok(match test {
        Test::Phrase { text, prefix, case } => {
            let needle = if *prefix { Needle::prefix(text) } else { Needle::phrase(text) };
            match case {
                Case::Insensitive => Match::Needle(needle),
                Case::Sensitive => Match::CasedNeedle(CasedNeedle::new(text, needle)),
            }
        }
        Test::Exact { text, prefix: false, case: Case::Sensitive } => Match::Exact(text.clone()),
        Test::Exact { text, prefix: false, case: Case::Insensitive } => Match::ExactAnyCase(lower_case(text)),
        Test::Exact { text, prefix: true, case: Case::Sensitive } => Match::StartsWith(text.clone()),
        Test::Exact { text, prefix: true, case: Case::Insensitive } => Match::StartsWithAnyCase(lower_case(text)),
        Test::Regex(pattern) => of_pattern(pattern)?,
        Test::Suffix { text, case } => of_pattern(&word_tests::suffix_pattern(text, *case))?,
        Test::Substring { text, case } => of_pattern(&word_tests::substring_pattern(text, *case))?,
        Test::Wildcard { parts, case } => of_pattern(&word_tests::wildcard_pattern(parts, *case))?,
        Test::Fuzzy { word, edits } => Match::Fuzzy(FuzzyWord::new(word, *edits)),
        Test::Compare(comparison, bound) => Match::Compare(*comparison, bound.clone()),
        Test::In(values) => Match::In(values.iter().cloned().collect()),
        Test::Exists => Match::Exists,
        Test::Empty => Match::Empty,
        Test::Sequence(phrases) => Match::Sequence(phrases.iter().map(|phrase| Needle::phrase(phrase)).collect()),
        Test::Ipv4Range(first, last) => Match::Ipv4Range(*first, *last),
        Test::Ipv6Range(first, last) => Match::Ipv6Range(*first, *last),
        Test::LenRange(first, last) => Match::LenRange(*first, *last),
        Test::StringRange(from, to) => Match::StringRange(from.clone(), to.clone()),
        Test::InQuery(_)
        | Test::ContainsAny(_)
        | Test::ContainsAll(_)
        | Test::EqualsField(_)
        | Test::CompareField(..) => {
            return Err(ExecError::Internal { message: format!("{test:?} was to be replaced before it runs") });
        }
    })
}

pub(crate) fn regex(pattern: &str, size_max: usize) -> Result<Regex, ExecError> {
    RegexBuilder::new(pattern).size_limit(size_max).dfa_size_limit(size_max).build().map_err(|error| ExecError::Regex {
        pattern: pattern.to_owned(),
        too_large: matches!(error, regex::Error::CompiledTooBig(_)),
        message: error.to_string(),
    })
}

impl Predicate {
    /// How much a row costs, roughly, so that the parts of an `and` go from cheap to dear.
    fn cost(&self) -> u32 {
        match self {
            Predicate::All | Predicate::Nothing | Predicate::Time(_) | Predicate::Day(_) | Predicate::Week(_) => 0,
            Predicate::Fields(..) => 8,
            Predicate::Expr(..) => 32,
            Predicate::And(parts) | Predicate::Or(parts) => parts.iter().map(Predicate::cost).sum(),
            Predicate::Not(part) => part.cost(),
            Predicate::Field(name, test) => {
                let fields = if *name == FieldName::Any { 16 } else { 1 };
                let each = match test {
                    Match::Exists | Match::Empty => 1,
                    Match::Exact(_) | Match::In(_) | Match::Compare(..) | Match::StartsWith(_) => 2,
                    Match::ExactAnyCase(_)
                    | Match::StartsWithAnyCase(_)
                    | Match::Ipv4Range(..)
                    | Match::Ipv6Range(..) => 4,
                    Match::StringRange(..) => 2,
                    Match::LenRange(..) => 4,
                    Match::Fuzzy(_) => 32,
                    Match::Needle(_) | Match::CasedNeedle(_) => 8,
                    Match::Sequence(needles) => 8 * needles.len() as u32,
                    Match::Regex(..) | Match::Anchored(..) => 16,
                };
                fields * each
            }
        }
    }

    /// The fields that evaluation reads; `None` when it may read any.
    pub(crate) fn fields(&self) -> Option<BTreeSet<String>> {
        let mut out = BTreeSet::new();
        self.collect_fields(&mut out).then_some(out)
    }

    fn collect_fields(&self, out: &mut BTreeSet<String>) -> bool {
        match self {
            Predicate::All | Predicate::Nothing => true,
            Predicate::Time(_) | Predicate::Day(_) | Predicate::Week(_) => {
                out.insert(field::TIME.to_owned());
                true
            }
            Predicate::Fields(left, _, right) => {
                out.extend([left.clone(), right.clone()]);
                true
            }
            Predicate::Expr(_, names) => {
                out.extend(names.iter().cloned());
                true
            }
            Predicate::And(parts) | Predicate::Or(parts) => parts.iter().all(|part| part.collect_fields(out)),
            Predicate::Not(part) => part.collect_fields(out),
            Predicate::Field(FieldName::Named(name), _) => {
                out.insert(name.clone());
                true
            }
            Predicate::Field(FieldName::Any, _) => false,
        }
    }

    /// The rows, of those given in order, for which it holds.
    pub(crate) fn select(&self, rows: &RecordBatch, of: Vec<u32>, control: &Control) -> Result<Vec<u32>, ExecError> {
        control.check()?;
        Ok(match self {
            Predicate::All => of,
            Predicate::Nothing => Vec::new(),
            Predicate::And(parts) => {
                let mut left = of;
                for part in parts {
                    if left.is_empty() {
                        break;
                    }
                    left = part.select(rows, left, control)?;
                }
                left
            }
            Predicate::Or(parts) => {
                let mut rest = of;
                let mut found = Vec::new();
                for part in parts {
                    let hits = part.select(rows, rest.clone(), control)?;
                    rest = without(&rest, &hits);
                    found.extend(hits);
                }
                found.sort_unstable();
                found
            }
            Predicate::Not(part) => {
                let hits = part.select(rows, of.clone(), control)?;
                without(&of, &hits)
            }
            Predicate::Field(FieldName::Named(name), test) => test.select(&FieldView::new(rows, name), of, control)?,
            Predicate::Field(FieldName::Any, test) => {
                let mut rest = of;
                let mut found = Vec::new();
                for name in column::field_names(rows) {
                    let hits = test.select(&FieldView::new(rows, &name), rest.clone(), control)?;
                    rest = without(&rest, &hits);
                    found.extend(hits);
                }
                found.sort_unstable();
                found
            }
            Predicate::Time(range) => in_range(rows, *range, of),
            Predicate::Day(range) => at_times(rows, of, |ns| range.contains(ns)),
            Predicate::Week(range) => at_times(rows, of, |ns| range.contains(ns)),
            Predicate::Fields(left, comparison, right) => {
                let (left, right) = (FieldView::new(rows, left), FieldView::new(rows, right));
                of.into_iter().filter(|row| fields_hold(&left, *comparison, &right, *row as usize)).collect()
            }
            Predicate::Expr(program, names) => expr_holds(program, names, rows, of, control)?,
        })
    }
}

/// The rows whose `_time` is in the range.
pub(crate) fn in_range(rows: &RecordBatch, range: TimeRange, of: Vec<u32>) -> Vec<u32> {
    let times = rows.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let Some(times) = times else { return Vec::new() };
    let inside = |row: usize| times.is_valid(row) && range.contains(Timestamp(times.value(row)));
    of.into_iter().filter(|row| inside(*row as usize)).collect()
}

/// The rows whose `_time` passes a test.
fn at_times(rows: &RecordBatch, of: Vec<u32>, test: impl Fn(i64) -> bool) -> Vec<u32> {
    let times = rows.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let Some(times) = times else { return Vec::new() };
    of.into_iter().filter(|row| times.is_valid(*row as usize) && test(times.value(*row as usize))).collect()
}

/// How a field compares with another: as numbers when both are, else as texts.
fn fields_hold(left: &FieldView<'_>, comparison: Option<Comparison>, right: &FieldView<'_>, row: usize) -> bool {
    let order = match (left.number(row), right.number(row)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => {
            let (a, b) = (left.text(row).unwrap_or_default(), right.text(row).unwrap_or_default());
            let both = !a.is_empty() && !b.is_empty();
            both.then(|| a.cmp(&b))
        }
    };
    order.is_some_and(|order| comparison.map_or(order.is_eq(), |comparison| comparison.holds(order)))
}

/// The rows for which an expression holds.
fn expr_holds(
    program: &Program,
    names: &[String],
    rows: &RecordBatch,
    of: Vec<u32>,
    control: &Control,
) -> Result<Vec<u32>, ExecError> {
    let views: Vec<FieldView<'_>> = names.iter().map(|name| FieldView::new(rows, name)).collect();
    let times = rows.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let time_at = names.iter().position(|name| name == field::TIME);
    let mut out = Vec::new();
    for chunk in of.chunks(ROWS_PER_CHECK) {
        control.check()?;
        for row in chunk {
            let at = *row as usize;
            let value = |column: usize| match times.filter(|times| time_at == Some(column) && times.is_valid(at)) {
                Some(times) => compute::Value::Time(times.value(at)),
                None => views[column].value(at).map_or(compute::Value::Missing, cells::of_model),
            };
            if program.holds(&value) {
                out.push(*row);
            }
        }
    }
    Ok(out)
}

/// `all` without `some`; both ascending.
fn without(all: &[u32], some: &[u32]) -> Vec<u32> {
    let mut some = some.iter().peekable();
    all.iter()
        .copied()
        .filter(|row| {
            let is_hit = some.peek() == Some(&row);
            if is_hit {
                some.next();
            }
            !is_hit
        })
        .collect()
}

impl Match {
    fn select(&self, cells: &FieldView<'_>, of: Vec<u32>, control: &Control) -> Result<Vec<u32>, ExecError> {
        let mut out = Vec::new();
        let mut shapes = cells.split_column().and_then(|column| ShapeTest::new(self, column));
        for chunk in of.chunks(ROWS_PER_CHECK) {
            control.check()?;
            if let Some(shapes) = &mut shapes {
                out.extend(chunk.iter().copied().filter(|row| shapes.holds(*row as usize)));
                continue;
            }
            out.extend(chunk.iter().copied().filter(|row| self.holds(cells, *row as usize)));
        }
        Ok(out)
    }

    /// Whether it holds for one row.
    fn holds(&self, cells: &FieldView<'_>, row: usize) -> bool {
        if let Match::Compare(comparison, Bound { number: Some(number), text }) = self {
            return compare_number(cells, row, *number, text).is_some_and(|order| comparison.holds(order));
        }
        let value = cells.text(row).filter(|text| !text.is_empty());
        match (self, value) {
            (Match::Empty, value) => value.is_none(),
            (Match::Anchored(regex, ..), value) => regex.is_match(value.as_deref().unwrap_or_default()),
            (_, None) => false,
            (test, Some(text)) => test.holds_for_text(&text),
        }
    }

    /// Whether it holds for a value; a missing one is `None`.
    pub(crate) fn holds_for_value(&self, value: Option<&Value>) -> bool {
        if let (Match::Compare(comparison, Bound { number: Some(bound), text }), Some(value)) = (self, value) {
            let order = value.number().and_then(|number| compare(number, || Some(value.text()), *bound, text));
            return order.is_some_and(|order| comparison.holds(order));
        }
        let text = value.map(Value::text).filter(|text| !text.is_empty());
        match (self, text) {
            (Match::Empty, text) => text.is_none(),
            (Match::Anchored(regex, ..), text) => regex.is_match(text.as_deref().unwrap_or_default()),
            (_, None) => false,
            (test, Some(text)) => test.holds_for_text(&text),
        }
    }

    /// Whether it holds for a text that is not empty.
    pub(crate) fn holds_for_text(&self, text: &str) -> bool {
        match self {
            Match::Needle(needle) => needle.is_in(text),
            Match::CasedNeedle(needle) => needle.is_in(text),
            Match::Exact(want) => text == want,
            Match::ExactAnyCase(want) => lower_case(text) == *want,
            Match::StartsWith(start) => text.starts_with(start.as_str()),
            Match::StartsWithAnyCase(start) => lower_case(text).starts_with(start.as_str()),
            Match::Regex(regex, ..) | Match::Anchored(regex, ..) => regex.is_match(text),
            Match::Compare(comparison, bound) => comparison.holds(text.cmp(&bound.text)),
            Match::In(values) => values.contains(text),
            Match::Exists => true,
            Match::Empty => false,
            Match::Sequence(needles) => in_sequence(needles, text),
            Match::Ipv4Range(first, last) => {
                text.parse::<Ipv4Addr>().is_ok_and(|address| (*first..=*last).contains(&address.to_bits()))
            }
            Match::Ipv6Range(first, last) => text.parse::<IpAddr>().is_ok_and(|address| {
                let address = match address {
                    IpAddr::V4(address) => address.to_ipv6_mapped(),
                    IpAddr::V6(address) => address,
                };
                (*first..=*last).contains(&address.to_bits())
            }),
            Match::LenRange(first, last) => (*first..=*last).contains(&(text.chars().count() as u64)),
            Match::StringRange(from, to) => from.as_str() <= text && text < to.as_str(),
            Match::Fuzzy(word) => word.is_in(text),
        }
    }
}

/// How a row's number compares with a bound; integers beyond a double's precision compare as integers.
fn compare_number(cells: &FieldView<'_>, row: usize, number: f64, text: &str) -> Option<Ordering> {
    compare(cells.number(row)?, || cells.text(row), number, text)
}

/// How a number compares with a bound. `exact` is its text.
fn compare<'a>(
    value: f64,
    exact: impl FnOnce() -> Option<Cow<'a, str>>,
    bound: f64,
    bound_text: &str,
) -> Option<Ordering> {
    if value.abs() >= EXACT_INTEGER_MAX
        && let Ok(bound) = bound_text.parse::<i64>()
        && let Ok(exact) = exact()?.parse::<i64>()
    {
        return Some(exact.cmp(&bound));
    }
    value.partial_cmp(&bound)
}

/// Whether the phrases are in the text, each after the end of the one before.
fn in_sequence(needles: &[Needle], text: &str) -> bool {
    let lower = lower_case(text);
    let mut from = 0;
    needles.iter().all(|needle| match needle.find_in_lower(&lower, from) {
        Some(end) => {
            from = end;
            true
        }
        None => false,
    })
}
