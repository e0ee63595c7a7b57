//! Prometheus's text format, versions 0.0.4 and 1.0.0.

use model::MetricKind;

use super::lex::{Braces, Cursor, as_text, float, unescape, unescape_help};
use super::{ExpositionError, Fact, Point, PointValue, Series, Visitor};

const BRACES: Braces = Braces { strict: false, exemplar: false };

pub(super) fn read(body: &[u8], visitor: &mut impl Visitor) -> Result<(), ExpositionError> {
    let text = as_text(body, true)?;
    let mut cursor = Cursor::new(&text);
    // As in Prometheus, the kind said last holds for every series behind it, whatever its name.
    let mut kind = MetricKind::Unknown;
    loop {
        cursor.skip_blanks();
        cursor.start = cursor.at;
        match cursor.peek() {
            None => return Ok(()),
            Some(b'\n') => cursor.at += 1,
            Some(b'#') => comment(&mut cursor, &mut kind, visitor)?,
            Some(_) => {
                let point = point(&mut cursor, kind)?;
                if let Err(what) = visitor.point(point) {
                    return Err(cursor.error(what));
                }
                cursor.take(b'\n');
            }
        }
    }
}

fn comment(cursor: &mut Cursor<'_>, kind: &mut MetricKind, visitor: &mut impl Visitor) -> Result<(), ExpositionError> {
    cursor.take(b'#');
    let separated = matches!(cursor.peek(), Some(b' ' | b'\t'));
    cursor.skip_blanks();
    let help = separated && cursor.take_text("HELP");
    let known = help || (separated && cursor.take_text("TYPE"));
    if !known || !matches!(cursor.peek(), Some(b' ' | b'\t')) {
        cursor.rest_of_line();
        return Ok(());
    }
    cursor.skip_blanks();
    let name = if cursor.peek() == Some(b'"') { cursor.quoted(true) } else { cursor.metric_name() };
    let Some(name) = name else {
        return Err(cursor.expected(if help { "a metric name after HELP" } else { "a metric name after TYPE" }));
    };
    let name = unescape(name);
    // One blank separates; more are part of the text.
    let here = *cursor;
    let mut chars = cursor.rest_of_line().chars();
    chars.next();
    let said = chars.as_str();
    if help {
        visitor.metadata(&name, Fact::Help(&unescape_help(said)));
        return Ok(());
    }
    *kind = match said {
        "counter" => MetricKind::Counter,
        "gauge" => MetricKind::Gauge,
        "histogram" => MetricKind::Histogram,
        "summary" => MetricKind::Summary,
        "untyped" => MetricKind::Unknown,
        _ => return Err(here.error(format!("invalid metric type {said:?}"))),
    };
    visitor.metadata(&name, Fact::Kind(*kind));
    Ok(())
}

/// A sample, up to the end of its line.
fn point<'a>(cursor: &mut Cursor<'a>, kind: MetricKind) -> Result<Point<'a>, ExpositionError> {
    let start = cursor.at;
    let name_known = cursor.metric_name().is_some();
    let mut end = cursor.at;
    cursor.skip_blanks();
    if cursor.take(b'{') {
        let name_known = cursor.braces(BRACES, name_known)?;
        if !name_known {
            return Err(cursor.error("the metric name is not set"));
        }
        end = cursor.at;
    } else if !name_known {
        return Err(cursor.expected("a metric name or a comment"));
    }
    let series = cursor.text.get(start..end).unwrap_or_default();
    cursor.skip_blanks();
    let value = cursor.token(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'{'));
    if value.is_empty() {
        return Err(cursor.expected("a value after the metric"));
    }
    let Some(value) = float(value) else {
        return Err(cursor.error(format!("{value:?} is not a number")));
    };
    cursor.skip_blanks();
    let time_ms = time(cursor)?;
    let series = Series::written(series, kind);
    Ok(Point { series, time_ms, start_ms: 0, value: PointValue::Number(value), exemplars: Vec::new() })
}

fn time(cursor: &mut Cursor<'_>) -> Result<Option<i64>, ExpositionError> {
    if matches!(cursor.peek(), None | Some(b'\n')) {
        return Ok(None);
    }
    // The format's description has an example before 1970; Prometheus refuses it.
    let digits = cursor.token(|byte| !byte.is_ascii_digit());
    if digits.is_empty() {
        return Err(cursor.expected("a timestamp or the end of the line"));
    }
    let Ok(time_ms) = digits.parse() else {
        return Err(cursor.error(format!("the timestamp {digits} is beyond 64 bits")));
    };
    cursor.skip_blanks();
    if !matches!(cursor.peek(), None | Some(b'\n')) {
        return Err(cursor.expected("the end of the line after the timestamp"));
    }
    Ok(Some(time_ms))
}
