//! Expressions made ready to run over many rows.

use std::borrow::Cow;

use lang::{BinaryOp, Expr, ScalarFunction, Span};
use model::Timestamp;

use crate::functions::{self, Run};
use crate::items::Items;
use crate::limits::{DEPTH_MAX, ITEMS_LISTED_MAX, PATTERNS_MAX};
use crate::prepare::{Prepared, prepare};
use crate::value::Value;
use crate::{ComputeError, arithmetic, compare};

/// The value of a column of the row that is computed.
pub type Row<'f, 'r> = &'f dyn Fn(usize) -> Value<'r>;

/// An expression over columns, ready to run: constant parts are computed, patterns, networks, formats and zones read.
#[derive(Debug)]
pub struct Program {
    root: Node,
    columns: Vec<usize>,
}

/// One step; its parts are computed first, unless it says otherwise.
#[derive(Debug)]
pub(crate) enum Node {
    Constant(Value<'static>),
    Column(usize),
    Negate(Box<Node>),
    Not(Box<Node>),
    Binary(BinaryOp, Box<[Node; 2]>),
    /// Stops at the first part that does not hold.
    And(Vec<Node>),
    /// Stops at the first part that holds.
    Or(Vec<Node>),
    /// `if` and `case`: conditions and values in turn, and the value of all other rows.
    Branches(Vec<[Node; 2]>, Box<Node>),
    Coalesce(Vec<Node>),
    /// Whether the value is one of the items; more than a few constant ones are in a table.
    In(Box<Node>, Vec<Node>),
    InTable(Box<Node>, Items),
    Call(Call),
}

/// A function of values. It is missing when one of its first `needed` arguments is.
pub(crate) struct Call {
    function: ScalarFunction,
    run: Run,
    needed: usize,
    arguments: Vec<Node>,
    prepared: Prepared,
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple(self.function.as_str()).field(&self.arguments).finish()
    }
}

/// Most arguments that are kept on the stack.
const ARGUMENTS_INLINE: usize = 4;

impl Program {
    /// Reads an expression over columns of these names; a field that no column is called is missing in every row. `now` is
    /// when the query was asked.
    pub fn new(expr: &Expr, names: &[String], now: Timestamp) -> Result<Self, ComputeError> {
        let mut compiler = Compiler { names, now, columns: Vec::new(), patterns: 0 };
        let root = compiler.node(expr, 0)?;
        compiler.columns.sort_unstable();
        compiler.columns.dedup();
        Ok(Self { root, columns: compiler.columns })
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }

    /// The columns that it reads, in order.
    pub fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// What it is worth for a row. Nothing fails: what cannot be computed is missing.
    pub fn eval<'r>(&'r self, row: Row<'_, 'r>) -> Value<'r> {
        self.root.eval(row)
    }

    /// Whether it holds for a row; what is missing does not.
    pub fn holds<'r>(&'r self, row: Row<'_, 'r>) -> bool {
        self.root.eval(row).holds()
    }

    /// What it is worth for every row, when it reads none.
    pub fn constant(&self) -> Option<&Value<'static>> {
        match &self.root {
            Node::Constant(value) => Some(value),
            _ => None,
        }
    }
}

struct Compiler<'a> {
    names: &'a [String],
    now: Timestamp,
    columns: Vec<usize>,
    patterns: usize,
}

impl Compiler<'_> {
    fn node(&mut self, expr: &Expr, depth: usize) -> Result<Node, ComputeError> {
        if depth > DEPTH_MAX {
            let message = format!("an expression is nested deeper than {DEPTH_MAX} levels (DEPTH_MAX)");
            return Err(ComputeError::new(&Span::default(), message, "compute it in several steps"));
        }
        let node = match expr {
            Expr::Null => Node::Constant(Value::Missing),
            Expr::Bool(value) => Node::Constant(Value::Bool(*value)),
            Expr::Integer(n) | Expr::Duration(n) | Expr::Size(n) => Node::Constant(Value::Int(*n)),
            Expr::Number(n) => Node::Constant(Value::of(*n)),
            Expr::Text(text, _) => Node::Constant(Value::Text(Cow::Owned(text.clone()))),
            Expr::Field(name) => self.column(name),
            Expr::Negate(inner) => Node::Negate(Box::new(self.node(inner, depth + 1)?)),
            Expr::Not(inner) => Node::Not(Box::new(self.node(inner, depth + 1)?)),
            Expr::Binary(left, op, right) => {
                Node::Binary(*op, Box::new([self.node(left, depth + 1)?, self.node(right, depth + 1)?]))
            }
            Expr::And(parts) => Node::And(self.nodes(parts, depth)?),
            Expr::Or(parts) => Node::Or(self.nodes(parts, depth)?),
            Expr::Call(function, arguments, span) => self.call(*function, arguments, span, depth)?,
        };
        Ok(node.folded())
    }

    fn nodes(&mut self, parts: &[Expr], depth: usize) -> Result<Vec<Node>, ComputeError> {
        parts.iter().map(|part| self.node(part, depth + 1)).collect()
    }

    fn column(&mut self, name: &str) -> Node {
        match self.names.iter().position(|known| known == name) {
            Some(at) => {
                self.columns.push(at);
                Node::Column(at)
            }
            None => Node::Constant(Value::Missing),
        }
    }

    fn call(
        &mut self,
        function: ScalarFunction,
        arguments: &[Expr],
        span: &Span,
        depth: usize,
    ) -> Result<Node, ComputeError> {
        let spec = function.spec();
        let given = arguments.len();
        if given < spec.arguments_min() || spec.arguments_max().is_some_and(|max| given > max) {
            let message = format!("`{}` does not take {given} arguments", spec.name);
            return Err(ComputeError::new(span, message, format!("write {}", spec.signature())));
        }
        let nodes = self.nodes(arguments, depth)?;
        match function {
            ScalarFunction::If | ScalarFunction::Case => return Ok(branches(nodes)),
            ScalarFunction::Coalesce => return Ok(Node::Coalesce(nodes)),
            ScalarFunction::In => return Ok(one_of(nodes)),
            ScalarFunction::Now => return Ok(Node::Constant(Value::Time(self.now.0))),
            _ => {}
        }
        let constants: Vec<Option<&Value<'_>>> = nodes.iter().map(Node::constant).collect();
        let places: Vec<&Span> = arguments.iter().map(|argument| place(argument, span)).collect();
        let prepared = prepare(function, &constants, &places, self.now)?;
        if matches!(prepared, Prepared::Pattern { .. }) {
            self.patterns += 1;
            if self.patterns > PATTERNS_MAX {
                let message = format!("the expression has more than {PATTERNS_MAX} patterns (PATTERNS_MAX)");
                return Err(ComputeError::new(span, message, "join patterns with |, or compute in several steps"));
            }
        }
        let needed = functions::needed(function, nodes.len());
        Ok(Node::Call(Call { function, run: functions::pick(function), needed, arguments: nodes, prepared }))
    }
}

/// Where an argument is written: a text's own place, else that of the call.
fn place<'e>(argument: &'e Expr, call: &'e Span) -> &'e Span {
    match argument {
        Expr::Text(_, span) | Expr::Call(_, _, span) => span,
        _ => call,
    }
}

/// `if(c, a, b)` and `case(c, a, ..., b)`.
fn branches(nodes: Vec<Node>) -> Node {
    let mut branches = Vec::with_capacity(nodes.len() / 2);
    let mut nodes = nodes.into_iter();
    let mut otherwise = Node::Constant(Value::Missing);
    while let Some(condition) = nodes.next() {
        match nodes.next() {
            Some(value) => branches.push([condition, value]),
            None => otherwise = condition,
        }
    }
    Node::Branches(branches, Box::new(otherwise))
}

fn one_of(mut nodes: Vec<Node>) -> Node {
    let value = Box::new(nodes.remove(0));
    if nodes.len() <= ITEMS_LISTED_MAX || nodes.iter().any(|node| node.constant().is_none()) {
        return Node::In(value, nodes);
    }
    let items = nodes.into_iter().filter_map(|node| match node {
        Node::Constant(value) => Some(value),
        _ => None,
    });
    Node::InTable(value, Items::new(items.collect()))
}

impl Node {
    fn constant(&self) -> Option<&Value<'static>> {
        match self {
            Self::Constant(value) => Some(value),
            _ => None,
        }
    }

    /// The value itself when nothing in it depends on the row. Parts are folded before the whole, so looking at them is
    /// enough.
    fn folded(self) -> Self {
        let constant = |nodes: &[Node]| nodes.iter().all(|node| node.constant().is_some());
        let ready = match &self {
            Self::Constant(_) | Self::Column(_) => false,
            Self::Negate(inner) | Self::Not(inner) | Self::InTable(inner, _) => inner.constant().is_some(),
            Self::Binary(_, parts) => constant(&**parts),
            Self::And(parts) | Self::Or(parts) | Self::Coalesce(parts) => constant(parts),
            Self::In(value, items) => value.constant().is_some() && constant(items),
            Self::Branches(branches, otherwise) => {
                branches.iter().all(|branch| constant(branch)) && otherwise.constant().is_some()
            }
            Self::Call(call) => constant(&call.arguments),
        };
        if ready { Self::Constant(self.eval(&|_| Value::Missing).into_owned()) } else { self }
    }

    fn eval<'r>(&'r self, row: Row<'_, 'r>) -> Value<'r> {
        match self {
            Self::Constant(value) => value.borrowed(),
            Self::Column(at) => row(*at),
            Self::Negate(inner) => arithmetic::negate(&inner.eval(row)),
            Self::Not(inner) => Value::Bool(!inner.eval(row).holds()),
            Self::Binary(op, parts) => arithmetic::binary(*op, &parts[0].eval(row), &parts[1].eval(row)),
            Self::And(parts) => Value::Bool(parts.iter().all(|part| part.eval(row).holds())),
            Self::Or(parts) => Value::Bool(parts.iter().any(|part| part.eval(row).holds())),
            Self::Branches(branches, otherwise) => {
                let branch = branches.iter().find(|[condition, _]| condition.eval(row).holds());
                branch.map_or(&**otherwise, |[_, value]| value).eval(row)
            }
            Self::Coalesce(parts) => {
                parts.iter().map(|part| part.eval(row)).find(|value| !value.is_blank()).unwrap_or_default()
            }
            Self::In(value, items) => {
                let value = value.eval(row);
                Value::Bool(items.iter().any(|item| compare::equal(&value, &item.eval(row))))
            }
            Self::InTable(value, items) => Value::Bool(items.contains(&value.eval(row))),
            Self::Call(call) => call.eval(row),
        }
    }
}

impl Call {
    pub(crate) fn function(&self) -> ScalarFunction {
        self.function
    }

    pub(crate) fn arguments(&self) -> &[Node] {
        &self.arguments
    }

    fn eval<'r>(&'r self, row: Row<'_, 'r>) -> Value<'r> {
        if self.arguments.len() <= ARGUMENTS_INLINE {
            let mut values = [const { Value::Missing }; ARGUMENTS_INLINE];
            for (at, argument) in self.arguments.iter().enumerate() {
                let value = argument.eval(row);
                if at < self.needed && value == Value::Missing {
                    return Value::Missing;
                }
                values[at] = value;
            }
            return (self.run)(&mut values[..self.arguments.len()], &self.prepared).unwrap_or_default();
        }
        let mut values = Vec::with_capacity(self.arguments.len());
        for (at, argument) in self.arguments.iter().enumerate() {
            let value = argument.eval(row);
            if at < self.needed && value == Value::Missing {
                return Value::Missing;
            }
            values.push(value);
        }
        (self.run)(&mut values, &self.prepared).unwrap_or_default()
    }
}
