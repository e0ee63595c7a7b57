//! Conditions, and questions about what a value is.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, many, maybe, one};

const VALUE: Param = one("value", Kind::Any);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(If, "if", Kind::Any, "The second value when a condition holds, else the third.")
        .also(&["iif", "iff"])
        .takes(&[one("condition", Kind::Bool), one("then", Kind::Any), maybe("else", Kind::Any)])
        .doc("Without a third it is missing then.")
        .examples(&[(r#"if(503 >= 500, "bad", "good")"#, "bad")]),
    FunctionSpec::new(Case, "case", Kind::Any, "The value after the first condition that holds.")
        .takes(&[
            one("condition", Kind::Bool),
            one("value", Kind::Any),
            Param { optional: true, ..many("more", Kind::Any) },
        ])
        .doc("Conditions and values take turns; a last value without a condition stands for all other rows.")
        .examples(&[
            (r#"case(404 >= 500, "server", 404 >= 400, "client", "fine")"#, "client"),
            ("case(false, 1)", "null"),
        ]),
    FunctionSpec::new(Coalesce, "coalesce", Kind::Any, "The first value that is not missing and not an empty text.")
        .also(&["nvl", "ifnull"])
        .takes(&[many("value", Kind::Any)])
        .examples(&[(r#"coalesce(null, "", "a")"#, "a")]),
    FunctionSpec::new(In, "in", Kind::Bool, "Whether a value is one of several.")
        .takes(&[VALUE, many("item", Kind::Any)])
        .doc("Also written `value in (a, b)` and `value not in (a, b)`. In a filter `in(...)` tests `body`.")
        .examples(&[("2 in (1, 2)", "true"), (r#""a" not in ("b", "c")"#, "true")]),
    FunctionSpec::new(IsMissing, "is_missing", Kind::Bool, "Whether a value is missing or an empty text.")
        .also(&["is_null", "isnull", "is_empty", "isempty"])
        .takes(&[VALUE])
        .examples(&[("is_missing(null)", "true"), (r#"is_missing("a")"#, "false")]),
    FunctionSpec::new(Exists, "exists", Kind::Bool, "Whether a value is there and not an empty text.")
        .also(&["is_not_null", "isnotnull", "isnotempty"])
        .takes(&[VALUE])
        .examples(&[("exists(0)", "true"), (r#"exists("")"#, "false")]),
    FunctionSpec::new(TypeOf, "typeof", Kind::Text, "What a value is: missing, bool, number, time, list or text.")
        .also(&["type"])
        .takes(&[VALUE])
        .doc("Fields of logs are mostly text; a text that is a number still says text.")
        .examples(&[("typeof(1)", "number"), (r#"typeof("1")"#, "text"), ("typeof(null)", "missing")]),
    FunctionSpec::new(
        SeverityNumber,
        "severity_number",
        Kind::Integer,
        "OpenTelemetry's number of a severity, to compare severities by.",
    )
    .takes(&[one("severity", Kind::Text)])
    .doc("TRACE 1, DEBUG 5, INFO 9, WARN 13, ERROR 17, FATAL 21; also words such as `warning` and `crit`.")
    .examples(&[(r#"severity_number("ERROR") >= severity_number("warning")"#, "true")]),
];
