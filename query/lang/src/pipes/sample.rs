//! `sample 1/100`, `sample 10%`, `sample 500`: some rows, chosen by chance.

use std::ops::Range;

use super::PipeSpec;
use crate::complete::Offer;
use crate::highlight::TokenKind;
use crate::limits::ROWS_MAX;
use crate::parser::{Parser, shorten};
use crate::terminals;
use crate::{Diagnostic, PipeKind, Sample};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["sample"],
    alias_of: None,
    syntax: "sample 1/n | p% | n",
    summary: "keeps some rows, chosen by chance",
    doc: "`1/100` keeps each row with that chance, `10%` likewise; `500` keeps that many rows, each with the same chance. The \
          same records are chosen each time. Counts of a sample are multiplied by who asked. (LogsQL's `sample 100` is \
          `sample 1/100` here.)",
    examples: &["* | sample 1/100 | stats by (service.name) count() as n", "error | sample 20"],
    parse,
    complete: |_| Offer::nothing(),
};

const HINT: &str = "write sample 1/100, sample 10% or sample 500";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let Some((word, span)) = p.take(TokenKind::Number, terminals::value_word) else {
        p.expected("a size", HINT);
        return None;
    };
    sample(p, word, span).map(|sample| vec![PipeKind::Sample(sample)])
}

fn sample(p: &mut Parser<'_>, word: &str, span: Range<usize>) -> Option<Sample> {
    let sample = if let Some(percent) = word.strip_suffix('%') {
        percent.parse().ok().filter(|percent| *percent > 0.0 && *percent <= 100.0).map(Sample::Percent)
    } else if let Some(n) = word.strip_prefix("1/") {
        n.parse().ok().filter(|n| (1..=ROWS_MAX).contains(n)).map(Sample::OneIn)
    } else {
        word.parse().ok().filter(|n| (1..=ROWS_MAX).contains(n)).map(Sample::Rows)
    };
    if sample.is_none() {
        let message = format!("`{}` is not a size of a sample", shorten(word));
        p.report(Diagnostic::error(span, message).hint(HINT));
    }
    sample
}

/// The canonical text.
pub(super) fn print(sample: &Sample) -> String {
    match sample {
        Sample::OneIn(n) => format!("sample 1/{n}"),
        Sample::Percent(percent) => format!("sample {percent}%"),
        Sample::Rows(n) => format!("sample {n}"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn sizes() {
        check(
            r#"
            * | sample 1/100
            * | sample 12.5%
            * | sample 500
            "#,
            expect![[r#"
                * | sample 1/100
                    * | sample 1/100
                * | sample 12.5%
                    * | sample 12.5%
                * | sample 500
                    * | sample 500
            "#]],
        );
    }
}
