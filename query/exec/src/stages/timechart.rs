//! Rows for every bucket of time: the stages `timechart` and `fill`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::RecordBatch;
use compute::Value;
use lang::{Bucket, Fill, FillWith, Group, Timechart};
use model::{TimeRange, field};
use plan::Buckets;

use super::accumulate::Cell;
use super::cells::{self, ColumnBuilder, Table, batch_of_made};
use super::group::{Groups, compare_keys};
use super::rows::tuple;
use super::text::time_bucket;
use super::{Operator, unsupported};
use crate::ExecError;
use crate::control::Control;

/// Rows that buckets without any are given, at most.
pub(crate) const FILLED_ROWS_MAX: usize = 1_000_000;

/// The starts of the buckets of a range, as far as there is data where the range is open.
fn starts(range: TimeRange, data: Option<(i64, i64)>, step_ns: i64, offset_ns: i64) -> Result<Vec<i64>, ExecError> {
    let Some((first, last)) = data else { return Ok(Vec::new()) };
    let first =
        if range.start == TimeRange::ALL.start { first } else { time_bucket(range.start.0, step_ns, offset_ns) };
    let end = if range.end == TimeRange::ALL.end { last } else { range.end.0.saturating_sub(1) };
    let count = end.max(first).saturating_sub(first) / step_ns + 1;
    if count as usize > FILLED_ROWS_MAX {
        return Err(too_many(count as usize));
    }
    Ok((0..count).map(|at| first + at * step_ns).collect())
}

fn too_many(rows: usize) -> ExecError {
    unsupported(
        format!("every bucket would have a row, {rows} in all, and the limit is {FILLED_ROWS_MAX} (FILLED_ROWS_MAX)"),
        "take longer buckets, a shorter time range or fewer groups",
    )
}

/// The stage `timechart`.
pub(super) struct ChartRows {
    pub(super) chart: Timechart,
    pub(super) groups: Option<Groups>,
    pub(super) range: TimeRange,
}

impl ChartRows {
    /// Time, then the fields: how the groups of a chart are kept.
    pub(super) fn by(chart: &Timechart) -> Vec<Group> {
        let time = Group::Bucket { field: field::TIME.to_owned(), bucket: chart.bucket };
        std::iter::once(time).chain(chart.by.iter().cloned().map(Group::Field)).collect()
    }
}

impl Operator for ChartRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        if let Some(groups) = &mut self.groups {
            groups.add(&batch)?;
        }
        Ok(None)
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        let Some(groups) = self.groups.take() else { return Ok(None) };
        let Bucket::Time { step_ns, offset_ns } = self.chart.bucket else { return Ok(None) };
        let seconds = groups.seconds(1.0);
        let aggregates = groups.aggregates().to_vec();
        let series = Series::of(groups, self.chart.limit, !self.chart.by.is_empty());
        let times = series.iter().flat_map(|(_, cells)| cells.keys().copied());
        let data = times.fold(None, |span: Option<(i64, i64)>, time| {
            Some(span.map_or((time, time), |(first, last)| (first.min(time), last.max(time))))
        });
        let starts = starts(self.range, data, step_ns, offset_ns)?;
        if starts.len().saturating_mul(series.len()) > FILLED_ROWS_MAX {
            return Err(too_many(starts.len() * series.len()));
        }
        let mut columns: Vec<ColumnBuilder> = Vec::new();
        columns.resize_with(1 + self.chart.by.len() + aggregates.len(), ColumnBuilder::default);
        let mut series = series;
        for start in &starts {
            for (keys, cells) in &mut series {
                columns[0].push(Value::Time(*start));
                for (column, key) in columns[1..].iter_mut().zip(keys.iter()) {
                    column.push(key.clone());
                }
                let found = cells.remove(start);
                let values: Vec<Value<'static>> = match found {
                    Some(cells) => cells
                        .into_iter()
                        .zip(&aggregates)
                        .map(|(cell, one)| cell.finish(one.function, seconds))
                        .collect(),
                    None => aggregates
                        .iter()
                        .map(|one| one.function.of_nothing().map_or(Value::Missing, |n| nothing(n, one.function)))
                        .collect(),
                };
                for (column, value) in columns[1 + keys.len()..].iter_mut().zip(values) {
                    column.push(value);
                }
            }
        }
        let names = std::iter::once(field::TIME)
            .chain(self.chart.by.iter().map(String::as_str))
            .chain(aggregates.iter().map(|one| one.name.as_str()));
        let rows = columns[0].len();
        batch_of_made(names.zip(columns), rows).map(Some)
    }

    fn held_bytes(&self) -> usize {
        self.groups.as_ref().map_or(0, Groups::bytes)
    }
}

/// Nothing as a function counts it: of whole numbers a whole one.
fn nothing(n: f64, function: lang::Function) -> Value<'static> {
    use lang::Function::{Count, CountDistinct, CountDistinctEstimate, CountEmpty, SumLen};
    match function {
        Count | CountEmpty | CountDistinct | CountDistinctEstimate | SumLen => Value::Int(0),
        _ => Value::Number(n),
    }
}

/// The values of one group by the starts of their buckets.
struct Series;

type OneSeries = (Vec<Value<'static>>, BTreeMap<i64, Vec<Cell>>);

impl Series {
    /// The groups apart from time: the ones that are largest, the rest as one.
    fn of(groups: Groups, limit: u64, cut: bool) -> Vec<OneSeries> {
        let aggregates = groups.aggregates().to_vec();
        let mut series: Vec<OneSeries> = Vec::new();
        let mut weights: Vec<(f64, u64)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for ((keys, cells), rows) in groups.keys.into_iter().zip(groups.cells).zip(groups.rows) {
            let Some(Value::Time(start)) = keys.first().cloned() else { continue };
            let name = format!("{:?}", &keys[1..]);
            let at = *places.entry(name).or_insert_with(|| {
                series.push((keys[1..].to_vec(), BTreeMap::new()));
                weights.push((0.0, 0));
                series.len() - 1
            });
            weights[at].0 +=
                cells.first().zip(aggregates.first()).and_then(|(cell, one)| cell.weight(one.function)).unwrap_or(0.0);
            weights[at].1 += rows;
            series[at].1.insert(start, cells);
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut order: Vec<usize> = (0..series.len()).collect();
        if cut && order.len() > limit {
            order.sort_by(|a, b| {
                let (a_weight, b_weight) = (weights[*a], weights[*b]);
                let largest = b_weight.0.total_cmp(&a_weight.0).then(b_weight.1.cmp(&a_weight.1));
                largest.then_with(|| compare_keys(&series[*a].0, &series[*b].0))
            });
            let others = order.split_off(limit);
            let mut series: Vec<Option<OneSeries>> = series.into_iter().map(Some).collect();
            let mut kept: Vec<OneSeries> = order.iter().filter_map(|at| series[*at].take()).collect();
            let mut other: Option<OneSeries> = None;
            // A field that has that text itself falls into the same group.
            let is_other = |keys: &[Value<'_>]| {
                keys.iter().all(|key| matches!(key, Value::Text(text) if text == Timechart::OTHER))
            };
            if let Some(at) = kept.iter().position(|(keys, _)| is_other(keys)) {
                other = Some(kept.remove(at));
            }
            for (keys, cells) in others.iter().filter_map(|at| series[*at].take()) {
                let into = other.get_or_insert_with(|| {
                    (keys.iter().map(|_| Value::Text(Timechart::OTHER.into())).collect(), BTreeMap::new())
                });
                for (start, cells) in cells {
                    match into.1.get_mut(&start) {
                        Some(known) => {
                            for ((mine, theirs), one) in known.iter_mut().zip(cells).zip(&aggregates) {
                                mine.absorb(theirs, one.function);
                            }
                        }
                        None => drop(into.1.insert(start, cells)),
                    }
                }
            }
            kept.extend(other);
            kept.sort_by(|a, b| compare_keys(&a.0, &b.0));
            return kept;
        }
        series.sort_by(|a, b| compare_keys(&a.0, &b.0));
        series
    }
}

/// The stage `fill`.
pub(super) struct FillRows {
    fill: Fill,
    buckets: Buckets,
    range: TimeRange,
    rows: Vec<RecordBatch>,
    bytes: usize,
    control: Arc<Control>,
}

/// A group of rows: its keys, and its rows by the starts of their buckets.
type FillGroup = (Vec<Value<'static>>, BTreeMap<i64, usize>);

/// Rows between two looks at the order to stop.
const ROWS_PER_CHECK: usize = 4_096;

impl Operator for FillRows {
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError> {
        self.bytes += cells::bytes(&batch);
        self.rows.push(batch);
        Ok(None)
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }

    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        let batch = cells::unite(&std::mem::take(&mut self.rows))?;
        let table = Table::new(&batch);
        let Some(step_ns) = self.buckets.step_ns else { return Ok(Some(batch)) };
        let keys = self.key_columns(&table);
        let filled = self.filled_columns(&table, &keys);
        let (groups, data) = self.groups(&table, &keys)?;
        let starts = starts(self.range, data, step_ns, self.buckets.offset_ns)?;
        if starts.len().saturating_mul(groups.len()) > FILLED_ROWS_MAX {
            return Err(too_many(starts.len() * groups.len()));
        }
        let names: Vec<String> = batch.schema_ref().fields().iter().map(|field| field.name().clone()).collect();
        let mut columns: Vec<ColumnBuilder> = names.iter().map(|_| ColumnBuilder::default()).collect();
        for (own, rows) in &groups {
            self.control.check()?;
            for (name, column) in names.iter().zip(&mut columns) {
                if *name == self.buckets.time {
                    starts.iter().for_each(|start| column.push(Value::Time(*start)));
                } else if let Some(at) = keys.iter().position(|key| key == name) {
                    starts.iter().for_each(|_| column.push(own[at].clone()));
                } else {
                    let known = |start: &i64| rows.get(start).map_or(Value::Missing, |row| table.value(name, *row));
                    let values: Vec<Value<'_>> = starts.iter().map(known).collect();
                    let fill = filled.contains(name);
                    fill_values(values, self.fill.with, fill).into_iter().for_each(|value| column.push(value));
                }
            }
        }
        let rows = starts.len() * groups.len();
        batch_of_made(names.iter().map(String::as_str).zip(columns), rows).map(Some)
    }
}

/// The first and the last time.
type Span = (i64, i64);

impl FillRows {
    pub(super) fn new(fill: Fill, buckets: Buckets, range: TimeRange, control: &Arc<Control>) -> Self {
        Self { fill, buckets, range, rows: Vec::new(), bytes: 0, control: Arc::clone(control) }
    }

    /// The groups in the order of their keys, and the first and the last time that there are.
    fn groups(&self, table: &Table<'_>, keys: &[String]) -> Result<(Vec<FillGroup>, Option<Span>), ExecError> {
        let mut groups: Vec<FillGroup> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut data: Option<Span> = None;
        for row in 0..table.batch.num_rows() {
            if row % ROWS_PER_CHECK == 0 {
                self.control.check()?;
            }
            let Value::Time(time) = table.value(&self.buckets.time, row) else { continue };
            data = Some(data.map_or((time, time), |(first, last)| (first.min(time), last.max(time))));
            let at = *places.entry(tuple(table, keys, row)).or_insert_with(|| {
                let own = keys.iter().map(|name| table.value(name, row).into_owned()).collect();
                groups.push((own, BTreeMap::new()));
                groups.len() - 1
            });
            groups[at].1.insert(time, row);
        }
        groups.sort_by(|a, b| compare_keys(&a.0, &b.0));
        Ok((groups, data))
    }

    /// The other keys: of a PromQL answer every column but time and value.
    fn key_columns(&self, table: &Table<'_>) -> Vec<String> {
        match &self.buckets.keys {
            Some(keys) => keys.iter().filter(|key| table.column(key).is_some()).cloned().collect(),
            None => {
                let names = table.batch.schema_ref().fields().iter().map(|field| field.name().clone());
                let own =
                    |name: &String| *name != self.buckets.time && name != "value" && !self.fill.fields.contains(name);
                names.filter(|name| own(name) && ![field::ID, field::STREAM].contains(&name.as_str())).collect()
            }
        }
    }

    fn filled_columns(&self, table: &Table<'_>, keys: &[String]) -> Vec<String> {
        if !self.fill.fields.is_empty() {
            return self.fill.fields.clone();
        }
        let number = |name: &String| (0..table.batch.num_rows()).any(|row| table.value(name, row).as_f64().is_some());
        let names = table.batch.schema_ref().fields().iter().map(|field| field.name().clone());
        names.filter(|name| *name != self.buckets.time && !keys.contains(name) && number(name)).collect()
    }
}

/// Values of consecutive buckets with the missing ones filled.
fn fill_values<'a>(mut values: Vec<Value<'a>>, with: FillWith, fill: bool) -> Vec<Value<'a>> {
    if !fill {
        return values;
    }
    match with {
        FillWith::Number(number) => {
            let whole = number.fract() == 0.0 && number.abs() < 9e15;
            let value = if whole { Value::Int(number as i64) } else { Value::Number(number) };
            values.iter_mut().filter(|known| known.is_blank()).for_each(|known| *known = value.clone());
        }
        FillWith::Previous => {
            for at in 1..values.len() {
                if values[at].is_blank() {
                    values[at] = values[at - 1].clone();
                }
            }
        }
        FillWith::Linear => {
            let known: Vec<usize> = (0..values.len()).filter(|at| values[*at].as_f64().is_some()).collect();
            for pair in known.windows(2) {
                let (from, to) = (pair[0], pair[1]);
                let (Some(start), Some(end)) = (values[from].as_f64(), values[to].as_f64()) else { continue };
                for (step, value) in values[from + 1..to].iter_mut().enumerate() {
                    let part = (step + 1) as f64 / (to - from) as f64;
                    *value = Value::Number(start + (end - start) * part);
                }
            }
        }
    }
    values
}
