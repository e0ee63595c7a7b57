//! The ledger's tables for `from changes`, `from alerts`, ...

use std::sync::Arc;

use catalog::ledger::Ledger;
use engine::StateTables;
use model::{Row, TenantId, TimeRange};

/// Rows of a ledger table that one query reads at most.
const ROWS_MAX: usize = 100_000;

/// The ledger as the query engine sees it.
pub(crate) struct LedgerTables {
    ledger: Arc<Ledger>,
}

impl LedgerTables {
    /// Over a ledger.
    pub(crate) fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }
}

impl StateTables for LedgerTables {
    /// The loop belongs to the default tenant; others see empty tables.
    fn rows(&self, tenant: &TenantId, table: &str, range: TimeRange) -> Result<Vec<Row>, String> {
        if *tenant != TenantId::default() {
            return Ok(Vec::new());
        }
        let rows = self.ledger.rows(table, range, ROWS_MAX).map_err(|error| error.to_string())?;
        // The ledger gives the latest rows up to the limit: a full answer may lack earlier ones, and must not pass for whole.
        if rows.len() >= ROWS_MAX {
            return Err(format!("{ROWS_MAX} rows or more in this range: narrow the time range"));
        }
        Ok(rows)
    }
}
