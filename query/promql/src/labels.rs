//! Operations on label sets that evaluation needs.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use model::{Labels, METRIC_NAME};

/// Something for each of some label sets.
pub(crate) type ByLabels<V> = HashMap<Labels, V, RandomState>;

/// Whether all label sets have the same metadata, so that sets that differ still do without it.
pub(crate) fn same_metadata<'l>(mut sets: impl Iterator<Item = &'l Labels>) -> bool {
    fn metadata(labels: &Labels) -> impl Iterator<Item = (&str, &str)> {
        // Names ascend, and few begin with underscores.
        labels.iter().take_while(|(name, _)| *name <= UNIT).filter(|(name, _)| is_metadata(name))
    }
    let Some(first) = sets.next() else { return true };
    sets.all(|labels| metadata(labels).eq(metadata(first)))
}

/// The label set without the metric's name, type and unit.
pub(crate) fn without_name(labels: &Labels) -> Labels {
    if labels.get(METRIC_NAME).is_none() && labels.get(TYPE).is_none() && labels.get(UNIT).is_none() {
        return labels.clone();
    }
    labels.keep(|name| !is_metadata(name))
}

/// The metric's type, where a source keeps it as a label.
pub(crate) const TYPE: &str = "__type__";
/// The metric's unit, where a source keeps it as a label.
pub(crate) const UNIT: &str = "__unit__";

/// Whether a label says what the metric is: it goes when the value is no longer that metric's.
pub(crate) fn is_metadata(name: &str) -> bool {
    name == METRIC_NAME || name == TYPE || name == UNIT
}

/// The label set with one label set to a value, or removed by an empty one.
pub(crate) fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let pairs = labels.pairs().iter().map(|(name, value)| (name.clone(), value.clone()));
    pairs.chain([(Arc::from(name), Arc::from(value))]).collect()
}

/// Labels by which an aggregation groups or vectors match.
pub(crate) fn group(labels: &Labels, names: &[String], without: bool) -> Labels {
    labels.keep(|name| groups_by(name, names, without))
}

/// Whether a label is one of those by which an aggregation groups or vectors match.
pub(crate) fn groups_by(name: &str, names: &[String], without: bool) -> bool {
    let is_named = names.iter().any(|other| other == name);
    if without { !is_named && name != METRIC_NAME } else { is_named }
}

/// A label name as queries write it: quoted if it is not a classic name.
pub(crate) fn quoted_name(name: &str) -> String {
    let classic = |name: &str| {
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    if !name.is_empty() && classic(name) { name.to_owned() } else { crate::text::quote(name) }
}
