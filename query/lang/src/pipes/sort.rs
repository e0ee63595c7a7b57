//! `sort by (a desc, b)`, also `order by`: rows in order, smallest first unless `desc`. `offset n` and `limit n` may follow
//! and are pipes of their own.

use super::{PipeSpec, limit};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Diagnostic, PipeKind, SortKey};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["sort", "order"],
    alias_of: None,
    syntax: "sort by (a [desc], b) [offset n] [limit n]",
    summary: "orders rows",
    doc: "Smallest first unless `desc`. Numbers sort as numbers, before texts; rows without the field come last in either \
          direction. With a `limit` behind it only that many rows are kept in memory.",
    examples: &[
        "* | stats by (service.name) count() as n | sort by (n desc, service.name)",
        "duration_ms:* | sort by (duration_ms desc) | limit 10",
    ],
    parse,
    complete: |at| match at.inside() {
        true if at.last() != "(" && at.last() != "," => Offer::keywords(&["desc", "asc"]),
        true => Offer::fields(),
        false if at.last() == ")" => Offer::keywords(&["desc", "limit", "offset"]),
        false => Offer::fields().and_keywords(&["by"]),
    },
};

const HINT: &str = "for example sort by (n desc, service.name)";

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    p.eat_keyword("by");
    let mut keys =
        if p.peek() == Some('(') { p.parenthesised("a field", HINT, key)? } else { p.list("a field", HINT, key)? };
    if keys.is_empty() {
        let span = p.at.saturating_sub(1)..p.at;
        p.report(Diagnostic::error(span, "at least one field is needed").hint(HINT));
        return None;
    }
    if descending(p) {
        keys.iter_mut().for_each(|key| key.descending = !key.descending);
    }
    let (mut offset, mut fetch) = (None, None);
    loop {
        if p.eat_keyword("offset").is_some() {
            offset = Some(PipeKind::Offset(limit::rows(p, "offset 10")?));
        } else if p.eat_keyword("limit").is_some() {
            fetch = Some(PipeKind::Limit(limit::rows(p, "limit 10")?));
        } else {
            break;
        }
    }
    Some([PipeKind::Sort(keys)].into_iter().chain(offset).chain(fetch).collect())
}

fn key(p: &mut Parser<'_>) -> Option<SortKey> {
    if p.peek() == Some('-') {
        p.expected("a field", "write `sort by (n desc)` for the largest first");
        return None;
    }
    let (field, _) = p.name()?;
    Some(SortKey { field, descending: descending(p) })
}

/// Takes `asc` or `desc`; the former is the default.
fn descending(p: &mut Parser<'_>) -> bool {
    p.eat_keyword("desc").is_some() || {
        p.eat_keyword("asc");
        false
    }
}

/// The canonical text.
pub(super) fn print(keys: &[SortKey]) -> String {
    format!("sort by ({})", keys.iter().map(text::sort_key).collect::<Vec<_>>().join(", "))
}
