//! Numbers in as few bytes as they need: seven bits a byte, the lowest first, the top bit saying that more follow.

use crate::IndexError;

/// Appends a number.
pub(crate) fn put(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads what [`put`] and others wrote, front to back; running out of bytes is damage.
#[derive(Clone, Debug)]
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn number(&mut self) -> Result<u64, IndexError> {
        if let Some((&byte, rest)) = self.0.split_first()
            && byte < 0x80
        {
            self.0 = rest;
            return Ok(byte.into());
        }
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first().ok_or_else(short)?;
            self.0 = rest;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(IndexError::Corrupt("a number that does not end".to_owned()))
    }

    /// A number that fits `u32`.
    pub(crate) fn small(&mut self) -> Result<u32, IndexError> {
        u32::try_from(self.number()?).map_err(|_| IndexError::Corrupt("a number over 32 bits".to_owned()))
    }

    /// A number of things of which each takes at least a byte of what is left: so a damaged one allocates nothing large.
    pub(crate) fn count(&mut self) -> Result<usize, IndexError> {
        let n = self.number()?;
        usize::try_from(n).ok().filter(|n| *n <= self.0.len()).ok_or_else(short)
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], IndexError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or_else(short)?;
        self.0 = rest;
        Ok(head)
    }
}

fn short() -> IndexError {
    IndexError::Corrupt("a part ends too early".to_owned())
}
