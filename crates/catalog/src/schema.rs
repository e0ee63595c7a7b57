//! The tables and their versions.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::CatalogError;

/// The version of the tables below, kept in SQLite's `user_version`.
pub const SCHEMA_VERSION: i64 = 1;

/// How long a statement waits for another process that reads the file (a backup, an operator's shell).
const BUSY_TIMEOUT_MS: u32 = 5_000;

const VERSION_1: &str = "
CREATE TABLE segments (
    id        TEXT PRIMARY KEY,
    tenant    TEXT NOT NULL,
    table_    TEXT NOT NULL,
    day       INTEGER NOT NULL,
    level     INTEGER NOT NULL,
    rows      INTEGER NOT NULL,
    min_time  INTEGER NOT NULL,
    max_time  INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    state     TEXT NOT NULL,
    reason    TEXT NOT NULL DEFAULT '',
    meta      TEXT NOT NULL
) STRICT;
CREATE INDEX segments_by_partition ON segments (tenant, table_, day);
CREATE TABLE checkpoint (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    flushed_lsn INTEGER NOT NULL,
    next_row_id INTEGER NOT NULL
) STRICT;
INSERT INTO checkpoint VALUES (1, 0, 0);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE data_loss (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    recorded_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    source      TEXT NOT NULL,
    detail      TEXT NOT NULL,
    UNIQUE (source, detail)
) STRICT;
";

/// Checks the file and brings it to [`SCHEMA_VERSION`].
pub(crate) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), CatalogError> {
    let found = check(connection).map_err(|e| damaged_or_other(e, path))?;
    if found > SCHEMA_VERSION {
        return Err(CatalogError::Newer { path: path.to_owned(), found, known: SCHEMA_VERSION });
    }
    let sound: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| damaged_or_other(e, path))?;
    if sound != "ok" {
        return Err(CatalogError::Damaged { path: path.to_owned(), reason: sound });
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    if found < 1 {
        let transaction = connection.transaction()?;
        transaction.execute_batch(VERSION_1)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.commit()?;
    }
    Ok(())
}

fn check(connection: &Connection) -> rusqlite::Result<i64> {
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS.into()))?;
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

fn damaged_or_other(error: rusqlite::Error, path: &Path) -> CatalogError {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            CatalogError::Damaged { path: path.to_owned(), reason: error.to_string() }
        }
        _ => CatalogError::Sqlite(error),
    }
}
