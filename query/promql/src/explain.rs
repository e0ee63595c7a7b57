//! How a query will be evaluated, as a tree of text: what streams row by row and what is collected first.

use std::collections::HashSet;

use crate::ast::{Aggregate, AggregateOp, Call, Expr, Type, VectorSelector};
use crate::elementwise::Elementwise;
use crate::plan::selectors_without_buckets;
use crate::ranges::RangeFunction;

/// The plan of a query as an indented tree, one operator a line.
///
/// `stream` operators hold one row at a time, `group` operators one row per group, and `collect` operators all rows of their input.
/// A chain of `stream` under a `group` is fused: the rows in between never exist as a whole.
pub fn explain(expr: &Expr) -> String {
    let plan = || {
        let mut plan = Plan { without_buckets: selectors_without_buckets(expr), lines: Vec::new(), left_out: 0 };
        plan.add(expr, 0);
        if plan.left_out > 0 {
            plan.lines.push(format!("... and {} lines more", plan.left_out));
        }
        plan.lines.join("\n")
    };
    crate::stack::with_room(expr, plan).unwrap_or_else(|_| expr.to_string())
}

struct Plan {
    without_buckets: HashSet<usize>,
    lines: Vec<String>,
    /// Lines beyond [`PLAN_LINES_MAX`].
    left_out: usize,
}

/// Lines of a plan that are shown.
pub const PLAN_LINES_MAX: usize = 1_000;

impl Plan {
    fn line(&mut self, level: usize, text: String) {
        if self.lines.len() < PLAN_LINES_MAX {
            self.lines.push(format!("{}{text}", "  ".repeat(level)));
        } else {
            self.left_out += 1;
        }
    }

    fn add(&mut self, expr: &Expr, level: usize) {
        if expr.result_type() == Type::Scalar || expr.result_type() == Type::String {
            return self.add_scalar(expr, level);
        }
        match expr {
            Expr::Paren(inner, _) => self.add(inner, level),
            Expr::Unary { negative: false, expr, .. } => self.add(expr, level),
            Expr::Unary { expr, .. } => {
                self.line(level, "stream: negate".into());
                self.add(expr, level + 1);
            }
            Expr::Number(..) | Expr::String(..) => {}
            Expr::Vector(selector) => {
                let what = if selector.smoothed { "values on the line between samples" } else { "newest samples" };
                let text = format!("select {expr}: {what} at each step{}", self.columns(selector));
                self.line(level, text);
            }
            Expr::Matrix(matrix) => {
                let text = format!("select {expr}: samples of all windows{}", self.columns(&matrix.selector));
                self.line(level, text);
            }
            Expr::Subquery(subquery) => {
                self.line(level, format!("collect: rows of a subquery {} as samples", subquery.suffix()));
                self.add(&subquery.expr, level + 1);
            }
            Expr::Call(call) => self.add_call(call, level),
            Expr::Aggregate(aggregate) => self.add_aggregate(aggregate, level),
            Expr::Binary(_) => self.add_chain(expr, level),
        }
    }

    /// Operators, each over what is left and right of it.
    fn add_chain(&mut self, expr: &Expr, level: usize) {
        let mut rights = Vec::new();
        let mut left = expr;
        while let Expr::Binary(binary) = left
            && binary.returns != Type::Scalar
        {
            let how = match &binary.matching {
                None => "stream: operator with a scalar",
                Some(_) if binary.op.is_set() => "collect: set operator",
                Some(_) => "collect: join by labels, operator",
            };
            self.line(level + rights.len(), format!("{how} {}", binary.middle()));
            rights.push(&binary.right);
            left = &binary.left;
        }
        self.add(left, level + rights.len());
        for (at, right) in rights.iter().enumerate().rev() {
            self.add(right, level + at + 1);
        }
    }

    fn columns(&self, selector: &VectorSelector) -> &'static str {
        if self.without_buckets.contains(&selector.span.start) { ", of histograms count and sum only" } else { "" }
    }

    /// A scalar is one row; what it is made of vectors is shown.
    fn add_scalar(&mut self, expr: &Expr, level: usize) {
        self.line(level, format!("scalar {expr}"));
        let mut inner = Vec::new();
        scalar_inputs(expr, &mut inner);
        for vector in inner {
            self.add(vector, level + 1);
        }
    }

    fn add_call(&mut self, call: &Call, level: usize) {
        let name = call.function.name;
        if RangeFunction::of(call).is_some() {
            self.line(level, format!("stream: {name}, windows slide once over each series"));
        } else if Elementwise::streams(call) {
            self.line(level, format!("stream: {name}"));
        } else {
            self.line(level, format!("collect: {name}"));
        }
        for arg in call.args.iter().filter(|arg| !matches!(arg, Expr::Number(..) | Expr::String(..))) {
            self.add(arg, level + 1);
        }
    }

    fn add_aggregate(&mut self, aggregate: &Aggregate, level: usize) {
        let collects = !matches!(
            aggregate.op,
            AggregateOp::Sum
                | AggregateOp::Avg
                | AggregateOp::Count
                | AggregateOp::Min
                | AggregateOp::Max
                | AggregateOp::Group
                | AggregateOp::Stddev
                | AggregateOp::Stdvar
        );
        let how = if collects { "collect" } else { "group" };
        self.line(level, format!("{how}: {}", aggregate.prefix().trim_end()));
        if let Some(param) = aggregate.param.as_ref().filter(|param| !matches!(param, Expr::String(..))) {
            self.add(param, level + 1);
        }
        self.add(&aggregate.expr, level + 1);
    }
}

/// The vectors that a scalar is computed from.
fn scalar_inputs<'a>(expr: &'a Expr, inputs: &mut Vec<&'a Expr>) {
    match expr {
        Expr::Call(call) => {
            for arg in &call.args {
                if arg.result_type() == Type::Scalar { scalar_inputs(arg, inputs) } else { inputs.push(arg) }
            }
        }
        Expr::Binary(_) => {
            let (operators, first) = expr.chain();
            scalar_inputs(first, inputs);
            operators.iter().rev().for_each(|binary| scalar_inputs(&binary.right, inputs));
        }
        Expr::Unary { expr, .. } | Expr::Paren(expr, _) => scalar_inputs(expr, inputs),
        _ => {}
    }
}
