//! What stands in the parentheses of a function of `stats`: how many fields, and the numbers of `quantile` and `histogram`.

use std::ops::Range;

use super::functions::AggregateSpec;
use crate::limits::HISTOGRAM_BUCKETS_MAX;
use crate::parser::{Located, Parser};
use crate::{Diagnostic, Function};

/// Checks the arguments of a call; the function comes back with its number.
pub(super) fn check(
    p: &mut Parser<'_>,
    spec: &AggregateSpec,
    mut arguments: Vec<Located<String>>,
    call: &Range<usize>,
) -> Option<(Function, Vec<String>)> {
    let function = match spec.function {
        Function::Quantile(_) => Function::Quantile(share(p, &mut arguments, call)?),
        Function::Histogram(default) => Function::Histogram(buckets(p, &mut arguments, default)?),
        other => other,
    };
    if !spec.fields.contains(&arguments.len()) {
        let name = spec.names[0];
        let (message, hint) = match (arguments.len(), function) {
            (_, Function::Rate) => (
                "`rate` counts rows and takes no field".to_owned(),
                "write rate() for rows, rate_sum(field) for a sum of numbers".to_owned(),
            ),
            (0, _) => (format!("`{name}` needs a field"), format!("for example {}", example(spec))),
            (n, _) => (format!("`{name}` takes one field, not {n}"), format!("for example {}", example(spec))),
        };
        p.report(Diagnostic::error(call.clone(), message).hint(hint));
        return None;
    }
    Some((function, arguments.into_iter().map(|(field, _)| field).collect()))
}

/// A call as an example: the syntax with a field that there is.
fn example(spec: &AggregateSpec) -> String {
    match spec.function {
        Function::Quantile(_) => "quantile(0.99, duration_ms)".to_owned(),
        _ => format!("{}(duration_ms)", spec.names[0]),
    }
}

/// Takes the share of `quantile` off the arguments.
fn share(p: &mut Parser<'_>, arguments: &mut Vec<Located<String>>, call: &Range<usize>) -> Option<f64> {
    let first = (!arguments.is_empty()).then(|| arguments.remove(0));
    let number = first.as_ref().and_then(|(text, _)| text.parse::<f64>().ok());
    if let Some(share) = number.filter(|share| (0.0..=1.0).contains(share)) {
        return Some(share);
    }
    let span = first.map_or(call.clone(), |(_, span)| span);
    let hint = match number.filter(|n| *n > 1.0 && *n <= 100.0) {
        Some(percent) => format!("a percentage is written as a share: {}", percent / 100.0),
        None => "for example quantile(0.99, duration_ms)".to_owned(),
    };
    p.report(Diagnostic::error(span, "`quantile` needs a number from 0 to 1 first").hint(hint));
    None
}

/// Takes the number of buckets of `histogram` off the arguments.
fn buckets(p: &mut Parser<'_>, arguments: &mut Vec<Located<String>>, default: u32) -> Option<u32> {
    if arguments.len() != 2 {
        return Some(default);
    }
    let (text, span) = arguments.remove(1);
    let buckets = text.parse().ok().filter(|n| (1..=HISTOGRAM_BUCKETS_MAX).contains(n));
    if buckets.is_none() {
        let message = format!("the number of buckets is from 1 to {HISTOGRAM_BUCKETS_MAX} (HISTOGRAM_BUCKETS_MAX)");
        p.report(Diagnostic::error(span, message).hint("for example histogram(duration_ms, 20)"));
    }
    buckets
}
