//! Warnings and infos that come with a result.

use crate::ast::Span;
use crate::error::line_column;

/// How serious an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The result is probably not what was meant.
    Warning,
    /// Worth knowing.
    Info,
}

/// One annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// How serious.
    pub severity: Severity,
    /// The text, without severity and position.
    pub message: String,
    /// What it is about.
    pub span: Span,
}

/// The annotations of one evaluation, each once, in the order they came up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Annotations(Vec<Annotation>);

impl Annotations {
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) {
        self.add(Annotation { severity: Severity::Warning, message: message.into(), span });
    }

    pub(crate) fn info(&mut self, span: Span, message: impl Into<String>) {
        self.add(Annotation { severity: Severity::Info, message: message.into(), span });
    }

    fn add(&mut self, annotation: Annotation) {
        if !self.0.contains(&annotation) {
            self.0.push(annotation);
        }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Annotation> {
        self.0.iter()
    }

    /// The warnings as Prometheus's API shows them; `text` is the query.
    pub fn warnings(&self, text: &str) -> Vec<String> {
        self.render(text, Severity::Warning, "PromQL warning")
    }

    /// The infos as Prometheus's API shows them; `text` is the query.
    pub fn infos(&self, text: &str) -> Vec<String> {
        self.render(text, Severity::Info, "PromQL info")
    }

    fn render(&self, text: &str, severity: Severity, prefix: &str) -> Vec<String> {
        let wanted = self.0.iter().filter(|annotation| annotation.severity == severity);
        let line = |annotation: &Annotation| {
            let (line, column) = line_column(text, annotation.span.start);
            format!("{prefix}: {} ({line}:{column})", annotation.message)
        };
        wanted.map(line).collect()
    }
}
