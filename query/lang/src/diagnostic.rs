//! What is wrong with a query, where, and what to do about it.

use std::fmt::Write as _;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A remark about a query's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// Where, in bytes of the text; on boundaries of characters. Never past the end of the text; not empty unless the
    /// text is.
    pub span: Range<usize>,
    /// Whether the query can run all the same.
    pub severity: DiagnosticSeverity,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do, in one line.
    pub hint: Option<String>,
}

/// Whether a query with the remark can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DiagnosticSeverity {
    /// It can, and probably means something else.
    Warning,
    /// It cannot.
    Error,
}

impl Diagnostic {
    /// A remark that stops the query.
    pub fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, severity: DiagnosticSeverity::Error, message: message.into(), hint: None }
    }

    /// A remark that lets the query run.
    pub fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, severity: DiagnosticSeverity::Warning, message: message.into(), hint: None }
    }

    /// The same remark with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether it stops the query.
    pub fn is_error(&self) -> bool {
        self.severity == DiagnosticSeverity::Error
    }
}

/// The remark as a terminal shows it: the line it is about, carets under the span, the hint.
///
/// ```
/// # use lang::{Diagnostic, render_diagnostic};
/// let remark = Diagnostic::error(9..13, "unknown severity `eror`").hint("did you mean ERROR?");
/// assert_eq!(
///     render_diagnostic("severity:eror", &remark),
///     "error: unknown severity `eror`\n 1 | severity:eror\n   |          ^^^^\n   = did you mean ERROR?\n"
/// );
/// ```
pub fn render_diagnostic(text: &str, diagnostic: &Diagnostic) -> String {
    let start = floor_boundary(text, diagnostic.span.start);
    let end = floor_boundary(text, diagnostic.span.end.max(diagnostic.span.start));
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let line_number = text[..start].matches('\n').count() + 1;
    let indent: String = text[line_start..start].chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let carets = text[start..end.clamp(start, line_end)].chars().count().max(1);
    let severity = match diagnostic.severity {
        DiagnosticSeverity::Error => "error",
        DiagnosticSeverity::Warning => "warning",
    };
    let margin = " ".repeat(line_number.to_string().len());
    let mut out = String::new();
    let _ = writeln!(out, "{severity}: {}", diagnostic.message);
    let _ = writeln!(out, " {line_number} | {}", &text[line_start..line_end]);
    let _ = writeln!(out, " {margin} | {indent}{}", "^".repeat(carets));
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(out, " {margin} = {hint}");
    }
    out
}

/// The nearest boundary of a character at or before `at`.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
