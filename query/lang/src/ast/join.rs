//! Pipes that bring other rows in.

use super::Query;

/// The pipe `join`: each row with the fields of the rows of another query that have the same keys.
///
/// The other query is run by itself, in the same time range, unless its own filter says another `_time`; with
/// [`Join::within`] the range is widened by that much. Keys are compared by their texts; a row in which a key is missing or
/// empty has no partner.
///
/// Without `within` a row comes once for each partner. With it there is at most one: the one nearest in time.
///
/// A row has its own fields and those of its partner, which are called [`Join::prefix`] and their name; the partner's keys
/// are left out when their name is the same. A field of the partner whose name the row has already is left out: give a
/// prefix to see both.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// What happens to a row without a partner.
    pub kind: JoinKind,
    /// The keys: a field of the rows, and the field of the other query's rows with the same value. May be empty only with
    /// `within`; then every row is a possible partner.
    pub on: Vec<(String, String)>,
    /// How far in time the partner may be.
    pub within: Option<Within>,
    /// The other query.
    pub query: Box<Query>,
    /// What the names of the partner's fields start with; may be empty.
    pub prefix: String,
}

/// What `join` does with a row that has no partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// `left`: it stays, without the other fields. The default, as in LogsQL.
    Left,
    /// `inner`: it is left out.
    Inner,
}

/// `within 30m before`: how far in time a partner may be. Both sides have `_time`; a row without has no partner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// The largest distance in nanoseconds, above zero, itself included. A partner of the same time is near.
    pub ns: i64,
    /// On which side of the row.
    pub side: WithinSide,
}

/// On which side of a row its partner may be in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithinSide {
    /// `before`: not after the row; the latest of those. The default: what preceded.
    Before,
    /// `after`: not before the row; the earliest of those.
    After,
}

/// The pipe `lookup`: fields of the first line of a table that has the same keys. The table is a CSV file that the server
/// knows by this name. Keys are compared by their texts. A row without a line, or in which a key is missing, stays as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The table's name.
    pub table: String,
    /// A field of the rows, and the column of the table with the same value; not empty.
    pub on: Vec<(String, String)>,
    /// `output a, b as c`: the columns that become fields, and their names. Empty for every column that is no key, under
    /// its own name. A field of that name is replaced.
    pub output: Vec<(String, String)>,
}
