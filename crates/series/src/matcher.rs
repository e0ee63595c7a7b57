//! Conditions on labels.

use std::fmt;
use std::sync::Arc;

use model::{Labels, Recent};
use regex::{Regex, RegexBuilder};
use regex_automata::MatchKind;
use regex_automata::hybrid::dfa::DFA;

use crate::SeriesError;

/// How a matcher compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchOp {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `=~`, anchored at both ends
    Regex,
    /// `!~`, anchored at both ends
    NotRegex,
}

impl MatchOp {
    /// The operator as queries write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Regex => "=~",
            Self::NotRegex => "!~",
        }
    }
}

/// A condition on one label; a label that a series lacks has the empty value.
#[derive(Clone, Debug)]
pub struct Matcher {
    name: String,
    op: MatchOp,
    value: String,
    pattern: Pattern,
}

/// The compiled right-hand side.
#[derive(Clone, Debug)]
enum Pattern {
    /// Any of these texts: `=`, and regular expressions that are plain alternatives such as `a|b`.
    OneOf(Vec<String>),
    /// Everything, or everything but the empty value.
    Any { empty: bool },
    /// A real regular expression, and the automaton that goes over dictionaries, unless the expression is too large for one.
    Regex(Regex, Option<Arc<DFA>>),
}

impl Matcher {
    /// Compiles a matcher. Only a regular expression can fail.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, SeriesError> {
        let (name, value) = (name.into(), value.into());
        let pattern = match op {
            MatchOp::Equal | MatchOp::NotEqual => Pattern::OneOf(vec![value.clone()]),
            MatchOp::Regex | MatchOp::NotRegex => compile(&value)?,
        };
        Ok(Self { name, op, value, pattern })
    }

    /// The label's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it compares.
    pub fn op(&self) -> MatchOp {
        self.op
    }

    /// The right-hand side as written.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whether a label with this value (the empty text for none) satisfies the matcher.
    pub fn matches(&self, value: &str) -> bool {
        self.pattern.accepts(value) != self.is_negative()
    }

    /// Whether a series satisfies the matcher.
    pub fn matches_labels(&self, labels: &Labels) -> bool {
        self.matches(labels.get(&self.name).unwrap_or(""))
    }

    pub(crate) fn is_negative(&self) -> bool {
        matches!(self.op, MatchOp::NotEqual | MatchOp::NotRegex)
    }

    /// Whether a few texts are compared.
    pub(crate) fn is_simple(&self) -> bool {
        matches!(self.pattern, Pattern::OneOf(_))
    }

    /// The finite list of values that a positive matcher accepts, if it is one.
    pub(crate) fn accepted_values(&self) -> Option<&[String]> {
        match &self.pattern {
            Pattern::OneOf(values) if !self.is_negative() => Some(values),
            _ => None,
        }
    }

    /// The automaton of a positive matcher that is a real regular expression.
    pub(crate) fn automaton(&self) -> Option<&DFA> {
        match &self.pattern {
            Pattern::Regex(_, automaton) if !self.is_negative() => automaton.as_deref(),
            _ => None,
        }
    }
}

impl Pattern {
    fn accepts(&self, value: &str) -> bool {
        match self {
            Self::OneOf(values) => values.iter().any(|known| known == value),
            Self::Any { empty } => *empty || !value.is_empty(),
            Self::Regex(regex, _) => regex.is_match(value),
        }
    }
}

/// Expressions that are compiled, which takes longer than many a query with one. A dashboard asks with the same ones again and again.
static COMPILED: Recent<String, Pattern> = Recent::new(64);
/// Larger ones are compiled each time.
const COMPILED_BYTES_MAX: usize = 128 << 10;

fn compile(pattern: &str) -> Result<Pattern, SeriesError> {
    match pattern {
        ".*" => return Ok(Pattern::Any { empty: true }),
        ".+" => return Ok(Pattern::Any { empty: false }),
        _ => {}
    }
    let plain = |c: char| c.is_alphanumeric() || "_-:/ |,@%=<>~\"'".contains(c);
    if pattern.chars().all(plain) {
        return Ok(Pattern::OneOf(pattern.split('|').map(str::to_owned).collect()));
    }
    if let Some(known) = COMPILED.get(pattern) {
        return Ok(known);
    }
    let error = |error: regex::Error| SeriesError::BadPattern {
        pattern: pattern.to_owned(),
        reason: error.to_string().lines().last().unwrap_or_default().trim().to_owned(),
    };
    let anchored = format!("^(?s:{pattern})$");
    let small = RegexBuilder::new(&anchored).size_limit(COMPILED_BYTES_MAX).build();
    let is_small = small.is_ok() && pattern.len() <= COMPILED_BYTES_MAX;
    let regex = small.or_else(|_| Regex::new(&anchored)).map_err(error)?;
    let config = DFA::config().match_kind(MatchKind::All);
    let automaton = DFA::builder().configure(config).build(&anchored).ok();
    let compiled = Pattern::Regex(regex, automaton.map(Arc::new));
    if is_small {
        COMPILED.keep(pattern.to_owned(), compiled.clone());
    }
    Ok(compiled)
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}{:?}", self.name, self.op.as_str(), self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_anchored_and_know_the_empty_value() {
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        let cases = [
            (Equal, "a", "a", true),
            (Equal, "", "", true),
            (NotEqual, "a", "", true),
            (Regex, "a|bc", "bc", true),
            (Regex, "a|bc", "abc", false),
            (Regex, "a.c", "abc", true),
            (Regex, "b", "abc", false),
            (Regex, ".+", "", false),
            (Regex, ".*", "", true),
            (Regex, "a.b", "a\nb", true),
            (NotRegex, "5..", "503", false),
            (NotRegex, "5..", "", true),
            (Regex, "(a|)", "", true),
        ];
        for (op, pattern, value, want) in cases {
            let matcher = Matcher::new("l", op, pattern).unwrap();
            assert_eq!(matcher.matches(value), want, "{matcher} on {value:?}");
        }
        assert!(matches!(Matcher::new("l", Regex, "a("), Err(SeriesError::BadPattern { .. })));
    }
}
