//! Filters in their shortest form: nested `and` and `or` flattened, negations cancelled, constants folded, times
//! intersected, doubles removed.

use lang::Filter;
use model::TimeRange;

/// A filter that holds for the same rows and has no `All` or `Nothing` inside, no `And` in an `And`, no `Or` in an `Or`.
pub(crate) fn simplify_filter(filter: Filter) -> Filter {
    match filter {
        Filter::And(parts) => all_of(parts),
        Filter::Or(parts) => any_of(parts),
        Filter::Not(inner) => match simplify_filter(*inner) {
            Filter::All => Filter::Nothing,
            Filter::Nothing => Filter::All,
            Filter::Not(inner) => *inner,
            other => Filter::Not(Box::new(other)),
        },
        Filter::Time(range) if range == TimeRange::ALL => Filter::All,
        Filter::Time(range) if range.start >= range.end => Filter::Nothing,
        Filter::Stream(matchers) if matchers.is_empty() => Filter::All,
        other => other,
    }
}

fn all_of(parts: Vec<Filter>) -> Filter {
    let mut out: Vec<Filter> = Vec::new();
    let mut time: Option<TimeRange> = None;
    let flat = parts.into_iter().map(simplify_filter).flat_map(|part| match part {
        Filter::And(inner) => inner,
        other => vec![other],
    });
    for part in flat {
        match part {
            Filter::All => {}
            Filter::Nothing => return Filter::Nothing,
            Filter::Time(range) => time = Some(time.map_or(range, |known| known.intersect(&range))),
            part if out.contains(&part) => {}
            part => out.push(part),
        }
    }
    match time {
        Some(range) if range.start >= range.end => return Filter::Nothing,
        Some(range) => out.push(Filter::Time(range)),
        None => {}
    }
    match out.len() {
        0 => Filter::All,
        1 => out.remove(0),
        _ => Filter::And(out),
    }
}

fn any_of(parts: Vec<Filter>) -> Filter {
    let mut out: Vec<Filter> = Vec::new();
    let flat = parts.into_iter().map(simplify_filter).flat_map(|part| match part {
        Filter::Or(inner) => inner,
        other => vec![other],
    });
    for part in flat {
        match part {
            Filter::Nothing => {}
            Filter::All => return Filter::All,
            part if out.contains(&part) => {}
            part => out.push(part),
        }
    }
    match out.len() {
        0 => Filter::Nothing,
        1 => out.remove(0),
        _ => Filter::Or(out),
    }
}
