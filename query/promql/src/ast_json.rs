//! The syntax tree as JSON: what Prometheus's `parse_query` shows.

use serde_json::{Value as Json, json};

use crate::ast::{At, Binary, DurationExpr, DurationOp, Expr, Notation, VectorMatching, VectorSelector};
use crate::matcher::Matcher;
use crate::text::plain_number;

/// How deeply a tree may nest that is shown as JSON: readers of JSON, and the writer, walk it by recursion. A higher tree, which only
/// a long chain of operators is, is shown as its text.
pub const JSON_HEIGHT_MAX: usize = 500;

impl Expr {
    /// The tree in the shape of Prometheus's API: `{"type": "call", "func": {...}, "args": [...]}`.
    pub fn to_json(&self) -> Json {
        let text = || json!({"type": "text", "val": self.to_string()});
        if self.height() > JSON_HEIGHT_MAX {
            return text();
        }
        // Without a thread a deep tree is only its text.
        crate::stack::with_room(self, || self.node()).unwrap_or_else(|_| text())
    }

    /// How many nodes of the tree nest in each other, those of chains included.
    fn height(&self) -> usize {
        let (operators, first) = self.chain();
        let inner = match first {
            Self::Subquery(subquery) => subquery.expr.height(),
            Self::Call(call) => call.args.iter().map(Self::height).max().unwrap_or(0),
            Self::Aggregate(aggregate) => aggregate.param.as_ref().map_or(0, Self::height).max(aggregate.expr.height()),
            Self::Unary { expr, .. } | Self::Paren(expr, _) => expr.height(),
            _ => 0,
        };
        let over = |height: usize, binary: &&Binary| height.max(binary.right.height()) + 1;
        operators.iter().rev().fold(inner + 1, over)
    }

    fn node(&self) -> Json {
        match self {
            Self::Number(value, ..) => json!({"type": "numberLiteral", "val": plain_number(*value)}),
            Self::String(value, _) => json!({"type": "stringLiteral", "val": value}),
            Self::Vector(selector) => {
                let mut out = json!({"type": "vectorSelector"});
                selector_json(selector, &mut out);
                out
            }
            Self::Matrix(matrix) => {
                let mut out = json!({
                    "type": "matrixSelector",
                    "range": milliseconds(Some(&matrix.range)),
                    "rangeExpr": expression(Some(&matrix.range)),
                });
                selector_json(&matrix.selector, &mut out);
                out
            }
            Self::Subquery(subquery) => {
                let (offset, step) = (subquery.offset.as_ref(), subquery.step.as_ref());
                let (timestamp, start_or_end) = at_json(subquery.at);
                json!({
                    "type": "subquery",
                    "expr": subquery.expr.node(),
                    "range": milliseconds(Some(&subquery.range)),
                    "rangeExpr": expression(Some(&subquery.range)),
                    "offset": milliseconds(offset),
                    "offsetExpr": expression(offset),
                    "step": milliseconds(step),
                    "stepExpr": expression(step),
                    "timestamp": timestamp,
                    "startOrEnd": start_or_end,
                })
            }
            Self::Call(call) => json!({
                "type": "call",
                "func": {
                    "name": call.function.name,
                    "argTypes": call.function.args.iter().map(|arg| arg.api_name()).collect::<Vec<_>>(),
                    "variadic": call.function.variadic,
                    "returnType": call.function.returns.api_name(),
                },
                "args": call.args.iter().map(Self::node).collect::<Vec<_>>(),
            }),
            Self::Aggregate(aggregate) => json!({
                "type": "aggregation",
                "op": aggregate.op.as_str(),
                "expr": aggregate.expr.node(),
                "param": aggregate.param.as_ref().map(Self::node),
                "grouping": aggregate.grouping,
                "without": aggregate.without,
            }),
            Self::Binary(_) => {
                let (operators, first) = self.chain();
                operators.iter().rev().fold(first.node(), |left, binary| binary.node(left))
            }
            Self::Unary { negative, expr, .. } => {
                json!({"type": "unaryExpr", "op": if *negative { "-" } else { "+" }, "expr": expr.node()})
            }
            Self::Paren(expr, _) => json!({"type": "parenExpr", "expr": expr.node()}),
        }
    }
}

impl Binary {
    fn node(&self, left: Json) -> Json {
        json!({
            "type": "binaryExpr",
            "op": self.op.as_str(),
            "lhs": left,
            "rhs": self.right.node(),
            "matching": self.matching.as_ref().map(matching_json),
            "bool": self.bool_modifier,
        })
    }
}

fn selector_json(selector: &VectorSelector, out: &mut Json) {
    let (timestamp, start_or_end) = at_json(selector.at);
    out["name"] = json!(selector.name);
    out["offset"] = milliseconds(selector.offset.as_ref());
    out["offsetExpr"] = expression(selector.offset.as_ref());
    out["matchers"] = selector.matchers.iter().map(matcher_json).collect();
    out["timestamp"] = timestamp;
    out["startOrEnd"] = start_or_end;
    out["anchored"] = json!(selector.anchored);
    out["smoothed"] = json!(selector.smoothed);
}

fn matcher_json(matcher: &Matcher) -> Json {
    json!({"name": matcher.name, "value": matcher.value, "type": matcher.op.as_str()})
}

fn matching_json(matching: &VectorMatching) -> Json {
    json!({
        "card": matching.cardinality.as_str(),
        "labels": matching.labels,
        "on": matching.on,
        "include": matching.include,
        "fillValues": {"lhs": matching.fill_left, "rhs": matching.fill_right},
    })
}

fn at_json(at: Option<At>) -> (Json, Json) {
    match at {
        None => (Json::Null, Json::Null),
        Some(At::TimeMs(ms)) => (json!(ms), Json::Null),
        Some(At::Start) => (Json::Null, json!("start")),
        Some(At::End) => (Json::Null, json!("end")),
    }
}

/// A duration that is a number; zero for one that must be computed.
fn milliseconds(duration: Option<&DurationExpr>) -> Json {
    match duration {
        Some(DurationExpr::Seconds(seconds, ..)) => json!((seconds * 1000.0).round() as i64),
        _ => json!(0),
    }
}

/// A duration that must be computed.
fn expression(duration: Option<&DurationExpr>) -> Json {
    match duration {
        None | Some(DurationExpr::Seconds(..)) => Json::Null,
        Some(other) => duration_json(other, false),
    }
}

fn duration_json(duration: &DurationExpr, wrapped: bool) -> Json {
    let node = |op: &str, left: Json, right: Json| json!({"type": "durationExpr", "op": op, "lhs": left, "rhs": right, "wrapped": wrapped});
    match duration {
        DurationExpr::Seconds(value, notation, _) if !wrapped => json!({
            "type": "numberLiteral",
            "val": plain_number(*value),
            "duration": *notation == Notation::Duration,
        }),
        // A number in parentheses is one with a plus before it.
        DurationExpr::Seconds(..) => node("+", Json::Null, duration_json(duration, false)),
        DurationExpr::Step(_) => node("step", Json::Null, Json::Null),
        DurationExpr::Range(_) => node("range", Json::Null, Json::Null),
        DurationExpr::Negative(inner, _) => node("-", Json::Null, duration_json(inner, false)),
        DurationExpr::Paren(inner, _) => duration_json(inner, true),
        DurationExpr::Binary(op, left, right) => {
            node(op_text(*op), duration_json(left, false), duration_json(right, false))
        }
    }
}

fn op_text(op: DurationOp) -> &'static str {
    match op {
        DurationOp::Add => "+",
        DurationOp::Sub => "-",
        DurationOp::Mul => "*",
        DurationOp::Div => "/",
        DurationOp::Mod => "%",
        DurationOp::Pow => "^",
        DurationOp::MaxOf => "max_of",
        DurationOp::MinOf => "min_of",
    }
}
