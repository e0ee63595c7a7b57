//! `lookup owners on service.name output team`: fields of a table of names.

use super::{PipeSpec, join, required_name};
use crate::complete::Offer;
use crate::format as text;
use crate::parser::Parser;
use crate::{Diagnostic, Lookup, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["lookup"],
    alias_of: None,
    syntax: "lookup table on field [= column], ... [output a, b as c]",
    summary: "adds fields of a CSV table",
    doc: "The table is a CSV file that the server was given under this name; its first line names the columns. A row gets the \
          columns of the first line that has the same keys: those of `output`, or all that are no keys. A field that has such \
          a name is replaced. Rows without a line stay as they are.",
    examples: &[
        "error | lookup owners on service.name = service output team | stats by (team) count() as n",
        "* | lookup hosts on (host.name = host) output region, rack as host.rack",
    ],
    parse,
    complete: |at| match at.words().len() {
        0 => Offer::nothing(),
        1 => Offer::keywords(&["on"]),
        _ if at.last() == "output" => Offer::nothing(),
        _ if at.last() == "on" || at.last() == "(" => Offer::fields(),
        _ => Offer::keywords(&["output", "as"]),
    },
};

const HINT: &str = "for example lookup owners on service.name = service output team";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let table = required_name(p, "the name of a table", HINT)?;
    if p.eat_keyword("on").is_none() {
        p.expected("`on` and a field", HINT);
        return None;
    }
    let on = match p.peek() == Some('(') {
        true => p.parenthesised("a field", HINT, join::key)?,
        false => p.list("a field", HINT, join::key)?,
    };
    if on.is_empty() {
        let span = p.at.saturating_sub(1)..p.at;
        p.report(Diagnostic::error(span, "at least one field is needed").hint(HINT));
        return None;
    }
    let output = match p.eat_keyword("output") {
        Some(_) => p.list("a column", HINT, column)?,
        None => Vec::new(),
    };
    Some(vec![PipeKind::Lookup(Lookup { table, on, output })])
}

/// Takes `a as b`, or `a`.
fn column(p: &mut Parser<'_>) -> Option<(String, String)> {
    let (column, _) = p.name()?;
    let name = match p.eat_keyword("as") {
        Some(_) => required_name(p, "a name", HINT)?,
        None => column.clone(),
    };
    Some((column, name))
}

/// The canonical text.
pub(super) fn print(lookup: &Lookup) -> String {
    let key = |(field, column): &(String, String)| match field == column {
        true => text::list_name(field),
        false => format!("{} = {}", text::list_name(field), text::list_name(column)),
    };
    let output = |(column, name): &(String, String)| match column == name {
        true => text::list_name(column),
        false => format!("{} as {}", text::list_name(column), text::list_name(name)),
    };
    let on = lookup.on.iter().map(key).collect::<Vec<_>>().join(", ");
    let mut out = format!("lookup {} on ({on})", text::list_name(&lookup.table));
    if !lookup.output.is_empty() {
        out.push_str(" output ");
        out.push_str(&lookup.output.iter().map(output).collect::<Vec<_>>().join(", "));
    }
    out
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn tables() {
        check(
            r#"
            * | lookup owners on service.name
            * | lookup owners on service.name = service output team, mail as "e mail"
            * | lookup "my table" on (a, b = c)
            "#,
            expect![[r#"
                * | lookup owners on service.name
                    * | lookup owners on (service.name)
                * | lookup owners on service.name = service output team, mail as "e mail"
                    * | lookup owners on (service.name = service) output team, mail as "e mail"
                * | lookup "my table" on (a, b = c)
                    * | lookup "my table" on (a, b = c)
            "#]],
        );
    }
}
