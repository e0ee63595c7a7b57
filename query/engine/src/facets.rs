//! What the search page asks beside its rows: histogram, fields, values, explanation.
//!
//! All of them look at the rows that a query's source, filter and time match; its pipes play no part.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use column::{FieldCount, FieldType};
use exec::{Control, row_value};
use lang::{Aggregate, Bucket, FieldName, Filter, Function, Group, SortKey, Test};
use model::{TimeRange, Timestamp, Value, field};
use plan::{LogicalPlan, PATTERN_FIELD, Scan};

use crate::engine::{Prepared, exec_options, query_error};
use crate::sources::take_source;
use crate::{
    Engine, FieldInfo, Fields, Histogram, HistogramBucket, Language, QueryError, QueryRequest, QueryResult, ValueCount,
    Values,
};

/// Rows that [`Engine::fields`] looks at: the newest that match.
pub const FIELDS_SAMPLE_ROWS: u64 = 1_000;

/// Most buckets of a histogram.
pub const HISTOGRAM_BUCKETS_MAX: u64 = 2_000;

/// The column that counts; a name that no field has.
const ROWS_COLUMN: &str = "\u{1f}rows";

/// Lengths of buckets that people read easily, in nanoseconds; above a day, whole days.
const STEPS_NS: [i64; 22] = [
    1_000_000,
    10_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
    15_000_000_000,
    30_000_000_000,
    60_000_000_000,
    120_000_000_000,
    300_000_000_000,
    600_000_000_000,
    900_000_000_000,
    1_800_000_000_000,
    3_600_000_000_000,
    7_200_000_000_000,
    10_800_000_000_000,
    21_600_000_000_000,
    43_200_000_000_000,
    86_400_000_000_000,
];

impl Engine {
    /// How the matches spread over time, by severity. `buckets` is how many are wanted at most; their length is a round
    /// one, and they start at multiples of it. Over an open range they cover the times that matches have.
    pub async fn histogram(&self, request: QueryRequest, buckets: u64) -> Result<Histogram, QueryError> {
        let buckets = buckets.clamp(1, HISTOGRAM_BUCKETS_MAX);
        let mut scan = self.scan_of(&request)?;
        scan.range = self.closed_range(&request, &scan).await?;
        let (start, end) = (scan.range.start.0, scan.range.end.0);
        let step_ns = step_for(end.saturating_sub(start), buckets);
        let by = vec![
            Group::Bucket { field: field::TIME.to_owned(), bucket: Bucket::Time { step_ns, offset_ns: 0 } },
            Group::Field(field::SEVERITY.to_owned()),
        ];
        scan.fields = Some(vec![field::TIME.to_owned(), field::SEVERITY.to_owned()]);
        let result = self.rows(&request, counted(scan, by)).await?;
        let mut counts: BTreeMap<i64, BTreeMap<String, u64>> = BTreeMap::new();
        for (batch, row) in rows_of(&result.batches) {
            let Some(start_ns) = time_of(batch, row) else { continue };
            let severity = row_value(batch, row, field::SEVERITY).map(|value| value.text().into_owned());
            counts.entry(start_ns).or_default().insert(severity.unwrap_or_default(), count_of(batch, row));
        }
        let first = start.saturating_sub(start.rem_euclid(step_ns));
        let starts = std::iter::successors(Some(first), |at| at.checked_add(step_ns)).take_while(|at| *at < end);
        let buckets = starts.map(|start_ns| {
            let by_severity = counts.remove(&start_ns).unwrap_or_default();
            HistogramBucket { start_ns, total: by_severity.values().sum(), by_severity }
        });
        Ok(Histogram { start_ns: start, end_ns: end, step_ns, buckets: buckets.collect(), stats: result.stats })
    }

    /// The fields of the matches, the most frequent first: of all of them when the manifest entries tell, else of the newest.
    pub async fn fields(&self, request: QueryRequest) -> Result<Fields, QueryError> {
        let scan = self.scan_of(&request)?;
        if scan.filter == Filter::All
            && let Some(fields) = self.all_fields(&request, &scan).await?
        {
            return Ok(fields);
        }
        let mut sample = request.clone();
        sample.limit = Some(FIELDS_SAMPLE_ROWS.min(self.limits().rows_max));
        let result = self.rows(&sample, LogicalPlan::Scan(scan)).await?;
        let mut fields: BTreeMap<String, (String, u64)> = BTreeMap::new();
        for line in result.json_rows() {
            let serde_json::Value::Object(line) = line else { continue };
            for (name, value) in line {
                let kind = kind_of(&value);
                let known = fields.entry(name).or_insert_with(|| (kind.to_owned(), 0));
                if known.0 != kind {
                    let numbers = [&*known.0, kind].iter().all(|kind| ["int", "double"].contains(kind));
                    known.0 = if numbers { "double" } else { "mixed" }.to_owned();
                }
                known.1 += 1;
            }
        }
        let fields = fields.into_iter().map(|(name, (kind, rows))| FieldInfo { name, kind, rows });
        Ok(Fields {
            fields: most_frequent(fields),
            rows: result.stats.rows_returned,
            sampled: result.stats.limit_reached,
            stats: result.stats,
        })
    }

    /// The fields of all rows of a range; `None` when only the rows tell.
    async fn all_fields(&self, request: &QueryRequest, scan: &Scan) -> Result<Option<Fields>, QueryError> {
        // Counting runs as a query of its own: admission, statistics and damage are those of every other.
        let counted =
            self.rows(request, counted(Scan { fields: Some(Vec::new()), ..scan.clone() }, Vec::new())).await?;
        let (inner, tenant, input, range) =
            (self.inner.clone(), request.tenant.clone(), scan.input.clone(), scan.range);
        let now = request.now;
        let counts = move || {
            Ok(take_source(&inner, &tenant, &input, range, now, &Arc::new(Control::new(true)))?.field_counts(range))
        };
        let taken = self.blocking(counts).await?;
        let Some((counts, rows)) = taken.filter(|_| counted.stats.complete) else { return Ok(None) };
        let built_in = [field::TIME, field::ID, field::STREAM].into_iter().filter(|_| rows > 0);
        let built_in = built_in.map(|name| FieldInfo { name: name.to_owned(), kind: "string".to_owned(), rows });
        let counted_fields = counts.iter().filter(|(_, count)| count.total() > 0).map(|(name, count)| FieldInfo {
            name: name.to_owned(),
            kind: kind_of_count(count).to_owned(),
            rows: count.total(),
        });
        let fields = most_frequent(built_in.chain(counted_fields));
        Ok(Some(Fields { fields, rows, sampled: false, stats: counted.stats }))
    }

    /// Runs something on a blocking thread of the engine.
    pub(crate) async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, QueryError> + Send + 'static,
    ) -> Result<T, QueryError> {
        let done = self.spawn(async move { tokio::task::spawn_blocking(work).await }).await;
        let failed = |error: String| QueryError::Internal { message: error };
        done.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?
    }

    /// The commonest values of a field among the matches; the request's `limit` says how many.
    pub async fn values(&self, request: QueryRequest, name: &str) -> Result<Values, QueryError> {
        let mut scan = self.scan_of(&request)?;
        let has_field = Filter::Field(FieldName::Named(name.to_owned()), Test::Exists);
        scan.filter = match scan.filter {
            Filter::All => has_field,
            filter => Filter::And(vec![filter, has_field]),
        };
        scan.fields = Some(vec![name.to_owned()]);
        let keys = vec![
            SortKey { field: ROWS_COLUMN.to_owned(), descending: true },
            SortKey { field: name.to_owned(), descending: false },
        ];
        let input = Box::new(counted(scan, vec![Group::Field(name.to_owned())]));
        let result = self.rows(&request, LogicalPlan::Sort { input, keys, fetch: None }).await?;
        let values = rows_of(&result.batches).map(|(batch, row)| ValueCount {
            value: row_value(batch, row, name).map(|value| value.text().into_owned()).unwrap_or_default(),
            rows: count_of(batch, row),
        });
        Ok(Values { values: values.collect(), limit_reached: result.stats.limit_reached, stats: result.stats })
    }

    /// The columns of the rows of a query that shows rows of a table as they are, of all of them: the built-in ones first. `None`
    /// when its pipes say what the columns are.
    pub async fn record_columns(&self, request: &QueryRequest) -> Result<Option<Vec<String>>, QueryError> {
        if request.language == Language::Sql {
            return Ok(None);
        }
        let plan = self.prepare(request)?.plan;
        if !keeps_records(&plan) {
            return Ok(None);
        }
        let scan = plan.scan().clone();
        let (inner, tenant, now) = (self.inner.clone(), request.tenant.clone(), request.now);
        let counts = move || {
            let source = take_source(&inner, &tenant, &scan.input, scan.range, now, &Arc::new(Control::new(true)))?;
            Ok(source.names(scan.range))
        };
        let head = [field::TIME, field::ID, field::STREAM, field::SEVERITY, field::BODY];
        let rest = self.blocking(counts).await?.into_iter().filter(|name| !head.contains(&name.as_str()));
        Ok(Some(head.iter().map(|name| (*name).to_owned()).chain(rest).collect()))
    }

    /// How a query would run: its plan, its operators, and what each segment's index says. A text that begins with
    /// `explain analyze` is run, and the answer is [`Self::explain_analyze`]'s.
    pub async fn explain(&self, mut request: QueryRequest) -> Result<String, QueryError> {
        if request.language == Language::Sql {
            return self.explain_sql(request, false).await;
        }
        if let Some(text) = analyzed_text(&request.text) {
            request.text = text.to_owned();
            return self.explain_analyze(request).await;
        }
        self.explain_only(request).await
    }

    pub(crate) async fn explain_only(&self, request: QueryRequest) -> Result<String, QueryError> {
        let plan = self.explained_plan(&request).await?;
        let engine = self.clone();
        let task = self.spawn(async move {
            let inner = engine.inner.clone();
            let (input, range) = (plan.scan().input.clone(), plan.scan().range);
            let take =
                move || take_source(&inner, &request.tenant, &input, range, request.now, &Arc::new(Control::new(true)));
            let taken = tokio::task::spawn_blocking(take).await;
            let taken = taken.map_err(|error| QueryError::Internal { message: error.to_string() })??;
            let options = exec_options(engine.limits());
            let operators = exec::explain(&plan, taken, &options, &engine.inner.budget, request.now).await;
            let operators = operators.map_err(|error| query_error(error, engine.limits()))?;
            Ok(format!("{}\n{operators}", plan::explain(&plan).trim_end()))
        });
        task.await.map_err(|error| QueryError::Internal { message: error.to_string() })?
    }

    /// What [`Self::explain`] says, and then, after running the query and throwing its rows away, what its stages did: parts,
    /// pages, rows and bytes that each left out or read, and how long it took.
    pub async fn explain_analyze(&self, request: QueryRequest) -> Result<String, QueryError> {
        if request.language == Language::Sql {
            return self.explain_sql(request, true).await;
        }
        let explained = self.explain_only(request.clone()).await?;
        let prepared = self.resolved(&request, self.prepare(&request)?).await?;
        let mut stream = self.start(request, prepared).await?;
        let control = stream.control();
        while let Some(batch) = stream.next_batch().await {
            batch?;
        }
        let no_end = || QueryError::Internal { message: "it ended without statistics".to_owned() };
        let stats = stream.stats().ok_or_else(no_end)?;
        let matched = stats.rows_matched.map_or("at least as many as returned".to_owned(), |rows| rows.to_string());
        Ok(format!(
            "{}\nran {} ms, {} rows returned, {matched} matched\nsegments: {} in all, {} left out, {} read\n\
             columns: {} pages of {} bytes read, {} rows looked at, {} bytes decoded\n{}{}",
            explained.trim_end(),
            stats.elapsed_ms,
            stats.rows_returned,
            stats.segments_total,
            stats.segments_pruned,
            stats.segments_scanned,
            control.pages_read().pages,
            control.pages_read().bytes,
            stats.rows_scanned,
            stats.bytes_read,
            control.profile().text(),
            stats.warnings.iter().map(|line| format!("{line}\n")).collect::<String>(),
        ))
    }

    async fn explained_plan(&self, request: &QueryRequest) -> Result<LogicalPlan, QueryError> {
        let Prepared { plan, .. } = self.resolved(request, self.prepare(request)?).await?;
        Ok(match request.limit {
            Some(limit) => plan.with_limit(limit),
            None => plan,
        })
    }

    /// What the query of a request reads: its source, filter and time.
    fn scan_of(&self, request: &QueryRequest) -> Result<Scan, QueryError> {
        let plan = self.prepare(request)?.plan;
        let mut whole = true;
        plan.each_filter(&mut |filter| {
            whole &=
                plan::filter_fields(filter).is_none_or(|names| !names.contains(PATTERN_FIELD)) && !has_query(filter);
        });
        if !whole {
            return Err(QueryError::Unsupported {
                message: "a filter of `_pattern`, or of another query's values, is answered by rows only".to_owned(),
                hint: "ask for `| stats by (_time:1m) count()` instead".to_owned(),
            });
        }
        let scan = plan.scan().clone();
        let order = Some(plan::ScanOrder::NewestFirst);
        Ok(Scan { fields: None, order, fetch: None, ..scan })
    }

    /// The range of a request, its open ends replaced by the times that matches have.
    pub async fn range_of(&self, request: &QueryRequest) -> Result<TimeRange, QueryError> {
        let scan = self.scan_of(request)?;
        self.closed_range(request, &scan).await
    }

    /// The range of a scan, its open ends replaced by the times that matches have.
    pub(crate) async fn closed_range(&self, request: &QueryRequest, scan: &Scan) -> Result<TimeRange, QueryError> {
        let range = scan.range;
        if range.start != TimeRange::ALL.start && range.end != TimeRange::ALL.end {
            return Ok(range);
        }
        let first = self.end_of(request, scan, plan::ScanOrder::OldestFirst).await?.unwrap_or(request.now);
        let last = self.end_of(request, scan, plan::ScanOrder::NewestFirst).await?.unwrap_or(request.now);
        let start = if range.start == TimeRange::ALL.start { first } else { range.start };
        Ok(TimeRange::new(start, if range.end == TimeRange::ALL.end { last.saturating_add_ns(1) } else { range.end }))
    }

    /// The time of the first match in an order.
    async fn end_of(
        &self,
        request: &QueryRequest,
        scan: &Scan,
        order: plan::ScanOrder,
    ) -> Result<Option<Timestamp>, QueryError> {
        let fields = Some(vec![field::TIME.to_owned()]);
        let scan = Scan { fields, order: Some(order), fetch: Some(1), ..scan.clone() };
        let mut one = request.clone();
        one.limit = None;
        let result = self.rows(&one, LogicalPlan::Scan(scan)).await?;
        Ok(rows_of(&result.batches).next().and_then(|(batch, row)| time_of(batch, row)).map(Timestamp))
    }

    /// All rows of a plan made here.
    async fn rows(&self, request: &QueryRequest, plan: LogicalPlan) -> Result<QueryResult, QueryError> {
        let prepared = Prepared { plan, warnings: Vec::new(), explain: false };
        self.start(request.clone(), prepared).await?.collect_all().await
    }
}

/// Whether a filter asks for values of another query.
fn has_query(filter: &Filter) -> bool {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().any(has_query),
        Filter::Not(inner) => has_query(inner),
        Filter::Field(_, Test::InQuery(_)) => true,
        _ => false,
    }
}

/// Whether a plan shows whole rows of a table.
fn keeps_records(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan(scan) => scan.fields.is_none() && scan.input.table().is_some(),
        LogicalPlan::Filter { input, .. } | LogicalPlan::Limit { input, .. } => keeps_records(input),
        _ => false,
    }
}

/// What is to be run of a text that asks for `explain analyze`.
fn analyzed_text(text: &str) -> Option<&str> {
    let rest = text.trim_start().strip_prefix("explain")?;
    rest.trim_start().strip_prefix("analyze").filter(|rest| rest.starts_with(char::is_whitespace))
}

fn most_frequent(fields: impl Iterator<Item = FieldInfo>) -> Vec<FieldInfo> {
    let mut fields: Vec<FieldInfo> = fields.collect();
    fields.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.name.cmp(&b.name)));
    fields
}

/// The kind of a field by the types of its values.
fn kind_of_count(count: &FieldCount) -> &'static str {
    let types: Vec<FieldType> =
        FieldType::ALL.into_iter().zip(count.scalars).filter(|(_, rows)| *rows > 0).map(|(ty, _)| ty).collect();
    match &types[..] {
        _ if count.others > 0 => "mixed",
        [FieldType::Str] => "string",
        [FieldType::Bool] => "bool",
        [FieldType::Int] => "int",
        types if types.iter().all(|ty| matches!(ty, FieldType::Int | FieldType::Double)) => "double",
        _ => "mixed",
    }
}

fn counted(scan: Scan, by: Vec<Group>) -> LogicalPlan {
    let count = Aggregate { function: Function::Count, fields: Vec::new(), filter: None, name: ROWS_COLUMN.to_owned() };
    let input = Box::new(LogicalPlan::Scan(Scan { order: None, ..scan }));
    LogicalPlan::Aggregate { input, by, aggregates: vec![count] }
}

fn rows_of(batches: &[RecordBatch]) -> impl Iterator<Item = (&RecordBatch, usize)> {
    batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |row| (batch, row)))
}

fn count_of(batch: &RecordBatch, row: usize) -> u64 {
    match row_value(batch, row, ROWS_COLUMN) {
        Some(Value::Int(rows)) => rows.unsigned_abs(),
        _ => 0,
    }
}

fn time_of(batch: &RecordBatch, row: usize) -> Option<i64> {
    match row_value(batch, row, field::TIME)? {
        Value::Str(text) => Timestamp::parse(&text, Timestamp(0)).ok().map(|time| time.0),
        _ => None,
    }
}

/// The smallest round length of which so many buckets cover the range.
fn step_for(range_ns: i64, buckets: u64) -> i64 {
    let buckets = i64::try_from(buckets).unwrap_or(i64::MAX).max(1);
    let least = range_ns.max(1) / buckets + 1;
    let round = STEPS_NS.into_iter().find(|step| *step >= least);
    let day = STEPS_NS[STEPS_NS.len() - 1];
    round.unwrap_or_else(|| (least / day + 1).saturating_mul(day))
}

fn kind_of(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::String(_) => "string",
        serde_json::Value::Bool(_) => "bool",
        serde_json::Value::Number(number) if number.is_f64() => "double",
        serde_json::Value::Number(_) => "int",
        _ => "mixed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_enough() {
        let hour = 3_600_000_000_000;
        assert_eq!(step_for(hour, 60), 120_000_000_000);
        assert_eq!(step_for(hour, 100), 60_000_000_000);
        assert_eq!(step_for(0, 10), 1_000_000);
        assert_eq!(step_for(24 * hour * 1_000, 100), 11 * 24 * hour);
    }
}
