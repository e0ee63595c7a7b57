//! What can be seen to be wrong with a call before it runs: the number of its arguments and its constants.

use std::net::IpAddr;
use std::ops::Range;

use super::{BinaryOp, Expr, Kind, ScalarFunction, parse_size};
use crate::parser::{Parser, shorten};
use crate::{Diagnostic, Span, regex_check};

/// Reads a network such as `10.0.0.0/8` or `2001:db8::/32`, or an address, which is a network of one: its first address and
/// its bits.
pub fn parse_network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.trim().split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text.trim(), None),
    };
    let address: IpAddr = address.parse().ok()?;
    let max = if address.is_ipv4() { 32 } else { 128 };
    let bits: u8 = match bits {
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            digits.parse().ok().filter(|bits| *bits <= max)?
        }
        Some(_) => return None,
        None => max,
    };
    let address = match address {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)).into()),
        IpAddr::V6(v6) => {
            IpAddr::V6((u128::from(v6) & u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0)).into())
        }
    };
    Some((address, bits))
}

/// Whether a call has as many arguments as the function takes; reports when not.
pub(super) fn arity(p: &mut Parser<'_>, function: ScalarFunction, given: usize, span: Range<usize>) -> bool {
    let spec = function.spec();
    let (min, max) = (spec.arguments_min(), spec.arguments_max());
    if given >= min && max.is_none_or(|max| given <= max) {
        return true;
    }
    let wanted = match max {
        None => format!("at least {}", arguments(min)),
        Some(0) => "no arguments".to_owned(),
        Some(max) if max == min => arguments(max),
        Some(max) if max == min + 1 => format!("{min} or {}", arguments(max)),
        Some(max) => format!("{min} to {}", arguments(max)),
    };
    p.report(
        Diagnostic::error(span, format!("`{}` takes {wanted}, not {given}", spec.name))
            .hint(format!("write {}", spec.signature())),
    );
    false
}

fn arguments(count: usize) -> String {
    if count == 1 { "one argument".to_owned() } else { format!("{count} arguments") }
}

/// Reports constant arguments that the function can do nothing with.
pub(super) fn constants(p: &mut Parser<'_>, function: ScalarFunction, arguments: &[Expr]) {
    let spec = function.spec();
    for (at, argument) in arguments.iter().enumerate() {
        let (Expr::Text(text, Span(span)), Some(param)) = (argument, spec.param(at)) else { continue };
        let number = || text.trim().parse::<f64>().is_ok();
        let wrong = match param.kind {
            Kind::Pattern => {
                regex_check::check(p, text, span);
                None
            }
            Kind::Network if parse_network(text).is_none() => {
                Some(("is no network", "write a network such as \"10.0.0.0/8\" or \"2001:db8::/32\""))
            }
            Kind::Number | Kind::Integer if !number() => Some(("is a text, and a number is needed here", FIELD_HINT)),
            Kind::Duration if !number() && model::parse_duration_ns(text.trim().trim_start_matches('-')).is_none() => {
                Some(("is no duration", "write a duration such as 5m or \"1h30m\""))
            }
            _ => None,
        };
        if let Some((message, hint)) = wrong {
            let message = format!("\"{}\" {message}", shorten(text));
            p.report(Diagnostic::error(span.clone(), message).hint(hint));
        }
    }
}

const FIELD_HINT: &str = "quotes make a text; a field whose name needs quotes is written in backticks: `user-agent`";

/// Reports a constant text that cannot be computed with.
pub(super) fn operand(p: &mut Parser<'_>, op: Option<BinaryOp>, operand: &Expr) {
    let Expr::Text(text, Span(span)) = operand else { return };
    let quantity = text.trim().parse::<f64>().is_ok() || parse_size(text).is_some() || is_time(text);
    if op.is_some_and(|op| !op.is_arithmetic()) || quantity {
        return;
    }
    let hint = match op {
        Some(BinaryOp::Add) => format!("to join texts write concat(a, b); {FIELD_HINT}"),
        _ => FIELD_HINT.to_owned(),
    };
    let message = format!("\"{}\" is a text, and a number is needed here", shorten(text));
    p.report(Diagnostic::error(span.clone(), message).hint(hint));
}

fn is_time(text: &str) -> bool {
    model::parse_duration_ns(text).is_some() || model::Timestamp::parse(text, model::Timestamp(0)).is_ok()
}
