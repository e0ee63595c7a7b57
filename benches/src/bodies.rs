//! `bodies.bin`: OTLP export requests, each behind its length as four little-endian bytes.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::{Context, Result, ensure};

const FILE: &str = "bodies.bin";
const PREFIX_BYTES: usize = 4;

/// Appends requests.
#[derive(Debug)]
pub struct BodyWriter {
    file: BufWriter<File>,
    bodies: u64,
    bytes: u64,
}

impl BodyWriter {
    /// A new file in `dir`; what was there goes.
    pub fn create(dir: &Path) -> Result<Self> {
        let file = File::create(dir.join(FILE)).with_context(|| dir.display().to_string())?;
        Ok(Self { file: BufWriter::with_capacity(1 << 20, file), bodies: 0, bytes: 0 })
    }

    /// Appends one request.
    pub fn append(&mut self, body: &[u8]) -> Result<()> {
        self.file.write_all(&u32::try_from(body.len()).context("a body of over 4 GiB")?.to_le_bytes())?;
        self.file.write_all(body)?;
        self.bodies += 1;
        self.bytes += body.len() as u64;
        Ok(())
    }

    /// Writes what is buffered; returns requests and their bytes without the prefixes.
    pub fn finish(mut self) -> Result<(u64, u64)> {
        self.file.flush()?;
        Ok((self.bodies, self.bytes))
    }
}

/// Reads requests by number, from several threads at once.
#[derive(Debug)]
pub struct BodyReader {
    file: File,
    /// Where each body begins, and its length.
    places: Vec<(u64, u32)>,
}

impl BodyReader {
    /// Finds where each request begins.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        let len = file.metadata()?.len();
        let mut places = Vec::new();
        let mut at = 0;
        while at < len {
            let mut prefix = [0; PREFIX_BYTES];
            file.read_exact_at(&mut prefix, at)?;
            let size = u32::from_le_bytes(prefix);
            places.push((at + PREFIX_BYTES as u64, size));
            at += PREFIX_BYTES as u64 + u64::from(size);
        }
        ensure!(at == len, "{} ends within a body", path.display());
        Ok(Self { file, places })
    }

    /// Number of requests.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Replaces `buffer` by request `number`; false past the last one.
    pub fn read(&self, number: usize, buffer: &mut Vec<u8>) -> Result<bool> {
        let Some(&(at, size)) = self.places.get(number) else { return Ok(false) };
        buffer.resize(size as usize, 0);
        self.file.read_exact_at(buffer, at)?;
        Ok(true)
    }
}
