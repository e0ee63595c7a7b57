//! The layout of an index file.
//!
//! ```text
//! magic "BSINDEX3" | parts, one after the other | header, JSON | its length, u32 LE | magic "BSINDEX3"
//! ```
//!
//! The header says for each field where its groups and the lists of its terms are, and where the dictionary of terms, the rare
//! words and the filters are; places are counted from the end of the first magic. Opening reads the header only.

use std::collections::BTreeSet;
use std::io::Write;
use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::read::IndexFile;
use crate::{IndexError, ROWS_MAX, TierBytes};

const MAGIC: &[u8; 8] = b"BSINDEX3";

/// Longest header that is read: some 200 bytes for each of [`crate::FIELDS_MAX`] fields, whose names may be long.
const HEADER_BYTES_MAX: u64 = 256 << 20;

/// Largest part that is decompressed: the texts and words of a field's groups.
const PART_BYTES_MAX: u64 = 1 << 30;

/// How hard texts and words are compressed; levels above save a few per cent of what is a small part of the file.
const ZSTD_LEVEL: i32 = 3;

/// Bytes of finished parts that are gathered before they are written.
const OUTPUT_BUFFER_BYTES: usize = 128 << 10;

/// In the first byte of a term's list: it has numbers of blocks of [`COARSE_ROWS`] rows instead of rows.
pub(crate) const COARSE: u8 = 0x80;

/// Rows of a block.
pub(crate) const COARSE_ROWS: u32 = 64;

/// A list that takes more than a byte for as many of the segment's rows is kept by blocks.
pub(crate) const COARSE_DENSE: u32 = 128;

/// Where a part is: offset and length.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Span(pub(crate) u64, pub(crate) u64);

impl Span {
    pub(crate) fn is_empty(self) -> bool {
        self.1 == 0
    }
}

/// A part compressed with zstd, and its length when it is not.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Compressed {
    pub(crate) span: Span,
    pub(crate) len: u64,
}

/// What the header says of a field.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct FieldEntry {
    pub(crate) name: String,
    pub(crate) groups: u32,
    /// Whether every row that has the field is in a group of its whole value.
    pub(crate) is_values: bool,
    /// For each group rows and kind, and the length of its list.
    pub(crate) table: Span,
    pub(crate) lists: Span,
    pub(crate) texts: Compressed,
    pub(crate) words: Compressed,
    /// Rows in no group; no list when there are none.
    pub(crate) loose: Span,
    pub(crate) hidden: Span,
    /// Lists of the terms, one after the other in the order of the dictionary.
    pub(crate) term_lists: Span,
    /// Whether a word without a digit is known by a filter only: one that is very long, or one too many.
    pub(crate) words_filtered: bool,
    pub(crate) numbers: Option<NumbersEntry>,
}

/// Numbers that are in no group.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct NumbersEntry {
    pub(crate) rows: Span,
    pub(crate) ints: Option<(u64, u64)>,
    pub(crate) doubles: bool,
}

/// What is in an index file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Header {
    pub(crate) rows: u32,
    pub(crate) fields: Vec<FieldEntry>,
    /// The dictionary of all terms; its ranges are those of all fields' lists, put one behind the other.
    pub(crate) terms: Span,
    /// Directory and blocks of the rare words.
    pub(crate) rares: (Compressed, Span),
    /// Directory and cells.
    pub(crate) filters: [Span; 2],
    pub(crate) tiers: TierBytes,
    pub(crate) incomplete_fields: BTreeSet<String>,
    /// Whether there are fields of which nothing is known.
    pub(crate) truncated: bool,
}

/// A file being written, part after part; what is written is not held in memory.
pub(crate) struct Output<'w> {
    sink: &'w mut dyn Write,
    /// The end of the parts, which is not written yet: whoever writes a part of many small pieces appends them here.
    pub(crate) buffer: Vec<u8>,
    /// Bytes of the parts before the buffer.
    before: u64,
}

impl<'w> Output<'w> {
    pub(crate) fn new(sink: &'w mut dyn Write) -> Result<Self, IndexError> {
        sink.write_all(MAGIC)?;
        Ok(Self { sink, buffer: Vec::new(), before: 0 })
    }

    /// Bytes of the parts so far.
    pub(crate) fn len(&self) -> u64 {
        self.before + self.buffer.len() as u64
    }

    /// The part that began when [`Self::len`] was so.
    pub(crate) fn since(&self, start: u64) -> Span {
        Span(start, self.len() - start)
    }

    /// Writes the buffer when it is large; to be called now and then between pieces.
    pub(crate) fn flush_large(&mut self) -> Result<(), IndexError> {
        if self.buffer.len() >= OUTPUT_BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        self.sink.write_all(&self.buffer)?;
        self.before += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Appends to the parts.
    pub(crate) fn append(&mut self, piece: &[u8]) -> Result<Span, IndexError> {
        let start = self.len();
        if piece.len() < OUTPUT_BUFFER_BYTES {
            self.buffer.extend_from_slice(piece);
            self.flush_large()?;
        } else {
            self.flush()?;
            self.sink.write_all(piece)?;
            self.before += piece.len() as u64;
        }
        Ok(self.since(start))
    }

    /// Appends a part, compressed, which is given in pieces.
    pub(crate) fn append_compressed<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<Compressed, IndexError> {
        let start = self.len();
        let len = pieces.clone().map(|piece| piece.len() as u64).sum();
        let mut encoder = zstd::stream::write::Encoder::new(&mut self.buffer, ZSTD_LEVEL)?;
        encoder.set_pledged_src_size(Some(len))?;
        for piece in pieces {
            encoder.write_all(piece)?;
        }
        encoder.finish()?;
        self.flush_large()?;
        Ok(Compressed { span: self.since(start), len })
    }

    /// Writes the header behind the parts; the length of the file.
    pub(crate) fn finish(mut self, header: &Header) -> Result<u64, IndexError> {
        self.flush()?;
        let header = serde_json::to_vec(header).map_err(IndexError::building)?;
        let len = u32::try_from(header.len()).map_err(IndexError::building)?;
        self.sink.write_all(&header)?;
        self.sink.write_all(&len.to_le_bytes())?;
        self.sink.write_all(MAGIC)?;
        Ok(self.before + (2 * MAGIC.len() + header.len() + size_of::<u32>()) as u64)
    }
}

/// An index file with its header read.
#[derive(Debug)]
pub(crate) struct Packed {
    file: IndexFile,
    pub(crate) header: Header,
    /// Length of the parts.
    len: u64,
}

impl Packed {
    pub(crate) fn open(file: IndexFile) -> Result<Self, IndexError> {
        let corrupt = |what: &str| IndexError::Corrupt(format!("{what} in a file of {} bytes", file.len()));
        let magic_len = MAGIC.len() as u64;
        let tail_len = size_of::<u32>() as u64 + magic_len;
        let tail_at = file.len().checked_sub(tail_len).filter(|at| *at >= magic_len);
        let tail_at = tail_at.ok_or_else(|| corrupt("no room for a header"))?;
        let tail = file.read(tail_at..file.len())?;
        let head = file.read(0..magic_len)?;
        let (len, magic) = tail.split_at(size_of::<u32>());
        if magic != MAGIC || head[..] != MAGIC[..] {
            return Err(corrupt("no index magic"));
        }
        let len = u64::from(u32::from_le_bytes(len.try_into().map_err(IndexError::reading)?));
        let start = tail_at.checked_sub(len).filter(|start| *start >= magic_len && len <= HEADER_BYTES_MAX);
        let start = start.ok_or_else(|| corrupt("a header that is too long"))?;
        let header: Header = serde_json::from_slice(&file.read(start..tail_at)?).map_err(IndexError::reading)?;
        if header.rows > ROWS_MAX {
            return Err(corrupt("too many rows"));
        }
        Ok(Self { len: start - magic_len, file, header })
    }

    /// Bytes of a part, from and to counted from its start.
    pub(crate) fn read_in(&self, part: Span, range: Range<u64>) -> Result<Bytes, IndexError> {
        let base = MAGIC.len() as u64;
        let end = part.0.checked_add(part.1).filter(|end| *end <= self.len);
        let (Some(_), true) = (end, range.start <= range.end && range.end <= part.1) else {
            let what = format!("bytes {range:?} of a part at {} with {} bytes of {}", part.0, part.1, self.len);
            return Err(IndexError::Corrupt(what));
        };
        self.file.read(base + part.0 + range.start..base + part.0 + range.end)
    }

    /// The bytes of a part.
    pub(crate) fn read(&self, part: Span) -> Result<Bytes, IndexError> {
        self.read_in(part, 0..part.1)
    }

    pub(crate) fn decompress(&self, part: Compressed) -> Result<Vec<u8>, IndexError> {
        let len = usize::try_from(part.len.min(PART_BYTES_MAX)).unwrap_or(usize::MAX);
        let bytes = zstd::bulk::decompress(&self.read(part.span)?, len).map_err(IndexError::reading)?;
        if bytes.len() as u64 != part.len {
            return Err(IndexError::Corrupt(format!("{} bytes of a part of {}", bytes.len(), part.len)));
        }
        Ok(bytes)
    }
}
