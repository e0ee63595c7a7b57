//! The functions that SQL may call: an allow-list, and nothing besides.
//!
//! Most come from DataFusion, but only those whose result is no longer than what they are given: a text that doubles with each
//! call would fill the memory before an operator could count it. Functions that make texts longer, and those for JSON, addresses,
//! patterns and hashes, are the native language's (crate `compute`), which bound each value.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, LazyLock};

use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, FieldRef};
use compute::Program;
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility, WindowUDF,
};
use datafusion::{functions, functions_aggregate, functions_window};
use lang::{Expr as MathExpr, FUNCTIONS, FunctionSpec, ScalarFunction};
use model::Timestamp;

use super::statement::SEARCH;
use crate::ExecError;
use crate::functions::{COMPUTED_BYTES_MAX, computed, joined_texts, too_much_text, type_of};

/// The functions of rows that are DataFusion's.
const SCALARS: &[&str] = &[
    // Texts.
    "ascii",
    "bit_length",
    "btrim",
    "character_length",
    "chr",
    "contains",
    "ends_with",
    "find_in_set",
    "initcap",
    "left",
    "lower",
    "ltrim",
    "octet_length",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substr_index",
    "to_hex",
    "translate",
    "upper",
    // Regular expressions.
    "regexp_count",
    "regexp_instr",
    "regexp_like",
    // Numbers.
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "cot",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "isnan",
    "iszero",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "nanvl",
    "pi",
    "power",
    "radians",
    "random",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
    // Times.
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_local_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
    // Conditions and types.
    "arrow_typeof",
    "coalesce",
    "greatest",
    "least",
    "nullif",
    "nvl",
    "nvl2",
];

/// Those of [`SCALARS`] that make texts: what one call makes for a batch of rows is bounded.
const TEXTS: &[&str] = &[
    "btrim",
    "chr",
    "initcap",
    "left",
    "lower",
    "ltrim",
    "reverse",
    "right",
    "rtrim",
    "split_part",
    "substr",
    "substr_index",
    "to_char",
    "to_hex",
    "translate",
    "upper",
];

/// The functions of groups. None that keeps lists: a row of a result is made of plain values.
const AGGREGATES: &[&str] = &[
    "any_value",
    "approx_distinct",
    "approx_median",
    "approx_percentile_cont",
    "avg",
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "count",
    "covar_pop",
    "covar_samp",
    "first_value",
    "grouping",
    "last_value",
    "max",
    "median",
    "min",
    "nth_value",
    "percentile_cont",
    "regr_avgx",
    "regr_avgy",
    "regr_count",
    "regr_intercept",
    "regr_r2",
    "regr_slope",
    "regr_sxx",
    "regr_sxy",
    "regr_syy",
    "stddev",
    "stddev_pop",
    "string_agg",
    "sum",
    "var",
    "var_pop",
];

/// The functions of windows.
const WINDOWS: &[&str] = &[
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
];

/// What the native language has and SQL says otherwise.
const NOT_IN_SQL: &[ScalarFunction] = &[
    ScalarFunction::If,
    ScalarFunction::Case,
    ScalarFunction::In,
    ScalarFunction::Exists,
    ScalarFunction::IsMissing,
    ScalarFunction::Min,
    ScalarFunction::Max,
    ScalarFunction::Now,
];

struct Tables {
    scalars: HashMap<String, Arc<ScalarUDF>>,
    native: HashMap<&'static str, &'static FunctionSpec>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let families = [
        functions::core::functions(),
        functions::string::functions(),
        functions::unicode::functions(),
        functions::regex::functions(),
        functions::math::functions(),
        functions::datetime::functions(),
    ];
    let mut scalars = HashMap::new();
    for udf in families.into_iter().flatten().filter(|udf| SCALARS.contains(&udf.name())) {
        let udf = if TEXTS.contains(&udf.name()) { Arc::new(ScalarUDF::new_from_impl(BoundedUdf(udf))) } else { udf };
        let names = udf.aliases().iter().cloned().chain([udf.name().to_owned()]);
        names.for_each(|name| drop(scalars.insert(name, Arc::clone(&udf))));
    }
    let mut native = HashMap::new();
    for spec in FUNCTIONS.iter().filter(|spec| !NOT_IN_SQL.contains(&spec.function)) {
        let names = spec.aliases.iter().copied().chain([spec.name]);
        native.extend(names.filter(|name| !scalars.contains_key(*name)).map(|name| (name, spec)));
    }
    let mut aggregates = HashMap::new();
    let all = functions_aggregate::all_default_aggregate_functions();
    for udf in all.into_iter().filter(|udf| AGGREGATES.contains(&udf.name())) {
        let names = udf.aliases().iter().cloned().chain([udf.name().to_owned()]);
        names.for_each(|name| drop(aggregates.insert(name, Arc::clone(&udf))));
    }
    let mut windows = HashMap::new();
    let all = functions_window::all_default_window_functions();
    for udf in all.into_iter().filter(|udf| WINDOWS.contains(&udf.name())) {
        let names = udf.aliases().iter().cloned().chain([udf.name().to_owned()]);
        names.for_each(|name| drop(windows.insert(name, Arc::clone(&udf))));
    }
    Tables { scalars, native, aggregates, windows }
});

/// The names of all functions that SQL may call, by family.
pub fn sql_functions() -> BTreeMap<&'static str, Vec<String>> {
    let sorted = |names: &mut dyn Iterator<Item = String>| {
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    };
    BTreeMap::from([
        ("aggregates", sorted(&mut TABLES.aggregates.keys().cloned())),
        ("native", sorted(&mut TABLES.native.keys().map(|name| (*name).to_owned()))),
        ("scalars", sorted(&mut TABLES.scalars.keys().cloned())),
        ("windows", sorted(&mut TABLES.windows.keys().cloned())),
    ])
}

pub(super) fn scalar(name: &str, now: Timestamp) -> Option<Arc<ScalarUDF>> {
    if name == SEARCH {
        return Some(Arc::new(ScalarUDF::new_from_impl(SearchUdf {
            signature: Signature::any(3, Volatility::Immutable),
        })));
    }
    TABLES.scalars.get(name).cloned().or_else(|| {
        let spec = TABLES.native.get(name)?;
        let any = TypeSignature::OneOf(vec![TypeSignature::Nullary, TypeSignature::VariadicAny]);
        let signature = Signature::new(any, Volatility::Stable);
        Some(Arc::new(ScalarUDF::new_from_impl(NativeUdf { spec, now, signature })))
    })
}

/// Names in one order, so that "did you mean" says the same each time.
fn ordered(names: impl Iterator<Item = String>) -> Vec<String> {
    let names: BTreeSet<String> = names.collect();
    names.into_iter().collect()
}

pub(super) fn scalar_names() -> Vec<String> {
    let native = TABLES.native.keys().map(|name| (*name).to_owned());
    ordered(TABLES.scalars.keys().cloned().chain(native).chain([SEARCH.to_owned()]))
}

pub(super) fn aggregate(name: &str) -> Option<Arc<AggregateUDF>> {
    TABLES.aggregates.get(name).cloned()
}

pub(super) fn aggregate_names() -> Vec<String> {
    ordered(TABLES.aggregates.keys().cloned())
}

pub(super) fn window(name: &str) -> Option<Arc<WindowUDF>> {
    TABLES.windows.get(name).cloned()
}

pub(super) fn window_names() -> Vec<String> {
    ordered(TABLES.windows.keys().cloned())
}

/// `a || b`: null when one is.
pub(super) fn text_join() -> ScalarUDF {
    ScalarUDF::new_from_impl(JoinUdf { signature: Signature::any(2, Volatility::Immutable) })
}

/// A type that rows of results have, for one that they do not have; `None` when no value of it can be shown.
pub(super) fn plain_type(ty: &DataType) -> Option<DataType> {
    use arrow_schema::TimeUnit::Nanosecond;
    Some(match ty {
        DataType::Boolean | DataType::Int64 | DataType::Float64 | DataType::Utf8 | DataType::UInt64 => ty.clone(),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => DataType::Int64,
        DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => DataType::Int64,
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            DataType::Float64
        }
        DataType::Timestamp(..) => DataType::Timestamp(Nanosecond, Some("UTC".into())),
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..) | DataType::Union(..) => {
            return None;
        }
        _ => DataType::Utf8,
    })
}

fn plain(array: &ArrayRef) -> DfResult<ArrayRef> {
    match plain_type(array.data_type()) {
        Some(ty) if ty == *array.data_type() => Ok(array.clone()),
        Some(ty) => Ok(arrow_cast::cast(array, &ty)?),
        None => plan_err!("a list is no argument of this function"),
    }
}

/// A function of DataFusion's that makes texts, within [`COMPUTED_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq, Hash)]
struct BoundedUdf(Arc<ScalarUDF>);

impl ScalarUDFImpl for BoundedUdf {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, args: &[DataType]) -> DfResult<DataType> {
        self.0.return_type(args)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> DfResult<FieldRef> {
        self.0.return_field_from_args(args)
    }

    fn coerce_types(&self, args: &[DataType]) -> DfResult<Vec<DataType>> {
        self.0.coerce_types(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let made = self.0.invoke_with_args(args)?;
        if let ColumnarValue::Array(array) = &made
            && array.get_array_memory_size() > COMPUTED_BYTES_MAX
        {
            return Err(too_much_text(array.len()).into());
        }
        Ok(made)
    }
}

/// A function of the native language.
#[derive(Debug)]
struct NativeUdf {
    spec: &'static FunctionSpec,
    now: Timestamp,
    signature: Signature,
}

impl NativeUdf {
    fn identity(&self) -> (ScalarFunction, Timestamp) {
        (self.spec.function, self.now)
    }
}

impl PartialEq for NativeUdf {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for NativeUdf {}

impl Hash for NativeUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl ScalarUDFImpl for NativeUdf {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, args: &[DataType]) -> DfResult<DataType> {
        let few = args.len() < self.spec.arguments_min();
        if few || self.spec.arguments_max().is_some_and(|max| args.len() > max) {
            return plan_err!("the function is called as {}, not with {} arguments", self.spec.signature(), args.len());
        }
        Ok(type_of(self.spec.returns))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.number_rows;
        let mut arrays = Vec::new();
        let mut names = Vec::new();
        let mut call = Vec::with_capacity(args.args.len());
        for arg in &args.args {
            match constant(arg) {
                Some(constant) => call.push(constant),
                None => {
                    let name = names.len().to_string();
                    call.push(MathExpr::Field(name.clone()));
                    names.push(name);
                    arrays.push(plain(&arg.to_array(rows)?)?);
                }
            }
        }
        let program = Program::new(&MathExpr::call(self.spec.function, call), &names, self.now);
        let program = program.map_err(|error| ExecError::Unsupported { message: error.message, hint: error.hint })?;
        Ok(ColumnarValue::Array(computed(&program, args.return_type(), &arrays, rows)?))
    }
}

/// A constant as the native language writes it: patterns, networks and zones are read once, not for each row.
fn constant(arg: &ColumnarValue) -> Option<MathExpr> {
    let ColumnarValue::Scalar(value) = arg else { return None };
    Some(match value {
        ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text)) | ScalarValue::LargeUtf8(Some(text)) => {
            MathExpr::text(text)
        }
        ScalarValue::Int64(Some(number)) if *number >= 0 => MathExpr::Integer(*number),
        ScalarValue::Int64(Some(number)) if *number > i64::MIN => {
            MathExpr::Negate(Box::new(MathExpr::Integer(number.saturating_neg())))
        }
        ScalarValue::Float64(Some(number)) if number.is_finite() => MathExpr::number(*number),
        ScalarValue::Boolean(Some(truth)) => MathExpr::Bool(*truth),
        value if value.is_null() => MathExpr::Null,
        _ => return None,
    })
}

/// `a || b`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct JoinUdf {
    signature: Signature,
}

impl ScalarUDFImpl for JoinUdf {
    fn name(&self) -> &str {
        "text_join"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().map(|arg| plain(&arg.to_array(rows)?)).collect::<DfResult<Vec<_>>>()?;
        Ok(ColumnarValue::Array(joined_texts(&arrays, rows)?))
    }
}

/// `search(_time, 'error')`: never computed, only ever asked of a table.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SearchUdf {
    signature: Signature,
}

impl ScalarUDFImpl for SearchUdf {
    fn name(&self) -> &str {
        SEARCH
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        Err(ExecError::Unsupported {
            message: "search('...') can only stand in WHERE, as a condition on one table that is not on the outer side of a join".to_owned(),
            hint: "join it to the other conditions by AND".to_owned(),
        }
        .into())
    }
}
