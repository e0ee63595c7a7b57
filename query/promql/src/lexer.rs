//! Text -> tokens.

use nom::branch::alt;
use nom::bytes::complete::{tag, take_till, take_while1};
use nom::combinator::recognize;
use nom::multi::many1;
use nom::sequence::pair;
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

/// Operators and brackets outside of braces and brackets, longest first.
const OPERATORS: [&str; 21] =
    ["==", "!=", "<=", "</", ">=", ">/", "(", ")", "{", "[", "]", ",", "=", "<", ">", "+", "-", "*", "/", "%", "^"];

/// Operators inside of braces, longest first.
const MATCHING: [&str; 6] = ["=~", "!~", "!=", "=", ",", "}"];

/// Operators in an arithmetic of durations.
const DURATIONS: [&str; 10] = ["(", ")", "]", "+", "-", "*", "/", "%", "^", ","];

/// Words that durations may hold.
const DURATION_WORDS: [&str; 4] = ["step", "range", "max_of", "min_of"];

/// Where the text is read at. Brackets have two places: before a number nothing but durations is expected, after it anything.
#[derive(Default)]
struct State {
    parens: usize,
    brace: bool,
    bracket: bool,
    /// Within brackets, before a number.
    durations: bool,
    colon: bool,
    number: bool,
}

/// What is wrong, and how many bytes after the start of the token.
struct Fault(String, usize);

type Lexed<'a> = Result<(&'a str, Tok<'a>), Fault>;

fn fault<T>(message: impl Into<String>) -> Result<T, Fault> {
    Err(Fault(message.into(), 0))
}

/// Reads all tokens; the last one is `Eof` or `Error`.
pub(crate) fn lex(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut state = State::default();
    let mut rest = text;
    loop {
        rest = skip_blank(rest);
        let start = text.len() - rest.len();
        let (tok, after, start) = match state.token(rest) {
            Ok((after, tok)) => (tok, after, start),
            Err(Fault(message, skip)) => (Tok::Error(message), rest, start + skip),
        };
        let span = Span { start, end: (text.len() - after.len()).max(start) };
        let last = matches!(tok, Tok::Eof | Tok::Error(_));
        tokens.push(Token { tok, span });
        if last {
            return tokens;
        }
        rest = after;
    }
}

fn skip_blank(text: &str) -> &str {
    let space = take_while1(|c: char| matches!(c, ' ' | '\t' | '\n' | '\r'));
    let comment = recognize(pair(tag("#"), take_till(|c: char| matches!(c, '\n' | '\r'))));
    let blank: IResult<&str, Vec<&str>> = many1(alt((space, comment))).parse(text);
    blank.map_or(text, |(rest, _)| rest)
}

/// A character as Go's `%q` prints it; the end of the text is an invalid one.
fn shown(c: Option<char>) -> String {
    match c.unwrap_or(char::REPLACEMENT_CHARACTER) {
        '\'' => "'\\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = crate::text::quote(c.encode_utf8(&mut [0; 4]));
            format!("'{}'", &quoted[1..quoted.len() - 1])
        }
    }
}

impl State {
    fn token<'a>(&mut self, text: &'a str) -> Lexed<'a> {
        if self.brace {
            return self.in_braces(text);
        }
        if self.durations {
            return self.in_durations(text);
        }
        let Some(first) = text.chars().next() else {
            return if self.parens > 0 {
                fault("unclosed left parenthesis")
            } else if self.bracket {
                fault("unclosed left bracket")
            } else {
                Ok((text, Tok::Eof))
            };
        };
        if matches!(first, '"' | '\'' | '`') {
            return string(text, first).map_err(|message| Fault(message, 0));
        }
        if starts_number(text) {
            return self.number(text);
        }
        if is_name_start(first) || first == ':' {
            return if self.bracket { self.word_in_brackets(text, first) } else { Ok(name(text)) };
        }
        let second = text[first.len_utf8()..].chars().next();
        match (first, second) {
            ('=', Some('~')) => return fault(format!("unexpected character after '=': {}", shown(second))),
            ('!', second) if second != Some('=') => {
                return fault(format!("unexpected character after '!': {}", shown(second)));
            }
            ('@', _) => return Ok((&text[1..], Tok::Punct("@"))),
            _ => {}
        }
        match OPERATORS.iter().find(|operator| text.starts_with(**operator)) {
            Some(operator) => self.operator(operator, text),
            None => fault(format!("unexpected character: {}", shown(Some(first)))),
        }
    }

    fn operator<'a>(&mut self, operator: &'static str, text: &'a str) -> Lexed<'a> {
        match operator {
            "(" => self.parens += 1,
            ")" if self.parens == 0 => return Err(Fault("unexpected right parenthesis ')'".into(), 1)),
            ")" => self.parens -= 1,
            "{" => self.brace = true,
            "[" if self.bracket => return fault("unexpected left bracket '['"),
            "[" => (self.bracket, self.durations, self.colon, self.number) = (true, true, false, false),
            "]" if !self.bracket => return fault("unexpected right bracket ']'"),
            "]" => (self.bracket, self.durations) = (false, false),
            _ => {}
        }
        Ok((&text[operator.len()..], Tok::Punct(operator)))
    }

    fn number<'a>(&mut self, text: &'a str) -> Lexed<'a> {
        (self.durations, self.number) = (false, true);
        number_or_duration(text)
    }

    fn in_braces<'a>(&mut self, text: &'a str) -> Lexed<'a> {
        let Some(first) = text.chars().next() else { return fault("unexpected end of input inside braces") };
        if matches!(first, '"' | '\'' | '`') {
            return string(text, first).map_err(|message| Fault(message, 0));
        }
        if is_name_start(first) {
            let (word, rest) = text.split_at(text.find(|c: char| !is_name_char(c)).unwrap_or(text.len()));
            return Ok((rest, Tok::Ident(word)));
        }
        if let Some(operator) = MATCHING.iter().find(|operator| text.starts_with(**operator)) {
            self.brace = *operator != "}";
            return Ok((&text[operator.len()..], Tok::Punct(operator)));
        }
        match first {
            '!' => {
                let second = text.chars().nth(1);
                fault(format!("unexpected character after '!' inside braces: {}", shown(second)))
            }
            '{' => fault("unexpected left brace '{'"),
            _ => fault(format!("unexpected character inside braces: {}", shown(Some(first)))),
        }
    }

    fn in_durations<'a>(&mut self, text: &'a str) -> Lexed<'a> {
        let Some(first) = text.chars().next() else { return fault("unexpected end of input in duration expression") };
        if starts_number(text) {
            return self.number(text);
        }
        if first == ':' {
            if !self.number {
                return Err(Fault("unexpected colon before duration in duration expression".into(), 1));
            }
            if self.colon {
                return Err(Fault("unexpected repeated colon in duration expression".into(), 1));
            }
            self.colon = true;
            return Ok((&text[1..], Tok::Punct(":")));
        }
        if let Some((rest, word)) = duration_word(text) {
            return Ok((rest, Tok::Ident(word)));
        }
        match DURATIONS.iter().find(|operator| text.starts_with(**operator)) {
            Some(operator) => self.operator(operator, text),
            None => fault(format!("unexpected character in duration expression: {}", shown(Some(first)))),
        }
    }

    /// A word or colon after a number in brackets.
    fn word_in_brackets<'a>(&mut self, text: &'a str, first: char) -> Lexed<'a> {
        if first == ':' {
            if self.colon {
                return fault("unexpected colon ':'");
            }
            self.colon = true;
            return Ok((&text[1..], Tok::Punct(":")));
        }
        match duration_word(text) {
            Some((rest, word)) => Ok((rest, Tok::Ident(word))),
            None => fault(format!("unexpected character: {}, expected ':'", shown(Some(first)))),
        }
    }
}

fn starts_number(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next().unwrap_or(' ');
    first.is_ascii_digit() || (first == '.' && chars.next().is_some_and(|c| c.is_ascii_digit()))
}

fn is_name_start(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_'
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn duration_word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c: char| !is_name_start(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    DURATION_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)).then_some((rest, word))
}

fn name(text: &str) -> (&str, Tok<'_>) {
    let end = text.find(|c: char| !(is_name_char(c) || c == ':')).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let tok = match word.to_ascii_lowercase().as_str() {
        "inf" | "nan" => Tok::Number(word),
        _ if word.contains(':') => Tok::MetricIdent(word),
        _ => Tok::Ident(word),
    };
    (rest, tok)
}

/// A number if the text is one, else a duration. The error shows as much as was read in vain.
fn number_or_duration(text: &str) -> Lexed<'_> {
    let mut scan = Scan { text, at: 0 };
    if scan.number() {
        return Ok((&text[scan.at..], Tok::Number(&text[..scan.at])));
    }
    if scan.duration() {
        return Ok((&text[scan.at..], Tok::Duration(&text[..scan.at])));
    }
    // The character that spoils it is shown too.
    scan.at += scan.peek().map_or(0, |_| usize::from(scan.spoiled_after_unit()));
    fault(format!("bad number or duration syntax: {}", crate::text::quote(&text[..scan.at])))
}

/// A place in a number or duration.
struct Scan<'a> {
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, set: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| set.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn eat_all(&mut self, set: &[u8]) {
        while self.eat(set) {}
    }

    /// Reads a number: digits with single underscores, one dot, one exponent; or hexadecimal digits.
    fn number(&mut self) -> bool {
        const DIGITS: &[u8] = b"0123456789";
        const HEX_DIGITS: &[u8] = b"0123456789abcdefABCDEF";
        let mut digits = DIGITS;
        if self.eat(b"0") && self.eat(b"xX") {
            self.eat(b"_");
            digits = HEX_DIGITS;
        }
        let is_hex = digits.len() > DIGITS.len();
        self.eat(b".");
        self.eat(digits);
        let (mut dot, mut exponent) = (false, false);
        loop {
            if self.eat(b".") {
                if dot || self.eat(b"_.") || is_hex {
                    return false;
                }
                dot = true;
            } else if !is_hex && self.eat(b"eE") {
                if exponent {
                    return false;
                }
                exponent = true;
                self.eat(b"+-");
                if self.eat(b"._eE") || self.peek().is_none() {
                    return false;
                }
            } else if self.eat(b"_") {
                if self.eat(b"._eE") || self.peek().is_none() {
                    return false;
                }
            } else if self.peek().is_some_and(|byte| digits.contains(&byte)) {
                self.eat_all(digits);
            } else {
                break;
            }
        }
        !self.peek().is_some_and(|byte| is_name_char(char::from(byte)))
    }

    /// Goes on after digits that turned out not to be a number: a unit, then more digits with units. Whether the units make sense
    /// is for the parser.
    fn duration(&mut self) -> bool {
        if !self.eat(b"smhdwy") {
            return false;
        }
        self.eat(b"s");
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.eat_all(b"0123456789");
            if !self.eat(b"smhdw") {
                return false;
            }
            self.eat(b"s");
        }
        !self.peek().is_some_and(|byte| is_name_char(char::from(byte)))
    }

    /// Whether the last character read is a unit with something glued to it.
    fn spoiled_after_unit(&self) -> bool {
        let last = self.text.as_bytes()[..self.at].last().copied().unwrap_or(b' ');
        b"smhdwy".contains(&last) && self.peek().is_some_and(|byte| is_name_char(char::from(byte)))
    }
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
