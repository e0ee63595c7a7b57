//! Expressions as text, in Prometheus's canonical form.

use std::fmt;

use crate::ast::{
    Aggregate, At, Binary, Cardinality, DurationExpr, DurationOp, Expr, Subquery, VectorMatching, VectorSelector,
};
use crate::labels::quoted_name;
use crate::value::format_number;

/// Milliseconds as a duration: `1h30m`.
fn write_duration(f: &mut fmt::Formatter<'_>, ms: i64) -> fmt::Result {
    if ms == 0 {
        return f.write_str("0s");
    }
    if ms < 0 {
        f.write_str("-")?;
    }
    let mut rest = ms.unsigned_abs();
    let units = [("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)];
    for (unit, size) in units.into_iter().chain([("s", 1000), ("ms", 1)]) {
        // Years, weeks and days only if nothing is left: 90d and not 12w6d.
        let exact = rest.is_multiple_of(size) || !matches!(unit, "y" | "w" | "d");
        if rest >= size && exact {
            write!(f, "{}{unit}", rest / size)?;
            rest %= size;
        }
    }
    Ok(())
}

impl fmt::Display for DurationExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds, _) => write_duration(f, (seconds * 1000.0).round() as i64),
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

fn write_modifiers(f: &mut fmt::Formatter<'_>, at: Option<At>, offset: Option<&DurationExpr>) -> fmt::Result {
    match at {
        Some(At::TimeMs(ms)) => write!(f, " @ {}.{:03}", ms / 1000, (ms % 1000).abs())?,
        Some(At::Start) => f.write_str(" @ start()")?,
        Some(At::End) => f.write_str(" @ end()")?,
        None => {}
    }
    offset.map_or(Ok(()), |offset| write!(f, " offset {offset}"))
}

impl VectorSelector {
    fn write_series(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let classic = quoted_name(&self.name.replace(':', "_")) == self.name.replace(':', "_");
        let mut inside: Vec<String> = Vec::new();
        if classic {
            f.write_str(&self.name)?;
        } else if !self.name.is_empty() {
            inside.push(format!("{:?}", self.name));
        }
        let named = !self.name.is_empty();
        let is_name = |at: usize| named && at + 1 == self.matchers.len();
        let rest = self.matchers.iter().enumerate().filter(|(at, _)| !is_name(*at));
        inside.extend(rest.map(|(_, matcher)| matcher.to_string()));
        if !inside.is_empty() || !named { write!(f, "{{{}}}", inside.join(",")) } else { Ok(()) }
    }

    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.anchored {
            f.write_str(" anchored")?;
        }
        if self.smoothed {
            f.write_str(" smoothed")?;
        }
        write_modifiers(f, self.at, self.offset.as_ref())
    }
}

fn names(labels: &[String]) -> String {
    labels.iter().map(|label| quoted_name(label)).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Aggregate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.op.as_str())?;
        match (self.without, self.grouping.is_empty()) {
            (true, _) => write!(f, " without ({}) ", names(&self.grouping))?,
            (false, false) => write!(f, " by ({}) ", names(&self.grouping))?,
            (false, true) => {}
        }
        match &self.param {
            Some(param) => write!(f, "({param}, {})", self.expr),
            None => write!(f, "({})", self.expr),
        }
    }
}

impl fmt::Display for VectorMatching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.on || !self.labels.is_empty() {
            write!(f, " {} ({})", if self.on { "on" } else { "ignoring" }, names(&self.labels))?;
        }
        match self.cardinality {
            Cardinality::ManyToOne => write!(f, " group_left ({})", names(&self.include))?,
            Cardinality::OneToMany => write!(f, " group_right ({})", names(&self.include))?,
            Cardinality::OneToOne | Cardinality::ManyToMany => {}
        }
        let number = |value: f64| format_number(value);
        match (self.fill_left, self.fill_right) {
            (Some(left), Some(right)) if left == right => write!(f, " fill ({})", number(left)),
            (left, right) => {
                left.map_or(Ok(()), |left| write!(f, " fill_left ({})", number(left)))?;
                right.map_or(Ok(()), |right| write!(f, " fill_right ({})", number(right)))
            }
        }
    }
}

impl fmt::Display for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.left, self.op.as_str())?;
        if self.bool_modifier {
            f.write_str(" bool")?;
        }
        if let Some(matching) = &self.matching {
            write!(f, "{matching}")?;
        }
        write!(f, " {}", self.right)
    }
}

impl fmt::Display for Subquery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}:", self.expr, self.range)?;
        if let Some(step) = &self.step {
            write!(f, "{step}")?;
        }
        f.write_str("]")?;
        write_modifiers(f, self.at, self.offset.as_ref())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value, _) => f.write_str(&format_number(*value)),
            Self::String(value, _) => write!(f, "{value:?}"),
            Self::Vector(selector) => {
                selector.write_series(f)?;
                selector.write_end(f)
            }
            Self::Matrix(matrix) => {
                matrix.selector.write_series(f)?;
                write!(f, "[{}]", matrix.range)?;
                matrix.selector.write_end(f)
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
