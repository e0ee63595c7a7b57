//! What the store consists of, in one SQLite file: segments and which of their rows are deleted, the checkpoint of the log,
//! settings, known losses; and, in [`ledger`], the records of the loop.
//!
//! **Entry point.** [`Catalog::open`]. One connection behind a mutex: every write is a short transaction, and nothing on the
//! path of a query or of an append asks the catalog.
//!
//! **Write path.** [`Catalog::commit`] applies one [`Edit`]: new segments, replaced ones, deleted rows, the checkpoint, all or
//! nothing.
//!
//! **Guarantees.** SQLite in WAL mode with `synchronous=FULL`: a commit that returned `Ok` survives a power cut. A file of a
//! newer version is refused before anything is read ([`CatalogError::Newer`]); a damaged file is refused, never repaired
//! silently ([`CatalogError::Damaged`]). The checkpoint never moves back.
//!
//! **Not here.** The bytes of segments (`segment`), who flushes and when (`store`), leases between machines.

mod error;
pub mod ledger;
mod schema;
mod segments;

use std::path::Path;

use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension as _, params};

pub use error::CatalogError;
pub use schema::SCHEMA_VERSION;
pub use segments::{Checkpoint, DeletedRows, Edit, Loss, SegmentRow, SegmentState};

/// The open catalog.
#[derive(Debug)]
pub struct Catalog {
    connection: Mutex<Connection>,
}

impl Catalog {
    /// Opens or creates the file at `path`.
    pub fn open(path: &Path) -> Result<Self, CatalogError> {
        let mut connection = Connection::open(path)?;
        schema::prepare(&mut connection, path)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// A setting kept across restarts.
    pub fn setting(&self, name: &str) -> Result<Option<String>, CatalogError> {
        self.with_connection(|c| {
            c.query_row("SELECT value FROM settings WHERE name = ?1", [name], |row| row.get(0)).optional()
        })
    }

    /// Sets a setting.
    pub fn set_setting(&self, name: &str, value: &str) -> Result<(), CatalogError> {
        self.with_connection(|c| {
            c.execute(
                "INSERT INTO settings (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![name, value],
            )
        })?;
        Ok(())
    }

    /// Runs `work` on the connection. For the modules of this crate: nobody else writes SQL.
    pub(crate) fn with_connection<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        Ok(work(&mut self.connection.lock())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.sqlite");
        let catalog = Catalog::open(&path).unwrap();
        assert_eq!(catalog.setting("a").unwrap(), None);
        catalog.set_setting("a", "1").unwrap();
        catalog.set_setting("a", "2").unwrap();
        drop(catalog);
        assert_eq!(Catalog::open(&path).unwrap().setting("a").unwrap().as_deref(), Some("2"));
    }

    #[test]
    fn r20_a_newer_catalog_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.sqlite");
        drop(Catalog::open(&path).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
        let error = Catalog::open(&path).unwrap_err();
        assert!(matches!(error, CatalogError::Newer { found, .. } if found == SCHEMA_VERSION + 1), "{error}");
    }

    #[test]
    fn r20_an_older_catalog_is_brought_up_to_date() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.sqlite");
        schema::create_version_1(&path);
        Connection::open(&path).unwrap().execute("INSERT INTO settings VALUES ('a', '1')", []).unwrap();
        for _ in 0..2 {
            let catalog = Catalog::open(&path).unwrap();
            assert_eq!(catalog.setting("a").unwrap().as_deref(), Some("1"));
            assert_eq!(catalog.deleted_rows().unwrap(), []);
            let version =
                catalog.with_connection(|c| c.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)));
            assert_eq!(version.unwrap(), SCHEMA_VERSION);
        }
    }

    #[test]
    fn r17_a_damaged_catalog_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.sqlite");
        std::fs::write(&path, b"this is no database, however long one looks at it").unwrap();
        let error = Catalog::open(&path).unwrap_err();
        assert!(matches!(error, CatalogError::Damaged { .. }), "{error}");
    }
}
