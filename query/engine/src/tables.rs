//! The tables that are not in the store.

use model::{Row, TenantId, TimeRange};

/// Names of the tables that the loop keeps in the catalog, and that queries read with `from`.
pub const STATE_TABLES: [&str; 5] = ["changes", "alerts", "incidents", "actions", "audit"];

/// Where the rows of [`STATE_TABLES`] come from. The server gives an implementation over the catalog.
pub trait StateTables: Send + Sync {
    /// The rows of one table whose `_time` is in the range. Called on a blocking thread. The error's text is shown to the
    /// user.
    fn rows(&self, tenant: &TenantId, table: &str, range: TimeRange) -> Result<Vec<Row>, String>;
}

/// No state tables: every one is empty. For tools that read a store without the loop.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoStateTables;

impl StateTables for NoStateTables {
    fn rows(&self, _: &TenantId, _: &str, _: TimeRange) -> Result<Vec<Row>, String> {
        Ok(Vec::new())
    }
}
