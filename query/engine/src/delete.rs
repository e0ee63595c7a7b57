//! Deleting what a query finds: invisible to every query that starts afterwards, gone from the files with the next merge.

use std::sync::Arc;

use exec::Control;
use model::{Table, TenantId, TimeRange, Timestamp};
use store::DeleteReport;

use crate::engine::{Prepared, exec_options, query_error};
use crate::sources::source_of;
use crate::{Engine, QueryError, QueryRequest};

impl Engine {
    /// Deletes the rows of a table of the store that a filter finds in a range of time. The query is a filter alone: pipes
    /// would not say which rows are meant. What was acknowledged before the call is looked at; what comes during it may or
    /// may not be. Merges wait meanwhile. `request.limit` plays no part.
    pub async fn delete(&self, request: QueryRequest) -> Result<DeleteReport, QueryError> {
        let Prepared { plan, .. } = self.prepare(&request)?;
        let scan = plan.scan();
        let refuse = |message: String, hint: &str| QueryError::Unsupported { message, hint: hint.to_owned() };
        let name = scan.input.table().map_or("promql", lang::Source::as_str);
        let Some(table) = Table::parse(name) else {
            let message = format!("rows of {name} cannot be deleted");
            return Err(refuse(message, "only logs, spans and quarantine take deletes"));
        };
        if !matches!(plan, plan::LogicalPlan::Scan(_)) || scan.fetch.is_some() {
            return Err(refuse(
                "a delete takes a filter, and no pipes".to_owned(),
                "leave out everything from the first |",
            ));
        }
        if request.text.trim().is_empty() {
            return Err(refuse(
                "a delete without a filter would take everything".to_owned(),
                "write * when that is meant",
            ));
        }
        let engine = self.clone();
        let control = Arc::new(Control::new(false));
        let registered = self.inner.registry.add(&request.tenant, &request.text, Arc::clone(&control));
        let (tenant, range, now) = (request.tenant, scan.range, request.now);
        let work = tokio::task::spawn_blocking(move || {
            let _registered = registered;
            engine.delete_now(&plan, &tenant, table, range, &control, now)
        });
        work.await.map_err(|error| QueryError::Internal { message: error.to_string() })?
    }

    fn delete_now(
        &self,
        plan: &plan::LogicalPlan,
        tenant: &TenantId,
        table: Table,
        range: TimeRange,
        control: &Arc<Control>,
        now: Timestamp,
    ) -> Result<DeleteReport, QueryError> {
        let failed = |error: store::StoreError| QueryError::Storage {
            segment: format!("table {}", table.as_str()),
            message: error.to_string(),
        };
        let limits = self.limits();
        let frozen = self.inner.store.freeze_for_delete().map_err(failed)?;
        let source = source_of(frozen.snapshot(tenant, table, range));
        if let Some((segment, message)) = source.damaged.first().cloned() {
            return Err(QueryError::Storage { segment, message });
        }
        let rows = exec::matching_rows(plan, &source, &exec_options(limits), control, now);
        let rows = rows.map_err(|error| query_error(error, limits))?;
        frozen.delete(tenant, table, rows).map_err(failed)
    }
}
