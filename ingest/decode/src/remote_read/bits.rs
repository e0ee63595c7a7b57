//! Numbers of any count of bits, one after the other: what chunks are made of.

/// Bits that grow to bytes, the highest bit first.
#[derive(Debug, Default)]
pub(super) struct Bits {
    pub(super) bytes: Vec<u8>,
    /// Bits of the last byte that are not used yet.
    free: u32,
}

/// What the XOR with the value before left out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct XorState {
    value: u64,
    /// Leading and trailing zeros of the window in use; none at the beginning.
    window: Option<(u32, u32)>,
}

/// Leading zeros are written in five bits.
const LEADING_MAX: u32 = 31;

impl Bits {
    /// Continues behind whole bytes.
    pub(super) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    /// The lowest `count` bits of a number.
    pub(super) fn put(&mut self, number: u64, count: u32) {
        let mut left = count;
        while left > 0 {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            let take = left.min(self.free);
            let part = (number >> (left - take)) & ((1u64 << take) - 1);
            if let Some(last) = self.bytes.last_mut() {
                *last |= (part << (self.free - take)) as u8;
            }
            self.free -= take;
            left -= take;
        }
    }

    pub(super) fn put_f64(&mut self, number: f64) {
        self.put(number.to_bits(), 64);
    }

    /// Seven bits a byte, the lowest first.
    pub(super) fn put_uvarint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put(number & 0x7f | 0x80, 8);
            number >>= 7;
        }
        self.put(number, 8);
    }

    /// A zigzag number, seven bits a byte.
    pub(super) fn put_varint(&mut self, number: i64) {
        self.put_uvarint(((number << 1) ^ (number >> 63)) as u64);
    }

    /// A whole number in one of nine sizes.
    pub(super) fn put_varbit(&mut self, number: i64) {
        self.put_sized(number as u64, number == 0, |bits| fits(number, bits));
    }

    /// The same for numbers without a sign.
    pub(super) fn put_varbit_unsigned(&mut self, number: u64) {
        self.put_sized(number, number == 0, |bits| number < 1 << bits);
    }

    fn put_sized(&mut self, number: u64, zero: bool, fits: impl Fn(u32) -> bool) {
        const SIZES: [u32; 7] = [3, 6, 9, 12, 18, 25, 56];
        if zero {
            return self.put(0, 1);
        }
        match (1u32..).zip(SIZES).find(|(_, bits)| fits(*bits)) {
            // As many ones as the place of the size, and a zero.
            Some((place, bits)) => {
                self.put((1 << (place + 1)) - 2, place + 1);
                self.put(number, bits);
            }
            None => {
                self.put(0xff, 8);
                self.put(number, 64);
            }
        }
    }

    /// A value after one that is written whole.
    pub(super) fn put_xor(&mut self, state: &mut XorState, value: f64) {
        let changed = value.to_bits() ^ state.value;
        state.value = value.to_bits();
        if changed == 0 {
            return self.put(0, 1);
        }
        self.put(1, 1);
        let (leading, trailing) = (changed.leading_zeros().min(LEADING_MAX), changed.trailing_zeros());
        if let Some((known_leading, known_trailing)) = state.window
            && leading >= known_leading
            && trailing >= known_trailing
        {
            self.put(0, 1);
            return self.put(changed >> known_trailing, 64 - known_leading - known_trailing);
        }
        state.window = Some((leading, trailing));
        let significant = 64 - leading - trailing;
        self.put(1, 1);
        self.put(leading.into(), 5);
        // 64 has no place in six bits, and zero does not occur.
        self.put(significant.into(), 6);
        self.put(changed >> trailing, significant);
    }
}

impl XorState {
    pub(super) fn of(value: f64) -> Self {
        Self { value: value.to_bits(), window: None }
    }
}

/// Whether a number fits so many bits: from minus half of their range, without its end, to half, included.
pub(super) fn fits(number: i64, bits: u32) -> bool {
    let half = 1i64 << (bits - 1);
    (-(half - 1)..=half).contains(&number)
}
