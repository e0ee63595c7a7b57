//! Which kind of value an expression makes, known before a row is read: what type a column of results has.

use lang::{BinaryOp, Kind, ScalarFunction};

use crate::Program;
use crate::program::Node;
use crate::value::Value;

/// The kind of a column of the row: one of those that [`Program::kind`] answers with.
pub type ColumnKind<'f> = &'f dyn Fn(usize) -> Kind;

impl Program {
    /// The kind of what it is worth in every row: [`Kind::Bool`], [`Kind::Integer`], [`Kind::Number`], [`Kind::Time`],
    /// [`Kind::Text`], [`Kind::Json`], or [`Kind::Any`] when rows differ or nothing is known. `columns` says the same of the
    /// columns that it reads.
    ///
    /// A value is of this kind or missing, with two exceptions: where the kind is a number, whole ones come as [`Value::Int`]
    /// and others as [`Value::Number`]; and where it is a whole number, a result that no `i64` holds comes as
    /// [`Value::Number`], of which [`Value::as_i64`] is `None`.
    pub fn kind(&self, columns: ColumnKind<'_>) -> Kind {
        self.root().kind(columns).unwrap_or(Kind::Any)
    }
}

/// The kind of what may be of either; what is always missing fits anything.
fn joined(a: Option<Kind>, b: Option<Kind>) -> Option<Kind> {
    match (a, b) {
        (None, kind) | (kind, None) => kind,
        (Some(a), Some(b)) if a == b => Some(a),
        (Some(Kind::Integer | Kind::Number), Some(Kind::Integer | Kind::Number)) => Some(Kind::Number),
        _ => Some(Kind::Any),
    }
}

impl Node {
    /// `None` when it is always missing.
    fn kind(&self, columns: ColumnKind<'_>) -> Option<Kind> {
        match self {
            Self::Constant(value) => of_value(value),
            Self::Column(at) => Some(plain(columns(*at))),
            Self::Negate(inner) => match inner.kind(columns)? {
                Kind::Integer => Some(Kind::Integer),
                _ => Some(Kind::Number),
            },
            Self::Binary(op, parts) if op.is_arithmetic() => {
                arithmetic(*op, parts[0].kind(columns)?, parts[1].kind(columns)?)
            }
            Self::Not(_) | Self::Binary(..) | Self::And(_) | Self::Or(_) | Self::In(..) | Self::InTable(..) => {
                Some(Kind::Bool)
            }
            Self::Branches(branches, otherwise) => {
                branches.iter().fold(otherwise.kind(columns), |kind, [_, value]| joined(kind, value.kind(columns)))
            }
            Self::Coalesce(parts) => parts.iter().fold(None, |kind, part| joined(kind, part.kind(columns))),
            Self::Call(call) => call_kind(call.function(), call.arguments(), columns),
        }
    }
}

fn of_value(value: &Value<'_>) -> Option<Kind> {
    Some(match value {
        Value::Missing => return None,
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Integer,
        Value::Number(_) => Kind::Number,
        Value::Time(_) => Kind::Time,
        Value::Text(_) => Kind::Text,
        Value::Json(_) => Kind::Json,
    })
}

/// The kind of value that stands for a kind of argument.
fn plain(kind: Kind) -> Kind {
    match kind {
        Kind::Bool | Kind::Integer | Kind::Number | Kind::Time | Kind::Text | Kind::Any => kind,
        Kind::Duration => Kind::Integer,
        Kind::List | Kind::Json => Kind::Json,
        Kind::Pattern | Kind::Network | Kind::Path | Kind::TimeFormat | Kind::Zone | Kind::Template => Kind::Text,
    }
}

fn arithmetic(op: BinaryOp, a: Kind, b: Kind) -> Option<Kind> {
    Some(match (op, a, b) {
        (BinaryOp::Divide, ..) => Kind::Number,
        (_, Kind::Integer, Kind::Integer) => Kind::Integer,
        (BinaryOp::Multiply | BinaryOp::Modulo, ..) => Kind::Number,
        (BinaryOp::Add, Kind::Time, _) | (BinaryOp::Add, _, Kind::Time) => Kind::Time,
        (_, Kind::Time, Kind::Time) => Kind::Integer,
        (_, Kind::Time, Kind::Integer | Kind::Number) => Kind::Time,
        (_, Kind::Any | Kind::Time, _) | (_, _, Kind::Any) => Kind::Any,
        (_, _, Kind::Time) => Kind::Integer,
        _ => Kind::Number,
    })
}

fn call_kind(function: ScalarFunction, arguments: &[Node], columns: ColumnKind<'_>) -> Option<Kind> {
    let kinds = || arguments.iter().map(|argument| argument.kind(columns));
    let whole = |kind: Option<Kind>| matches!(kind, None | Some(Kind::Integer));
    let returns = plain(function.spec().returns);
    Some(match function {
        // Of whole numbers they make whole numbers.
        ScalarFunction::Abs
        | ScalarFunction::Ceil
        | ScalarFunction::Floor
        | ScalarFunction::Round
        | ScalarFunction::Truncate
        | ScalarFunction::Mod
            if kinds().all(whole) =>
        {
            Kind::Integer
        }
        ScalarFunction::ToNumber
            if kinds().all(|kind| matches!(kind, None | Some(Kind::Integer | Kind::Bool | Kind::Time))) =>
        {
            Kind::Integer
        }
        ScalarFunction::Min | ScalarFunction::Max => {
            // A text that is a number comes as that number.
            match kinds().fold(None, joined)? {
                Kind::Text => Kind::Any,
                kind => kind,
            }
        }
        _ => returns,
    })
}
