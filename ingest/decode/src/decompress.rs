//! Content encodings, undone within limits: the one place where compressed bytes grow.

use std::io::Read;

/// Most bytes that a compressed body may become. OTLP's own default limit of a message.
pub const DECOMPRESSED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most bytes out per byte in. Real telemetry compresses 5 to 40 times, zeros a thousand times and more.
pub const DECOMPRESSION_RATIO_MAX: usize = 100;

/// Below this size the ratio does not count: a small batch of equal lines is legitimate and harmless.
pub const DECOMPRESSION_RATIO_FLOOR_BYTES: usize = 8 * 1024 * 1024;

/// How much is decompressed at a time, at most, before room for it is asked.
const STEP_BYTES: usize = 64 * 1024;

const _: () = assert!(DECOMPRESSION_RATIO_FLOOR_BYTES < DECOMPRESSED_BYTES_MAX);
const _: () = assert!(STEP_BYTES < DECOMPRESSION_RATIO_FLOOR_BYTES);

/// A content encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952; several members in a row are one body.
    Gzip,
    /// RFC 8878.
    Zstd,
    /// HTTP's `deflate`, which is zlib (RFC 1950); bare deflate (RFC 1951) is told apart and accepted, since real clients send it.
    Deflate,
    /// Snappy's block format, which only Prometheus's protocols use; no header of the others means it.
    Snappy,
}

impl Encoding {
    /// Reads a `Content-Encoding` header; an absent one is [`Encoding::Identity`]. `None` for an unknown one and for several
    /// at once, which no real client sends and nested bombs do.
    pub fn parse(header: &str) -> Option<Self> {
        Some(match header.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Self::Identity,
            "gzip" | "x-gzip" => Self::Gzip,
            "zstd" => Self::Zstd,
            "deflate" => Self::Deflate,
            _ => return None,
        })
    }
}

/// Why a body could not be decompressed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecompressError {
    /// Larger than the limit; the rest was not decompressed.
    #[error("the body is larger than {limit} bytes when decompressed: send smaller batches")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// Grew too much.
    #[error(
        "{bytes_in} compressed bytes became more than {bytes_out}, over {DECOMPRESSION_RATIO_MAX} times as many: refused as a decompression bomb; send smaller batches"
    )]
    Bomb {
        /// Compressed size of the body.
        bytes_in: usize,
        /// Size when it was given up.
        bytes_out: usize,
    },
    /// Not what the header says.
    #[error("the body is not valid {encoding:?}: {message}")]
    Damaged {
        /// The encoding.
        encoding: Encoding,
        /// What the decoder says.
        message: String,
    },
    /// The caller has no room for more.
    #[error("no memory budget for the decompressed body: retry later")]
    NoRoom,
}

/// Decompresses a body to at most `limit` bytes. `reserve` is asked for room before each step is decompressed, so that the
/// bytes in flight of all requests stay within one budget; when it answers false, the work ends with [`DecompressError::NoRoom`].
pub fn decompress(
    encoding: Encoding,
    body: &[u8],
    limit: usize,
    reserve: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, DecompressError> {
    match encoding {
        Encoding::Identity if body.len() > limit => Err(DecompressError::TooLarge { limit }),
        Encoding::Identity if !reserve(body.len()) => Err(DecompressError::NoRoom),
        Encoding::Identity => Ok(body.to_vec()),
        Encoding::Gzip => grow(encoding, flate2::read::MultiGzDecoder::new(body), body.len(), limit, reserve),
        Encoding::Deflate if is_zlib(body) => {
            grow(encoding, flate2::read::ZlibDecoder::new(body), body.len(), limit, reserve)
        }
        Encoding::Deflate => grow(encoding, flate2::read::DeflateDecoder::new(body), body.len(), limit, reserve),
        Encoding::Snappy => crate::snappy::decompress(body, limit, reserve),
        Encoding::Zstd => {
            let damaged = |error: std::io::Error| DecompressError::Damaged { encoding, message: error.to_string() };
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(damaged)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(damaged)?;
            grow(encoding, decoder, body.len(), limit, reserve)
        }
    }
}

/// Largest zstd window: 8 MiB, what RFC 8878 asks decoders to support. A frame may ask for gigabytes.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Whether the two header bytes are zlib's: method 8 and a check that is a multiple of 31 (RFC 1950, 2.2).
fn is_zlib(body: &[u8]) -> bool {
    matches!(body, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0)
}

/// How much room a body gets at first, in times its compressed size: what logs compress to by themselves. Room that is not
/// written to is address space, not memory, so it is not reserved.
const FIRST_ROOM_RATIO: usize = 10;

fn grow(
    encoding: Encoding,
    mut reader: impl Read,
    bytes_in: usize,
    limit: usize,
    reserve: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, DecompressError> {
    let mut out = vec![0; bytes_in.saturating_mul(FIRST_ROOM_RATIO).clamp(STEP_BYTES, DECOMPRESSION_RATIO_FLOOR_BYTES)];
    let mut bytes_out = 0;
    loop {
        if bytes_out == out.len() {
            out.resize(bytes_out * 2, 0);
        }
        let step_end = out.len().min(bytes_out + STEP_BYTES);
        let read = reader
            .read(&mut out[bytes_out..step_end])
            .map_err(|error| DecompressError::Damaged { encoding, message: error.to_string() })?;
        bytes_out += read;
        if read == 0 {
            out.truncate(bytes_out);
            return Ok(out);
        }
        if bytes_out > limit {
            return Err(DecompressError::TooLarge { limit });
        }
        if bytes_out > DECOMPRESSION_RATIO_FLOOR_BYTES && bytes_out / DECOMPRESSION_RATIO_MAX > bytes_in {
            return Err(DecompressError::Bomb { bytes_in, bytes_out });
        }
        if !reserve(read) {
            return Err(DecompressError::NoRoom);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn compress(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        match encoding {
            Encoding::Identity => bytes.to_vec(),
            Encoding::Gzip => gzip(bytes),
            Encoding::Zstd => zstd::encode_all(bytes, 3).unwrap(),
            Encoding::Snappy => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
            Encoding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
        }
    }

    const ALL: [Encoding; 5] =
        [Encoding::Identity, Encoding::Gzip, Encoding::Zstd, Encoding::Deflate, Encoding::Snappy];

    #[test]
    fn every_encoding_round_trips_and_reserves_what_it_makes() {
        let text: Vec<u8> = (0..200_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
        for encoding in ALL {
            let mut reserved = 0;
            let body = compress(encoding, &text);
            let out = decompress(encoding, &body, DECOMPRESSED_BYTES_MAX, &mut |bytes| {
                reserved += bytes;
                true
            });
            assert_eq!(out.as_deref(), Ok(&text[..]), "{encoding:?}");
            assert_eq!(reserved, text.len(), "{encoding:?}");
        }
    }

    #[test]
    fn bare_deflate_and_several_gzip_members_are_read() {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"bare").unwrap();
        let bare = encoder.finish().unwrap();
        assert_eq!(decompress(Encoding::Deflate, &bare, 100, &mut |_| true).as_deref(), Ok(&b"bare"[..]));
        let two = [gzip(b"one "), gzip(b"two")].concat();
        assert_eq!(decompress(Encoding::Gzip, &two, 100, &mut |_| true).as_deref(), Ok(&b"one two"[..]));
    }

    /// R29: a body that grows without end is given up early, whatever it is compressed with.
    #[test]
    fn a_bomb_is_refused_in_bounded_memory() {
        let zeros = vec![0u8; 2 * DECOMPRESSION_RATIO_FLOOR_BYTES];
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
            let body = compress(encoding, &zeros);
            let mut reserved = 0;
            let out = decompress(encoding, &body, DECOMPRESSED_BYTES_MAX, &mut |bytes| {
                reserved += bytes;
                true
            });
            assert!(matches!(out, Err(DecompressError::Bomb { .. })), "{encoding:?}");
            assert!(reserved <= DECOMPRESSION_RATIO_FLOOR_BYTES, "{encoding:?} reserved {reserved}");
        }
    }

    #[test]
    fn limits_damage_and_lack_of_room_are_told_apart() {
        let body = gzip(&[7; 1000]);
        assert_eq!(
            decompress(Encoding::Gzip, &body, 999, &mut |_| true),
            Err(DecompressError::TooLarge { limit: 999 })
        );
        assert_eq!(decompress(Encoding::Gzip, &body, 1000, &mut |_| false), Err(DecompressError::NoRoom));
        for encoding in [Encoding::Gzip, Encoding::Zstd, Encoding::Deflate] {
            let cut = compress(encoding, b"hello hello hello hello");
            let out = decompress(encoding, &cut[..cut.len() - 5], 1000, &mut |_| true);
            assert!(matches!(out, Err(DecompressError::Damaged { .. })), "{encoding:?}: {out:?}");
        }
        assert_eq!(Encoding::parse("gzip, gzip"), None);
        assert_eq!(Encoding::parse(" GZIP"), Some(Encoding::Gzip));
    }
}
