//! The functions of templates: Go's own and Prometheus's.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use super::data::{Datum, Sample, label};
use super::run::Run;
use super::{go_format as go, printf};

/// A function.
#[derive(Debug, PartialEq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: &'static str,
    /// The least and the most arguments, the piped one included.
    pub(crate) arguments: (usize, usize),
}

/// Most arguments of a function that takes any number.
const ANY: usize = 32;

const fn function(name: &'static str, min: usize, max: usize) -> Function {
    Function { name, arguments: (min, max) }
}

/// Every function, Prometheus's first.
const FUNCTIONS: [Function; 51] = [
    function("query", 1, 1),
    function("first", 1, 1),
    function("label", 2, 2),
    function("value", 1, 1),
    function("strvalue", 1, 1),
    function("args", 0, ANY),
    function("sortByLabel", 2, 2),
    function("humanize", 1, 1),
    function("humanize1024", 1, 1),
    function("humanizeDuration", 1, 1),
    function("humanizePercentage", 1, 1),
    function("humanizeTimestamp", 1, 1),
    function("toTime", 1, 1),
    function("toDuration", 1, 1),
    function("parseDuration", 1, 1),
    function("now", 0, 0),
    function("reReplaceAll", 3, 3),
    function("match", 2, 2),
    function("title", 1, 1),
    function("toUpper", 1, 1),
    function("toLower", 1, 1),
    function("stripPort", 1, 1),
    function("stripDomain", 1, 1),
    function("graphLink", 1, 1),
    function("tableLink", 1, 1),
    function("pathPrefix", 0, 0),
    function("externalURL", 0, 0),
    function("urlQueryEscape", 1, 1),
    function("safeHtml", 1, 1),
    function("tmpl", 2, 2),
    function("printf", 1, ANY),
    function("print", 0, ANY),
    function("println", 0, ANY),
    function("index", 1, ANY),
    function("slice", 1, 3),
    function("len", 1, 1),
    function("html", 0, ANY),
    function("urlquery", 0, ANY),
    function("js", 0, ANY),
    function("eq", 2, ANY),
    function("ne", 2, 2),
    function("lt", 2, 2),
    function("le", 2, 2),
    function("gt", 2, 2),
    function("ge", 2, 2),
    function("and", 1, ANY),
    function("or", 1, ANY),
    function("not", 1, 1),
    function("true", 0, 0),
    function("false", 0, 0),
    function("nil", 0, 0),
];

impl Function {
    pub(super) fn by_name(name: &str) -> Option<&'static Function> {
        const ALL: &[Function] = &FUNCTIONS;
        ALL.iter().find(|function| function.name == name)
    }

    pub(super) fn names() -> String {
        let names: Vec<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        names.join(", ")
    }

    /// Whether the value of an argument makes the later ones not matter.
    pub(super) fn decided_by(&self, value: &Datum) -> bool {
        match self.name {
            "and" => !value.truth(),
            "or" => value.truth(),
            _ => false,
        }
    }
}

/// Applies a function to as many arguments as it takes.
pub(super) fn apply(function: &Function, args: &[Datum], run: &mut Run<'_>) -> Result<Datum, String> {
    const NONE: Datum = Datum::Nil;
    let at = |i: usize| args.get(i).unwrap_or(&NONE);
    let text = |i: usize| at(i).text();
    let surroundings = run.moment.surroundings;
    Ok(match function.name {
        "query" => query(text(0)?, run)?,
        "first" => {
            Datum::Sample(Arc::clone(at(0).vector()?.first().ok_or("first() called on vector with no elements")?))
        }
        "label" => Datum::Text(label(&at(1).sample()?.labels, text(0)?).unwrap_or_default().to_owned()),
        "value" => Datum::Number(at(0).sample()?.value),
        "strvalue" => Datum::Text(at(0).sample()?.labels.get("__value__").cloned().unwrap_or_default()),
        "args" => {
            let named = args.iter().enumerate().map(|(i, arg)| (format!("arg{i}"), arg.clone()));
            Datum::Fields(Arc::new(named.collect()))
        }
        "sortByLabel" => sort_by_label(text(0)?, at(1).vector()?),
        "now" => Datum::Number(run.moment.at.millis() as f64 / 1e3),
        "pathPrefix" => Datum::Text(path_of(&surroundings.external_url).to_owned()),
        "externalURL" => Datum::Text(surroundings.external_url.clone()),
        "tmpl" => Datum::Text(run.call(text(0)?, at(1).clone())?),
        "true" => Datum::Bool(true),
        "false" => Datum::Bool(false),
        "nil" => Datum::Nil,
        name if name.starts_with("humanize") || ["toTime", "toDuration"].contains(&name) => numeric(name, at(0))?,
        "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "and" | "or" | "not" => logic(function.name, args),
        "printf" | "print" | "println" | "index" | "slice" | "len" => general(function.name, args)?,
        "html" | "js" | "urlquery" => escaped(function.name, &printf::print(args)),
        "reReplaceAll" => {
            let regex = regex::Regex::new(text(0)?).map_err(|error| error.to_string())?;
            Datum::Text(regex.replace_all(text(2)?, text(1)?).into_owned())
        }
        "match" => Datum::Bool(regex::Regex::new(text(0)?).map_err(|error| error.to_string())?.is_match(text(1)?)),
        name => of_text(name, text(0)?)?,
    })
}

fn of_text(name: &str, text: &str) -> Result<Datum, String> {
    Ok(Datum::Text(match name {
        "title" => title(text),
        "toUpper" => text.to_uppercase(),
        "toLower" => text.to_lowercase(),
        "stripPort" => split_host_port(text).map_or(text, |(host, _)| host).to_owned(),
        "stripDomain" => strip_domain(text),
        "graphLink" => format!("/graph?g0.expr={}&g0.tab=0", query_escape(text)),
        "tableLink" => format!("/graph?g0.expr={}&g0.tab=1", query_escape(text)),
        "urlQueryEscape" => query_escape(text),
        "parseDuration" => {
            let ms = promql::parse_duration_ms(text).ok_or_else(|| format!("not a valid duration string: {text:?}"))?;
            return Ok(Datum::Number(ms as f64 / 1e3));
        }
        _ => text.to_owned(),
    }))
}

fn numeric(name: &str, arg: &Datum) -> Result<Datum, String> {
    let n = arg.number()?;
    Ok(match name {
        "humanize" => Datum::Text(go::humanize(n)),
        "humanize1024" => Datum::Text(go::humanize1024(n)),
        "humanizePercentage" => Datum::Text(go::humanize_percentage(n)),
        "humanizeDuration" => Datum::Text(go::humanize_duration(n)),
        "humanizeTimestamp" if !n.is_finite() => Datum::Text(go::go_general(n, 4)),
        "humanizeTimestamp" => Datum::Text(go::go_time((n * 1e3).trunc() / 1e3)),
        "toDuration" => Datum::Duration(n),
        _ => Datum::Time((n * 1e3).trunc() / 1e3),
    })
}

fn query(expr: &str, run: &Run<'_>) -> Result<Datum, String> {
    let source = run.moment.query.ok_or("there is nobody to ask here")?;
    let found = source.instant(expr, run.moment.at).map_err(|error| error.to_string())?;
    let sample = |(labels, value): (model::Labels, f64)| {
        let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Arc::new(Sample { labels: Arc::new(labels), value })
    };
    Ok(Datum::Vector(found.into_iter().map(sample).collect()))
}

fn sort_by_label(name: &str, samples: &[Arc<Sample>]) -> Datum {
    let key = |sample: &Arc<Sample>| label(&sample.labels, name).unwrap_or_default().to_owned();
    let mut samples = samples.to_vec();
    samples.sort_by_cached_key(key);
    Datum::Vector(samples)
}

fn logic(name: &str, args: &[Datum]) -> Datum {
    let order = |a: usize, b: usize| args.get(a).zip(args.get(b)).and_then(|(a, b)| a.order(b));
    let last = || args.last().cloned().unwrap_or(Datum::Nil);
    match name {
        "eq" => Datum::Bool((1..args.len()).any(|i| order(0, i).is_some_and(|o| o.is_eq()))),
        "ne" => Datum::Bool(!order(0, 1).is_some_and(|o| o.is_eq())),
        "lt" => Datum::Bool(order(0, 1).is_some_and(|o| o.is_lt())),
        "le" => Datum::Bool(order(0, 1).is_some_and(|o| o.is_le())),
        "gt" => Datum::Bool(order(0, 1).is_some_and(|o| o.is_gt())),
        "ge" => Datum::Bool(order(0, 1).is_some_and(|o| o.is_ge())),
        "and" => args.iter().find(|arg| !arg.truth()).cloned().unwrap_or_else(last),
        "or" => args.iter().find(|arg| arg.truth()).cloned().unwrap_or_else(last),
        _ => Datum::Bool(!args.first().is_some_and(Datum::truth)),
    }
}

fn general(name: &str, args: &[Datum]) -> Result<Datum, String> {
    let first = args.first().cloned().unwrap_or(Datum::Nil);
    Ok(match name {
        "printf" => Datum::Text(printf::printf(first.text()?, &args[1..])),
        "print" => Datum::Text(printf::print(args)),
        "println" => Datum::Text(printf::println(args)),
        "len" => Datum::Int(match &first {
            Datum::Text(text) => text.len() as i64,
            Datum::Labels(map) => map.len() as i64,
            Datum::Fields(map) => map.len() as i64,
            Datum::Vector(samples) => samples.len() as i64,
            other => return Err(format!("len of type {}", other.kind())),
        }),
        "slice" => slice(&first, &args[1..])?,
        _ => {
            let mut value = first;
            for key in &args[1..] {
                value = index(&value, key)?;
            }
            value
        }
    })
}

fn index(value: &Datum, key: &Datum) -> Result<Datum, String> {
    match (value, key) {
        (Datum::Labels(labels), Datum::Text(name)) => {
            Ok(Datum::Text(label(labels, name).unwrap_or_default().to_owned()))
        }
        (Datum::Fields(map), Datum::Text(name)) => Ok(map.get(name).cloned().unwrap_or(Datum::Nil)),
        (Datum::Vector(samples), Datum::Int(at)) => {
            let sample = usize::try_from(*at).ok().and_then(|at| samples.get(at));
            Ok(Datum::Sample(Arc::clone(sample.ok_or_else(|| format!("index out of range: {at}"))?)))
        }
        (Datum::Text(text), Datum::Int(at)) => {
            let byte = usize::try_from(*at).ok().and_then(|at| text.as_bytes().get(at));
            Ok(Datum::Int(i64::from(*byte.ok_or_else(|| format!("index out of range: {at}"))?)))
        }
        (value, key) => Err(format!("can't index item of type {} with {}", value.kind(), key.kind())),
    }
}

fn slice(value: &Datum, bounds: &[Datum]) -> Result<Datum, String> {
    let length = match value {
        Datum::Text(text) => text.len(),
        Datum::Vector(samples) => samples.len(),
        other => return Err(format!("can't slice item of type {}", other.kind())),
    };
    let bound = |at: usize, default: usize| match bounds.get(at) {
        None => Ok(default),
        Some(Datum::Int(bound)) => {
            usize::try_from(*bound).ok().filter(|bound| *bound <= length).ok_or(format!("index out of range: {bound}"))
        }
        Some(other) => Err(format!("cannot index slice/array with type {}", other.kind())),
    };
    let (from, to) = (bound(0, 0)?, bound(1, length)?);
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    match value {
        Datum::Text(text) => {
            let part = text.get(from..to).ok_or("the slice cuts a character in two")?;
            Ok(Datum::Text(part.to_owned()))
        }
        Datum::Vector(samples) => Ok(Datum::Vector(samples[from..to].to_vec())),
        _ => Ok(Datum::Nil),
    }
}

fn escaped(name: &str, text: &str) -> Datum {
    let pairs: BTreeMap<char, &str> = match name {
        "html" => {
            [('\0', "\u{fffd}"), ('"', "&#34;"), ('\'', "&#39;"), ('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;")].into()
        }
        "js" => [
            ('\\', "\\\\"),
            ('\'', "\\'"),
            ('"', "\\\""),
            ('<', "\\u003C"),
            ('>', "\\u003E"),
            ('&', "\\u0026"),
            ('=', "\\u003D"),
            ('\n', "\\u000A"),
            ('\r', "\\u000D"),
            ('\t', "\\u0009"),
        ]
        .into(),
        _ => return Datum::Text(query_escape(text)),
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match pairs.get(&c) {
            Some(escape) => out.push_str(escape),
            None => out.push(c),
        }
    }
    Datum::Text(out)
}

/// Go's `strings.Title`: the first letter of every word in upper case.
fn title(text: &str) -> String {
    let mut start = true;
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = if c.is_ascii() { !c.is_ascii_alphanumeric() && c != '_' } else { c.is_whitespace() };
    }
    out
}

/// Go's `url.QueryEscape`.
fn query_escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `host:port` or `[host]:port`.
fn split_host_port(text: &str) -> Option<(&str, &str)> {
    let (host, port) = text.rsplit_once(':')?;
    match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').map(|host| (host, port)),
        None => (!host.contains([':', '[', ']'])).then_some((host, port)),
    }
}

fn strip_domain(text: &str) -> String {
    let (host, port) = split_host_port(text).unwrap_or((text, ""));
    if host.parse::<IpAddr>().is_ok() {
        return text.to_owned();
    }
    let host = host.split('.').next().unwrap_or("");
    if port.is_empty() { host.to_owned() } else { format!("{host}:{port}") }
}

/// The path of an address.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split(['?', '#']).next().unwrap_or("");
    rest.find('/').map_or("", |at| &rest[at..])
}
