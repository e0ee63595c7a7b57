//! Segments, their deleted rows, the checkpoint, and losses.

use model::{Table, TenantId, Timestamp};
use rusqlite::{Row, Transaction, params};

use crate::{Catalog, CatalogError};

/// What the catalog knows about a segment. What only the segment's reader needs is inside `meta`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentRow {
    /// The segment's name, unique for ever.
    pub id: String,
    /// Whose it is.
    pub tenant: TenantId,
    /// Of which table.
    pub table: Table,
    /// Of which day: days since the Unix epoch, UTC.
    pub day: i64,
    /// How often its rows were merged.
    pub level: u32,
    /// Rows in it.
    pub rows: u64,
    /// Time of its oldest row.
    pub min_time: Timestamp,
    /// Time of its newest row.
    pub max_time: Timestamp,
    /// Size of its files.
    pub bytes: u64,
    /// Whether queries read it.
    pub state: SegmentState,
    /// The segment's own description, JSON.
    pub meta: String,
}

/// Whether queries read a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SegmentState {
    /// They do.
    Live,
    /// They do not, because it is damaged; its files are kept for repair.
    Damaged {
        /// What was found.
        reason: String,
    },
}

/// How far the log is covered by segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Checkpoint {
    /// Every log record up to this one is in segments; 0 at the start.
    pub flushed_lsn: u64,
    /// No row that is yet to come has an id below this one.
    pub next_row_id: u64,
}

/// Rows of a segment that count as gone although its files still have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletedRows {
    /// The segment.
    pub segment: String,
    /// How many rows.
    pub rows: u64,
    /// Which: row numbers, in a form that the writer knows.
    pub bitmap: Vec<u8>,
}

/// A change of the set of segments, committed as a whole. What goes takes its deleted rows with it.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Segments that appear.
    pub add: Vec<SegmentRow>,
    /// New entries for segments that are there, by id: after a repair. Their deleted rows stay deleted.
    pub update: Vec<SegmentRow>,
    /// Deleted rows, each instead of what was known for its segment, which must be there.
    pub delete: Vec<DeletedRows>,
    /// Ids of segments that go: merged into those that appear, or past their retention.
    pub remove: Vec<String>,
    /// The new checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

/// Something that was lost and is therefore written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// When it was written down, RFC 3339.
    pub recorded_at: String,
    /// Where it was lost: `wal`, `segment`.
    pub source: String,
    /// What and how much.
    pub detail: String,
}

impl Catalog {
    /// All segments, in order of day and id.
    pub fn segments(&self) -> Result<Vec<SegmentRow>, CatalogError> {
        let raw = self.with_connection(|c| {
            let mut statement = c.prepare_cached(
                "SELECT id, tenant, table_, day, level, rows, min_time, max_time, bytes, state, reason, meta
                 FROM segments ORDER BY day, id",
            )?;
            statement.query_map([], RawSegment::read)?.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        raw.into_iter().map(RawSegment::parse).collect()
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> Result<Checkpoint, CatalogError> {
        self.with_connection(|c| read_checkpoint(c))
    }

    /// The deleted rows of all segments, in order of id.
    pub fn deleted_rows(&self) -> Result<Vec<DeletedRows>, CatalogError> {
        self.with_connection(|c| {
            let mut statement = c.prepare_cached("SELECT segment, rows, bitmap FROM deleted_rows ORDER BY segment")?;
            let read = |row: &Row<'_>| {
                let rows: i64 = row.get(1)?;
                Ok(DeletedRows { segment: row.get(0)?, rows: rows.cast_unsigned(), bitmap: row.get(2)? })
            };
            statement.query_map([], read)?.collect()
        })
    }

    /// Applies an edit: all of it durably, or nothing.
    pub fn commit(&self, edit: &Edit) -> Result<(), CatalogError> {
        let refused = self.with_connection(|c| {
            let transaction = c.transaction()?;
            if let Some(refused) = apply(&transaction, edit)? {
                return Ok(Some(refused));
            }
            transaction.commit()?;
            Ok(None)
        })?;
        refused.map_or(Ok(()), Err)
    }

    /// Takes a damaged segment out of use, durably, and writes the loss down. Its files stay. `false` when no live segment
    /// has that id.
    pub fn quarantine_segment(&self, id: &str, reason: &str) -> Result<bool, CatalogError> {
        self.with_connection(|c| {
            let transaction = c.transaction()?;
            let changed = transaction.execute(
                "UPDATE segments SET state = 'damaged', reason = ?2 WHERE id = ?1 AND state = 'live'",
                params![id, reason],
            )?;
            if changed > 0 {
                insert_loss(&transaction, "segment", &format!("{id}: {reason}"))?;
            }
            transaction.commit()?;
            Ok(changed > 0)
        })
    }

    /// Writes a loss down; the same loss twice is one line.
    pub fn record_loss(&self, source: &str, detail: &str) -> Result<(), CatalogError> {
        self.with_connection(|c| insert_loss(c, source, detail))
    }

    /// Every loss written down, oldest first.
    pub fn losses(&self) -> Result<Vec<Loss>, CatalogError> {
        self.with_connection(|c| {
            let mut statement = c.prepare_cached("SELECT recorded_at, source, detail FROM data_loss ORDER BY id")?;
            let read = |row: &Row<'_>| Ok(Loss { recorded_at: row.get(0)?, source: row.get(1)?, detail: row.get(2)? });
            statement.query_map([], read)?.collect()
        })
    }
}

/// What an edit says, in an open transaction. Gives the reason when it must not be committed.
fn apply(transaction: &Transaction<'_>, edit: &Edit) -> rusqlite::Result<Option<CatalogError>> {
    if let Some(wanted) = edit.checkpoint {
        let current = read_checkpoint(transaction)?;
        if wanted.flushed_lsn < current.flushed_lsn || wanted.next_row_id < current.next_row_id {
            let (current, wanted) = (current.flushed_lsn, wanted.flushed_lsn);
            return Ok(Some(CatalogError::CheckpointBack { current, wanted }));
        }
        transaction.execute(
            "UPDATE checkpoint SET flushed_lsn = ?1, next_row_id = ?2",
            params![wanted.flushed_lsn.cast_signed(), wanted.next_row_id.cast_signed()],
        )?;
    }
    for id in &edit.remove {
        transaction.execute("DELETE FROM segments WHERE id = ?1", [id])?;
    }
    for segment in &edit.add {
        insert(transaction, segment)?;
    }
    for segment in &edit.update {
        if update(transaction, segment)? == 0 {
            return Ok(Some(CatalogError::NoSegment { id: segment.id.clone() }));
        }
    }
    for deleted in &edit.delete {
        transaction.execute(
            "INSERT OR REPLACE INTO deleted_rows (segment, rows, bitmap) VALUES (?1, ?2, ?3)",
            params![deleted.segment, deleted.rows.cast_signed(), deleted.bitmap],
        )?;
    }
    Ok(None)
}

fn read_checkpoint(connection: &rusqlite::Connection) -> rusqlite::Result<Checkpoint> {
    connection.query_row("SELECT flushed_lsn, next_row_id FROM checkpoint", [], |row| {
        let (lsn, id): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok(Checkpoint { flushed_lsn: lsn.cast_unsigned(), next_row_id: id.cast_unsigned() })
    })
}

fn insert_loss(connection: &rusqlite::Connection, source: &str, detail: &str) -> rusqlite::Result<()> {
    connection.execute("INSERT OR IGNORE INTO data_loss (source, detail) VALUES (?1, ?2)", [source, detail])?;
    Ok(())
}

fn insert(transaction: &Transaction<'_>, segment: &SegmentRow) -> rusqlite::Result<()> {
    let (state, reason) = words(&segment.state);
    transaction.execute(
        "INSERT INTO segments (id, tenant, table_, day, level, rows, min_time, max_time, bytes, state, reason, meta)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            segment.id,
            segment.tenant.as_str(),
            segment.table.as_str(),
            segment.day,
            segment.level,
            segment.rows.cast_signed(),
            segment.min_time.0,
            segment.max_time.0,
            segment.bytes.cast_signed(),
            state,
            reason,
            segment.meta,
        ],
    )?;
    Ok(())
}

fn update(transaction: &Transaction<'_>, segment: &SegmentRow) -> rusqlite::Result<usize> {
    let (state, reason) = words(&segment.state);
    transaction.execute(
        "UPDATE segments SET bytes = ?2, state = ?3, reason = ?4, meta = ?5 WHERE id = ?1",
        params![segment.id, segment.bytes.cast_signed(), state, reason, segment.meta],
    )
}

fn words(state: &SegmentState) -> (&str, &str) {
    match state {
        SegmentState::Live => ("live", ""),
        SegmentState::Damaged { reason } => ("damaged", reason),
    }
}

/// A row before its words are understood.
struct RawSegment {
    tenant: String,
    table: String,
    state: String,
    reason: String,
    rest: SegmentRow,
}

impl RawSegment {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let rest = SegmentRow {
            id: row.get(0)?,
            tenant: TenantId::default(),
            table: Table::Logs,
            day: row.get(3)?,
            level: row.get(4)?,
            rows: row.get::<_, i64>(5)?.cast_unsigned(),
            min_time: Timestamp(row.get(6)?),
            max_time: Timestamp(row.get(7)?),
            bytes: row.get::<_, i64>(8)?.cast_unsigned(),
            state: SegmentState::Live,
            meta: row.get(11)?,
        };
        Ok(Self { tenant: row.get(1)?, table: row.get(2)?, state: row.get(9)?, reason: row.get(10)?, rest })
    }

    fn parse(self) -> Result<SegmentRow, CatalogError> {
        let content = |what, value: &str| CatalogError::Content { what, value: value.to_owned() };
        let tenant = TenantId::new(&self.tenant).ok_or_else(|| content("a tenant", &self.tenant))?;
        let table = Table::parse(&self.table).ok_or_else(|| content("a table", &self.table))?;
        let state = match self.state.as_str() {
            "live" => SegmentState::Live,
            "damaged" => SegmentState::Damaged { reason: self.reason },
            other => return Err(content("a segment state", other)),
        };
        Ok(SegmentRow { tenant, table, state, ..self.rest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(id: &str) -> SegmentRow {
        SegmentRow {
            id: id.to_owned(),
            tenant: TenantId::new("acme").unwrap(),
            table: Table::Spans,
            day: 20_000,
            level: 2,
            rows: 7,
            min_time: Timestamp(-5),
            max_time: Timestamp(i64::MAX),
            bytes: 1 << 40,
            state: SegmentState::Live,
            meta: r#"{"x":1}"#.to_owned(),
        }
    }

    fn catalog() -> (tempfile::TempDir, Catalog) {
        let dir = tempfile::tempdir().unwrap();
        let catalog = Catalog::open(&dir.path().join("c")).unwrap();
        (dir, catalog)
    }

    fn ids(catalog: &Catalog) -> Vec<String> {
        catalog.segments().unwrap().into_iter().map(|segment| segment.id).collect()
    }

    #[test]
    fn an_edit_is_applied_as_a_whole() {
        let (dir, catalog) = catalog();
        let checkpoint = Checkpoint { flushed_lsn: 9, next_row_id: u64::MAX >> 1 };
        catalog
            .commit(&Edit { add: vec![segment("a"), segment("b")], checkpoint: Some(checkpoint), ..Edit::default() })
            .unwrap();
        catalog
            .commit(&Edit { add: vec![segment("c")], remove: vec!["a".into(), "b".into()], ..Edit::default() })
            .unwrap();
        drop(catalog);
        let catalog = Catalog::open(&dir.path().join("c")).unwrap();
        assert_eq!(catalog.segments().unwrap(), [segment("c")]);
        assert_eq!(catalog.checkpoint().unwrap(), checkpoint);
    }

    #[test]
    fn r43_a_failing_edit_changes_nothing() {
        let (_dir, catalog) = catalog();
        catalog.commit(&Edit { add: vec![segment("a")], ..Edit::default() }).unwrap();
        let edit = Edit { add: vec![segment("b"), segment("b")], remove: vec!["a".into()], ..Edit::default() };
        assert!(catalog.commit(&edit).is_err(), "one id twice");
        assert_eq!(ids(&catalog), ["a"]);
    }

    #[test]
    fn the_checkpoint_never_moves_back() {
        let (_dir, catalog) = catalog();
        let at = |flushed_lsn: u64| Edit {
            add: vec![segment(&flushed_lsn.to_string())],
            checkpoint: Some(Checkpoint { flushed_lsn, next_row_id: 0 }),
            ..Edit::default()
        };
        catalog.commit(&at(5)).unwrap();
        assert!(matches!(catalog.commit(&at(4)), Err(CatalogError::CheckpointBack { current: 5, wanted: 4 })));
        assert_eq!(ids(&catalog), ["5"]);
    }

    #[test]
    fn r16_a_damaged_segment_leaves_use_and_is_written_down() {
        let (_dir, catalog) = catalog();
        catalog.commit(&Edit { add: vec![segment("a")], ..Edit::default() }).unwrap();
        assert!(catalog.quarantine_segment("a", "checksum").unwrap());
        assert!(!catalog.quarantine_segment("a", "again").unwrap());
        catalog.record_loss("segment", "a: checksum").unwrap();
        assert_eq!(catalog.segments().unwrap()[0].state, SegmentState::Damaged { reason: "checksum".into() });
        let losses: Vec<String> = catalog.losses().unwrap().into_iter().map(|loss| loss.detail).collect();
        assert_eq!(losses, ["a: checksum"]);
    }
    fn deleted(segment: &str, rows: u64) -> DeletedRows {
        DeletedRows { segment: segment.to_owned(), rows, bitmap: vec![rows as u8; 3] }
    }

    #[test]
    fn deleted_rows_are_replaced_and_go_with_their_segment() {
        let (_dir, catalog) = catalog();
        catalog.commit(&Edit { add: vec![segment("a"), segment("b")], ..Edit::default() }).unwrap();
        catalog.commit(&Edit { delete: vec![deleted("a", 1), deleted("b", 2)], ..Edit::default() }).unwrap();
        catalog.commit(&Edit { delete: vec![deleted("a", 3)], ..Edit::default() }).unwrap();
        assert_eq!(catalog.deleted_rows().unwrap(), [deleted("a", 3), deleted("b", 2)]);
        let mended = SegmentRow { bytes: 9, meta: "{}".to_owned(), ..segment("a") };
        catalog.commit(&Edit { update: vec![mended.clone()], ..Edit::default() }).unwrap();
        assert_eq!(catalog.segments().unwrap(), [mended, segment("b")]);
        assert_eq!(catalog.deleted_rows().unwrap(), [deleted("a", 3), deleted("b", 2)]);
        catalog.commit(&Edit { add: vec![segment("c")], remove: vec!["a".into()], ..Edit::default() }).unwrap();
        assert_eq!(catalog.deleted_rows().unwrap(), [deleted("b", 2)]);
    }

    #[test]
    fn r43_what_speaks_of_no_segment_changes_nothing() {
        let (_dir, catalog) = catalog();
        let add = vec![segment("a")];
        let update = Edit { add: add.clone(), update: vec![segment("x")], ..Edit::default() };
        assert!(matches!(catalog.commit(&update), Err(CatalogError::NoSegment { id }) if id == "x"));
        let delete = Edit { add, delete: vec![deleted("x", 1)], ..Edit::default() };
        assert!(catalog.commit(&delete).is_err());
        assert!(ids(&catalog).is_empty());
    }
}
