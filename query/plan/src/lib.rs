//! From what a query says to what is to be done: tree in, logical plan out.
//!
//! **Entry points.** [`plan`] makes a [`LogicalPlan`] of a [`lang::Query`]; [`LogicalPlan::within`] and
//! [`LogicalPlan::with_limit`] add a caller's own time range and limit; [`explain`] prints a plan.
//!
//! **How.** `build` writes the query out operator by operator, `check` finds pipes that do not fit together, and the
//! `rewrites/`, one file each, move work towards the scan: time filters become its range, `where` joins its filter, a limit
//! tells it when to stop, and it reads only the fields that are needed.
//!
//! **Guarantees.** A rewrite never changes the answer. A query without `stats` or `sort` gives rows newest first. Plans are
//! chains: every operator has one input, the leaf is a scan; a [`Stage`] may read another plan besides.
//!
//! **Not here.** How operators run (`exec`), what files and indexes there are (`store`), and other languages' grammars.

mod build;
mod check;
mod explain;
mod logical;
mod names;
mod rewrites;
mod stage;

#[cfg(test)]
mod tests;

pub use explain::explain;
pub use logical::{LogicalPlan, Scan, ScanOrder};
pub use names::{filter_fields, pattern_matches};
pub use stage::{Buckets, PATTERN_FIELD, Stage};

use lang::{Diagnostic, Query};

/// Plans a query that was parsed without errors. Fails when its pipes do not fit together, such as a sort by a column that
/// no pipe before it leaves; the spans are those of the pipes.
pub fn plan(query: &Query) -> Result<LogicalPlan, Vec<Diagnostic>> {
    let diagnostics = check::check(query);
    if diagnostics.iter().any(Diagnostic::is_error) {
        return Err(diagnostics);
    }
    Ok(rewrites::all(build::build(query)))
}
