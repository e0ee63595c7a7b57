//! What the planner of SQL may know: the tables of the query, the functions of the list, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, ScalarValue, TableReference, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::error::Result as DfResult;
use datafusion::functions::datetime::planner::DatetimeFunctionPlanner;
use datafusion::functions::unicode::planner::UnicodeFunctionPlanner;
use datafusion::functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion::functions_window::planner::WindowFunctionPlanner;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;
use model::Timestamp;

use super::functions;
use super::statement::promql_key_of;
use super::table::SqlTable;

/// The tables of one query and the functions that it may call.
pub(super) struct Context {
    tables: HashMap<String, Arc<SqlTable>>,
    now: Timestamp,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Context {
    pub(super) fn new(tables: HashMap<String, Arc<SqlTable>>, now: Timestamp) -> Self {
        let planners: Vec<Arc<dyn ExprPlanner>> = vec![
            Arc::new(Texts),
            Arc::new(UnicodeFunctionPlanner),
            Arc::new(DatetimeFunctionPlanner),
            Arc::new(AggregateFunctionPlanner),
            Arc::new(WindowFunctionPlanner),
        ];
        Self { tables, now, planners, options: ConfigOptions::default() }
    }

    fn table(&self, key: &str) -> Option<Arc<dyn TableSource>> {
        self.tables.get(key).map(|table| provider_as_source(Arc::clone(table) as _))
    }
}

impl ContextProvider for Context {
    fn get_table_source(&self, name: TableReference) -> DfResult<Arc<dyn TableSource>> {
        match self.table(name.table()) {
            Some(table) => Ok(table),
            None => plan_err!("there is no table {name}"),
        }
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> DfResult<Arc<dyn TableSource>> {
        let texts: Vec<&str> = args
            .iter()
            .filter_map(|arg| match arg {
                Expr::Literal(ScalarValue::Utf8(Some(text)), _) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        match promql_key_of(&texts).and_then(|key| self.table(&key)) {
            Some(table) => Ok(table),
            None => plan_err!("{name}(...) is not a table"),
        }
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        functions::scalar(name, self.now)
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        functions::aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        functions::window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        functions::scalar_names()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        functions::aggregate_names()
    }

    fn udwf_names(&self) -> Vec<String> {
        functions::window_names()
    }
}

/// `||` and `substring(a from b)` by functions that bound what they make.
#[derive(Debug)]
struct Texts;

impl ExprPlanner for Texts {
    fn plan_binary_op(&self, expr: RawBinaryExpr, _: &DFSchema) -> DfResult<PlannerResult<RawBinaryExpr>> {
        Ok(match expr.op {
            BinaryOperator::StringConcat => {
                PlannerResult::Planned(functions::text_join().call(vec![expr.left, expr.right]))
            }
            _ => PlannerResult::Original(expr),
        })
    }

    fn plan_substring(&self, args: Vec<Expr>) -> DfResult<PlannerResult<Vec<Expr>>> {
        Ok(match functions::scalar("substr", Timestamp(0)) {
            Some(substr) => PlannerResult::Planned(substr.call(args)),
            None => PlannerResult::Original(args),
        })
    }
}
