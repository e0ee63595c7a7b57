//! What a batch may expect of a document before it replaces it.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{LedgerError, LedgerTable, conflict};

/// Fails unless the number at a key of a document's body is `is`. A document that is not there has the number 0.
pub(crate) fn check(
    transaction: &Transaction<'_>,
    table: LedgerTable,
    id: String,
    key: &str,
    is: u64,
) -> Result<(), LedgerError> {
    let sql = format!("SELECT json_extract(body, '$.' || ?2) FROM {} WHERE id = ?1", table.as_str());
    let found: Option<Option<i64>> =
        transaction.prepare_cached(&sql)?.query_row(params![id, key], |row| row.get(0)).optional()?;
    let found = found.flatten().unwrap_or(0);
    if found == i64::try_from(is).unwrap_or(i64::MAX) {
        return Ok(());
    }
    Err(conflict(table, id, format!("at {key} {found}"), &format!("at {is}")))
}

#[cfg(test)]
mod tests {
    use model::Timestamp;
    use serde_json::json;

    use crate::ledger::{Document, Ledger, LedgerTable, Records as _, Write};

    fn document(id: &str, n: i64) -> Document {
        let (time, service, state) = (Timestamp(1), "s".to_owned(), "active".to_owned());
        Document { id: id.to_owned(), time, service, state, body: json!({"n": n}) }
    }

    #[test]
    fn an_expectation_that_is_not_met_stops_the_batch() {
        let ledger = Ledger::in_memory().unwrap();
        let write = |expected: u64, n: i64| {
            let expect = Write::Expect { table: LedgerTable::Runs, id: "r1".into(), key: "n", is: expected };
            ledger.commit(vec![expect, Write::Put(LedgerTable::Runs, document("r1", n))])
        };
        write(0, 1).unwrap();
        write(1, 2).unwrap();
        let error = write(1, 3).unwrap_err().to_string();
        assert_eq!(error, r#"runs "r1" is at n 2, not at 1: someone else was faster; read it again"#);
        assert_eq!(ledger.get(LedgerTable::Runs, "r1").unwrap().unwrap().body["n"], 2);
    }
}
