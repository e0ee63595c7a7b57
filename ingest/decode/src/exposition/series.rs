//! A series as a body names it, and its labels.

use std::borrow::Cow;

use model::{METRIC_NAME, MetricKind};

use super::lex::{Cursor, unescape};

/// Parts of a key of [`Form::Parts`]; no UTF-8 text has this byte.
const SEPARATOR: u8 = 0xff;

/// A series as a body names it.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    key: &'a [u8],
    form: Form,
    kind: MetricKind,
}

/// How a key says which labels there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `name{label="value"}` as it stands in the body, already found to be good.
    Written,
    /// Name and value of each label, with separators.
    Parts,
}

impl<'a> Series<'a> {
    pub(super) fn written(text: &'a str, kind: MetricKind) -> Self {
        Self { key: text.as_bytes(), form: Form::Written, kind }
    }

    pub(super) fn of_parts(key: &'a [u8], kind: MetricKind) -> Self {
        Self { key, form: Form::Parts, kind }
    }

    /// The bytes that name it. The same series may be named in other ways, but in one body format these bytes name one series.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// What kind of metric it belongs to, as far as the body has said.
    pub fn kind(&self) -> MetricKind {
        self.kind
    }

    /// Calls with name and value of each label, the metric's name among them as `__name__`, in the order of the body. Values of `le`
    /// and `quantile` are written as OpenMetrics writes them, so that `1` and `1.0` are one series.
    pub fn each_label(&self, mut each: impl FnMut(Cow<'a, str>, Cow<'a, str>)) {
        let kind = self.kind;
        let mut each = |name: Cow<'a, str>, value: Cow<'a, str>| {
            let value = canonical(kind, &name, value);
            each(name, value);
        };
        match self.form {
            Form::Written => written_labels(self.key, &mut each),
            Form::Parts => {
                let mut parts = self.key.split(|byte| *byte == SEPARATOR).map(str_of);
                while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                    each(Cow::Borrowed(name), Cow::Borrowed(value));
                }
            }
        }
    }
}

/// Adds a label to a key of parts.
pub(super) fn push_part(key: &mut Vec<u8>, name: &str, value: &str) {
    if !key.is_empty() {
        key.push(SEPARATOR);
    }
    key.extend_from_slice(name.as_bytes());
    key.push(SEPARATOR);
    key.extend_from_slice(value.as_bytes());
}

fn str_of(bytes: &[u8]) -> &str {
    // A key is made of texts.
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn written_labels<'a>(key: &'a [u8], each: &mut impl FnMut(Cow<'a, str>, Cow<'a, str>)) {
    let mut cursor = Cursor::new(str_of(key));
    cursor.skip_blanks();
    if let Some(name) = cursor.metric_name() {
        each(Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name));
    }
    cursor.skip_blanks();
    if !cursor.take(b'{') {
        return;
    }
    loop {
        cursor.skip_blanks();
        let name = match cursor.peek() {
            Some(b'"') => cursor.quoted(true),
            _ => cursor.label_name(),
        };
        let Some(name) = name else { return };
        cursor.skip_blanks();
        if cursor.take(b'=') {
            cursor.skip_blanks();
            let value = cursor.quoted(true).unwrap_or_default();
            each(unescape(name), unescape(value));
            cursor.skip_blanks();
        } else {
            each(Cow::Borrowed(METRIC_NAME), unescape(name));
        }
        cursor.take(b',');
    }
}

fn canonical<'a>(kind: MetricKind, name: &str, value: Cow<'a, str>) -> Cow<'a, str> {
    let bound = match kind {
        MetricKind::Summary => name == "quantile",
        MetricKind::Histogram => name == "le",
        _ => false,
    };
    if !bound {
        return value;
    }
    match super::lex::float(&value) {
        Some(number) => {
            let text = open_metrics_float(number);
            if *text == *value { value } else { Cow::Owned(text) }
        }
        None => value,
    }
}

/// A number as OpenMetrics writes it in labels: with a point, so that whole numbers have one form.
pub(super) fn open_metrics_float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // As Go's shortest %g: exponents below -4 and from 6 on are written out.
    let text = format!("{number:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, power) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    let large = power.parse::<u32>().is_ok_and(|power| power > if sign == '-' { 4 } else { 5 });
    // Rust writes `1e-5`, Go `1e-05`.
    let text = if large { format!("{digits}e{sign}{power:0>2}") } else { format!("{number}") };
    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_written_as_openmetrics_writes_them() {
        for (number, wanted) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (0.005, "0.005"),
            (1e-5, "1e-05"),
            (2.5e-7, "2.5e-07"),
            (100_000.0, "100000.0"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (999_999.9, "999999.9"),
            (-12.0, "-12.0"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(open_metrics_float(number), wanted);
        }
    }
}
