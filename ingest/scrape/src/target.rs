//! Targets: what discovery found, relabelled, with the address that is asked.

use std::time::Duration;

use model::Labels;
use reqwest::Url;
use xxhash_rust::xxh3::Xxh3;

use crate::config::{JobConfig, TargetGroup};
use crate::labels::LabelSet;
use crate::relabel::relabel;
use crate::units::{parse_duration, show_duration};

pub(crate) const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const METRICS_PATH: &str = "__metrics_path__";
const INTERVAL: &str = "__scrape_interval__";
const TIMEOUT: &str = "__scrape_timeout__";
const PARAM: &str = "__param_";
const CONVERT: &str = "__convert_classic_histograms_to_nhcb__";
const CLASSIC: &str = "__always_scrape_classic_histograms__";
const NATIVE: &str = "__scrape_native_histograms__";
const JOB: &str = "job";
const INSTANCE: &str = "instance";
/// Labels that are gone after relabelling.
const META: &str = "__meta_";
/// Labels that say how to scrape and are no part of the series.
const RESERVED: &str = "__";

/// A target that is scraped.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What was found, before relabelling.
    pub discovered: LabelSet,
    /// Labels of its series.
    pub labels: LabelSet,
    /// What is asked.
    pub url: Url,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    pub(crate) native_histograms: bool,
    pub(crate) classic_histograms: bool,
    pub(crate) convert_histograms: bool,
    /// The same for the same labels and URL: tells targets of a job apart and spreads their scrapes over the interval.
    pub(crate) hash: u64,
}

/// What became of something that was found.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is scraped.
    Target(Box<Target>),
    /// A rule dropped it.
    Dropped(LabelSet),
    /// It can not be scraped.
    Failed {
        /// What was found.
        discovered: LabelSet,
        /// What is wrong with it.
        reason: String,
    },
}

/// Relabels everything that one group holds.
pub fn targets_of(job: &JobConfig, group: &TargetGroup) -> Vec<Outcome> {
    group.targets.iter().map(|target| outcome(job, discovered(job, group, target))).collect()
}

/// Labels of what was found, with the job's defaults.
fn discovered(job: &JobConfig, group: &TargetGroup, target: &LabelSet) -> LabelSet {
    let mut labels = target.clone();
    for (name, value) in group.labels.iter() {
        labels.set_default(name, value);
    }
    labels.set_default(JOB, &job.name);
    labels.set_default(INTERVAL, show_duration(job.interval));
    labels.set_default(TIMEOUT, show_duration(job.timeout));
    labels.set_default(METRICS_PATH, &job.metrics_path);
    labels.set_default(SCHEME, &job.scheme);
    labels.set_default(CONVERT, job.convert_histograms.to_string());
    labels.set_default(CLASSIC, job.classic_histograms.to_string());
    labels.set_default(NATIVE, job.native_histograms.to_string());
    for (name, values) in &job.params {
        if let Some(first) = values.first() {
            labels.set_default(&format!("{PARAM}{name}"), first);
        }
    }
    labels
}

fn outcome(job: &JobConfig, discovered: LabelSet) -> Outcome {
    let mut labels = discovered.clone();
    if !relabel(&job.relabel, &mut labels) {
        return Outcome::Dropped(discovered);
    }
    match build(job, &discovered, labels) {
        Ok(target) => Outcome::Target(Box::new(target)),
        Err(reason) => Outcome::Failed { discovered, reason },
    }
}

fn build(job: &JobConfig, discovered: &LabelSet, mut labels: LabelSet) -> Result<Target, String> {
    let address = labels.get(ADDRESS).to_owned();
    if address.is_empty() {
        return Err("no address".to_owned());
    }
    if address.contains('/') {
        return Err(format!("{address:?} is not a valid hostname"));
    }
    let interval = time(&labels, INTERVAL, "interval")?;
    let timeout = time(&labels, TIMEOUT, "timeout")?;
    if timeout > interval {
        let (timeout, interval) = (labels.get(TIMEOUT), labels.get(INTERVAL));
        return Err(format!("scrape timeout cannot be greater than scrape interval ({timeout:?} > {interval:?})"));
    }
    let convert_histograms = flag(&labels, CONVERT, "convert classic histograms to nhcb")?;
    let classic_histograms = flag(&labels, CLASSIC, "always scrape classic histograms")?;
    let native_histograms = flag(&labels, NATIVE, "scrape native histograms")?;
    labels.retain(|name| !name.starts_with(META));
    labels.set_default(INSTANCE, &address);
    let url = url(job, &labels)?;
    let mut hasher = Xxh3::new();
    for (name, value) in labels.iter() {
        for part in [name, value] {
            hasher.update(part.as_bytes());
            hasher.update(&[0xff]);
        }
    }
    hasher.update(url.as_str().as_bytes());
    let hash = hasher.digest();
    labels.retain(|name| !name.starts_with(RESERVED));
    Ok(Target {
        discovered: discovered.clone(),
        labels,
        url,
        interval,
        timeout,
        native_histograms,
        classic_histograms,
        convert_histograms,
        hash,
    })
}

fn time(labels: &LabelSet, name: &str, what: &str) -> Result<Duration, String> {
    let text = labels.get(name);
    match parse_duration(text) {
        None => Err(format!("error parsing scrape {what}: not a valid duration string: {text:?}")),
        Some(Duration::ZERO) => Err(format!("scrape {what} cannot be 0")),
        Some(duration) => Ok(duration),
    }
}

fn flag(labels: &LabelSet, name: &str, what: &str) -> Result<bool, String> {
    match labels.get(name) {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("error parsing {what}: {other:?} is neither true nor false")),
    }
}

fn url(job: &JobConfig, labels: &LabelSet) -> Result<Url, String> {
    let (scheme, address) = (labels.get(SCHEME), labels.get(ADDRESS));
    let mut url = Url::parse(&format!("{scheme}://{address}"))
        .map_err(|error| format!("{scheme}://{address} is not an address: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("unknown scheme {scheme:?}"));
    }
    url.set_path(labels.get(METRICS_PATH));
    let mut params = job.params.clone();
    for (name, value) in labels.iter() {
        let Some(name) = name.strip_prefix(PARAM) else { continue };
        let values = params.entry(name.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => value.clone_into(first),
            None => values.push(value.to_owned()),
        }
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, values) in &params {
        for value in values {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    url.set_query((!query.is_empty()).then_some(query.as_str()));
    Ok(url)
}

impl Target {
    /// Host and port that are asked.
    pub(crate) fn address(&self) -> String {
        let port = self.url.port_or_known_default().unwrap_or_default();
        format!("{}:{port}", self.url.host_str().unwrap_or_default())
    }

    /// The series of one of the samples that every scrape writes about itself.
    pub(crate) fn report_labels(&self, name: &str) -> Labels {
        let mut labels = self.labels.clone();
        labels.set(model::METRIC_NAME, name);
        labels.to_labels()
    }
}
