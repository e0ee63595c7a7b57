//! PromQL: text -> syntax tree -> values.
//!
//! **Entry points.** [`parse`] turns text into a type-checked [`Expr`], which prints itself in canonical form, [pretty](Expr::pretty)
//! and as [JSON](Expr::to_json); [`eval`] computes it over a [`SeriesSource`] for the steps of an [`EvalRange`]; [`parse_series`]
//! reads the series of promtool's test files. Both speak Prometheus's error texts, because people search the web for them.
//!
//! **Read path.** The evaluator works on tiles, series by steps. A selector is asked of the source once for the whole query
//! and each series is walked once: two pointers follow the window over the samples, so that a sample is looked at once per
//! series and not once per step. Rows flow from selectors through functions into aggregations one at a time
//! (`sum by (job) (rate(x[5m]))` holds one row per group and one scratch row, never the rates of all series); what must see
//! everything at once (binary operators between vectors, `topk`, `sort`) collects a `Tile`.
//!
//! Rows are columns of numbers. Native histograms are in a side column that a row has only if it needs one, and start times likewise,
//! so that what has neither pays for neither. With [`EvalLimits::threads`] series are computed beside each other and handed on in
//! order. [`explain`] shows which operators stream and which collect.
//!
//! **Guarantees.** Prometheus 3.14's semantics: left-open ranges, five minutes of lookback, staleness, extrapolation, delayed name
//! removal, native histograms, and its annotations word for word. Prometheus's own conformance files run as a test, and all of their
//! cases pass. What Prometheus has behind `--enable-feature` is switched by [`Features`], and on where nobody says. Limits on samples, bytes,
//! steps, nesting and time are errors that name themselves; a cancelled query stops at the next series. Results do not depend on the
//! number of threads.
//!
//! **Not here.** Storage (`series`), HTTP shapes (`api`), rules (`rules`). The deadline is given by the caller.

mod aggregate;
mod annotation;
mod ast;
mod ast_json;
mod axis;
mod binary;
mod calls;
mod chain;
mod check;
mod display;
mod downsampled;
mod elementwise;
mod error;
mod eval;
mod explain;
mod extended;
mod extended_histograms;
mod features;
mod function;
mod groups;
mod histogram;
mod info;
mod input;
mod labels;
mod lexer;
mod matcher;
mod mixed;
mod native;
mod notes;
mod operators;
mod parallel;
mod parser;
mod plan;
mod pretty;
mod ranges;
mod regexp;
mod selector;
mod sequence;
mod source;
mod stack;
mod starts;
mod stats;
mod tally;
mod text;
mod tile;
mod value;
mod windows;

pub use annotation::{Annotation, Annotations, Severity};
pub use ast::{
    Aggregate, AggregateOp, At, Binary, BinaryOp, Call, Cardinality, DurationExpr, DurationOp, Expr, MatrixSelector,
    Notation, Span, Subquery, Type, VectorMatching, VectorSelector,
};
pub use ast_json::JSON_HEIGHT_MAX;
pub use error::{ErrorKind, EvalError, ParseError};
pub use eval::{EvalLimits, EvalRange, SharedMemory, eval};
pub use explain::{PLAN_LINES_MAX, explain};
pub use features::{Features, UnknownFeature};
pub use function::{FUNCTIONS, Function};
pub use matcher::{MatchOp, Matcher};
pub use parser::{DEPTH_MAX, ParserOptions, parse, parse_duration_ms, parse_selector, parse_with};
pub use pretty::PRETTY_OPERATORS_MAX;
pub use regexp::{REGEXP_BYTES_MAX, REGEXPS_BYTES_MAX};
pub use sequence::{SEQUENCE_VALUES_MAX, SequenceValue, parse_metric, parse_series, parse_values};
pub use source::{Fold, SelectRequest, Selection, SeriesSource, SourceError, SourceSeries, Wanted};
pub use stats::{EvalStats, StepStats};
pub use text::short_number;
pub use value::{
    HistogramSample, MatrixSeries, Outcome, QueryValue, VectorSample, format_number, histogram_json, seconds_json,
};
