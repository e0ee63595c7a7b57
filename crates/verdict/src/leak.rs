//! Something that fills up: memory, connections, a disk.

use model::Timestamp;

/// How long after the start filling up is normal, in nanoseconds: caches warm.
pub const LEAK_WARMUP_NS: i64 = 330_000_000_000;
/// The length of one bin, in nanoseconds: its highest value counts.
pub const LEAK_BIN_NS: i64 = 20_000_000_000;
/// Only what would be full within this time is called a leak, in nanoseconds.
pub const LEAK_FULL_WITHIN_NS: i64 = 3_600_000_000_000;
/// The chance of a new record in each bin when something leaks.
const RECORD_CHANCE: f64 = 0.9;
/// A record must be above the one before by this share of the limit.
const RECORD_STEP: f64 = 0.000_5;

/// Watches how full a side gets.
///
/// While nothing leaks and load is steady, bins are exchangeable, so the k-th is a record with chance 1/k, whatever the
/// distribution is (Rényi 1962). A leak sets a record nearly every time. The ratio of both is an e-process that needs no model of memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Leak {
    since: Option<Timestamp>,
    bin: Option<(Timestamp, f64)>,
    bins: Vec<(Timestamp, f64)>,
    record: f64,
    log_e: f64,
}

impl Leak {
    /// Takes how full it is at a time. While load grows (`growing`), filling up means nothing: counting starts again.
    pub(crate) fn push(&mut self, at: Timestamp, fill: f64, growing: bool) {
        let since = *self.since.get_or_insert(at);
        if growing {
            self.bins.clear();
            (self.bin, self.log_e, self.record) = (None, self.log_e.min(0.0), 0.0);
            return;
        }
        if at.0 - since.0 < LEAK_WARMUP_NS {
            return;
        }
        match &mut self.bin {
            Some((start, highest)) if at.0 - start.0 < LEAK_BIN_NS => *highest = highest.max(fill),
            _ => {
                if let Some(done) = self.bin.replace((at, fill)) {
                    self.close(done);
                }
            }
        }
    }

    fn close(&mut self, bin: (Timestamp, f64)) {
        let place = self.bins.len() as f64 + 1.0;
        let record = bin.1 > self.record + RECORD_STEP;
        if place >= 2.0 {
            let ratio = if record { RECORD_CHANCE * place } else { (1.0 - RECORD_CHANCE) / (1.0 - 1.0 / place) };
            self.log_e += ratio.ln();
        }
        self.record = self.record.max(bin.1);
        self.bins.push(bin);
    }

    /// The logarithm of the e-value.
    pub(crate) fn log_e(&self) -> f64 {
        self.log_e
    }

    /// How full it was last, and in how many nanoseconds it will be full at the pace of the last bins, if it fills.
    pub(crate) fn outlook(&self) -> Option<(f64, i64)> {
        const LOOK_BACK: usize = 8;
        let last = self.bins.last()?;
        let first = &self.bins[self.bins.len().saturating_sub(LOOK_BACK)];
        let pace = (last.1 - first.1) / (last.0.0 - first.0.0).max(1) as f64;
        (pace > 0.0).then(|| (last.1, ((1.0 - last.1).max(0.0) / pace).min(i64::MAX as f64 / 2.0) as i64))
    }
}
