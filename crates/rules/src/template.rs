//! Templates in labels and annotations: `{{ $labels.service }} fails {{ $value | humanizePercentage }}`.
//!
//! The part of Go's `text/template` and of Prometheus's functions that rules in the wild use. What is not supported is an
//! error when the file is loaded, never a surprise when the alert fires.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::go_format as go;
use crate::template_parse;

/// A parsed template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    text: String,
    nodes: Vec<Node>,
}

/// A template that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct TemplateError {
    /// Where, as a byte offset in the text.
    pub offset: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Text(String),
    Action(Pipeline),
    If { condition: Pipeline, then: Vec<Node>, otherwise: Vec<Node> },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pipeline(pub(crate) Vec<Call>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    Value(Arg),
    Function(Function, Vec<Arg>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arg {
    Text(String),
    Number(f64),
    Bool(bool),
    Labels,
    Label(String),
    Value,
    Pipeline(Pipeline),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Function {
    Humanize,
    Humanize1024,
    HumanizePercentage,
    HumanizeDuration,
    HumanizeTimestamp,
    Printf,
    Index,
    Title,
    ToUpper,
    ToLower,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    And,
    Or,
    Not,
}

const FUNCTIONS: [(&str, Function, usize, usize); 19] = [
    ("humanize", Function::Humanize, 1, 1),
    ("humanize1024", Function::Humanize1024, 1, 1),
    ("humanizePercentage", Function::HumanizePercentage, 1, 1),
    ("humanizeDuration", Function::HumanizeDuration, 1, 1),
    ("humanizeTimestamp", Function::HumanizeTimestamp, 1, 1),
    ("printf", Function::Printf, 1, 10),
    ("index", Function::Index, 2, 2),
    ("title", Function::Title, 1, 1),
    ("toUpper", Function::ToUpper, 1, 1),
    ("toLower", Function::ToLower, 1, 1),
    ("eq", Function::Eq, 2, 10),
    ("ne", Function::Ne, 2, 2),
    ("lt", Function::Lt, 2, 2),
    ("le", Function::Le, 2, 2),
    ("gt", Function::Gt, 2, 2),
    ("ge", Function::Ge, 2, 2),
    ("and", Function::And, 1, 10),
    ("or", Function::Or, 1, 10),
    ("not", Function::Not, 1, 1),
];

impl Function {
    pub(crate) fn by_name(name: &str) -> Option<Function> {
        FUNCTIONS.iter().find(|(known, ..)| *known == name).map(|(_, function, ..)| *function)
    }

    pub(crate) fn names() -> String {
        FUNCTIONS.map(|(name, ..)| name).join(", ")
    }

    /// The least and the most arguments, the piped one included.
    pub(crate) fn arguments(self) -> (usize, usize) {
        FUNCTIONS.iter().find(|(_, function, ..)| *function == self).map_or((0, 0), |(_, _, min, max)| (*min, *max))
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Datum {
    Text(String),
    Number(f64),
    Bool(bool),
    Labels,
}

/// What a template is filled from.
struct Context<'a> {
    labels: &'a BTreeMap<String, String>,
    value: f64,
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Template, TemplateError> {
        Ok(Template { text: text.to_owned(), nodes: template_parse::parse(text)? })
    }

    /// The text that it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Fills it from an alert's labels and value. A label that is not there is the empty text.
    pub fn render(&self, labels: &BTreeMap<String, String>, value: f64) -> String {
        let mut out = String::new();
        render(&self.nodes, &Context { labels, value }, &mut out);
        out
    }
}

fn render(nodes: &[Node], context: &Context<'_>, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Action(pipeline) => out.push_str(&show(&run(pipeline, context), context)),
            Node::If { condition, then, otherwise } => {
                let branch = if truth(&run(condition, context), context) { then } else { otherwise };
                render(branch, context, out);
            }
        }
    }
}

fn run(pipeline: &Pipeline, context: &Context<'_>) -> Datum {
    let mut piped = None;
    for call in &pipeline.0 {
        piped = Some(match call {
            Call::Value(arg) => datum(arg, context),
            Call::Function(function, args) => {
                let args: Vec<Datum> = args.iter().map(|arg| datum(arg, context)).chain(piped.take()).collect();
                apply(*function, &args, context)
            }
        });
    }
    piped.unwrap_or(Datum::Text(String::new()))
}

fn datum(arg: &Arg, context: &Context<'_>) -> Datum {
    match arg {
        Arg::Text(text) => Datum::Text(text.clone()),
        Arg::Number(number) => Datum::Number(*number),
        Arg::Bool(bool) => Datum::Bool(*bool),
        Arg::Labels => Datum::Labels,
        Arg::Label(name) => Datum::Text(label(context.labels, name).to_owned()),
        Arg::Value => Datum::Number(context.value),
        Arg::Pipeline(pipeline) => run(pipeline, context),
    }
}

/// A label by its name; `service_version` also finds `service.version`, because dotted names can not be written in all places.
fn label<'a>(labels: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    let flat = |name: &str| name.replace('.', "_");
    let exact = labels.get(name);
    let found = exact.or_else(|| labels.iter().find(|(known, _)| flat(known) == flat(name)).map(|(_, value)| value));
    found.map_or("", String::as_str)
}

fn apply(function: Function, args: &[Datum], context: &Context<'_>) -> Datum {
    let at = |i: usize| args.get(i).unwrap_or(&Datum::Bool(false));
    let text = |i: usize| show(at(i), context);
    let number_with = |format: fn(f64) -> String| match number(at(0)) {
        Some(n) => Datum::Text(format(n)),
        None => Datum::Text(text(0)),
    };
    match function {
        Function::Humanize => number_with(go::humanize),
        Function::Humanize1024 => number_with(go::humanize1024),
        Function::HumanizePercentage => number_with(go::humanize_percentage),
        Function::HumanizeDuration => number_with(go::humanize_duration),
        Function::HumanizeTimestamp => number_with(|n| Timestamp((n * 1e9) as i64).to_string()),
        Function::Printf => Datum::Text(printf(args, context)),
        Function::Index => Datum::Text(label(context.labels, &text(1)).to_owned()),
        Function::Title => Datum::Text(title(&text(0))),
        Function::ToUpper => Datum::Text(text(0).to_uppercase()),
        Function::ToLower => Datum::Text(text(0).to_lowercase()),
        Function::Eq => Datum::Bool((1..args.len()).any(|i| order(at(0), at(i), context).is_some_and(|o| o.is_eq()))),
        Function::Ne => Datum::Bool(!order(at(0), at(1), context).is_some_and(|o| o.is_eq())),
        Function::Lt => Datum::Bool(order(at(0), at(1), context).is_some_and(|o| o.is_lt())),
        Function::Le => Datum::Bool(order(at(0), at(1), context).is_some_and(|o| o.is_le())),
        Function::Gt => Datum::Bool(order(at(0), at(1), context).is_some_and(|o| o.is_gt())),
        Function::Ge => Datum::Bool(order(at(0), at(1), context).is_some_and(|o| o.is_ge())),
        Function::And => args.iter().find(|arg| !truth(arg, context)).unwrap_or(at(args.len().wrapping_sub(1))).clone(),
        Function::Or => args.iter().find(|arg| truth(arg, context)).unwrap_or(at(args.len().wrapping_sub(1))).clone(),
        Function::Not => Datum::Bool(!truth(at(0), context)),
    }
}

fn number(datum: &Datum) -> Option<f64> {
    match datum {
        Datum::Number(n) => Some(*n),
        Datum::Text(text) => text.trim().parse().ok(),
        Datum::Bool(_) | Datum::Labels => None,
    }
}

fn order(a: &Datum, b: &Datum, context: &Context<'_>) -> Option<std::cmp::Ordering> {
    match (number(a), number(b)) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(show(a, context).cmp(&show(b, context))),
    }
}

fn truth(datum: &Datum, context: &Context<'_>) -> bool {
    match datum {
        Datum::Text(text) => !text.is_empty(),
        Datum::Number(n) => *n != 0.0,
        Datum::Bool(bool) => *bool,
        Datum::Labels => !context.labels.is_empty(),
    }
}

fn show(datum: &Datum, context: &Context<'_>) -> String {
    match datum {
        Datum::Text(text) => text.clone(),
        Datum::Number(n) => go::go_value(*n),
        Datum::Bool(bool) => bool.to_string(),
        Datum::Labels => {
            let pairs: Vec<String> = context.labels.iter().map(|(name, value)| format!("{name}:{value}")).collect();
            format!("map[{}]", pairs.join(" "))
        }
    }
}

fn title(text: &str) -> String {
    let mut start = true;
    text.chars()
        .flat_map(|c| {
            let upper = start && c.is_alphanumeric();
            start = c.is_whitespace();
            if upper { c.to_uppercase().collect::<Vec<_>>() } else { vec![c] }
        })
        .collect()
}

/// Go's `printf` with the verbs s, v, d, f, g, e, q and t, their precision and width.
fn printf(args: &[Datum], context: &Context<'_>) -> String {
    let format = args.first().map(|arg| show(arg, context)).unwrap_or_default();
    let mut rest_args = args.iter().skip(1);
    let mut out = String::new();
    let mut rest = format.as_str();
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let verb_at = rest.find(|c: char| c.is_alphabetic() || c == '%').unwrap_or(rest.len());
        let (spec, verb) = (&rest[..verb_at], rest[verb_at..].chars().next());
        rest = rest.get(verb_at + verb.map_or(0, char::len_utf8)..).unwrap_or("");
        match verb {
            Some('%') => out.push('%'),
            Some(verb) => match rest_args.next() {
                Some(arg) => out.push_str(&pad(&verb_text(verb, spec, arg, context), spec)),
                None => out.push_str(&format!("%!{verb}(MISSING)")),
            },
            None => out.push_str("%!(NOVERB)"),
        }
    }
    out.push_str(rest);
    out
}

fn verb_text(verb: char, spec: &str, arg: &Datum, context: &Context<'_>) -> String {
    let precision: Option<usize> = spec.split_once('.').map(|(_, digits)| digits.parse().unwrap_or(0).min(100));
    let n = number(arg);
    match (verb, n) {
        ('f', Some(n)) => go::go_fixed(n, precision.unwrap_or(6)),
        ('e', Some(n)) => go::go_scientific(n, precision.unwrap_or(6)),
        ('g', Some(n)) => precision.map_or_else(|| go::go_value(n), |digits| go::go_general(n, digits)),
        ('d', Some(n)) => format!("{n:.0}"),
        ('q', _) => format!("{:?}", show(arg, context)),
        _ => show(arg, context),
    }
}

fn pad(text: &str, spec: &str) -> String {
    let flags_end = spec.find(|c: char| !"-+ 0#".contains(c)).unwrap_or(spec.len());
    let (flags, rest) = spec.split_at(flags_end);
    let width: usize = rest.split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or(0).min(200);
    let missing = width.saturating_sub(text.chars().count());
    if flags.contains('-') {
        format!("{text}{}", " ".repeat(missing))
    } else {
        let fill = if flags.contains('0') { "0" } else { " " };
        format!("{}{text}", fill.repeat(missing))
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(text: &str, expect: Expect) {
        let labels: BTreeMap<String, String> =
            [("service", "checkout"), ("service.version", "2.0")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        expect.assert_eq(&match Template::parse(text) {
            Ok(template) => template.render(&labels, 0.1234),
            Err(error) => format!("{}: {error}", error.offset),
        });
    }

    #[test]
    fn templates_render() {
        check("plain", expect!["plain"]);
        check("{{ $labels.service }} at {{ $value }}", expect!["checkout at 0.1234"]);
        check("{{ .Labels.service_version }}/{{ index $labels \"service.version\" }}", expect!["2.0/2.0"]);
        check("{{ $labels.missing }}.", expect!["."]);
        check("{{ $value | humanize }} {{ $value | humanizePercentage }}", expect!["123.4m 12.34%"]);
        check(r#"{{ printf "%.2f%% of %5s|%-4s|" $value "a" "b" }}"#, expect!["0.12% of     a|b   |"]);
        check(r#"{{ $value | printf "%.1f" }}"#, expect!["0.1"]);
        check(
            r#"{{ if gt $value 0.1 }}high{{ else if eq $labels.service "x" }}x{{ else }}low{{ end }}"#,
            expect!["high"],
        );
        check(r#"{{ if and (eq $labels.service "x") true }}a{{ else }}b{{ end }}"#, expect!["b"]);
        check("a  {{- /* note */ -}}  b {{ $labels.service | toUpper | title }}", expect!["ab CHECKOUT"]);
        check("{{ 3725 | humanizeDuration }} {{ 1048576.0 | humanize1024 }}", expect!["1h 2m 5s 1Mi"]);
    }

    #[test]
    fn what_is_not_supported_is_an_error_with_a_place() {
        check(
            "a {{ $value | human }}",
            expect![[
                r#"14: there is no function "human"; the functions are humanize, humanize1024, humanizePercentage, humanizeDuration, humanizeTimestamp, printf, index, title, toUpper, toLower, eq, ne, lt, le, gt, ge, and, or, not"#
            ]],
        );
        check(
            "{{ $labls.x }}",
            expect![[r#"3: there is no variable "$labls.x"; there are $labels.name, $value, .Labels.name and .Value"#]],
        );
        check(
            "{{ range query \"up\" }}{{ end }}",
            expect![
                "2: `range` is not supported in templates; labels, $value, if/else and the functions of the manual are"
            ],
        );
        check("{{ if $value }}x", expect!["5: `if` has no `end`; add {{ end }}"]);
        check("{{ end }}", expect![[r#"2: "end" without an `if`; remove it"#]]);
        check("{{ $value ", expect!["0: `{{` is not closed; close it with `}}`"]);
        check("{{ humanize 1 2 }}", expect!["3: humanize has 2 arguments; it takes 1 to 1"]);
    }
}
