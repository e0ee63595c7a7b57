//! The patterns of one answer, when nothing is to be kept of them.

use std::collections::HashMap;

use crate::id::PatternId;
use crate::limits::Limits;
use crate::miner::{Miner, Pattern};

/// The patterns of some texts.
#[derive(Clone, Debug, Default)]
pub struct Mined {
    /// Those with most rows first.
    pub patterns: Vec<Pattern>,
    /// For each text the number of its pattern in `patterns`; `None` beyond the limits.
    pub of: Vec<Option<usize>>,
    /// Rows that the limits left without a pattern.
    pub overflow_rows: u64,
}

/// Finds the patterns of texts or shapes and their numbers of rows. The order of the texts makes no difference.
pub fn mine(texts: &[(&str, u64)], limits: Limits) -> Mined {
    let mut miner = Miner::new(limits);
    for (text, rows) in texts {
        miner.learn(text, *rows);
    }
    miner.refine();
    mined(&miner, texts)
}

/// The same with patterns that are known already.
pub fn mined(miner: &Miner, texts: &[(&str, u64)]) -> Mined {
    let found: Vec<Option<PatternId>> = texts.iter().map(|(text, _)| miner.find(text)).collect();
    let mut rows: HashMap<PatternId, u64> = HashMap::new();
    let mut overflow_rows = 0u64;
    for (id, (_, count)) in found.iter().zip(texts) {
        let sum = id.map_or(&mut overflow_rows, |id| rows.entry(id).or_default());
        *sum = sum.saturating_add(*count);
    }
    let mut patterns: Vec<Pattern> =
        rows.into_iter().filter_map(|(id, rows)| Some(Pattern { rows, ..miner.pattern(id)? })).collect();
    patterns.sort_by(|a, b| b.rows.cmp(&a.rows).then_with(|| a.template.cmp(&b.template)).then(a.id.cmp(&b.id)));
    let places: HashMap<PatternId, usize> =
        patterns.iter().enumerate().map(|(nth, pattern)| (pattern.id, nth)).collect();
    let of = found.iter().map(|id| places.get(id.as_ref()?).copied()).collect();
    Mined { patterns, of, overflow_rows }
}
