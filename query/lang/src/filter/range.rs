//! Ranges: of numbers, texts, lengths and addresses.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::value::bound;
use crate::highlight::TokenKind;
use crate::parser::{Located, Parser, shorten};
use crate::{Comparison, Diagnostic, FieldName, Filter, Test, terminals};

const HINT: &str = "for example f:[1, 10), f:range(1, 10) with neither bound, f:[500, *]";

/// Takes `[a, b)`, or what stands behind the name `range`.
pub(super) fn numbers(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    p.skip_space();
    let with_start = p.eat_here("[").is_some();
    if !with_start {
        p.eat_here("(");
    }
    let low = side(p)?;
    if let Some(to) = p.eat_keyword("to") {
        let hint = "write [1, 10], or send the query with language=lucene";
        p.report(Diagnostic::error(to, "`TO` is Lucene's").hint(hint));
    } else if p.eat(",").is_none() {
        p.expected("`,`", HINT);
        p.skip_past(']');
        return None;
    }
    let high = side(p)?;
    let with_end = p.eat("]").is_some();
    if !with_end && p.eat(")").is_none() {
        p.expected("`)` or `]`", HINT);
        return None;
    }
    let low = low.map(|low| (if with_start { Comparison::GreaterOrEqual } else { Comparison::Greater }, low));
    let high = high.map(|high| (if with_end { Comparison::LessOrEqual } else { Comparison::Less }, high));
    tests(p, field, low, high, start..p.at)
}

/// Takes one end; the inner `None` when it is open.
#[expect(clippy::option_option, reason = "an open end and one that cannot be read are different things")]
fn side(p: &mut Parser<'_>) -> Option<Option<Located<String>>> {
    p.skip_space();
    if p.eat_here("*").is_some() {
        return Some(None);
    }
    let quoted = p.quoted_here(TokenKind::Number);
    let taken = quoted
        .or_else(|| p.take_here(TokenKind::Number, terminals::value_word).map(|(word, span)| (word.to_owned(), span)));
    match taken {
        Some((word, _)) if ["inf", "-inf", "+inf"].contains(&word.to_ascii_lowercase().as_str()) => Some(None),
        Some(taken) => Some(Some(taken)),
        None => {
            p.expected("a number or a text", HINT);
            p.skip_past(']');
            None
        }
    }
}

type End = Option<(Comparison, Located<String>)>;

/// The comparisons that a range is.
fn tests(p: &mut Parser<'_>, field: FieldName, low: End, high: End, span: Range<usize>) -> Option<Filter> {
    if field == FieldName::Any {
        let message = "a range needs a field";
        p.report(Diagnostic::error(span, message).hint("for example http.response.status_code:[500, 600)"));
        return None;
    }
    let ends: Vec<_> = low.into_iter().chain(high).map(|(op, (text, span))| (op, bound(text), span)).collect();
    if let [(_, low, _), (_, high, high_span)] = &ends[..] {
        if low.number.is_some() != high.number.is_some() {
            let hint = "write two numbers, or string_range(a, b) to compare texts";
            p.report(Diagnostic::error(high_span.clone(), "one end is a number and the other is not").hint(hint));
            return None;
        }
        let swapped = match (low.number, high.number) {
            (Some(low), Some(high)) => low > high,
            _ => low.text > high.text,
        };
        if swapped && field != FieldName::Named(model::field::SEVERITY.to_owned()) {
            let message = "this range ends before it starts, so it holds nothing";
            p.report(Diagnostic::warning(span.clone(), message).hint("swap the two ends"));
        }
    }
    ends.iter().for_each(|(_, _, span)| p.count_term(span.clone()));
    let test = |(op, bound, _)| Filter::Field(field.clone(), Test::Compare(op, bound));
    let mut tests: Vec<Filter> = ends.into_iter().map(test).collect();
    match tests.len() {
        0 => Some(Filter::Field(field, Test::Exists)),
        1 => tests.pop(),
        _ => Some(Filter::And(tests)),
    }
}

/// Takes two values in parentheses.
fn pair(p: &mut Parser<'_>, name: &Range<usize>, example: &str) -> Option<[Located<String>; 2]> {
    let mut values = super::function::items(p, name, example)?.into_iter();
    match (values.next(), values.next(), values.next()) {
        (Some(first), Some(second), None) => Some([first, second]),
        _ => {
            let message = "two values are needed here";
            p.report(Diagnostic::error(name.start..p.at, message).hint(format!("for example {example}")));
            None
        }
    }
}

/// `len_range(5, 10)`.
pub(super) fn length(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    const EXAMPLE: &str = "len_range(5, 10), or len_range(100, inf)";
    let ends = pair(p, name, EXAMPLE)?;
    let mut lengths = [0, u64::MAX];
    for ((text, span), length) in ends.into_iter().zip(&mut lengths) {
        *length = match text.as_str() {
            "inf" => u64::MAX,
            digits => match digits.replace('_', "").parse() {
                Ok(n) => n,
                Err(_) => {
                    let message = format!("`{}` is not a number of characters", shorten(&text));
                    p.report(Diagnostic::error(span, message).hint(format!("for example {EXAMPLE}")));
                    return None;
                }
            },
        };
    }
    let [first, last] = lengths;
    if first > last {
        let message = "this range ends before it starts, so it holds nothing";
        p.report(Diagnostic::warning(name.start..p.at, message).hint("swap the two ends"));
    }
    Some(Filter::Field(field, Test::LenRange(first, last)))
}

/// `string_range(a, b)`.
pub(super) fn strings(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let [(first, _), (end, _)] = pair(p, name, "string_range(a, m)")?;
    if first >= end {
        let message = "this range ends before it starts, so it holds nothing";
        p.report(Diagnostic::warning(name.start..p.at, message).hint("swap the two ends; the second is not included"));
    }
    Some(Filter::Field(field, Test::StringRange(first, end)))
}

/// `ipv4_range(10.0.0.0/8)`, `ipv4_range(10.0.0.1, 10.0.0.9)`.
pub(super) fn ipv4(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let range = addresses(p, "ipv4_range(10.0.0.0/8)", 32, |text| {
        text.parse::<Ipv4Addr>().ok().map(|address| u128::from(u32::from(address)))
    });
    match range? {
        Some((first, last)) => Some(Filter::Field(field, Test::Ipv4Range(first as u32, last as u32))),
        None => {
            let hint = "write a network, ipv4_range(10.0.0.0/8), or the first and the last address";
            no_range(p, name, "IPv4", hint);
            None
        }
    }
}

/// `ipv6_range(2001:db8::/32)`, `ipv6_range(::1, ::ff)`.
pub(super) fn ipv6(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let range = addresses(p, "ipv6_range(2001:db8::/32)", 128, |text| text.parse::<Ipv6Addr>().ok().map(u128::from));
    match range? {
        Some((first, last)) => Some(Filter::Field(field, Test::Ipv6Range(first, last))),
        None => {
            let hint = "write a network, ipv6_range(2001:db8::/32), or the first and the last address";
            no_range(p, name, "IPv6", hint);
            None
        }
    }
}

/// A network of addresses of either family, `10.0.0.0/8`, as a test.
pub(crate) fn network(text: &str) -> Option<Test> {
    let (base, length) = text.split_once('/')?;
    let length: u32 = length.parse().ok()?;
    if let Ok(base) = base.parse::<Ipv4Addr>() {
        let hosts = (length <= 32).then(|| u32::MAX.checked_shr(length).unwrap_or(0))?;
        return Some(Test::Ipv4Range(u32::from(base) & !hosts, u32::from(base) | hosts));
    }
    let base = u128::from(base.parse::<Ipv6Addr>().ok()?);
    let hosts = (length <= 128).then(|| u128::MAX.checked_shr(length).unwrap_or(0))?;
    Some(Test::Ipv6Range(base & !hosts, base | hosts))
}

fn no_range(p: &mut Parser<'_>, name: &Range<usize>, family: &str, hint: &str) {
    let message = format!("this is no range of {family} addresses");
    p.report(Diagnostic::error(name.start..p.at, message).hint(hint.to_owned()));
}

/// Takes addresses in parentheses: one with the length of a network, or two. The inner `None` when they are no range.
#[expect(clippy::option_option, reason = "what is no list and what is no range are different mistakes")]
fn addresses(
    p: &mut Parser<'_>,
    example: &str,
    bits: u32,
    address: impl Fn(&str) -> Option<u128>,
) -> Option<Option<(u128, u128)>> {
    let hint = format!("for example {example}");
    let before = p.diagnostics.len();
    let texts = p.parenthesised("an address", &hint, |p| {
        p.skip_space();
        let quoted = p.quoted_here(TokenKind::Number).map(|(text, _)| text);
        let more = |c: char| c.is_ascii_alphanumeric() || ".:/-".contains(c);
        quoted.or_else(|| {
            let bare = p.take_here(TokenKind::Number, |input| terminals::run_of(more, input));
            bare.map(|(text, _)| text.to_owned())
        })
    });
    if p.diagnostics.len() > before {
        p.skip_past(')');
    }
    let texts = texts?;
    let texts: Vec<&str> = match texts.first().and_then(|first| first.split_once('-')) {
        Some((first, last)) if texts.len() == 1 => vec![first, last],
        _ => texts.iter().map(String::as_str).collect(),
    };
    let range = match texts[..] {
        [one] => {
            let (base, length) = one.split_once('/').map_or((one, None), |(base, length)| (base, Some(length)));
            let length = length.map_or(Some(bits), |length| length.parse().ok().filter(|length| *length <= bits));
            let all = u128::MAX >> (128 - bits);
            let hosts = length.map(|length| all.checked_shr(length).unwrap_or(0));
            address(base).zip(hosts).map(|(base, hosts)| (base & !hosts, base & !hosts | hosts))
        }
        [first, last] => address(first).zip(address(last)),
        _ => None,
    };
    Some(range.filter(|(first, last)| first <= last))
}
