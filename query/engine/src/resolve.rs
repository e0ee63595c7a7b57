//! What a plan leaves open until the data is asked: values of other queries, lengths of buckets, windows of an open time.

use std::collections::BTreeSet;

use arrow_array::RecordBatch;
use exec::row_value;
use lang::limits::SUBQUERY_VALUES_MAX;
use lang::{Filter, Input, PipeKind, Query, Test};
use model::{TimeRange, field};
use plan::{LogicalPlan, PATTERN_FIELD, Stage};

use crate::engine::{Prepared, check_limit};
use crate::sources::promql_diagnostic;
use crate::stream::QueryStream;
use crate::{Engine, QueryError, QueryRequest};

impl Engine {
    /// The same query with everything filled in that only the data tells.
    pub(crate) async fn resolved(&self, request: &QueryRequest, prepared: Prepared) -> Result<Prepared, QueryError> {
        let Prepared { mut plan, mut warnings, explain } = prepared;
        let mut queries = Vec::new();
        plan.each_filter(&mut |filter| find_queries(filter, &mut queries));
        for query in queries {
            let values = self.values_of(request, &query, &mut warnings).await?;
            plan.change_filters(&mut |filter| put_values(filter, &query, &values));
        }
        if needs_closed_range(&plan) {
            let range = self.closed_range(request, plan.scan()).await?;
            plan.choose_buckets(range);
            plan.close(range);
        }
        if asks_for_patterns(&plan) {
            let (inner, tenant) = (self.inner.clone(), request.tenant.clone());
            let change = move || {
                let resolve = |id: &str| inner.patterns.resolve(&tenant, id);
                plan.change_filters(&mut |filter| resolve_patterns(filter, &resolve));
                Ok(plan)
            };
            plan = self.blocking(change).await?;
        }
        Ok(Prepared { plan, warnings, explain })
    }

    /// The different values that another query yields in its first column. What it could not read is added to the warnings.
    async fn values_of(
        &self,
        request: &QueryRequest,
        query: &Query,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<String>, QueryError> {
        let plan = plan::plan(query).map_err(QueryError::Parse)?;
        let own = plan.scan().range;
        let plan = plan.within(if own == TimeRange::ALL { request.range } else { own });
        self.check_range(&plan)?;
        let prepared = Prepared { plan, warnings: Vec::new(), explain: false };
        // A query inside a query inside a query: each is resolved in its turn.
        let prepared = Box::pin(self.resolved(request, prepared)).await?;
        let inner = QueryRequest { limit: None, allow_partial: false, ..request.clone() };
        let mut stream = self.start(inner, prepared).await?;
        let mut values = BTreeSet::new();
        while let Some(batch) = stream.next_batch().await {
            let batch = batch?;
            let Some(name) = first_column(&batch) else { continue };
            for row in 0..batch.num_rows() {
                let value = row_value(&batch, row, &name).map(|value| value.text().into_owned());
                values.extend(value.filter(|value| !value.is_empty()));
            }
            let wanted = values.len() as u64;
            check_limit(
                "SUBQUERY_VALUES_MAX",
                SUBQUERY_VALUES_MAX as u64,
                wanted,
                "values of a query inside `in(...)`",
            )?;
        }
        warnings.extend(stream.stats().into_iter().flat_map(|stats| stats.warnings.iter().cloned()));
        Ok(values.into_iter().collect())
    }

    /// The plan of a query as rows, one line each.
    pub(crate) async fn explained(&self, request: QueryRequest) -> Result<QueryStream, QueryError> {
        let text = self.explain_only(request.clone()).await?;
        QueryStream::of_lines(&self.inner, &request, "plan", text.lines())
    }

    /// Finds mistakes in the PromQL texts of a query, and of those inside it.
    pub(crate) fn check_promql(&self, query: &Query) -> Result<(), QueryError> {
        if let Input::Promql(promql) = &query.input
            && let Err(error) = promql::parse_with(&promql.text, &self.limits().promql_features.parser)
        {
            return Err(QueryError::Parse(vec![promql_diagnostic(promql, &error)]));
        }
        query.pipes.iter().try_for_each(|pipe| match &pipe.kind {
            PipeKind::Join(join) => self.check_promql(&join.query),
            PipeKind::Union(query) => self.check_promql(query),
            _ => Ok(()),
        })
    }
}

fn needs_closed_range(plan: &LogicalPlan) -> bool {
    fn has_diff(plan: &LogicalPlan) -> bool {
        let here = match plan {
            LogicalPlan::Stage { stage: Stage::Diff(..), .. } => true,
            LogicalPlan::Stage { stage, .. } => stage.other().is_some_and(has_diff),
            _ => false,
        };
        here || plan.input().is_some_and(has_diff)
    }
    plan.has_auto_buckets() || has_diff(plan)
}

/// Whether some filter names a pattern.
fn asks_for_patterns(plan: &LogicalPlan) -> bool {
    let mut found = false;
    plan.each_filter(&mut |filter| {
        found |= plan::filter_fields(filter).is_none_or(|names| names.contains(PATTERN_FIELD));
    });
    found
}

fn first_column(batch: &RecordBatch) -> Option<String> {
    let names = batch.schema_ref().fields().iter().map(|field| field.name().clone());
    let own = [field::TIME, field::ID, field::STREAM, exec::RECORD_COLUMN];
    let mut names: Vec<String> = names.collect();
    if names.iter().all(|name| own.contains(&name.as_str())) {
        return names.into_iter().next();
    }
    names.retain(|name| !own.contains(&name.as_str()));
    names.into_iter().next()
}

fn find_queries(filter: &Filter, out: &mut Vec<Query>) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter().for_each(|part| find_queries(part, out)),
        Filter::Not(inner) => find_queries(inner, out),
        Filter::Field(_, Test::InQuery(query)) if !out.contains(query) => out.push((**query).clone()),
        _ => {}
    }
}

fn put_values(filter: &mut Filter, query: &Query, values: &[String]) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().for_each(|part| put_values(part, query, values)),
        Filter::Not(inner) => put_values(inner, query, values),
        Filter::Field(name, Test::InQuery(inner)) if **inner == *query => {
            *filter = match values.is_empty() {
                true => Filter::Nothing,
                false => Filter::Field(name.clone(), Test::In(values.to_vec())),
            };
        }
        _ => {}
    }
}

/// A pattern that was replaced by a more general one is still found by its old id.
fn resolve_patterns(filter: &mut Filter, resolve: &dyn Fn(&str) -> String) {
    match filter {
        Filter::And(parts) | Filter::Or(parts) => parts.iter_mut().for_each(|part| resolve_patterns(part, resolve)),
        Filter::Not(inner) => resolve_patterns(inner, resolve),
        Filter::Field(lang::FieldName::Named(name), test) if name == PATTERN_FIELD => match test {
            Test::Exact { text, prefix: false, .. } => *text = resolve(text),
            Test::In(values) => values.iter_mut().for_each(|value| *value = resolve(value)),
            _ => {}
        },
        _ => {}
    }
}
