//! Typed ids.

use std::fmt;

macro_rules! hex_id {
    ($name:ident, $bytes:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Reads the id from its bytes; `None` for a wrong length or the all-zero id, which OpenTelemetry calls invalid.
            pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
                let bytes: [u8; $bytes] = bytes.try_into().ok()?;
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// Reads the id from hexadecimal digits of either case; `None` as in [`Self::from_bytes`].
            pub fn from_hex(text: &str) -> Option<Self> {
                Self::from_bytes(&hex::decode(text).ok()?)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

hex_id!(TraceId, 16, "A W3C trace id; never all zero.");
hex_id!(SpanId, 8, "A W3C span id; never all zero.");

/// The id of a row, shown as `_id` in 16 hexadecimal digits. The store hands them out in order of arrival, so a row has one
/// id for ever, and replaying a log twice finds the row already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RowId(pub u64);

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl RowId {
    /// Reads the form that `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        u64::from_str_radix(text, 16).ok().map(Self)
    }
}

/// The tenant that data belongs to. A tenant is chosen by the edge that receives a request; without authentication any name
/// is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantId(std::sync::Arc<str>);

impl TenantId {
    /// Longest tenant name, in bytes.
    pub const BYTES_MAX: usize = 150;

    /// How a name is written, as the hint of an error.
    pub const RULE: &'static str = "give 1 to 150 letters, digits or any of !-_.*'()";

    /// Accepts 1 to [`Self::BYTES_MAX`] ASCII letters, digits and `!-_.*'()`, the alphabet that Mimir and Loki allow, except
    /// the names `.` and `..`; `None` otherwise.
    pub fn new(name: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!-_.*'()".contains(&b);
        let fits = !name.is_empty() && name.len() <= Self::BYTES_MAX && name != "." && name != "..";
        (fits && name.bytes().all(allowed)).then(|| Self(name.into()))
    }

    /// The tenant's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_tenant_names_is_what_is_checked() {
        assert!(TenantId::RULE.contains(&format!("1 to {}", TenantId::BYTES_MAX)), "{}", TenantId::RULE);
        let signs = TenantId::RULE.split_once("any of ").map_or("", |(_, signs)| signs);
        assert!(!signs.is_empty() && TenantId::new(signs).is_some(), "{signs:?}");
        for name in ["", ".", "..", "a/b", "a b", "ä", &"x".repeat(TenantId::BYTES_MAX + 1)] {
            assert_eq!(TenantId::new(name), None, "{name:?}");
        }
    }
}
