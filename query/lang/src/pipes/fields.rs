//! `fields a, b.*`, also `keep`: only these fields. `drop a, b.*`: all but these. A `*` at the end of a name stands for
//! every field that starts so.

use crate::PipeKind;
use crate::parser::Parser;

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
