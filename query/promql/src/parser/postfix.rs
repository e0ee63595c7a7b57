//! What follows an operand: ranges, subqueries, `offset`, `@`, `anchored`, `smoothed`.

use super::durations::OFFSET_EXPECTED;
use super::{Parsed, Parser};
use crate::ast::{At, DurationExpr, Expr, MatrixSelector, Span, Subquery};
use crate::lexer::Tok;
use crate::value::format_number;

impl Parser<'_> {
    pub(super) fn postfix(&mut self) -> Parsed<Expr> {
        let mut expr = self.primary()?;
        loop {
            let start = expr.span();
            if self.is_punct("[") {
                expr = self.range_or_subquery(expr)?;
            } else if self.is_punct("@") {
                self.advance();
                self.at_modifier(&mut expr)?;
            } else if self.eat_keyword("offset") {
                let duration = self.offset_duration()?;
                self.set_offset(&mut expr, duration)?;
            } else if self.eat_keyword("anchored") {
                self.extended(&mut expr, true)?;
            } else if self.eat_keyword("smoothed") {
                self.extended(&mut expr, false)?;
            } else {
                return Ok(expr);
            }
            let end = self.end();
            set_span(&mut expr, start.to(end));
        }
    }

    fn range_or_subquery(&mut self, expr: Expr) -> Parsed<Expr> {
        let open = self.advance().span;
        let expected = OFFSET_EXPECTED;
        let range = self.positive_duration("subquery or range selector", expected)?;
        if self.eat(":") {
            // A chain of subqueries nests as deeply as it is long.
            self.deeper()?;
            let step = if self.is_punct("]") {
                None
            } else {
                let expected = "number, duration, step(), range(), or \"]\"";
                Some(self.positive_duration("subquery selector", expected)?)
            };
            let close = self.expect("]", "subquery selector", "\"]\"")?.span;
            let span = expr.span().to(close);
            return Ok(Expr::Subquery(Box::new(Subquery { expr, range, step, offset: None, at: None, span })));
        }
        let close = self.expect("]", "subquery or range", "\":\" or \"]\"")?.span;
        let bracket = open.to(close);
        let Expr::Vector(selector) = expr else {
            return self.fault(bracket, "ranges only allowed for vector selectors");
        };
        if selector.offset.is_some() {
            return self.fault(bracket, "no offset modifiers allowed before range");
        }
        if selector.at.is_some() {
            return self.fault(bracket, "no @ modifiers allowed before range");
        }
        let span = selector.span.to(close);
        Ok(Expr::Matrix(Box::new(MatrixSelector { selector: *selector, range, span })))
    }

    fn at_modifier(&mut self, expr: &mut Expr) -> Parsed<()> {
        let span = expr.span();
        let word = self.keyword().unwrap_or_default();
        let at = if word == "start" || word == "end" {
            self.advance();
            self.expect("(", "@", "timestamp")?;
            self.expect(")", "@", "timestamp")?;
            if word == "start" { At::Start } else { At::End }
        } else {
            let seconds = self.signed_number("@", "timestamp")?;
            if !seconds.is_finite() || seconds.abs() >= i64::MAX as f64 {
                let shown = if seconds.is_finite() { format!("{seconds:.6}") } else { format_number(seconds) };
                return self.fault(span, format!("timestamp out of bounds for @ modifier: {shown}"));
            }
            At::TimeMs((seconds * 1000.0).round() as i64)
        };
        let slot = match expr {
            Expr::Vector(selector) => &mut selector.at,
            Expr::Matrix(matrix) => &mut matrix.selector.at,
            Expr::Subquery(subquery) => &mut subquery.at,
            _ => {
                let message =
                    "@ modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                return self.fault(span, message);
            }
        };
        if slot.replace(at).is_some() {
            return self.fault(span, "@ <timestamp> may not be set multiple times");
        }
        Ok(())
    }

    fn set_offset(&self, expr: &mut Expr, duration: DurationExpr) -> Parsed<()> {
        let span = expr.span();
        let slot = match expr {
            Expr::Vector(selector) => &mut selector.offset,
            Expr::Matrix(matrix) => &mut matrix.selector.offset,
            Expr::Subquery(subquery) => &mut subquery.offset,
            _ => {
                let message = "offset modifier must be preceded by an instant vector selector or range vector selector or a subquery";
                return self.fault(span, message);
            }
        };
        if slot.replace(duration).is_some() {
            return self.fault(span, "offset may not be set multiple times");
        }
        Ok(())
    }

    fn extended(&self, expr: &mut Expr, anchored: bool) -> Parsed<()> {
        let span = expr.span();
        let name = if anchored { "anchored" } else { "smoothed" };
        let selector = match expr {
            Expr::Vector(selector) => selector,
            Expr::Matrix(matrix) => &mut matrix.selector,
            Expr::Subquery(_) => return self.fault(span, format!("{name} modifier is not supported for subqueries")),
            _ => return self.fault(span, format!("{name} modifier not implemented")),
        };
        selector.anchored |= anchored;
        selector.smoothed |= !anchored;
        if selector.anchored && selector.smoothed {
            return self.fault(span, "anchored and smoothed modifiers cannot be used together");
        }
        Ok(())
    }

    /// Whether the token at hand opens an argument list.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.peek_after(), Tok::Punct("("))
    }
}

fn set_span(expr: &mut Expr, span: Span) {
    match expr {
        Expr::Vector(selector) => selector.span = span,
        Expr::Matrix(matrix) => matrix.span = span,
        Expr::Subquery(subquery) => subquery.span = span,
        _ => {}
    }
}
