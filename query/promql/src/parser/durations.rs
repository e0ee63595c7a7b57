//! Durations: after `offset` and in square brackets.

use super::{Parsed, Parser, parse_duration_ms};
use crate::ast::{DurationExpr, DurationOp};
use crate::lexer::Tok;

/// Seconds that fit Prometheus's 64-bit nanoseconds.
const SECONDS_MAX: f64 = 9_223_372_036.854_776;

impl Parser<'_> {
    /// A duration that must be positive if it is a literal.
    pub(super) fn positive_duration(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        let duration = self.duration(0, context, expected)?;
        match &duration {
            DurationExpr::Seconds(value, span) if *value <= 0.0 => self.fault(*span, "duration must be greater than 0"),
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
            if let (DurationOp::Div | DurationOp::Mod, DurationExpr::Seconds(value, _)) = (op, &right)
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
            DurationExpr::Seconds(value, _) => DurationExpr::Seconds(if negative { -value } else { value }, span),
            other if negative => DurationExpr::Negative(Box::new(other), span),
            other => other,
        })
    }

    fn duration_primary(&mut self, context: &str, expected: &str) -> Parsed<DurationExpr> {
        if matches!(self.peek(), Tok::Number(_) | Tok::Duration(_)) {
            let span = self.span();
            let value = self.number()?;
            if value.is_nan() || value.abs() > SECONDS_MAX {
                return self.fault(span, "duration out of range");
            }
            return Ok(DurationExpr::Seconds(value, span));
        }
        if self.is_punct("(") {
            let open = self.advance().span;
            let inner = self.duration(0, "", expected)?;
            let close = self.expect(")", context, "\")\"")?.span;
            return Ok(DurationExpr::Paren(Box::new(inner), open.to(close)));
        }
        let word = self.keyword().unwrap_or_default();
        let start = self.span();
        match word.as_str() {
            "step" | "range" => {
                self.advance();
                self.expect("(", context, "\"(\"")?;
                let span = start.to(self.expect(")", context, "\")\"")?.span);
                Ok(if word == "step" { DurationExpr::Step(span) } else { DurationExpr::Range(span) })
            }
            "max_of" | "min_of" => {
                self.advance();
                self.expect("(", context, "\"(\"")?;
                let left = self.duration(0, "", expected)?;
                self.expect(",", context, "\",\"")?;
                let right = self.duration(0, "", expected)?;
                self.expect(")", context, "\")\"")?;
                let op = if word == "max_of" { DurationOp::MaxOf } else { DurationOp::MinOf };
                Ok(DurationExpr::Binary(op, Box::new(left), Box::new(right)))
            }
            _ => Err(self.unexpected(context, expected)),
        }
    }

    /// A number or a duration in seconds.
    pub(super) fn number(&mut self) -> Parsed<f64> {
        let token = self.advance();
        let value = match token.tok {
            Tok::Number(word) => parse_number(word),
            Tok::Duration(word) => parse_duration_ms(word).map(|ms| ms as f64 / 1000.0),
            _ => None,
        };
        match value {
            Some(value) => Ok(value),
            None => {
                let word = &self.text[token.span.start..token.span.end];
                self.fault(token.span, format!("not a valid duration string: {word:?}"))
            }
        }
    }

    /// A number with an optional sign.
    pub(super) fn signed_number(&mut self, context: &str) -> Parsed<f64> {
        let negative = self.is_punct("-");
        if negative || self.is_punct("+") {
            self.advance();
        }
        if !matches!(self.peek(), Tok::Number(_) | Tok::Duration(_)) {
            return Err(self.unexpected(context, if context == "@" { "timestamp" } else { "number" }));
        }
        let value = self.number()?;
        Ok(if negative { -value } else { value })
    }
}

/// What may follow `offset`, as errors say it.
pub(super) const OFFSET_EXPECTED: &str = "number, duration, step(), or range()";

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
