//! Sets of rows of one part, as far as they are known: rows that surely match and rows that may.

use index::Hits;
use roaring::RoaringBitmap;

/// Most pages that are few. One costs some 10 microseconds a column, and as many as this a fraction of what trying a text on
/// the groups of a field costs.
const FEW_PAGES: usize = 64;

/// On how many pages some rows lie, counted up to `most`.
fn pages(rows: &RoaringBitmap, most: usize) -> usize {
    let mut rows = rows.iter();
    let mut count = 0;
    while count < most
        && let Some(row) = rows.next()
    {
        count += 1;
        rows.advance_to((row / PAGE_ROWS + 1).saturating_mul(PAGE_ROWS));
    }
    count
}

/// Rows of a page, of which many columns have fewer.
const PAGE_ROWS: u32 = column::PAGE_ROWS_MAX as u32;

/// Rows of a part that match a filter. The two sets without a bitmap are kept apart: a bitmap of every row of a segment costs
/// more than most answers.
#[derive(Debug, Clone)]
pub(crate) enum Set {
    /// Every row surely matches.
    All,
    /// Every row may match; nothing is known.
    Unknown,
    /// These. The two bitmaps have no row in common.
    Rows(Hits),
}

impl Set {
    /// No row.
    pub(crate) fn none() -> Self {
        Set::sure(RoaringBitmap::new())
    }

    /// These rows and no other.
    pub(crate) fn sure(rows: RoaringBitmap) -> Self {
        Set::Rows(Hits { sure: rows, maybe: RoaringBitmap::new() })
    }

    /// At most these rows.
    pub(crate) fn maybe(rows: RoaringBitmap) -> Self {
        Set::Rows(Hits { sure: RoaringBitmap::new(), maybe: rows })
    }

    /// Whether it is known that no row matches.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Set::Rows(hits) if hits.sure.is_empty() && hits.maybe.is_empty())
    }

    /// How many rows may match, of `total`.
    pub(crate) fn possible_len(&self, total: u64) -> u64 {
        match self {
            Set::All | Set::Unknown => total,
            Set::Rows(hits) => hits.sure.len() + hits.maybe.len(),
        }
    }

    /// Whether the rows that may match lie on few pages, so that looking at all of them costs next to nothing.
    pub(crate) fn is_on_few_pages(&self) -> bool {
        let Set::Rows(hits) = self else { return false };
        pages(&hits.sure, FEW_PAGES + 1) + pages(&hits.maybe, FEW_PAGES + 1) <= FEW_PAGES
    }

    /// How many rows surely match, of `total`.
    pub(crate) fn sure_len(&self, total: u64) -> u64 {
        match self {
            Set::All => total,
            Set::Unknown => 0,
            Set::Rows(hits) => hits.sure.len(),
        }
    }

    /// Whether nothing has to be verified.
    pub(crate) fn is_exact(&self) -> bool {
        match self {
            Set::All => true,
            Set::Unknown => false,
            Set::Rows(hits) => hits.maybe.is_empty(),
        }
    }

    /// What of it has to be verified still.
    pub(crate) fn unsettled(self) -> Set {
        match self {
            Set::All => Set::none(),
            Set::Unknown => Set::Unknown,
            Set::Rows(hits) => Set::maybe(hits.maybe),
        }
    }

    /// The rows that may match; `None` for every row.
    pub(crate) fn possible(&self) -> Option<RoaringBitmap> {
        match self {
            Set::All | Set::Unknown => None,
            Set::Rows(hits) if hits.sure.is_empty() => Some(hits.maybe.clone()),
            Set::Rows(hits) if hits.maybe.is_empty() => Some(hits.sure.clone()),
            Set::Rows(hits) => Some(&hits.sure | &hits.maybe),
        }
    }

    /// Rows in both.
    pub(crate) fn and(self, other: Set) -> Set {
        match (self, other) {
            (Set::All, set) | (set, Set::All) => set,
            (Set::Unknown, Set::Unknown) => Set::Unknown,
            (Set::Unknown, Set::Rows(hits)) | (Set::Rows(hits), Set::Unknown) => Set::maybe(hits.sure | hits.maybe),
            (Set::Rows(a), Set::Rows(b)) => {
                if a.maybe.is_empty() && b.maybe.is_empty() {
                    return Set::sure(a.sure & b.sure);
                }
                let both = (&a.sure | &a.maybe) & (&b.sure | &b.maybe);
                let sure = a.sure & b.sure;
                let maybe = both - &sure;
                Set::Rows(Hits { sure, maybe })
            }
        }
    }

    /// Rows in one of them, of a part of `total` rows.
    pub(crate) fn or(self, other: Set, total: u64) -> Set {
        match (self, other) {
            (Set::All, _) | (_, Set::All) => Set::All,
            (Set::Unknown, Set::Unknown) => Set::Unknown,
            (Set::Unknown, Set::Rows(hits)) | (Set::Rows(hits), Set::Unknown) => {
                if hits.sure.is_empty() {
                    return Set::Unknown;
                }
                let maybe = every(total) - &hits.sure;
                Set::Rows(Hits { sure: hits.sure, maybe })
            }
            (Set::Rows(a), Set::Rows(b)) => {
                let sure = a.sure | b.sure;
                let maybe = (a.maybe | b.maybe) - &sure;
                Set::Rows(Hits { sure, maybe })
            }
        }
    }

    /// The other rows, of a part of `total` rows.
    pub(crate) fn not(self, total: u64) -> Set {
        match self {
            Set::All => Set::none(),
            Set::Unknown => Set::Unknown,
            Set::Rows(hits) => {
                let sure = every(total) - &hits.sure - &hits.maybe;
                Set::Rows(Hits { sure, maybe: hits.maybe })
            }
        }
    }

    /// The same rows, knowing that they all are among those of a weaker filter: what is sure stays so.
    pub(crate) fn narrowed(self, weaker: &Set) -> Set {
        let Set::Rows(weaker) = weaker else { return self };
        match self {
            // `All` would contradict the weaker filter unless that holds everywhere too.
            Set::All => Set::All,
            Set::Unknown => Set::maybe(&weaker.sure | &weaker.maybe),
            Set::Rows(Hits { sure, maybe }) => {
                let maybe = (&maybe & &weaker.sure) | (&maybe & &weaker.maybe);
                Set::Rows(Hits { sure, maybe })
            }
        }
    }

    /// Without some rows, of a part of `total` rows.
    pub(crate) fn without(self, rows: &RoaringBitmap, total: u64) -> Set {
        if rows.is_empty() {
            return self;
        }
        match self {
            Set::All => Set::sure(every(total) - rows),
            Set::Unknown => Set::maybe(every(total) - rows),
            Set::Rows(hits) => Set::Rows(Hits { sure: hits.sure - rows, maybe: hits.maybe - rows }),
        }
    }
}

/// All rows of a part.
pub(crate) fn every(total: u64) -> RoaringBitmap {
    let mut all = RoaringBitmap::new();
    all.insert_range(0..u32::try_from(total).unwrap_or(u32::MAX));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOTAL: u64 = 3;

    /// Every set of three rows, each of which is out, in, or unknown; the ends twice, as bitmaps and without.
    fn sets() -> Vec<Set> {
        let rows = (0..27u32).map(|code| {
            let state = |row: u32| code / 3u32.pow(row) % 3;
            let of = |wanted| (0..3u32).filter(|row| state(*row) == wanted).collect();
            Set::Rows(Hits { sure: of(1), maybe: of(2) })
        });
        rows.chain([Set::All, Set::Unknown]).collect()
    }

    /// Whether a row is in: `None` for unknown.
    fn state(set: &Set, row: u32) -> Option<bool> {
        match set {
            Set::All => Some(true),
            Set::Unknown => None,
            Set::Rows(hits) if hits.maybe.contains(row) => None,
            Set::Rows(hits) => Some(hits.sure.contains(row)),
        }
    }

    #[test]
    fn the_algebra_is_that_of_three_truth_values() {
        for a in sets() {
            for row in 0..3 {
                assert_eq!(state(&a.clone().not(TOTAL), row), state(&a, row).map(|is| !is), "not {a:?}");
            }
            for b in sets() {
                let (and, or) = (a.clone().and(b.clone()), a.clone().or(b.clone(), TOTAL));
                for row in 0..3 {
                    let (x, y) = (state(&a, row), state(&b, row));
                    let want_and =
                        if x == Some(false) || y == Some(false) { Some(false) } else { x.zip(y).map(|_| true) };
                    let want_or = if x == Some(true) || y == Some(true) { Some(true) } else { x.zip(y).map(|_| false) };
                    assert_eq!(state(&and, row), want_and, "{a:?} and {b:?}");
                    assert_eq!(state(&or, row), want_or, "{a:?} or {b:?}");
                }
            }
        }
    }

    #[test]
    fn counts_and_removal() {
        let set = Set::Rows(Hits { sure: [0].into(), maybe: [2].into() });
        assert_eq!((set.possible_len(TOTAL), set.sure_len(TOTAL), set.is_exact()), (2, 1, false));
        assert_eq!(set.possible(), Some([0, 2].into()));
        let without = set.without(&[2].into(), TOTAL);
        assert!(without.is_exact() && !without.is_none());
        assert_eq!(Set::All.without(&[1].into(), TOTAL).possible(), Some([0, 2].into()));
        let narrowed = Set::Unknown.narrowed(&Set::sure([1].into()));
        assert_eq!((narrowed.possible_len(TOTAL), narrowed.is_exact()), (1, false));
    }
}
