//! Thrift's compact protocol, as much of it as a page header takes: numbers, flags, and how to step over the rest.
//!
//! Specification: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

use super::{Checked, Damage};

/// Structures within structures that are stepped over. A page header of Parquet has three levels.
const DEPTH_MAX: u32 = 8;

/// The types of a field that are read here.
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
const INTEGERS: std::ops::RangeInclusive<u8> = 4..=6;
pub(super) const STRUCT: u8 = 12;

/// Reads from some bytes.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes that were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The number and the type of a structure's next field, where `last` is the number of the one before; `None` at its
    /// end.
    pub(super) fn field(&mut self, last: &mut i64) -> Checked<Option<(i64, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *last = match byte >> 4 {
            0 => self.zigzag()?,
            delta => last.saturating_add(i64::from(delta)),
        };
        Ok(Some((*last, byte & 15)))
    }

    /// A field's number, which must be of 16 to 64 bits.
    pub(super) fn integer(&mut self, ty: u8) -> Checked<i64> {
        if INTEGERS.contains(&ty) { self.zigzag() } else { Err(Damage::of("a number in its header is none")) }
    }

    /// A field's number that counts something.
    pub(super) fn count(&mut self, ty: u8) -> Checked<usize> {
        let number = self.integer(ty)?;
        let count = u32::try_from(number).ok().and_then(|number| usize::try_from(number).ok());
        count.ok_or_else(|| Damage::new(format!("its header counts {number} of something")))
    }

    /// Steps over a field.
    pub(super) fn skip(&mut self, ty: u8) -> Checked<()> {
        match ty {
            TRUE | FALSE => Ok(()),
            _ => self.skip_value(ty, DEPTH_MAX),
        }
    }

    fn skip_value(&mut self, ty: u8, depth: u32) -> Checked<()> {
        let depth = depth.checked_sub(1).ok_or(Damage::of("its header is nested too deep"))?;
        match ty {
            // In a list, a flag takes a byte.
            TRUE | FALSE | 3 => self.advance(1),
            4..=6 => self.varint().map(drop),
            7 => self.advance(8),
            8 => {
                let len = self.varint()?;
                self.advance(usize::try_from(len).unwrap_or(usize::MAX))
            }
            9 | 10 => self.skip_list(depth),
            11 => self.skip_map(depth),
            STRUCT => {
                let mut last = 0;
                while let Some((_, ty)) = self.field(&mut last)? {
                    if ty != TRUE && ty != FALSE {
                        self.skip_value(ty, depth)?;
                    }
                }
                Ok(())
            }
            _ => Err(Damage::of("its header has a field of no known type")),
        }
    }

    /// Every element takes a byte or more, so that the bytes bound the loop.
    fn skip_list(&mut self, depth: u32) -> Checked<()> {
        let head = self.byte()?;
        let len = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
        for _ in 0..len {
            self.skip_value(head & 15, depth)?;
        }
        Ok(())
    }

    fn skip_map(&mut self, depth: u32) -> Checked<()> {
        let len = self.varint()?;
        if len == 0 {
            return Ok(());
        }
        let types = self.byte()?;
        for _ in 0..len {
            self.skip_value(types >> 4, depth)?;
            self.skip_value(types & 15, depth)?;
        }
        Ok(())
    }

    fn zigzag(&mut self) -> Checked<i64> {
        self.varint().map(unzigzag)
    }

    fn varint(&mut self) -> Checked<u64> {
        varint(self.bytes, &mut self.at)
    }

    fn byte(&mut self) -> Checked<u8> {
        let byte = *self.bytes.get(self.at).ok_or(HEADER_ENDS)?;
        self.at += 1;
        Ok(byte)
    }

    fn advance(&mut self, len: usize) -> Checked<()> {
        if len > self.bytes.len() - self.at {
            return Err(HEADER_ENDS);
        }
        self.at += len;
        Ok(())
    }
}

const HEADER_ENDS: Damage = Damage::of("its header ends early");

/// A number in groups of seven bits, least first (LEB128), which Parquet's encodings have too.
pub(super) fn varint(bytes: &[u8], at: &mut usize) -> Checked<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or(Damage::of("a number is cut off"))?;
        *at += 1;
        number |= u64::from(byte & 127) << shift;
        if byte < 128 {
            return Ok(number);
        }
    }
    Err(Damage::of("a number has more than 64 bits"))
}

/// Undoes the interleaving of positive and negative numbers.
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
