//! `rename a as b, c as d`: fields under new names.

use super::PipeSpec;
use crate::PipeKind;
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["rename", "mv"],
    alias_of: None,
    syntax: "rename a as b, c as d",
    summary: "gives fields new names",
    doc: "One after the other, so that a later one sees the names that an earlier one gave. A field that has the new name \
          already is replaced.",
    examples: &["error | rename service.name as service | fields _time, service, body"],
    parse,
    complete: |at| match at.words().len() % 4 {
        1 => Offer::keywords(&["as"]),
        2 => Offer::nothing(),
        _ => Offer::fields(),
    },
};

const HINT: &str = "for example rename service.name as service";

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let renames = p.list("a field", HINT, |p| {
        let (from, _) = p.name()?;
        if p.eat_keyword("as").is_none() {
            p.expected("`as` and the new name", HINT);
            return None;
        }
        match p.name() {
            Some((to, _)) => Some((from, to)),
            None => {
                p.expected("the new name", HINT);
                None
            }
        }
    })?;
    Some(vec![PipeKind::Rename(renames)])
}

/// The canonical text.
pub(super) fn print(renames: &[(String, String)]) -> String {
    let one = |(from, to): &(String, String)| format!("{} as {}", text::list_name(from), text::list_name(to));
    format!("rename {}", renames.iter().map(one).collect::<Vec<_>>().join(", "))
}
