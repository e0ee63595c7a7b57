//! The syntax tree.

use crate::function::Function;
use crate::matcher::Matcher;

/// Byte offsets into the query text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// First byte after.
    pub end: usize,
}

impl Span {
    pub(crate) fn to(self, end: Span) -> Span {
        Span { start: self.start, end: end.end }
    }
}

/// What an expression yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// One number per step.
    Scalar,
    /// At most one number per series and step.
    Vector,
    /// Samples of a range of time per series.
    Matrix,
    /// A text.
    String,
}

impl Type {
    /// The words of Prometheus's API.
    pub fn api_name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
            Self::String => "string",
        }
    }

    /// The words of Prometheus's documentation and errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
            Self::String => "string",
        }
    }
}

/// How a number was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// `300`
    Plain,
    /// `5m`
    Duration,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    /// A number, or a duration used as a number of seconds.
    Number(f64, Notation, Span),
    /// A text.
    String(String, Span),
    /// `up{job="a"}`
    Vector(Box<VectorSelector>),
    /// `up{job="a"}[5m]`
    Matrix(Box<MatrixSelector>),
    /// `rate(x[5m])[1h:1m]`
    Subquery(Box<Subquery>),
    /// `rate(...)`
    Call(Call),
    /// `sum by (job) (...)`
    Aggregate(Box<Aggregate>),
    /// `a + b`
    Binary(Box<Binary>),
    /// `-a`; a plus sign is dropped by the parser only for numbers.
    Unary {
        /// Whether it is a minus.
        negative: bool,
        /// The operand.
        expr: Box<Expr>,
        /// With the sign.
        span: Span,
    },
    /// `(a)`
    Paren(Box<Expr>, Span),
}

impl Expr {
    /// Where it stands in the text.
    pub fn span(&self) -> Span {
        match self {
            Self::Number(_, _, span) | Self::String(_, span) | Self::Paren(_, span) | Self::Unary { span, .. } => *span,
            Self::Vector(selector) => selector.span,
            Self::Matrix(matrix) => matrix.span,
            Self::Subquery(subquery) => subquery.span,
            Self::Call(call) => call.span,
            Self::Aggregate(aggregate) => aggregate.span,
            Self::Binary(binary) => binary.span,
        }
    }

    /// What it yields.
    pub fn result_type(&self) -> Type {
        match self {
            Self::Number(..) => Type::Scalar,
            Self::String(..) => Type::String,
            Self::Vector(_) | Self::Aggregate(_) => Type::Vector,
            Self::Matrix(_) | Self::Subquery(_) => Type::Matrix,
            Self::Call(call) => call.function.returns,
            Self::Unary { expr, .. } | Self::Paren(expr, _) => expr.result_type(),
            Self::Binary(binary) => binary.returns,
        }
    }

    /// The expression without parentheses around it.
    pub fn unparen(&self) -> &Expr {
        match self {
            Self::Paren(inner, _) => inner.unparen(),
            other => other,
        }
    }

    /// How many expressions nest in each other at most. A chain of operators such as `a + b + c`, which nests to the left, counts as one.
    pub fn depth(&self) -> usize {
        let inner = match self {
            Self::Number(..) | Self::String(..) | Self::Vector(_) | Self::Matrix(_) => 0,
            Self::Subquery(subquery) => subquery.expr.depth(),
            Self::Call(call) => call.args.iter().map(Self::depth).max().unwrap_or(0),
            Self::Aggregate(aggregate) => aggregate.param.as_ref().map_or(0, Self::depth).max(aggregate.expr.depth()),
            Self::Binary(_) => {
                let (operators, first) = self.chain();
                operators.iter().map(|binary| binary.right.depth()).fold(first.depth(), usize::max)
            }
            Self::Unary { expr, .. } | Self::Paren(expr, _) => expr.depth(),
        };
        inner + 1
    }

    /// Calls `visit` for this expression and everything in it, outermost first.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        match self {
            Self::Number(..) | Self::String(..) | Self::Vector(_) | Self::Matrix(_) => {}
            Self::Subquery(subquery) => subquery.expr.walk(visit),
            Self::Call(call) => call.args.iter().for_each(|arg| arg.walk(visit)),
            Self::Aggregate(aggregate) => {
                if let Some(param) = &aggregate.param {
                    param.walk(visit);
                }
                aggregate.expr.walk(visit);
            }
            Self::Binary(binary) => {
                let mut rights = vec![&binary.right];
                let mut left = &binary.left;
                while let Self::Binary(inner) = left {
                    visit(left);
                    rights.push(&inner.right);
                    left = &inner.left;
                }
                left.walk(visit);
                rights.into_iter().rev().for_each(|right| right.walk(visit));
            }
            Self::Unary { expr, .. } | Self::Paren(expr, _) => expr.walk(visit),
        }
    }
}

/// A duration as written: literal, or an expression over the query's step and range.
#[derive(Clone, Debug, PartialEq)]
pub enum DurationExpr {
    /// Seconds.
    Seconds(f64, Notation, Span),
    /// `step()`
    Step(Span),
    /// `range()`
    Range(Span),
    /// `-d`
    Negative(Box<DurationExpr>, Span),
    /// `(d)`
    Paren(Box<DurationExpr>, Span),
    /// Two operands.
    Binary(DurationOp, Box<DurationExpr>, Box<DurationExpr>),
}

/// An operator between durations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum DurationOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    MaxOf,
    MinOf,
}

impl DurationExpr {
    /// Where it stands in the text.
    pub fn span(&self) -> Span {
        match self {
            Self::Seconds(_, _, span)
            | Self::Step(span)
            | Self::Range(span)
            | Self::Negative(_, span)
            | Self::Paren(_, span) => *span,
            Self::Binary(_, left, right) => left.span().to(right.span()),
        }
    }
}

/// The `@` modifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// A fixed time, milliseconds since the Unix epoch.
    TimeMs(i64),
    /// The start of the query.
    Start,
    /// The end of the query.
    End,
}

/// A selector of series.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorSelector {
    /// The name before the braces, which is among the matchers too; empty for none.
    pub name: String,
    /// All conditions.
    pub matchers: Vec<Matcher>,
    /// Moves the evaluation into the past; a negative one into the future.
    pub offset: Option<DurationExpr>,
    /// Fixes the time of evaluation.
    pub at: Option<At>,
    /// `anchored`: real samples at the edges of the window.
    pub anchored: bool,
    /// `smoothed`: values interpolated at the edges of the window.
    pub smoothed: bool,
    /// Where it stands.
    pub span: Span,
}

/// A selector with a range.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSelector {
    /// Which series; holds offset and `@`.
    pub selector: VectorSelector,
    /// How far back.
    pub range: DurationExpr,
    /// Where it stands.
    pub span: Span,
}

/// An expression evaluated at many times as if its results were samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Subquery {
    /// What is evaluated.
    pub expr: Expr,
    /// How far back.
    pub range: DurationExpr,
    /// How often; the default interval if absent.
    pub step: Option<DurationExpr>,
    /// Moves the evaluation into the past.
    pub offset: Option<DurationExpr>,
    /// Fixes the time of evaluation.
    pub at: Option<At>,
    /// Where it stands.
    pub span: Span,
}

/// A function call.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Which function.
    pub function: &'static Function,
    /// Its arguments.
    pub args: Vec<Expr>,
    /// Where it stands.
    pub span: Span,
}

/// What an aggregation computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the language's own")]
pub enum AggregateOp {
    Sum,
    Avg,
    Count,
    Min,
    Max,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    CountValues,
    Quantile,
    Limitk,
    LimitRatio,
}

impl AggregateOp {
    /// Every one with its name.
    pub const ALL: [(Self, &'static str); 14] = [
        (Self::Sum, "sum"),
        (Self::Avg, "avg"),
        (Self::Count, "count"),
        (Self::Min, "min"),
        (Self::Max, "max"),
        (Self::Group, "group"),
        (Self::Stddev, "stddev"),
        (Self::Stdvar, "stdvar"),
        (Self::Topk, "topk"),
        (Self::Bottomk, "bottomk"),
        (Self::CountValues, "count_values"),
        (Self::Quantile, "quantile"),
        (Self::Limitk, "limitk"),
        (Self::LimitRatio, "limit_ratio"),
    ];

    /// The name in the language.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(op, _)| *op == self).map_or("", |(_, name)| name)
    }

    /// Whether Prometheus only knows it behind a switch.
    pub fn is_experimental(self) -> bool {
        matches!(self, Self::Limitk | Self::LimitRatio)
    }

    pub(crate) fn has_param(self) -> bool {
        matches!(
            self,
            Self::Topk | Self::Bottomk | Self::CountValues | Self::Quantile | Self::Limitk | Self::LimitRatio
        )
    }
}

/// An aggregation.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// What it computes.
    pub op: AggregateOp,
    /// What it aggregates.
    pub expr: Expr,
    /// The parameter of `topk`, `quantile` and so on.
    pub param: Option<Expr>,
    /// Labels of `by` or `without`.
    pub grouping: Vec<String>,
    /// Whether the labels are those to leave out.
    pub without: bool,
    /// Where it stands.
    pub span: Span,
}

/// A binary operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum BinaryOp {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    TrimUpper,
    TrimLower,
    And,
    Or,
    Unless,
}

impl BinaryOp {
    /// Every one with its text, and how tightly it binds.
    pub const ALL: [(Self, &'static str, u8); 18] = [
        (Self::Add, "+", 4),
        (Self::Sub, "-", 4),
        (Self::Mul, "*", 5),
        (Self::Div, "/", 5),
        (Self::Mod, "%", 5),
        (Self::Pow, "^", 6),
        (Self::Atan2, "atan2", 5),
        (Self::Eq, "==", 3),
        (Self::Ne, "!=", 3),
        (Self::Lt, "<", 3),
        (Self::Le, "<=", 3),
        (Self::Gt, ">", 3),
        (Self::Ge, ">=", 3),
        (Self::TrimUpper, "</", 3),
        (Self::TrimLower, ">/", 3),
        (Self::And, "and", 2),
        (Self::Or, "or", 1),
        (Self::Unless, "unless", 2),
    ];

    /// The operator as written.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(op, ..)| *op == self).map_or("", |(_, text, _)| text)
    }

    /// How tightly it binds; `or` least.
    pub(crate) fn precedence(self) -> u8 {
        Self::ALL.iter().find(|(op, ..)| *op == self).map_or(0, |(.., precedence)| *precedence)
    }

    /// Whether it compares.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }

    /// Whether it is `and`, `or` or `unless`.
    pub fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }
}

/// How many elements of one side match one of the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Cardinality {
    OneToOne,
    ManyToOne,
    OneToMany,
    ManyToMany,
}

impl Cardinality {
    /// The words of Prometheus's API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OneToOne => "one-to-one",
            Self::ManyToOne => "many-to-one",
            Self::OneToMany => "one-to-many",
            Self::ManyToMany => "many-to-many",
        }
    }
}

/// How vectors on both sides of an operator find each other.
#[derive(Clone, Debug, PartialEq)]
pub struct VectorMatching {
    /// How many match how many.
    pub cardinality: Cardinality,
    /// Labels of `on` or `ignoring`.
    pub labels: Vec<String>,
    /// Whether the labels are those of `on`.
    pub on: bool,
    /// Labels of `group_left` or `group_right` to copy from the one side.
    pub include: Vec<String>,
    /// Value for a left element that is missing.
    pub fill_left: Option<f64>,
    /// Value for a right element that is missing.
    pub fill_right: Option<f64>,
}

/// A binary expression. A chain of them nests to the left as deeply as it is long; see [`Expr::chain`].
pub struct Binary {
    /// The operator.
    pub op: BinaryOp,
    /// Left operand.
    pub left: Expr,
    /// Right operand.
    pub right: Expr,
    /// Whether a comparison yields 0 or 1 and filters nothing.
    pub bool_modifier: bool,
    /// Where the operator stands.
    pub op_span: Span,
    /// How vectors match; `None` if an operand is a scalar.
    pub matching: Option<VectorMatching>,
    /// What it yields: a scalar if both operands are.
    pub returns: Type,
    /// Where it stands.
    pub span: Span,
}
