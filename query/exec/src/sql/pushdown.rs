//! Conditions of SQL as filters of a scan, so that indexes and statistics answer them.
//!
//! A condition is translated when the filter holds for exactly the same rows, or, below an `AND`, for those and some more: then
//! DataFusion tests the rows again. What is not translated is tested by DataFusion alone.

use std::collections::BTreeMap;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Like, Operator};
use lang::{Bound, Case, Comparison, FieldName, Filter, Test};
use model::{TimeRange, Timestamp};

use super::statement::SEARCH;
use crate::ExecError;
use crate::source::Kind;
use column::FieldType;

/// Longest pattern of `LIKE` that becomes a filter, in bytes.
const LIKE_BYTES_MAX: usize = 1_000;

/// The columns of a table, and what a time in the text of `search` is relative to.
pub(super) struct Columns<'a> {
    /// What the table is known as.
    pub(super) key: &'a str,
    pub(super) kinds: &'a BTreeMap<String, Kind>,
    pub(super) now: Timestamp,
}

/// A condition as a filter.
pub(super) struct Pushed {
    pub(super) filter: Filter,
    /// Whether the filter holds for exactly the rows that the condition is true for.
    pub(super) exact: bool,
}

impl Pushed {
    fn exact(filter: Filter) -> Option<Self> {
        Some(Self { filter, exact: true })
    }
}

impl Columns<'_> {
    /// The filter of a condition; `None` when there is none.
    pub(super) fn push(&self, expr: &Expr) -> Result<Option<Pushed>, ExecError> {
        Ok(match expr {
            Expr::Alias(alias) => self.push(&alias.expr)?,
            Expr::Literal(ScalarValue::Boolean(Some(truth)), _) => {
                Pushed::exact(if *truth { Filter::All } else { Filter::Nothing })
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => {
                match (self.push(left)?, self.push(right)?) {
                    (Some(left), Some(right)) => {
                        let exact = left.exact && right.exact;
                        Some(Pushed { filter: Filter::And(vec![left.filter, right.filter]), exact })
                    }
                    (Some(one), None) | (None, Some(one)) => Some(Pushed { exact: false, ..one }),
                    (None, None) => None,
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
                match (self.push(left)?, self.push(right)?) {
                    (Some(left), Some(right)) => {
                        let exact = left.exact && right.exact;
                        Some(Pushed { filter: Filter::Or(vec![left.filter, right.filter]), exact })
                    }
                    _ => None,
                }
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => self.compare(left, *op, right),
            Expr::InList(InList { expr, list, negated: false }) => self.in_list(expr, list),
            Expr::Like(like) => self.like(like),
            Expr::IsNotNull(inner) => {
                self.column(inner).filter(|(_, kind)| !is_text(*kind)).and_then(|(name, kind)| match kind {
                    Kind::Time | Kind::Id => Pushed::exact(Filter::All),
                    _ => Pushed::exact(Filter::Field(FieldName::Named(name), Test::Exists)),
                })
            }
            Expr::ScalarFunction(call) if call.name() == SEARCH => Some(self.search(call)?),
            _ => None,
        })
    }

    fn column(&self, expr: &Expr) -> Option<(String, Kind)> {
        let Expr::Column(column) = expr else { return None };
        self.kinds.get(&column.name).map(|kind| (column.name.clone(), *kind))
    }

    fn compare(&self, left: &Expr, op: Operator, right: &Expr) -> Option<Pushed> {
        let (column, op, literal) = match (left, right) {
            (column @ Expr::Column(_), Expr::Literal(literal, _)) => (column, op, literal),
            (Expr::Literal(literal, _), column @ Expr::Column(_)) => (column, op.swap()?, literal),
            _ => return None,
        };
        let (name, kind) = self.column(column)?;
        match kind {
            Kind::Time => time(op, literal),
            Kind::One(FieldType::Int) => number(name, op, literal),
            Kind::One(FieldType::Double) | Kind::Number => doubles(name, op, literal),
            _ if is_text(kind) => text(name, kind, op, literal),
            _ => None,
        }
    }

    fn in_list(&self, expr: &Expr, list: &[Expr]) -> Option<Pushed> {
        let (name, kind) = self.column(expr)?;
        if !is_text(kind) {
            return None;
        }
        let texts: Option<Vec<String>> = list
            .iter()
            .map(|item| match item {
                Expr::Literal(literal, _) => literal_text(literal).filter(|text| !text.is_empty()).map(str::to_owned),
                _ => None,
            })
            .collect();
        let texts = texts.filter(|texts| !texts.is_empty())?;
        Some(Pushed { filter: Filter::Field(FieldName::Named(name), Test::In(texts)), exact: is_plain_text(kind) })
    }

    fn like(&self, like: &Like) -> Option<Pushed> {
        let (name, kind) = self.column(&like.expr)?;
        let Expr::Literal(pattern, _) = &*like.pattern else { return None };
        let pattern = literal_text(pattern).filter(|pattern| pattern.len() <= LIKE_BYTES_MAX)?;
        if like.negated || !is_text(kind) || like.escape_char.is_some_and(|escape| escape != '\\') {
            return None;
        }
        let regex = like_regex(pattern, like.case_insensitive)?;
        Some(Pushed { filter: Filter::Field(FieldName::Named(name), Test::Regex(regex)), exact: is_plain_text(kind) })
    }

    /// `search(_time, 'error service.name:checkout')`.
    fn search(&self, call: &ScalarFunction) -> Result<Pushed, ExecError> {
        let refuse = |message: String, hint: &str| Err(ExecError::Unsupported { message, hint: hint.to_owned() });
        let text = match &call.args[..] {
            [Expr::Column(_), Expr::Literal(text, _), Expr::Literal(key, _)] => {
                literal_text(text).zip(literal_text(key).filter(|key| !key.is_empty()))
            }
            _ => None,
        };
        let Some((text, key)) = text else {
            return refuse(
                "search takes one text".to_owned(),
                "search('error'), or search(t, 'error') for the table t of several",
            );
        };
        if key != self.key {
            // Ids that are equal carry conditions over to the other side of a join, where this one means nothing.
            return Ok(Pushed { filter: Filter::All, exact: true });
        }
        let (query, diagnostics) = lang::parse(text, self.now);
        if let Some(wrong) = diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
            let hint = wrong.hint.clone().unwrap_or_default();
            return refuse(format!("in search({text:?}): {}", wrong.message), &hint);
        }
        if !query.pipes.is_empty() || query.input != lang::Input::default() {
            return refuse(
                format!("search({text:?}) has a pipe or a table"),
                "search takes a filter alone; the rest is what SQL is for",
            );
        }
        if needs_more_than_rows(&query.filter) {
            return refuse(
                format!("search({text:?}) asks for another query or a pattern"),
                "use a subquery of SQL, or ask in the native language",
            );
        }
        Ok(Pushed { filter: query.filter, exact: true })
    }
}

/// Whether a filter can only be tested after something else was looked up.
fn needs_more_than_rows(filter: &Filter) -> bool {
    let pattern = plan::filter_fields(filter).is_some_and(|names| names.contains(plan::PATTERN_FIELD));
    pattern
        || match filter {
            Filter::And(parts) | Filter::Or(parts) => parts.iter().any(needs_more_than_rows),
            Filter::Not(inner) => needs_more_than_rows(inner),
            Filter::Field(_, Test::InQuery(_)) => true,
            _ => false,
        }
}

fn is_text(kind: Kind) -> bool {
    matches!(kind, Kind::One(FieldType::Str) | Kind::Mixed)
}

fn is_plain_text(kind: Kind) -> bool {
    kind == Kind::One(FieldType::Str)
}

fn literal_text(literal: &ScalarValue) -> Option<&str> {
    match literal {
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            Some(text)
        }
        _ => None,
    }
}

/// The times of a comparison with `_time`.
fn time(op: Operator, literal: &ScalarValue) -> Option<Pushed> {
    let ScalarValue::TimestampNanosecond(Some(ns), _) = literal else { return None };
    let (all, at, after) = (TimeRange::ALL, Timestamp(*ns), Timestamp(ns.checked_add(1)?));
    let range = match op {
        Operator::Eq => TimeRange { start: at, end: after },
        Operator::Gt => TimeRange { start: after, ..all },
        Operator::GtEq => TimeRange { start: at, ..all },
        Operator::Lt => TimeRange { end: at, ..all },
        Operator::LtEq => TimeRange { end: after, ..all },
        _ => return None,
    };
    Pushed::exact(Filter::Time(range))
}

fn number(name: String, op: Operator, literal: &ScalarValue) -> Option<Pushed> {
    let (text, number) = match literal {
        ScalarValue::Int64(Some(number)) => (number.to_string(), *number as f64),
        ScalarValue::Float64(Some(number)) if number.is_finite() => (number.to_string(), *number),
        _ => return None,
    };
    let test = |comparison| {
        let bound = Bound { text: text.clone(), number: Some(number) };
        Filter::Field(FieldName::Named(name.clone()), Test::Compare(comparison, bound))
    };
    Pushed::exact(match op {
        Operator::Eq => Filter::And(vec![test(Comparison::GreaterOrEqual), test(Comparison::LessOrEqual)]),
        Operator::Gt => test(Comparison::Greater),
        Operator::GtEq => test(Comparison::GreaterOrEqual),
        Operator::Lt => test(Comparison::Less),
        Operator::LtEq => test(Comparison::LessOrEqual),
        _ => return None,
    })
}

/// What is not a number is above all numbers in SQL, and zero has a sign: only what is below, or equal to, another number than zero is
/// taken down, and tested again.
fn doubles(name: String, op: Operator, literal: &ScalarValue) -> Option<Pushed> {
    let zero = matches!(literal, ScalarValue::Float64(Some(number)) if *number == 0.0)
        || matches!(literal, ScalarValue::Int64(Some(0)));
    if zero || !matches!(op, Operator::Eq | Operator::Lt | Operator::LtEq) {
        return None;
    }
    number(name, op, literal).map(|pushed| Pushed { exact: false, ..pushed })
}

fn text(name: String, kind: Kind, op: Operator, literal: &ScalarValue) -> Option<Pushed> {
    let text = literal_text(literal).filter(|text| !text.is_empty())?.to_owned();
    let test = match op {
        Operator::Eq => Test::Exact { text, prefix: false, case: Case::Sensitive },
        Operator::RegexMatch | Operator::RegexIMatch => {
            let text = if op == Operator::RegexIMatch { format!("(?i){text}") } else { text };
            // A filter takes the empty text for no value.
            regex::Regex::new(&text).ok().filter(|regex| !regex.is_match(""))?;
            Test::Regex(text)
        }
        _ => return None,
    };
    Some(Pushed { filter: Filter::Field(FieldName::Named(name), test), exact: is_plain_text(kind) })
}

/// The expression that a pattern of `LIKE` is. `None` for one that also holds for the empty text, which a filter takes for no value.
fn like_regex(pattern: &str, case_insensitive: bool) -> Option<String> {
    let mut out = String::from(if case_insensitive { "^(?si:" } else { "^(?s:" });
    let mut any = false;
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => out.push_str(".*"),
            '_' => {
                any = true;
                out.push('.');
            }
            c => {
                any = true;
                let c = if c == '\\' { chars.next().unwrap_or('\\') } else { c };
                out.push_str(&regex_syntax::escape(c.encode_utf8(&mut [0; 4])));
            }
        }
    }
    out.push_str(")$");
    any.then_some(out)
}

/// The times that conditions leave, as far as they say: what a scan need not look at beyond.
pub(super) fn times(filter: &Filter) -> TimeRange {
    match filter {
        Filter::Time(range) => *range,
        Filter::And(parts) => parts
            .iter()
            .map(times)
            .fold(TimeRange::ALL, |a, b| TimeRange { start: a.start.max(b.start), end: a.end.min(b.end) }),
        _ => TimeRange::ALL,
    }
}
