//! What is remembered of a shape while the rows of a batch are indexed, for columns that keep shapes apart from variables.

use shape::{Words, raw, whole};

/// A shape of a batch.
pub(crate) struct Shape {
    /// As the index has shapes; empty unless `is_cut`.
    pub(crate) raw: Vec<u8>,
    /// Its variable words.
    pub(crate) words: Words,
    /// Whether it is known how the index cuts it; a text that was kept whole may have words to cut.
    pub(crate) is_cut: bool,
    /// Its group, once it was looked up.
    pub(crate) group: Option<Option<u32>>,
}

impl Shape {
    /// Looks at a marked shape.
    pub(crate) fn new(shape: &str) -> Self {
        let mut out = Self { raw: Vec::new(), words: Words::default(), is_cut: false, group: None };
        match whole(shape) {
            None => {
                raw(shape, &mut out.raw);
                out.words = Words::new(&out.raw);
                out.is_cut = true;
            }
            Some(text) if !text.bytes().any(|byte| byte.is_ascii_digit()) => {
                out.raw.extend_from_slice(text.as_bytes());
                out.is_cut = true;
            }
            Some(_) => {}
        }
        out
    }
}
