//! Chains of operators, evaluated in a loop from the innermost on, so that their length costs no stack. Operators with scalars that
//! follow each other are one pass over a row.

use crate::ast::{Binary, BinaryOp, Expr, Span, Type};
use crate::binary::{Remark, is_trim, operate, operate_cells, renames};
use crate::error::EvalError;
use crate::eval::{Evaluator, Stop, tile_rows};
use crate::tile::{ABSENT, Cell, Grid, Meta, Row, Sink, Tile, is_absent};

/// Operators on one row between looks at the clock.
const OPERATORS_PER_CHECK: usize = 256;

/// The values of a scalar expression.
pub(crate) enum Scalars {
    /// The same at every step.
    Constant(f64),
    Steps(Vec<f64>),
}

impl Scalars {
    /// Evaluates a scalar. What it holds counts against the budget, because a chain of operators holds many.
    pub(crate) fn of(evaluator: &mut Evaluator<'_>, expr: &Expr, grid: Grid) -> Result<Self, EvalError> {
        if let Expr::Number(value, ..) = expr.unparen() {
            return Ok(Self::Constant(*value));
        }
        evaluator.hold_bytes(grid.steps * size_of::<f64>())?;
        evaluator.scalar(expr, grid).map(Self::Steps)
    }

    pub(crate) fn at(&self, step: usize) -> f64 {
        match self {
            Self::Constant(value) => *value,
            Self::Steps(values) => values[step],
        }
    }
}

/// What an operator with a scalar works on.
enum Input<'a> {
    Expr(&'a Expr),
    Tile(Tile),
}

impl Evaluator<'_> {
    /// A vector that an operator yields.
    pub(crate) fn chain_tile(&mut self, expr: &Expr, grid: Grid) -> Result<Tile, EvalError> {
        let (mut operators, first) = vector_chain(expr, |_| true);
        let mut tile: Option<Tile> = None;
        while let Some(binary) = operators.pop() {
            self.check()?;
            let result = if binary.matching.is_some() {
                let left = match tile.take() {
                    Some(tile) => tile,
                    None => self.tile(first, grid)?,
                };
                self.join(binary, left, grid)?
            } else {
                let mut run = vec![binary];
                // Where names go at once each operator shows which rows become the same by it.
                while self.limits.delayed_name_removal
                    && let Some(next) = operators.pop_if(|next| next.matching.is_none())
                {
                    run.push(next);
                }
                let input = tile.take().map_or(Input::Expr(first), Input::Tile);
                self.collect(grid, |evaluator, sink| evaluator.scalar_run(&run, input, grid, sink))?
            };
            tile = Some(self.settle(result)?);
        }
        tile.map_or_else(|| Err(EvalError::Execution("expected an operator".into())), Ok)
    }

    /// An operator between a vector and a scalar, row by row, with those before it that are of its kind.
    pub(crate) fn scalar_rows(&mut self, binary: &Binary, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        let mut run = vec![binary];
        let mut first = vector_side(binary);
        if self.limits.delayed_name_removal {
            let (inner, at) = vector_chain(first, |binary| binary.matching.is_none());
            run.extend(inner);
            first = at;
        }
        run.reverse();
        self.scalar_run(&run, Input::Expr(first), grid, sink)
    }

    /// Operators with scalars, innermost first, on each row of the input.
    fn scalar_run(
        &mut self,
        run: &[&Binary],
        input: Input<'_>,
        grid: Grid,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let mut operands = Vec::with_capacity(run.len());
        for binary in run {
            operands.push(ScalarOperand::new(self, binary, grid)?);
        }
        let stop = self.stop();
        let mut apply = |meta: Meta, row: &mut Row| match apply_all(&mut operands, row, &stop)? {
            false => Ok(()),
            true => {
                let drop_name = meta.drop_name || operands.iter().any(|operand| operand.renames);
                sink(Meta { drop_name, ..meta }, row)
            }
        };
        match input {
            Input::Expr(expr) => self.rows(expr, grid, &mut apply)?,
            Input::Tile(tile) => tile_rows(tile, &mut apply)?,
        }
        for operand in &operands {
            let said = operand.remarks.iter().flatten();
            said.for_each(|remark| remark.note(operand.op, operand.span, &mut self.annotations));
        }
        Ok(())
    }
}

/// The operators that yield vectors on the way down to their first operand, outermost first, as long as `wanted` holds.
fn vector_chain(expr: &Expr, wanted: impl Fn(&Binary) -> bool) -> (Vec<&Binary>, &Expr) {
    let mut operators = Vec::new();
    let mut at = expr;
    while let Expr::Binary(binary) = at
        && binary.returns == Type::Vector
        && wanted(binary)
    {
        operators.push(&**binary);
        at = vector_side(binary);
    }
    (operators, at)
}

/// The left side, unless it is a scalar.
fn vector_side(binary: &Binary) -> &Expr {
    if binary.left.result_type() == Type::Scalar { &binary.right } else { &binary.left }
}

/// Applies operators to a row; whether anything is left of it.
fn apply_all(operands: &mut [ScalarOperand], row: &mut Row, stop: &Stop) -> Result<bool, EvalError> {
    for chunk in operands.chunks_mut(OPERATORS_PER_CHECK) {
        stop.check()?;
        for operand in chunk {
            operand.apply(row);
            if row.is_empty() {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// The scalar side of an operator.
struct ScalarOperand {
    op: BinaryOp,
    span: Span,
    as_bool: bool,
    /// The scalar is on the left.
    swap: bool,
    scalars: Scalars,
    /// The result is no longer the vector's metric.
    renames: bool,
    /// What is to be said at each step; empty if nothing is.
    remarks: Vec<Option<Remark>>,
}

impl ScalarOperand {
    fn new(evaluator: &mut Evaluator<'_>, binary: &Binary, grid: Grid) -> Result<Self, EvalError> {
        let swap = binary.left.result_type() == Type::Scalar;
        let scalar = if swap { &binary.left } else { &binary.right };
        Ok(Self {
            op: binary.op,
            span: binary.span,
            as_bool: binary.bool_modifier,
            swap,
            scalars: Scalars::of(evaluator, scalar, grid)?,
            renames: renames(binary.op) || binary.bool_modifier,
            remarks: Vec::new(),
        })
    }

    fn apply(&mut self, row: &mut Row) {
        if row.has_histograms() || is_trim(self.op) {
            for step in 0..row.values.len() {
                let Some(cell) = row.cell(step) else { continue };
                let result = self.cell(step, &cell, row.values.len());
                row.set(step, result);
            }
            return;
        }
        for (step, value) in row.values.iter_mut().enumerate().filter(|(_, value)| !is_absent(**value)) {
            *value = self.float(step, *value);
        }
    }

    fn float(&self, step: usize, value: f64) -> f64 {
        let scalar = self.scalars.at(step);
        let (a, b) = if self.swap { (scalar, value) } else { (value, scalar) };
        let (result, keep) = operate(self.op, a, b);
        match (self.op.is_comparison(), self.as_bool, keep) {
            (true, true, _) => f64::from(u8::from(keep)),
            (true, false, true) => value,
            (false, _, true) => result,
            _ => ABSENT,
        }
    }

    fn cell(&mut self, step: usize, cell: &Cell, steps: usize) -> Option<Cell> {
        let scalar = Cell::Float(self.scalars.at(step));
        let outcome =
            if self.swap { operate_cells(self.op, &scalar, cell) } else { operate_cells(self.op, cell, &scalar) };
        if let Some(said) = outcome.remark {
            self.remarks.resize(steps, None);
            self.remarks[step] = Some(said);
            return None;
        }
        match (self.as_bool, outcome.keep) {
            (true, keep) => Some(Cell::Float(f64::from(u8::from(keep)))),
            (false, false) => None,
            (false, true) if self.op.is_comparison() => Some(cell.clone()),
            (false, true) => Some(outcome.cell),
        }
    }
}
