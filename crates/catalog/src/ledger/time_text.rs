//! How documents write times: RFC 3339 in UTC. For `#[serde(with = "catalog::ledger::time_text")]`.

use model::Timestamp;
use serde::{Deserialize as _, Deserializer, Serializer};

/// Writes the time as text.
pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(time)
}

/// Reads the text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    Timestamp::parse(&text, Timestamp(0)).map_err(serde::de::Error::custom)
}

/// The same for a time that may be absent.
pub mod option {
    use model::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes the time as text, or null.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the text, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| Timestamp::parse(&text, Timestamp(0)).map_err(serde::de::Error::custom)).transpose()
    }
}
