//! What a job does with each series: the target's labels, the job's rules, and its limits.

use std::sync::Arc;

use decode::exposition::{LABELS_PER_SERIES_MAX, Series};
use model::histogram::{CUSTOM_SCHEMA, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN};
use model::{FloatHistogram, Labels, METRIC_NAME};

use crate::config::{JobConfig, JobLimits};
use crate::labels::{LabelSet, Texts};
use crate::relabel::{Relabel, is_label_name, is_metric_name, relabel};

/// What stands before a label of a series that the target has too.
const EXPORTED: &str = "exported_";

/// What a job does with each series of one target.
#[derive(Clone, Debug)]
pub(crate) struct SampleRules {
    target: LabelSet,
    honor_labels: bool,
    rules: Vec<Relabel>,
    limits: JobLimits,
    legacy_names: bool,
    pub(crate) honor_timestamps: bool,
    pub(crate) track_timestamps: bool,
    pub(crate) sample_limit: u64,
}

impl SampleRules {
    pub(crate) fn new(job: &JobConfig, target: &LabelSet) -> Self {
        Self {
            target: target.clone(),
            honor_labels: job.honor_labels,
            rules: job.metric_relabel.clone(),
            limits: job.limits,
            legacy_names: job.legacy_names,
            honor_timestamps: job.honor_timestamps,
            track_timestamps: job.track_timestamps_staleness,
            sample_limit: job.limits.samples,
        }
    }

    /// The labels that a series is stored with; `None` where a rule drops it. An error fails the scrape.
    pub(crate) fn labels(&self, series: Series<'_>, texts: &mut Texts) -> Result<Option<Labels>, String> {
        let mut labels = exposed(series)?;
        self.add_target(&mut labels);
        if !relabel(&self.rules, &mut labels) || labels.is_empty() {
            return Ok(None);
        }
        let name = labels.get(METRIC_NAME);
        if name.is_empty() {
            return Err("missing metric name (__name__ label)".to_owned());
        }
        let good = is_metric_name(name, self.legacy_names)
            && labels.iter().all(|(name, _)| is_label_name(name, self.legacy_names));
        if !good {
            return Err(format!("invalid metric name or label names: {labels}"));
        }
        self.check(&labels)?;
        Ok(Some(labels.to_labels_of(texts)))
    }

    /// The target's labels. Where the series has the same, one of the two is renamed or left out.
    fn add_target(&self, labels: &mut LabelSet) {
        let mut conflicts = Vec::new();
        for (name, value) in self.target.iter() {
            let own = labels.get(name);
            if !own.is_empty() && self.honor_labels {
                continue;
            }
            if !own.is_empty() {
                conflicts.push((name, own.to_owned()));
            }
            labels.set(name, value);
        }
        // The short names first, as in Prometheus: what they become may be in the way of a longer one.
        conflicts.sort_by_key(|(name, _)| name.len());
        for (name, value) in conflicts {
            let mut exported = format!("{EXPORTED}{name}");
            while !labels.get(&exported).is_empty() {
                exported.insert_str(0, EXPORTED);
            }
            labels.set(&exported, value);
        }
    }

    fn check(&self, labels: &LabelSet) -> Result<(), String> {
        let limits = &self.limits;
        let metric = short(labels.get(METRIC_NAME));
        let count = labels.len() as u64;
        if limits.labels > 0 && count > limits.labels {
            let limit = limits.labels;
            return Err(format!("label_limit exceeded (metric: {metric}, number of labels: {count}, limit: {limit})"));
        }
        for (name, value) in labels.iter() {
            let (length, limit) = (name.len() as u64, limits.label_name_bytes);
            if limit > 0 && length > limit {
                let name = short(name);
                return Err(format!(
                    "label_name_length_limit exceeded (metric: {metric}, label name: {name}, length: {length}, limit: {limit})"
                ));
            }
            let (length, limit) = (value.len() as u64, limits.label_value_bytes);
            if limit > 0 && length > limit {
                let (name, value) = (short(name), short(value));
                return Err(format!(
                    "label_value_length_limit exceeded (metric: {metric}, label name: {name}, value: {value:?}, length: {length}, limit: {limit})"
                ));
            }
        }
        Ok(())
    }

    /// Makes a native histogram as coarse as the job wants it. False where it has too many buckets however coarse it is.
    pub(crate) fn limit_buckets(&self, histogram: &mut Arc<FloatHistogram>) -> bool {
        let limit = usize::try_from(self.limits.histogram_buckets).unwrap_or(usize::MAX);
        let buckets = |histogram: &FloatHistogram| histogram.positive.counts.len() + histogram.negative.counts.len();
        if limit > 0 {
            while buckets(histogram) > limit {
                if histogram.schema == CUSTOM_SCHEMA || histogram.schema <= EXPONENTIAL_SCHEMA_MIN {
                    return false;
                }
                let schema = histogram.schema - 1;
                *histogram = coarser(histogram, schema);
            }
        }
        if self.limits.histogram_factor > 1.0 && histogram.schema != CUSTOM_SCHEMA {
            let schema = schema_of_factor(self.limits.histogram_factor);
            if histogram.schema > schema {
                *histogram = coarser(histogram, schema);
            }
        }
        true
    }
}

fn coarser(histogram: &FloatHistogram, schema: i32) -> Arc<FloatHistogram> {
    Arc::new(FloatHistogram { reset_hint: histogram.reset_hint, ..histogram.at_schema(schema) })
}

/// The finest schema whose buckets grow by at least a factor.
fn schema_of_factor(factor: f64) -> i32 {
    let schema = (-factor.log2().log2()).floor();
    (schema.clamp(f64::from(EXPONENTIAL_SCHEMA_MIN), f64::from(EXPONENTIAL_SCHEMA_MAX))) as i32
}

/// The labels of a series as the body has them.
fn exposed(series: Series<'_>) -> Result<LabelSet, String> {
    let mut labels = LabelSet::default();
    let (mut names, mut twice) = (Vec::new(), None);
    series.each_label(|name, value| {
        if names.contains(&name) {
            twice.get_or_insert(name.to_string());
        }
        labels.set(&name, value);
        names.push(name);
    });
    if let Some(name) = twice {
        return Err(format!("label name {name:?} is not unique: invalid sample"));
    }
    if names.len() > LABELS_PER_SERIES_MAX {
        return Err(format!("the series has {} labels, {LABELS_PER_SERIES_MAX} are allowed", names.len()));
    }
    Ok(labels)
}

/// Fifty characters say which it is.
fn short(text: &str) -> String {
    text.chars().take(50).collect()
}
