//! What a decoder hands on: good items and rejects, side by side.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::RecordBatch;
use model::{Row, SeriesBatch, Timestamp, Value, field};

/// Longest text of a rejected item that the quarantine keeps, in bytes; the rest is cut and the row says so.
pub const QUARANTINE_BODY_BYTES_MAX: usize = 64 * 1024;

/// Longest reason of a reject, in bytes. Reasons may quote the sender's names, which have no limit of their own.
pub const REASON_BYTES_MAX: usize = 1024;

/// Good items of one request and the rejects among them. They travel together, so that they are acknowledged together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decoded {
    /// Rows of the logs table.
    pub logs: Vec<Row>,
    /// More rows of the logs table, as columns in the shape that crate `column` documents. What comes in masses comes so.
    pub log_batches: Vec<RecordBatch>,
    /// Rows of the spans table.
    pub spans: Vec<Row>,
    /// Metric samples.
    pub series: SeriesBatch,
    /// How many of those series are known already ([`crate::KnownSeries`]).
    pub series_known: usize,
    /// What could not be decoded.
    pub rejects: Vec<Reject>,
}

impl Decoded {
    /// Whether there is nothing in it, rejects included.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
            && self.log_batches.is_empty()
            && self.spans.is_empty()
            && self.series.series.is_empty()
            && self.series.metadata.is_empty()
            && self.rejects.is_empty()
    }

    /// Log records and spans that were decoded.
    pub fn rows(&self) -> usize {
        let in_batches: usize = self.log_batches.iter().map(RecordBatch::num_rows).sum();
        self.logs.len() + in_batches + self.spans.len()
    }

    /// Log records, spans and samples that were decoded.
    pub fn accepted(&self) -> usize {
        self.rows() + self.series.sample_count()
    }

    /// Items that were not, in the unit that OTLP's partial success counts (a rejected metric counts its data points).
    pub fn rejected(&self) -> u64 {
        self.rejects.iter().map(|reject| reject.items).sum()
    }

    /// Moves everything of `other` behind what is here.
    pub fn extend(&mut self, other: Decoded) {
        self.logs.extend(other.logs);
        self.log_batches.extend(other.log_batches);
        self.spans.extend(other.spans);
        self.series.series.extend(other.series.series);
        self.series.metadata.extend(other.series.metadata);
        self.rejects.extend(other.rejects);
    }
}

/// An item that could not be decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Reject {
    /// What was wrong, in words, at most [`REASON_BYTES_MAX`].
    pub reason: String,
    /// The item as it came, at most [`QUARANTINE_BODY_BYTES_MAX`] of it.
    pub raw: Vec<u8>,
    /// How many bytes it really had.
    pub raw_bytes: u64,
    /// How many items of the protocol it stands for; none where it is of what comes beside items, as metadata does.
    pub items: u64,
    /// Who sent it, when a batch mixes senders; empty for the sender of the batch.
    pub peer: String,
    /// The limit of the store that it is over, where that is why.
    pub over: Option<OverLimit>,
}

/// Samples of one metric that are over a limit of the store. Senders bring them again and again: whoever stores rejects tells of the
/// same metric and limit now and then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OverLimit {
    /// The limit's name.
    pub limit: &'static str,
    /// The metric's name; empty where there are many.
    pub metric: Arc<str>,
}

impl Reject {
    /// One rejected item; `raw` is cut to the limit.
    pub fn new(reason: impl Into<String>, raw: &[u8]) -> Self {
        let mut reason = reason.into();
        cut(&mut reason, REASON_BYTES_MAX);
        let kept = &raw[..raw.len().min(QUARANTINE_BODY_BYTES_MAX)];
        Self { reason, raw: kept.to_vec(), raw_bytes: raw.len() as u64, items: 1, peer: String::new(), over: None }
    }

    /// The same, standing for `items` items.
    pub fn of_items(mut self, items: usize) -> Self {
        self.items = (items as u64).max(1);
        self
    }

    /// The row of the quarantine table: `body`, `reason`, `protocol`, `peer` when known, `raw_base64` when the item is not
    /// UTF-8, and `raw_bytes` when it was cut.
    pub fn into_row(self, protocol: &str, peer: &str, received: Timestamp) -> Row {
        let mut row = Row::new(received);
        let truncated = self.raw_bytes > self.raw.len() as u64;
        let raw = if truncated { without_split_char(&self.raw) } else { &self.raw };
        let (body, raw_base64) = readable(raw);
        row.set(field::BODY, body.into_owned());
        row.set("reason", self.reason);
        row.set("protocol", protocol);
        let peer = if self.peer.is_empty() { peer.to_owned() } else { self.peer };
        if !peer.is_empty() {
            row.set("peer", peer);
        }
        if let Some(raw_base64) = raw_base64 {
            row.set("raw_base64", raw_base64);
        }
        if truncated {
            row.set("raw_bytes", i64::try_from(self.raw_bytes).unwrap_or(i64::MAX));
        }
        row.finish()
    }
}

/// Bytes as readable text, each bad byte sequence shown as U+FFFD, and, when there was one, all bytes as base64.
pub fn readable(bytes: &[u8]) -> (Cow<'_, str>, Option<String>) {
    match std::str::from_utf8(bytes) {
        Ok(text) => (Cow::Borrowed(text), None),
        Err(_) => {
            let base64 = Value::Bytes(bytes.to_vec()).text().into_owned();
            (Cow::Owned(String::from_utf8_lossy(bytes).into_owned()), Some(base64))
        }
    }
}

/// Cuts a text at a character boundary at or below `bytes_max`.
pub(crate) fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
}

/// Drops the character that a cut left incomplete at the end, so that the cut alone does not make text look binary.
fn without_split_char(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reject_is_cut_and_says_so() {
        let raw = "é".repeat(QUARANTINE_BODY_BYTES_MAX);
        let mut odd = b"x".to_vec();
        odd.extend_from_slice(raw.as_bytes());
        let row = Reject::new("r".repeat(5000), &odd).into_row("native", "", Timestamp(1));
        assert_eq!(row.body().len(), QUARANTINE_BODY_BYTES_MAX - 1, "half a character is left out");
        assert_eq!(row.get("raw_base64"), None);
        assert_eq!(row.get("raw_bytes"), Some(&Value::Int(odd.len() as i64)));
        assert_eq!(row.get("reason").map(|reason| reason.text().len()), Some(REASON_BYTES_MAX));
    }

    #[test]
    fn bytes_that_are_not_text_stay_readable_and_whole() {
        let (text, base64) = readable(b"caf\xe9 ok");
        assert_eq!(text, "caf\u{fffd} ok");
        assert_eq!(base64.as_deref(), Some("Y2Fm6SBvaw=="));
    }
}
