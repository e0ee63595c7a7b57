//! Proto
mod cluster;
mod form;
mod id;
mod limits;
mod lists;
mod miner;
mod scan;
mod templates;

pub use id::{BadId, PatternId};
pub use limits::*;
pub use miner::{Miner, Pattern};
