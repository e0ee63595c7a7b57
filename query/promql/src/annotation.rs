//! Warnings and infos that come with a result.

use std::collections::HashMap;

use model::Timestamp;

use crate::ast::Span;
use crate::error::line_column;
use crate::text::{short_number, two_digits};

/// How serious an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    /// The result is probably not what was meant.
    Warning,
    /// Worth knowing.
    Info,
}

/// One annotation.
#[derive(Clone, Debug, PartialEq)]
pub struct Annotation {
    /// How serious.
    pub severity: Severity,
    /// The text, without severity, details and position.
    pub message: String,
    /// What it is about.
    pub span: Span,
    /// Figures that grow when the same annotation comes up again.
    details: Details,
}

/// Figures of annotations that come up again and again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Details {
    None,
    /// Buckets of a classic histogram whose counts fell, and had to be raised.
    Repairs(Repairs),
    /// How many series have overlapping start times.
    Overlaps(usize),
}

/// What had to be raised, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repairs {
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    pub(crate) count: usize,
    pub(crate) min_bucket: f64,
    pub(crate) max_bucket: f64,
    pub(crate) max_diff: f64,
}

impl Repairs {
    fn join(&mut self, other: &Self) {
        self.from_ms = self.from_ms.min(other.from_ms);
        self.to_ms = self.to_ms.max(other.to_ms);
        self.count += other.count;
        self.min_bucket = self.min_bucket.min(other.min_bucket);
        self.max_bucket = self.max_bucket.max(other.max_bucket);
        self.max_diff = self.max_diff.max(other.max_diff);
    }
}

impl Annotation {
    /// The text as Prometheus's API shows it; `query` is the query's text.
    fn render(&self, query: &str) -> String {
        let prefix = match self.severity {
            Severity::Warning => "PromQL warning",
            Severity::Info => "PromQL info",
        };
        let details = match &self.details {
            Details::None | Details::Overlaps(0 | 1) => String::new(),
            Details::Overlaps(count) => format!(" ({count} occurrences)"),
            Details::Repairs(repairs) => {
                let time = |ms: i64| Timestamp::from_secs(ms / 1000).to_string();
                format!(
                    ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                    short_number(repairs.min_bucket),
                    short_number(repairs.max_bucket),
                    two_digits(repairs.max_diff),
                    repairs.count,
                    time(repairs.from_ms),
                    time(repairs.to_ms)
                )
            }
        };
        let (line, column) = line_column(query, self.span.start);
        format!("{prefix}: {}{details} ({line}:{column})", self.message)
    }
}

/// The annotations of one evaluation, in the order they came up. One text appears once: with the place where it came up last.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Annotations {
    all: Vec<Annotation>,
    known: HashMap<(Severity, String), usize>,
}

impl Annotations {
    pub(crate) fn warn(&mut self, span: Span, message: impl Into<String>) {
        let message = message.into();
        self.add(Annotation { severity: Severity::Warning, message, span, details: Details::None });
    }

    pub(crate) fn info(&mut self, span: Span, message: impl Into<String>) {
        let message = message.into();
        self.add(Annotation { severity: Severity::Info, message, span, details: Details::None });
    }

    pub(crate) fn with_details(&mut self, severity: Severity, span: Span, message: String, details: Details) {
        self.add(Annotation { severity, message, span, details });
    }

    fn add(&mut self, annotation: Annotation) {
        let key = (annotation.severity, annotation.message.clone());
        if let Some(at) = self.known.get(&key) {
            let known = &mut self.all[*at];
            match (&mut known.details, annotation.details) {
                (Details::Repairs(known), Details::Repairs(other)) => known.join(&other),
                (Details::Overlaps(known), Details::Overlaps(other)) => *known += other,
                _ => known.span = annotation.span,
            }
            return;
        }
        self.known.insert(key.clone(), self.all.len());
        self.all.push(Annotation { severity: key.0, message: key.1, ..annotation });
    }

    /// Adds all of another list.
    pub(crate) fn extend(&mut self, other: Self) {
        other.all.into_iter().for_each(|annotation| self.add(annotation));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Annotation> {
        self.all.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The warnings as Prometheus's API shows them; `text` is the query.
    pub fn warnings(&self, text: &str) -> Vec<String> {
        self.render(text, Severity::Warning)
    }

    /// The infos as Prometheus's API shows them; `text` is the query.
    pub fn infos(&self, text: &str) -> Vec<String> {
        self.render(text, Severity::Info)
    }

    fn render(&self, text: &str, severity: Severity) -> Vec<String> {
        let wanted = self.all.iter().filter(|annotation| annotation.severity == severity);
        wanted.map(|annotation| annotation.render(text)).collect()
    }
}
