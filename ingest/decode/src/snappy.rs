//! Snappy's block format, which remote write uses: one block that says at its head how large it becomes.

use std::sync::{Mutex, PoisonError};

use crate::{DecompressError, Encoding};

/// Most bytes that a snappy block may become: Prometheus's own limit for remote write.
pub const SNAPPY_DECODED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Most bytes out per byte in that the format can hold: a copy of 64 bytes takes three. Who declares more lies.
pub const SNAPPY_RATIO_MAX: usize = 22;

/// Room for the head of a tiny block, to which the ratio does not apply.
const SNAPPY_SLACK_BYTES: usize = 64;

/// Buffers that [`recycle`] keeps.
const SPARE_BUFFERS_MAX: usize = 4;

/// The largest buffer that [`recycle`] keeps: requests of senders as they come take half a megabyte.
const SPARE_BUFFER_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Buffers for blocks to come.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Keeps the memory of a body that was read for the next one. A buffer of this size that is allocated as zeros is mapped anew by the
/// kernel, page by page: that was a fifteenth of the processor time of remote write.
pub fn recycle(body: Vec<u8>) {
    let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
    if body.capacity() <= SPARE_BUFFER_BYTES_MAX && spare.len() < SPARE_BUFFERS_MAX {
        spare.push(body);
    }
}

/// A buffer of this length with anything in it.
fn buffer(len: usize) -> Vec<u8> {
    let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
    match spare.filter(|spare| spare.capacity() >= len) {
        Some(mut spare) => {
            spare.resize(len, 0);
            spare
        }
        None => vec![0; len],
    }
}

/// Decompresses a block. What it declares is checked and reserved before anything is allocated.
pub(crate) fn decompress(
    body: &[u8],
    limit: usize,
    reserve: &mut dyn FnMut(usize) -> bool,
) -> Result<Vec<u8>, DecompressError> {
    let damaged = |message: String| DecompressError::Damaged { encoding: Encoding::Snappy, message };
    let declared = snap::raw::decompress_len(body).map_err(|error| damaged(error.to_string()))?;
    let limit = limit.min(SNAPPY_DECODED_BYTES_MAX);
    if declared > limit {
        return Err(DecompressError::TooLarge { limit });
    }
    if declared > body.len().saturating_mul(SNAPPY_RATIO_MAX) + SNAPPY_SLACK_BYTES {
        return Err(damaged(format!("it declares {declared} bytes, which {} bytes can not become", body.len())));
    }
    if !reserve(declared) {
        return Err(DecompressError::NoRoom);
    }
    let mut out = buffer(declared);
    // All of the buffer is written, or it is an error.
    let len = snap::raw::Decoder::new().decompress(body, &mut out).map_err(|error| damaged(error.to_string()))?;
    out.truncate(len);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pressed(bytes: &[u8]) -> Vec<u8> {
        snap::raw::Encoder::new().compress_vec(bytes).unwrap()
    }

    #[test]
    fn r14_what_a_block_declares_is_checked_before_it_is_believed() {
        let whole = decompress(&pressed(b"hello hello hello"), 100, &mut |bytes| bytes == 17);
        assert_eq!(whole.as_deref(), Ok(&b"hello hello hello"[..]));
        let zeros = pressed(&vec![0; 1 << 20]);
        assert_eq!(decompress(&zeros, usize::MAX, &mut |_| true).map(|out| out.len()), Ok(1 << 20));
        assert_eq!(decompress(&zeros, 1000, &mut |_| true), Err(DecompressError::TooLarge { limit: 1000 }));
        assert_eq!(decompress(&zeros, usize::MAX, &mut |_| false), Err(DecompressError::NoRoom));
        // Four gigabytes, and 30 MB: declared by a block of a few bytes.
        for head in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x80, 0x80, 0xa8, 0x0e]] {
            let lie = [head, b"\x00a"].concat();
            let refused = decompress(&lie, usize::MAX, &mut |_| panic!("nothing is reserved for a lie"));
            assert!(matches!(refused, Err(DecompressError::TooLarge { .. } | DecompressError::Damaged { .. })));
        }
        // The framed format is another one.
        assert!(decompress(b"\xff\x06\x00\x00sNaPpY", 100, &mut |_| true).is_err());
        assert!(decompress(b"", 100, &mut |_| true).is_err());
    }

    #[test]
    fn nothing_of_a_body_before_is_seen_and_what_is_kept_is_bounded() {
        for text in ["a long text that is here for a while", "short", "", "longer than the short one"] {
            let out = decompress(&pressed(text.as_bytes()), 100, &mut |_| true).unwrap();
            assert_eq!(out, text.as_bytes());
            recycle(out);
        }
        // The first byte, then a copy from before the beginning.
        assert!(decompress(&[20, 0, b'x', 0x15, 9], 100, &mut |_| true).is_err());
        (0..2 * SPARE_BUFFERS_MAX).for_each(|_| recycle(Vec::with_capacity(10)));
        recycle(Vec::with_capacity(SPARE_BUFFER_BYTES_MAX + 1));
        let spare = SPARE.lock().unwrap();
        assert!(spare.len() <= SPARE_BUFFERS_MAX);
        assert!(spare.iter().all(|spare| spare.capacity() <= SPARE_BUFFER_BYTES_MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_safe(bytes in prop::collection::vec(any::<u8>(), 0..200), repeat in 1usize..50) {
            drop(decompress(&bytes, 1 << 20, &mut |_| true)); // any result is fine
            let text = bytes.repeat(repeat);
            prop_assert_eq!(decompress(&pressed(&text), 1 << 20, &mut |_| true), Ok(text));
        }

        #[test]
        fn a_damaged_block_takes_no_more_than_it_reserved(
            bytes in prop::collection::vec(0u8..4, 1..600),
            repeat in 1usize..60,
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0usize..4), 1..5),
        ) {
            let mut block = pressed(&bytes.repeat(repeat));
            for (at, byte, kind) in damage {
                // The head, where the size is declared, as often as all the rest.
                let at = if kind % 2 == 0 { at.index(block.len().min(4)) } else { at.index(block.len()) };
                match kind {
                    0 | 1 => block[at] ^= byte,
                    2 => block.insert(at, byte | 0x80),
                    _ => block.truncate(at.max(1)),
                }
            }
            let (limit, mut reserved) = (1 << 20, Vec::new());
            let result = decompress(&block, limit, &mut |bytes| {
                reserved.push(bytes);
                true
            });
            prop_assert!(reserved.len() <= 1);
            let reserved = reserved.first().copied().unwrap_or(0);
            prop_assert!(reserved <= limit && reserved <= block.len() * SNAPPY_RATIO_MAX + SNAPPY_SLACK_BYTES);
            if let Ok(out) = result {
                prop_assert_eq!(out.len(), reserved);
            }
        }
    }
}
