//! What the two text formats have in common: names, quoted texts, numbers, and where a mistake is.

use std::borrow::Cow;

use memchr::{memchr, memchr2};

use super::{EXCERPT_BYTES_MAX, ExpositionError};

/// The NaN that a sample's NaN becomes, whatever its bits: others mean something else, such as staleness.
pub(super) const NORMAL_NAN_BITS: u64 = 0x7ff8_0000_0000_0001;

/// Bytes of names of labels.
const LABEL_BYTE: [bool; 256] = name_bytes(false);
/// Bytes of names of metrics.
const METRIC_BYTE: [bool; 256] = name_bytes(true);

const fn name_bytes(colon: bool) -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        table[byte] = b.is_ascii_alphanumeric() || b == b'_' || (colon && b == b':');
        byte += 1;
    }
    table
}

/// A place in a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    /// Where the line that is read began.
    pub(super) start: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, start: 0 }
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes on if the next byte is this one.
    #[inline]
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Goes on if these bytes are next.
    pub(super) fn take_text(&mut self, wanted: &str) -> bool {
        let there = self.text.as_bytes()[self.at..].starts_with(wanted.as_bytes());
        self.at += if there { wanted.len() } else { 0 };
        there
    }

    #[inline]
    pub(super) fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// The text since a place.
    #[inline]
    pub(super) fn since(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    /// The rest of the line, without its end; stands behind the end then.
    pub(super) fn rest_of_line(&mut self) -> &'a str {
        let from = self.at;
        let end = memchr(b'\n', &self.text.as_bytes()[from..]).map_or(self.text.len(), |length| from + length);
        self.at = (end + 1).min(self.text.len());
        self.text.get(from..end).unwrap_or_default()
    }

    /// A name of a metric, as it may stand without quotes.
    #[inline]
    pub(super) fn metric_name(&mut self) -> Option<&'a str> {
        self.name(&METRIC_BYTE)
    }

    #[inline]
    pub(super) fn label_name(&mut self) -> Option<&'a str> {
        self.name(&LABEL_BYTE)
    }

    #[inline]
    fn name(&mut self, table: &[bool; 256]) -> Option<&'a str> {
        let bytes = &self.text.as_bytes()[self.at..];
        if bytes.first().is_none_or(u8::is_ascii_digit) {
            return None;
        }
        let length = bytes.iter().position(|byte| !table[*byte as usize]).unwrap_or(bytes.len());
        let from = self.at;
        self.at += length;
        (length > 0).then(|| self.since(from))
    }

    /// A text in quotes, as it stands between them; `None` when none begins here or it does not end. Where a line end may not be in
    /// it, one is no end.
    #[inline]
    pub(super) fn quoted(&mut self, lines: bool) -> Option<&'a str> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let from = self.at + 1;
        let mut at = from;
        loop {
            at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                break;
            }
            at += 2;
        }
        if !lines && memchr(b'\n', &bytes[from..at]).is_some() {
            return None;
        }
        self.at = at + 1;
        self.text.get(from..at)
    }

    /// Bytes up to a blank or the line's end, or to a brace.
    #[inline]
    pub(super) fn token(&mut self, ends: impl Fn(u8) -> bool) -> &'a str {
        let from = self.at;
        let bytes = &self.text.as_bytes()[from..];
        self.at += bytes.iter().position(|byte| ends(*byte)).unwrap_or(bytes.len());
        self.since(from)
    }

    /// What is next, for errors.
    pub(super) fn found(&self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        match rest.chars().next() {
            None => "the end".to_owned(),
            Some('\n') => "the end of the line".to_owned(),
            Some(_) => {
                let token: String = rest.chars().take_while(|c| !c.is_whitespace()).take(32).collect();
                format!("{:?}", if token.is_empty() { " " } else { &token })
            }
        }
    }

    /// `expected X, found Y` here.
    pub(super) fn expected(&self, what: &str) -> ExpositionError {
        self.error(format!("expected {what}, found {}", self.found()))
    }

    /// A mistake in the line that is read.
    pub(super) fn error(&self, what: impl Into<String>) -> ExpositionError {
        let bytes = self.text.as_bytes();
        let line = 1 + memchr::memchr_iter(b'\n', &bytes[..self.start.min(bytes.len())]).count();
        let end = memchr(b'\n', &bytes[self.start..]).map_or(bytes.len(), |length| self.start + length);
        let shown = self.text.get(self.start..end.max(self.start)).unwrap_or_default();
        let shown = &shown[..shown.floor_char_boundary(EXCERPT_BYTES_MAX)];
        ExpositionError::Line { line, what: what.into(), excerpt: shown.to_owned() }
    }

    /// The braces of a series or an exemplar, which begin behind `{` and end behind `}`. `rules` says what may be in them.
    pub(super) fn braces(&mut self, rules: Braces, mut name_known: bool) -> Result<bool, ExpositionError> {
        loop {
            self.blanks(rules);
            if self.take(b'}') {
                return Ok(name_known);
            }
            let quoted = self.peek() == Some(b'"');
            let name = if quoted { self.quoted(true) } else { self.label_name() };
            if name.is_none() {
                return Err(self.expected("a label name"));
            }
            self.blanks(rules);
            if quoted && matches!(self.peek(), Some(b',' | b'}')) {
                if rules.exemplar {
                    return Err(self.expected("`=` and a value: an exemplar has no name"));
                }
                if name_known {
                    return Err(self.error("the metric name is there twice"));
                }
                name_known = true;
                self.take(b',');
                continue;
            }
            if !self.take(b'=') {
                return Err(self.expected("`=` after a label name"));
            }
            self.blanks(rules);
            if self.quoted(!rules.strict).is_none() {
                return Err(self.expected("a label value in quotes"));
            }
            self.blanks(rules);
            if !self.take(b',') && rules.strict && self.peek() != Some(b'}') {
                return Err(self.expected("a comma or a closing brace"));
            }
        }
    }

    #[inline]
    fn blanks(&mut self, rules: Braces) {
        if !rules.strict {
            self.skip_blanks();
        }
    }
}

/// What may stand in braces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Braces {
    /// No blanks, no line ends in values, a comma between labels: OpenMetrics.
    pub(super) strict: bool,
    /// No name of a metric.
    pub(super) exemplar: bool,
}

/// A number as Go's `ParseFloat` reads it, without hexadecimal ones and without underscores.
#[inline]
pub(super) fn float(text: &str) -> Option<f64> {
    // Most values are short whole numbers, which a float holds exactly.
    let bytes = text.as_bytes();
    if (1..16).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_digit) {
        return Some(bytes.iter().fold(0u64, |number, byte| number * 10 + u64::from(byte - b'0')) as f64);
    }
    slow_float(text)
}

fn slow_float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    let letter = text.bytes().find(|byte| !matches!(byte, b'+' | b'-'));
    if value.is_nan() {
        // A NaN has no sign.
        return text.eq_ignore_ascii_case("nan").then(|| f64::from_bits(NORMAL_NAN_BITS));
    }
    // What is beyond all numbers is a mistake, unless infinity was said.
    (value.is_finite() || matches!(letter, Some(b'i' | b'I'))).then_some(value)
}

/// Undoes `\\`, `\"` and `\n`; another escape stays as it is.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
    unescape_of(text, true)
}

/// The same for a help text of the Prometheus format, in which quotes need no escape.
pub(super) fn unescape_help(text: &str) -> Cow<'_, str> {
    unescape_of(text, false)
}

fn unescape_of(text: &str, quotes: bool) -> Cow<'_, str> {
    if memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (escaped, taken) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ('\\', 2),
            Some(b'n') => ('\n', 2),
            Some(b'"') if quotes => ('"', 2),
            _ => ('\\', 1),
        };
        out.push(escaped);
        rest = &rest[at + taken..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A body as text. Prometheus looks only at label values and help texts: a comment may hold any bytes.
pub(super) fn as_text(body: &[u8], comments_may_be_odd: bool) -> Result<Cow<'_, str>, ExpositionError> {
    let error = match std::str::from_utf8(body) {
        Ok(text) => return Ok(Cow::Borrowed(text)),
        Err(error) => error,
    };
    let odd = |line: &&[u8]| std::str::from_utf8(line).is_err();
    let comment = |line: &[u8]| {
        let words = line.trim_ascii_start().strip_prefix(b"#").map(<[u8]>::trim_ascii_start);
        words.is_some_and(|words| !words.starts_with(b"HELP") && !words.starts_with(b"TYPE"))
    };
    let lines = || body.split(|byte| *byte == b'\n');
    if comments_may_be_odd && lines().filter(odd).all(comment) {
        return Ok(String::from_utf8_lossy(body));
    }
    let bad = lines().position(|line| odd(&line) && !(comments_may_be_odd && comment(line)));
    let line = bad.unwrap_or_else(|| memchr::memchr_iter(b'\n', &body[..error.valid_up_to()]).count()) + 1;
    let text = lines().nth(line - 1).map(String::from_utf8_lossy).unwrap_or_default();
    let excerpt = text[..text.floor_char_boundary(EXCERPT_BYTES_MAX)].to_owned();
    Err(ExpositionError::Line { line, what: "invalid UTF-8".to_owned(), excerpt })
}
