//! One metric line: `name:value|type|@rate|#tag:value|c:container|Ttime`, values and extras in the variants that clients send.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Set,
    /// `ms`: a duration in milliseconds.
    Timer,
    /// `h` and `d`.
    Distribution,
}

impl Kind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "c" | "m" => Self::Counter,
            "g" => Self::Gauge,
            "s" => Self::Set,
            "ms" => Self::Timer,
            "h" | "d" => Self::Distribution,
            _ => return None,
        })
    }

    /// The type's name, for messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Set => "set",
            Self::Timer => "timer",
            Self::Distribution => "histogram",
        }
    }
}

/// A line's values of one type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Metric<'a> {
    /// With the tags that are part of it.
    pub(super) name: &'a str,
    pub(super) kind: Kind,
    /// Between colons; of a set one value, whatever it holds.
    pub(super) values: Vec<&'a str>,
    /// How many each value stands for: the inverse of the sample rate.
    pub(super) weight: f64,
    /// DogStatsD's tags, `key:value` between commas.
    pub(super) tags: &'a str,
    /// The sender's container; empty when not known.
    pub(super) container: &'a str,
    /// Seconds since 1970.
    pub(super) time_s: Option<i64>,
}

/// Reads a line that is no event and no service check.
pub(super) fn metrics(line: &str) -> Result<Vec<Metric<'_>>, String> {
    let fault = || "a metric is written name:value|type".to_owned();
    let (name, rest) = line.split_once(':').ok_or_else(fault)?;
    if name.is_empty() {
        return Err("the metric has no name".to_owned());
    }
    let (_, behind) = rest.split_once('|').ok_or_else(fault)?;
    let kind = behind.split('|').next().unwrap_or_default();
    if kind.contains(':') {
        // Etsy's way to pack: `name:1|c:2|ms`, each value with its type.
        return rest.split(':').map(|part| metric(name, part)).collect();
    }
    metric(name, rest).map(|metric| vec![metric])
}

fn metric<'a>(name: &'a str, rest: &'a str) -> Result<Metric<'a>, String> {
    let mut parts = rest.split('|');
    let values = parts.next().unwrap_or_default();
    let word = parts.next().ok_or_else(|| "a metric is written name:value|type".to_owned())?;
    let kind =
        Kind::parse(word).ok_or_else(|| format!("the type {word:?} is not known: c, g, s, ms, h or d is needed"))?;
    let values: Vec<&str> = if kind == Kind::Set { vec![values] } else { values.split(':').collect() };
    if values.iter().any(|value| value.is_empty()) {
        return Err("a value is empty".to_owned());
    }
    let mut metric = Metric { name, kind, values, weight: 1.0, tags: "", container: "", time_s: None };
    for part in parts {
        metric.extra(part)?;
    }
    Ok(metric)
}

impl<'a> Metric<'a> {
    fn extra(&mut self, part: &'a str) -> Result<(), String> {
        if let Some(rate) = part.strip_prefix('@') {
            let rate: f64 = rate.parse().map_err(|_| format!("the sample rate {rate:?} is not a number"))?;
            if !(rate > 0.0 && rate <= 1.0) {
                return Err(format!("the sample rate {rate} is not above 0 and at most 1"));
            }
            let weight = 1.0 / rate;
            if !weight.is_finite() {
                return Err(format!("the sample rate {rate:e} is too small"));
            }
            self.weight = weight;
        } else if let Some(tags) = part.strip_prefix('#') {
            self.tags = tags;
        } else if let Some(container) = part.strip_prefix("c:") {
            self.container = container;
        } else if let Some(time) = part.strip_prefix('T') {
            let time = time.parse().ok().filter(|time: &i64| (1..=i64::MAX / 1_000_000_000).contains(time));
            self.time_s = Some(time.ok_or_else(|| format!("the time {part:?} is not a number of seconds since 1970"))?);
        }
        // What later versions of DogStatsD add (`e:`, `card:`) says nothing about the value.
        Ok(())
    }
}

/// A number that a metric may have.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let number: Result<f64, _> = text.parse();
    number.ok().filter(|number| number.is_finite()).ok_or_else(|| format!("the value {text:?} is not a number"))
}

/// Tags of a name: Graphite's behind semicolons, Telegraf's behind commas. Returns the name without them.
pub(super) fn name_tags(name: &str) -> (&str, Vec<(&str, &str)>) {
    let Some(at) = name.find([';', ',']) else { return (name, Vec::new()) };
    let separator = char::from(name.as_bytes()[at]);
    let tags = name[at + 1..].split(separator).map(|tag| tag.split_once('=').unwrap_or((tag, TRUE)));
    (&name[..at], tags.collect())
}

/// DogStatsD's tags; one without a value is true.
pub(super) fn tags(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let tags = text.split(',').filter(|tag| !tag.is_empty());
    tags.map(|tag| tag.split_once(':').unwrap_or((tag, TRUE)))
}

/// The value of a tag that has none.
const TRUE: &str = "true";
