//! Block checksums in a manifest entry's JSON: base64 of their bytes, little endian, 5.4 characters each instead of 11.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use blob::BlockSums;
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

pub(crate) fn serialize<S: Serializer>(sums: &Option<BlockSums>, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes: Vec<u8> = sums.iter().flat_map(BlockSums::as_slice).flat_map(|sum| sum.to_le_bytes()).collect();
    serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<BlockSums>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let bytes = STANDARD_NO_PAD.decode(text).map_err(D::Error::custom)?;
    let (sums, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(D::Error::custom(format!("{} bytes are no list of checksums", bytes.len())));
    }
    Ok(Some(BlockSums::new(sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect())))
}
