//! Decompression. One context a thread is kept: making one takes 100 KB and longer than a small page does.

use std::cell::RefCell;

use zstd::bulk::Decompressor;
use zstd::zstd_safe::get_frame_content_size;

use super::{Checked, Damage, PAGE_INFLATED_BYTES_MAX};

thread_local! {
    static CONTEXT: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Decompresses a page that should have `bytes` bytes. The buffer's old content goes, its room stays.
pub(super) fn inflate(stored: &[u8], bytes: usize, out: &mut Vec<u8>) -> Checked<()> {
    out.clear();
    if bytes > PAGE_INFLATED_BYTES_MAX {
        return Err(Damage::new(format!("it claims {bytes} bytes, of at most {PAGE_INFLATED_BYTES_MAX}")));
    }
    // Our writer's compressor states the size too. So a damaged size alone allocates nothing.
    match get_frame_content_size(stored) {
        Ok(Some(stated)) if stated != bytes as u64 => {
            return Err(Damage::new(format!("it claims {bytes} bytes and its compression {stated}")));
        }
        Ok(_) => {}
        Err(_) => return Err(Damage::of("it is not compressed with zstd")),
    }
    out.reserve_exact(bytes);
    let written = CONTEXT.with_borrow_mut(|context| {
        let context = match context {
            Some(context) => context,
            None => context.insert(Decompressor::new()?),
        };
        context.decompress_to_buffer(stored, out)
    });
    match written {
        Ok(written) if written == bytes && out.len() == bytes => Ok(()),
        Ok(written) => Err(Damage::new(format!("it has {written} bytes and claims {bytes}"))),
        Err(error) => Err(Damage::new(format!("zstd: {error}"))),
    }
}
