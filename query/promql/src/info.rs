//! `info`: adds labels of info metrics such as `target_info` to the series they describe.

use std::collections::{BTreeSet, HashMap};

use model::{Labels, METRIC_NAME};

use crate::ast::{At, Call, DurationExpr, DurationOp, Expr, VectorSelector};
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels;
use crate::matcher::{MatchOp, Matcher};
use crate::tile::{Grid, Meta, Tile, TileBuilder, is_absent};

/// Labels by which a series and its info metric find each other.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
/// The info metric if the query names none.
const TARGET_INFO: &str = "target_info";

impl Evaluator<'_> {
    pub(crate) fn info(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let base = self.tile(&call.args[0], grid)?;
        let (name_matchers, data_matchers) = split_matchers(call.args.get(1));
        // Only a positive condition on the name can say that a base series is itself an info metric.
        let positive = name_matchers.iter().any(|matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex));
        let is_info =
            |meta: &Meta| positive && name_matchers.iter().all(|matcher| matcher.matches(meta.labels.metric_name()));
        let infos = self.info_rows(&base, &name_matchers, &data_matchers, grid, call)?;
        let mut by_key: HashMap<Labels, Vec<usize>> = HashMap::new();
        for (row, meta) in infos.rows.iter().enumerate() {
            by_key.entry(identity(&meta.labels)).or_default().push(row);
        }
        let mut builder = TileBuilder::new(grid.steps);
        for (row, meta) in base.rows.iter().enumerate() {
            let candidates = by_key.get(&identity(&meta.labels)).map_or(&[][..], Vec::as_slice);
            let through = is_info(meta) || identity(&meta.labels).is_empty();
            for (step, value) in base.row(row).iter().enumerate().filter(|(_, value)| !is_absent(**value)) {
                let labels = if through {
                    Some(meta.labels.clone())
                } else {
                    enrich(&meta.labels, &infos, candidates, step, &data_matchers)?
                };
                let Some(labels) = labels else { continue };
                let out = builder.row(&Meta { labels, drop_name: meta.drop_name });
                builder.set(out, step, *value)?;
            }
        }
        Ok(builder.finish())
    }

    /// The info series that may describe some series of the base.
    fn info_rows(
        &mut self,
        base: &Tile,
        names: &[Matcher],
        data: &[Matcher],
        grid: Grid,
        call: &Call,
    ) -> Result<Tile, EvalError> {
        let mut matchers = names.to_vec();
        let accepts_nothing = |matcher: &&Matcher| !matcher.matches("");
        matchers.extend(data.iter().filter(accepts_nothing).cloned());
        for name in IDENTIFYING {
            let values: BTreeSet<&str> = base.rows.iter().filter_map(|meta| meta.labels.get(name)).collect();
            if !values.is_empty() && base.rows.iter().all(|meta| meta.labels.get(name).is_some()) {
                let pattern: Vec<String> = values.into_iter().map(regex::escape).collect();
                let matcher = Matcher::new(name, MatchOp::Regex, pattern.join("|"));
                matchers.push(matcher.map_err(EvalError::Execution)?);
            }
        }
        let (at, offset) = reference_of(&call.args[0]).unwrap_or_default();
        let selector = VectorSelector {
            name: String::new(),
            matchers,
            offset,
            at,
            anchored: false,
            smoothed: false,
            span: call.span,
        };
        let mut tile = Tile::new(grid.steps);
        // The newest sample decides which of two versions of an info series counts, so times are kept, not values.
        self.instant_rows(&selector, grid, true, &mut |meta, values| {
            tile.push(meta, values);
            Ok(())
        })?;
        self.hold(tile.values.len())?;
        Ok(tile)
    }
}

/// When the first selector inside of an expression is evaluated: its own `@` and offset and those of subqueries around it.
fn reference_of(expr: &Expr) -> Option<(Option<At>, Option<DurationExpr>)> {
    match expr {
        Expr::Number(..) | Expr::String(..) => None,
        Expr::Vector(selector) => Some((selector.at, selector.offset.clone())),
        Expr::Matrix(matrix) => Some((matrix.selector.at, matrix.selector.offset.clone())),
        Expr::Subquery(subquery) => {
            let (at, inner) = reference_of(&subquery.expr)?;
            if at.is_some() {
                return Some((at, inner));
            }
            let add =
                |a: DurationExpr, b: DurationExpr| DurationExpr::Binary(DurationOp::Add, Box::new(a), Box::new(b));
            let offset = match (inner, subquery.offset.clone()) {
                (Some(inner), Some(outer)) => Some(add(inner, outer)),
                (inner, outer) => inner.or(outer),
            };
            Some((subquery.at, offset))
        }
        Expr::Call(call) => call.args.iter().find_map(reference_of),
        Expr::Aggregate(aggregate) => reference_of(&aggregate.expr),
        Expr::Binary(binary) => reference_of(&binary.left).or_else(|| reference_of(&binary.right)),
        Expr::Unary { expr, .. } | Expr::Paren(expr, _) => reference_of(expr),
    }
}

fn split_matchers(arg: Option<&Expr>) -> (Vec<Matcher>, Vec<Matcher>) {
    let matchers = match arg {
        Some(Expr::Vector(selector)) => selector.matchers.clone(),
        _ => Vec::new(),
    };
    let (mut names, data): (Vec<_>, Vec<_>) = matchers.into_iter().partition(|matcher| matcher.name == METRIC_NAME);
    if names.is_empty() {
        names.extend(Matcher::new(METRIC_NAME, MatchOp::Equal, TARGET_INFO));
    }
    (names, data)
}

fn identity(labels: &Labels) -> Labels {
    labels::keep(labels, |name| IDENTIFYING.contains(&name))
}

/// The labels of a series with those of its info series at one step; `None` if a data matcher finds nothing.
fn enrich(
    base: &Labels,
    infos: &Tile,
    candidates: &[usize],
    step: usize,
    data: &[Matcher],
) -> Result<Option<Labels>, EvalError> {
    // Of each info metric the series with the newest sample counts.
    let mut newest: HashMap<&str, usize> = HashMap::new();
    for row in candidates.iter().filter(|row| !is_absent(infos.at(**row, step))) {
        let name = infos.rows[*row].labels.metric_name();
        match newest.get(name) {
            Some(known) if infos.at(*known, step) == infos.at(*row, step) => {
                let pair = [*known, *row].map(|row| infos.rows[row].labels.to_string());
                let message = format!("found duplicate series for info metric: existing {}, new {}", pair[0], pair[1]);
                return Err(EvalError::Execution(message));
            }
            Some(known) if infos.at(*known, step) > infos.at(*row, step) => {}
            _ => drop(newest.insert(name, *row)),
        }
    }
    let mut labels = base.clone();
    for row in newest.values() {
        for (name, value) in infos.rows[*row].labels.iter() {
            let wanted = data.is_empty() || data.iter().any(|matcher| matcher.name == name);
            let own = name == METRIC_NAME || base.get(name).is_some();
            if wanted && !own {
                labels = labels::with(&labels, name, value);
            }
        }
    }
    let missing = |matcher: &Matcher| !matcher.matches("") && labels.get(&matcher.name).is_none();
    Ok(if data.iter().any(missing) { None } else { Some(labels) })
}
