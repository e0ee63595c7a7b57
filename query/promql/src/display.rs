//! Expressions as text, in Prometheus's canonical form.

use std::fmt;

use model::prometheus::duration_text;

use crate::ast::{
    Aggregate, At, Binary, Cardinality, DurationExpr, DurationOp, Expr, Notation, Subquery, VectorMatching,
    VectorSelector,
};
use crate::labels::quoted_name;
use crate::text::{plain_number, quote, short_number};

/// Milliseconds as a duration: `1h30m`.
fn write_duration(f: &mut fmt::Formatter<'_>, ms: i64) -> fmt::Result {
    let sign = if ms < 0 { "-" } else { "" };
    write!(f, "{sign}{}", duration_text(ms.unsigned_abs()))
}

/// Milliseconds, shown as a duration.
pub(crate) struct Milliseconds(pub(crate) i64);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_duration(f, self.0)
    }
}

/// A number as it was written: `5m` stays `5m`.
fn write_number(f: &mut fmt::Formatter<'_>, value: f64, notation: Notation) -> fmt::Result {
    match notation {
        Notation::Plain => f.write_str(&plain_number(value)),
        Notation::Duration => write_duration(f, (value * 1000.0).round() as i64),
    }
}

/// A range, step or offset: a number alone is a duration however it was written.
fn whole_duration(f: &mut fmt::Formatter<'_>, duration: &DurationExpr) -> fmt::Result {
    match duration {
        DurationExpr::Seconds(seconds, ..) => write_duration(f, (seconds * 1000.0).round() as i64),
        other => write!(f, "{other}"),
    }
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds, notation, _) => write_number(f, *seconds, *notation),
            Self::Step(_) => f.write_str("step()"),
            Self::Range(_) => f.write_str("range()"),
            Self::Negative(inner, _) => write!(f, "-{inner}"),
            Self::Paren(inner, _) => write!(f, "({inner})"),
            Self::Binary(op, left, right) => match op {
                DurationOp::MaxOf => write!(f, "max_of({left}, {right})"),
                DurationOp::MinOf => write!(f, "min_of({left}, {right})"),
                DurationOp::Add => write!(f, "{left} + {right}"),
                DurationOp::Sub => write!(f, "{left} - {right}"),
                DurationOp::Mul => write!(f, "{left} * {right}"),
                DurationOp::Div => write!(f, "{left} / {right}"),
                DurationOp::Mod => write!(f, "{left} % {right}"),
                DurationOp::Pow => write!(f, "{left} ^ {right}"),
            },
        }
    }
}

fn write_at(f: &mut fmt::Formatter<'_>, at: Option<At>) -> fmt::Result {
    match at {
        Some(At::TimeMs(ms)) => write!(f, " @ {:.3}", ms as f64 / 1000.0),
        Some(At::Start) => f.write_str(" @ start()"),
        Some(At::End) => f.write_str(" @ end()"),
        None => Ok(()),
    }
}

fn write_offset(f: &mut fmt::Formatter<'_>, offset: Option<&DurationExpr>) -> fmt::Result {
    match offset {
        None => Ok(()),
        // No offset is the same as one of nothing.
        Some(DurationExpr::Seconds(seconds, ..)) if *seconds == 0.0 => Ok(()),
        Some(offset) => {
            f.write_str(" offset ")?;
            whole_duration(f, offset)
        }
    }
}

impl VectorSelector {
    fn write_series(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classic = quoted_name(&self.name.replace(':', "_")) == self.name.replace(':', "_");
        let mut inside: Vec<String> = Vec::new();
        if classic {
            f.write_str(&self.name)?;
        } else if !self.name.is_empty() {
            inside.push(quote(&self.name));
        }
        let named = !self.name.is_empty();
        let is_name = |at: usize| named && at + 1 == self.matchers.len();
        let rest = self.matchers.iter().enumerate().filter(|(at, _)| !is_name(*at));
        inside.extend(rest.map(|(_, matcher)| matcher.to_string()));
        inside.sort();
        if !inside.is_empty() || !named { write!(f, "{{{}}}", inside.join(",")) } else { Ok(()) }
    }

    fn extension(&self) -> &'static str {
        match (self.anchored, self.smoothed) {
            (true, _) => " anchored",
            (false, true) => " smoothed",
            (false, false) => "",
        }
    }
}

fn names(labels: &[String]) -> String {
    labels.iter().map(|label| quoted_name(label)).collect::<Vec<_>>().join(", ")
}

impl Aggregate {
    /// What stands before the parenthesis.
    pub(crate) fn prefix(&self) -> String {
        let op = self.op.as_str();
        match (self.without, self.grouping.is_empty()) {
            (true, _) => format!("{op} without ({}) ", names(&self.grouping)),
            (false, false) => format!("{op} by ({}) ", names(&self.grouping)),
            (false, true) => op.to_owned(),
        }
    }
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.prefix())?;
        match &self.param {
            Some(param) => write!(f, "({param}, {})", self.expr),
            None => write!(f, "({})", self.expr),
        }
    }
}

impl fmt::Display for VectorMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grouped = matches!(self.cardinality, Cardinality::ManyToOne | Cardinality::OneToMany);
        if self.on || grouped || !self.labels.is_empty() {
            write!(f, " {} ({})", if self.on { "on" } else { "ignoring" }, names(&self.labels))?;
        }
        match self.cardinality {
            Cardinality::ManyToOne => write!(f, " group_left ({})", names(&self.include))?,
            Cardinality::OneToMany => write!(f, " group_right ({})", names(&self.include))?,
            Cardinality::OneToOne | Cardinality::ManyToMany => {}
        }
        let number = |value: f64| short_number(value);
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({})", number(left)),
            (left, right) => {
                left.map_or(Ok(()), |left| write!(f, " fill_left ({})", number(left)))?;
                right.map_or(Ok(()), |right| write!(f, " fill_right ({})", number(right)))
            }
        }
    }
}

impl Binary {
    /// The operator with its modifiers.
    pub(crate) fn middle(&self) -> String {
        let matching = self.matching.as_ref().map(VectorMatching::to_string).unwrap_or_default();
        format!("{}{}{matching}", self.op.as_str(), if self.bool_modifier { " bool" } else { "" })
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operators, first) = self.chain();
        write!(f, "{first}")?;
        operators.iter().rev().try_for_each(|binary| write!(f, " {} {}", binary.middle(), binary.right))
    }
}

impl Subquery {
    /// What follows the inner expression: range, step and modifiers.
    pub(crate) fn suffix(&self) -> String {
        Suffix(self).to_string()
    }
}

struct Suffix<'a>(&'a Subquery);

impl fmt::Display for Suffix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        whole_duration(f, &self.0.range)?;
        f.write_str(":")?;
        self.0.step.as_ref().map_or(Ok(()), |step| whole_duration(f, step))?;
        f.write_str("]")?;
        write_at(f, self.0.at)?;
        write_offset(f, self.0.offset.as_ref())
    }
}

impl fmt::Display for Subquery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.expr, Suffix(self))
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value, notation, _) => write_number(f, *value, *notation),
            Self::String(value, _) => f.write_str(&quote(value)),
            Self::Vector(selector) => {
                selector.write_series(f)?;
                write_at(f, selector.at)?;
                f.write_str(selector.extension())?;
                write_offset(f, selector.offset.as_ref())
            }
            Self::Matrix(matrix) => {
                matrix.selector.write_series(f)?;
                f.write_str("[")?;
                whole_duration(f, &matrix.range)?;
                write!(f, "]{}", matrix.selector.extension())?;
                write_at(f, matrix.selector.at)?;
                write_offset(f, matrix.selector.offset.as_ref())
            }
            Self::Subquery(subquery) => subquery.fmt(f),
            Self::Call(call) => {
                let args: Vec<String> = call.args.iter().map(Expr::to_string).collect();
                write!(f, "{}({})", call.function.name, args.join(", "))
            }
            Self::Aggregate(aggregate) => aggregate.fmt(f),
            Self::Binary(binary) => binary.fmt(f),
            Self::Unary { negative, expr, .. } => write!(f, "{}{expr}", if *negative { "-" } else { "+" }),
            Self::Paren(inner, _) => write!(f, "({inner})"),
        }
    }
}
