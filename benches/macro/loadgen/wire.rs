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

/// Labels as they stand in a series of remote write.
pub(crate) fn encoded_labels(labels: &[(String, String)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in labels {
        let mut label = Vec::new();
        push_bytes(1, name.as_bytes(), &mut label);
        push_bytes(2, value.as_bytes(), &mut label);
        push_bytes(1, &label, &mut out);
    }
    out
}

/// Appends one `timeseries` field of a `prometheus.WriteRequest`, with one sample.
pub(crate) fn push_series(out: &mut Vec<u8>, labels: &[u8], time_ms: i64, value: f64) {
    let mut sample = Vec::new();
    push_fixed64(1, value.to_bits(), &mut sample);
    push_tag(2, VARINT, &mut sample);
    push_varint(time_ms.cast_unsigned(), &mut sample);
    let mut series = labels.to_vec();
    push_bytes(2, &sample, &mut series);
    push_bytes(1, &series, out);
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
