//! `replace ("a", "b") at f`, `replace_regexp ("(a)", "$1") at f`: a part of a text becomes another.

use std::fmt::Write as _;
use std::ops::Range;

use model::field;

use super::{PipeSpec, condition, limit, required_name, required_text};
use crate::complete::{At, Offer};
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::Parser;
use crate::terminals::quote;
use crate::{Diagnostic, PipeKind, Replace, regex_check};

pub(super) const REPLACE: PipeSpec = PipeSpec {
    names: &["replace"],
    alias_of: None,
    syntax: "replace (\"old\", \"new\") [at field] [limit n] [if (filter)]",
    summary: "replaces a text in a field",
    doc: "Every place in the field, `body` unless `at` says another, that has the text exactly; with `limit` the first n of \
          each row.",
    examples: &["* | replace (\"password=\", \"password:\") at body | fields body"],
    parse: |p| replace(p, false),
    complete,
};

pub(super) const REPLACE_REGEXP: PipeSpec = PipeSpec {
    names: &["replace_regexp"],
    alias_of: None,
    syntax: "replace_regexp (\"regex\", \"new $1\") [at field] [limit n] [if (filter)]",
    summary: "replaces what a regular expression matches",
    doc: "As `replace`. In the new text `$1`, `${1}` and `${name}` stand for groups, `$$` for `$`.",
    examples: &["* | replace_regexp (\"user=(\\w)\\w*\", \"user=${1}...\") at body | fields body"],
    parse: |p| replace(p, true),
    complete,
};

fn complete(at: &At<'_>) -> Offer {
    match at.last() {
        "at" => Offer::fields(),
        "" | "limit" => Offer::nothing(),
        _ if at.inside() => Offer::nothing(),
        _ => Offer::keywords(&["at", "limit", "if"]),
    }
}

fn replace(p: &mut Parser<'_>, regex: bool) -> Option<Vec<PipeKind>> {
    let hint = match regex {
        true => "for example replace_regexp (\"user=(\\w+)\", \"user=<$1>\") at body",
        false => "for example replace (\"old\", \"new\") at body",
    };
    let mut filter = None;
    if p.eat_keyword("if").is_some() {
        filter = Some(condition(p, hint)?);
    }
    let (from, to) = texts(p, regex, hint)?;
    let mut pipe = Replace { regex, from, to, field: field::BODY.to_owned(), limit: None, filter };
    loop {
        if p.eat_keyword("at").is_some() {
            pipe.field = required_name(p, "a field", hint)?;
        } else if p.eat_keyword("limit").is_some() {
            pipe.limit = Some(limit::rows_above_zero(p, "limit 1")?);
        } else if p.eat_keyword("if").is_some() {
            pipe.filter = Some(condition(p, hint)?);
        } else {
            return Some(vec![PipeKind::Replace(pipe)]);
        }
    }
}

/// Takes `("old", "new")`.
fn texts(p: &mut Parser<'_>, regex: bool, hint: &str) -> Option<(String, String)> {
    let Some(open) = p.eat("(") else {
        p.expected("`(` and two quoted texts", hint);
        return None;
    };
    let (from, span) = required_text(p, "the quoted text that is replaced", hint)?;
    if from.is_empty() {
        p.report(Diagnostic::error(span.clone(), "the text that is replaced is empty").hint(hint));
        return None;
    }
    if p.eat(",").is_none() {
        p.expected("`,` and the new text", hint);
        return None;
    }
    let (to, to_span) = required_text(p, "the quoted new text", hint)?;
    p.close(open, ")");
    if regex {
        p.retag(TokenKind::Operator);
        let groups = regex_check::check_and_name(p, &from, &span)?;
        check_groups(p, &groups, &to, to_span);
    }
    Some((from, to))
}

/// Reports a group that the expression does not have: `$1x` is the group `1x`.
fn check_groups(p: &mut Parser<'_>, groups: &[Option<String>], to: &str, span: Range<usize>) {
    let mut rest = to;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name: String = match rest.strip_prefix('{') {
            Some(braced) => braced.chars().take_while(|c| *c != '}').collect(),
            None => rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect(),
        };
        let known = match name.parse::<usize>() {
            Ok(number) => number <= groups.len(),
            Err(_) => name.is_empty() || groups.iter().flatten().any(|group| *group == name),
        };
        if !known {
            let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
            let hint = match digits.as_str() {
                "" => "`$name` is a group (?P<name>...); write $$ for a dollar".to_owned(),
                digits if digits.len() < name.len() => format!("write ${{{digits}}} where a letter follows"),
                _ => format!("it has {} groups; write $$ for a dollar", groups.len()),
            };
            p.report(Diagnostic::error(span, format!("the expression has no group `{name}`")).hint(hint));
            return;
        }
    }
}

/// The canonical text.
pub(super) fn print(replace: &Replace) -> String {
    let name = if replace.regex { "replace_regexp" } else { "replace" };
    let mut out = format!("{name} ({}, {})", quote(&replace.from), quote(&replace.to));
    if replace.field != field::BODY {
        let _ = write!(out, " at {}", text::list_name(&replace.field));
    }
    if let Some(limit) = replace.limit {
        let _ = write!(out, " limit {limit}");
    }
    out + &text::condition(replace.filter.as_ref())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn texts() {
        check(
            r#"
            * | replace ("a", "b")
            * | replace ("a", "") at f limit 1 if (x:y)
            * | replace if (x:y) ("a \\ b", '"') at "f g"
            * | replace_regexp ("(\\w+) (?P<n>.)", "$1 ${n} $$5 ${1}x") at f
            "#,
            expect![[r#"
                * | replace ("a", "b")
                    * | replace ("a", "b")
                * | replace ("a", "") at f limit 1 if (x:y)
                    * | replace ("a", "") at f limit 1 if (x:y)
                * | replace if (x:y) ("a \\ b", '"') at "f g"
                    * | replace ("a \\ b", "\"") at "f g" if (x:y)
                * | replace_regexp ("(\\w+) (?P<n>.)", "$1 ${n} $$5 ${1}x") at f
                    * | replace_regexp ("(\\w+) (?P<n>.)", "$1 ${n} $$5 ${1}x") at f
            "#]],
        );
    }
}
