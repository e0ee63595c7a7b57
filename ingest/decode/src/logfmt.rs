//! logfmt: `key=value key="quoted value" flag`.

use model::{Attributes, Value};
use nom::Parser as _;
use nom::branch::alt;
use nom::bytes::complete::{is_not, take_while1};
use nom::character::complete::{anychar, char, multispace0};
use nom::combinator::{map, opt, value};
use nom::multi::{fold_many0, many1};
use nom::sequence::{delimited, preceded, terminated};

/// Reads a line; `None` when it is not logfmt throughout, or has no `key=value` at all. A key without `=` is true. Values
/// stay text except those that are numbers, `true` or `false` without quotes, which keep that type.
pub(crate) fn parse(line: &str) -> Option<Attributes> {
    let parsed: nom::IResult<&str, Vec<(&str, Value)>> =
        preceded(multispace0, many1(terminated(pair, multispace0))).parse(line);
    let ("", pairs) = parsed.ok()? else { return None };
    line.contains('=').then(|| pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Whether a line of these pairs is likely logfmt, rather than text with an `=` in it: two pairs or more, and more of them than
/// bare words.
pub(crate) fn is_typical(pairs: &Attributes) -> bool {
    let valued = pairs.iter().filter(|(_, value)| *value != Value::Bool(true)).count();
    valued >= 2 && valued * 2 > pairs.len()
}

fn pair(text: &str) -> nom::IResult<&str, (&str, Value)> {
    let key = take_while1(|c: char| !c.is_whitespace() && !matches!(c, '=' | '"'));
    let value = preceded(char('='), alt((map(quoted, Value::Str), map(opt(is_not(" \t\"")), bare))));
    (key, opt(value)).map(|(key, value)| (key, value.unwrap_or(Value::Bool(true)))).parse(text)
}

/// A quoted value with the escapes of Go's `%q`, which most writers use.
fn quoted(text: &str) -> nom::IResult<&str, String> {
    let escape =
        preceded(char('\\'), alt((value('\n', char('n')), value('\r', char('r')), value('\t', char('t')), anychar)));
    let piece = alt((map(is_not("\\\""), str::to_owned), map(escape, String::from)));
    delimited(char('"'), fold_many0(piece, String::new, |out, piece| out + &piece), char('"')).parse(text)
}

fn bare(text: Option<&str>) -> Value {
    let text = text.unwrap_or("");
    match text {
        "true" => return Value::Bool(true),
        "false" => return Value::Bool(false),
        _ => {}
    }
    if let Ok(number) = text.parse::<i64>()
        && number.to_string() == text
    {
        return Value::Int(number);
    }
    match text.parse::<f64>() {
        // Only a plain decimal: `1e5`, `nan` and `0x1` are as likely names and ids.
        Ok(number) if text.contains('.') && number.to_string() == text => Value::Double(number),
        _ => Value::Str(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(line: &str, expect: Expect) {
        let shown = match parse(line) {
            Some(pairs) => pairs.iter().map(|(key, value)| format!("{key}: {value:?}\n")).collect(),
            None => "not logfmt\n".to_owned(),
        };
        expect.assert_eq(&shown);
    }

    #[test]
    fn lines() {
        check(
            r#"ts=2026-11-23T09:00:00Z level=info msg="a \"b\"\n\u" n=5 took=1.50 r=0.5 ok=true id=007 empty= quoted="5" flag"#,
            expect![[r#"
                ts: Str("2026-11-23T09:00:00Z")
                level: Str("info")
                msg: Str("a \"b\"\nu")
                n: Int(5)
                took: Str("1.50")
                r: Double(0.5)
                ok: Bool(true)
                id: Str("007")
                empty: Str("")
                quoted: Str("5")
                flag: Bool(true)
            "#]],
        );
        check(
            "a=1 b",
            expect![[r#"
            a: Int(1)
            b: Bool(true)
        "#]],
        );
        check(
            "just words",
            expect![[r#"
            not logfmt
        "#]],
        );
        check(
            r#"a=1 b="unterminated"#,
            expect![[r#"
            not logfmt
        "#]],
        );
        check(
            "=x",
            expect![[r#"
            not logfmt
        "#]],
        );
        check(
            "url=http://x/?a=b&c=d",
            expect![[r#"
            url: Str("http://x/?a=b&c=d")
        "#]],
        );
    }
}
