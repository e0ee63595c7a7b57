//! What stands in a text where something was found.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use super::Found;

/// What to write in the place of what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// A text, `$name` in it being the detector's name.
    Text(String),
    /// `[name:0123456789abcdef]`: the first half of an HMAC-SHA-256 under this key, so that the same value has the same mark and
    /// nobody without the key can try values.
    Hash(Vec<u8>),
    /// The same text with `*` for letters and digits, but for the last ones.
    Mask {
        /// How many of the last letters and digits stay; never more than half of them.
        keep_last: usize,
    },
}

/// Bytes of the hash that are shown: 64 bits tell values apart, and are short enough to read.
const HASH_BYTES: usize = 8;

impl Replacement {
    /// The text with everything found replaced. `names` are the detectors' names by number.
    pub fn replace(&self, text: &str, found: &[Found], names: &[&str]) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for place in found {
            out.push_str(&text[from..place.start]);
            let name = names.get(place.by).copied().unwrap_or("regex");
            self.write(&text[place.start..place.end], name, &mut out);
            from = place.end;
        }
        out.push_str(&text[from..]);
        out
    }

    fn write(&self, value: &str, name: &str, out: &mut String) {
        match self {
            Replacement::Text(text) => out.push_str(&text.replace("$name", name)),
            Replacement::Hash(key) => {
                out.push('[');
                out.push_str(name);
                out.push(':');
                out.push_str(&keyed_hash(key, value));
                out.push(']');
            }
            Replacement::Mask { keep_last } => mask(value, *keep_last, out),
        }
    }
}

fn keyed_hash(key: &[u8], value: &str) -> String {
    // An HMAC takes a key of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(value.as_bytes());
    hex::encode(&mac.finalize().into_bytes()[..HASH_BYTES])
}

fn mask(value: &str, keep_last: usize, out: &mut String) {
    let shown = value.chars().filter(|c| c.is_alphanumeric()).count();
    let hidden = shown - keep_last.min(shown / 2);
    let mut seen = 0;
    for c in value.chars() {
        let counts = c.is_alphanumeric();
        seen += usize::from(counts);
        out.push(if counts && seen <= hidden { '*' } else { c });
    }
}
