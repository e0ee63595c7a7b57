//! Answers.

use roaring::RoaringBitmap;

/// Rows that surely match and rows that may; the two never overlap, and every other row surely does not match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hits {
    /// Rows that match.
    pub sure: RoaringBitmap,
    /// Rows that have to be looked at.
    pub maybe: RoaringBitmap,
}

impl Hits {
    /// No row.
    pub fn none() -> Self {
        Self::default()
    }

    /// Rows that match and rows that may, which may overlap.
    pub fn new(sure: RoaringBitmap, mut maybe: RoaringBitmap) -> Self {
        maybe -= &sure;
        Self { sure, maybe }
    }

    /// Every row of a segment has to be looked at.
    pub fn all_maybe(rows: u64) -> Self {
        Self { sure: RoaringBitmap::new(), maybe: every(rows) }
    }

    /// Every row of a segment matches.
    pub fn all_sure(rows: u64) -> Self {
        Self { sure: every(rows), maybe: RoaringBitmap::new() }
    }

    /// Rows that match both.
    pub fn and(mut self, other: &Hits) -> Self {
        let all = self.rows() & other.rows();
        self.sure &= &other.sure;
        self.maybe = all - &self.sure;
        self
    }

    /// Rows that match either.
    pub fn or(mut self, other: &Hits) -> Self {
        self.sure |= &other.sure;
        self.maybe |= &other.maybe;
        self.maybe -= &self.sure;
        self
    }

    /// Rows of a segment of `rows` rows that do not match.
    pub fn not(self, rows: u64) -> Self {
        let mut sure = every(rows);
        sure -= &self.sure;
        sure -= &self.maybe;
        Self { sure, maybe: self.maybe }
    }

    /// The same rows, all of them to be looked at.
    pub fn unsure(self) -> Self {
        Self { maybe: self.rows(), sure: RoaringBitmap::new() }
    }

    /// All rows that match or may.
    pub fn rows(&self) -> RoaringBitmap {
        &self.sure | &self.maybe
    }

    /// How many rows match or may.
    pub fn len(&self) -> u64 {
        self.sure.len() + self.maybe.len()
    }

    /// Whether no row matches.
    pub fn is_empty(&self) -> bool {
        self.sure.is_empty() && self.maybe.is_empty()
    }

    /// Whether nothing has to be looked at.
    pub fn is_exact(&self) -> bool {
        self.maybe.is_empty()
    }
}

fn every(rows: u64) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..u32::try_from(rows).unwrap_or(u32::MAX));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(sure: &[u32], maybe: &[u32]) -> Hits {
        Hits::new(sure.iter().copied().collect(), maybe.iter().copied().collect())
    }

    #[test]
    fn the_algebra_keeps_what_is_known() {
        let (a, b) = (hits(&[0, 1, 2], &[3, 4]), hits(&[1, 3], &[2, 4, 5, 1]));
        assert_eq!(a.clone().and(&b), hits(&[1], &[2, 3, 4]));
        assert_eq!(a.clone().or(&b), hits(&[0, 1, 2, 3], &[4, 5]));
        assert_eq!(a.clone().not(7), hits(&[5, 6], &[3, 4]));
        assert_eq!(a.clone().unsure(), hits(&[], &[0, 1, 2, 3, 4]));
        assert_eq!((a.len(), a.is_empty(), a.is_exact()), (5, false, false));
        assert_eq!(Hits::all_maybe(3).not(3), Hits::all_maybe(3));
        assert_eq!(Hits::all_sure(3).not(3), Hits::none());
    }
}
