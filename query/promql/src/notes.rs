//! The texts of annotations. They are Prometheus's own, because people search for them and alerts match them.

use model::Labels;
use model::histogram::Added;

use crate::annotation::{Annotations, Details, Severity};
use crate::ast::{BinaryOp, Span};
use crate::display::Milliseconds;
use crate::text::{quote, short_number};

/// Which operation combined two histograms.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Combining {
    Addition,
    Subtraction,
    Aggregation,
}

impl Combining {
    fn as_str(self) -> &'static str {
        match self {
            Self::Addition => "addition",
            Self::Subtraction => "subtraction",
            Self::Aggregation => "aggregation",
        }
    }
}

/// The metric's name at the end of a text, if there is one.
fn for_metric(text: &str, labels: &Labels) -> String {
    match labels.metric_name() {
        "" => text.to_owned(),
        name => format!("{text} for metric name {}", quote(name)),
    }
}

fn name(labels: &Labels) -> String {
    quote(labels.metric_name())
}

impl Annotations {
    pub(crate) fn bad_quantile(&mut self, span: Span, q: f64) {
        self.warn(span, format!("quantile value should be between 0 and 1, got {}", short_number(q)));
    }

    pub(crate) fn bad_ratio(&mut self, span: Span, ratio: f64, limit: f64) {
        let (ratio, limit) = (short_number(ratio), short_number(limit));
        self.warn(span, format!("ratio value should be between -1 and 1, got {ratio}, capping to {limit}"));
    }

    pub(crate) fn mixed_samples(&mut self, span: Span, labels: &Labels) {
        self.warn(span, format!("encountered a mix of histograms and floats for metric name {}", name(labels)));
    }

    pub(crate) fn mixed_aggregation(&mut self, span: Span) {
        self.warn(span, "encountered a mix of histograms and floats for aggregation");
    }

    pub(crate) fn mixed_schemas(&mut self, span: Span, labels: &Labels) {
        let text = "vector contains a mix of histograms with exponential and custom buckets schemas for metric name";
        self.warn(span, format!("{text} {}", name(labels)));
    }

    pub(crate) fn not_a_counter(&mut self, span: Span, labels: &Labels) {
        self.warn(span, format!("this native histogram metric is not a counter: {}", name(labels)));
    }

    pub(crate) fn not_a_gauge(&mut self, span: Span, labels: &Labels) {
        self.warn(span, format!("this native histogram metric is not a gauge: {}", name(labels)));
    }

    pub(crate) fn classic_and_native(&mut self, span: Span, labels: &Labels) {
        self.warn(span, for_metric("vector contains a mix of classic and native histograms", labels));
    }

    pub(crate) fn bad_bucket(&mut self, span: Span, labels: &Labels, bound: &str) {
        let text = format!("bucket label \"le\" is missing or has a malformed value of {}", quote(bound));
        self.warn(span, for_metric(&text, labels));
    }

    pub(crate) fn incompatible_layout(&mut self, span: Span, op: BinaryOp) {
        let op = op.as_str();
        self.warn(span, format!("incompatible bucket layout encountered for binary operator {op}"));
    }

    pub(crate) fn hints_collide(&mut self, span: Span, combining: Combining) {
        self.warn(span, format!("conflicting counter resets during histogram {}", combining.as_str()));
    }

    pub(crate) fn bounds_reconciled(&mut self, span: Span, combining: Combining) {
        self.info(span, format!("mismatched custom buckets were reconciled during {}", combining.as_str()));
    }

    /// What became of the bounds of two histograms; collisions of hints are for the caller.
    pub(crate) fn combined(&mut self, span: Span, added: Added, combining: Combining) {
        if added.bounds_reconciled {
            self.bounds_reconciled(span, combining);
        }
    }

    pub(crate) fn sort_is_ineffective(&mut self, span: Span) {
        self.warn(span, "sort is ineffective for range queries since results are always ordered by labels");
    }

    pub(crate) fn start_overlaps(&mut self, span: Span, labels: &Labels) {
        let text = "sample has start time that overlaps with previous sample timestamp for metric";
        let message = format!("{text} {}", name(labels));
        self.with_details(Severity::Warning, span, message, Details::Overlaps(1));
    }

    pub(crate) fn maybe_no_counter(&mut self, span: Span, labels: &Labels) {
        let text = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
        self.info(span, format!("{text} {}", name(labels)));
    }

    /// What a sample stands for is not what a sample of the metric was.
    pub(crate) fn downsampled(&mut self, span: Span, labels: &Labels, resolution_ms: i64) {
        let text =
            format!("samples were downsampled to {}, what cuts these is an estimate", Milliseconds(resolution_ms));
        self.info(span, for_metric(&text, labels));
    }

    /// Like `maybe_no_counter`, where series carry their metric's type as a label.
    pub(crate) fn type_is_no_counter(&mut self, span: Span, labels: &Labels, found: &str) {
        let text = "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\"";
        self.info(span, format!("{text}, got {}: {}", quote(found), name(labels)));
    }

    pub(crate) fn incompatible_types(&mut self, span: Span, op: BinaryOp, left: &str, right: &str) {
        let op = op.as_str();
        let text = "incompatible sample types encountered for binary operator";
        self.info(span, format!("{text} {}: {left} {op} {right}", quote(op)));
    }

    pub(crate) fn histogram_ignored(&mut self, span: Span, aggregation: &str) {
        self.info(span, format!("ignored histogram in {aggregation} aggregation"));
    }

    pub(crate) fn histograms_ignored_in_range(&mut self, span: Span, labels: &Labels) {
        let text = "ignored histograms in a range containing both floats and histograms for metric name";
        self.info(span, format!("{text} {}", name(labels)));
    }

    pub(crate) fn nan_result(&mut self, span: Span, labels: &Labels) {
        let text = "input to histogram_quantile has NaN observations, result is NaN";
        self.info(span, for_metric(text, labels));
    }

    pub(crate) fn nan_skew(&mut self, span: Span, labels: &Labels) {
        let text = "input to histogram_quantile has NaN observations, result is skewed higher";
        self.info(span, for_metric(text, labels));
    }

    pub(crate) fn nan_fraction(&mut self, span: Span, labels: &Labels) {
        let text = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
        self.info(span, for_metric(text, labels));
    }

    pub(crate) fn repaired(&mut self, span: Span, labels: &Labels, repairs: crate::annotation::Repairs) {
        const URL: &str = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile";
        let text = format!("input to histogram_quantile needed to be fixed for monotonicity (see {URL})");
        let message = for_metric(&text, labels);
        self.with_details(Severity::Info, span, message, Details::Repairs(repairs));
    }
}
