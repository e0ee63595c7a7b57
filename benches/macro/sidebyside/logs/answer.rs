//! Answers of different engines in one form, so that they can be compared.

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use super::questions::Shape;
use crate::workload::Table;

/// A row as an engine sent it, under the names that Backstop uses.
pub(crate) type Row = Map<String, Value>;

/// Digits of a number that must agree: sums of floats depend on their order.
const DIGITS: usize = 9;

/// Brings rows into one form: only what was asked for, times in nanoseconds, numbers with the same digits, sorted.
pub(crate) fn normalise(rows: &[Row], shape: Shape) -> Result<Table> {
    let columns: &[&str] = match shape {
        Shape::Lines => &["_time", "body"],
        Shape::Table(columns) => columns,
    };
    let mut table = Vec::with_capacity(rows.len());
    for row in rows {
        let cells = columns.iter().map(|column| cell(column, row.get(*column).unwrap_or(&Value::Null)));
        table.push(cells.collect::<Result<Vec<String>>>()?);
    }
    table.sort_unstable();
    Ok(table)
}

fn cell(column: &str, value: &Value) -> Result<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match column {
        "_time" => time(&text),
        "body" => Ok(text),
        _ => Ok(text.parse::<f64>().map_or(text, number)),
    }
}

fn time(text: &str) -> Result<String> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    let time: jiff::Timestamp = text.parse().with_context(|| format!("time {text:?}"))?;
    Ok(time.as_nanosecond().to_string())
}

fn number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number}") } else { format!("{number:.DIGITS$e}") }
}

/// Name under which rows of every engine have the field `from`.
pub(crate) fn rename(row: &mut Row, from: &str, to: &str) {
    if let Some(value) = row.remove(from) {
        row.insert(to.to_owned(), value);
    }
}

/// Reads rows of NDJSON.
pub(crate) fn ndjson(body: &[u8]) -> Result<Vec<Row>> {
    let lines = body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).with_context(|| String::from_utf8_lossy(line).into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_form_for_what_engines_write_differently() {
        let ours = ndjson(br#"{"service.name":"b","mean":0.30000000000000004,"extra":1}"#).expect("rows");
        let theirs = ndjson(br#"{"service.name":"b","mean":"0.3"}"#).expect("rows");
        let shape = Shape::Table(&["service.name", "mean"]);
        assert_eq!(normalise(&ours, shape).expect("table"), normalise(&theirs, shape).expect("table"));
    }

    #[test]
    fn times_are_nanoseconds() {
        assert_eq!(cell("_time", &json!("1970-01-01T00:00:01.5Z")).expect("time"), "1500000000");
        assert_eq!(cell("_time", &json!("1500000000")).expect("time"), "1500000000");
    }
}
