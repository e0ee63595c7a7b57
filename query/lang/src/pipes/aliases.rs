//! Pipes as LogsQL spells them, which are pipes of ours.

use model::field;

use super::{PipeSpec, condition, context, parse};
use crate::complete::Offer;
use crate::parser::Parser;
use crate::{ParseFormat, PipeKind};

const NONE: PipeSpec = PipeSpec {
    names: &[],
    alias_of: Some("parse"),
    syntax: "",
    summary: "",
    doc: "",
    examples: &[],
    parse: |_| None,
    complete: |at| match at.last() {
        "from" => Offer::fields(),
        _ => Offer::keywords(&["from", "prefix", "keep", "if"]),
    },
};

pub(super) const UNPACK_JSON: PipeSpec = PipeSpec {
    names: &["unpack_json"],
    syntax: "unpack_json [from field] [result_prefix p]",
    summary: "LogsQL's `parse json`",
    examples: &["* | unpack_json from body result_prefix app."],
    parse: |p| unpack(p, ParseFormat::Json),
    ..NONE
};

pub(super) const UNPACK_LOGFMT: PipeSpec = PipeSpec {
    names: &["unpack_logfmt"],
    syntax: "unpack_logfmt [from field] [result_prefix p]",
    summary: "LogsQL's `parse logfmt`",
    examples: &["* | unpack_logfmt from body"],
    parse: |p| unpack(p, ParseFormat::Logfmt),
    ..NONE
};

pub(super) const UNPACK_SYSLOG: PipeSpec = PipeSpec {
    names: &["unpack_syslog"],
    syntax: "unpack_syslog [from field] [result_prefix p]",
    summary: "LogsQL's `parse syslog`",
    examples: &["* | unpack_syslog from body"],
    parse: |p| unpack(p, ParseFormat::Syslog),
    ..NONE
};

pub(super) const EXTRACT: PipeSpec = PipeSpec {
    names: &["extract"],
    syntax: "extract [if (filter)] \"<a> <_>\" [from field]",
    summary: "LogsQL's `parse pattern`",
    examples: &["* | extract \"took <ms>ms\" from body | stats avg(ms) as mean"],
    parse: |p| {
        let filter = early_condition(p)?;
        let pattern = parse::pattern(p)?;
        parse::options(p, ParseFormat::Pattern(pattern), filter)
    },
    ..NONE
};

pub(super) const EXTRACT_REGEXP: PipeSpec = PipeSpec {
    names: &["extract_regexp"],
    syntax: "extract_regexp [if (filter)] \"(?P<a>...)\" [from field]",
    summary: "LogsQL's `parse regex`",
    examples: &["* | extract_regexp \"took (?P<ms>[0-9]+)ms\" | stats avg(ms) as mean"],
    parse: |p| {
        let filter = early_condition(p)?;
        let regex = parse::regex(p)?;
        parse::options(p, ParseFormat::Regex(regex), filter)
    },
    ..NONE
};

pub(super) const STREAM_CONTEXT: PipeSpec = PipeSpec {
    names: &["stream_context"],
    alias_of: Some("context"),
    syntax: "stream_context before n after n",
    summary: "LogsQL's `context`",
    examples: &["severity:FATAL | stream_context before 5 after 5"],
    parse: context::parse_context,
    complete: |_| Offer::keywords(&["before", "after"]),
    ..NONE
};

fn unpack(p: &mut Parser<'_>, format: ParseFormat) -> Option<Vec<PipeKind>> {
    let filter = early_condition(p)?;
    let mut pipes = parse::options(p, format, filter)?;
    if let [PipeKind::Parse(pipe)] = &mut pipes[..]
        && pipe.from == "_msg"
    {
        pipe.from = field::BODY.to_owned();
    }
    Some(pipes)
}

/// Takes `if (filter)` where LogsQL has it, right behind the name.
#[expect(clippy::option_option, reason = "no condition and one that cannot be read are different things")]
fn early_condition(p: &mut Parser<'_>) -> Option<Option<crate::Filter>> {
    match p.eat_keyword("if") {
        Some(_) => condition(p, "for example extract if (body:took) \"took <ms>ms\"").map(Some),
        None => Some(None),
    }
}
