//! Stages that count values: `facets`, and `diff`, which compares the counts of two windows of time.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use compute::Value;
use lang::{Diff, Facets};
use model::field;

use super::cells::{ColumnBuilder, Table, batch_of_made};
use super::patterns::{PATTERN_COLUMN, Shaper};
use super::rows::ENTRY_BYTES;
use super::{Operator, Sources};
use crate::ExecError;

/// Different values of a field that are counted; a field with more tells rows apart and is left out, unless it was asked for by name:
/// then all count, as far as memory goes.
const VALUES_MAX: usize = 10_000;
/// Values longer than this are texts and no facets.
const VALUE_BYTES_MAX: usize = 256;

/// The counts of the values of fields.
struct Counts {
    /// Empty for all fields.
    fields: Vec<String>,
    values: BTreeMap<String, HashMap<String, u64>>,
    /// Fields with too many or too long values.
    wide: Vec<String>,
    rows: u64,
    bytes: usize,
}

impl Counts {
    fn new(fields: Vec<String>) -> Self {
        Self { fields, values: BTreeMap::new(), wide: Vec::new(), rows: 0, bytes: 0 }
    }

    fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        let table = Table::new(batch);
        let all = self.fields.is_empty();
        let names: Vec<String> = match all {
            true => {
                let names = batch.schema_ref().fields().iter().map(|field| field.name().clone());
                names.filter(|name| ![field::TIME, field::ID].contains(&name.as_str())).collect()
            }
            false => self.fields.clone(),
        };
        for name in names {
            if self.wide.contains(&name) {
                continue;
            }
            let values = self.values.entry(name.clone()).or_default();
            let mut wide = false;
            for row in 0..batch.num_rows() {
                let text = table.text(&name, row);
                if text.is_empty() {
                    continue;
                }
                wide |= all && text.len() > VALUE_BYTES_MAX;
                if let Some(count) = values.get_mut(text.as_ref()) {
                    *count += 1;
                } else if all && values.len() >= VALUES_MAX {
                    wide = true;
                } else {
                    self.bytes += text.len() + ENTRY_BYTES;
                    values.insert(text.into_owned(), 1);
                }
            }
            if wide {
                let gone = self.values.remove(&name).unwrap_or_default();
                self.bytes -= gone.keys().map(|text| text.len() + ENTRY_BYTES).sum::<usize>();
                self.wide.push(name);
            }
        }
    }

    /// The fields whose values differ in about every row.
    fn telling_apart(&self) -> Vec<String> {
        let rows = self.rows;
        let apart = |values: &HashMap<String, u64>| values.len() > 10 && values.len() as u64 * 2 > rows;
        let found = self.values.iter().filter(|(_, values)| self.fields.is_empty() && apart(values));
        found.map(|(name, _)| name.clone()).collect()
    }

    /// The fields with their values.
    fn finish(&mut self) -> Vec<(String, HashMap<String, u64>)> {
        if !self.fields.is_empty() {
            let mut values = std::mem::take(&mut self.values);
            return self.fields.iter().map(|name| (name.clone(), values.remove(name).unwrap_or_default())).collect();
        }
        std::mem::take(&mut self.values).into_iter().filter(|(_, values)| !values.is_empty()).collect()
    }
}

/// The stage `facets`.
pub(super) struct FacetRows {
    limit: u64,
    counts: Counts,
}

impl FacetRows {
    pub(super) fn new(facets: Facets) -> Self {
        Self { limit: facets.limit, counts: Counts::new(facets.fields) }
    }
}

impl Operator for FacetRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        self.counts.add(&batch);
        Ok(None)
    }

    fn held_bytes(&self) -> usize {
        self.counts.bytes
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let mut columns = [ColumnBuilder::default(), ColumnBuilder::default(), ColumnBuilder::default()];
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let apart = self.counts.telling_apart();
        for (name, values) in self.counts.finish().into_iter().filter(|(name, _)| !apart.contains(name)) {
            let mut values: Vec<(String, u64)> = values.into_iter().collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            for (value, hits) in values.into_iter().take(limit) {
                columns[0].push(Value::Text(name.clone().into()));
                columns[1].push(Value::Text(value.into()));
                columns[2].push(Value::Int(hits.cast_signed()));
            }
        }
        let rows = columns[0].len();
        let named = ["field", "value", "hits"].into_iter().zip(columns);
        batch_of_made(named, rows).map(Some)
    }
}

/// The stage `diff`.
pub(super) struct DiffRows {
    here: Counts,
    there: Counts,
    /// Bodies of both windows by shape; all rows are needed before a template is sure.
    patterns: bool,
    bodies: [HashMap<String, u64>; 2],
    shaper: Shaper,
    sources: Arc<dyn Sources>,
    bytes: usize,
}

impl DiffRows {
    pub(super) fn new(diff: &Diff, sources: &Arc<dyn Sources>) -> Self {
        let patterns = diff.by.is_empty() || diff.by.iter().any(|name| name == PATTERN_COLUMN);
        let fields: Vec<String> = diff.by.iter().filter(|name| *name != PATTERN_COLUMN).cloned().collect();
        Self {
            here: Counts::new(fields.clone()),
            there: Counts::new(fields),
            patterns,
            bodies: [HashMap::new(), HashMap::new()],
            shaper: Shaper::default(),
            sources: Arc::clone(sources),
            bytes: 0,
        }
    }

    /// Takes in rows of the other window.
    pub(super) fn add_other(&mut self, batch: &RecordBatch) {
        self.there.add(batch);
        self.add_bodies(batch, 1);
    }

    fn add_bodies(&mut self, batch: &RecordBatch, window: usize) {
        if !self.patterns {
            return;
        }
        let table = Table::new(batch);
        for row in 0..batch.num_rows() {
            let body = table.text(field::BODY, row);
            if body.is_empty() {
                continue;
            }
            let shape = self.shaper.shape(&body);
            match self.bodies[window].get_mut(shape) {
                Some(count) => *count += 1,
                None => {
                    self.bytes += shape.len() + ENTRY_BYTES;
                    self.bodies[window].insert(shape.to_owned(), 1);
                }
            }
        }
    }

    /// The templates of both windows, with their rows in each.
    fn templates(&self) -> HashMap<String, [u64; 2]> {
        let mut shapes: Vec<&str> = self.bodies.iter().flat_map(|bodies| bodies.keys().map(String::as_str)).collect();
        shapes.sort_unstable();
        shapes.dedup();
        let rows = |shape: &str| [0, 1].map(|window: usize| self.bodies[window].get(shape).copied().unwrap_or(0));
        let texts: Vec<(&str, u64)> = shapes.iter().map(|shape| (*shape, rows(shape).iter().sum())).collect();
        let mut out: HashMap<String, [u64; 2]> = HashMap::new();
        for (shape, template) in shapes.iter().zip(self.sources.templates(&texts)) {
            let Some(template) = template else { continue };
            let known = out.entry(template.text).or_default();
            let [here, there] = rows(shape);
            known[0] += here;
            known[1] += there;
        }
        out
    }
}

impl Operator for DiffRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        self.here.add(&batch);
        self.add_bodies(&batch, 0);
        Ok(None)
    }

    fn held_bytes(&self) -> usize {
        self.here.bytes + self.there.bytes + self.bytes
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let (all_here, all_there) = (self.here.rows, self.there.rows);
        let mut found: Vec<(String, String, [u64; 2])> = Vec::new();
        let wide = |name: &String, counts: &Counts| counts.wide.contains(name);
        let mut fields: BTreeMap<String, HashMap<String, [u64; 2]>> = BTreeMap::new();
        let apart = [self.here.telling_apart(), self.there.telling_apart()].concat();
        let (here, there) = (self.here.finish(), self.there.finish());
        for (window, side) in [here, there].into_iter().enumerate() {
            for (name, values) in side {
                // Of a field that one window has too many values of, the counts say nothing.
                if wide(&name, &self.here) || wide(&name, &self.there) || name == field::BODY || apart.contains(&name) {
                    continue;
                }
                for (value, count) in values {
                    fields.entry(name.clone()).or_default().entry(value).or_default()[window] += count;
                }
            }
        }
        if self.patterns {
            fields.insert(PATTERN_COLUMN.to_owned(), self.templates());
        }
        for (name, values) in fields {
            found.extend(values.into_iter().map(|(value, counts)| (name.clone(), value, counts)));
        }
        let mut scored: Vec<(f64, String, String, [u64; 2])> = found
            .into_iter()
            .map(|(name, value, counts)| (surprise(counts, [all_here, all_there]), name, value, counts))
            .filter(|(score, ..)| *score > 0.0)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (&a.1, &a.2).cmp(&(&b.1, &b.2))));
        let names = ["field", "value", "count", "baseline_count", "share", "baseline_share", "change", "score"];
        let mut columns: Vec<ColumnBuilder> = names.iter().map(|_| ColumnBuilder::default()).collect();
        let share = |count: u64, all: u64| if all == 0 { 0.0 } else { count as f64 / all as f64 };
        let rows = scored.len();
        for (score, name, value, [here, there]) in scored {
            let (now, before) = (share(here, all_here), share(there, all_there));
            let row = [
                Value::Text(name.into()),
                Value::Text(value.into()),
                Value::Int(here.cast_signed()),
                Value::Int(there.cast_signed()),
                Value::Number(now),
                Value::Number(before),
                Value::Number(now - before),
                Value::Number((score * 100.0).round() / 100.0),
            ];
            columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
        }
        batch_of_made(names.into_iter().zip(columns), rows).map(Some)
    }
}

/// How surprising it is that a value has so many of the rows of each window: the G statistic (twice the logarithm of the ratio of
/// likelihoods) of the counts against equal shares; zero when shares are equal.
fn surprise(counts: [u64; 2], all: [u64; 2]) -> f64 {
    let (rows, with) = (all.iter().sum::<u64>() as f64, counts.iter().sum::<u64>() as f64);
    if rows == 0.0 || all.contains(&0) {
        return 0.0;
    }
    let mut g = 0.0;
    for (count, window) in counts.into_iter().zip(all) {
        let (count, window) = (count as f64, window as f64);
        for (seen, whole) in [(count, with), ((window - count).max(0.0), rows - with)] {
            let expected = whole * window / rows;
            if seen > 0.0 && expected > 0.0 {
                g += 2.0 * seen * (seen / expected).ln();
            }
        }
    }
    if g < 1e-9 { 0.0 } else { g }
}
