//! Which rows of which row group the next batch has.

use std::ops::Range;

use roaring::RoaringBitmap;
use roaring::bitmap::IntoIter;

/// Cuts the wanted rows into batches. A batch is within one row group, since each has its own dictionaries.
pub(super) struct Selection {
    wanted: Wanted,
    /// What is left of the run of wanted rows that was begun.
    run: Range<u64>,
    /// Where each row group ends, in rows of the file.
    ends: Vec<u64>,
    group: usize,
    batch_rows: u64,
}

enum Wanted {
    All,
    Rows(IntoIter),
}

/// The rows of a batch.
pub(super) struct Cut {
    pub(super) group: usize,
    /// Counted in the row group, ascending.
    pub(super) runs: Vec<Range<u64>>,
    pub(super) rows: usize,
}

impl Selection {
    /// `ends` is where each row group ends; rows beyond the last must not be wanted.
    pub(super) fn new(wanted: Option<&RoaringBitmap>, ends: Vec<u64>, batch_rows: usize) -> Self {
        let (wanted, run) = match wanted {
            Some(rows) => (Wanted::Rows(rows.clone().into_iter()), 0..0),
            None => (Wanted::All, 0..ends.last().copied().unwrap_or_default()),
        };
        Self { wanted, run, ends, group: 0, batch_rows: batch_rows as u64 }
    }

    /// The rows of the next batch.
    pub(super) fn next(&mut self) -> Option<Cut> {
        self.fill_run()?;
        while *self.ends.get(self.group)? <= self.run.start {
            self.group += 1;
        }
        let start = self.group.checked_sub(1).map_or(0, |before| self.ends[before]);
        let end = self.ends[self.group];
        let mut cut = Cut { group: self.group, runs: Vec::new(), rows: 0 };
        let mut left = self.batch_rows;
        while left > 0 && self.fill_run().is_some() && self.run.start < end {
            let stop = self.run.end.min(end).min(self.run.start + left);
            cut.runs.push(self.run.start - start..stop - start);
            left -= stop - self.run.start;
            self.run.start = stop;
        }
        cut.rows = (self.batch_rows - left) as usize;
        Some(cut)
    }

    /// Begins the next run of wanted rows when the last has ended; `None` when there is none.
    fn fill_run(&mut self) -> Option<()> {
        if self.run.is_empty() {
            let Wanted::Rows(rows) = &mut self.wanted else { return None };
            let run = rows.next_range()?;
            self.run = u64::from(*run.start())..u64::from(*run.end()) + 1;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: Option<&[u32]>, batch_rows: usize, want: &str) {
        let wanted = wanted.map(|rows| rows.iter().copied().collect());
        let mut selection = Selection::new(wanted.as_ref(), vec![10, 10, 15], batch_rows);
        let cuts: Vec<_> = std::iter::from_fn(|| selection.next()).collect();
        let cuts: Vec<_> = cuts.iter().map(|cut| format!("{}{:?}", cut.group, cut.runs)).collect();
        assert_eq!(cuts.join(" "), want);
    }

    #[test]
    fn batches_end_with_row_groups() {
        check(None, 100, "0[0..10] 2[0..5]");
        check(None, 4, "0[0..4] 0[4..8] 0[8..10] 2[0..4] 2[4..5]");
        check(Some(&[]), 4, "");
        check(Some(&[0, 1, 3, 9, 10, 14]), 3, "0[0..2, 3..4] 0[9..10] 2[0..1, 4..5]");
        check(Some(&[12]), 3, "2[2..3]");
    }
}
