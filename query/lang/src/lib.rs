//! The native query language: text in, a tree and diagnostics out.
//!
//! Shaped like VictoriaLogs' LogsQL: a filter, then pipes. `error service.name:checkout | stats by (_time:5m) count() as n`.
//!
//! **Entry points.** [`parse`] makes a [`Query`] of any text and says what is wrong with it; [`parse_lucene`] does so for
//! Elasticsearch's and Graylog's query strings; [`format`] prints the canonical text of a query; [`highlight`] and
//! [`complete`] serve editors; [`render_diagnostic`] serves terminals; [`reference`] is the language as data, and
//! [`reference_markdown`] the page that is made of it. The tree is in [`ast`], the limits in [`limits`].
//!
//! **How a text is read.** `terminals` are nom parsers of the smallest pieces. `parser` is the cursor that applies them,
//! remembers what they were and collects diagnostics. The grammar moves it: `query` (the frame, and queries in parentheses),
//! `filter/` (one file per family of tests), `pipes/` (one file per pipe), `expr/` (expressions), `lucene/` (the other
//! language). What there is stands in four tables, which grammar, hints, completion, help and documentation share: pipes in
//! `pipes::PIPES`, filters in `filter::FILTERS`, functions of groups in `pipes::stats::AGGREGATES`, functions of expressions
//! in [`FUNCTIONS`].
//!
//! **A new pipe** is a variant of [`PipeKind`], a file in `pipes/` with its `SPEC`, grammar, canonical text and tests, its
//! line in `PIPES`, and its mistakes in `tests/mistakes.txt`.
//!
//! **Guarantees.** Parsing never fails and never panics: whatever cannot be read is passed over up to the next pipe, with a
//! diagnostic that has a span, a message and a hint. Time and stack are bounded by the limits. A query with an error among
//! its diagnostics must not be run: its tree leaves out what could not be read. `format` and `parse` are inverse: the
//! canonical text of a tree parses to that tree without diagnostics.
//!
//! **Deviations from LogsQL.** Words and phrases find any case, `c(...)` asks for one. A bare word searches `body`, which
//! `_msg` is too. A comparison may be written with spaces, `status >= 500`. `_time:5m` ends now and excludes its end.
//! `sample 100` keeps 100 rows, `sample 1/100` a hundredth of them.
//!
//! **Not here.** What a query means for storage and in which order things are done (`plan`), and names and values of
//! fields for completion, which only the store knows (`engine`).

pub mod ast;
mod complete;
mod diagnostic;
mod expr;
mod filter;
mod format;
mod highlight;
pub mod limits;
mod lucene;
mod parser;
mod pipes;
mod query;
mod reference;
mod regex_check;
mod suggest;
mod terminals;

pub use ast::*;
pub use complete::{Completion, CompletionKind, Completions, Wanted, complete};
pub use diagnostic::{Diagnostic, DiagnosticSeverity, render_diagnostic};
pub use expr::{
    BinaryOp, Expr, FAMILIES, FUNCTIONS, FunctionSpec, Kind, Param, ScalarFunction, expressions_markdown,
    format_duration, format_expr, format_size, parse_network, parse_size,
};
pub use filter::is_cjk;
pub use format::{aggregate_call, format, format_filter, format_group, format_pipe, name_text};
pub use highlight::{TokenKind, highlight};
pub use lucene::{LuceneOperator, LuceneOptions, parse_lucene, parse_lucene_with};
pub use reference::{Entry, Family, Limit, Reference, reference, reference_markdown};
pub use suggest::nearest;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use model::Timestamp;

/// Reads a query. Relative times count back from `now`. An empty text is `*`.
///
/// ```
/// use lang::{FieldName, Filter, parse};
/// use model::Timestamp;
///
/// let (query, diagnostics) = parse("level:eror AND (", Timestamp(0));
/// let messages: Vec<_> = diagnostics.iter().map(|d| (d.span.clone(), d.message.as_str())).collect();
/// assert_eq!(messages, [(6..10, "unknown severity `eror`"), (15..16, "this `(` has no closing `)`")]);
/// assert!(matches!(query.filter, Filter::And(_)));
/// ```
pub fn parse(text: &str, now: Timestamp) -> (Query, Vec<Diagnostic>) {
    let (query, parser) = query::run(text, now);
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    (query, diagnostics)
}

/// Reads a condition over computed columns, such as `n > 20 and ratio >= 0.5`: a filter as after `where`, without pipes.
pub fn parse_condition(text: &str, now: Timestamp) -> (Filter, Vec<Diagnostic>) {
    let (filter, parser) = query::run_condition(text, now);
    let mut diagnostics = parser.diagnostics;
    diagnostics.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    (filter, diagnostics)
}
