//! The parts of protobuf that requests are made of.

/// Wire type of a number of any length.
pub(crate) const VARINT: u64 = 0;
const FIXED64: u64 = 1;
pub(crate) const BYTES: u64 = 2;

pub(crate) fn push_bytes(field: u64, bytes: &[u8], out: &mut Vec<u8>) {
    push_tag(field, BYTES, out);
    push_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

pub(crate) fn push_fixed64(field: u64, value: u64, out: &mut Vec<u8>) {
    push_tag(field, FIXED64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn push_tag(field: u64, wire_type: u64, out: &mut Vec<u8>) {
    push_varint(field << 3 | wire_type, out);
}

pub(crate) fn push_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn varint_len(value: u64) -> u64 {
    u64::from(70 - (value | 1).leading_zeros()) / 7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_of_a_varint_is_what_is_written() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            push_varint(value, &mut out);
            assert_eq!(out.len() as u64, varint_len(value), "{value}");
        }
    }
}
