//! How a file and a record look on disk. All numbers are little-endian.
//!
//! ```text
//! file    magic(8) version(u32) reserved(u32) log_id(u128) epoch(u128) crc32c(u32, of all before) zeros to 64
//! record  magic(4) len(u32) kind(u8) zeros(3) lsn(u64) committed(u64) epoch(u128) crc32c(u32) payload(len)
//! ```
//!
//! A record's checksum covers its header without the checksum, and the payload as stored. The epoch is random per file:
//! stale blocks of a deleted file, or log bytes that someone logs, never pass for records. `committed` is the highest LSN
//! that was durable when the record was written.

use std::cell::RefCell;
use std::io::Cursor;

use zstd::bulk::Compressor;
use zstd::zstd_safe::compress_bound;

use crate::WalError;

/// The largest payload, before compression. Also bounds what a damaged length can make replay believe.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// The version of the layout above.
pub(crate) const VERSION: u32 = 1;
/// Bytes of a file before its first record.
pub(crate) const FILE_HEADER_BYTES: usize = 64;
/// Bytes of a record before its payload.
pub(crate) const RECORD_HEADER_BYTES: usize = 48;
/// How a record starts.
pub(crate) const RECORD_MAGIC: [u8; 4] = *b"\xb5BSr";

const FILE_MAGIC: [u8; 8] = *b"BKSTPWAL";
const FILE_CRC_AT: usize = 48;
const RECORD_CRC_AT: usize = 44;
const KIND_PLAIN: u8 = 1;
const KIND_ZSTD: u8 = 2;

/// Payloads below this are not worth a try at compression.
const COMPRESS_BYTES_MIN: usize = 256;
/// The fastest level: the log is read once or never.
const ZSTD_LEVEL: i32 = 1;

/// A payload made ready for the log: compressed when that helps. Making it is the costly part of an append and needs no lock.
#[derive(Clone, Debug)]
pub struct Payload {
    kind: u8,
    bytes: Vec<u8>,
    raw_bytes: usize,
}

impl Payload {
    /// Packs bytes.
    pub fn new(raw: Vec<u8>) -> Self {
        let raw_bytes = raw.len();
        if (COMPRESS_BYTES_MIN..=PAYLOAD_BYTES_MAX).contains(&raw_bytes)
            && let Some(bytes) = pack(&raw)
            && bytes.len() < raw_bytes - raw_bytes / 8
        {
            return Self { kind: KIND_ZSTD, bytes, raw_bytes };
        }
        Self { kind: KIND_PLAIN, bytes: raw, raw_bytes }
    }

    /// Bytes before packing.
    pub fn raw_bytes(&self) -> usize {
        self.raw_bytes
    }

    /// Bytes that its record takes in a file.
    pub fn record_bytes(&self) -> usize {
        RECORD_HEADER_BYTES + self.bytes.len()
    }
}

thread_local! {
    /// Kept, because its tables are hundreds of kilobytes to allocate and clear.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// The length before packing, and the packed bytes; `None` when zstd refuses.
fn pack(raw: &[u8]) -> Option<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        let packer = match packer {
            Some(packer) => packer,
            None => packer.insert(Compressor::new(ZSTD_LEVEL).ok()?),
        };
        let mut bytes = Vec::with_capacity(4 + compress_bound(raw.len()));
        bytes.extend_from_slice(&(raw.len() as u32).to_le_bytes());
        let mut out = Cursor::new(bytes);
        out.set_position(4);
        packer.compress_to_buffer(raw, &mut out).ok()?;
        let mut bytes = out.into_inner();
        bytes.shrink_to_fit(); // it waits in a queue that counts bytes
        Some(bytes)
    })
}

/// What identifies a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileHeader {
    pub(crate) version: u32,
    pub(crate) log_id: u128,
    pub(crate) epoch: u128,
}

impl FileHeader {
    pub(crate) fn encode(&self) -> [u8; FILE_HEADER_BYTES] {
        let mut out = [0; FILE_HEADER_BYTES];
        out[..8].copy_from_slice(&FILE_MAGIC);
        out[8..12].copy_from_slice(&self.version.to_le_bytes());
        out[16..32].copy_from_slice(&self.log_id.to_le_bytes());
        out[32..48].copy_from_slice(&self.epoch.to_le_bytes());
        let crc = crc32c::crc32c(&out[..FILE_CRC_AT]);
        out[FILE_CRC_AT..FILE_CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` when the bytes are no file header.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let head = bytes.get(..FILE_HEADER_BYTES)?;
        let sound = head[..8] == FILE_MAGIC && crc32c::crc32c(&head[..FILE_CRC_AT]) == u32_at(head, FILE_CRC_AT);
        sound.then(|| Self { version: u32_at(head, 8), log_id: u128_at(head, 16), epoch: u128_at(head, 32) })
    }
}

/// A record found sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) lsn: u64,
    pub(crate) committed: u64,
    pub(crate) epoch: u128,
    /// Where the record starts in its file.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
}

/// Appends a record to `out`.
pub(crate) fn encode(payload: &Payload, lsn: u64, committed: u64, epoch: u128, out: &mut Vec<u8>) {
    let mut head = [0; RECORD_HEADER_BYTES];
    head[..4].copy_from_slice(&RECORD_MAGIC);
    head[4..8].copy_from_slice(&(payload.bytes.len() as u32).to_le_bytes());
    head[8] = payload.kind;
    head[12..20].copy_from_slice(&lsn.to_le_bytes());
    head[20..28].copy_from_slice(&committed.to_le_bytes());
    head[28..44].copy_from_slice(&epoch.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..RECORD_CRC_AT]), &payload.bytes);
    head[RECORD_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&head);
    out.extend_from_slice(&payload.bytes);
}

/// Reads the record that starts at `start`; `None` when there is no sound one. Allocates nothing.
pub(crate) fn decode(bytes: &[u8], start: usize) -> Option<Span> {
    let head = bytes.get(start..start.checked_add(RECORD_HEADER_BYTES)?)?;
    if head[..4] != RECORD_MAGIC || !matches!(head[8], KIND_PLAIN | KIND_ZSTD) {
        return None;
    }
    let len = u32_at(head, 4) as usize;
    if len > PAYLOAD_BYTES_MAX {
        return None;
    }
    let end = start + RECORD_HEADER_BYTES + len;
    let payload = bytes.get(start + RECORD_HEADER_BYTES..end)?;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&head[..RECORD_CRC_AT]), payload);
    let sound = crc == u32_at(head, RECORD_CRC_AT);
    sound.then(|| Span { lsn: u64_at(head, 12), committed: u64_at(head, 20), epoch: u128_at(head, 28), start, end })
}

/// The payload of a sound record, unpacked.
pub(crate) fn unpack(bytes: &[u8], span: &Span) -> Result<Vec<u8>, WalError> {
    let error = |reason: String| WalError::Unpack { lsn: span.lsn, reason };
    let record = bytes.get(span.start..span.end).ok_or_else(|| error("the file became shorter".to_owned()))?;
    let payload = &record[RECORD_HEADER_BYTES..];
    if record[8] == KIND_PLAIN {
        return Ok(payload.to_vec());
    }
    let Some((raw_bytes, packed)) = payload.split_first_chunk::<4>() else {
        return Err(error(format!("{} bytes are too few", payload.len())));
    };
    let raw_bytes = u32::from_le_bytes(*raw_bytes) as usize;
    if raw_bytes > PAYLOAD_BYTES_MAX {
        return Err(error(format!("{raw_bytes} bytes are more than the {PAYLOAD_BYTES_MAX} allowed")));
    }
    zstd::bulk::decompress(packed, raw_bytes).map_err(|e| error(e.to_string()))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from_le_bytes(array_at(bytes, at))
}

/// The callers have checked that the bytes are there; zeros otherwise.
fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk::<N>()).copied().unwrap_or([0; N])
}
