//! Properties over generated programs and rows.

use std::borrow::Cow;

use lang::{BinaryOp, Expr, FUNCTIONS, FormatPart, FormatStyle, Kind, Pipe, PipeKind, Query, Span};
use proptest::prelude::*;

use super::NOW;
use crate::limits::TEXT_BYTES_MAX;
use crate::{Program, Template, Value, compare};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9 ]{0,6}",
        "\\PC{0,6}",
        "-?[0-9]{1,20}(\\.[0-9]{1,3})?(e-?[0-9]{1,3})?",
        prop::sample::select(vec![
            "",
            "inf",
            "nan",
            "-0",
            "5m",
            "1h30m",
            "10MiB",
            "2026-11-23T09:00:00Z",
            "10.0.0.0/8",
            "::1",
            "10.1.2.3",
            "(a)(b)?",
            "\\d+",
            "$1$0",
            "{}",
            "{:.2}",
            "%Y-%m-%d",
            "%",
            "UTC",
            "Europe/Berlin",
            "a.b[0]",
            "[-1]",
            r#"{"a":{"b":[1,2]}}"#,
            r#"["x",1,null]"#,
            "http://u@h:1/p?a=b#c",
            "true",
            "ERROR",
            "größe",
            "👩‍👩‍👧",
            "a%20b+",
            "Z3I",
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value<'static>> {
    prop_oneof![
        Just(Value::Missing),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-20i64..20).prop_map(Value::Int),
        any::<f64>().prop_map(Value::Number),
        any::<i64>().prop_map(Value::Time),
        text().prop_map(|text| Value::Text(Cow::Owned(text))),
        text().prop_map(|text| Value::Json(Cow::Owned(text))),
    ]
}

fn expr() -> impl Strategy<Value = Expr> {
    let op = prop::sample::select(BinaryOp::ALL.to_vec());
    let function = prop::sample::select(FUNCTIONS.to_vec());
    let leaf = prop_oneof![
        Just(Expr::Null),
        any::<bool>().prop_map(Expr::Bool),
        (0..100i64).prop_map(Expr::Integer),
        (0..=i64::MAX).prop_map(Expr::Integer),
        (0f64..1e300).prop_map(Expr::number),
        prop::sample::select(NAMES.to_vec()).prop_map(|name| Expr::Field(name.to_owned())),
        text().prop_map(Expr::text),
    ];
    leaf.prop_recursive(4, 24, 3, move |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|inner| Expr::Negate(Box::new(inner))),
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
            (inner.clone(), op.clone(), inner.clone()).prop_map(|(a, op, b)| Expr::Binary(
                Box::new(a),
                op,
                Box::new(b)
            )),
            parts().prop_map(Expr::And),
            parts().prop_map(Expr::Or),
            call(function.clone(), inner.clone()),
            call(function.clone(), inner.clone()),
            call(function.clone(), inner),
        ]
    })
}

/// A call; its constants are often of the right kind, so that programs are more than errors.
fn call(
    function: impl Strategy<Value = lang::FunctionSpec>,
    inner: impl Strategy<Value = Expr>,
) -> impl Strategy<Value = Expr> {
    (function, prop::collection::vec((inner, text()), 8), any::<bool>()).prop_map(|(spec, parts, more)| {
        let count = spec.arguments_max().unwrap_or(8).min(spec.arguments_min() + usize::from(more));
        let arguments = parts.into_iter().take(count).enumerate().map(|(at, (inner, text))| {
            match spec.param(at).map(|param| param.kind) {
                Some(Kind::Pattern | Kind::TimeFormat | Kind::Zone | Kind::Template) => Expr::text(text),
                _ => inner,
            }
        });
        Expr::call(spec.function, arguments.collect())
    })
}

/// The text of an expression, read again.
fn reread(expr: &Expr) -> Option<Expr> {
    let columns = vec![("x".to_owned(), expr.clone())];
    let pipe = Pipe { kind: PipeKind::Eval(columns), span: Span::default() };
    let text = lang::format(&Query { pipes: vec![pipe], ..Query::default() });
    let (query, diagnostics) = lang::parse(&text, NOW);
    if diagnostics.iter().any(lang::Diagnostic::is_error) {
        return None;
    }
    match query.pipes.into_iter().next()?.kind {
        PipeKind::Eval(mut columns) => Some(columns.remove(0).1),
        _ => None,
    }
}

/// The kind of column that a value comes from; missing values may come from any, texts hold missing ones too.
fn kind_of(value: &Value<'_>) -> Kind {
    match value {
        Value::Missing | Value::Text(_) => Kind::Text,
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Integer,
        Value::Number(_) => Kind::Number,
        Value::Time(_) => Kind::Time,
        Value::Json(_) => Kind::Json,
    }
}

/// Whether a value may stand in a column of a kind.
fn fits(value: &Value<'_>, kind: Kind) -> bool {
    match (kind, value) {
        (Kind::Any, _) | (_, Value::Missing) => true,
        (Kind::Integer, Value::Number(_)) => value.as_i64().is_none(),
        (Kind::Number, Value::Int(_)) => true,
        (kind, value) => kind_of(value) == kind,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn no_program_panics_and_none_grows_without_end(expr in expr(), row in prop::collection::vec(value(), NAMES.len())) {
        let names = NAMES.map(str::to_owned);
        let Ok(program) = Program::new(&expr, &names, NOW) else { return Ok(()) };
        let value = program.eval(&|at| row[at].borrowed());
        prop_assert_eq!(value.holds(), program.holds(&|at| row[at].borrowed()));
        if let Value::Number(number) = &value {
            let given = row.iter().any(|given| matches!(given, Value::Number(n) if !n.is_finite()));
            prop_assert!(number.is_finite() || given, "{:?}", number);
        }
        let kind = program.kind(&|at| kind_of(&row[at]));
        prop_assert!(fits(&value, kind), "{value:?} is no {kind:?}");
        let bytes = value.into_text().map_or(0, |text| text.len());
        prop_assert!(bytes <= TEXT_BYTES_MAX * 3);
        // The canonical text means the same.
        if let Some(again) = reread(&expr) {
            let again = Program::new(&again, &names, NOW);
            prop_assert!(again.is_ok(), "{:?}", again);
            let again = again.map_err(|error| TestCaseError::fail(error.to_string()))?;
            let (one, two) = (program.eval(&|at| row[at].borrowed()), again.eval(&|at| row[at].borrowed()));
            prop_assert_eq!(format!("{one:?}"), format!("{two:?}"));
        }
    }

    #[test]
    fn a_table_of_items_says_what_comparing_says(value in value(), items in prop::collection::vec(value(), 0..12)) {
        let table = crate::items::Items::new(items.clone());
        let one_by_one = items.iter().any(|item| compare::equal(&value, item));
        prop_assert_eq!(table.contains(&value), one_by_one);
    }

    #[test]
    fn order_and_equality_agree(a in value(), b in value()) {
        prop_assert_eq!(compare::equal(&a, &b), compare::equal(&b, &a));
        prop_assert_eq!(compare::order(&a, &b), compare::order(&b, &a).map(std::cmp::Ordering::reverse));
        prop_assert_eq!(compare::total_order(&a, &b), compare::total_order(&b, &a).reverse());
        if compare::order(&a, &b).is_some_and(|order| !order.is_eq()) {
            prop_assert!(!compare::equal(&a, &b));
        }
    }

    #[test]
    fn no_template_panics(
        fields in prop::collection::vec((0..NAMES.len(), prop::sample::select(FormatStyle::ALL.to_vec())), 0..6),
        row in prop::collection::vec(value(), NAMES.len()),
    ) {
        let part = |(at, style): &(usize, FormatStyle)| FormatPart::Field { name: NAMES[*at].to_owned(), style: *style };
        let parts: Vec<FormatPart> = fields.iter().map(part).collect();
        let template = Template::of_parts(&parts, &NAMES.map(str::to_owned));
        prop_assert!(template.is_ok_and(|template| matches!(template.render(&|at| row[at].borrowed()), Value::Text(_))));
    }
}
