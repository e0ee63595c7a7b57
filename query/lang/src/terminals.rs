//! The smallest pieces of the language as nom parsers: words, quoted texts, numbers. They know nothing of meaning, and take
//! no space around them.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{anychar, char, satisfy};
use nom::combinator::{opt, recognize, value};
use nom::multi::fold_many0;
use nom::sequence::{pair, preceded, terminated};
use nom::{IResult, Parser as _};

/// A quoted text with its escapes resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Quoted {
    /// What it says.
    pub(crate) text: String,
    /// Whether the closing quote is there.
    pub(crate) closed: bool,
}

/// Whether a character can stand in a bare word: letters and digits of any script, and the punctuation that paths, ids,
/// versions and addresses are made of. What the grammar uses (`: = < > ! ~ * ( ) { } [ ] , |` and quotes) cannot.
pub(crate) fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || "_.-/+@$#%&;?\\^".contains(c) || (!c.is_ascii() && !c.is_whitespace())
}

/// Whether a character can start a bare word; `-` there is negation.
pub(crate) fn is_word_start(c: char) -> bool {
    c != '-' && is_word_char(c)
}

/// Whether a character can go on in a value that stands after `field:`, where nothing else can follow.
pub(crate) fn is_value_char(c: char) -> bool {
    is_word_char(c) || ":=~!".contains(c)
}

/// One or more of these characters.
pub(crate) fn run_of(more: impl Fn(char) -> bool, input: &str) -> IResult<&str, &str> {
    take_while1(more).parse(input)
}

/// A word of a filter, a name in a list: `checkout`, `service.name`, `blk_-42`.
pub(crate) fn word(input: &str) -> IResult<&str, &str> {
    recognize(pair(satisfy(is_word_start), take_while(is_word_char))).parse(input)
}

/// A value after `field:`: as a word, and may hold `:` and start with `-`: `10.0.0.1:8080`, `-5`, `/a?b=c`.
pub(crate) fn value_word(input: &str) -> IResult<&str, &str> {
    recognize(pair(satisfy(is_word_char), take_while(is_value_char))).parse(input)
}

/// A time or a duration: `5m`, `2026-11-23T09:00:00+01:00`, `now-1h`.
pub(crate) fn time_word(input: &str) -> IResult<&str, &str> {
    take_while1(|c: char| c.is_alphanumeric() || "-+:._".contains(c)).parse(input)
}

/// A name in an expression, where `-` and `/` are operators: `http.response.status_code`.
pub(crate) fn expr_name(input: &str) -> IResult<&str, &str> {
    let start = |c: char| c.is_alphabetic() || c == '_' || (!c.is_ascii() && is_word_char(c));
    let more = |c: char| c.is_alphanumeric() || c == '_' || c == '.' || (!c.is_ascii() && is_word_char(c));
    recognize(pair(satisfy(start), take_while(more))).parse(input)
}

/// A number without a sign: `5`, `2.5`, `1e9`.
pub(crate) fn number(input: &str) -> IResult<&str, &str> {
    let digits = || take_while1(|c: char| c.is_ascii_digit());
    let exponent = (satisfy(|c| c == 'e' || c == 'E'), opt(satisfy(|c| c == '+' || c == '-')), digits());
    recognize((digits(), opt((char('.'), digits())), opt(exponent))).parse(input)
}

/// A quoted text: `"..."` and `'...'` with escapes, or `` `...` `` without. Without its closing quote it goes on to the end.
pub(crate) fn quoted(input: &str) -> IResult<&str, Quoted> {
    alt((raw_quoted, |i| escaped_quoted(i, '"'), |i| escaped_quoted(i, '\''))).parse(input)
}

fn raw_quoted(input: &str) -> IResult<&str, Quoted> {
    let (rest, (text, end)) = preceded(char('`'), pair(take_while(|c| c != '`'), opt(char('`')))).parse(input)?;
    Ok((rest, Quoted { text: text.to_owned(), closed: end.is_some() }))
}

fn escaped_quoted(input: &str, quote: char) -> IResult<&str, Quoted> {
    let pieces = fold_many0(
        |i| piece(i, quote),
        String::new,
        |mut text, piece| {
            text.push_str(piece);
            text
        },
    );
    let (rest, (text, end)) = preceded(char(quote), pair(pieces, opt(char(quote)))).parse(input)?;
    Ok((rest, Quoted { text, closed: end.is_some() }))
}

/// A run of plain characters or one escape. An escape that is not ours stays as it is, so that `"\d+"` is the regular
/// expression it looks like.
fn piece(input: &str, quote: char) -> IResult<&str, &str> {
    alt((
        take_while1(move |c| c != quote && c != '\\'),
        value("\n", tag("\\n")),
        value("\r", tag("\\r")),
        value("\t", tag("\\t")),
        preceded(char('\\'), alt((tag("\\"), tag("\""), tag("'")))),
        recognize(pair(char('\\'), opt(anychar))),
    ))
    .parse(input)
}

/// Where a byte of the resolved text stands in the quoted text, both counted from zero: the way back from an error inside a
/// regular expression to the query.
pub(crate) fn offset_in_quoted(raw: &str, at: usize) -> usize {
    let Some(quote) = raw.chars().next().filter(|c| "\"'`".contains(*c)) else { return at.min(raw.len()) };
    if quote == '`' {
        return (at + 1).min(raw.len());
    }
    let mut rest = &raw[1..];
    let mut resolved = 0;
    while let Ok((after, text)) = piece(rest, quote) {
        let taken = rest.len() - after.len();
        if at < resolved + text.len() {
            let inside = if taken == text.len() { at - resolved } else { 0 };
            return raw.len() - rest.len() + inside;
        }
        resolved += text.len();
        rest = after;
    }
    raw.len() - rest.len()
}

/// Writes a text so that [`quoted`] reads it back.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether the whole text is what a parser of pieces takes.
pub(crate) fn is_whole(parser: fn(&str) -> IResult<&str, &str>, text: &str) -> bool {
    terminated(parser, nom::combinator::eof).parse(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_resolve_their_escapes_and_keep_foreign_ones() {
        let cases = [
            (r#""a b" c"#, "a b", true, " c"),
            (r#""a\"b\\c\n""#, "a\"b\\c\n", true, ""),
            (r#""\d+\."x"#, r"\d+\.", true, "x"),
            (r"'it''s'", "it", true, "'s'"),
            (r#"`\n""`"#, r#"\n"""#, true, ""),
            (r#""open"#, "open", false, ""),
            (r#""open\"#, "open\\", false, ""),
        ];
        for (input, text, closed, rest) in cases {
            assert_eq!(quoted(input), Ok((rest, Quoted { text: text.to_owned(), closed })), "{input}");
        }
    }

    #[test]
    fn offsets_lead_back_through_escapes() {
        // Resolved: a"b\d(   in the query: "a\"b\\d("
        let raw = r#""a\"b\\d(""#;
        let at: Vec<usize> = (0..6).map(|at| offset_in_quoted(raw, at)).collect();
        assert_eq!(at, [1, 2, 4, 5, 7, 8]);
        assert_eq!(offset_in_quoted("`ab`", 1), 2);
        assert_eq!(offset_in_quoted("ab", 1), 1);
    }
}
