//! `context before n after n`: the rows around each row.

use super::{PipeSpec, limit};
use crate::complete::Offer;
use crate::limits::CONTEXT_ROWS_MAX;
use crate::parser::Parser;
use crate::{Context, Diagnostic, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["context"],
    alias_of: None,
    syntax: "context before n after n",
    summary: "adds the rows right before and after",
    doc: "Each record with those of the same `_stream` that came right before and after it, whether they match or not. The \
          column `_context` says which is which: `match`, `before`, `after`. It stands right after the filter; rows come \
          stream by stream in order of time, each once. Either side may be left out.",
    examples: &["\"connection refused\" | context before 5 after 5", "severity:FATAL | context before 20"],
    parse: parse_context,
    complete: |at| match at.words().len() % 2 {
        0 => Offer::keywords(&["before", "after"]),
        _ => Offer::nothing(),
    },
};

const HINT: &str = "for example context before 5 after 5";

pub(super) fn parse_context(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let start = p.at;
    let mut context = Context { before: 0, after: 0 };
    let mut any = false;
    loop {
        if p.eat_keyword("before").is_some() {
            context.before = rows(p)?;
        } else if p.eat_keyword("after").is_some() {
            context.after = rows(p)?;
        } else if let Some(span) = p.eat_keyword("time_window") {
            let _ = super::required_duration(p, "for example time_window 1h");
            let message = "a window of time has no effect here: rows are counted only";
            p.report(Diagnostic::warning(span, message).hint("leave it out"));
        } else {
            break;
        }
        any = true;
    }
    if !any {
        p.expected("`before` or `after` and a number of rows", HINT);
        return None;
    }
    if context.before == 0 && context.after == 0 {
        p.skip_space();
        p.report(Diagnostic::error(start..p.at, "this asks for no rows around").hint(HINT));
        return None;
    }
    Some(vec![PipeKind::Context(context)])
}

fn rows(p: &mut Parser<'_>) -> Option<u64> {
    p.skip_space();
    let start = p.at;
    let rows = limit::rows(p, "context before 5 after 5")?;
    if rows > CONTEXT_ROWS_MAX {
        let message =
            format!("{rows} rows of context are more than the limit of {CONTEXT_ROWS_MAX} (CONTEXT_ROWS_MAX)");
        p.report(
            Diagnostic::error(start..p.at, message).hint("ask for fewer, or search for the stream: _stream:{...}"),
        );
        return None;
    }
    Some(rows)
}

/// The canonical text.
pub(super) fn print(context: &Context) -> String {
    format!("context before {} after {}", context.before, context.after)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn rows_around() {
        check(
            r#"
            error | context before 5 after 10
            error | context after 3
            error | stream_context before 2
            "#,
            expect![[r#"
                error | context before 5 after 10
                    error | context before 5 after 10
                error | context after 3
                    error | context before 0 after 3
                error | stream_context before 2
                    error | context before 2 after 0
            "#]],
        );
    }
}
