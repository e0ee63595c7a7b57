//! What can be seen to be wrong with an expression or a template before a row is read.

use std::ops::Range;

use lang::{Diagnostic, Span};

/// Why an expression or a template cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct ComputeError {
    /// Where, in bytes of the query's text; of the template's text for a template. Empty for a tree without places.
    pub span: Range<usize>,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do, in one line.
    pub hint: String,
}

impl ComputeError {
    pub(crate) fn new(span: &Span, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { span: span.0.clone(), message: message.into(), hint: hint.into() }
    }

    /// The same as a remark about the query's text.
    pub fn diagnostic(&self) -> Diagnostic {
        Diagnostic::error(self.span.clone(), self.message.clone()).hint(self.hint.clone())
    }
}
