//! What every scrape writes about itself: `up` and its companions.

use std::time::Duration;

use model::{Labels, Sample, SeriesBatch, SeriesSamples, stale_nan};

use crate::target::Target;

/// How a scrape went.
#[derive(Clone, Debug, Default)]
pub(super) struct Report {
    pub(super) up: bool,
    pub(super) took: Duration,
    pub(super) scraped: u64,
    pub(super) kept: u64,
    pub(super) added: u64,
    pub(super) timeout: Duration,
    pub(super) sample_limit: u64,
    pub(super) body_bytes: i64,
}

const NAMES: [&str; 5] = [
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
];

/// Written where the job asks for them.
const EXTRA_NAMES: [&str; 3] = ["scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes"];

/// The series of the report of one target, made once.
#[derive(Debug)]
pub(super) struct ReportSeries(Vec<Labels>);

impl ReportSeries {
    pub(super) fn new(target: &Target, extra: bool) -> Self {
        let extra: &[&str] = if extra { &EXTRA_NAMES } else { &[] };
        Self(NAMES.iter().chain(extra).map(|name| target.report_labels(name)).collect())
    }

    pub(super) fn write(&self, report: &Report, time_ms: i64, batch: &mut SeriesBatch) {
        let values = [
            f64::from(u8::from(report.up)),
            report.took.as_secs_f64(),
            report.scraped as f64,
            report.kept as f64,
            report.added as f64,
            report.timeout.as_secs_f64(),
            report.sample_limit as f64,
            report.body_bytes as f64,
        ];
        self.push(values, time_ms, batch);
    }

    /// The target is gone, and so is its report.
    pub(super) fn stale(&self, time_ms: i64, batch: &mut SeriesBatch) {
        self.push([stale_nan(); NAMES.len() + EXTRA_NAMES.len()], time_ms, batch);
    }

    fn push(&self, values: [f64; NAMES.len() + EXTRA_NAMES.len()], time_ms: i64, batch: &mut SeriesBatch) {
        for (labels, value) in self.0.iter().zip(values) {
            let samples = vec![Sample { time_ms, value }];
            batch.series.push(SeriesSamples { labels: labels.clone(), samples, ..SeriesSamples::default() });
        }
    }
}
