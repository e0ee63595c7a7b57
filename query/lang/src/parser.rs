//! The cursor that every part of the grammar moves: it takes nom's terminals from the text, remembers what they were for
//! highlighting, and collects diagnostics. Recovery lives here; the grammar itself in `query`, `filter` and `pipes`.

use std::ops::Range;

use model::Timestamp;
use nom::IResult;

use crate::highlight::TokenKind;
use crate::limits::{DIAGNOSTICS_MAX, FILTER_TERMS_MAX, LIST_ITEMS_MAX, NESTING_MAX};
use crate::suggest::nearest;
use crate::terminals::{self, Quoted};
use crate::{Diagnostic, FieldName};

/// A text and where it stands.
pub(crate) type Located<T> = (T, Range<usize>);

/// A place in a text that the parser can go back to.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    at: usize,
    tokens: usize,
    diagnostics: usize,
}

/// The state of one parse.
pub(crate) struct Parser<'a> {
    /// The whole query.
    pub(crate) text: &'a str,
    /// How far it is read, in bytes.
    pub(crate) at: usize,
    /// What relative times count from.
    pub(crate) now: Timestamp,
    /// What a filter without a field looks at: `body`, inside `field:( ... )` that field.
    pub(crate) default_field: FieldName,
    /// Whether the filter stands in a pipe, where `n = 20` compares the column `n`.
    pub(crate) over_columns: bool,
    /// What is wrong so far.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What was read, for highlighting.
    pub(crate) tokens: Vec<(Range<usize>, TokenKind)>,
    /// How many queries in parentheses are open around this place: in one, `)` ends it.
    pub(crate) inside: usize,
    /// How many queries in parentheses there were so far.
    pub(crate) subqueries: usize,
    /// The words that could have stood at a place, for hints about one that is nearly so.
    tried: (usize, Vec<&'static str>),
    depth: usize,
    terms: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, now: Timestamp) -> Self {
        Self {
            text,
            at: 0,
            now,
            default_field: FieldName::body(),
            over_columns: false,
            diagnostics: Vec::new(),
            tokens: Vec::new(),
            inside: 0,
            subqueries: 0,
            tried: (0, Vec::new()),
            depth: 0,
            terms: 0,
        }
    }

    /// What is not read yet.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes over space, and over comments: from a `#` that stands alone to the end of its line.
    pub(crate) fn skip_space(&mut self) {
        // Asked before every token, and mostly there is none.
        let plain = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
        if self.text.as_bytes().get(self.at).is_some_and(plain) {
            return;
        }
        loop {
            let rest = self.rest();
            self.at += rest.len() - rest.trim_start().len();
            let starts = self.at == 0 || self.text[..self.at].ends_with(char::is_whitespace);
            let alone =
                self.rest().strip_prefix('#').is_some_and(|after| !after.starts_with(|c: char| !c.is_whitespace()));
            if !starts || !alone {
                return;
            }
            let end = self.at + self.rest().find('\n').unwrap_or(self.rest().len());
            self.tokens.push((self.at..end, TokenKind::Comment));
            self.at = end;
        }
    }

    /// The next character after space, which is passed over.
    pub(crate) fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.rest().chars().next()
    }

    /// The next character, without passing over space.
    pub(crate) fn peek_here(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(crate) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Whether a pipe, and so whatever it takes, ends here: at the end, at `|`, in a query in parentheses at `)`.
    pub(crate) fn at_pipe_end(&mut self) -> bool {
        match self.peek() {
            None | Some('|') => true,
            Some(')') => self.inside > 0,
            Some(_) => false,
        }
    }

    /// Goes back to a place that was read before, and forgets what was read since.
    pub(crate) fn back_to(&mut self, mark: Mark) {
        self.at = mark.at;
        self.tokens.truncate(mark.tokens);
        self.diagnostics.truncate(mark.diagnostics);
    }

    /// This place, for [`Parser::back_to`].
    pub(crate) fn mark(&self) -> Mark {
        Mark { at: self.at, tokens: self.tokens.len(), diagnostics: self.diagnostics.len() }
    }

    /// Takes what a terminal takes, from right here.
    pub(crate) fn take_here<T>(
        &mut self,
        kind: TokenKind,
        terminal: impl Fn(&'a str) -> IResult<&'a str, T>,
    ) -> Option<Located<T>> {
        let (rest, out) = terminal(self.rest()).ok()?;
        let span = self.at..self.text.len() - rest.len();
        self.at = span.end;
        self.tokens.push((span.clone(), kind));
        Some((out, span))
    }

    /// Takes what a terminal takes, after space.
    pub(crate) fn take<T>(
        &mut self,
        kind: TokenKind,
        terminal: impl Fn(&'a str) -> IResult<&'a str, T>,
    ) -> Option<Located<T>> {
        self.skip_space();
        self.take_here(kind, terminal)
    }

    /// Takes this text, right here.
    pub(crate) fn eat_here(&mut self, text: &str) -> Option<Range<usize>> {
        self.rest().starts_with(text).then(|| {
            let span = self.at..self.at + text.len();
            self.at = span.end;
            self.tokens.push((span.clone(), TokenKind::Operator));
            span
        })
    }

    /// Takes this text, after space.
    pub(crate) fn eat(&mut self, text: &str) -> Option<Range<usize>> {
        self.skip_space();
        self.eat_here(text)
    }

    /// The next bare word after space, without taking it.
    pub(crate) fn peek_word(&mut self) -> Option<&'a str> {
        self.skip_space();
        terminals::word(self.rest()).ok().map(|(_, word)| word)
    }

    /// Takes the next word when it is this one, in any case.
    pub(crate) fn eat_keyword(&mut self, keyword: &'static str) -> Option<Range<usize>> {
        if self.peek_word().is_some_and(|word| word.eq_ignore_ascii_case(keyword)) {
            return self.take(TokenKind::Keyword, terminals::word).map(|(_, span)| span);
        }
        if self.tried.0 != self.at {
            self.tried = (self.at, Vec::new());
        }
        if !self.tried.1.contains(&keyword) {
            self.tried.1.push(keyword);
        }
        None
    }

    /// A hint about the next word from the words that could have stood in its place.
    fn hint_from_tried(&mut self) -> Option<String> {
        let word = self.peek_word()?.to_ascii_lowercase();
        let tried: &[&'static str] = if self.tried.0 == self.at { &self.tried.1 } else { &[] };
        let longer =
            |keyword: &&&str| keyword.len() >= 3 && (word.starts_with(**keyword) || keyword.starts_with(&word));
        let near = tried.iter().find(longer).copied().or_else(|| nearest(&word, tried.iter().copied()));
        near.map(|near| format!("did you mean `{near}`?"))
    }

    /// Reports that a pipe does not end where it must.
    pub(crate) fn expected_pipe_end(&mut self) {
        let known = if self.tried.0 == self.at { self.tried.1.join(", ") } else { String::new() };
        let hint = self.hint_from_tried().unwrap_or_else(|| match known.as_str() {
            "" => "separate pipes with `|`".to_owned(),
            known => format!("separate pipes with `|`; here could stand {known}"),
        });
        self.expected("`|` or the end of the query", &hint);
    }

    /// Takes a quoted text, from right here; one that is not closed is reported and goes to the end.
    pub(crate) fn quoted_here(&mut self, kind: TokenKind) -> Option<Located<String>> {
        let (Quoted { text, closed }, span) = self.take_here(kind, terminals::quoted)?;
        if !closed {
            let quote = &self.text[span.start..=span.start];
            self.report(
                Diagnostic::error(span.start..span.end, format!("this text has no closing {quote}"))
                    .hint(format!("add {quote} where the text ends")),
            );
        }
        Some((text, span))
    }

    /// The span of a part of a quoted text: what lies between two offsets of what the text says. Whole characters, inside
    /// the text, and not empty unless the text is.
    pub(crate) fn inside_quoted(&self, span: &Range<usize>, inside: &Range<usize>) -> Range<usize> {
        let raw = &self.text[span.clone()];
        let last = raw.char_indices().next_back().map_or(0, |(at, _)| at);
        let floor = |at: usize| (0..=at.min(last)).rev().find(|at| raw.is_char_boundary(*at)).unwrap_or(0);
        let ceil = |at: usize| (at..=raw.len()).find(|at| raw.is_char_boundary(*at)).unwrap_or(raw.len());
        let start = floor(terminals::offset_in_quoted(raw, inside.start));
        let end = ceil(terminals::offset_in_quoted(raw, inside.end.max(inside.start + 1)).max(start + 1));
        span.start + start..span.start + end
    }

    /// Takes a name: a word or a quoted text.
    pub(crate) fn name(&mut self) -> Option<Located<String>> {
        self.skip_space();
        if let Some(quoted) = self.quoted_here(TokenKind::Field) {
            return Some(quoted);
        }
        self.take_here(TokenKind::Field, terminals::word).map(|(word, span)| (own_name(word.to_owned()), span))
    }

    /// Changes what the last token is highlighted as.
    pub(crate) fn retag(&mut self, kind: TokenKind) {
        if let Some(last) = self.tokens.last_mut() {
            last.1 = kind;
        }
    }

    /// Adds a diagnostic, unless there are enough.
    pub(crate) fn report(&mut self, mut diagnostic: Diagnostic) {
        let seen = |d: &Diagnostic| d.span == diagnostic.span && d.message == diagnostic.message;
        if self.diagnostics.len() >= DIAGNOSTICS_MAX || self.diagnostics.iter().any(seen) {
            return;
        }
        diagnostic.span = self.widen(diagnostic.span);
        self.diagnostics.push(diagnostic);
    }

    /// A span that can be underlined: an empty one takes the last character before it that is not space.
    fn widen(&self, span: Range<usize>) -> Range<usize> {
        if !span.is_empty() {
            return span;
        }
        let before = self.text[..span.start.min(self.text.len())].trim_end();
        match before.char_indices().next_back() {
            Some((at, _)) => at..before.len(),
            None => 0..self.text.chars().next().map_or(0, char::len_utf8),
        }
    }

    /// The span of the next thing, for a message that it was not expected: a word, a quoted text or one character; empty
    /// at the end.
    pub(crate) fn next_span(&mut self) -> Range<usize> {
        self.skip_space();
        let rest = self.rest();
        let len = terminals::quoted(rest)
            .map(|(after, _)| rest.len() - after.len())
            .or_else(|_| terminals::word(rest).map(|(_, word)| word.len()))
            .unwrap_or_else(|_| rest.chars().next().map_or(0, char::len_utf8));
        self.at..self.at + len
    }

    /// Reports that something else was expected here.
    pub(crate) fn expected(&mut self, what: &str, hint: &str) {
        let span = self.next_span();
        let message = match &self.text[span.clone()] {
            "" if what.contains(" and ") => format!("{what} are missing here"),
            "" => format!("{what} is missing here"),
            found => format!("expected {what}, found `{}`", shorten(found)),
        };
        self.report(Diagnostic::error(span, message).hint(hint));
    }

    /// Passes over everything up to the next `|`, for recovery; in a query in parentheses up to the `)` that ends it.
    pub(crate) fn skip_to_pipe(&mut self) {
        let mut open = 0usize;
        while let Some(c) = self.peek().filter(|c| *c != '|' || open > 0) {
            match c {
                '(' => open += 1,
                ')' if open == 0 && self.inside > 0 => break,
                ')' => open = open.saturating_sub(1),
                _ => {}
            }
            if self.take_here(TokenKind::String, terminals::quoted).is_none() {
                self.at += c.len_utf8();
            }
        }
    }

    /// Whether what stands after an opening parenthesis is a query and not a list of values: it starts with `from` and a
    /// name, or has a pipe before the parenthesis that closes it. Nothing is taken.
    pub(crate) fn query_follows(&mut self) -> bool {
        self.skip_space();
        let rest = self.rest();
        if let Some(after) = rest.get(..4).filter(|word| word.eq_ignore_ascii_case("from")).map(|_| &rest[4..]) {
            let name = after.trim_start();
            if name.len() < after.len() && name.starts_with(terminals::is_word_start) {
                return true;
            }
        }
        let mut at = rest;
        let mut open = 0usize;
        while let Some(c) = at.chars().next() {
            match c {
                '|' => return true,
                ')' if open == 0 => return false,
                ')' => open -= 1,
                '(' => open += 1,
                _ => {}
            }
            at = match terminals::quoted(at) {
                Ok((after, _)) => after,
                Err(_) => &at[c.len_utf8()..],
            };
        }
        false
    }

    /// Passes over everything up to and with this character, or up to the next `|`, for recovery.
    pub(crate) fn skip_past(&mut self, last: char) {
        while let Some(c) = self.peek().filter(|c| *c != '|') {
            if self.take_here(TokenKind::String, terminals::quoted).is_none() {
                self.at += c.len_utf8();
            }
            if c == last {
                break;
            }
        }
    }

    /// Takes `(`, items between commas, and `)`. Every flaw is reported.
    pub(crate) fn parenthesised<T>(
        &mut self,
        what: &str,
        hint: &str,
        item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let Some(open) = self.eat("(") else {
            self.expected("`(`", hint);
            return None;
        };
        if self.eat(")").is_some() {
            return Some(Vec::new());
        }
        let items = self.list(what, hint, item)?;
        self.close(open, ")");
        Some(items)
    }

    /// Takes items between commas; at least one.
    pub(crate) fn list<T>(
        &mut self,
        what: &str,
        hint: &str,
        mut item: impl FnMut(&mut Self) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut items = Vec::new();
        loop {
            let before = (self.at, self.diagnostics.len());
            let Some(next) = item(self) else {
                if self.diagnostics.len() == before.1 {
                    self.expected(what, hint);
                }
                return None;
            };
            items.push(next);
            if items.len() > LIST_ITEMS_MAX {
                self.stop(before.0..self.at, format!("the list has more than {LIST_ITEMS_MAX} items (LIST_ITEMS_MAX)"));
                return Some(items);
            }
            if self.eat(",").is_none() {
                return Some(items);
            }
        }
    }

    /// Takes the closing bracket, or reports that the opening one has none.
    pub(crate) fn close(&mut self, open: Range<usize>, bracket: &str) {
        if self.eat(bracket).is_some() {
            return;
        }
        if matches!(self.peek(), None | Some('|')) {
            let message = format!("this `{}` has no closing `{bracket}`", &self.text[open.clone()]);
            self.report(Diagnostic::error(open, message).hint(format!("add `{bracket}`")));
        } else {
            let hint = self.hint_from_tried().unwrap_or_else(|| format!("close the list with `{bracket}`"));
            self.expected(&format!("`,` or `{bracket}`"), &hint);
            self.skip_rest_of_list(&open, bracket);
        }
    }

    /// Passes over what stands before a closing bracket that is surely the one that was wanted.
    fn skip_rest_of_list(&mut self, open: &Range<usize>, bracket: &str) {
        let opening = &self.text[open.clone()];
        let rest = self.rest();
        let Some(end) = rest.find(bracket) else { return };
        if !rest[..end].contains(['|', '"', '\'', '`']) && !rest[..end].contains(opening) {
            self.at += end;
            self.eat_here(bracket);
        } else if bracket == "}" {
            self.skip_past('}');
        }
    }

    /// Counts one test of a filter against [`FILTER_TERMS_MAX`].
    pub(crate) fn count_term(&mut self, span: Range<usize>) {
        self.terms += 1;
        if self.terms > FILTER_TERMS_MAX {
            let message = format!("the query has more than {FILTER_TERMS_MAX} tests (FILTER_TERMS_MAX)");
            self.stop(span, message);
        }
    }

    /// Goes one level deeper, unless that is deeper than [`NESTING_MAX`].
    pub(crate) fn nested<T>(&mut self, open: Range<usize>, inner: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.depth == NESTING_MAX {
            self.stop(open, format!("parentheses are nested deeper than {NESTING_MAX} levels (NESTING_MAX)"));
            return None;
        }
        self.depth += 1;
        let out = inner(self);
        self.depth -= 1;
        out
    }

    /// Reports a limit and reads no further.
    pub(crate) fn stop(&mut self, span: Range<usize>, message: String) {
        self.at = self.text.len();
        self.report(Diagnostic::error(span, message).hint("make the query shorter, or ask in several queries"));
    }
}

/// The name of a field that stands there without quotes: LogsQL's `_msg` is `body`.
pub(crate) fn own_name(name: String) -> String {
    if name == "_msg" { model::field::BODY.to_owned() } else { name }
}

/// The start of a long text, for messages.
pub(crate) fn shorten(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text.to_owned(),
    }
}
