//! A filter evaluated row by row in the plainest way: what the engine must agree with.

use std::cmp::Ordering;
use std::net::Ipv4Addr;

use lang::{Bound, Case, FieldName, Filter, MatchOp, Test};
use model::Row;
use regex::Regex;

pub(super) fn holds(filter: &Filter, row: &Row) -> bool {
    match filter {
        Filter::All => true,
        Filter::Nothing => false,
        Filter::And(parts) => parts.iter().all(|part| holds(part, row)),
        Filter::Or(parts) => parts.iter().any(|part| holds(part, row)),
        Filter::Not(part) => !holds(part, row),
        Filter::Time(range) => range.contains(row.time),
        Filter::DayRange(range) => range.contains(row.time.0),
        Filter::WeekRange(range) => range.contains(row.time.0),
        Filter::Expr(_) => unreachable!("expressions have tests of their own"),
        Filter::Field(FieldName::Named(name), Test::EqualsField(other)) => text(row, name) == text(row, other),
        Filter::Field(FieldName::Named(name), test) => test_holds(test, &text(row, name)),
        Filter::Field(FieldName::Any, test) => row.fields.iter().any(|(_, value)| test_holds(test, &value.text())),
        Filter::Stream(matchers) => matchers.iter().all(|matcher| {
            let value = text(row, &matcher.name);
            let regex = || Regex::new(&format!("^(?s:{})$", matcher.value)).unwrap();
            match matcher.op {
                MatchOp::Equal => value == matcher.value,
                MatchOp::NotEqual => value != matcher.value,
                MatchOp::Regex => regex().is_match(&value),
                MatchOp::NotRegex => !regex().is_match(&value),
            }
        }),
    }
}

pub(super) fn text(row: &Row, name: &str) -> String {
    match name {
        "_time" => row.time.to_string(),
        "_stream" => row.stream.to_string(),
        _ => row.get(name).map(|value| value.text().into_owned()).unwrap_or_default(),
    }
}

fn test_holds(test: &Test, text: &str) -> bool {
    if text.is_empty() {
        return *test == Test::Empty;
    }
    match test {
        Test::Phrase { text: phrase, prefix, case } => find(text, phrase, *prefix, *case, 0).is_some(),
        Test::Exact { text: want, prefix, case } => {
            let (text, want) = (fold(text, *case), fold(want, *case));
            if *prefix { text.starts_with(&want) } else { text == want }
        }
        Test::Regex(pattern) => Regex::new(pattern).unwrap().is_match(text),
        Test::Compare(comparison, Bound { number: Some(bound), .. }) => {
            let number: Option<f64> = text.trim().parse().ok();
            number.and_then(|number| number.partial_cmp(bound)).is_some_and(|order| comparison.holds(order))
        }
        Test::Compare(comparison, bound) => comparison.holds(text.cmp(&bound.text) as Ordering),
        Test::In(values) => values.iter().any(|value| value == text),
        Test::Exists => true,
        Test::Empty => false,
        Test::Sequence(phrases) => {
            let lower = fold(text, Case::Insensitive);
            let mut from = 0;
            phrases.iter().all(|phrase| match find(&lower, phrase, false, Case::Insensitive, from) {
                Some(end) => {
                    from = end;
                    true
                }
                None => false,
            })
        }
        Test::Ipv4Range(first, last) => {
            text.parse::<Ipv4Addr>().is_ok_and(|address| (*first..=*last).contains(&u32::from(address)))
        }
        Test::Suffix { text: part, case } => {
            let (text, part) = (fold(text, *case), fold(part, *case));
            let ends = |at: usize| {
                !part.chars().next_back().is_some_and(joins) || !text[at..].chars().next().is_some_and(joins)
            };
            text.match_indices(&part).any(|(at, _)| ends(at + part.len()))
        }
        Test::Substring { text: part, case } => fold(text, *case).contains(&fold(part, *case)),
        Test::ContainsAny(phrases) => {
            phrases.iter().any(|phrase| find(text, phrase, false, Case::Insensitive, 0).is_some())
        }
        Test::ContainsAll(phrases) => {
            phrases.iter().all(|phrase| find(text, phrase, false, Case::Insensitive, 0).is_some())
        }
        Test::LenRange(first, last) => (*first..=*last).contains(&(text.chars().count() as u64)),
        Test::StringRange(from, to) => from.as_str() <= text && text < to.as_str(),
        Test::Wildcard { .. }
        | Test::Fuzzy { .. }
        | Test::Ipv6Range(..)
        | Test::InQuery(_)
        | Test::EqualsField(_)
        | Test::CompareField(..) => unreachable!("these have tests of their own"),
    }
}

fn joins(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && !('\u{4e00}'..='\u{9fff}').contains(&c)
}

fn fold(text: &str, case: Case) -> String {
    match case {
        Case::Insensitive => text.chars().flat_map(char::to_lowercase).collect(),
        Case::Sensitive => text.to_owned(),
    }
}

/// Where the phrase ends, at its first place at or after `from`.
fn find(text: &str, phrase: &str, prefix: bool, case: Case, from: usize) -> Option<usize> {
    let (text, phrase) = (fold(text, case), fold(phrase, case));
    let (first, last) = (phrase.chars().next()?, phrase.chars().next_back()?);
    text.char_indices().map(|(at, _)| at).filter(|at| *at >= from).find_map(|start| {
        let rest = text[start..].strip_prefix(&phrase)?;
        let before = text[..start].chars().next_back();
        let start_ok = !(joins(first) && before.is_some_and(joins));
        let end_ok = prefix || !(joins(last) && rest.chars().next().is_some_and(joins));
        (start_ok && end_ok).then_some(start + phrase.len())
    })
}
