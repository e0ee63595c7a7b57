//! SQL over the same tables: one `SELECT`, read and checked here, planned and run by DataFusion over our scans.
//!
//! `statement` reads the text and refuses everything that is more than reading; `functions` is the list of what may be called;
//! `table` is a snapshot as DataFusion sees one, with the conditions that indexes can answer taken down into the scan (`pushdown`)
//! and the newest rows first without reading the others (`order`). Memory, spilling, cancellation and damaged segments are those of
//! every query.
//!
//! Names of columns are names of fields as they are, dots and case included: `service.name` needs no quotes. A field that no row has
//! is null, with a warning.

mod context;
mod errors;
mod functions;
mod order;
mod pushdown;
mod size;
mod statement;
mod table;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::temporal_conversions::timestamp_ns_to_datetime;
use arrow_schema::DataType;
use datafusion::common::{Column as DfColumn, ScalarValue, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::logical_expr::{Expr, LogicalPlan as DfPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::display::DisplayableExecutionPlan;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use futures::StreamExt as _;
use lang::Diagnostic;
use model::{TimeRange, Timestamp};

use self::context::Context;
pub use self::errors::SqlError;
pub use self::functions::sql_functions;
use self::order::NewestFirst;
pub use self::statement::{SQL_DEPTH_MAX, SQL_NESTED_MAX, SQL_OPERATORS_MAX, SQL_TABLES_MAX, Sql, SqlInput};
use self::table::{Shared, SqlTable, column_names};
use crate::ExecError;
use crate::control::Control;
use crate::memory::{Budget, QueryPool};
use crate::output::ID_KEY;
use crate::run::{ExecOptions, ExecStream, session};
use crate::source::Source;
use crate::translate::to_usize;

/// Fields that no row has, and that a query may name all the same: each costs planning it again.
pub const SQL_UNKNOWN_FIELDS_MAX: usize = 100;

/// Largest expression of one column when the queries in FROM that it is made of are written out.
pub const SQL_EXPRESSION_PARTS_MAX: u64 = 20_000;

/// What a query in SQL runs with.
#[derive(Debug)]
pub struct SqlRun {
    /// The data of each of [`Sql::inputs`], in their order.
    pub sources: Vec<Source>,
    /// Which times count.
    pub range: TimeRange,
    /// Most rows.
    pub limit: Option<u64>,
    /// What `now()` is.
    pub now: Timestamp,
    /// What it may use.
    pub options: ExecOptions,
    /// What all queries together may hold.
    pub budget: Arc<Budget>,
    /// Stops it and counts what it does.
    pub control: Arc<Control>,
}

/// A query that was planned.
struct Planned {
    state: SessionState,
    logical: DfPlan,
    physical: Arc<dyn ExecutionPlan>,
    control: Arc<Control>,
    warnings: Vec<String>,
}

/// Runs a query in SQL: its rows, and what a person should know of it. Must be called and polled on the threads that queries
/// compute on.
pub async fn sql_stream(sql: Arc<Sql>, run: SqlRun) -> Result<(ExecStream, Vec<String>), SqlError> {
    let planned = planned(sql, run).await?;
    let stream = execute_stream(planned.physical, planned.state.task_ctx()).map_err(ExecError::from)?;
    Ok((ExecStream::of_sql(stream, planned.control), planned.warnings))
}

/// How a query in SQL would run: the plan and the operators; with `analyze`, after running it, with what each operator did.
pub async fn sql_explain(sql: Arc<Sql>, run: SqlRun, analyze: bool) -> Result<String, SqlError> {
    let Planned { state, logical, physical, control, warnings } = planned(sql, run).await?;
    let mut out = format!("{}\n", logical.display_indent());
    if analyze {
        let mut stream = execute_stream(Arc::clone(&physical), state.task_ctx()).map_err(ExecError::from)?;
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            rows += batch.map_err(|error| ExecError::of_sql(&error))?.num_rows();
        }
        out.push_str(&DisplayableExecutionPlan::with_metrics(physical.as_ref()).indent(false).to_string());
        out.push_str(&format!("{rows} rows\n{}", control.profile().text()));
    } else {
        out.push_str(&displayable(physical.as_ref()).indent(false).to_string());
    }
    warnings.iter().for_each(|line| out.push_str(&format!("{line}\n")));
    Ok(out)
}

/// Plans on a blocking thread: whoever waits can stop waiting meanwhile.
async fn planned(sql: Arc<Sql>, run: SqlRun) -> Result<Planned, SqlError> {
    let runtime = tokio::runtime::Handle::current();
    let planned = tokio::task::spawn_blocking(move || runtime.block_on(plan(&sql, run))).await;
    planned.map_err(|error| ExecError::Internal { message: error.to_string() })?
}

async fn plan(sql: &Sql, run: SqlRun) -> Result<Planned, SqlError> {
    let SqlRun { sources, range, limit, now, options, budget, control } = run;
    for (segment, message) in sources.iter().flat_map(|source| &source.damaged) {
        control.damaged(ExecError::Segment { segment: segment.clone(), message: message.clone(), corrupt: false })?;
    }
    let pool: Arc<dyn MemoryPool> = Arc::new(QueryPool::new(options.memory_bytes_max, budget, Arc::clone(&control)));
    let shared = Shared {
        control: Arc::clone(&control),
        now,
        regex_bytes_max: options.regex_size_bytes_max,
        partitions: options.partitions,
        memory_bytes_max: options.memory_bytes_max,
    };
    let mut state = session(&options, pool, Some(Arc::new(NewestFirst { shared: shared.clone() })))?;
    if let Some(now) = timestamp_ns_to_datetime(now.0) {
        state.execution_props_mut().query_execution_start_time = Some(now.and_utc());
    }
    let tables = Tables { sources: sources.into_iter().map(Arc::new).collect(), range, shared };
    let (logical, warnings) = tables.plan(sql)?;
    let bad = |error: DataFusionError| errors::planning(&sql.text, &error);
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&logical)
        .map_err(bad)?;
    size::check(&logical).map_err(|message| {
        let diagnostic = Diagnostic::error(0..sql.text.len(), message);
        SqlError::Bad(vec![diagnostic.hint("repeat less of one query in the next")])
    })?;
    let logical = shaped(logical, limit).map_err(bad)?;
    control.check()?;
    let logical = state.optimize(&logical).map_err(bad)?;
    control.check()?;
    let physical = state.query_planner().create_physical_plan(&logical, &state).await.map_err(bad)?;
    Ok(Planned { state, logical, physical, control, warnings })
}

/// The data of a query, and the columns that it turns out to need.
struct Tables {
    sources: Vec<Arc<Source>>,
    range: TimeRange,
    shared: Shared,
}

impl Tables {
    /// Plans until every column is known: one that is not, and belongs to a table of rows, is a field that no row has.
    fn plan(&self, sql: &Sql) -> Result<(DfPlan, Vec<String>), SqlError> {
        let mut names = Vec::with_capacity(self.sources.len());
        for source in &self.sources {
            names.push(column_names(source, self.range, &sql.mentioned, sql.wildcard)?);
        }
        let mut warnings = Vec::new();
        loop {
            self.shared.control.check()?;
            let tables: HashMap<String, Arc<SqlTable>> = sql
                .inputs()
                .iter()
                .zip(self.sources.iter().zip(&names))
                .map(|(input, (source, names))| {
                    let table = SqlTable::new(&input.key, Arc::clone(source), self.range, names, self.shared.clone());
                    (input.key.clone(), Arc::new(table))
                })
                .collect();
            let context = Context::new(tables, self.shared.now);
            let options = ParserOptions::new()
                .with_enable_ident_normalization(false)
                .with_map_string_types_to_utf8view(false)
                .with_collect_spans(true);
            let planner = SqlToRel::new_with_options(&context, options);
            let error = match planner.sql_statement_to_plan(sql.statement.clone()) {
                Ok(plan) => return Ok((plan, warnings)),
                Err(error) => error,
            };
            match missing(sql, &error, &names) {
                Some(_) if warnings.len() >= SQL_UNKNOWN_FIELDS_MAX => {
                    return Err(SqlError::Failed(ExecError::Unsupported {
                        message: format!(
                            "the query names more than {SQL_UNKNOWN_FIELDS_MAX} fields that no row has (SQL_UNKNOWN_FIELDS_MAX)"
                        ),
                        hint: "name fields that there are".to_owned(),
                    }));
                }
                Some((table, name)) => {
                    warnings.push(unknown_field(sql, table, &name, &names[table]));
                    names[table].push(name);
                }
                None => return Err(errors::planning(&sql.text, &error)),
            }
        }
    }
}

/// The table and the name of a column that is not known; `None` when it can not be a field.
fn missing(sql: &Sql, error: &DataFusionError, known: &[Vec<String>]) -> Option<(usize, String)> {
    let DataFusionError::SchemaError(error, _) = error.find_root() else { return None };
    let SchemaError::FieldNotFound { field, .. } = &**error else { return None };
    let DfColumn { relation, name, .. } = &**field;
    // An alias may stand for one table here and for another there.
    let meant = |alias: &str| relation.as_ref().map_or(sql.aliases.len() == 1, |relation| alias == relation.table());
    let mut tables = sql.aliases.iter().filter(|(alias, _)| meant(alias)).map(|(_, table)| *table);
    let table = tables.find(|table| !known[*table].contains(name))?;
    sql.mentioned.contains(name).then(|| (table, name.clone()))
}

fn unknown_field(sql: &Sql, table: usize, name: &str, known: &[String]) -> String {
    let known: BTreeSet<&str> = known.iter().map(String::as_str).collect();
    let near = lang::nearest(name, known).map_or(String::new(), |near| format!("; did you mean {near}?"));
    let table = sql.aliases.iter().find(|(_, at)| *at == table).map_or("", |(alias, _)| alias);
    format!("no row of {table} has the field {name} in this time{near}")
}

/// The plan with columns that rows of results can have, each under a name of its own, and at most so many rows.
fn shaped(plan: DfPlan, limit: Option<u64>) -> Result<DfPlan, DataFusionError> {
    let mut taken = BTreeSet::new();
    let mut columns = Vec::new();
    for (qualifier, field) in plan.schema().iter() {
        let column = Expr::Column(DfColumn::new(qualifier.cloned(), field.name()));
        let is_count = *field.data_type() == DataType::UInt64 && !field.metadata().contains_key(ID_KEY);
        let value = match functions::plain_type(field.data_type()) {
            Some(_) if is_count => cast(column, DataType::Int64),
            Some(ty) if ty == *field.data_type() => column,
            Some(ty) => cast(column, ty),
            None => {
                let message =
                    format!("the column {} is a list or a structure, and a row has plain values", field.name());
                return Err(DataFusionError::Plan(message));
            }
        };
        let qualified = qualifier.map(|qualifier| format!("{}.{}", qualifier.table(), field.name()));
        let numbered = (2..).map(|n| format!("{}_{n}", field.name()));
        let names = [field.name().clone()].into_iter().chain(qualified).chain(numbered);
        let name = names.into_iter().find(|name| !taken.contains(name)).unwrap_or_default();
        taken.insert(name.clone());
        columns.push(value.alias(name));
    }
    if columns.is_empty() {
        columns.push(lit(ScalarValue::Utf8(None)).alias("empty"));
    }
    let builder = LogicalPlanBuilder::from(plan).project(columns)?;
    match limit {
        Some(limit) => builder.limit(0, Some(to_usize(limit)))?.build(),
        None => builder.build(),
    }
}
