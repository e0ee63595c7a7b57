//! Text -> tokens.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_while, take_while1};
use nom::character::complete::{digit1, multispace1, not_line_ending, one_of};
use nom::combinator::{opt, recognize};
use nom::multi::many1;
use nom::sequence::{pair, preceded};
use nom::{IResult, Parser};

use crate::ast::Span;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tok<'a> {
    /// A name without colons, keywords included.
    Ident(&'a str),
    /// A name with colons.
    MetricIdent(&'a str),
    Number(&'a str),
    Duration(&'a str),
    /// A text with its quotes gone and its escapes undone.
    Str(String, &'a str),
    /// An operator or a bracket.
    Punct(&'static str),
    Eof,
    /// The text can not be read from here on.
    Error(String),
}

/// A token and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'a> {
    pub(crate) tok: Tok<'a>,
    pub(crate) span: Span,
}

/// Longest first.
const PUNCTUATION: [&str; 26] = [
    "==", "=~", "!=", "!~", "<=", "</", ">=", ">/", "(", ")", "[", "]", "{", "}", ",", "=", "<", ">", "+", "-", "*",
    "/", "%", "^", "@", ":",
];

#[derive(Default)]
struct State {
    parens: usize,
    brace: bool,
    bracket: bool,
}

/// Reads all tokens; the last one is `Eof` or `Error`.
pub(crate) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut state = State::default();
    let mut rest = text;
    loop {
        rest = skip_blank(rest);
        let start = text.len() - rest.len();
        let (tok, after) = if rest.is_empty() {
            (state.at_end().map_or(Tok::Eof, Tok::Error), rest)
        } else {
            match token(rest, &mut state) {
                Ok((after, tok)) => (tok, after),
                Err(message) => (Tok::Error(message), rest),
            }
        };
        let span = Span { start, end: text.len() - after.len() };
        let last = matches!(tok, Tok::Eof | Tok::Error(_));
        tokens.push(Token { tok, span });
        if last {
            return tokens;
        }
        rest = after;
    }
}

fn skip_blank(text: &str) -> &str {
    let comment = recognize(pair(tag("#"), not_line_ending));
    let blank: IResult<&str, Vec<&str>> = many1(alt((multispace1, comment))).parse(text);
    blank.map_or(text, |(rest, _)| rest)
}

fn token<'a>(text: &'a str, state: &mut State) -> Result<(&'a str, Tok<'a>), String> {
    let first = text.chars().next().unwrap_or(' ');
    let second = text[first.len_utf8()..].chars().next().unwrap_or(' ');
    if first == '"' || first == '\'' || first == '`' {
        return string(text, first);
    }
    let number = first.is_ascii_digit() || (first == '.' && second.is_ascii_digit());
    if number && !state.brace {
        return number_or_duration(text);
    }
    if is_name_start(first) || (first == ':' && !state.bracket && !state.brace) {
        return Ok(name(text, state));
    }
    let Some(punct) = PUNCTUATION.iter().find(|punct| text.starts_with(**punct)) else {
        let inside = if state.brace { " inside braces" } else { "" };
        return match first {
            '!' if state.brace => Err(format!("unexpected character after '!' inside braces: {second:?}")),
            '!' => Err(format!("unexpected character after '!': {second:?}")),
            _ => Err(format!("unexpected character{inside}: {first:?}")),
        };
    };
    state.track(punct)?;
    Ok((&text[punct.len()..], Tok::Punct(punct)))
}

impl State {
    /// Follows the nesting of brackets.
    fn track(&mut self, punct: &str) -> Result<(), String> {
        match punct {
            "(" => self.parens += 1,
            ")" if self.parens == 0 => return Err("unexpected right parenthesis ')'".into()),
            ")" => self.parens -= 1,
            "{" if self.brace => return Err("unexpected left brace '{'".into()),
            "{" => self.brace = true,
            "}" if !self.brace => return Err("unexpected character: '}'".into()),
            "}" => self.brace = false,
            "[" if self.bracket => return Err("unexpected left bracket '['".into()),
            "[" => self.bracket = true,
            "]" if !self.bracket => return Err("unexpected right bracket ']'".into()),
            "]" => self.bracket = false,
            ":" if !self.bracket => return Err("unexpected character: ':'".into()),
            _ => {}
        }
        Ok(())
    }

    fn at_end(&self) -> Option<String> {
        if self.brace {
            Some("unexpected end of input inside braces".into())
        } else if self.bracket {
            Some("unexpected end of input in duration expression".into())
        } else if self.parens > 0 {
            Some("unclosed left parenthesis".into())
        } else {
            None
        }
    }
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn name<'a>(text: &'a str, state: &State) -> (&'a str, Tok<'a>) {
    let colons = !state.brace && !state.bracket;
    let end = text.find(|c: char| !(is_name_char(c) || (colons && c == ':'))).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let tok = match word.to_ascii_lowercase().as_str() {
        "inf" | "nan" if !state.brace => Tok::Number(word),
        _ if word.contains(':') => Tok::MetricIdent(word),
        _ => Tok::Ident(word),
    };
    (rest, tok)
}

fn number_or_duration(text: &str) -> Result<(&str, Tok<'_>), String> {
    let ends = |rest: &str| !rest.starts_with(is_name_char);
    if let Ok((rest, word)) = duration(text)
        && ends(rest)
    {
        return Ok((rest, Tok::Duration(word)));
    }
    match number(text) {
        Ok((rest, word)) if ends(rest) => Ok((rest, Tok::Number(word))),
        _ => {
            let end = text.find(|c: char| !is_name_char(c) && c != '.').unwrap_or(text.len());
            Err(format!("bad number or duration syntax: {:?}", &text[..end]))
        }
    }
}

/// Digits and a unit, repeated.
fn duration(text: &str) -> IResult<&str, &str> {
    let unit = alt((tag("ms"), recognize(one_of("smhdwy"))));
    recognize(many1(pair(digit1, unit))).parse(text)
}

fn number(text: &str) -> IResult<&str, &str> {
    let digits = || take_while1(|c: char| c.is_ascii_digit() || c == '_');
    let hex =
        recognize(preceded(alt((tag("0x"), tag("0X"))), take_while1(|c: char| c.is_ascii_hexdigit() || c == '_')));
    let exponent = || opt((one_of("eE"), opt(one_of("+-")), digit1));
    let fraction = (tag("."), take_while(|c: char| c.is_ascii_digit() || c == '_'));
    let whole = recognize((digits(), opt(fraction), exponent()));
    let dotted = recognize((tag("."), digits(), exponent()));
    alt((hex, whole, dotted)).parse(text)
}

fn string(text: &str, quote: char) -> Result<(&str, Tok<'_>), String> {
    let mut value: Vec<u8> = Vec::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == quote {
            let (raw, rest) = text.split_at(at + 1);
            // Bytes that are no UTF-8 become replacement characters, which no label's name may contain.
            return Ok((rest, Tok::Str(String::from_utf8_lossy(&value).into_owned(), raw)));
        }
        match c {
            '\n' if quote != '`' => return Err("unterminated quoted string".into()),
            '\\' if quote != '`' => escape(&mut chars, quote, &mut value)?,
            _ => value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Err(if quote == '`' { "unterminated raw string" } else { "unterminated quoted string" }.into())
}

type Chars<'a> = std::iter::Peekable<std::iter::Skip<std::str::CharIndices<'a>>>;

/// One escape sequence of Go: `\x` and octal ones stand for bytes, `\u` and `\U` for code points.
fn escape(chars: &mut Chars<'_>, quote: char, out: &mut Vec<u8>) -> Result<(), String> {
    let Some((_, c)) = chars.next() else { return Err("escape sequence not terminated".into()) };
    let plain = match c {
        'a' => Some(7),
        'b' => Some(8),
        'f' => Some(12),
        'n' => Some(b'\n'),
        'r' => Some(b'\r'),
        't' => Some(b'\t'),
        'v' => Some(11),
        '\\' => Some(b'\\'),
        _ if c == quote => u8::try_from(c).ok(),
        _ => None,
    };
    if let Some(byte) = plain {
        out.push(byte);
        return Ok(());
    }
    let (digits, base, first) = match c {
        '0'..='7' => (2, 8, c.to_digit(8)),
        'x' => (2, 16, None),
        'u' => (4, 16, None),
        'U' => (8, 16, None),
        _ => return Err(format!("unknown escape sequence U+{:04X} {c:?}", c as u32)),
    };
    let mut code = first.unwrap_or(0);
    for _ in 0..digits {
        let Some((_, c)) = chars.next() else { return Err("escape sequence not terminated".into()) };
        let digit = c.to_digit(base);
        let digit = digit.ok_or_else(|| format!("illegal character U+{:04X} {c:?} in escape sequence", c as u32))?;
        code = code.saturating_mul(base).saturating_add(digit);
    }
    let invalid = || "escape sequence is an invalid Unicode code point".to_owned();
    if matches!(c, 'u' | 'U') {
        let c = char::from_u32(code).ok_or_else(invalid)?;
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        out.push(u8::try_from(code).map_err(|_| invalid())?);
    }
    Ok(())
}
