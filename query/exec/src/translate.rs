//! Logical plans to DataFusion's.
//!
//! Each operator of ours becomes one or two of DataFusion's over columns with known names and types. Types of results
//! depend on the function, and for `min`, `max`, `first`, `last` on the field's type over the whole snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use compute::Program;
use datafusion::common::{Column as DfColumn, ScalarValue};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::expr::Sort;
use datafusion::logical_expr::{Expr, LogicalPlan as DfPlan, LogicalPlanBuilder, lit};
use lang::{Expr as MathExpr, Filter, Function, Kind, SortKey};
use model::{TimeRange, Timestamp, field};
use plan::{LogicalPlan, Scan, ScanOrder};

use crate::ExecError;
use crate::control::Control;
use crate::functions::{RowFunction, kind_of, type_of};
use crate::matching::Spec;
use crate::ordered::CANDIDATE_BYTES;
use crate::output::{Column, Output, RECORD_COLUMN};
use crate::part::Part;
use crate::predicate::{Predicate, compile_at};
use crate::scan::{SnapshotTable, Want};
use crate::source::Source;

/// Share of a query's memory that rows may take that wait for their place in the order; when more could wait, DataFusion
/// sorts, and spills when it must.
const WAITING_SHARE: u64 = 4;

/// Most fields that whole records are spread over when pipes change their columns.
pub(crate) const SPREAD_FIELDS_MAX: usize = 2_048;

/// The columns of a whole record that are columns of the result too.
const RECORD_HEAD: [&str; 3] = [field::TIME, field::ID, field::STREAM];

/// A plan under construction: DataFusion's plan, and what is known of its rows.
pub(crate) struct Node {
    pub(crate) builder: LogicalPlanBuilder,
    /// Names and types, in order.
    pub(crate) columns: Vec<(String, DataType)>,
    /// An order that makes results repeatable: used under limits, and to break ties of sorts.
    pub(crate) tie_break: Vec<Sort>,
    /// Whether the rows are in an order already.
    pub(crate) ordered: bool,
}

/// What all steps of a translation share.
pub(crate) struct Translator<'a> {
    pub(crate) source: &'a Source,
    pub(crate) range: TimeRange,
    pub(crate) regex_bytes_max: usize,
    pub(crate) partitions: usize,
    pub(crate) memory_bytes_max: u64,
    /// When the query was asked.
    pub(crate) now: Timestamp,
    pub(crate) control: &'a Arc<Control>,
    /// Groups that were computed already, in place of the operator that they are the answer of.
    pub(crate) grouped: Option<(&'a LogicalPlan, RecordBatch)>,
}

/// A scan that is ready to run, and how it is used.
pub(crate) struct Leaf {
    pub(crate) spec: Spec,
    pub(crate) output: Output,
    pub(crate) parts: Vec<Part>,
    pub(crate) want: Want,
    /// Names and types of the columns.
    pub(crate) names: Vec<(String, DataType)>,
    /// What has to be sorted above it, because the scan does not come in order.
    sorted_above: Option<(ScanOrder, Option<u64>)>,
}

/// A column by its name, taken as it is.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(DfColumn::from_name(name))
}

impl Node {
    pub(crate) fn data_type(&self, name: &str) -> Option<&DataType> {
        self.columns.iter().find(|(known, _)| known == name).map(|(_, ty)| ty)
    }

    /// A column, or nulls when there is none of the name.
    pub(crate) fn value(&self, name: &str) -> Expr {
        match self.data_type(name) {
            Some(_) => column(name),
            None => lit(ScalarValue::Utf8(None)),
        }
    }

    /// Keeps the columns for which the test holds.
    fn select(self, names: &[(String, DataType)]) -> Result<Self, ExecError> {
        let exprs: Vec<Expr> = names
            .iter()
            .map(|(name, _)| match self.data_type(name) {
                Some(_) => column(name),
                None => lit(ScalarValue::Utf8(None)).alias(name),
            })
            .collect();
        self.project(exprs, names.to_vec())
    }

    /// Computes other columns. Ties are broken only by columns that stay.
    pub(crate) fn project(self, exprs: Vec<Expr>, columns: Vec<(String, DataType)>) -> Result<Self, ExecError> {
        let builder = self.builder.project(exprs)?;
        let stays = |sort: &Sort| match &sort.expr {
            Expr::Column(kept) => columns.iter().any(|(name, _)| *name == kept.name),
            _ => false,
        };
        let tie_break = self.tie_break.into_iter().filter(stays).collect();
        Ok(Self { builder, columns, tie_break, ordered: self.ordered })
    }

    /// Puts rows without an order into the repeatable one.
    pub(crate) fn settle(self, fetch: Option<u64>) -> Result<Self, ExecError> {
        if self.ordered || self.tie_break.is_empty() {
            return Ok(self);
        }
        let builder = self.builder.sort_with_limit(self.tie_break.clone(), fetch.map(to_usize))?;
        Ok(Self { builder, ordered: true, ..self })
    }
}

impl Translator<'_> {
    /// Translates a whole plan.
    pub(crate) fn run(&self, plan: &LogicalPlan) -> Result<DfPlan, ExecError> {
        let records = keeps_records(plan);
        let mut node = self.node(plan, plan, records)?;
        if has_aggregate(plan) {
            node = node.settle(None)?;
        }
        if records {
            let names = RECORD_HEAD.iter().copied().chain([RECORD_COLUMN]);
            let columns =
                names.filter_map(|name| Some((name.to_owned(), node.data_type(name)?.clone()))).collect::<Vec<_>>();
            node = node.select(&columns)?;
        }
        Ok(node.builder.build()?)
    }

    fn node(&self, plan: &LogicalPlan, root: &LogicalPlan, records: bool) -> Result<Node, ExecError> {
        if let Some((at, batch)) = &self.grouped
            && std::ptr::eq(*at, plan)
        {
            return grouped_node(plan, batch);
        }
        let input = match plan.input() {
            Some(input) => self.node(input, root, records)?,
            None => return self.scan(root, records),
        };
        match plan {
            LogicalPlan::Scan(_) => Ok(input),
            LogicalPlan::Filter { predicate, .. } => self.filter(input, predicate),
            LogicalPlan::Aggregate { by, aggregates, .. } => self.aggregate(input, by, aggregates),
            LogicalPlan::Sort { keys, fetch, .. } => sort(input, keys, *fetch),
            LogicalPlan::Limit { offset, fetch, .. } => {
                let needed = fetch.map(|fetch| fetch.saturating_add(*offset));
                let node = input.settle(needed)?;
                let builder = node.builder.limit(to_usize(*offset), fetch.map(to_usize))?;
                Ok(Node { builder, ..node })
            }
            LogicalPlan::Project { fields, .. } => {
                let columns = expand(&input.columns, fields);
                input.select(&columns)
            }
            LogicalPlan::Drop { fields, .. } => {
                let dropped = expand(&input.columns, fields);
                let mut columns = input.columns.clone();
                columns.retain(|column| !dropped.contains(column));
                input.select(&columns)
            }
            LogicalPlan::Rename { renames, .. } => rename(input, renames),
            LogicalPlan::Eval { columns, .. } => {
                columns.iter().try_fold(input, |node, (name, expr)| eval(node, name, expr, self.now))
            }
            // Plans with stages are cut where these begin.
            LogicalPlan::Stage { .. } => {
                Err(ExecError::Internal { message: "a stage is no operator of tables".to_owned() })
            }
        }
    }

    fn scan(&self, root: &LogicalPlan, records: bool) -> Result<Node, ExecError> {
        let Leaf { spec, output, parts, want, names, sorted_above } = self.leaf(root, records)?;
        let tie_break = newest_first(&names);
        let ordered = want.order.is_some();
        let table = SnapshotTable { spec, output, parts, want, partitions: self.partitions };
        let builder = LogicalPlanBuilder::scan("snapshot", provider_as_source(Arc::new(table)), None)?;
        let node = Node { builder, columns: names, tie_break, ordered };
        let Some((order, fetch)) = sorted_above else { return Ok(node) };
        if node.tie_break.is_empty() {
            return Ok(node);
        }
        let flip = order == ScanOrder::OldestFirst;
        let keys = node.tie_break.iter().map(|sort| Sort { asc: sort.asc ^ flip, ..sort.clone() }).collect::<Vec<_>>();
        let builder = node.builder.sort_with_limit(keys, fetch.map(to_usize))?;
        Ok(Node { builder, ordered: true, ..node })
    }

    /// The scan of a plan.
    pub(crate) fn leaf(&self, root: &LogicalPlan, records: bool) -> Result<Leaf, ExecError> {
        let scan = root.scan();
        let columns = if records { self.record_columns(root) } else { self.field_columns(scan, root)? };
        let output = Output::new(columns);
        let spec = self.spec(scan)?;
        let parts = self.parts();
        let mut want = Want { order: scan.order, fetch: scan.fetch };
        let names: Vec<(String, DataType)> =
            output.schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
        if want.order.is_none() && want.fetch.is_some() && !has_aggregate(root) {
            want.order = Some(ScanOrder::NewestFirst);
        }
        let rows: u64 = parts.iter().map(Part::rows).sum();
        let waiting = want.fetch.unwrap_or(u64::MAX).min(rows).saturating_mul(CANDIDATE_BYTES);
        let in_order = want.order.is_some() && waiting <= self.memory_bytes_max / WAITING_SHARE;
        let sorted_above = if in_order { None } else { want.order.take().map(|order| (order, want.fetch.take())) };
        Ok(Leaf { spec, output, parts, want, names, sorted_above })
    }

    /// What a scan looks for.
    pub(crate) fn spec(&self, scan: &Scan) -> Result<Spec, ExecError> {
        let predicate = Arc::new(compile_at(&scan.filter, self.regex_bytes_max, self.now)?);
        Ok(Spec { predicate, range: self.range, control: Arc::clone(self.control) })
    }

    /// The parts that the range touches; the others are counted as left out.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let parts = self.source.parts(self.range);
        let kept = parts.iter().filter(|part| part.is_segment()).count();
        self.control.add_pruned((self.source.segments.len() - kept) as u64);
        parts
    }

    /// The columns of whole records, and the fields that pipes above them look at.
    fn record_columns(&self, plan: &LogicalPlan) -> Vec<Column> {
        let mut looked_at: BTreeSet<String> = BTreeSet::new();
        let mut at = Some(plan);
        while let Some(operator) = at {
            match operator {
                LogicalPlan::Sort { keys, .. } => looked_at.extend(keys.iter().map(|key| key.field.clone())),
                LogicalPlan::Filter { predicate, .. } => {
                    looked_at.extend(plan::filter_fields(predicate).into_iter().flatten());
                }
                _ => {}
            }
            at = operator.input();
        }
        looked_at.extend(RECORD_HEAD.map(str::to_owned));
        let kinds = self.source.kinds(&looked_at, self.range);
        let head = RECORD_HEAD.iter().map(|name| (*name).to_owned());
        let rest = looked_at.iter().filter(|name| !RECORD_HEAD.contains(&name.as_str())).cloned();
        let fields = head.chain(rest).map(|name| Column::Field(name.clone(), kinds[&name]));
        fields.chain([Column::Record]).collect()
    }

    /// The columns of the fields that pipes read; of every field for `None`.
    fn field_columns(&self, scan: &Scan, root: &LogicalPlan) -> Result<Vec<Column>, ExecError> {
        let known = || {
            let names = self.source.field_names(self.range);
            RECORD_HEAD.iter().map(|name| (*name).to_owned()).chain(names)
        };
        let mut names: Vec<String> = match scan.fields.as_deref() {
            None => known().collect(),
            Some(fields) if fields.iter().any(|name| name.ends_with('*')) => {
                let all: Vec<(String, DataType)> = known().map(|name| (name, DataType::Null)).collect();
                expand(&all, fields).into_iter().map(|(name, _)| name).collect()
            }
            Some(fields) => fields.to_vec(),
        };
        // What sorts by time, here, to break ties, or inside `first` and `last`, reads the time; a later projection drops it.
        if scan.order.is_some() || compares_times(root) || sorts_rows(root) {
            let keys = [field::TIME, field::ID].into_iter().filter(|key| !names.iter().any(|name| name == key));
            names.extend(keys.map(str::to_owned).collect::<Vec<_>>());
        }
        if names.len() > SPREAD_FIELDS_MAX {
            return Err(ExecError::Unsupported {
                message: format!(
                    "the rows have {} fields, and pipes that change columns take {SPREAD_FIELDS_MAX}",
                    names.len()
                ),
                hint: "name the fields that you need with `fields` as the first pipe".to_owned(),
            });
        }
        let kinds = self.source.kinds(&names.iter().cloned().collect(), self.range);
        Ok(names.into_iter().map(|name| Column::Field(name.clone(), kinds[&name])).collect())
    }

    fn filter(&self, input: Node, predicate: &Filter) -> Result<Node, ExecError> {
        let holds = self.holds(&input, predicate)?;
        let builder = input.builder.filter(holds)?;
        Ok(Node { builder, ..input })
    }

    /// Whether a filter holds for a row of the input, as an expression.
    pub(crate) fn holds(&self, input: &Node, filter: &Filter) -> Result<Expr, ExecError> {
        let predicate = compile_at(filter, self.regex_bytes_max, self.now)?;
        let mut names: Vec<String> = match predicate.fields() {
            Some(fields) => fields.into_iter().filter(|name| input.data_type(name).is_some()).collect(),
            None => input.columns.iter().map(|(name, _)| name.clone()).collect(),
        };
        match predicate {
            Predicate::All => return Ok(lit(true)),
            Predicate::Nothing => return Ok(lit(false)),
            _ => {}
        }
        let mut args: Vec<Expr> = names.iter().map(|name| column(name)).collect();
        if args.is_empty() {
            // A filter of fields that no row has still needs rows to be asked about.
            names.push(String::new());
            args.push(lit(ScalarValue::Utf8(None)));
        }
        let control = self.control.clone();
        Ok(RowFunction::Filter { predicate: Arc::new(predicate), names, control }.call(args))
    }
}

impl Leaf {
    /// Whether its rows come in the order that the plan asks for.
    pub(crate) fn is_in_order(&self) -> bool {
        self.sorted_above.is_none() && self.want.order.is_some()
    }
}

/// Groups that were computed before, as an operator.
fn grouped_node(plan: &LogicalPlan, batch: &RecordBatch) -> Result<Node, ExecError> {
    let LogicalPlan::Aggregate { by, .. } = plan else {
        return Err(ExecError::Internal { message: "groups in place of no grouping".to_owned() });
    };
    let columns: Vec<(String, DataType)> =
        batch.schema_ref().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
    let tie_break = columns[..by.len()].iter().map(|(name, _)| column(name).sort(true, false)).collect();
    let table = MemTable::try_new(batch.schema(), vec![vec![batch.clone()]])?;
    let builder = LogicalPlanBuilder::scan("groups", provider_as_source(Arc::new(table)), None)?;
    Ok(Node { builder, columns, tie_break, ordered: by.is_empty() })
}

pub(crate) fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

/// Whether the result has whole records: none was asked to be cut or changed.
pub(crate) fn keeps_records(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan(scan) => scan.fields.is_none(),
        LogicalPlan::Filter { input, predicate } => plan::filter_fields(predicate).is_some() && keeps_records(input),
        LogicalPlan::Sort { input, .. } | LogicalPlan::Limit { input, .. } => keeps_records(input),
        _ => false,
    }
}

fn has_aggregate(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Aggregate { .. }) || plan.input().is_some_and(has_aggregate)
}

/// Whether some aggregate takes the value of the oldest or newest row.
fn compares_times(plan: &LogicalPlan) -> bool {
    let here = match plan {
        LogicalPlan::Aggregate { aggregates, .. } => {
            aggregates.iter().any(|aggregate| matches!(aggregate.function, Function::First | Function::Last))
        }
        _ => false,
    };
    here || plan.input().is_some_and(compares_times)
}

/// Whether rows of the scan are sorted, not rows that were computed by grouping.
fn sorts_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Sort { input, .. } if !has_aggregate(input) => true,
        _ => plan.input().is_some_and(sorts_rows),
    }
}

/// Newest first, by the columns that there are.
fn newest_first(columns: &[(String, DataType)]) -> Vec<Sort> {
    let keys = [field::TIME, field::ID].into_iter().filter(|key| columns.iter().any(|(name, _)| name == key));
    keys.map(|key| column(key).sort(false, false)).collect()
}

/// The columns that names and patterns such as `app*` stand for, in the order of the names; a name that no column has stays,
/// as a column of nulls.
pub(crate) fn expand(columns: &[(String, DataType)], names: &[String]) -> Vec<(String, DataType)> {
    let mut out: Vec<(String, DataType)> = Vec::new();
    for name in names {
        let found: Vec<(String, DataType)> = match name.strip_suffix('*') {
            Some(start) => columns.iter().filter(|(known, _)| known.starts_with(start)).cloned().collect(),
            None => match columns.iter().find(|(known, _)| known == name) {
                Some(column) => vec![column.clone()],
                None => vec![(name.clone(), DataType::Utf8)],
            },
        };
        for column in found {
            if !out.iter().any(|(known, _)| *known == column.0) {
                out.push(column);
            }
        }
    }
    out
}

fn sort(input: Node, keys: &[SortKey], fetch: Option<u64>) -> Result<Node, ExecError> {
    let mut sorts = Vec::new();
    for key in keys {
        match input.data_type(&key.field) {
            None => {}
            Some(DataType::Utf8 | DataType::List(_)) => {
                let value = column(&key.field);
                sorts.push(RowFunction::IsMissing.call(vec![value.clone()]).sort(true, false));
                sorts.push(RowFunction::Number.call(vec![value.clone()]).sort(!key.descending, false));
                sorts.push(RowFunction::Text.call(vec![value]).sort(!key.descending, false));
            }
            Some(_) => sorts.push(column(&key.field).sort(!key.descending, false)),
        }
    }
    sorts.extend(input.tie_break.iter().cloned());
    if sorts.is_empty() {
        return Ok(input);
    }
    let builder = input.builder.sort_with_limit(sorts, fetch.map(to_usize))?;
    Ok(Node { builder, ordered: true, ..input })
}

fn rename(input: Node, renames: &[(String, String)]) -> Result<Node, ExecError> {
    renames.iter().try_fold(input, |node, (from, to)| {
        if from == to || node.data_type(from).is_none() {
            return Ok(node);
        }
        let kept: Vec<(String, DataType)> = node.columns.iter().filter(|(name, _)| name != to).cloned().collect();
        let exprs =
            kept.iter().map(|(name, _)| if name == from { column(name).alias(to) } else { column(name) }).collect();
        let renamed = |(name, ty): (String, DataType)| (if name == *from { to.clone() } else { name }, ty);
        let columns = kept.into_iter().map(renamed).collect();
        node.project(exprs, columns)
    })
}

fn eval(input: Node, name: &str, expr: &MathExpr, now: Timestamp) -> Result<Node, ExecError> {
    let names: Vec<String> = expr.fields().into_iter().filter(|name| input.data_type(name).is_some()).collect();
    let program = Program::new(expr, &names, now);
    let program = program.map_err(|error| crate::stages::unsupported(error.message, error.hint))?;
    let kind = |at: usize| names.get(at).and_then(|name| input.data_type(name)).map_or(Kind::Any, kind_of);
    let ty = type_of(program.kind(&kind));
    let mut args: Vec<Expr> = names.iter().map(|name| column(name)).collect();
    if args.is_empty() {
        args.push(lit(ScalarValue::Utf8(None)));
    }
    let value = RowFunction::Compute { program: Arc::new(program), ty: ty.clone() }.call(args).alias(name);
    let mut columns: Vec<(String, DataType)> =
        input.columns.iter().filter(|(known, _)| known != name).cloned().collect();
    let mut exprs: Vec<Expr> = columns.iter().map(|(name, _)| column(name)).collect();
    exprs.push(value);
    columns.push((name.to_owned(), ty));
    input.project(exprs, columns)
}
