//! Names of metrics and labels: OpenTelemetry's "OTLP metric points to Prometheus" (compatibility/prometheus_and_openmetrics),
//! as Prometheus's otlptranslator implements it: four strategies, [`Translation`], of which the first is the default.

/// How names of OTLP become names of metrics and labels. The texts are Prometheus's (`otlp.translation_strategy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Translation {
    /// Other characters become underscores, unit and type are suffixes: `http_server_duration_seconds`.
    #[default]
    UnderscoreEscapingWithSuffixes,
    /// Other characters become underscores: `http_server_duration`.
    UnderscoreEscapingWithoutSuffixes,
    /// Names keep their characters, unit and type are suffixes: `http.server.duration_seconds`.
    NoUtf8EscapingWithSuffixes,
    /// Names stay as they are. Metrics that differ in unit or type alone fall together.
    NoTranslation,
}

impl Translation {
    /// All of them, by the text in settings.
    pub const ALL: [(&'static str, Self); 4] = [
        ("UnderscoreEscapingWithSuffixes", Self::UnderscoreEscapingWithSuffixes),
        ("UnderscoreEscapingWithoutSuffixes", Self::UnderscoreEscapingWithoutSuffixes),
        ("NoUTF8EscapingWithSuffixes", Self::NoUtf8EscapingWithSuffixes),
        ("NoTranslation", Self::NoTranslation),
    ];

    /// Reads the text.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == text).map(|(_, translation)| translation)
    }

    /// The name of a metric; `None` when nothing of it can be kept.
    pub fn metric(self, name: &str, unit: &str, kind: SuffixKind) -> Option<String> {
        match self {
            Self::UnderscoreEscapingWithSuffixes => metric_name(name, unit, kind),
            Self::UnderscoreEscapingWithoutSuffixes => escaped(name),
            Self::NoUtf8EscapingWithSuffixes => Some(with_suffixes(name, unit, kind)),
            Self::NoTranslation => Some(name.to_owned()),
        }
    }

    /// The name of a label.
    pub fn label(self, name: &str) -> String {
        match self {
            Self::UnderscoreEscapingWithSuffixes | Self::UnderscoreEscapingWithoutSuffixes => label_name(name),
            Self::NoUtf8EscapingWithSuffixes | Self::NoTranslation => name.to_owned(),
        }
    }
}

/// What the suffix of a metric's name depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuffixKind {
    /// A monotonic sum: `_total`.
    MonotonicSum,
    /// A gauge: `_ratio` for the unit `1`.
    Gauge,
    /// Any other.
    Other,
}

/// UCUM units and the words that Prometheus uses for them.
const UNITS: [(&str, &str); 26] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// Units behind a slash.
const PER_UNITS: [(&str, &str); 7] =
    [("s", "second"), ("m", "minute"), ("h", "hour"), ("d", "day"), ("w", "week"), ("mo", "month"), ("y", "year")];

/// The name of a metric with its unit and type as suffixes; `None` when nothing of the name is left. There otlptranslator goes
/// on with the suffixes alone, so that two such metrics would be one.
pub fn metric_name(name: &str, unit: &str, kind: SuffixKind) -> Option<String> {
    let mut tokens: Vec<&str> =
        name.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').filter(|token| !token.is_empty()).collect();
    if tokens.is_empty() {
        return None;
    }
    let (main, per) = unit_words(unit);
    let (main, per) = (clean(&main), clean(&per));
    if !main.is_empty() && !tokens.contains(&main.as_str()) {
        tokens.push(&main);
    }
    if !per.is_empty() {
        tokens.extend(["per", &per]);
    }
    let suffix = match kind {
        SuffixKind::MonotonicSum => Some("total"),
        SuffixKind::Gauge if unit == "1" => Some("ratio"),
        SuffixKind::Gauge | SuffixKind::Other => None,
    };
    if let Some(suffix) = suffix {
        tokens.retain(|token| *token != suffix);
        tokens.push(suffix);
    }
    let name = tokens.join("_");
    Some(if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name })
}

/// A name without suffixes. Runs of characters that names can not have become one underscore; underscores stay.
fn escaped(name: &str) -> Option<String> {
    let tokens: Vec<&str> = name
        .split(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '_')
        .filter(|token| !token.is_empty())
        .collect();
    let name = tokens.join("_");
    if name.chars().all(|c| c == '_') {
        return None;
    }
    Some(if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name })
}

/// A name with its characters and the suffixes of unit and type, each once, from the inside out.
fn with_suffixes(name: &str, unit: &str, kind: SuffixKind) -> String {
    let (main, per) = unit_words(unit);
    let per = if per.is_empty() { per } else { format!("per_{per}") };
    let suffix = match kind {
        SuffixKind::MonotonicSum => "total",
        SuffixKind::Gauge if unit == "1" => "ratio",
        SuffixKind::Gauge | SuffixKind::Other => "",
    };
    let mut name = without_suffix(without_suffix(name, suffix), &per).to_owned();
    let main = if name.ends_with(&main) { String::new() } else { main };
    for part in [main.as_str(), &per, suffix] {
        if !part.is_empty() {
            name.push('_');
            name.push_str(part);
        }
    }
    name
}

/// A name without a suffix and the character before it, whatever that is; names that are nothing else stay.
fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    let Some(front) = name.strip_suffix(suffix).filter(|_| !suffix.is_empty()) else { return name };
    match front.char_indices().next_back() {
        Some((at, _)) if at > 0 => &front[..at],
        _ => name,
    }
}

/// The unit in Prometheus's words: `seconds`, `bytes_per_second`; empty for none.
pub fn unit_name(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    let (main, per) = (clean(&main), clean(&per));
    match (main.is_empty(), per.is_empty()) {
        (_, true) => main,
        (true, false) => format!("per_{per}"),
        (false, false) => format!("{main}_per_{per}"),
    }
}

/// The words of a unit and of what is behind its slash. An annotation in braces says nothing: `{request}` has no word.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let word = |part: &str, words: &[(&str, &str)]| {
        let part = part.trim();
        if part.contains(['{', '}']) {
            return String::new();
        }
        words.iter().find(|(symbol, _)| *symbol == part).map_or(part, |(_, word)| word).to_owned()
    };
    (word(main, &UNITS), word(per, &PER_UNITS))
}

/// Replaces each run of characters that names can not have by one underscore, none of them at the ends.
fn clean(word: &str) -> String {
    let parts: Vec<&str> =
        word.split(|c: char| !c.is_ascii_alphanumeric() && c != ':').filter(|part| !part.is_empty()).collect();
    parts.join("_")
}

/// The name of a label: each character that labels can not have becomes an underscore; `key_` before a digit.
pub fn label_name(name: &str) -> String {
    let mut out: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if out.starts_with(|c: char| c.is_ascii_digit()) {
        out.insert_str(0, "key_");
    } else if out.starts_with('_') && !out.starts_with("__") {
        out.insert_str(0, "key");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names, units and answers that otlptranslator's tests and source give (its metric_namer.go, November 2026).
    #[test]
    fn names_are_prometheuss() {
        use SuffixKind::{Gauge, MonotonicSum, Other};
        for (name, unit, kind, want) in [
            ("requests", "", MonotonicSum, "requests_total"),
            ("requests_total", "", MonotonicSum, "requests_total"),
            ("total.requests", "1", MonotonicSum, "requests_total"),
            ("items", "1", MonotonicSum, "items_total"),
            ("cpu_usage", "1", Gauge, "cpu_usage_ratio"),
            ("cpu_usage_ratio", "1", Gauge, "cpu_usage_ratio"),
            ("queue.length", "1", Other, "queue_length"),
            ("response_time", "ms", Gauge, "response_time_milliseconds"),
            ("response_time_seconds", "s", Gauge, "response_time_seconds"),
            ("request_duration", "s", Other, "request_duration_seconds"),
            ("memory_usage", "By", Gauge, "memory_usage_bytes"),
            ("requests", "1/s", Gauge, "requests_per_second"),
            ("requests", "1/s", MonotonicSum, "requests_per_second_total"),
            ("throughput", "By/s", Gauge, "throughput_bytes_per_second"),
            ("second.hand", "m/s", Gauge, "second_hand_meters_per_second"),
            ("custom_metric", "custom_unit", Gauge, "custom_metric_custom_unit"),
            ("custom_metric", "{custom}", Gauge, "custom_metric"),
            ("custom_metric", "By/{custom}", Gauge, "custom_metric_bytes"),
            ("custom_metric", "unit@with#special/chars", Gauge, "custom_metric_unit_with_special_per_chars"),
            ("metric__with__underscores", "unit__twice", Gauge, "metric_with_underscores_unit_twice"),
            ("disk.used", "%", Gauge, "disk_used_percent"),
            ("123_requests", "", Other, "_123_requests"),
            ("job:rate:sum", "", Other, "job:rate:sum"),
        ] {
            assert_eq!(metric_name(name, unit, kind).as_deref(), Some(want), "{name} {unit} {kind:?}");
        }
        assert_eq!(metric_name("日本", "s", Other), None);
    }

    /// The other three strategies, by the source of otlptranslator's metric_namer.go and the examples of Prometheus's guide.
    #[test]
    fn strategies() {
        use SuffixKind::{Gauge, MonotonicSum, Other};
        for (name, unit, kind, want) in [
            ("http.server.duration", "s", Other, ["http_server_duration", "http.server.duration_seconds"]),
            ("requests", "", MonotonicSum, ["requests", "requests_total"]),
            ("requests.total", "By/s", MonotonicSum, ["requests_total", "requests_bytes_per_second_total"]),
            ("a.__b", "1", Gauge, ["a___b", "a.__b_ratio"]),
            ("8.seconds", "s", Other, ["_8_seconds", "8.seconds"]),
            ("total", "", MonotonicSum, ["total", "total_total"]),
            ("mem.é", "{page}", Other, ["mem", "mem.é"]),
        ] {
            let strategies = [Translation::UnderscoreEscapingWithoutSuffixes, Translation::NoUtf8EscapingWithSuffixes];
            for (strategy, want) in strategies.into_iter().zip(want) {
                assert_eq!(strategy.metric(name, unit, kind).as_deref(), Some(want), "{name} {unit} {strategy:?}");
            }
            assert_eq!(Translation::NoTranslation.metric(name, unit, kind).as_deref(), Some(name));
        }
        assert_eq!(Translation::UnderscoreEscapingWithoutSuffixes.metric("日本", "s", Other), None);
        assert_eq!(Translation::NoTranslation.label("service.name"), "service.name");
        assert_eq!(Translation::UnderscoreEscapingWithoutSuffixes.label("service.name"), "service_name");
        for (text, translation) in Translation::ALL {
            assert_eq!(Translation::parse(text), Some(translation));
        }
        assert_eq!(Translation::parse("no"), None);
    }

    #[test]
    fn labels_and_units() {
        for (name, want) in
            [("service.name", "service_name"), ("0a", "key_0a"), ("_x", "key_x"), ("__x", "__x"), ("a-b/c", "a_b_c")]
        {
            assert_eq!(label_name(name), want);
        }
        for (unit, want) in
            [("s", "seconds"), ("By/s", "bytes_per_second"), ("1", ""), ("{x}/m", "per_minute"), ("", "")]
        {
            assert_eq!(unit_name(unit), want, "{unit}");
        }
    }
}
