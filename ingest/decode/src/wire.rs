//! Protobuf on the wire, read in place: no message structs, no copies.
//!
//! The reader takes less than the format allows: anything unusual (groups, a field number out of range, a length that does not
//! fit, an overlong number) is [`Odd`], and the caller reads the same bytes again with prost, which decides what is an error
//! and says why. So it may refuse what prost reads, but must never read what prost refuses, nor read it differently.

/// These bytes are for the careful reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Odd;

/// The content of a field, by wire type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Content<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a string, bytes or a message.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

/// The fields of a message, in the order on the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    rest: &'a [u8],
}

impl<'a> Message<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number and the content of the next field; `None` at the end.
    #[inline]
    pub(crate) fn next(&mut self) -> Result<Option<(u32, Content<'a>)>, Odd> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| Odd)?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Content::Bytes(self.length_delimited()?),
            5 => Content::Fixed32(u32::from_le_bytes(self.array()?)),
            _ => return Err(Odd),
        };
        match key >> 3 {
            0 => Err(Odd),
            number => Ok(Some((number, content))),
        }
    }

    /// The next number of a packed field, when the bytes are one; `None` at the end.
    pub(crate) fn next_varint(&mut self) -> Result<Option<u64>, Odd> {
        if self.rest.is_empty() { Ok(None) } else { self.varint().map(Some) }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Odd> {
        match self.rest {
            [first, rest @ ..] if *first < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Odd> {
        let mut number = 0;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                // The tenth byte holds the 64th bit alone.
                if at == 9 && *byte > 1 {
                    return Err(Odd);
                }
                self.rest = &self.rest[at + 1..];
                return Ok(number);
            }
        }
        Err(Odd)
    }

    #[inline]
    fn length_delimited(&mut self) -> Result<&'a [u8], Odd> {
        let length = usize::try_from(self.varint()?).map_err(|_| Odd)?;
        let (content, rest) = self.rest.split_at_checked(length).ok_or(Odd)?;
        self.rest = rest;
        Ok(content)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Odd> {
        let (content, rest) = self.rest.split_first_chunk().ok_or(Odd)?;
        self.rest = rest;
        Ok(*content)
    }
}

/// The text of a string field.
#[inline]
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Odd> {
    std::str::from_utf8(bytes).map_err(|_| Odd)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    /// A message with a field of each wire type, as prost reads it.
    #[derive(Clone, PartialEq, prost::Message)]
    struct Known {
        #[prost(uint64, tag = "1")]
        varint: u64,
        #[prost(fixed64, tag = "2")]
        fixed64: u64,
        #[prost(bytes = "vec", tag = "3")]
        bytes: Vec<u8>,
        #[prost(fixed32, tag = "4")]
        fixed32: u32,
    }

    fn read(bytes: &[u8]) -> Result<Known, Odd> {
        let mut message = Message::new(bytes);
        let mut known = Known::default();
        while let Some(field) = message.next()? {
            match field {
                (1, Content::Varint(number)) => known.varint = number,
                (2, Content::Fixed64(number)) => known.fixed64 = number,
                (3, Content::Bytes(bytes)) => known.bytes = bytes.to_vec(),
                (4, Content::Fixed32(number)) => known.fixed32 = number,
                (1..=4, _) => return Err(Odd),
                _ => {}
            }
        }
        Ok(known)
    }

    proptest! {
        #[test]
        fn what_prost_writes_is_read(
            varint: u64, fixed64: u64, bytes in proptest::collection::vec(any::<u8>(), 0..200), fixed32: u32,
        ) {
            let known = Known { varint, fixed64, bytes, fixed32 };
            prop_assert_eq!(read(&known.encode_to_vec()), Ok(known));
        }

        #[test]
        fn what_is_read_is_read_as_prost_does(bytes in proptest::collection::vec(
            prop_oneof![4 => any::<u8>(), 3 => 0u8..40, 1 => Just(0xff)], 0..24,
        )) {
            if let Ok(known) = read(&bytes) {
                prop_assert_eq!(Known::decode(&bytes[..]).ok(), Some(known));
            }
        }
    }

    #[test]
    fn r14_a_length_beyond_the_end_is_refused() {
        for bytes in [
            &[0x1a, 2, 0][..],
            &[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            &[0x21, 0],
            &[0x0b],
            &[0],
        ] {
            assert_eq!(read(bytes), Err(Odd), "{bytes:?}");
        }
    }
}
