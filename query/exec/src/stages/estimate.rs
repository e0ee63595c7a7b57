//! The number of different texts, estimated in a fixed amount of memory (HyperLogLog), and exact while there are few.

use std::collections::HashSet;

/// Bits of a hash that choose a register: 2^12 registers give a standard error of 1.04 / sqrt(4096) = 1.6 %.
const REGISTER_BITS: u32 = 12;
const REGISTERS: usize = 1 << REGISTER_BITS;
/// Hashes that are kept one by one before registers take over: as much memory as the registers.
const EXACT_MAX: usize = REGISTERS / 8;

/// A set of which only the number of members is wanted.
pub(super) enum Estimate {
    Exact(HashSet<u64>),
    Registers(Box<[u8; REGISTERS]>),
}

impl Default for Estimate {
    fn default() -> Self {
        Self::Exact(HashSet::new())
    }
}

impl Estimate {
    /// Takes in a member; returns by how much more memory it takes.
    pub(super) fn add(&mut self, text: &str) -> usize {
        self.add_hash(hash(text))
    }

    fn add_hash(&mut self, hash: u64) -> usize {
        match self {
            Self::Exact(seen) => {
                if !seen.insert(hash) {
                    return 0;
                }
                if seen.len() <= EXACT_MAX {
                    return size_of::<u64>() * 2;
                }
                let mut registers = Box::new([0; REGISTERS]);
                seen.iter().for_each(|hash| note(&mut registers, *hash));
                *self = Self::Registers(registers);
                0
            }
            Self::Registers(registers) => {
                note(registers, hash);
                0
            }
        }
    }

    /// Takes in the members of another set.
    pub(super) fn absorb(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(seen)) => seen.iter().for_each(|hash| {
                self.add_hash(*hash);
            }),
            (Self::Registers(mine), Self::Registers(theirs)) => {
                mine.iter_mut().zip(theirs.iter()).for_each(|(mine, theirs)| *mine = (*mine).max(*theirs));
            }
            (Self::Exact(seen), Self::Registers(theirs)) => {
                let mut registers = theirs.clone();
                seen.iter().for_each(|hash| note(&mut registers, *hash));
                *self = Self::Registers(registers);
            }
        }
    }

    /// How many members there are, about.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Exact(seen) => seen.len() as u64,
            Self::Registers(registers) => {
                let m = REGISTERS as f64;
                let sum: f64 = registers.iter().map(|register| (-f64::from(*register)).exp2()).sum();
                let raw = 0.7213 / (1.0 + 1.079 / m) * m * m / sum;
                let empty = registers.iter().filter(|register| **register == 0).count();
                // Few members: counting the empty registers is closer.
                let small = raw <= 2.5 * m && empty > 0;
                (if small { m * (m / empty as f64).ln() } else { raw }).round() as u64
            }
        }
    }
}

fn note(registers: &mut [u8; REGISTERS], hash: u64) {
    let at = (hash >> (64 - REGISTER_BITS)) as usize;
    let rank = ((hash << REGISTER_BITS).leading_zeros() + 1).min(64 - REGISTER_BITS + 1) as u8;
    registers[at] = registers[at].max(rank);
}

/// A hash all of whose bits depend on all of the text (FNV-1a, then SplitMix64's finalizer).
fn hash(text: &str) -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    let mut z = text.bytes().fold(0xCBF2_9CE4_8422_2325, fold);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_while_few_and_close_when_many() {
        for members in [0u64, 1, 500, 512] {
            let mut set = Estimate::default();
            for n in 0..members {
                set.add(&n.to_string());
            }
            assert_eq!(set.count(), members);
        }
        for members in [1_000u64, 20_000, 300_000] {
            let (mut odd, mut even) = (Estimate::default(), Estimate::default());
            for n in 0..members {
                if n % 2 == 0 { &mut even } else { &mut odd }.add(&format!("user-{n}"));
            }
            odd.absorb(&even);
            let error = odd.count() as f64 / members as f64 - 1.0;
            assert!(error.abs() < 0.05, "{members} members: off by {error}");
        }
    }
}
