//! `info`: adds labels of info metrics such as `target_info` to the series they describe.

use std::collections::{BTreeSet, HashMap};

use model::{Labels, METRIC_NAME};

use crate::ast::{At, Call, DurationExpr, DurationOp, Expr, VectorSelector};
use crate::binary::braced;
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::labels::{self, ByLabels};
use crate::matcher::{MatchOp, Matcher};
use crate::parallel::Out;
use crate::selector::Show;
use crate::tile::{Grid, Meta, Tile, TileBuilder, is_absent};

/// Labels by which a series and its info metric find each other.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
/// The info metric if the query names none.
const TARGET_INFO: &str = "target_info";
/// What info metrics are called if the query only says which are not meant.
const ANY_INFO: &str = ".+_info";

impl Evaluator<'_> {
    pub(crate) fn info(&mut self, call: &Call, grid: Grid) -> Result<Tile, EvalError> {
        let base = self.tile(&call.args[0], grid)?;
        let (names, data) = split_matchers(call.args.get(1));
        // Info metrics among the base are not enriched.
        let is_info = |meta: &Meta| names.iter().all(|matcher| matcher.matches(meta.labels.metric_name()));
        let plain: Vec<bool> = base.rows.iter().map(is_info).collect();
        let infos = self.info_rows(&base, &plain, (&names, &data), grid, call)?;
        let mut by_key: ByLabels<Vec<usize>> = ByLabels::default();
        for (row, meta) in infos.rows.iter().enumerate() {
            by_key.entry(identity(&meta.labels)).or_default().push(row);
        }
        let mut builder = TileBuilder::new(grid.steps);
        for (row, meta) in base.rows.iter().enumerate() {
            let candidates = by_key.get(&identity(&meta.labels)).map_or(&[][..], Vec::as_slice);
            for step in 0..grid.steps {
                let Some(cell) = base.cell(row, step) else { continue };
                let labels = if plain[row] {
                    Some(meta.labels.clone())
                } else {
                    enrich(&meta.labels, &infos, candidates, step, &data)?
                };
                let Some(labels) = labels else { continue };
                let out = builder.row(&Meta { labels, drop_name: meta.drop_name });
                builder.set(out, step, cell)?;
            }
        }
        Ok(builder.finish())
    }

    /// The info series that may describe some series of the base.
    fn info_rows(
        &mut self,
        base: &Tile,
        plain: &[bool],
        (names, data): (&[Matcher], &[Matcher]),
        grid: Grid,
        call: &Call,
    ) -> Result<Tile, EvalError> {
        let mut matchers: Vec<Matcher> = Vec::new();
        for name in IDENTIFYING {
            let described = base.rows.iter().zip(plain).filter(|(_, plain)| !**plain);
            let values: BTreeSet<&str> = described.filter_map(|(meta, _)| meta.labels.get(name)).collect();
            if !values.is_empty() {
                let pattern: Vec<String> = values.into_iter().map(regex::escape).collect();
                let matcher = Matcher::new(name, MatchOp::Regex, pattern.join("|"));
                matchers.push(matcher.map_err(EvalError::Execution)?);
            }
        }
        if matchers.is_empty() {
            return Ok(Tile::new(grid.steps));
        }
        matchers.extend(data.iter().chain(names).cloned());
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
        self.instant_rows(
            &selector,
            grid,
            Show::FloatTime,
            Out::Rows(&mut |meta, row| {
                if row.has_histograms() {
                    let message =
                        format!("this should be an info metric, with float samples: {}", braced(&meta.labels));
                    return Err(EvalError::Execution(message));
                }
                tile.push(meta, row);
                Ok(())
            }),
        )?;
        self.hold_values(tile.values.len())?;
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
        Expr::Binary(_) => {
            let (operators, first) = expr.chain();
            reference_of(first).or_else(|| operators.iter().rev().find_map(|binary| reference_of(&binary.right)))
        }
        Expr::Unary { expr, .. } | Expr::Paren(expr, _) => reference_of(expr),
    }
}

/// Conditions on the info metric's name, and on its other labels.
fn split_matchers(arg: Option<&Expr>) -> (Vec<Matcher>, Vec<Matcher>) {
    let matchers = match arg {
        Some(Expr::Vector(selector)) => selector.matchers.clone(),
        _ => Vec::new(),
    };
    let (mut names, data): (Vec<_>, Vec<_>) = matchers.into_iter().partition(|matcher| matcher.name == METRIC_NAME);
    let positive = names.iter().any(|matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Regex));
    if names.is_empty() {
        names.extend(Matcher::new(METRIC_NAME, MatchOp::Equal, TARGET_INFO));
    } else if !positive {
        names.extend(Matcher::new(METRIC_NAME, MatchOp::Regex, ANY_INFO));
    }
    (names, data)
}

fn identity(labels: &Labels) -> Labels {
    labels.keep(|name| IDENTIFYING.contains(&name))
}

/// The labels of a series with those of its info series at one step; `None` if there is no info series and some condition needs
/// one.
fn enrich(
    base: &Labels,
    infos: &Tile,
    candidates: &[usize],
    step: usize,
    data: &[Matcher],
) -> Result<Option<Labels>, EvalError> {
    let newest = newest(infos, candidates, step)?;
    if newest.is_empty() {
        let satisfied = data.iter().all(|matcher| matcher.matches(""));
        return Ok(satisfied.then(|| base.clone()));
    }
    let mut added: HashMap<&str, &str> = HashMap::new();
    for row in newest {
        for (name, value) in infos.rows[row].labels.iter().filter(|(name, _)| *name != METRIC_NAME) {
            if !data.is_empty() && !data.iter().any(|matcher| matcher.name == name) {
                continue;
            }
            if added.get(name).is_some_and(|known| *known != value) {
                return Err(EvalError::Execution(format!("conflicting label: {name}")));
            }
            if base.get(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    let labels = added.into_iter().fold(base.clone(), |labels, (name, value)| labels::with(&labels, name, value));
    Ok(Some(labels))
}

/// Of each info metric the series with the newest sample; two are an error.
fn newest(infos: &Tile, candidates: &[usize], step: usize) -> Result<Vec<usize>, EvalError> {
    let mut newest: HashMap<&str, usize> = HashMap::new();
    for row in candidates.iter().filter(|row| !is_absent(infos.at(**row, step))) {
        let name = infos.rows[*row].labels.metric_name();
        let time = |row: usize| (infos.at(row, step) * 1000.0).round();
        match newest.get(name) {
            Some(known) if time(*known) == time(*row) => {
                let [existing, new] =
                    [*known, *row].map(|row| format!("{} @ {}", braced(&infos.rows[row].labels), time(row)));
                let message = format!("found duplicate series for info metric: existing {existing}, new {new}");
                return Err(EvalError::Execution(message));
            }
            Some(known) if time(*known) > time(*row) => {}
            _ => drop(newest.insert(name, *row)),
        }
    }
    let mut rows: Vec<usize> = newest.into_values().collect();
    rows.sort_unstable();
    Ok(rows)
}
