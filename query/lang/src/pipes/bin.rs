//! `bin _time 5m`, `bin bytes 100 as b`: a value becomes the start of its bucket. Also the grammar of buckets, which `stats`
//! and `timechart` share.

use std::ops::Range;

use model::{field, parse_duration_ns};

use super::{PipeSpec, required_name};
use crate::complete::Offer;
use crate::filter::bound;
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::terminals;
use crate::{Bin, Bucket, Diagnostic, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["bin"],
    alias_of: None,
    syntax: "bin field width [as name], bin _time 5m|auto [offset d] [as name]",
    summary: "puts values in buckets of equal width",
    doc: "The value becomes the start of the bucket that holds it; rows stay as many as they are. Buckets of time start at \
          multiples of the width since 1970 in UTC, shifted by `offset`; `auto` chooses a width that makes at most 120 of \
          them. Buckets of numbers start at multiples of the width; a value that is no number becomes missing. The same \
          buckets are keys of `stats`: `by (_time:5m, bytes:100)`.",
    examples: &[
        "error | bin _time 5m | stats by (_time, service.name) count() as n",
        "duration_ms:* | bin duration_ms 100 as bucket | stats by (bucket) count() as n | sort by (bucket)",
        "error | bin _time auto as t | stats by (t) count() as n",
    ],
    parse,
    complete: |at| match at.words().len() {
        0 => Offer::fields(),
        1 => Offer::keywords(&["auto"]),
        _ => Offer::keywords(&["as", "offset"]),
    },
};

const HINT: &str = "for example bin _time 5m, or bin duration_ms 100 as bucket";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let field = required_name(p, "a field", HINT)?;
    let bucket = bucket(p, &field, HINT)?;
    let to = match p.eat_keyword("as") {
        Some(_) => required_name(p, "a name", HINT)?,
        None => field.clone(),
    };
    Some(vec![PipeKind::Bin(Bin { field, bucket, to })])
}

/// Takes the width of buckets of a field: `5m offset 1h`, `auto`, `100`.
pub(super) fn bucket(p: &mut Parser<'_>, of: &str, hint: &str) -> Option<Bucket> {
    let Some((word, span)) = p.take(TokenKind::Number, terminals::time_word) else {
        let hint = match p.peek() {
            Some('/') => "networks are no buckets: compute them first, eval net = ip_prefix(field, 24)",
            _ => hint,
        };
        p.expected("the width of a bucket", hint);
        return None;
    };
    if ["span", "step", "every", "bucket", "width"].contains(&word) && p.peek() == Some('=') {
        let message = format!("`{word}` is not known here");
        p.report(Diagnostic::error(span, message).hint("write the width alone, such as 5m"));
        return None;
    }
    if word.eq_ignore_ascii_case("auto") {
        p.retag(TokenKind::Keyword);
        return Some(Bucket::AutoTime);
    }
    if let Some(step_ns) = step_ns(word) {
        let offset_ns = offset(p)?.rem_euclid(step_ns);
        return Some(Bucket::Time { step_ns, offset_ns });
    }
    let width = bound(word.to_owned()).number.filter(|width| *width > 0.0 && parse_duration_ns(word).is_none());
    match width {
        Some(width) if of != field::TIME => Some(Bucket::Number { width }),
        _ => {
            no_width(p, word, span, of);
            None
        }
    }
}

fn no_width(p: &mut Parser<'_>, word: &str, span: Range<usize>, of: &str) {
    let message = format!("cannot read `{}` as the width of a bucket", shorten(word));
    let hint = match word {
        "month" | "year" | "quarter" => "months and years have no fixed length: write 30d or 365d",
        _ if word.bytes().all(|b| b.is_ascii_digit()) && of == field::TIME => {
            "give it a unit, such as 30s, 5m, 1h or 1d"
        }
        _ if of == field::TIME => "for example _time:5m, _time:1h, _time:auto",
        _ => "write a number above zero, such as 100 or 10KiB; for a field that is a time, 5m or 1h",
    };
    p.report(Diagnostic::error(span, message).hint(hint));
}

/// Takes `offset 1h`, either way; zero when it is not there.
fn offset(p: &mut Parser<'_>) -> Option<i64> {
    if p.eat_keyword("offset").is_none() {
        return Some(0);
    }
    let Some((word, span)) = p.take(TokenKind::Number, terminals::time_word) else {
        p.expected("a duration", "for example _time:1d offset 2h");
        return None;
    };
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
    let ns = parse_duration_ns(digits);
    if ns.is_none() {
        let message = format!("`{}` is not a duration", shorten(word));
        p.report(Diagnostic::error(span, message).hint("for example _time:1d offset 2h"));
    }
    ns.map(|ns| sign * ns)
}

fn step_ns(text: &str) -> Option<i64> {
    let text = match text.to_ascii_lowercase().as_str() {
        "second" => "1s",
        "minute" => "1m",
        "hour" => "1h",
        "day" => "1d",
        "week" => "1w",
        _ => text,
    };
    parse_duration_ns(text).filter(|ns| *ns > 0)
}

/// The canonical text.
pub(super) fn print(bin: &Bin) -> String {
    let to = if bin.to == bin.field { String::new() } else { format!(" as {}", text::list_name(&bin.to)) };
    format!("bin {} {}{to}", text::list_name(&bin.field), text::bucket_text(&bin.bucket))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn buckets() {
        check(
            r#"
            * | bin _time 5m
            * | bin _time auto as t
            * | bin _time 1d offset 26h
            * | bin _time 1h offset -10m as hour
            * | bin bytes 100
            * | bin bytes 10KiB as b
            * | bin ratio 0.25
            * | bin started_at 1h
            * | stats by (_time:1d offset 2h, bytes:100, _time_2:auto) count() as n
            * | stats by (_time:week) count() as n
            "#,
            expect![[r#"
                * | bin _time 5m
                    * | bin _time 5m
                * | bin _time auto as t
                    * | bin _time auto as t
                * | bin _time 1d offset 26h
                    * | bin _time 1d offset 2h
                * | bin _time 1h offset -10m as hour
                    * | bin _time 1h offset 50m as hour
                * | bin bytes 100
                    * | bin bytes 100
                * | bin bytes 10KiB as b
                    * | bin bytes 10240 as b
                * | bin ratio 0.25
                    * | bin ratio 0.25
                * | bin started_at 1h
                    * | bin started_at 1h
                * | stats by (_time:1d offset 2h, bytes:100, _time_2:auto) count() as n
                    * | stats by (_time:1d offset 2h, bytes:100, _time_2:auto) count(*) as n
                * | stats by (_time:week) count() as n
                    * | stats by (_time:7d) count(*) as n
            "#]],
        );
    }
}
