//! The tables and their versions.

use std::path::Path;

use rusqlite::{Connection, ErrorCode};

use crate::CatalogError;

/// The version of the tables below, kept in SQLite's `user_version`.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// How a file of version n becomes one of version n + 1; the first makes the tables of an empty file. What has been released
/// here never changes.
const MIGRATIONS: [&str; 2] = [VERSION_1, VERSION_2];

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

/// Rows that were deleted and are still in their segment's files. They go with the segment.
const VERSION_2: &str = "
CREATE TABLE deleted_rows (
    segment TEXT PRIMARY KEY REFERENCES segments (id) ON DELETE CASCADE,
    rows    INTEGER NOT NULL,
    bitmap  BLOB NOT NULL
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
    migrate(connection, found)?;
    Ok(())
}

/// One transaction a version, so that a crash leaves a version that is known.
fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    for (version, change) in (1i64..).zip(MIGRATIONS).filter(|(version, _)| *version > found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(change)?;
        transaction.pragma_update(None, "user_version", version)?;
        transaction.commit()?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) fn create_version_1(path: &Path) {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(VERSION_1).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
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
