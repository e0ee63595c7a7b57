//! Samples of line protocols, gathered by series, and the lines that made none.

use std::collections::HashMap;

use model::{Labels, Sample, SeriesSamples};

use crate::remote_write::REJECTS_PER_REQUEST_MAX;
use crate::{Decoded, QUARANTINE_BODY_BYTES_MAX, Reject};

/// Gathers what the lines of a request or of a connection bring.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    series: Vec<SeriesSamples>,
    by_labels: HashMap<Labels, usize>,
    samples: usize,
    rejects: Vec<Reject>,
    rest: Rest,
}

/// Rejects beyond those that are kept one by one.
#[derive(Debug, Default)]
struct Rest {
    items: usize,
    lines: Vec<u8>,
}

impl Collector {
    pub(crate) fn add(&mut self, labels: Labels, sample: Sample) {
        self.samples += 1;
        let next = self.series.len();
        let at = *self.by_labels.entry(labels.clone()).or_insert(next);
        if at == next {
            self.series.push(SeriesSamples { labels, ..SeriesSamples::default() });
        }
        self.series[at].samples.push(sample);
    }

    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    /// Rejects a line. The first [`REJECTS_PER_REQUEST_MAX`] have a row each, the others one together with as much of their text as
    /// a row has room for.
    pub(crate) fn reject(&mut self, reason: impl Into<String>, line: &[u8], peer: &str) {
        if self.rejects.len() < REJECTS_PER_REQUEST_MAX {
            let mut reject = Reject::new(reason, line);
            peer.clone_into(&mut reject.peer);
            self.rejects.push(reject);
            return;
        }
        self.rest.items += 1;
        if self.rest.lines.len() + line.len() < QUARANTINE_BODY_BYTES_MAX {
            self.rest.lines.extend_from_slice(line);
            self.rest.lines.push(b'\n');
        }
    }

    pub(crate) fn finish(mut self, decoded: &mut Decoded) {
        if self.rest.items > 0 {
            let reason = format!(
                "{} more lines were refused, beyond the {REJECTS_PER_REQUEST_MAX} of a request that have a row each",
                self.rest.items
            );
            self.rejects.push(Reject::new(reason, &self.rest.lines).of_items(self.rest.items));
        }
        decoded.series.series.extend(self.series);
        decoded.rejects.extend(self.rejects);
    }
}
