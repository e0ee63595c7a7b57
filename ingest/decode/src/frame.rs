//! Cuts a TCP stream into messages: syslog's, by octet counting and line ends (RFC 6587), told apart for each message; and plain lines.

use crate::QUARANTINE_BODY_BYTES_MAX;

/// Longest syslog message, in bytes. Longer ones go to the quarantine, cut. rsyslog's default is 8 KiB, syslog-ng's 64 KiB.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Most digits of an octet count. A longer number is not a count.
const COUNT_DIGITS_MAX: usize = 9;

/// One message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message, without its framing.
    Message(Vec<u8>),
    /// A message above the limit ([`MESSAGE_BYTES_MAX`] for syslog): its beginning, and its whole size.
    Oversize {
        /// The first [`QUARANTINE_BODY_BYTES_MAX`] bytes.
        start: Vec<u8>,
        /// Bytes of the whole message.
        bytes: u64,
    },
}

/// An incremental decoder: give it the bytes as they come, in pieces of any size.
///
/// A message that begins `COUNT SP <` is octet counted; any other ends at a newline, or at a NUL, which Python's handler sends. A count is believed only before `<`,
/// which every syslog message begins with, so that a line such as `2026 was fine` is a line. After a bad frame the decoder is
/// in step again at the next newline or count, whichever the sender uses.
#[derive(Debug)]
pub struct Frames {
    /// Whether messages may be counted.
    counts: bool,
    bytes_max: usize,
    buffer: Vec<u8>,
    /// How far the buffer was searched for a newline without finding one.
    searched: usize,
    skip: Option<Skip>,
    /// Whether what comes up to the next line end belongs to a line that was given up.
    given_up: bool,
}

/// An oversize message on its way out.
#[derive(Debug)]
struct Skip {
    start: Vec<u8>,
    bytes: u64,
    /// Bytes still to come of an octet-counted message; `None` when a newline ends it.
    remaining: Option<u64>,
}

/// What the beginning of the buffer is.
enum Head {
    /// Not enough bytes to tell.
    Unknown,
    /// `COUNT SP`, of that many bytes, then a message of `count` bytes.
    Counted { header: usize, count: u64 },
    /// A message up to a newline.
    Line,
}

/// Syslog.
impl Default for Frames {
    fn default() -> Self {
        Self {
            counts: true,
            bytes_max: MESSAGE_BYTES_MAX,
            buffer: Vec::new(),
            searched: 0,
            skip: None,
            given_up: false,
        }
    }
}

impl Frames {
    /// Lines of at most so many bytes, nothing else.
    pub fn lines(bytes_max: usize) -> Self {
        Self { counts: false, bytes_max, ..Self::default() }
    }

    /// Takes the next bytes and adds every message that is complete to `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<Frame>) {
        self.buffer.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(used) = self.step(at, out) {
            at += used;
        }
        self.buffer.drain(..at);
    }

    /// Ends the stream: what is left without an end is a message too.
    pub fn finish(&mut self, out: &mut Vec<Frame>) {
        if let Some(skip) = self.skip.take() {
            out.push(skip.into_frame());
            return;
        }
        let rest = std::mem::take(&mut self.buffer);
        self.searched = 0;
        let header = match self.head(&rest) {
            Head::Counted { header, .. } => header,
            Head::Unknown | Head::Line => 0,
        };
        emit(&rest[header..], self.bytes_max, out);
    }

    /// Gives up the line that has begun, and gives what there is of it; the rest of it, should it still come, is no line either.
    pub fn give_up(&mut self) -> Option<Frame> {
        let begun = self.pending_bytes() > 0 || self.given_up;
        let mut out = Vec::new();
        self.finish(&mut out);
        self.given_up = begun;
        out.pop()
    }

    fn head(&self, rest: &[u8]) -> Head {
        if self.counts { head(rest) } else { Head::Line }
    }

    /// Bytes held back for a message that is not complete.
    pub fn pending_bytes(&self) -> usize {
        self.buffer.len() + self.skip.as_ref().map_or(0, |skip| skip.start.len())
    }

    /// Handles one message or the part of it that is there; `None` when more bytes are needed.
    fn step(&mut self, at: usize, out: &mut Vec<Frame>) -> Option<usize> {
        let rest = &self.buffer[at..];
        if rest.is_empty() {
            return None;
        }
        if self.given_up {
            let end = memchr::memchr2(b'\n', 0, rest);
            self.given_up = end.is_none();
            return Some(end.map_or(rest.len(), |end| end + 1));
        }
        if let Some(skip) = &mut self.skip {
            let (used, done) = skip.take_from(rest);
            if done && let Some(skip) = self.skip.take() {
                out.push(skip.into_frame());
            }
            return Some(used);
        }
        match self.head(rest) {
            Head::Unknown => None,
            Head::Counted { header, count } if count > self.bytes_max as u64 => {
                self.skip = Some(Skip { start: Vec::new(), bytes: 0, remaining: Some(count) });
                Some(header)
            }
            Head::Counted { header, count } => {
                let end = header + count as usize;
                emit(rest.get(header..end)?, self.bytes_max, out);
                Some(end)
            }
            Head::Line => self.step_line(at, out),
        }
    }

    fn step_line(&mut self, at: usize, out: &mut Vec<Frame>) -> Option<usize> {
        let rest = &self.buffer[at..];
        let from = std::mem::take(&mut self.searched).min(rest.len());
        match memchr::memchr2(b'\n', 0, &rest[from..]) {
            Some(found) => {
                emit(&rest[..from + found], self.bytes_max, out);
                Some(from + found + 1)
            }
            None if rest.len() > self.bytes_max => {
                self.skip = Some(Skip { start: Vec::new(), bytes: 0, remaining: None });
                Some(0)
            }
            None => {
                // `push` drains what was used, so the unsearched part starts at the same distance from the new front.
                self.searched = rest.len();
                None
            }
        }
    }
}

impl Skip {
    /// Takes what belongs to the message; returns the bytes used and whether the message is over.
    fn take_from(&mut self, rest: &[u8]) -> (usize, bool) {
        let (body, used, done) = match self.remaining {
            Some(remaining) => {
                let body = rest.len().min(usize::try_from(remaining).unwrap_or(usize::MAX));
                self.remaining = Some(remaining - body as u64);
                (body, body, remaining == body as u64)
            }
            None => match memchr::memchr2(b'\n', 0, rest) {
                Some(found) => (found, found + 1, true),
                None => (rest.len(), rest.len(), false),
            },
        };
        self.bytes += body as u64;
        let room = QUARANTINE_BODY_BYTES_MAX - self.start.len();
        self.start.extend_from_slice(&rest[..body.min(room)]);
        (used, done)
    }

    fn into_frame(self) -> Frame {
        Frame::Oversize { start: self.start, bytes: self.bytes }
    }
}

fn head(rest: &[u8]) -> Head {
    let digits = rest.iter().take(COUNT_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > COUNT_DIGITS_MAX || rest[0] == b'0' {
        return Head::Line;
    }
    match (rest.get(digits), rest.get(digits + 1)) {
        (None, _) | (Some(b' '), None) => Head::Unknown,
        (Some(b' '), Some(b'<')) => {
            let count = rest[..digits].iter().fold(0, |count, digit| count * 10 + u64::from(digit - b'0'));
            Head::Counted { header: digits + 1, count }
        }
        _ => Head::Line,
    }
}

/// Adds a message unless it is nothing but line ends and NULs, which some senders put between messages.
fn emit(message: &[u8], bytes_max: usize, out: &mut Vec<Frame>) {
    if message.len() > bytes_max {
        let start = message[..message.len().min(QUARANTINE_BODY_BYTES_MAX)].to_vec();
        out.push(Frame::Oversize { start, bytes: message.len() as u64 });
    } else if message.iter().any(|byte| !matches!(byte, b'\r' | b'\n' | 0)) {
        out.push(Frame::Message(message.to_vec()));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;

    fn frames(pieces: &[&[u8]]) -> Vec<Frame> {
        let (mut frames, mut out) = (Frames::default(), Vec::new());
        for piece in pieces {
            frames.push(piece, &mut out);
        }
        frames.finish(&mut out);
        assert_eq!(frames.pending_bytes(), 0);
        out
    }

    fn check(stream: &[u8], expect: Expect) {
        let lines: Vec<String> = frames(&[stream])
            .into_iter()
            .map(|frame| match frame {
                Frame::Message(message) => format!("{}\n", message.escape_ascii()),
                Frame::Oversize { start, bytes } => format!("oversize: {bytes} bytes, {} kept\n", start.len()),
            })
            .collect();
        expect.assert_eq(&lines.concat());
    }

    #[test]
    fn both_framings_mix_in_one_stream() {
        check(
            b"<1>a\n5 <2>bb<3>c\r\n\n\x00\n<3>nul\x006 <4>d\ne2026 was fine\n012 <5>f\n7 <6>g",
            expect![[r#"
                <1>a
                <2>bb
                <3>c\r
                <3>nul
                <4>d\ne
                2026 was fine
                012 <5>f
                <6>g
            "#]],
        );
    }

    #[test]
    fn a_wrong_count_loses_step_only_until_the_next_line() {
        check(
            b"4 <1>abc\n<2>d\n9 <3>e\n<4>f\n<5>g\n",
            expect![[r#"
                <1>a
                bc
                <2>d
                <3>e\n<4>f
                <5>g
            "#]],
        );
    }

    #[test]
    fn oversize_messages_are_cut_and_the_next_one_is_whole() {
        let mut stream = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        stream.extend_from_slice(b"\n<1>a\n1048577 <");
        stream.extend_from_slice(&vec![b'y'; MESSAGE_BYTES_MAX]);
        stream.extend_from_slice(b"5 <2>bb");
        stream.extend_from_slice(b"<3>c");
        check(
            &stream,
            expect![[r#"
                oversize: 1048577 bytes, 65536 kept
                <1>a
                oversize: 1048577 bytes, 65536 kept
                <2>bb
                <3>c
            "#]],
        );
    }

    #[test]
    fn plain_lines_have_a_limit_of_their_own_and_no_counts() {
        let (mut frames, mut out) = (Frames::lines(6), Vec::new());
        for piece in [&b"a 1\n5 <x"[..], b">\nlonger than six\n\nb", b"\n1234567", b"8\nc"] {
            frames.push(piece, &mut out);
        }
        frames.finish(&mut out);
        let message = |text: &str| Frame::Message(text.into());
        let oversize = |text: &str| Frame::Oversize { start: text.into(), bytes: text.len() as u64 };
        let want = [message("a 1"), message("5 <x>"), oversize("longer than six"), message("b"), oversize("12345678")];
        assert_eq!(out, [&want[..], &[message("c")]].concat());
    }

    #[test]
    fn a_line_that_is_given_up_is_none_and_the_next_one_is_whole() {
        let (mut frames, mut out) = (Frames::lines(100), Vec::new());
        frames.push(b"a 1\nb 12", &mut out);
        let message = |text: &str| Frame::Message(text.into());
        assert_eq!(frames.give_up(), Some(message("b 12")));
        assert_eq!((frames.give_up(), frames.pending_bytes()), (None, 0));
        frames.push(b"34 17000", &mut out);
        frames.push(b"00000\nc 2\n", &mut out);
        assert_eq!(out, [message("a 1"), message("c 2")]);
        assert_eq!(frames.give_up(), None);
        frames.push(b"d 3\n", &mut out);
        assert_eq!(out.last(), Some(&message("d 3")), "nothing had begun");
    }

    proptest! {
        /// Where the network splits the stream does not matter.
        #[test]
        fn any_split_gives_the_same_messages(
            parts in prop::collection::vec(
                prop_oneof![
                    "<[0-9]{1,3}>[ -~]{0,20}\n",
                    "[1-9][0-9]? <[ -~\n]{0,30}",
                    "[0-9 <\n]{0,12}",
                    Just("\0\n".to_owned()),
                ],
                0..12,
            ),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let stream = parts.concat().into_bytes();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(frames(&pieces), frames(&[&stream]));
        }
    }
}
