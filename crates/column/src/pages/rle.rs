//! Runs of equal numbers and packed numbers in turn: levels, keys of dictionaries, flags.
//!
//! Specification: <https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE>.

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};

use super::bits::unpack;
use super::thrift::varint;
use super::{Checked, Damage};

/// Where a reader of runs is. The bytes are its owner's and given to each call.
#[derive(Clone, Debug)]
pub(super) struct Runs {
    at: usize,
    width: u32,
    left: usize,
    run: Run,
}

#[derive(Clone, Copy, Debug)]
enum Run {
    Equal(u32),
    /// The bit where the next number begins.
    Packed(usize),
}

impl Runs {
    /// Starts at a byte with numbers of `width` bits.
    pub(super) fn new(at: usize, width: u32) -> Checked<Self> {
        if width > 32 {
            return Err(Damage::of("a dictionary's keys have more than 32 bits"));
        }
        Ok(Self { at, width, left: 0, run: Run::Equal(0) })
    }

    /// Appends the next numbers.
    pub(super) fn read<T: Copy + Default>(
        &mut self,
        bytes: &[u8],
        count: usize,
        out: &mut Vec<T>,
        make: impl Fn(u64) -> T + Copy,
    ) -> Checked<()> {
        let mut count = count;
        while count > 0 {
            let (run, n) = self.take(bytes, count)?;
            let old = out.len();
            match run {
                Run::Equal(value) => out.resize(old + n, make(value.into())),
                Run::Packed(bit) => {
                    out.resize(old + n, T::default());
                    unpack(bytes, bit, self.width, &mut out[old..], make)?;
                }
            }
            count -= n;
        }
        Ok(())
    }

    /// Steps over numbers.
    pub(super) fn skip(&mut self, bytes: &[u8], count: usize) -> Checked<()> {
        let mut count = count;
        while count > 0 {
            count -= self.take(bytes, count)?.1;
        }
        Ok(())
    }

    /// The next part of a run, of at most `count` numbers.
    fn take(&mut self, bytes: &[u8], count: usize) -> Checked<(Run, usize)> {
        while self.left == 0 {
            self.next_run(bytes)?;
        }
        let n = count.min(self.left);
        let part = self.run;
        self.left -= n;
        if let Run::Packed(bit) = &mut self.run {
            *bit = bit.saturating_add(n.saturating_mul(self.width as usize));
        }
        Ok((part, n))
    }

    /// Reads a run's head, which takes a byte or more, so that the bytes bound how often this is called.
    fn next_run(&mut self, bytes: &[u8]) -> Checked<()> {
        let head = varint(bytes, &mut self.at)?;
        let number = usize::try_from(head >> 1).unwrap_or(usize::MAX);
        if head & 1 == 1 {
            self.left = number.saturating_mul(8);
            self.run = Run::Packed(self.at * 8);
            self.at = self.at.saturating_add(number.saturating_mul(self.width as usize)).min(bytes.len());
            return Ok(());
        }
        let len = self.width.div_ceil(8) as usize;
        let value = bytes.get(self.at..self.at + len).ok_or(Damage::of("a run ends early"))?;
        let mut word = [0; 4];
        word[..len].copy_from_slice(value);
        self.at += len;
        self.left = number;
        self.run = Run::Equal(u32::from_le_bytes(word));
        Ok(())
    }
}

/// Numbers of one bit, as a bitmap: both have the least bit first, so that packed ones are copied.
pub(super) fn bits(bytes: &[u8], count: usize) -> Checked<BooleanBuffer> {
    let mut runs = Runs::new(0, 1)?;
    let mut out = BooleanBufferBuilder::new(count);
    let mut left = count;
    while left > 0 {
        let (run, n) = runs.take(bytes, left)?;
        match run {
            Run::Equal(value) => out.append_n(n, value & 1 == 1),
            Run::Packed(bit) if (bit + n).div_ceil(8) <= bytes.len() => out.append_packed_range(bit..bit + n, bytes),
            Run::Packed(_) => return Err(Damage::of("packed flags end early")),
        }
        left -= n;
    }
    Ok(out.build())
}
