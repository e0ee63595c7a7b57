//! Changes: what was deployed, configured or switched, where, when and by whom, and which of them an alert is likely about.
//!
//! **Entry points.** [`ChangeBook::record`] takes the native JSON shape and keeps it; [`ChangeBook::recent`] lists the changes of a
//! service before a time; [`rank`] orders them as suspects for an alert and says why.
//!
//! **Write path.** JSON -> [`ChangeReport`] (validated, fields may be absent) -> merged over the record of the same
//! `(source, id)` -> [`Change`], committed with an audit entry.
//!
//! **Guarantees.** Recording is an upsert by `(source, id)`: the same delivery twice, or the end of a change before its
//! beginning, leaves the same record. What a later delivery does not say stays as it was. A record that changes nothing writes nothing.
//!
//! **Not here.** The adapters for other systems' shapes (they produce the native one), the decision to act (`respond`).

mod book;
mod rank;
mod record;

pub use book::{ChangeBook, RECENT_MAX, RecordError, Recorded};
pub use rank::{Suspect, Suspects, rank};
pub use record::{
    Change, ChangeError, ChangeKind, ChangeReport, NAME_BYTES_MAX, RAW_BYTES_MAX, Reversible, Stage, Target,
};
