//! How the model's types look in a manifest entry's JSON.

use model::{RowId, Table, TenantId, Timestamp};
use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer, Serializer};

macro_rules! as_text {
    ($module:ident, $ty:ty, $what:literal, $parse:expr) => {
        pub(crate) mod $module {
            use super::*;

            pub(crate) fn serialize<S: Serializer>(value: &$ty, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(value)
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$ty, D::Error> {
                let text = String::deserialize(deserializer)?;
                $parse(&text).ok_or_else(|| D::Error::custom(format!(concat!("{:?} is no ", $what), text)))
            }
        }
    };
}

as_text!(tenant_name, TenantId, "tenant name", TenantId::new);
as_text!(table_name, Table, "table", Table::parse);
as_text!(id_hex, RowId, "row id", RowId::parse);

pub(crate) mod time_ns {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp)
    }
}
