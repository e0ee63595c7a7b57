//! Which fields a filter and an expression read.

use std::collections::BTreeSet;

use lang::{FieldName, Filter, Test};
use model::field;

/// The fields that a filter reads; `None` when it looks at any field of the row.
pub fn filter_fields(filter: &Filter) -> Option<BTreeSet<String>> {
    let mut out = BTreeSet::new();
    collect_filter(filter, &mut out).then_some(out)
}

fn collect_filter(filter: &Filter, out: &mut BTreeSet<String>) -> bool {
    match filter {
        Filter::All | Filter::Nothing => true,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(|part| collect_filter(part, out)),
        Filter::Not(inner) => collect_filter(inner, out),
        Filter::Field(FieldName::Any, _) => false,
        Filter::Field(FieldName::Named(name), test) => {
            out.insert(name.clone());
            if let Test::EqualsField(other) | Test::CompareField(_, other) = test {
                out.insert(other.clone());
            }
            true
        }
        Filter::Expr(expr) => {
            out.extend(expr.fields());
            true
        }
        Filter::Stream(matchers) => {
            out.extend(matchers.iter().map(|matcher| matcher.name.clone()));
            true
        }
        Filter::Time(_) | Filter::DayRange(_) | Filter::WeekRange(_) => {
            out.insert(field::TIME.to_owned());
            true
        }
    }
}

/// Whether a name is what a pattern of `fields` and `drop` stands for: the name itself, or a start with `*` behind it.
pub fn pattern_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}
