//! A table as SQL sees it: a scan of a snapshot that is built when its conditions are known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use arrow_schema::SchemaRef;
use column::FieldType;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use lang::Filter;
use model::{TimeRange, Timestamp, field};
use plan::ScanOrder;

use super::pushdown::{Columns, times};
use crate::ExecError;
use crate::control::Control;
use crate::matching::Spec;
use crate::ordered::CANDIDATE_BYTES;
use crate::output::{Column, Output};
use crate::part::Part;
use crate::predicate::compile_at;
use crate::scan::{SnapshotScan, Want};
use crate::source::{Kind, Source};
use crate::translate::SPREAD_FIELDS_MAX;

/// Share of a query's memory that rows may take that wait for their place in the order of times.
const WAITING_SHARE: u64 = 4;

/// What the scans of a query share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) control: Arc<Control>,
    pub(super) now: Timestamp,
    pub(super) regex_bytes_max: usize,
    pub(super) partitions: usize,
    pub(super) memory_bytes_max: u64,
}

/// One table of a query.
pub(super) struct SqlTable {
    key: String,
    source: Arc<Source>,
    range: TimeRange,
    kinds: BTreeMap<String, Kind>,
    output: Output,
    shared: Shared,
}

impl fmt::Debug for SqlTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlTable").field("output", &self.output).finish_non_exhaustive()
    }
}

/// The names of the columns of a table: all of its fields, or, when it has more than can be spread, those that the query may mean.
pub(super) fn column_names(
    source: &Source,
    range: TimeRange,
    mentioned: &BTreeSet<String>,
    wildcard: bool,
) -> Result<Vec<String>, ExecError> {
    let mut fields = source.field_names(range);
    if fields.len() > SPREAD_FIELDS_MAX {
        if wildcard {
            return Err(ExecError::Unsupported {
                message: format!("the rows have {} fields, and * takes {SPREAD_FIELDS_MAX}", fields.len()),
                hint: "name the columns that you need".to_owned(),
            });
        }
        fields.retain(|name| mentioned.contains(name));
    }
    let head = [field::TIME, field::ID, field::STREAM].map(str::to_owned);
    Ok(head.into_iter().chain(fields).collect())
}

impl SqlTable {
    /// A table with these columns. A name that no row has is a column of nulls.
    pub(super) fn new(key: &str, source: Arc<Source>, range: TimeRange, names: &[String], shared: Shared) -> Self {
        let kinds = source.kinds(&names.iter().cloned().collect(), range);
        let kind = |name: &String| kinds.get(name).copied().unwrap_or(Kind::One(FieldType::Str));
        let output = Output::new(names.iter().map(|name| Column::Field(name.clone(), kind(name))).collect());
        Self { key: key.to_owned(), source, range, kinds, output, shared }
    }

    fn columns(&self) -> Columns<'_> {
        Columns { key: &self.key, kinds: &self.kinds, now: self.shared.now }
    }

    /// The scan of the rows for which the conditions hold.
    fn plan(
        &self,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<SnapshotScan, ExecError> {
        let columns = self.columns();
        let mut parts = Vec::with_capacity(filters.len());
        for filter in filters {
            parts.extend(columns.push(filter)?.map(|pushed| pushed.filter));
        }
        let filter = match parts.len() {
            0 => Filter::All,
            1 => parts.remove(0),
            _ => Filter::And(parts),
        };
        let bounds = times(&filter);
        let range = TimeRange { start: self.range.start.max(bounds.start), end: self.range.end.min(bounds.end) };
        let predicate = Arc::new(compile_at(&filter, self.shared.regex_bytes_max, self.shared.now)?);
        let spec = Spec { predicate, range, control: Arc::clone(&self.shared.control) };
        let parts = self.source.parts(range);
        let kept = parts.iter().filter(|part| part.is_segment()).count();
        self.shared.control.add_pruned((self.source.segments.len() - kept) as u64);
        let rows: u64 = parts.iter().map(Part::rows).sum();
        let fetch = limit.map(|limit| limit as u64);
        let few = fetch.is_some_and(|fetch| self.shared.can_wait(fetch.min(rows)));
        // A limit without an order: the newest rows, as everywhere.
        let order = (few && projection.is_none_or(|columns| !columns.is_empty())).then_some(ScanOrder::NewestFirst);
        let output = self.output.project(projection);
        Ok(SnapshotScan::new(spec, output, parts, Want { order, fetch }, self.shared.partitions))
    }
}

impl Shared {
    /// Whether so many rows may wait for their place in the order.
    pub(super) fn can_wait(&self, rows: u64) -> bool {
        rows.saturating_mul(CANDIDATE_BYTES) <= self.memory_bytes_max / WAITING_SHARE
    }
}

#[async_trait::async_trait]
impl TableProvider for SqlTable {
    fn schema(&self) -> SchemaRef {
        self.output.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DfResult<Vec<TableProviderFilterPushDown>> {
        let columns = self.columns();
        let support = |filter: &&Expr| {
            Ok(match columns.push(filter)? {
                None => TableProviderFilterPushDown::Unsupported,
                Some(pushed) if pushed.exact => TableProviderFilterPushDown::Exact,
                Some(_) => TableProviderFilterPushDown::Inexact,
            })
        };
        filters.iter().map(support).collect()
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(self.plan(projection, filters, limit)?))
    }
}
