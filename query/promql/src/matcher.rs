//! Conditions on labels, as the language has them.

use std::fmt;

use crate::regexp::{REGEXPS_BYTES_MAX, Regexp};

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
    /// The operator as written.
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
    /// The label.
    pub name: String,
    /// How it compares.
    pub op: MatchOp,
    /// The right-hand side.
    pub value: String,
    /// The expression and how Rust's engine writes it.
    regex: Option<(Regexp, String)>,
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.op, &self.value) == (&other.name, other.op, &other.value)
    }
}

impl Matcher {
    /// Makes a matcher. Regular expressions are Go's; the error is what Go says about one.
    pub fn new(name: impl Into<String>, op: MatchOp, value: impl Into<String>) -> Result<Self, String> {
        Self::within(name, op, value, &mut REGEXPS_BYTES_MAX.clone())
    }

    /// As [`Self::new`], where regular expressions may take so many bytes, which become less by it.
    pub(crate) fn within(
        name: impl Into<String>,
        op: MatchOp,
        value: impl Into<String>,
        room_bytes: &mut usize,
    ) -> Result<Self, String> {
        let value = value.into();
        let regex = match op {
            MatchOp::Regex | MatchOp::NotRegex => Some(Regexp::matcher(&value, room_bytes)?),
            MatchOp::Equal | MatchOp::NotEqual => None,
        };
        Ok(Self { name: name.into(), op, value, regex })
    }

    /// The right-hand side for a source: of `=` and `!=` the text; else an expression that means to Rust's `regex` crate, put into
    /// `^(?s:...)$`, what [`Self::value`] means to Prometheus.
    pub fn pattern(&self) -> &str {
        self.regex.as_ref().map_or(&self.value, |(_, pattern)| pattern)
    }

    /// Whether a label with this value satisfies the matcher.
    pub fn matches(&self, value: &str) -> bool {
        let equal = self.regex.as_ref().map_or_else(|| self.value == value, |(regex, _)| regex.is_match(value));
        equal == matches!(self.op, MatchOp::Equal | MatchOp::Regex)
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = crate::text::quote(&self.value);
        write!(f, "{}{}{value}", crate::labels::quoted_name(&self.name), self.op.as_str())
    }
}
