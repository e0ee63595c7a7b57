//! Stages that take texts apart and put them together, and the one that puts values into buckets.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use compute::limits::TEXT_BYTES_MAX;
use compute::{Template, Value};
use lang::{Bin, Bucket, FormatPart, FormatPipe, ParseFormat, ParsePipe};
use model::{Timestamp, field};
use parse::{Extractor, Format, Limits};
use regex::Regex;

use super::cells::{self, ColumnBuilder, Columns, Table, with_columns};
use super::{Operator, unsupported};
use crate::ExecError;
use crate::control::Control;
use crate::predicate::{self, Predicate};

/// The rows that a pipe's `if (filter)` lets through.
pub(super) struct Only {
    filter: Option<Predicate>,
    control: Arc<Control>,
}

impl Only {
    pub(super) fn new(
        filter: Option<&lang::Filter>,
        (regex_bytes_max, now): (usize, Timestamp),
        control: &Arc<Control>,
    ) -> Result<Self, ExecError> {
        let filter = filter.map(|filter| predicate::compile_at(filter, regex_bytes_max, now)).transpose()?;
        Ok(Self { filter, control: Arc::clone(control) })
    }

    fn rows(&self, batch: &RecordBatch) -> Result<Vec<u32>, ExecError> {
        let all = (0..batch.num_rows() as u32).collect();
        match &self.filter {
            Some(filter) => filter.select(batch, all, &self.control),
            None => {
                self.control.check()?;
                Ok(all)
            }
        }
    }
}

/// Fields out of a text.
pub(super) struct Parse {
    pipe: ParsePipe,
    extractor: Extractor,
    only: Only,
}

impl Parse {
    pub(super) fn new(pipe: ParsePipe, only: Only) -> Result<Self, ExecError> {
        let extractor = Extractor::new(&format(&pipe.format), &Limits::default());
        let extractor = extractor.map_err(|error| unsupported(error.message, error.hint))?;
        Ok(Self { pipe, extractor, only })
    }
}

/// The format as the crate that reads it knows it.
fn format(format: &ParseFormat) -> Format {
    match format {
        ParseFormat::Json => Format::Json,
        ParseFormat::Logfmt => Format::Logfmt,
        ParseFormat::Regex(regex) => Format::Regex(regex.clone()),
        ParseFormat::Pattern(pattern) => Format::Pattern(pattern.clone()),
        ParseFormat::Csv(columns) => Format::Csv { columns: columns.clone(), delimiter: ',' },
        ParseFormat::Kv { between, assign } => Format::Kv { between: between.clone(), assign: assign.clone() },
        ParseFormat::Syslog => Format::Syslog(parse::syslog::SyslogOptions::default()),
        ParseFormat::UserAgent => Format::UserAgent,
        ParseFormat::AccessLog => Format::AccessLog,
    }
}

impl Operator for Parse {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = self.only.rows(&batch)?;
        let table = Table::new(&batch);
        let mut found: Vec<(String, Value<'static>)> = Vec::new();
        let mut changes: Vec<(usize, Vec<(String, Value<'static>)>)> = Vec::new();
        for row in rows {
            let row = row as usize;
            let text = table.text(&self.pipe.from, row);
            if text.is_empty() {
                continue;
            }
            let at = match table.value(field::TIME, row) {
                Value::Time(ns) => Timestamp(ns),
                _ => Timestamp(0),
            };
            found.clear();
            let mut put = |name: &str, value: parse::Value<'_>| {
                found.push((format!("{}{name}", self.pipe.prefix), of_parse(value)));
            };
            if self.extractor.extract(&text, at, &mut put).is_err() {
                continue;
            }
            if self.pipe.keep {
                found.retain(|(name, _)| table.text(name, row).is_empty());
            }
            changes.push((row, std::mem::take(&mut found)));
        }
        changed(&batch, &table, changes).map(Some)
    }
}

/// The batch with some values replaced, row by row; a column that is new is missing elsewhere.
fn changed(
    batch: &RecordBatch,
    table: &Table<'_>,
    changes: Vec<(usize, Vec<(String, Value<'static>)>)>,
) -> Result<RecordBatch, ExecError> {
    if changes.is_empty() {
        return Ok(batch.clone());
    }
    let mut made = Columns::default();
    // The values that were there come first: what is not replaced stays.
    let mut known: HashSet<&str> = HashSet::new();
    for (name, _) in changes.iter().flat_map(|(_, fields)| fields) {
        if known.insert(name)
            && let Some(array) = table.column(name)
        {
            for row in 0..batch.num_rows() {
                made.set(name, row, cells::cell(array, row))?;
            }
        }
    }
    for (row, fields) in &changes {
        for (name, value) in fields {
            made.set(name, *row, value.clone())?;
        }
    }
    with_columns(batch, made.into_arrays(batch.num_rows()))
}

fn of_parse(value: parse::Value<'_>) -> Value<'static> {
    match value {
        parse::Value::Bool(value) => Value::Bool(value),
        parse::Value::Int(value) => Value::Int(value),
        parse::Value::Double(value) => Value::Number(value),
        parse::Value::Str(text) => Value::Text(text.into_owned().into()),
        parse::Value::Time(time) => Value::Time(time.0),
        list @ parse::Value::List(_) => cells::of_model(list.into()),
    }
}

/// A part of a text becomes another.
pub(super) struct Replace {
    pipe: lang::Replace,
    regex: Regex,
    only: Only,
}

impl Replace {
    pub(super) fn new(pipe: lang::Replace, regex_bytes_max: usize, only: Only) -> Result<Self, ExecError> {
        let pattern = if pipe.regex { pipe.from.clone() } else { regex::escape(&pipe.from) };
        Ok(Self { regex: predicate::regex(&pattern, regex_bytes_max)?, pipe, only })
    }
}

impl Replace {
    /// The text with its places replaced; `None` when it has none, and when it would grow beyond what a value may be.
    fn replaced(&self, text: &str) -> Option<String> {
        let limit = self.pipe.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let most = text.len().max(TEXT_BYTES_MAX);
        let (mut out, mut from) = (String::new(), 0);
        for captures in self.regex.captures_iter(text).take(limit) {
            let Some(found) = captures.get(0) else { continue };
            out.push_str(&text[from..found.start()]);
            match self.pipe.regex {
                true => captures.expand(&self.pipe.to, &mut out),
                false => out.push_str(&self.pipe.to),
            }
            from = found.end();
            if out.len() > most {
                return None;
            }
        }
        if from == 0 && out.is_empty() {
            return None;
        }
        out.push_str(&text[from..]);
        Some(out)
    }
}

impl Operator for Replace {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = self.only.rows(&batch)?;
        let table = Table::new(&batch);
        if table.column(&self.pipe.field).is_none() {
            return Ok(Some(batch));
        }
        let mut changes = Vec::new();
        for row in rows {
            let text = table.text(&self.pipe.field, row as usize);
            let Some(new) = self.replaced(&text) else { continue };
            changes.push((row as usize, vec![(self.pipe.field.clone(), Value::Text(new.into()))]));
        }
        changed(&batch, &table, changes).map(Some)
    }
}

/// A text made of fields.
pub(super) struct FormatText {
    to: String,
    template: Template,
    names: Vec<String>,
    only: Only,
}

impl FormatText {
    pub(super) fn new(pipe: &FormatPipe, only: Only) -> Result<Self, ExecError> {
        let mut names: Vec<String> = Vec::new();
        for part in &pipe.parts {
            if let FormatPart::Field { name, .. } = part
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        }
        let template = Template::of_parts(&pipe.parts, &names);
        let template = template.map_err(|error| unsupported(error.message, error.hint))?;
        Ok(Self { to: pipe.to.clone(), template, names, only })
    }
}

impl Operator for FormatText {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let rows = self.only.rows(&batch)?;
        let table = Table::new(&batch);
        let arrays: Vec<Option<&ArrayRef>> = self.names.iter().map(|name| table.column(name)).collect();
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let row = row as usize;
            let value = |at: usize| arrays[at].map_or(Value::Missing, |array| cells::cell(array, row));
            changes.push((row, vec![(self.to.clone(), self.template.render(&value))]));
        }
        changed(&batch, &table, changes).map(Some)
    }
}

/// A value becomes the start of its bucket.
pub(super) struct BinValue(pub(super) Bin);

impl Operator for BinValue {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        let table = Table::new(&batch);
        let mut made = ColumnBuilder::default();
        for row in 0..batch.num_rows() {
            made.push(bucket_of(&table.value(&self.0.field, row), &self.0.bucket));
        }
        with_columns(&batch, [made.finish(&self.0.to)]).map(Some)
    }
}

/// The start of the bucket that a value falls in; missing when it falls in none.
pub(super) fn bucket_of(value: &Value<'_>, bucket: &Bucket) -> Value<'static> {
    match bucket {
        Bucket::Time { step_ns, offset_ns } => {
            let time = match value {
                Value::Time(ns) => Some(*ns),
                Value::Text(text) => Timestamp::parse(text, Timestamp(0)).ok().map(|time| time.0),
                _ => None,
            };
            time.map_or(Value::Missing, |ns| Value::Time(time_bucket(ns, *step_ns, *offset_ns)))
        }
        Bucket::Number { width } => match value.as_f64() {
            Some(number) if number.is_finite() => {
                let start = (number / width).floor() * width;
                // Whole widths make whole starts.
                let whole = start.fract() == 0.0 && start.abs() < 9e15;
                if whole { Value::Int(start as i64) } else { Value::Number(start) }
            }
            _ => Value::Missing,
        },
        // Chosen before a plan runs.
        Bucket::AutoTime => Value::Missing,
    }
}

/// The start of the bucket of a time.
pub(super) fn time_bucket(ns: i64, step_ns: i64, offset_ns: i64) -> i64 {
    ns.saturating_sub(ns.saturating_sub(offset_ns).rem_euclid(step_ns))
}
