//! `severity:>=WARN` means the order of severities, not of letters: it becomes `severity:in(WARN, ERROR, FATAL)`.

use lang::{FieldName, Filter, Test};
use model::{Severity, field};

/// Replaces comparisons of `severity` with the name of one.
pub(super) fn name_severities(filter: &mut Filter) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().for_each(name_severities),
        Filter::Not(inner) => name_severities(inner),
        Filter::Field(FieldName::Named(name), test) if name == field::SEVERITY => {
            let Test::Compare(comparison, bound) = test else { return };
            let Some(bound) = Severity::from_text(&bound.text) else { return };
            let holds = |severity: &Severity| comparison.holds(severity.cmp(&bound));
            let names: Vec<String> =
                Severity::ALL.iter().filter(|severity| holds(severity)).map(Severity::to_string).collect();
            match names.is_empty() {
                true => *filter = Filter::Nothing,
                false => *test = Test::In(names),
            }
        }
        _ => {}
    }
}
