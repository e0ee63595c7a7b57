//! Queries in SQL: the same tables, limits and statistics as every query.

use std::sync::Arc;
use std::time::Duration;

use exec::{Control, ExecStream, Source, Sql, SqlError, SqlRun};
use lang::{Diagnostic, Input};

use crate::admission::Weight;
use crate::engine::{Driver, Task, exec_options, query_error};
use crate::prom::StopOnDrop;
use crate::sources::take_source;
use crate::stream::QueryStream;
use crate::{Engine, QueryError, QueryLimits, QueryRequest};

/// What is wrong with a text as SQL, as far as that is known without data.
pub fn diagnose_sql(text: &str) -> Vec<Diagnostic> {
    if text.len() > lang::limits::QUERY_BYTES_MAX {
        return vec![Diagnostic::error(0..text.len(), "the text is longer than a query may be")];
    }
    Sql::parse(text).err().unwrap_or_default()
}

impl Engine {
    /// Runs a query in SQL, or shows its plan when the text begins with `explain`.
    pub(crate) async fn run_sql(&self, request: QueryRequest) -> Result<QueryStream, QueryError> {
        let sql = self.read_sql(&request)?;
        if sql.explain().is_some() {
            let text = self.explain_sql(request.clone(), false).await?;
            return QueryStream::of_lines(&self.inner, &request, "plan", text.lines());
        }
        self.start_work(request, Task::Sql(Arc::new(sql)), Weight::Heavy).await
    }

    /// Reads the text of a request: what is wrong with it alone is found here.
    fn read_sql(&self, request: &QueryRequest) -> Result<Sql, QueryError> {
        self.check_request(request)?;
        self.check_length(request.range)?;
        if !request.pipes.is_empty() {
            return Err(QueryError::Unsupported {
                message: "pipes do not follow a query in SQL".to_owned(),
                hint: "write what they do in SQL".to_owned(),
            });
        }
        let sql = Sql::parse(&request.text).map_err(QueryError::Parse)?;
        for input in sql.inputs() {
            if let Input::Promql(promql) = &input.input {
                let read = promql::parse_with(&promql.text, &self.limits().promql_features.parser);
                read.map_err(|error| QueryError::Parse(vec![crate::sources::promql_diagnostic(promql, &error)]))?;
            }
        }
        Ok(sql)
    }

    /// How a query in SQL would run; after running it, also what its operators did. It waits, is listed, is stopped and ends in time as
    /// every query.
    pub(crate) async fn explain_sql(&self, request: QueryRequest, analyze: bool) -> Result<String, QueryError> {
        let sql = self.read_sql(&request)?;
        let analyze = analyze || sql.explain() == Some(true);
        let weight = if analyze { Weight::Heavy } else { Weight::Light };
        let _permit = self.inner.admission.enter(weight).await?;
        let control = Arc::new(Control::new(request.allow_partial));
        let registered = self.inner.registry.add(&request.tenant, &request.text, Arc::clone(&control));
        // Dropping the caller's future stops the query.
        let stop = StopOnDrop(registered.entry.clone());
        let engine = self.clone();
        let timeout_ms = request.timeout_ms.unwrap_or(u64::MAX).min(self.limits().timeout_ms);
        let task = self.spawn(async move {
            let run = sql_run(&engine.inner, &request, &sql, control, request.limit).await?;
            exec::sql_explain(Arc::new(sql), run, analyze).await.map_err(|error| sql_error(error, engine.limits()))
        });
        let abort = task.abort_handle();
        let outcome = tokio::select! {
            biased;
            () = stop.0.cancel.cancelled() => Err(QueryError::Canceled),
            () = tokio::time::sleep(Duration::from_millis(timeout_ms)) => Err(QueryError::Timeout { timeout_ms }),
            done = task => done.map_err(|error| QueryError::Internal { message: error.to_string() })?,
        };
        abort.abort();
        outcome
    }
}

impl Driver {
    /// Takes the data of a query in SQL and starts it: its rows, how many segments there are, and warnings.
    pub(crate) async fn begin_sql(
        &self,
        sql: Arc<Sql>,
        fetch: Option<u64>,
    ) -> Result<(ExecStream, u64, Vec<String>), QueryError> {
        let control = self.registered.entry.control.clone();
        let run = sql_run(&self.inner, &self.request, &sql, control, fetch).await?;
        let segments = run.sources.iter().map(|source| source.segments.len() as u64).sum();
        let started = exec::sql_stream(sql, run).await;
        let (stream, warnings) = started.map_err(|error| sql_error(error, &self.inner.limits))?;
        Ok((stream, segments, warnings))
    }
}

/// Takes the data of every table of a query, on a blocking thread.
async fn sql_run(
    inner: &Arc<crate::engine::Inner>,
    request: &QueryRequest,
    sql: &Sql,
    control: Arc<Control>,
    limit: Option<u64>,
) -> Result<SqlRun, QueryError> {
    let inputs: Vec<Input> = sql.inputs().iter().map(|input| input.input.clone()).collect();
    let (taken, request_of, control_of) = (Arc::clone(inner), request.clone(), Arc::clone(&control));
    let take = move || {
        let QueryRequest { tenant, range, now, .. } = request_of;
        let sources = inputs.iter().map(|input| take_source(&taken, &tenant, input, range, now, &control_of));
        sources.collect::<Result<Vec<Source>, QueryError>>()
    };
    let sources = tokio::task::spawn_blocking(take).await;
    let sources = sources.map_err(|error| QueryError::Internal { message: error.to_string() })??;
    Ok(SqlRun {
        sources,
        range: request.range,
        limit,
        now: request.now,
        options: exec_options(&inner.limits),
        budget: Arc::clone(&inner.budget),
        control,
    })
}

fn sql_error(error: SqlError, limits: &QueryLimits) -> QueryError {
    match error {
        SqlError::Bad(diagnostics) => QueryError::Parse(diagnostics),
        SqlError::Failed(error) => query_error(error, limits),
    }
}
