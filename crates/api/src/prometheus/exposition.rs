//! Pages of metrics: Prometheus's text format, and its protobuf one, the only one that has native histograms.

use decode::ProtoWriter;
use decode::remote_read::put_buckets;
use model::FloatHistogram;
use promql::short_number;

/// Metrics of one name and kind.
#[derive(Debug)]
pub(super) struct Family<'a> {
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    pub(super) metrics: Vec<Shown<'a>>,
}

/// What kind of metrics a family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Untyped,
    Histogram,
    GaugeHistogram,
}

/// One sample.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    /// Without the name.
    pub(super) labels: Vec<(&'a str, &'a str)>,
    pub(super) time_ms: i64,
    pub(super) value: f64,
    pub(super) histogram: Option<&'a FloatHistogram>,
}

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Text in which names have letters, digits, underscores and colons alone; other characters become underscores.
    Text,
    /// Text in which any name may be, in quotes.
    TextUtf8,
    /// Messages `io.prometheus.client.MetricFamily`, each after its length.
    Protobuf,
}

impl Format {
    /// The best of an `Accept` header that is known; text otherwise.
    pub(super) fn negotiate(accept: &str) -> Self {
        let mut wanted: Vec<(f64, Self)> = accept.split(',').filter_map(clause).collect();
        // Stable: among equals the first is meant.
        wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
        wanted.first().map_or(Self::Text, |(_, format)| *format)
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8; escaping=underscores",
            Self::TextUtf8 => "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8",
            Self::Protobuf => {
                "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; \
                 escaping=allow-utf-8"
            }
        }
    }
}

/// One kind of the `Accept` header with its weight.
fn clause(text: &str) -> Option<(f64, Format)> {
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next()?;
    let params: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
    let param = |name: &str| params.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value);
    let weight = if param("q").is_empty() { 1.0 } else { param("q").parse().ok()? };
    let utf8 = param("escaping") == "allow-utf-8";
    let format = match kind {
        "application/vnd.google.protobuf"
            if param("proto") == "io.prometheus.client.MetricFamily"
                && ["", "delimited"].contains(&param("encoding")) =>
        {
            Format::Protobuf
        }
        "text/plain" if ["", "0.0.4", "1.0.0"].contains(&param("version")) && utf8 => Format::TextUtf8,
        "text/plain" if ["", "0.0.4", "1.0.0"].contains(&param("version")) => Format::Text,
        "*/*" | "text/*" => Format::Text,
        _ => return None,
    };
    Some((weight, format))
}

/// Writes a page.
pub(super) fn encode(families: &[Family<'_>], format: Format) -> Vec<u8> {
    if format == Format::Protobuf {
        return families.iter().flat_map(|family| message(family).finish_delimited()).collect();
    }
    let mut out = String::new();
    families.iter().for_each(|family| put_family(&mut out, family, format));
    out.into_bytes()
}

/// Text has no native histograms: those with custom bounds are shown as classic ones, those with exponential buckets are left
/// out.
fn put_family(out: &mut String, family: &Family<'_>, format: Format) {
    let shown = |one: &&Shown<'_>| one.histogram.is_none_or(FloatHistogram::is_custom);
    let mut metrics = family.metrics.iter().filter(shown).peekable();
    if metrics.peek().is_none() {
        return;
    }
    let kind = match family.kind {
        Kind::Untyped => "untyped",
        Kind::Histogram => "histogram",
        Kind::GaugeHistogram => "gaugehistogram",
    };
    let name = if is_plain(family.name, true) || format == Format::Text {
        escaped(family.name, true)
    } else {
        quoted(family.name)
    };
    out.push_str(&format!("# TYPE {name} {kind}\n"));
    for one in metrics {
        match one.histogram {
            None => put_line(out, family.name, one, None, one.value, format),
            Some(histogram) => put_classic(out, family.name, one, histogram, format),
        }
    }
}

fn put_classic(out: &mut String, name: &str, one: &Shown<'_>, histogram: &FloatHistogram, format: Format) {
    let bucket = format!("{name}_bucket");
    let mut sum = 0.0;
    let mut pairs = histogram.positive.pairs().peekable();
    for (index, bound) in (0i32..).zip(histogram.custom_values.iter()) {
        while let Some((_, count)) = pairs.next_if(|(at, _)| *at <= index) {
            sum += count;
        }
        put_line(out, &bucket, one, Some(&short_number(*bound)), sum, format);
    }
    put_line(out, &bucket, one, Some("+Inf"), histogram.count, format);
    put_line(out, &format!("{name}_sum"), one, None, histogram.sum, format);
    put_line(out, &format!("{name}_count"), one, None, histogram.count, format);
}

fn put_line(out: &mut String, name: &str, one: &Shown<'_>, le: Option<&str>, value: f64, format: Format) {
    let quote_name = format == Format::TextUtf8 && !is_plain(name, true);
    let mut inside: Vec<String> = Vec::new();
    if quote_name {
        inside.push(quoted(name));
    } else {
        out.push_str(&escaped(name, true));
    }
    for (label, value) in one.labels.iter().copied().chain(le.map(|le| ("le", le))) {
        let quote_label = format == Format::TextUtf8 && !is_plain(label, false);
        let label = if quote_label { quoted(label) } else { escaped(label, false) };
        inside.push(format!("{label}={}", quoted(value)));
    }
    if !inside.is_empty() {
        out.push_str(&format!("{{{}}}", inside.join(",")));
    }
    out.push_str(&format!(" {} {}\n", short_number(value), one.time_ms));
}

/// Whether a name can stand without quotes. Names of metrics may have colons.
fn is_plain(name: &str, colons: bool) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_' || colons && c == ':';
    !name.is_empty() && name.chars().all(known) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// A name whose other characters are underscores.
fn escaped(name: &str, colons: bool) -> String {
    if is_plain(name, colons) {
        return name.to_owned();
    }
    let known = |(at, c): (usize, char)| {
        c == '_' || colons && c == ':' || c.is_ascii_alphabetic() || c.is_ascii_digit() && at > 0
    };
    name.chars().enumerate().map(|(at, c)| if known((at, c)) { c } else { '_' }).collect()
}

fn quoted(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"");
    format!("\"{text}\"")
}

/// `io.prometheus.client.MetricFamily`.
fn message(family: &Family<'_>) -> ProtoWriter {
    /// Numbers of the kinds.
    const UNTYPED: u64 = 3;
    const HISTOGRAM: u64 = 4;
    const GAUGE_HISTOGRAM: u64 = 5;
    let mut out = ProtoWriter::default();
    out.bytes(1, family.name.as_bytes());
    out.varint(
        3,
        match family.kind {
            Kind::Untyped => UNTYPED,
            Kind::Histogram => HISTOGRAM,
            Kind::GaugeHistogram => GAUGE_HISTOGRAM,
        },
    );
    for one in &family.metrics {
        let mut metric = ProtoWriter::default();
        for (name, value) in &one.labels {
            let mut label = ProtoWriter::default();
            label.bytes(1, name.as_bytes());
            label.bytes(2, value.as_bytes());
            metric.message(1, &label);
        }
        match one.histogram {
            None => {
                let mut untyped = ProtoWriter::default();
                untyped.present_double(1, one.value);
                metric.message(5, &untyped);
            }
            Some(histogram) if histogram.is_custom() => metric.message(7, &classic_message(histogram)),
            Some(histogram) => metric.message(7, &native_message(histogram)),
        }
        metric.int(6, one.time_ms);
        out.message(4, &metric);
    }
    out
}

fn native_message(histogram: &FloatHistogram) -> ProtoWriter {
    let mut out = ProtoWriter::default();
    out.present_double(4, histogram.count);
    out.present_double(2, histogram.sum);
    out.zigzag(5, histogram.schema.into());
    out.present_double(6, histogram.zero_threshold);
    out.present_double(8, histogram.zero_count);
    put_buckets(&mut out, (9, 11), &histogram.negative);
    put_buckets(&mut out, (12, 14), &histogram.positive);
    out
}

fn classic_message(histogram: &FloatHistogram) -> ProtoWriter {
    let mut out = ProtoWriter::default();
    out.present_double(4, histogram.count);
    out.present_double(2, histogram.sum);
    let mut sum = 0.0;
    let mut pairs = histogram.positive.pairs().peekable();
    for (index, bound) in (0i32..).zip(histogram.custom_values.iter()) {
        while let Some((_, count)) = pairs.next_if(|(at, _)| *at <= index) {
            sum += count;
        }
        let mut bucket = ProtoWriter::default();
        bucket.present_double(4, sum);
        bucket.present_double(2, *bound);
        out.message(3, &bucket);
    }
    out
}
