//! Chains of operators in the tree. `a + b + c` nests to the left as deeply as it is long, and queries that programs write are long.
//! So whatever walks a tree follows left sides in a loop and recurses only into the rest, which the parser keeps shallow; copying,
//! comparing, showing and dropping do so here.

use std::fmt;

use crate::ast::{Binary, Expr, Notation, Span};

impl Expr {
    /// The binary operators on the way down the left sides, outermost first, and the operand that they begin with. An expression
    /// that is no binary one has none and begins with itself.
    pub fn chain(&self) -> (Vec<&Binary>, &Expr) {
        let mut operators = Vec::new();
        let mut at = self;
        while let Self::Binary(binary) = at {
            operators.push(&**binary);
            at = &binary.left;
        }
        (operators, at)
    }

    /// What stands in for an expression that is taken out of a tree.
    pub(crate) const fn placeholder() -> Self {
        Self::Number(0.0, Notation::Plain, Span { start: 0, end: 0 })
    }
}

impl Binary {
    /// This operator and those of its left side, outermost first, and the operand that they begin with.
    pub(crate) fn chain(&self) -> (Vec<&Binary>, &Expr) {
        let (inner, first) = self.left.chain();
        let mut operators = vec![self];
        operators.extend(inner);
        (operators, first)
    }

    /// A copy with another left side.
    fn with_left(&self, left: Expr) -> Self {
        Self {
            op: self.op,
            left,
            right: self.right.clone(),
            bool_modifier: self.bool_modifier,
            op_span: self.op_span,
            matching: self.matching.clone(),
            returns: self.returns,
            span: self.span,
        }
    }

    /// Whether all but the left side is the same.
    fn same_but_left(&self, other: &Self) -> bool {
        self.op == other.op
            && self.bool_modifier == other.bool_modifier
            && self.op_span == other.op_span
            && self.span == other.span
            && self.returns == other.returns
            && self.matching == other.matching
            && self.right == other.right
    }
}

impl Clone for Binary {
    fn clone(&self) -> Self {
        let (inner, first) = self.left.chain();
        let copy = |left, binary: &&Self| Expr::Binary(Box::new(binary.with_left(left)));
        self.with_left(inner.iter().rev().fold(first.clone(), copy))
    }
}

impl PartialEq for Binary {
    fn eq(&self, other: &Self) -> bool {
        let ((ours, our_first), (theirs, their_first)) = (self.chain(), other.chain());
        ours.len() == theirs.len()
            && ours.iter().zip(&theirs).all(|(a, b)| a.same_but_left(b))
            && our_first == their_first
    }
}

/// As the query that it is, and where: a tree of a long chain would not be readable.
impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({self} at {}..{})", self.span.start, self.span.end)
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let mut left = std::mem::replace(&mut self.left, Expr::placeholder());
        while let Expr::Binary(mut binary) = left {
            left = std::mem::replace(&mut binary.left, Expr::placeholder());
        }
    }
}
