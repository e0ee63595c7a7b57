//! From a hash to a small number: what the writer finds values, shapes and tokens with.

/// Marks an empty slot.
const EMPTY: u32 = u32::MAX;

/// Slots of the first allocation.
const SLOTS_MIN: usize = 16;

/// Open addressing with linear probing, at most half full. Numbers stand for things that the owner keeps and compares; no
/// allocation until the first insert.
#[derive(Default)]
pub(crate) struct IdTable {
    slots: Vec<(u64, u32)>,
    len: usize,
}

impl IdTable {
    /// The number that `is` affirms among those with the hash.
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        loop {
            let (known, id) = self.slots[at];
            if id == EMPTY {
                return None;
            }
            if known == hash && is(id) {
                return Some(id);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a number that is not there yet.
    pub(crate) fn insert(&mut self, hash: u64, id: u32) {
        if (self.len + 1) * 2 > self.slots.len() {
            let slots = vec![(0, EMPTY); (self.slots.len() * 2).max(SLOTS_MIN)];
            for (hash, id) in std::mem::replace(&mut self.slots, slots) {
                if id != EMPTY {
                    self.place(hash, id);
                }
            }
        }
        self.len += 1;
        self.place(hash, id);
    }

    fn place(&mut self, hash: u64, id: u32) {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        while self.slots[at].1 != EMPTY {
            at = (at + 1) & mask;
        }
        self.slots[at] = (hash, id);
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(u64, u32)>()
    }
}

/// Spreads the bits of a number over all 64: multiplication folded onto itself, as wyhash does.
pub(crate) fn mix(n: u64) -> u64 {
    let wide = u128::from(n ^ 0x9e37_79b9_7f4a_7c15) * 0xd6e8_feb8_6659_fd93;
    (wide >> 64) as u64 ^ wide as u64
}
