//! Golden tables: expressions over one row in, values out.

mod conversions;
mod errors;
mod functions;
mod kinds;
mod properties;
mod templates;
mod values;

use std::borrow::Cow;

use expect_test::Expect;
use lang::{Expr, PipeKind};
use model::Timestamp;

use crate::{ComputeError, Program, Value};

/// 2026-11-23T09:00:00Z.
const NOW: Timestamp = Timestamp(1_795_424_400_000_000_000);

/// The columns of the row that expressions are asked of.
fn row() -> Vec<(String, Value<'static>)> {
    let text = |text: &'static str| Value::Text(Cow::Borrowed(text));
    let columns = [
        ("empty", text("")),
        ("gone", Value::Missing),
        ("body", text("user=ana id=17 took 31 ms from 10.1.2.3")),
        ("status", text("503")),
        ("ratio", text(" 0.25 ")),
        ("word", text("größe")),
        ("big", text("9007199254740993")),
        ("wide", text("18446744073709551615")),
        ("int", Value::Int(9_007_199_254_740_993)),
        ("float", Value::Number(2.5)),
        ("nan", Value::Number(f64::NAN)),
        ("inf", Value::Number(f64::INFINITY)),
        ("yes", Value::Bool(true)),
        ("yes_text", text("TRUE")),
        ("time", Value::Time(NOW.0 - 90_000_000_000)),
        ("time_text", text("2026-11-23T08:58:30Z")),
        ("took", text("1h30m")),
        ("list", Value::Json(Cow::Borrowed(r#"["a","b",3]"#))),
        (
            "json",
            text(
                r#"{"a":{"b":[1,{"c":"x"},null,18446744073709551615]},"k.d":true,"a b":"y","n":9007199254740993,"a":{"b":[7,8]}}"#,
            ),
        ),
        ("ip", text("10.1.2.3")),
        ("url", text("https://ana:pw@Shop.Example.co.uk:8443/cart/7?q=red+shoe&q=2&e=%C3%BC&flag#top")),
        ("level", text("warning")),
    ];
    columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The tree of an expression's text.
fn tree(text: &str) -> Expr {
    let query = format!("* | eval x = {text}");
    let (query, diagnostics) = lang::parse(&query, NOW);
    assert!(diagnostics.is_empty(), "{text}: {diagnostics:?}");
    match query.pipes.into_iter().next().map(|pipe| pipe.kind) {
        Some(PipeKind::Eval(mut columns)) => columns.remove(0).1,
        other => panic!("{text} is {other:?}"),
    }
}

/// What an expression is worth for [`row`].
fn eval(text: &str) -> Result<Value<'static>, ComputeError> {
    let row = row();
    let names: Vec<String> = row.iter().map(|(name, _)| name.clone()).collect();
    let program = Program::new(&tree(text), &names, NOW)?;
    Ok(program.eval(&|at| row[at].1.borrowed()).into_owned())
}

/// A value with its kind: texts in quotes, times after `@`, JSON after `json`.
fn shown(value: Value<'_>) -> String {
    match value {
        Value::Missing => "missing".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Time(ns) => format!("@{}", Timestamp(ns)),
        Value::Json(text) => format!("json {text}"),
        Value::Number(n) => format!("{n:?}"),
        other => other.into_text().unwrap_or_default().into_owned(),
    }
}

/// Each line is an expression; what it is worth comes behind it.
fn check(expressions: &str, expect: Expect) {
    let mut out = String::new();
    for text in expressions.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let value = match eval(text) {
            Ok(value) => shown(value),
            Err(error) => format!("error: {error}"),
        };
        out.push_str(&format!("{text} => {value}\n"));
    }
    expect.assert_eq(&out);
}
