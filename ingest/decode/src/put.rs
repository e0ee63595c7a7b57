//! Protobuf onto the wire: the fields of a message, one after the other, without message structs.

/// A message that grows field by field. What has its default value is left out, as proto3 has it, unless the method says
/// otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProtoWriter(Vec<u8>);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;

impl ProtoWriter {
    fn raw_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn key(&mut self, field: u32, wire: u32) {
        self.raw_varint(u64::from(field << 3 | wire));
    }

    /// `uint32`, `uint64`, `bool` and enumerations; and `int32`, `int64` as two's complement.
    pub fn varint(&mut self, field: u32, number: u64) {
        if number != 0 {
            self.key(field, VARINT);
            self.raw_varint(number);
        }
    }

    /// `int32` and `int64`.
    pub fn int(&mut self, field: u32, number: i64) {
        self.varint(field, number as u64);
    }

    /// `sint32` and `sint64`.
    pub fn zigzag(&mut self, field: u32, number: i64) {
        self.varint(field, ((number << 1) ^ (number >> 63)) as u64);
    }

    /// `double`, bit for bit.
    pub fn double(&mut self, field: u32, number: f64) {
        if number.to_bits() != 0 {
            self.present_double(field, number);
        }
    }

    /// `double` that is there whatever its value: as a choice of a `oneof`.
    pub fn present_double(&mut self, field: u32, number: f64) {
        self.key(field, FIXED64);
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// `string` and `bytes`.
    pub fn bytes(&mut self, field: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.present_bytes(field, bytes);
        }
    }

    fn present_bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, BYTES);
        self.raw_varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A message within this one, there even when it is empty.
    pub fn message(&mut self, field: u32, message: &ProtoWriter) {
        self.present_bytes(field, &message.0);
    }

    /// `repeated double`, packed.
    pub fn packed_doubles(&mut self, field: u32, numbers: &[f64]) {
        if !numbers.is_empty() {
            self.key(field, BYTES);
            self.raw_varint(numbers.len() as u64 * 8);
            numbers.iter().for_each(|number| self.0.extend_from_slice(&number.to_le_bytes()));
        }
    }

    /// How many bytes there are so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no field is there.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The message's bytes.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    /// The message's bytes after their length, as streams of messages have them.
    pub fn finish_delimited(self) -> Vec<u8> {
        let mut out = ProtoWriter::default();
        out.raw_varint(self.0.len() as u64);
        out.0.extend_from_slice(&self.0);
        out.0
    }
}
