//! Checksums of a block: of each page, and of what is after the pages.
//!
//! Parquet's pages have room for a checksum that the library does not fill, so the footer carries them all: crc32c of every page,
//! dictionaries included, in the order of the file. The footer's own checksum is in the footer too: it is computed with eight
//! zeros in its place, which are then replaced. Other readers see nothing but two more keys of metadata.

use std::io::{self, Write};

use parquet::file::metadata::RowGroupMetaData;

use crate::ColumnError;
use crate::pages::page_lengths;

/// Key of the checksums of pages, in base64.
pub(super) const PAGES_KEY: &str = "backstop.page_crc32c";
/// Key of where the pages end and of the checksum of what follows, each as hexadecimal digits.
pub(super) const SEAL_KEY: &str = "backstop.footer_crc32c";
/// What stands in the place of the footer's checksum while it is computed.
const BLANK: &[u8; 8] = b"00000000";

/// A sink that holds back what was written since the last row group, so that it can be looked at.
#[derive(Debug)]
pub(super) struct Sink<W> {
    inner: W,
    held: Vec<u8>,
    /// Bytes that went on.
    pub(super) passed: u64,
    pub(super) checksums: Vec<u8>,
}

impl<W: Write> Sink<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, held: Vec::new(), passed: 0, checksums: Vec::new() }
    }

    /// Notes the checksums of a row group that was just written, and passes it on.
    pub(super) fn pass_group(&mut self, group: &RowGroupMetaData) -> Result<(), ColumnError> {
        for column in group.columns() {
            let (start, len) = column.byte_range();
            let range = start.checked_sub(self.passed).map(|start| start as usize..start as usize + len as usize);
            let chunk = range.and_then(|range| self.held.get(range));
            let mut chunk = chunk.ok_or_else(|| ColumnError::Encode("a row group is not where it says".into()))?;
            for len in page_lengths(chunk)? {
                let (page, rest) = chunk.split_at(len);
                self.checksums.extend_from_slice(&crc32c::crc32c(page).to_le_bytes());
                chunk = rest;
            }
        }
        self.pass()
    }

    fn pass(&mut self) -> Result<(), ColumnError> {
        self.inner.write_all(&self.held)?;
        self.passed += self.held.len() as u64;
        self.held.clear();
        Ok(())
    }

    /// What [`SEAL_KEY`] says before the checksum is known.
    pub(super) fn unsealed(&self) -> String {
        format!("{:016x}-{}", self.passed, String::from_utf8_lossy(BLANK))
    }

    /// Puts the footer's checksum in its place and passes the rest on.
    pub(super) fn seal(mut self) -> Result<W, ColumnError> {
        let at = checksum_at(&self.held).ok_or_else(|| ColumnError::Encode("the footer lost its checksum".into()))?;
        let checksum = format!("{:08x}", crc32c::crc32c(&self.held));
        self.held[at..at + BLANK.len()].copy_from_slice(checksum.as_bytes());
        self.pass()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where the digits of the footer's checksum are: behind the key, the field's head and length, and the digits of the place.
fn checksum_at(bytes: &[u8]) -> Option<usize> {
    const HEAD: usize = 2;
    const PLACE: usize = 17;
    let key = bytes.windows(SEAL_KEY.len()).rposition(|window| window == SEAL_KEY.as_bytes())?;
    let at = key + SEAL_KEY.len() + HEAD + PLACE;
    (at + BLANK.len() <= bytes.len()).then_some(at)
}

/// Where the pages end, by the last bytes of a file.
pub(super) fn pages_end(tail: &[u8]) -> Option<u64> {
    let at = checksum_at(tail)?;
    let digits = std::str::from_utf8(tail.get(at - 17..at - 1)?).ok()?;
    u64::from_str_radix(digits, 16).ok()
}

/// Whether what follows the pages is what was written.
pub(super) fn holds(after_pages: &[u8]) -> bool {
    let Some(at) = checksum_at(after_pages) else { return false };
    let digits = &after_pages[at..at + BLANK.len()];
    let checksum = [&after_pages[..at], BLANK, &after_pages[at + BLANK.len()..]]
        .iter()
        .fold(0, |checksum, piece| crc32c::crc32c_append(checksum, piece));
    digits == format!("{checksum:08x}").as_bytes()
}
