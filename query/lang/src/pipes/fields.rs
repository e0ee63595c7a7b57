//! `fields a, b.*`, also `keep`: only these fields. `drop a, b.*`: all but these. A `*` at the end of a name stands for
//! every field that starts so.

use super::PipeSpec;
use crate::PipeKind;
use crate::complete::Offer;
use crate::parser::Parser;

pub(super) const FIELDS: PipeSpec = PipeSpec {
    names: &["fields", "keep"],
    alias_of: None,
    syntax: "fields a, b.*",
    summary: "keeps some fields",
    doc: "Only these fields, in this order. A name that ends in `*` stands for every field that starts so. `_pattern`, the id \
          of the template of the body, is there when it is named.",
    examples: &["error | fields _time, service.name, body", "* | fields _time, http.*, _pattern"],
    parse: parse_fields,
    complete: |_| Offer::fields(),
};

pub(super) const DROP: PipeSpec = PipeSpec {
    names: &["drop", "delete", "del", "rm"],
    alias_of: None,
    syntax: "drop a, b.*",
    summary: "leaves some fields out",
    doc: "All fields but these. A name that ends in `*` stands for every field that starts so.",
    examples: &["error | drop trace_id, span_id"],
    parse: parse_drop,
    complete: |_| Offer::fields(),
};

pub(super) fn parse_fields(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let names = p.list("a field", "for example fields _time, body", pattern)?;
    Some(vec![PipeKind::Fields(names)])
}

pub(super) fn parse_drop(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let names = p.list("a field", "for example drop trace_id, span_id", pattern)?;
    Some(vec![PipeKind::Drop(names)])
}

/// A field's name, perhaps with `*` at its end, or `*` alone.
fn pattern(p: &mut Parser<'_>) -> Option<String> {
    if p.eat("*").is_some() {
        return Some("*".to_owned());
    }
    let (mut name, _) = p.name()?;
    if p.eat_here("*").is_some() {
        name.push('*');
    }
    Some(name)
}
