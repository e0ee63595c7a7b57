//! Stages about the templates of bodies: `patterns`, and the column `_pattern`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType, Field};
use compute::Value;
use lang::Patterns;
use model::field;

use super::cells::{self, ColumnBuilder, Table, batch_of_made, with_columns};
use super::rows::{ENTRY_BYTES, tuple};
use super::{Operator, Sources};
use crate::ExecError;

/// The column of a template's id.
pub(crate) const PATTERN_COLUMN: &str = "_pattern";

/// The template of a text: its stable id and the text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Sixteen hexadecimal digits.
    pub id: String,
    /// What lines of the template have in common.
    pub text: String,
}

/// Cuts texts into what lines of one kind share: words, and marks for the variables between them.
#[derive(Default)]
pub(super) struct Shaper {
    cutter: shape::Cutter,
    shape: String,
    variables: String,
}

impl Shaper {
    /// The shape of a text.
    pub(super) fn shape(&mut self, text: &str) -> &str {
        shape::marked(&mut self.cutter, text, &mut self.shape, &mut self.variables);
        &self.shape
    }
}

/// Texts with the same words and the same kinds of variables between them.
#[derive(Default)]
struct Shapes {
    shaper: Shaper,
    places: HashMap<String, usize>,
    texts: Vec<String>,
    rows: Vec<u64>,
    bytes: usize,
}

impl Shapes {
    fn add(&mut self, body: &str) -> usize {
        let shape = self.shaper.shape(body);
        if let Some(at) = self.places.get(shape) {
            self.rows[*at] += 1;
            return *at;
        }
        let at = self.texts.len();
        self.bytes += shape.len() * 2 + body.len() + ENTRY_BYTES;
        self.places.insert(shape.to_owned(), at);
        self.texts.push(body.to_owned());
        self.rows.push(1);
        at
    }

    /// The template of each.
    fn templates(&self, sources: &dyn Sources) -> Vec<Option<Template>> {
        let texts: Vec<(&str, u64)> = self.texts.iter().map(String::as_str).zip(self.rows.iter().copied()).collect();
        sources.templates(&texts)
    }
}

/// What is known of the rows of one shape and one combination of fields.
struct Seen {
    shape: usize,
    /// The texts of the fields.
    key: String,
    keys: Vec<Value<'static>>,
    rows: u64,
    first: Option<i64>,
    last: Option<i64>,
    example: String,
}

/// The stage `patterns`.
pub(super) struct PatternRows {
    patterns: Patterns,
    sources: Arc<dyn Sources>,
    shapes: Shapes,
    places: HashMap<(usize, String), usize>,
    seen: Vec<Seen>,
    rows: u64,
    bytes: usize,
}

impl PatternRows {
    pub(super) fn new(patterns: Patterns, sources: &Arc<dyn Sources>) -> Self {
        Self {
            patterns,
            sources: Arc::clone(sources),
            shapes: Shapes::default(),
            places: HashMap::new(),
            seen: Vec::new(),
            rows: 0,
            bytes: 0,
        }
    }
}

impl Operator for PatternRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        self.rows += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let body = table.text(field::BODY, row);
            if body.is_empty() {
                continue;
            }
            let shape = self.shapes.add(&body);
            let key = tuple(&table, &self.patterns.by, row);
            let at = *self.places.entry((shape, key)).or_insert_with_key(|(_, key)| {
                let keys = self.patterns.by.iter().map(|name| table.value(name, row).into_owned()).collect();
                let (key, example) = (key.clone(), String::new());
                self.bytes += key.len() * 3 + ENTRY_BYTES * 4;
                self.seen.push(Seen { shape, key, keys, rows: 0, first: None, last: None, example });
                self.seen.len() - 1
            });
            let seen = &mut self.seen[at];
            let time = match table.value(field::TIME, row) {
                Value::Time(ns) => Some(ns),
                _ => None,
            };
            if seen.rows == 0 || time > seen.last {
                self.bytes = (self.bytes + body.len()).saturating_sub(seen.example.len());
                seen.example = body.into_owned();
            }
            seen.rows += 1;
            seen.first = seen.first.into_iter().chain(time).min();
            seen.last = seen.last.max(time);
        }
        Ok(None)
    }

    fn held_bytes(&self) -> usize {
        self.shapes.bytes + self.bytes
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let templates = self.shapes.templates(&*self.sources);
        let all = self.rows;
        let mut merged: Vec<(Option<&Template>, Seen)> = Vec::new();
        let mut places: HashMap<(Option<&str>, String), usize> = HashMap::new();
        for seen in self.seen.drain(..) {
            let template = templates.get(seen.shape).and_then(Option::as_ref);
            let key = (template.map(|template| template.id.as_str()), seen.key.clone());
            match places.get(&key) {
                Some(at) => {
                    let known = &mut merged[*at].1;
                    if seen.last > known.last {
                        known.example = seen.example;
                    }
                    known.rows += seen.rows;
                    known.first = known.first.into_iter().chain(seen.first).min();
                    known.last = known.last.max(seen.last);
                }
                None => {
                    places.insert(key, merged.len());
                    merged.push((template, seen));
                }
            }
        }
        let id = |template: &Option<&Template>| template.map(|template| template.id.clone());
        merged.sort_by(|a, b| b.1.rows.cmp(&a.1.rows).then_with(|| id(&a.0).cmp(&id(&b.0))));
        merged.truncate(usize::try_from(self.patterns.limit).unwrap_or(usize::MAX));
        let own = [PATTERN_COLUMN, "template", "count", "share", "first_seen", "last_seen", "example"];
        let names = self.patterns.by.iter().map(String::as_str).chain(own);
        let mut columns: Vec<ColumnBuilder> = names.clone().map(|_| ColumnBuilder::default()).collect();
        let rows = merged.len();
        for (template, seen) in merged {
            let time = |ns: Option<i64>| ns.map_or(Value::Missing, Value::Time);
            let of = |text: Option<&str>| text.map_or(Value::Missing, |text| Value::Text(text.to_owned().into()));
            let values = seen.keys.into_iter().chain([
                of(template.map(|template| template.id.as_str())),
                of(template.map(|template| template.text.as_str())),
                Value::Int(seen.rows.cast_signed()),
                Value::Number(seen.rows as f64 / all.max(1) as f64),
                time(seen.first),
                time(seen.last),
                Value::Text(seen.example.into()),
            ]);
            columns.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        batch_of_made(names.zip(columns), rows).map(Some)
    }
}

/// The stage that adds `_pattern`: rows wait until all of them were seen, for the last one may tell what the first ones are.
pub(super) struct PatternColumn {
    sources: Arc<dyn Sources>,
    shapes: Shapes,
    rows: Vec<(RecordBatch, Vec<Option<usize>>)>,
    bytes: usize,
}

impl PatternColumn {
    pub(super) fn new(sources: &Arc<dyn Sources>) -> Self {
        Self { sources: Arc::clone(sources), shapes: Shapes::default(), rows: Vec::new(), bytes: 0 }
    }
}

impl Operator for PatternColumn {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        let shapes = (0..batch.num_rows()).map(|row| {
            let body = table.text(field::BODY, row);
            (!body.is_empty()).then(|| self.shapes.add(&body))
        });
        let shapes = shapes.collect();
        drop(table);
        self.bytes += cells::bytes(&batch) + batch.num_rows() * size_of::<Option<usize>>();
        self.rows.push((batch, shapes));
        Ok(None)
    }

    fn held_bytes(&self) -> usize {
        self.shapes.bytes + self.bytes
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let templates = self.shapes.templates(&*self.sources);
        let id = |shape: &Option<usize>| Some(templates.get((*shape)?)?.as_ref()?.id.clone());
        let mut done = Vec::with_capacity(self.rows.len());
        for (batch, shapes) in self.rows.drain(..) {
            let ids: StringArray = shapes.iter().map(id).collect();
            let field = Field::new(PATTERN_COLUMN, DataType::Utf8, true);
            done.push(with_columns(&batch, [Ok((field, Arc::new(ids) as ArrayRef))])?);
        }
        if done.is_empty() { Ok(None) } else { cells::unite(&done).map(Some) }
    }
}
