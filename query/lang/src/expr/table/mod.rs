//! The table of functions, a file for each family. Examples are tests: the crate `compute` runs every one.

pub(super) mod addresses;
pub(super) mod conditions;
pub(super) mod hashes;
pub(super) mod json;
pub(super) mod numbers;
pub(super) mod patterns;
pub(super) mod texts;
pub(super) mod times;
