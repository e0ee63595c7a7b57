//! Expressions: what `eval` computes and what `where` and `expr(...)` test.
//!
//! The tree is here, its grammar in `grammar`, its canonical text in `text`, and the functions that it can call in
//! [`FUNCTIONS`], the one table from which help, completion and the documentation are made. What an expression is worth for a
//! row is the crate `compute`'s business.

mod check;
mod condition;
mod function;
mod grammar;
mod quantity;
mod reference;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeSet;

pub use check::parse_network;
pub(crate) use condition::condition;
pub use function::{FAMILIES, FUNCTIONS, FunctionSpec, Kind, Param, ScalarFunction};
pub(crate) use grammar::{column_name, expression};
pub use quantity::{format_duration, format_size, parse_size};
pub use reference::expressions_markdown;
pub(crate) use text::column_text;
pub use text::format_expr;

use crate::Span;

/// An expression over the fields of one row. Nothing in it fails at run time: what can not be computed is missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// `null`: the missing value.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number; not negative, [`Expr::Negate`] makes it so.
    Integer(i64),
    /// Another number; finite, not negative, and not a whole number that [`Expr::Integer`] could hold: see [`Expr::number`].
    Number(f64),
    /// `5m`: a duration in nanoseconds, which is what it counts as.
    Duration(i64),
    /// `10MiB`: a size in bytes, which is what it counts as.
    Size(i64),
    /// `"text"`, and where it is written.
    Text(String, Span),
    /// The value of a field.
    Field(String),
    /// `-x`.
    Negate(Box<Expr>),
    /// `not x`.
    Not(Box<Expr>),
    /// `x + y`, `x < y`.
    Binary(Box<Expr>, BinaryOp, Box<Expr>),
    /// Every part holds. Two parts or more.
    And(Vec<Expr>),
    /// Some part holds. Two parts or more.
    Or(Vec<Expr>),
    /// `round(x)`; the number of arguments is one that the function takes. The span is that of the whole call.
    Call(ScalarFunction, Vec<Expr>, Span),
}

impl Expr {
    /// A number, in the one form that it has.
    pub fn number(number: f64) -> Self {
        if number < 0.0 {
            return Self::Negate(Box::new(Self::number(-number)));
        }
        // 2^63, the first double that no `i64` holds.
        const WHOLE_END: f64 = 9_223_372_036_854_775_808.0;
        let whole = number.fract() == 0.0 && number < WHOLE_END;
        if whole { Self::Integer(number as i64) } else { Self::Number(number) }
    }

    /// A text without a place.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into(), Span::default())
    }

    /// A call without a place.
    pub fn call(function: ScalarFunction, arguments: Vec<Expr>) -> Self {
        Self::Call(function, arguments, Span::default())
    }

    /// The fields that it reads.
    pub fn fields(&self) -> BTreeSet<String> {
        let mut out = BTreeSet::new();
        self.visit(&mut |expr| {
            if let Self::Field(name) = expr {
                out.insert(name.clone());
            }
        });
        out
    }

    /// Shows it and every part of it, the whole before its parts.
    pub fn visit(&self, see: &mut impl FnMut(&Expr)) {
        see(self);
        match self {
            Self::Negate(inner) | Self::Not(inner) => inner.visit(see),
            Self::Binary(left, _, right) => {
                left.visit(see);
                right.visit(see);
            }
            Self::And(parts) | Self::Or(parts) | Self::Call(_, parts, _) => {
                parts.iter().for_each(|part| part.visit(see))
            }
            Self::Null
            | Self::Bool(_)
            | Self::Integer(_)
            | Self::Number(_)
            | Self::Duration(_)
            | Self::Size(_)
            | Self::Text(..)
            | Self::Field(_) => {}
        }
    }
}

/// An operator between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`; by zero the result is missing.
    Divide,
    /// `%`; by zero the result is missing.
    Modulo,
    /// `==`, also written `=`.
    Equal,
    /// `!=`, also written `<>`.
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl BinaryOp {
    /// Every operator.
    pub const ALL: [BinaryOp; 11] = [
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Modulo,
        Self::Equal,
        Self::NotEqual,
        Self::Less,
        Self::LessOrEqual,
        Self::Greater,
        Self::GreaterOrEqual,
    ];

    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::Equal => "==",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }

    /// Whether it computes a number; the others compare.
    pub fn is_arithmetic(self) -> bool {
        matches!(self, Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Modulo)
    }
}
