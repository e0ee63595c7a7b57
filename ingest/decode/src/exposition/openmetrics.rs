//! OpenMetrics text, version 1.0: stricter than Prometheus's format, with units, exemplars, start times and a mark at the end.

use model::{Labels, LabelsBuilder, METRIC_NAME, MetricKind};

use super::created::{StartTimes, has_start};
use super::lex::{Braces, Cursor, as_text, float, unescape};
use super::{EXEMPLAR_LABEL_CHARS_MAX, ExpositionError, Fact, Point, PointExemplar, PointValue, Series, Visitor};

const BRACES: Braces = Braces { strict: true, exemplar: false };
const EXEMPLAR_BRACES: Braces = Braces { strict: true, exemplar: true };

pub(super) fn read(body: &[u8], visitor: &mut impl Visitor) -> Result<(), ExpositionError> {
    let text = as_text(body, false)?;
    let mut starts = StartTimes::none();
    if StartTimes::are_in(&text) {
        walk(&text, &StartTimes::none(), &mut Collect(&mut starts))?;
    }
    let with_starts = !starts.is_empty();
    walk(&text, &starts, &mut Pass { visitor, skip_created: with_starts })
}

/// What happens with each sample: the first walk only looks for start times.
trait Walker {
    fn point(&mut self, point: Point<'_>) -> Result<(), String>;
    fn metadata(&mut self, name: &str, fact: Fact<'_>);
}

struct Collect<'a>(&'a mut StartTimes);

impl Walker for Collect<'_> {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        if let PointValue::Number(secs) = point.value
            && is_created(point.series)
        {
            self.0.keep(point.series, secs);
        }
        Ok(())
    }

    fn metadata(&mut self, _: &str, _: Fact<'_>) {}
}

struct Pass<'a, V> {
    visitor: &'a mut V,
    skip_created: bool,
}

impl<V: Visitor> Walker for Pass<'_, V> {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        if self.skip_created && is_created(point.series) {
            return Ok(());
        }
        self.visitor.point(point)
    }

    fn metadata(&mut self, name: &str, fact: Fact<'_>) {
        self.visitor.metadata(name, fact);
    }
}

fn is_created(series: Series<'_>) -> bool {
    if !has_start(series.kind()) {
        return false;
    }
    let mut created = false;
    series.each_label(|name, value| created |= name == METRIC_NAME && value.ends_with("_created"));
    created
}

fn walk(text: &str, starts: &StartTimes, walker: &mut impl Walker) -> Result<(), ExpositionError> {
    let mut cursor = Cursor::new(text);
    let mut kind = MetricKind::Unknown;
    loop {
        cursor.start = cursor.at;
        match cursor.peek() {
            None => return Err(ExpositionError::NoEof),
            Some(b'#') => {
                if comment(&mut cursor, &mut kind, walker)? {
                    return Ok(());
                }
            }
            Some(_) => {
                let mut point = point(&mut cursor, kind)?;
                point.start_ms = starts.of(point.series);
                if let Err(what) = walker.point(point) {
                    return Err(cursor.error(what));
                }
                if !cursor.take(b'\n') {
                    return Err(ExpositionError::NoEof);
                }
            }
        }
    }
}

/// A line of metadata; whether it is the last line.
fn comment(cursor: &mut Cursor<'_>, kind: &mut MetricKind, walker: &mut impl Walker) -> Result<bool, ExpositionError> {
    cursor.take(b'#');
    if !cursor.take(b' ') {
        return Err(cursor.expected("a space after `#`"));
    }
    if cursor.take_text("EOF") {
        cursor.take(b'\n');
        return if cursor.peek().is_none() { Ok(true) } else { Err(cursor.error("unexpected data after # EOF")) };
    }
    let word = ["HELP ", "TYPE ", "UNIT "].into_iter().find(|word| cursor.take_text(word));
    let Some(word) = word else {
        return Err(cursor.expected("HELP, TYPE, UNIT or EOF: OpenMetrics has no other comments"));
    };
    let name = if cursor.peek() == Some(b'"') { cursor.quoted(true) } else { cursor.metric_name() };
    let Some(name) = name else {
        return Err(cursor.expected(&format!("a metric name after {}", word.trim_end())));
    };
    let name = unescape(name);
    let here = *cursor;
    if !cursor.take(b' ') {
        return Err(cursor.expected(&format!("a text in {}", word.trim_end())));
    }
    let said = cursor.rest_of_line();
    if !cursor.text[..cursor.at].ends_with('\n') {
        return Err(ExpositionError::NoEof);
    }
    match word {
        "HELP " => walker.metadata(&name, Fact::Help(&unescape(said))),
        "UNIT " => {
            let fits = name.strip_suffix(said).is_some_and(|rest| rest.ends_with('_'));
            if !said.is_empty() && !fits {
                return Err(here.error(format!("unit {said:?} not a suffix of metric {name:?}")));
            }
            walker.metadata(&name, Fact::Unit(said));
        }
        _ => {
            *kind = kind_of(said).ok_or_else(|| here.error(format!("invalid metric type {said:?}")))?;
            walker.metadata(&name, Fact::Kind(*kind));
        }
    }
    Ok(false)
}

fn kind_of(word: &str) -> Option<MetricKind> {
    let kind = MetricKind::parse(word);
    (kind != MetricKind::Unknown || word == "unknown").then_some(kind)
}

/// A sample, up to the end of its line.
fn point<'a>(cursor: &mut Cursor<'a>, kind: MetricKind) -> Result<Point<'a>, ExpositionError> {
    let start = cursor.at;
    let mut name_known = cursor.metric_name().is_some();
    if cursor.take(b'{') {
        name_known = cursor.braces(BRACES, name_known)?;
        if !name_known {
            return Err(cursor.error("the metric name is not set"));
        }
    } else if !name_known {
        return Err(cursor.expected("a metric name or a comment"));
    }
    let series = cursor.since(start);
    let value = number(cursor, "a value after the metric")?;
    let mut exemplars = Vec::new();
    let mut time_ms = None;
    if !exemplar(cursor, &mut exemplars)? && cursor.peek() == Some(b' ') {
        time_ms = Some(time(cursor, "timestamp")?);
        exemplar(cursor, &mut exemplars)?;
    }
    if !matches!(cursor.peek(), None | Some(b'\n')) {
        return Err(cursor.expected("a timestamp, an exemplar or the end of the line"));
    }
    let series = Series::written(series, kind);
    Ok(Point { series, time_ms, start_ms: 0, value: PointValue::Number(value), exemplars })
}

/// One space and a number.
fn number(cursor: &mut Cursor<'_>, what: &str) -> Result<f64, ExpositionError> {
    if !cursor.take(b' ') {
        return Err(cursor.expected(what));
    }
    let text = cursor.token(|byte| matches!(byte, b' ' | b'\n'));
    if text.is_empty() {
        return Err(cursor.expected(what));
    }
    float(text).ok_or_else(|| cursor.error(format!("{text:?} is not a number")))
}

/// Seconds, as milliseconds.
fn time(cursor: &mut Cursor<'_>, what: &str) -> Result<i64, ExpositionError> {
    let secs = number(cursor, &format!("a {what}"))?;
    if !secs.is_finite() {
        return Err(cursor.error(format!("invalid {what} {secs}")));
    }
    Ok((secs * 1000.0) as i64)
}

/// An exemplar, where one stands here.
fn exemplar(cursor: &mut Cursor<'_>, exemplars: &mut Vec<PointExemplar>) -> Result<bool, ExpositionError> {
    if !cursor.take_text(" # {") {
        return Ok(false);
    }
    let from = cursor.at;
    cursor.braces(EXEMPLAR_BRACES, true)?;
    let labels = exemplar_labels(cursor.since(from));
    let value = number(cursor, "a value after the exemplar's labels")?;
    let time_ms = match cursor.peek() {
        Some(b' ') => Some(time(cursor, "exemplar timestamp")?),
        _ => None,
    };
    if let Some(labels) = labels {
        exemplars.push(PointExemplar { labels, value, time_ms });
    }
    Ok(true)
}

/// The labels between braces; `None` where they are longer than an exemplar may have them.
fn exemplar_labels(text: &str) -> Option<Labels> {
    let mut builder = LabelsBuilder::default();
    let mut chars = 0;
    let mut cursor = Cursor::new(text);
    loop {
        let name = if cursor.peek() == Some(b'"') { cursor.quoted(true) } else { cursor.label_name() };
        let Some(name) = name else { break };
        cursor.take(b'=');
        let (name, value) = (unescape(name), unescape(cursor.quoted(true).unwrap_or_default()));
        chars += name.chars().count() + value.chars().count();
        builder.set(&*name, &*value);
        cursor.take(b',');
    }
    (chars <= EXEMPLAR_LABEL_CHARS_MAX).then(|| builder.build())
}
