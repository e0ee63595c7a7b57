//! The text of a log line to fields, in one place: for the pipes of queries, and for parse rules at ingest.
//!
//! **Entry points.** An [`Extractor`] is a [`Format`] compiled once; [`Extractor::extract`] gives the fields of a line to a
//! callback. [`rules::Rules`] are files of parse rules: what is read out of records, what is joined ([`join::Joiner`]) and what is
//! not kept ([`redact::Scanner`]). [`syslog`], [`logfmt`] and [`time`] are the grammars that the decoders of wire formats use as well.
//!
//! **Guarantees.** Pure: no clock (about when a line was written is an argument), no network, no threads. No input panics, and
//! no pattern makes a line cost more than time linear in its length. Every limit is a named constant ([`Limits`]); what is over
//! one is [`NotMatched`], never cut in silence.
//!
//! **Not here.** Bytes that are not text, framing, and which fields of a record are built in (`decode`); what a query does with
//! the fields (`exec`).

mod access_log;
mod csv;
mod extract;
mod format;
pub mod join;
mod json;
mod kv;
mod limits;
pub mod logfmt;
mod named;
mod pattern;
pub mod redact;
pub mod rules;
mod sink;
pub mod syslog;
pub mod time;
mod user_agent;
mod value;

pub use extract::Extractor;
pub use format::{Format, FormatError};
pub use limits::{
    DEPTH_MAX, FIELDS_MAX, FORMAT_BYTES_MAX, Limits, NAME_BYTES_MAX, NAMES_MAX, REGEX_COMPILED_BYTES_MAX,
    TEXT_BYTES_MAX,
};
pub use sink::NotMatched;
pub use value::{Value, typed};

#[cfg(test)]
mod fuzz;
