//! A test on a text column in two parts: tried on each shape once, and on the texts of a row only where its shape does not tell.

use arrow_array::Array as _;
use column::SplitColumn;
use lang::FieldName;
use model::Value;
use shape::{GroupText, Probe, lower, raw, whole};

use crate::predicate::{Match, Predicate};
use crate::probe::Prober;

/// A test, and what the shapes of a column say of it.
pub(crate) struct ShapeTest<'a> {
    test: &'a Match,
    prober: Prober<'a>,
    column: SplitColumn<'a>,
    /// By the number of a shape.
    verdicts: Vec<Option<Probe>>,
    raw: Vec<u8>,
    text: String,
}

impl<'a> ShapeTest<'a> {
    /// `None` for a test that is not of texts, or that a row without the field may pass.
    pub(crate) fn new(test: &'a Match, column: SplitColumn<'a>) -> Option<Self> {
        if matches!(test, Match::Compare(..) | Match::Ipv4Range(..) | Match::Ipv6Range(..) | Match::LenRange(..))
            || test.holds_for_value(None)
        {
            return None;
        }
        let verdicts = vec![None; column.shapes().values().len()];
        Some(Self { test, prober: Prober::new(test), column, verdicts, raw: Vec::new(), text: String::new() })
    }

    /// What the shape of a row says.
    pub(crate) fn probe(&mut self, row: usize) -> Probe {
        if self.column.is_null(row) {
            return Probe::No;
        }
        let shape = self.column.shapes().keys().value(row) as usize;
        if let Some(verdict) = self.verdicts[shape] {
            return verdict;
        }
        let verdict = self.probe_shape(self.column.shapes().value(row));
        self.verdicts[shape] = Some(verdict);
        verdict
    }

    fn probe_shape(&mut self, shape: &str) -> Probe {
        if let Some(text) = whole(shape) {
            let holds = self.test.holds_for_value(Some(&Value::Str(text.to_owned())));
            return if holds { Probe::Sure } else { Probe::No };
        }
        raw(shape, &mut self.raw);
        self.prober.probe(&GroupText::new(&self.raw, &lower(&self.raw), 1))
    }

    /// Whether the test holds for a row.
    pub(crate) fn holds(&mut self, row: usize) -> bool {
        match self.probe(row) {
            Probe::Sure => true,
            Probe::No => false,
            Probe::Maybe => {
                self.text.clear();
                self.column.fill(row, &mut self.text);
                self.test.holds_for_text(&self.text)
            }
        }
    }
}

/// The tests on one field that a row must pass, and whether there are no others.
pub(crate) fn tests_on<'p>(predicate: &'p Predicate, field: &str) -> (Vec<&'p Match>, bool) {
    match predicate {
        Predicate::Field(FieldName::Named(name), test) if name == field => (vec![test], true),
        Predicate::And(parts) => {
            let parts: Vec<(Vec<&Match>, bool)> = parts.iter().map(|part| tests_on(part, field)).collect();
            let all = parts.iter().all(|(_, all)| *all);
            (parts.into_iter().flat_map(|(tests, _)| tests).collect(), all)
        }
        _ => (Vec::new(), false),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, RecordBatch, StringArray};
    use column::FieldView;
    use lang::{Case, Test};

    use super::*;
    use crate::predicate::compile_at;

    /// Checks what the shapes of texts say of a test, and that rows agree.
    #[track_caller]
    fn check(test: Test, cases: &[(&str, Probe, bool)]) {
        let texts: ArrayRef = Arc::new(cases.iter().map(|(text, ..)| Some(*text)).collect::<StringArray>());
        let batch = column::split_bodies(&RecordBatch::try_from_iter([("body", texts)]).unwrap());
        let field = FieldName::Named("body".into());
        let Predicate::Field(_, test) =
            compile_at(&lang::Filter::Field(field, test), 1 << 20, model::Timestamp(0)).unwrap()
        else {
            panic!()
        };
        let view = FieldView::new(&batch, "body");
        let mut tried = ShapeTest::new(&test, view.split_column().unwrap()).unwrap();
        for (row, (text, probe, holds)) in cases.iter().enumerate() {
            assert_eq!((tried.probe(row), tried.holds(row)), (*probe, *holds), "{text:?}");
        }
    }

    #[test]
    fn shapes_tell_most_rows() {
        use Probe::{Maybe, No, Sure};
        let phrase = |text: &str| Test::Phrase { text: text.into(), prefix: false, case: Case::Insensitive };
        check(
            phrase("port 22"),
            &[("port 22", Maybe, true), ("port 23", Maybe, false), ("PORT 22 a", Maybe, true), ("sport", No, false)],
        );
        check(
            phrase("from host"),
            &[
                ("7 from host 8", Sure, true),
                ("from host", Sure, true),
                ("from hosts 1", Maybe, false),
                ("to host 1", No, false),
            ],
        );
        check(
            Test::Regex("blk_-?[0-9]+9".into()),
            &[("a blk_-19", Maybe, true), ("a blk_18", Maybe, false), ("12", No, false)],
        );
        check(Test::Regex("\u{11}".into()), &[("\u{11}1", Sure, true), ("a 1", No, false)]);
    }
}
