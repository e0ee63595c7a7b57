//! What is looked for: words, a phrase and a trace, in exactly so many records.

use std::collections::HashSet;

use anyhow::{Result, ensure};
use benches::{Manifest, Needle};
use rand::Rng;
use rand::rngs::SmallRng;

use super::shape::Span;

/// Words that no line of a corpus has; the words of the phrase are common ones, side by side only here.
const RARE: &str = "kestrelfault";
const PHRASE: &str = "session cache failed";
const COMMON: &str = "throttled";
/// Records with the rare word, and of the known trace, whatever the size.
const RARE_LINES: u64 = 37;
const TRACE_LINES: u64 = 12;
/// Records between two of the known trace, at most.
const TRACE_GAP: u64 = 500;

/// Fails if a line has a needle of its own, for then no count would be exact.
pub(crate) fn ensure_absent(text: &str) -> Result<()> {
    let lower = text.to_lowercase();
    for needle in [RARE, PHRASE, COMMON] {
        ensure!(!lower.contains(needle), "the corpus has {needle:?} itself");
    }
    Ok(())
}

/// Which records get which needle.
pub(crate) struct Needles {
    rare: Exactly,
    phrase: Exactly,
    common: Exactly,
    trace_id: [u8; 16],
    trace_lines: HashSet<u64>,
}

impl Needles {
    /// Records below which the known trace does not fit.
    pub(crate) const LINES_MIN: u64 = 2 * TRACE_LINES * TRACE_GAP;

    pub(crate) fn new(lines: u64, rng: &mut SmallRng) -> Self {
        let mut at = rng.random_range(0..lines - TRACE_LINES * TRACE_GAP);
        let mut next = || {
            at += rng.random_range(1..TRACE_GAP);
            at
        };
        let trace_lines = (0..TRACE_LINES).map(|_| next()).collect();
        Self {
            rare: Exactly::new(RARE_LINES, lines),
            phrase: Exactly::new(lines / 50, lines),
            common: Exactly::new(lines * 575 / 10_000, lines),
            trace_id: rng.random(),
            trace_lines,
        }
    }

    /// Tells the manifest what an engine must find.
    pub(crate) fn describe(&self, manifest: &mut Manifest) {
        manifest.rare = Needle { text: RARE.to_owned(), lines: self.rare.hits };
        manifest.phrase = Needle { text: PHRASE.to_owned(), lines: self.phrase.hits };
        manifest.common = Needle { text: COMMON.to_owned(), lines: self.common.hits };
        manifest.trace = Needle { text: hex(&self.trace_id), lines: TRACE_LINES };
    }

    /// The words of record `number`, and its span when it is of the known trace. Asked once for each record, in order.
    pub(crate) fn pick(&mut self, number: u64, rng: &mut SmallRng) -> (Vec<&'static str>, Option<Span>) {
        let drawn = [(&mut self.rare, RARE), (&mut self.phrase, PHRASE), (&mut self.common, COMMON)];
        let words = drawn.into_iter().filter_map(|(exactly, word)| exactly.pick(rng).then_some(word)).collect();
        let known = self.trace_lines.contains(&number);
        (words, known.then(|| Span { trace_id: self.trace_id, span_id: rng.random() }))
    }
}

/// Draws exactly so many of so many, each equally likely, without remembering which (Knuth's algorithm S).
struct Exactly {
    hits: u64,
    hits_left: u64,
    lines_left: u64,
}

impl Exactly {
    fn new(hits: u64, lines: u64) -> Self {
        Self { hits, hits_left: hits, lines_left: lines }
    }

    fn pick(&mut self, rng: &mut SmallRng) -> bool {
        let hit = rng.random_range(0..self.lines_left) < self.hits_left;
        self.lines_left -= 1;
        self.hits_left -= u64::from(hit);
        hit
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
