//! Operands: numbers, texts, selectors, calls, aggregations, parentheses.

use model::METRIC_NAME;

use super::{Parsed, Parser};
use crate::ast::{Aggregate, AggregateOp, Call, Expr, Span, VectorSelector};
use crate::function;
use crate::lexer::Tok;
use crate::matcher::{MatchOp, Matcher};

const KEYWORDS: [&str; 19] = [
    "offset",
    "smoothed",
    "anchored",
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "fill",
    "fill_left",
    "fill_right",
    "bool",
    "start",
    "end",
    "step",
    "range",
    "max_of",
    "min_of",
];

/// Levels that a parenthesis takes besides that of its expression: as much as it needs of the stack.
const PAREN_LEVELS: usize = 1;
/// Levels that the arguments of a call take besides their own.
const CALL_LEVELS: usize = 3;

/// A word as errors name it: keywords, operators and aggregations are marked. `fill` is one only before a parenthesis.
pub(super) fn describe_word(word: &str, before_paren: bool) -> String {
    let lower = word.to_ascii_lowercase();
    let is_fill = lower.starts_with("fill");
    if ["and", "or", "unless", "atan2"].contains(&lower.as_str()) {
        format!("<op:{word}>")
    } else if aggregate_op(&lower).is_some() {
        format!("<aggr:{word}>")
    } else if KEYWORDS.contains(&lower.as_str()) && (!is_fill || before_paren) {
        format!("<{word}>")
    } else {
        format!("identifier {}", crate::text::quote(word))
    }
}

fn aggregate_op(word: &str) -> Option<AggregateOp> {
    AggregateOp::ALL.iter().find(|(_, name)| *name == word).map(|(op, _)| *op)
}

impl Parser<'_> {
    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let span = self.span();
        match self.peek().clone() {
            Tok::Number(_) | Tok::Duration(_) => {
                let (value, notation) = self.number()?;
                Ok(Expr::Number(value, notation, span))
            }
            Tok::Str(value, _) => {
                self.advance();
                Ok(Expr::String(value, span))
            }
            Tok::Punct("(") => {
                self.advance();
                self.enter(PAREN_LEVELS)?;
                let inner = self.expr(0)?;
                self.depth -= PAREN_LEVELS;
                let close = self.expect(")", "", "")?.span;
                Ok(Expr::Paren(Box::new(inner), span.to(close)))
            }
            Tok::Punct("{") => self.selector(String::new(), span),
            Tok::MetricIdent(name) => {
                self.advance();
                self.selector(name.to_owned(), span)
            }
            Tok::Ident(name) => self.named(name, span),
            _ => Err(self.unexpected("", "")),
        }
    }

    fn named(&mut self, name: &str, span: Span) -> Parsed<Expr> {
        if let Some(op) = aggregate_op(&name.to_ascii_lowercase()) {
            let grouped = matches!(self.peek_after(), Tok::Ident(word)
                if word.eq_ignore_ascii_case("by") || word.eq_ignore_ascii_case("without"));
            if self.is_call() || grouped {
                self.advance();
                return self.aggregate(op, span);
            }
        }
        let word = name.to_ascii_lowercase();
        if self.is_call() && matches!(word.as_str(), "bool" | "by" | "without" | "on" | "ignoring" | "group_left") {
            return Err(self.unexpected("", ""));
        }
        if self.is_call() && word.starts_with("fill") && KEYWORDS.contains(&word.as_str()) {
            // Such a word is a metric's name, with its modifier switched on or off, and no function's.
            self.advance();
            return Err(self.unexpected("", ""));
        }
        if self.is_call() {
            self.advance();
            let args = self.arguments()?;
            let Some(function) = function::find(name) else {
                return self.fault(span, format!("unknown function with name {}", crate::text::quote(name)));
            };
            if function.experimental && !self.options.experimental_functions {
                return self.fault(span, format!("function {} is not enabled", crate::text::quote(name)));
            }
            return Ok(Expr::Call(Call { function, args, span: span.to(self.end()) }));
        }
        if matches!(word.as_str(), "bool" | "on" | "ignoring" | "group_left" | "group_right") {
            return Err(self.unexpected("", ""));
        }
        self.advance();
        self.selector(name.to_owned(), span)
    }

    fn arguments(&mut self) -> Parsed<Vec<Expr>> {
        self.expect("(", "", "")?;
        let mut args = Vec::new();
        if self.eat(")") {
            return Ok(args);
        }
        self.enter(CALL_LEVELS)?;
        loop {
            args.push(self.expr(0)?);
            let comma = self.span();
            if !self.eat(",") {
                break;
            }
            if self.is_punct(")") {
                return self.fault(comma, "trailing commas not allowed in function call args");
            }
        }
        self.depth -= CALL_LEVELS;
        self.expect(")", "", "")?;
        Ok(args)
    }

    fn aggregate(&mut self, op: AggregateOp, start: Span) -> Parsed<Expr> {
        let mut grouping = self.aggregate_modifier()?;
        if !self.is_punct("(") {
            return Err(self.unexpected("aggregation", ""));
        }
        let mut args = self.arguments()?;
        if grouping.is_none() {
            grouping = self.aggregate_modifier()?;
        }
        let (grouping, without) = grouping.unwrap_or_default();
        let span = start.to(self.end());
        let wanted = 1 + usize::from(op.has_param());
        if args.is_empty() {
            return self.fault(span, "no arguments for aggregate expression provided");
        }
        if op.is_experimental() && !self.options.experimental_functions {
            let switch = "--enable-feature=promql-experimental-functions";
            return self.fault(span, format!("{}() is experimental and must be enabled with {switch}", op.as_str()));
        }
        if args.len() != wanted {
            let message = "wrong number of arguments for aggregate expression provided";
            return self.fault(span, format!("{message}, expected {wanted}, got {}", args.len()));
        }
        let expr = args.remove(wanted - 1);
        let param = args.pop();
        Ok(Expr::Aggregate(Box::new(Aggregate { op, expr, param, grouping, without, span })))
    }

    fn aggregate_modifier(&mut self) -> Parsed<Option<(Vec<String>, bool)>> {
        let by = self.eat_keyword("by");
        if by || self.eat_keyword("without") { Ok(Some((self.grouping()?, !by))) } else { Ok(None) }
    }

    /// `(a, b, "c d")`
    pub(super) fn grouping(&mut self) -> Parsed<Vec<String>> {
        self.expect("(", "grouping opts", "\"(\"")?;
        let mut labels = Vec::new();
        while !self.eat(")") {
            match self.peek().clone() {
                Tok::Ident(word) => labels.push(word.to_owned()),
                Tok::Str(value, _) => {
                    if value.is_empty() {
                        return self.fault(self.span(), format!("invalid label name for grouping: {value:?}"));
                    }
                    labels.push(value);
                }
                _ => return Err(self.unexpected("grouping opts", "label")),
            }
            self.advance();
            if !self.eat(",") && !self.is_punct(")") {
                return Err(self.unexpected("grouping opts", "\",\" or \")\""));
            }
        }
        Ok(labels)
    }

    /// A selector where nothing else may be: any word is a name.
    pub(super) fn series_selector(&mut self) -> Parsed<VectorSelector> {
        let span = self.span();
        let name = match self.peek().clone() {
            Tok::MetricIdent(name) | Tok::Ident(name) => {
                self.advance();
                name.to_owned()
            }
            Tok::Punct("{") => String::new(),
            _ => return Err(self.unexpected("", "")),
        };
        self.vector_selector(name, span)
    }

    fn selector(&mut self, name: String, start: Span) -> Parsed<Expr> {
        Ok(Expr::Vector(Box::new(self.vector_selector(name, start)?)))
    }

    fn vector_selector(&mut self, name: String, start: Span) -> Parsed<VectorSelector> {
        let mut matchers = Vec::new();
        if self.is_punct("{") {
            self.advance();
            self.matchers(&mut matchers)?;
        }
        let span = start.to(self.end());
        if !name.is_empty() {
            matchers.push(self.matcher(METRIC_NAME, MatchOp::Equal, &name, start)?);
        }
        let (offset, at, anchored, smoothed) = (None, None, false, false);
        Ok(VectorSelector { name, matchers, offset, at, anchored, smoothed, span })
    }

    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Parsed<()> {
        const CONTEXT: &str = "label matching";
        while !self.eat("}") {
            let start = self.span();
            let (label, quoted) = match self.peek().clone() {
                Tok::Ident(word) => (word.to_owned(), false),
                Tok::Str(value, _) => (value, true),
                _ => return Err(self.unexpected(CONTEXT, "identifier or \"}\"")),
            };
            self.advance();
            let op = match self.peek() {
                Tok::Punct("=") => Some(MatchOp::Equal),
                Tok::Punct("!=") => Some(MatchOp::NotEqual),
                Tok::Punct("=~") => Some(MatchOp::Regex),
                Tok::Punct("!~") => Some(MatchOp::NotRegex),
                _ => None,
            };
            match op {
                Some(op) => {
                    self.advance();
                    let Tok::Str(value, _) = self.peek().clone() else {
                        return Err(self.unexpected(CONTEXT, "string"));
                    };
                    let span = start.to(self.advance().span);
                    matchers.push(self.matcher(&label, op, &value, span)?);
                }
                None if quoted => matchers.push(self.matcher(METRIC_NAME, MatchOp::Equal, &label, start)?),
                None => return Err(self.unexpected(CONTEXT, "label matching operator")),
            }
            if !self.eat(",") && !self.is_punct("}") {
                return Err(self.unexpected(CONTEXT, "\",\" or \"}\""));
            }
        }
        Ok(())
    }

    fn matcher(&mut self, name: &str, op: MatchOp, value: &str, span: Span) -> Parsed<Matcher> {
        Matcher::within(name, op, value, &mut self.regexps_room_bytes).or_else(|message| self.fault(span, message))
    }
}
