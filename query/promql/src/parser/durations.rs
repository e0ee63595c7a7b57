//! Durations: after `offset` and in square brackets.

use super::{Parsed, Parser, parse_duration_ms};
use crate::ast::{DurationExpr, DurationOp, Notation};
use crate::lexer::Tok;

/// Levels that parentheses around a duration take besides that of what is in them: as much as they need of the stack.
const PAREN_LEVELS: usize = 2;

/// Seconds that fit Prometheus's 64-bit nanoseconds.
const SECONDS_MAX: f64 = 9_223_372_036.854_776;

impl Parser<'_> {
    /// A duration that must be positive if it is a literal.
    pub(super) fn positive_duration(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let duration = self.duration(0, context, expected)?;
        match &duration {
            DurationExpr::Seconds(value, _, span) if *value <= 0.0 => {
                self.fault(*span, "duration must be greater than 0")
            }
            _ => Ok(duration),
        }
    }

    /// The operand of `offset`: one literal, call or parenthesis with a sign; operators after it belong to the expression.
    pub(super) fn offset_duration(&mut self) -> Parsed<DurationExpr> {
        self.duration_unary("offset", OFFSET_EXPECTED)
    }

    fn duration(&mut self, least: u8, context: &str, expected: &str) -> Parsed<DurationExpr> {
        self.deeper()?;
        let depth = self.depth;
        let mut left = self.duration_unary(context, expected)?;
        while let Some((op, precedence)) = self.duration_op().filter(|(_, precedence)| *precedence >= least) {
            self.deeper()?;
            let op_span = self.advance().span;
            let right = self.duration(precedence + u8::from(op != DurationOp::Pow), context, expected)?;
            if let (DurationOp::Div | DurationOp::Mod, DurationExpr::Seconds(value, ..)) = (op, &right)
                && *value == 0.0
            {
                let what = if op == DurationOp::Div { "division by zero" } else { "modulo by zero" };
                return self.fault(op_span, what);
            }
            left = DurationExpr::Binary(op, Box::new(left), Box::new(right));
        }
        self.depth = depth - 1;
        Ok(left)
    }

    fn duration_op(&self) -> Option<(DurationOp, u8)> {
        match self.peek() {
            Tok::Punct("+") => Some((DurationOp::Add, 1)),
            Tok::Punct("-") => Some((DurationOp::Sub, 1)),
            Tok::Punct("*") => Some((DurationOp::Mul, 2)),
            Tok::Punct("/") => Some((DurationOp::Div, 2)),
            Tok::Punct("%") => Some((DurationOp::Mod, 2)),
            Tok::Punct("^") => Some((DurationOp::Pow, 3)),
            _ => None,
        }
    }

    fn duration_unary(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let negative = self.is_punct("-");
        if !negative && !self.is_punct("+") {
            return self.duration_primary(context, expected);
        }
        let sign = self.advance().span;
        let operand = if context == "offset" {
            self.duration_primary(context, expected)?
        } else {
            self.duration(3, context, expected)?
        };
        let span = sign.to(operand.span());
        Ok(match operand {
            DurationExpr::Seconds(value, notation, _) => {
                DurationExpr::Seconds(if negative { -value } else { value }, notation, span)
            }
            other if negative => DurationExpr::Negative(Box::new(other), span),
            other => other,
        })
    }

    fn duration_primary(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        if matches!(self.peek(), Tok::Number(_) | Tok::Duration(_)) {
            let span = self.span();
            let (value, notation) = self.number()?;
            if value.is_nan() || value.abs() > SECONDS_MAX {
                return self.fault(span, "duration out of range");
            }
            return Ok(DurationExpr::Seconds(value, notation, span));
        }
        if self.is_punct("(") {
            let open = self.advance().span;
            self.enter(PAREN_LEVELS)?;
            let inner = self.duration(0, "", expected)?;
            self.depth -= PAREN_LEVELS;
            let close = self.expect(")", context, expected)?.span;
            return Ok(DurationExpr::Paren(Box::new(inner), open.to(close)));
        }
        let word = self.keyword().unwrap_or_default();
        let start = self.span();
        match word.as_str() {
            "step" | "range" => {
                self.advance();
                self.expect("(", context, expected)?;
                let span = start.to(self.expect(")", context, expected)?.span);
                Ok(if word == "step" { DurationExpr::Step(span) } else { DurationExpr::Range(span) })
            }
            "max_of" | "min_of" => {
                self.advance();
                self.expect("(", context, expected)?;
                self.enter(PAREN_LEVELS)?;
                let left = self.duration(0, "", expected)?;
                self.expect(",", context, expected)?;
                let right = self.duration(0, "", expected)?;
                self.depth -= PAREN_LEVELS;
                self.expect(")", context, expected)?;
                let op = if word == "max_of" { DurationOp::MaxOf } else { DurationOp::MinOf };
                Ok(DurationExpr::Binary(op, Box::new(left), Box::new(right)))
            }
            _ => Err(self.unexpected(context, expected)),
        }
    }

    /// A number or a duration in seconds.
    pub(super) fn number(&mut self) -> Parsed<(f64, Notation)> {
        let token = self.advance();
        match token.tok {
            Tok::Duration(word) => match parse_duration_ms(word) {
                Some(ms) => Ok((ms as f64 / 1000.0, Notation::Duration)),
                None => self.fault(token.span, duration_fault(word)),
            },
            Tok::Number(word) => match parse_number(word) {
                Some(value) if value.is_infinite() && !word.eq_ignore_ascii_case("inf") => {
                    let message = "value out of range";
                    self.fault(
                        token.span,
                        format!("error parsing number: strconv.ParseFloat: parsing {word:?}: {message}"),
                    )
                }
                Some(value) => Ok((value, Notation::Plain)),
                None => {
                    let message = "invalid syntax";
                    self.fault(
                        token.span,
                        format!("error parsing number: strconv.ParseFloat: parsing {word:?}: {message}"),
                    )
                }
            },
            _ => Err(self.unexpected("", "")),
        }
    }

    /// A number with an optional sign.
    pub(super) fn signed_number(&mut self, context: &str, expected: &str) -> Parsed<f64> {
        let negative = self.is_punct("-");
        if negative || self.is_punct("+") {
            self.advance();
        }
        if !matches!(self.peek(), Tok::Number(_) | Tok::Duration(_)) {
            return Err(self.unexpected(context, expected));
        }
        let (value, _) = self.number()?;
        Ok(if negative { -value } else { value })
    }
}

/// What may follow `offset`, as errors say it.
pub(super) const OFFSET_EXPECTED: &str = "number, duration, step(), or range()";

/// What is wrong with a duration, in the words of Prometheus's own parser of durations.
fn duration_fault(word: &str) -> String {
    let mut rest = word;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let unit_end = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| digits + at);
        let unit = &rest[digits..unit_end];
        if !matches!(unit, "ms" | "s" | "m" | "h" | "d" | "w" | "y") {
            return format!("unknown unit {unit:?} in duration {word:?}");
        }
        rest = &rest[unit_end..];
    }
    format!("not a valid duration string: {word:?}")
}

/// Go's number literals: decimal, hexadecimal, octal with a leading zero, underscores, Inf, NaN.
pub(crate) fn parse_number(word: &str) -> Option<f64> {
    let plain = word.replace('_', "").to_ascii_lowercase();
    if let Some(hex) = plain.strip_prefix("0x") {
        return u64::from_str_radix(hex, 16).ok().map(|n| n as f64);
    }
    let octal = plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| (b'0'..b'8').contains(&b));
    if octal {
        return u64::from_str_radix(&plain, 8).ok().map(|n| n as f64);
    }
    plain.parse().ok()
}
