//! The limits of this crate.

/// Longest text that is parsed, in bytes: as long as the longest message that the decoders take.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// Most fields that one text may have. More are a map keyed by ids, not a record.
pub const FIELDS_MAX: usize = 1000;

/// Longest name of a field, in bytes, the names of the objects around it included.
pub const NAME_BYTES_MAX: usize = 512;

/// How deep JSON is flattened; an object below is a field whose text is its JSON.
pub const DEPTH_MAX: usize = 16;

/// Longest regular expression or pattern, in bytes.
pub const FORMAT_BYTES_MAX: usize = 16 * 1024;

/// Largest compiled regular expression, in bytes: what bounds the time per byte of a text.
pub const REGEX_COMPILED_BYTES_MAX: usize = 1024 * 1024;

/// Most names that a regular expression, a pattern or a list of columns may have.
pub const NAMES_MAX: usize = 200;

// A pattern's own names never hit the limit of fields.
const _: () = assert!(NAMES_MAX <= FIELDS_MAX);

/// What a text may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest text in bytes, [`TEXT_BYTES_MAX`] unless set.
    pub text_bytes_max: usize,
    /// Most fields, [`FIELDS_MAX`] unless set.
    pub fields_max: usize,
    /// Longest name of a field in bytes, [`NAME_BYTES_MAX`] unless set.
    pub name_bytes_max: usize,
    /// How deep JSON is flattened, [`DEPTH_MAX`] unless set.
    pub depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_bytes_max: TEXT_BYTES_MAX,
            fields_max: FIELDS_MAX,
            name_bytes_max: NAME_BYTES_MAX,
            depth_max: DEPTH_MAX,
        }
    }
}
