//! `diff previous`: what is different in this window of time.

use model::{TimeRange, parse_duration_ns};

use super::{PipeSpec, optional_by};
use crate::complete::Offer;
use crate::filter::moment_of;
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::terminals::{self, quote};
use crate::{Diagnostic, Diff, DiffAgainst, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["diff"],
    alias_of: None,
    syntax: "diff [previous|1h ago|start..end] [by (a, b)]",
    summary: "what is different in this window of time",
    doc: "Counts the values of every field, and the templates of the bodies (`_pattern`), in the rows of this query and in those \
          that it finds in another window: the one of the same length right before (`previous`, the default), one so much \
          earlier (`1h ago`), or any (`2026-11-22..2026-11-23`, its end not included). A row for each value whose share \
          changed, the most surprising first. Columns: `field`, `value`, `count`, `baseline_count`, `share`, \
          `baseline_share` (of all rows of the window, 0 to 1), `change` (of the share), `score` (the G statistic). `by` \
          names the fields to compare.",
    examples: &[
        "severity:ERROR _time:30m | diff previous",
        "_time:1h | diff 1d ago by (service.name, http.response.status_code, _pattern)",
        "_time:1h | diff -3h..-2h",
    ],
    parse,
    complete: |at| match at.last() {
        "" => Offer::keywords(&["previous", "by"]),
        last if last.starts_with(|c: char| c.is_ascii_digit()) => Offer::keywords(&["ago", "by"]),
        "previous" | "ago" => Offer::keywords(&["by"]),
        _ => Offer::fields(),
    },
};

const HINT: &str = "write diff previous, diff 1h ago or diff 2026-11-22..2026-11-23";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let named = p.at_pipe_end() || p.peek_word().is_some_and(|word| word.eq_ignore_ascii_case("by"));
    let against = match named || p.eat_keyword("previous").is_some() {
        true => DiffAgainst::Previous,
        false => against(p)?,
    };
    let by = optional_by(p, "for example diff previous by (service.name)")?;
    Some(vec![PipeKind::Diff(Diff { against, by })])
}

/// Takes `1h ago` or `start..end`.
fn against(p: &mut Parser<'_>) -> Option<DiffAgainst> {
    p.skip_space();
    let start = p.at;
    let (first, end) = if p.peek_here().is_some_and(|c| "\"'`".contains(c)) {
        let (first, _) = p.quoted_here(TokenKind::Number)?;
        (first, p.eat_here("..").is_some().then(|| time_text(p)).flatten())
    } else {
        let Some((word, span)) = p.take_here(TokenKind::Number, terminals::time_word) else {
            p.expected("the other window", HINT);
            return None;
        };
        if let Some(ns) = parse_duration_ns(word).filter(|ns| *ns > 0) {
            if p.eat_keyword("ago").is_none() {
                p.report(
                    Diagnostic::error(span, "is this a window so much earlier?").hint(format!("write diff {word} ago")),
                );
            }
            return Some(DiffAgainst::Ago(ns));
        }
        match word.split_once("..") {
            Some((first, "")) => (first.to_owned(), time_text(p)),
            Some((first, end)) => (first.to_owned(), Some(end.to_owned())),
            None => (word.to_owned(), None),
        }
    };
    let span = start..p.at;
    let Some(end) = end else {
        let message = format!("`{}` is not a window of time", shorten(&p.text[span.clone()]));
        p.report(Diagnostic::error(span, message).hint(HINT));
        return None;
    };
    let start = moment_of(p, &first, &span)?.start;
    let end = moment_of(p, &end, &span)?.start;
    if end <= start {
        let message = "this window ends before it starts";
        p.report(Diagnostic::error(span, message).hint("swap the two times; the end is not included"));
        return None;
    }
    Some(DiffAgainst::Range(TimeRange::new(start, end)))
}

fn time_text(p: &mut Parser<'_>) -> Option<String> {
    let quoted = p.quoted_here(TokenKind::Number).map(|(text, _)| text);
    quoted.or_else(|| p.take_here(TokenKind::Number, terminals::time_word).map(|(word, _)| word.to_owned()))
}

/// The canonical text.
pub(super) fn print(diff: &Diff) -> String {
    let by = if diff.by.is_empty() { String::new() } else { format!(" by ({})", text::list(&diff.by)) };
    match &diff.against {
        DiffAgainst::Previous => format!("diff previous{by}"),
        DiffAgainst::Ago(ns) => format!("diff {} ago{by}", text::duration(*ns)),
        DiffAgainst::Range(range) => {
            let time = |time: model::Timestamp| quote(&time.to_string());
            format!("diff {}..{}{by}", time(range.start), time(range.end))
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn windows() {
        check(
            r#"
            * | diff
            * | diff previous
            * | diff by (a, b)
            * | diff 1h ago by (_pattern)
            * | diff 2026-11-22..2026-11-23
            * | diff -3h..-2h by (a)
            * | diff "2026-11-22 08:00:00".."2026-11-22 09:00:00"
            "#,
            expect![[r#"
                * | diff
                    * | diff previous
                * | diff previous
                    * | diff previous
                * | diff by (a, b)
                    * | diff previous by (a, b)
                * | diff 1h ago by (_pattern)
                    * | diff 1h ago by (_pattern)
                * | diff 2026-11-22..2026-11-23
                    * | diff "2026-11-22T00:00:00Z".."2026-11-23T00:00:00Z"
                * | diff -3h..-2h by (a)
                    * | diff "2026-11-23T06:00:00Z".."2026-11-23T07:00:00Z" by (a)
                * | diff "2026-11-22 08:00:00".."2026-11-22 09:00:00"
                    * | diff "2026-11-22T08:00:00Z".."2026-11-22T09:00:00Z"
            "#]],
        );
    }
}
