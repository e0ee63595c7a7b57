//! TCP sessions of protocols that are a line an item: what Graphite's and StatsD's receivers have in common.
//!
//! A line that is too long is refused with its beginning; the last line is one only when the sender closed its side
//! ([`Ending`]).

use std::net::SocketAddr;

use decode::{Frame, Frames, Reject};
use pipeline::{Protocol, PushError, Source};
use telemetry::metrics::TRUNCATED_ITEMS;
use tokio_util::sync::CancellationToken;

use crate::Intake;
use crate::storing::reserve;
use crate::tcp::{Ending, Session, finish_lines, frames_bytes};

/// What a protocol does with lines.
pub(crate) trait Lines: Send + Sync + 'static {
    const PROTOCOL: Protocol;
    /// Longest line.
    const LINE_BYTES_MAX: usize;

    /// Where they go.
    fn intake(&self) -> &Intake;

    /// When no more is read.
    fn shutdown(&self) -> &CancellationToken;

    /// Stores the whole lines of a read, and what was refused of it; waits while the store is busy.
    fn store_lines(
        &self,
        source: &Source,
        lines: &[&[u8]],
        refused: Vec<Reject>,
    ) -> impl Future<Output = Result<(), PushError>> + Send;
}

/// A connection of lines.
pub(crate) struct LineSession<L> {
    to: L,
    source: Source,
    frames: Frames,
    out: Vec<Frame>,
    /// A line whose end did not come.
    cut: Option<Reject>,
}

impl<L: Lines> LineSession<L> {
    pub(crate) fn new(to: L, peer: SocketAddr) -> Self {
        let source = Source { protocol: L::PROTOCOL, peer: peer.ip().to_string() };
        Self { to, source, frames: Frames::lines(L::LINE_BYTES_MAX), out: Vec::new(), cut: None }
    }
}

impl<L: Lines> Session for LineSession<L> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.frames.push(bytes, &mut self.out);
        Ok(())
    }

    fn finish(&mut self, ending: Ending) {
        self.cut = finish_lines(&mut self.frames, &mut self.out, ending);
    }

    fn is_partial(&self) -> bool {
        self.frames.pending_bytes() > 0
    }

    async fn store(&mut self) -> Result<(), PushError> {
        let (frames, cut) = (std::mem::take(&mut self.out), self.cut.take());
        if frames.is_empty() && cut.is_none() {
            return Ok(());
        }
        let pipeline = &self.to.intake().pipeline;
        let _room = reserve(pipeline, &self.source, frames_bytes(&frames), self.to.shutdown()).await?;
        let (mut lines, mut refused): (Vec<&[u8]>, Vec<Reject>) = (Vec::with_capacity(frames.len()), Vec::new());
        for frame in &frames {
            match frame {
                Frame::Message(line) => lines.push(line),
                Frame::Oversize { start, bytes } => refused.push(oversize(start, *bytes, L::LINE_BYTES_MAX)),
            }
        }
        TRUNCATED_ITEMS.add(refused.len() as u64);
        refused.extend(cut);
        self.to.store_lines(&self.source, &lines, refused).await
    }
}

fn oversize(start: &[u8], bytes: u64, bytes_max: usize) -> Reject {
    let reason = format!("the line has {bytes} bytes, {bytes_max} are allowed");
    Reject { raw_bytes: bytes, ..Reject::new(reason, start) }
}
