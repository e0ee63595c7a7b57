//! The operator `stats`: keys and arguments are computed first, then grouped, then shaped.

use std::sync::Arc;

use arrow_schema::{DataType, Field};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::percentile_cont::percentile_cont_udaf;
use datafusion::functions_aggregate::stddev::stddev_pop_udaf;
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, Sort};
use datafusion::logical_expr::{AggregateUDF, Expr, lit, when};
use lang::{Aggregate, Bucket, Function, Group};
use model::field;

use crate::ExecError;
use crate::functions::RowFunction;
use crate::translate::{Node, Translator, column};

/// Shaping of one aggregate: how its column is made of grouped ones.
struct Shaped {
    expr: Expr,
    ty: DataType,
}

/// An operator under construction.
struct Building<'a> {
    input: &'a Node,
    /// Computed before grouping, under names of ours.
    arguments: Vec<Expr>,
    /// Computed by grouping, under names of ours.
    grouped: Vec<Expr>,
    /// Seconds that rates are over.
    seconds: f64,
}

impl Translator<'_> {
    /// Groups rows by keys and computes values of each group.
    pub(crate) fn aggregate(&self, input: Node, by: &[Group], aggregates: &[Aggregate]) -> Result<Node, ExecError> {
        let mut building =
            Building { input: &input, arguments: Vec::new(), grouped: Vec::new(), seconds: self.rate_seconds(by) };
        let mut keys = Vec::new();
        let mut columns = Vec::new();
        for group in by {
            let (expr, ty) = key(&input, group)?;
            keys.push(building.argument(expr));
            columns.push((group.field().to_owned(), ty));
        }
        let mut shaped = Vec::new();
        for aggregate in aggregates {
            let filter = aggregate.filter.as_ref().map(|filter| self.holds(&input, filter)).transpose()?;
            let filter = filter.map(|filter| building.argument(filter));
            shaped.push(building.aggregate(aggregate, filter)?);
        }
        let Building { arguments, grouped, .. } = building;
        // Without arguments only the number of rows matters, and the scan need not yield a column.
        let builder = if arguments.is_empty() { input.builder } else { input.builder.project(arguments)? };
        let builder = builder.aggregate(keys.clone(), grouped)?;
        let mut exprs: Vec<Expr> = keys.iter().zip(&columns).map(|(key, (name, _))| key.clone().alias(name)).collect();
        let tie_break = columns.iter().map(|(name, _)| column(name).sort(true, false)).collect();
        for (aggregate, Shaped { expr, ty }) in aggregates.iter().zip(shaped) {
            exprs.push(expr.alias(&aggregate.name));
            columns.push((aggregate.name.clone(), ty));
        }
        Ok(Node { builder: builder.project(exprs)?, columns, tie_break, ordered: by.is_empty() })
    }

    /// How long the time is that a rate is over: a bucket, or the range of the query, as far as there is data.
    pub(crate) fn rate_seconds(&self, by: &[Group]) -> f64 {
        let bucket = by.iter().find_map(|group| match group {
            Group::Bucket { bucket: Bucket::Time { step_ns, .. }, .. } => Some(*step_ns),
            _ => None,
        });
        let ns = bucket.unwrap_or_else(|| {
            let data = self.source.times(self.range);
            let open = |bound: i64| bound == i64::MIN || bound == i64::MAX;
            let start = if open(self.range.start.0) { data.map(|(min, _)| min.0) } else { Some(self.range.start.0) };
            let end = if open(self.range.end.0) { data.map(|(_, max)| max.0) } else { Some(self.range.end.0) };
            start.zip(end).map_or(0, |(start, end)| end.saturating_sub(start))
        });
        (ns as f64 / 1e9).max(1e-9)
    }
}

/// A key of groups and its type.
fn key(input: &Node, group: &Group) -> Result<(Expr, DataType), ExecError> {
    match group {
        Group::Field(name) => Ok((RowFunction::KeyText.call(vec![input.value(name)]), DataType::Utf8)),
        Group::Bucket { field, bucket: Bucket::Time { step_ns, .. } } => match input.data_type(field) {
            Some(ty @ DataType::Timestamp(..)) => {
                Ok((RowFunction::Bucket(*step_ns).call(vec![column(field)]), ty.clone()))
            }
            _ => Err(ExecError::Unsupported {
                message: format!("{field} is not a time here, and cannot be grouped by steps of time"),
                hint: "group by time in the first `stats`".to_owned(),
            }),
        },
        Group::Bucket { .. } => Err(ExecError::Internal { message: "these buckets are a stage's".to_owned() }),
    }
}

impl Building<'_> {
    /// Computes something before grouping; returns the column that holds it.
    fn argument(&mut self, expr: Expr) -> Expr {
        let name = format!("argument {}", self.arguments.len());
        self.arguments.push(expr.alias(&name));
        column(&name)
    }

    /// Computes something by grouping; returns the column that holds it.
    fn group(&mut self, function: Arc<AggregateUDF>, call: Call) -> Expr {
        let name = format!("group {}", self.grouped.len());
        let filter = call.filter.map(Box::new);
        let call = AggregateFunction::new_udf(function, call.args, call.distinct, filter, call.order_by, None);
        self.grouped.push(Expr::AggregateFunction(call).alias(&name));
        column(&name)
    }

    fn aggregate(&mut self, aggregate: &Aggregate, filter: Option<Expr>) -> Result<Shaped, ExecError> {
        let values = |input: &Node| aggregate.fields.iter().map(|name| input.value(name)).collect::<Vec<_>>();
        let number = |expr| Shaped { expr, ty: DataType::Float64 };
        Ok(match aggregate.function {
            Function::Count | Function::Rate if aggregate.fields.is_empty() => {
                let rows = self.group(count_udaf(), Call::of(lit(1i64)).filter(filter));
                self.count_or_rate(aggregate.function, rows)
            }
            Function::Count | Function::Rate => {
                let filled = self.argument(RowFunction::Tuple.call(values(self.input)));
                let rows = self.group(count_udaf(), Call::of(filled).filter(filter));
                self.count_or_rate(aggregate.function, rows)
            }
            Function::CountDistinct if !aggregate.fields.is_empty() => {
                let tuple = self.argument(RowFunction::Tuple.call(values(self.input)));
                let expr = self.group(count_udaf(), Call { distinct: true, ..Call::of(tuple).filter(filter) });
                Shaped { expr, ty: DataType::Int64 }
            }
            Function::Sum => number(self.numeric(aggregate, filter, sum_udaf(), None)?),
            Function::Avg => number(self.numeric(aggregate, filter, avg_udaf(), None)?),
            Function::Stddev => number(self.numeric(aggregate, filter, stddev_pop_udaf(), None)?),
            Function::Median => number(self.numeric(aggregate, filter, percentile_cont_udaf(), Some(0.5))?),
            Function::Quantile(q) => number(self.numeric(aggregate, filter, percentile_cont_udaf(), Some(q))?),
            Function::Min => self.extreme(aggregate, filter, min_udaf())?,
            Function::Max => self.extreme(aggregate, filter, max_udaf())?,
            Function::First => self.by_time(aggregate, filter, true)?,
            Function::Last => self.by_time(aggregate, filter, false)?,
            Function::Values => self.values(aggregate, filter)?,
            Function::Any => {
                // The smallest: any would do, and this one is the same every time.
                let text = RowFunction::FilledText.call(vec![self.input.value(one_field(aggregate)?)]);
                let text = self.argument(text);
                Shaped { expr: self.group(min_udaf(), Call::of(text).filter(filter)), ty: DataType::Utf8 }
            }
            Function::CountDistinct => return Err(wants_field(aggregate)),
            other => {
                let message = format!("`{}` is computed by a stage", other.as_str());
                return Err(ExecError::Internal { message });
            }
        })
    }

    fn count_or_rate(&self, function: Function, rows: Expr) -> Shaped {
        match function {
            Function::Rate => {
                let rows = RowFunction::Number.call(vec![rows]);
                Shaped { expr: rows / lit(self.seconds), ty: DataType::Float64 }
            }
            _ => Shaped { expr: rows, ty: DataType::Int64 },
        }
    }

    /// A function of the numbers among the values.
    fn numeric(
        &mut self,
        aggregate: &Aggregate,
        filter: Option<Expr>,
        function: Arc<AggregateUDF>,
        parameter: Option<f64>,
    ) -> Result<Expr, ExecError> {
        let value = self.input.value(one_field(aggregate)?);
        let value = self.argument(RowFunction::Number.call(vec![value]));
        let mut call = Call::of(value.clone()).filter(filter);
        if let Some(parameter) = parameter {
            call.args.push(lit(parameter));
            call.order_by.push(value.sort(true, false));
        }
        Ok(self.group(function, call))
    }

    /// The smallest or largest: of numbers when there are some, else of texts.
    fn extreme(
        &mut self,
        aggregate: &Aggregate,
        filter: Option<Expr>,
        function: Arc<AggregateUDF>,
    ) -> Result<Shaped, ExecError> {
        let name = one_field(aggregate)?;
        let value = self.input.value(name);
        if let Some(ty @ (DataType::Int64 | DataType::Float64 | DataType::Timestamp(..))) = self.input.data_type(name) {
            let value = self.argument(value);
            return Ok(Shaped { expr: self.group(function, Call::of(value).filter(filter)), ty: ty.clone() });
        }
        let number = self.argument(RowFunction::Number.call(vec![value.clone()]));
        let text = self.argument(RowFunction::FilledText.call(vec![value]));
        let number = self.group(function.clone(), Call::of(number).filter(filter.clone()));
        let text = self.group(function, Call::of(text).filter(filter));
        let number_text = RowFunction::NumberText.call(vec![number.clone()]);
        let expr = when(number.is_not_null(), number_text).otherwise(text)?;
        Ok(Shaped { expr, ty: DataType::Utf8 })
    }

    /// The value of the oldest or newest row that has one.
    fn by_time(&mut self, aggregate: &Aggregate, filter: Option<Expr>, oldest: bool) -> Result<Shaped, ExecError> {
        let name = one_field(aggregate)?;
        let value = self.input.value(name);
        let ty = self.input.data_type(name).cloned().unwrap_or(DataType::Utf8);
        let has_value = self.argument(!RowFunction::IsMissing.call(vec![value.clone()]));
        let mut order_by: Vec<Sort> = Vec::new();
        for key in [field::TIME, field::ID] {
            if self.input.data_type(key).is_some() {
                order_by.push(self.argument(column(key)).sort(oldest, false));
            }
        }
        let value = self.argument(value);
        order_by.push(value.clone().sort(oldest, false));
        let filter = match filter {
            Some(filter) => filter.and(has_value),
            None => has_value,
        };
        let call = Call { order_by, ..Call::of(value).filter(Some(filter)) };
        Ok(Shaped { expr: self.group(first_value_udaf(), call), ty })
    }

    /// The different texts, sorted.
    fn values(&mut self, aggregate: &Aggregate, filter: Option<Expr>) -> Result<Shaped, ExecError> {
        let text = RowFunction::FilledText.call(vec![self.input.value(one_field(aggregate)?)]);
        let text = self.argument(text);
        let filled = text.clone().is_not_null();
        let filter = match filter {
            Some(filter) => filter.and(filled),
            None => filled,
        };
        let order_by = vec![text.clone().sort(true, false)];
        let call = Call { distinct: true, order_by, ..Call::of(text).filter(Some(filter)) };
        let ty = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
        Ok(Shaped { expr: self.group(array_agg_udaf(), call), ty })
    }
}

/// The arguments of an aggregate function.
struct Call {
    args: Vec<Expr>,
    distinct: bool,
    filter: Option<Expr>,
    order_by: Vec<Sort>,
}

impl Call {
    fn of(arg: Expr) -> Self {
        Self { args: vec![arg], distinct: false, filter: None, order_by: Vec::new() }
    }

    fn filter(self, filter: Option<Expr>) -> Self {
        Self { filter, ..self }
    }
}

fn one_field(aggregate: &Aggregate) -> Result<&str, ExecError> {
    match &aggregate.fields[..] {
        [name] => Ok(name),
        _ => Err(wants_field(aggregate)),
    }
}

fn wants_field(aggregate: &Aggregate) -> ExecError {
    let word = aggregate.function.as_str();
    ExecError::Unsupported {
        message: format!("{word} was given {} fields, and takes one", aggregate.fields.len()),
        hint: format!("write {word}(field), once for each field"),
    }
}
