//! `fill a, b with 0`: rows for the buckets of time that have none.

use super::PipeSpec;
use crate::complete::Offer;
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::terminals;
use crate::{Diagnostic, Fill, FillWith, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["fill"],
    alias_of: None,
    syntax: "fill [a, b] with 0|previous|linear",
    summary: "makes rows for empty buckets of time",
    doc: "After `stats` with a bucket of `_time`, `timechart` or `from promql(...)`: every combination of the other keys gets a \
          row for every bucket of the time range, and the columns named, or every column of numbers, get a value where they \
          have none: a number, the `previous` value, or one on the straight line between its neighbours (`linear`).",
    examples: &[
        "error | stats by (_time:1m, service.name) count() as n | fill n with 0",
        "duration_ms:* | stats by (_time:1m) avg(duration_ms) as mean | fill with linear",
    ],
    parse,
    complete: |at| match at.last() {
        "with" => Offer::keywords(&["0", "previous", "linear"]),
        "" => Offer::fields().and_keywords(&["with"]),
        "," => Offer::fields(),
        _ => Offer::keywords(&["with"]),
    },
};

const HINT: &str = "for example fill n with 0, or fill with previous";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let mut fields = Vec::new();
    if p.eat_keyword("with").is_none() {
        fields = p.list("a field, or `with`", HINT, |p| p.name().map(|(name, _)| name))?;
        if p.eat_keyword("with").is_none() {
            p.expected("`with` and a value", HINT);
            return None;
        }
    }
    let Some((word, span)) = p.take(TokenKind::Number, terminals::value_word) else {
        p.expected("a number, `previous` or `linear`", HINT);
        return None;
    };
    let with = match word.to_ascii_lowercase().as_str() {
        "previous" => FillWith::Previous,
        "linear" => FillWith::Linear,
        number => match number.parse::<f64>().ok().filter(|n| n.is_finite()) {
            Some(number) => FillWith::Number(number),
            None => {
                let message = format!("`{}` is neither a number nor `previous` nor `linear`", shorten(word));
                p.report(Diagnostic::error(span, message).hint(HINT));
                return None;
            }
        },
    };
    Some(vec![PipeKind::Fill(Fill { fields, with })])
}

/// The canonical text.
pub(super) fn print(fill: &Fill) -> String {
    let fields = if fill.fields.is_empty() { String::new() } else { format!(" {}", text::list(&fill.fields)) };
    let with = match fill.with {
        FillWith::Number(n) => n.to_string(),
        FillWith::Previous => "previous".to_owned(),
        FillWith::Linear => "linear".to_owned(),
    };
    format!("fill{fields} with {with}")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn values() {
        check(
            r#"
            * | stats by (_time:1m) count() as n | fill n with 0
            * | stats by (_time:1m) count() as n | fill with previous
            * | stats by (_time:1m) count() as a, avg(x) as b | fill a, b with linear
            * | fill n with -1.5
            "#,
            expect![[r#"
                * | stats by (_time:1m) count() as n | fill n with 0
                    * | stats by (_time:1m) count(*) as n | fill n with 0
                * | stats by (_time:1m) count() as n | fill with previous
                    * | stats by (_time:1m) count(*) as n | fill with previous
                * | stats by (_time:1m) count() as a, avg(x) as b | fill a, b with linear
                    * | stats by (_time:1m) count(*) as a, avg(x) as b | fill a, b with linear
                * | fill n with -1.5
                    * | fill n with -1.5
            "#]],
        );
    }
}
