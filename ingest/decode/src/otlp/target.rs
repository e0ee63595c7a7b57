//! The labels that a resource and a scope give to all their series.

use std::rc::Rc;

use model::{Attributes, LabelsBuilder, Scope};

use super::{MetricsOptions, Promote};

/// Attributes that identify a target: they are `job` and `instance`, so not labels of `target_info`.
pub(super) const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// How far apart samples of `target_info` are, in milliseconds: half the time that a query looks back.
const INFO_INTERVAL_MS: i64 = 150_000;

/// Most samples of `target_info` that one request makes of one resource.
const INFO_SAMPLES_MAX: usize = 1000;

/// A resource and a scope as labels.
pub(super) struct Target<'a> {
    options: &'a MetricsOptions,
    promoted: Vec<(String, String)>,
    scope: Vec<(String, String)>,
    pub(super) job: Option<String>,
    pub(super) instance: Option<String>,
}

impl<'a> Target<'a> {
    pub(super) fn new(resource: &Attributes, scope: &Scope, options: &'a MetricsOptions) -> Self {
        let mut target = Self::bare(resource, options);
        target.promoted = promoted(resource, options);
        if options.promote_scope_metadata {
            target.scope = scope_labels(scope, options);
        }
        target
    }

    /// With nothing but `job` and `instance`.
    pub(super) fn bare(resource: &Attributes, options: &'a MetricsOptions) -> Self {
        let name = attribute(resource, "service.name");
        let job = match (attribute(resource, "service.namespace"), name) {
            (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
            (_, name) => name,
        };
        let instance = attribute(resource, "service.instance.id");
        Self { options, promoted: Vec::new(), scope: Vec::new(), job, instance }
    }

    /// The labels of a series but its name. Attributes whose names become equal are joined by `;` in the order of their names.
    pub(super) fn labels(&self, mut attributes: Attributes) -> LabelsBuilder {
        let mut labels = LabelsBuilder::default();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, value) in attributes {
            let name = self.options.translation.label(&name);
            let value = value.text();
            if name.is_empty() || value.is_empty() {
                continue;
            }
            let joined = labels.get(&name).map(|known| format!("{known};{value}"));
            labels.set(name, joined.unwrap_or_else(|| value.into_owned()));
        }
        for (name, value) in &self.promoted {
            if labels.get(name).is_none() {
                labels.set(name.as_str(), value.as_str());
            }
        }
        for (name, value) in &self.scope {
            labels.set(name.as_str(), value.as_str());
        }
        for (name, value) in [("job", &self.job), ("instance", &self.instance)] {
            if let Some(value) = value {
                labels.set(name, value.as_str());
            }
        }
        labels
    }
}

fn promoted(resource: &Attributes, options: &MetricsOptions) -> Vec<(String, String)> {
    let label = |name: &str| Some((options.translation.label(name), attribute(resource, name)?));
    match &options.promote {
        Promote::Listed(names) => names.iter().filter_map(|name| label(name)).collect(),
        Promote::AllBut(ignored) => {
            let names = resource.iter().map(|(name, _)| name).filter(|name| !ignored.contains(name));
            names.filter_map(|name| label(name)).collect()
        }
    }
}

fn scope_labels(scope: &Scope, options: &MetricsOptions) -> Vec<(String, String)> {
    let named = [("otel_scope_name", &scope.name), ("otel_scope_version", &scope.version)];
    let named = named.into_iter().map(|(name, value)| (name.to_owned(), value.clone()));
    let attributes = scope
        .attributes
        .iter()
        .map(|(name, value)| (options.translation.label(&format!("otel_scope_{name}")), value.text().into_owned()));
    named.chain(attributes).filter(|(_, value)| !value.is_empty()).collect()
}

fn attribute(attributes: &Attributes, name: &str) -> Option<String> {
    let (_, value) = attributes.iter().rfind(|(known, _)| known == name)?;
    Some(value.text().into_owned()).filter(|text| !text.is_empty())
}

/// The times of the samples of a resource.
pub(super) struct Seen {
    pub(super) resource: Rc<Attributes>,
    pub(super) span_ms: Option<(i64, i64)>,
}

impl Seen {
    /// When `target_info` is 1, so that a query finds it at each of the resource's samples: the first and the last time, and what is
    /// needed in between.
    pub(super) fn info_times(&self) -> Vec<i64> {
        let Some((first, last)) = self.span_ms else { return Vec::new() };
        let mut times = vec![last];
        while let Some(before) = times.last().map(|time| time - INFO_INTERVAL_MS)
            && before > first
            && times.len() < INFO_SAMPLES_MAX
        {
            times.push(before);
        }
        if first < last {
            times.push(first);
        }
        times.reverse();
        times
    }
}

/// The earliest and the latest of two spans of time.
pub(super) fn union(a: Option<(i64, i64)>, b: Option<(i64, i64)>) -> Option<(i64, i64)> {
    match (a, b) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (a, b) => a.or(b),
    }
}
