//! The ledger of the loop: changes, alerts, incidents and their timelines, actions, runs of playbooks, rule state, the outbox
//! of notifications, and the audit trail, in one SQLite file.
//!
//! Every table but the audit trail holds JSON documents with a few indexed key columns (`id`, time, service, state): the
//! shape of a document belongs to the crate that writes it, the ledger promises how it is kept.
//!
//! **Write path.** [`Records::commit`] takes a batch of [`Write`]s and commits it as one transaction with
//! `synchronous=FULL`: when it returns, all of them are on disk or none is. An audit entry written in the batch that changes a state is
//! therefore never there without the change, nor the change without the entry.
//!
//! **Guarantees.** [`Write::Insert`] and [`Write::Transition`] fail the whole batch with [`LedgerError::Conflict`] when the
//! document exists or has another state: this is what makes an action start at most once. The audit trail can only grow
//! (triggers refuse updates and deletes), and each entry carries `SHA256(hash of the entry before || canonical JSON)`.
//!
//! **Not here.** What the documents mean (`change`, `respond`, `rules`, `notify`). A cut-off tail of the audit trail can not be
//! told from a shorter trail: compare with an exported head for that.

use std::path::Path;
use std::sync::Arc;

use model::{Row, RowId, TimeRange, Timestamp, Value, field};
use parking_lot::Mutex;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

mod expect;
pub mod time_text;

/// How long a write waits for another connection's lock, in milliseconds.
pub const LEDGER_BUSY_TIMEOUT_MS: u64 = 5_000;

/// Most documents that one listing returns, whatever the caller asks.
pub const LEDGER_LIST_MAX: usize = 100_000;

/// Version of the schema, kept in SQLite's `user_version`.
const SCHEMA_VERSION: i64 = 3;

/// The hash before the first audit entry.
const AUDIT_GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A table of documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LedgerTable {
    /// Changes, by `source/id`.
    Changes,
    /// One document per episode of an alert.
    Alerts,
    /// Incidents.
    Incidents,
    /// Entries of incidents' timelines; `state` holds the kind of the entry.
    Timeline,
    /// Actions: planned, started, and how they ended.
    Actions,
    /// Runs of playbooks.
    Runs,
    /// State of alert rules.
    RuleState,
    /// Notifications to deliver.
    Outbox,
    /// Watches over changes: how they were measured, and the verdict.
    Watches,
    /// Leases on targets, with their fencing tokens.
    Leases,
    /// Approvals that were asked for, and the answers.
    Approvals,
    /// What people have set for the whole loop: the kill switch, the modes of playbooks.
    Switches,
    /// Saved searches.
    Views,
}

impl LedgerTable {
    /// Every table.
    pub const ALL: [LedgerTable; 13] = [
        Self::Changes,
        Self::Alerts,
        Self::Incidents,
        Self::Timeline,
        Self::Actions,
        Self::Runs,
        Self::RuleState,
        Self::Outbox,
        Self::Watches,
        Self::Leases,
        Self::Approvals,
        Self::Switches,
        Self::Views,
    ];

    /// The table's name in SQL and, for those that queries may read, in the query language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Alerts => "alerts",
            Self::Incidents => "incidents",
            Self::Timeline => "timeline",
            Self::Actions => "actions",
            Self::Runs => "runs",
            Self::RuleState => "rule_state",
            Self::Outbox => "outbox",
            Self::Watches => "watches",
            Self::Leases => "leases",
            Self::Approvals => "approvals",
            Self::Switches => "switches",
            Self::Views => "views",
        }
    }
}

/// A document and its key columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its id, unique in its table.
    pub id: String,
    /// When it happened: what ranges and orders are about.
    pub time: Timestamp,
    /// The service it is about; may be empty.
    pub service: String,
    /// Its state, in the words of the table's owner; may be empty.
    pub state: String,
    /// The document.
    pub body: Json,
}

/// An entry for the audit trail.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// When.
    pub time: Timestamp,
    /// Who: a principal, or a part of Backstop such as `respond`.
    pub actor: String,
    /// What was done: `action.started`, `incident.opened`, ...
    pub verb: String,
    /// To what: an id.
    pub subject: String,
    /// Everything else that matters. No secrets.
    pub detail: Json,
}

/// An audit entry as it was kept.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditRecord {
    /// Its place in the trail, from 1.
    pub seq: u64,
    /// Its contents.
    pub entry: AuditEntry,
    /// The hash over it and all before it, 64 hexadecimal digits.
    pub hash: String,
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Write {
    /// Adds or replaces a document.
    Put(LedgerTable, Document),
    /// Adds a document; a conflict when its id is there.
    Insert(LedgerTable, Document),
    /// Adds a document unless its id is there.
    InsertOrKeep(LedgerTable, Document),
    /// Replaces a document whose state is `from`; a conflict when it has another state or is not there.
    Transition {
        /// The table.
        table: LedgerTable,
        /// The state that it must have now.
        from: &'static str,
        /// The document as it becomes.
        to: Document,
    },
    /// Puts a document in the place of the one that was read before; a conflict when another is there now.
    Replace {
        /// The table.
        table: LedgerTable,
        /// The document that must be there, whole; `None` when there must be none.
        was: Option<Document>,
        /// The document as it becomes, of the same id.
        to: Document,
    },
    /// Changes nothing; a conflict unless the number at the key `key` of the document's body is `is`. A document that is not there has
    /// the number 0. This is how a document that two processes write is only replaced as it was read.
    Expect {
        /// The table.
        table: LedgerTable,
        /// The document.
        id: String,
        /// The key in its body.
        key: &'static str,
        /// The number.
        is: u64,
    },
    /// Removes a document, if it is there.
    Delete(LedgerTable, String),
    /// Adds an entry to the audit trail.
    Audit(AuditEntry),
}

/// What a listing is about.
#[derive(Clone, Debug)]
pub struct Filter {
    /// Only documents of this service.
    pub service: Option<String>,
    /// Only documents in one of these states; empty for all.
    pub states: Vec<String>,
    /// Only documents whose id begins so.
    pub id_prefix: Option<String>,
    /// Only documents of these times.
    pub range: TimeRange,
    /// Latest first; earliest first otherwise.
    pub latest_first: bool,
    /// At most so many.
    pub limit: usize,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            service: None,
            states: Vec::new(),
            id_prefix: None,
            range: TimeRange::ALL,
            latest_first: false,
            limit: LEDGER_LIST_MAX,
        }
    }
}

/// What can go wrong with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A document that must not exist exists, or is in another state than a transition wants.
    #[error("{table} {id:?} is {found}, not {wanted}: someone else was faster; read it again")]
    Conflict {
        /// The table.
        table: &'static str,
        /// The document.
        id: String,
        /// What is there.
        found: String,
        /// What was wanted.
        wanted: String,
    },
    /// The audit trail does not verify.
    #[error("audit entry {seq} does not verify: {reason}; the trail was altered, compare it with a backup")]
    Altered {
        /// The first entry that does not verify.
        seq: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A document that is not JSON.
    #[error(
        "{table} {id:?} holds text that is not JSON: {source}; the ledger file is damaged, restore it from a backup"
    )]
    Document {
        /// The table.
        table: &'static str,
        /// The document.
        id: String,
        /// The parser's words.
        source: serde_json::Error,
    },
    /// A file of a later version.
    #[error("the ledger has schema version {found}, this program knows {SCHEMA_VERSION}: use a newer program")]
    Version {
        /// The version found.
        found: i64,
    },
    /// A table that queries can not read.
    #[error(
        "no table {0:?} in the ledger: there are changes, alerts, incidents, timeline, actions, runs, watches, approvals and audit"
    )]
    UnknownTable(String),
    /// SQLite failed.
    #[error("the ledger failed: {0}; check the disk and the file's permissions")]
    Sqlite(#[from] rusqlite::Error),
    /// A fault that a test put there.
    #[error("injected fault: {0}")]
    Injected(String),
}

/// The ledger as its users see it, so that a test can put faults in between.
pub trait Records: Send + Sync {
    /// Commits a batch: all of it, durably, or nothing.
    fn commit(&self, batch: Vec<Write>) -> Result<(), LedgerError>;
    /// A document by its id.
    fn get(&self, table: LedgerTable, id: &str) -> Result<Option<Document>, LedgerError>;
    /// Documents in the order of their time, then their insertion.
    fn list(&self, table: LedgerTable, filter: &Filter) -> Result<Vec<Document>, LedgerError>;
}

/// The ledger in a SQLite file.
pub struct Ledger {
    connection: Mutex<Connection>,
}

impl Ledger {
    /// Opens the file, creating it when absent, in WAL mode with `synchronous=FULL`.
    pub fn open(path: &Path) -> Result<Ledger, LedgerError> {
        Self::prepare(Connection::open(path)?)
    }

    /// A ledger in memory, for tests and dry runs.
    pub fn in_memory() -> Result<Ledger, LedgerError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> Result<Ledger, LedgerError> {
        connection.busy_timeout(std::time::Duration::from_millis(LEDGER_BUSY_TIMEOUT_MS))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match found {
            // Earlier versions lack tables that this one has; nothing else differs.
            0..SCHEMA_VERSION => {
                connection.execute_batch(&schema())?;
                connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
            }
            SCHEMA_VERSION => {}
            _ => return Err(LedgerError::Version { found }),
        }
        Ok(Ledger { connection: Mutex::new(connection) })
    }

    /// Audit entries after `after_seq`, in order, at most `limit`.
    pub fn audit(&self, after_seq: u64, limit: usize) -> Result<Vec<AuditRecord>, LedgerError> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(
            "SELECT seq, time_ns, actor, verb, subject, detail, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query(params![sql_int(after_seq), sql_limit(limit)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(audit_record(row)?);
        }
        Ok(found)
    }

    /// Recomputes the hash chain; returns how many entries there are and the hash of the last.
    pub fn verify_audit(&self) -> Result<(u64, String), LedgerError> {
        const PAGE: usize = 10_000;
        let (mut seq, mut hash) = (0, AUDIT_GENESIS.to_owned());
        loop {
            // Others may write between two pages.
            let connection = self.connection.lock();
            let mut statement = connection.prepare_cached(
                "SELECT seq, time_ns, actor, verb, subject, detail, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let mut rows = statement.query(params![sql_int(seq), sql_limit(PAGE)])?;
            let first = seq;
            while let Some(row) = rows.next()? {
                let record = audit_record(row)?;
                if record.seq != seq + 1 {
                    return Err(LedgerError::Altered { seq: seq + 1, reason: "it is missing" });
                }
                seq = record.seq;
                let detail: String = row.get(5)?;
                let wanted = chain(&hash, seq, &record.entry, &detail);
                if record.hash != wanted {
                    return Err(LedgerError::Altered { seq, reason: "its hash does not match its contents" });
                }
                hash = wanted;
            }
            if seq - first < PAGE as u64 {
                return Ok((seq, hash));
            }
        }
    }

    /// The rows that the query language reads: `table` is `changes`, `alerts`, `incidents`, `timeline`, `actions`, `runs`,
    /// `watches`, `approvals` or `audit`. The latest `limit` rows of the range, in order of time. A document's fields become fields
    /// of the row, its `summary` the body; a field whose name begins with `_` is its owner's own and is left out.
    pub fn rows(&self, table: &str, range: TimeRange, limit: usize) -> Result<Vec<Row>, LedgerError> {
        if table == "audit" {
            return self.audit_rows(range, limit);
        }
        const READABLE: [LedgerTable; 8] = [
            LedgerTable::Changes,
            LedgerTable::Alerts,
            LedgerTable::Incidents,
            LedgerTable::Timeline,
            LedgerTable::Actions,
            LedgerTable::Runs,
            LedgerTable::Watches,
            LedgerTable::Approvals,
        ];
        let known = READABLE.into_iter().find(|known| known.as_str() == table);
        let known = known.ok_or_else(|| LedgerError::UnknownTable(table.to_owned()))?;
        let filter = Filter { range, limit, latest_first: true, ..Filter::default() };
        let mut rows: Vec<Row> =
            self.select(known, &filter)?.into_iter().map(|(rowid, document)| document_row(rowid, document)).collect();
        rows.reverse();
        Ok(rows)
    }

    fn audit_rows(&self, range: TimeRange, limit: usize) -> Result<Vec<Row>, LedgerError> {
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(
            "SELECT seq, time_ns, actor, verb, subject, detail, hash FROM audit WHERE time_ns >= ?1 AND time_ns < ?2 \
             ORDER BY seq DESC LIMIT ?3",
        )?;
        let mut rows = statement.query(params![range.start.0, range.end.0, sql_limit(limit)])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let record = audit_record(row)?;
            let entry = record.entry;
            let mut row = Row::new(entry.time);
            row.id = RowId(record.seq);
            row.set(field::BODY, format!("{} {} {}", entry.actor, entry.verb, entry.subject));
            row.set("actor", entry.actor);
            row.set("verb", entry.verb);
            row.set("subject", entry.subject);
            row.set("detail", Value::from(entry.detail));
            row.set("hash", record.hash);
            found.push(row.finish());
        }
        found.reverse();
        Ok(found)
    }

    fn select(&self, table: LedgerTable, filter: &Filter) -> Result<Vec<(i64, Document)>, LedgerError> {
        let (sql, values) = list_sql(table, filter);
        let connection = self.connection.lock();
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(values))?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push((row.get(0)?, read_document(table, row)?));
        }
        Ok(found)
    }
}

impl Records for Ledger {
    fn commit(&self, batch: Vec<Write>) -> Result<(), LedgerError> {
        let mut connection = self.connection.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for write in batch {
            apply(&transaction, write)?;
        }
        Ok(transaction.commit()?)
    }

    fn get(&self, table: LedgerTable, id: &str) -> Result<Option<Document>, LedgerError> {
        let connection = self.connection.lock();
        let sql = format!("SELECT rowid, id, time_ns, service, state, body FROM {} WHERE id = ?1", table.as_str());
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![id])?;
        rows.next()?.map(|row| read_document(table, row)).transpose()
    }

    fn list(&self, table: LedgerTable, filter: &Filter) -> Result<Vec<Document>, LedgerError> {
        Ok(self.select(table, filter)?.into_iter().map(|(_, document)| document).collect())
    }
}

/// `SHA256` of some bytes, as 64 hexadecimal digits: what ids and action keys are made of.
pub fn sha256_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// JSON text that is the same for equal documents: keys sorted, no spaces.
pub fn canonical_json(json: &Json) -> String {
    match json {
        Json::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            let fields: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}:{}", Json::String(key.clone()), canonical_json(&map[key])))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical_json).collect();
            format!("[{}]", items.join(","))
        }
        scalar => scalar.to_string(),
    }
}

fn schema() -> String {
    let mut sql = String::from("BEGIN;");
    for table in LedgerTable::ALL {
        let name = table.as_str();
        sql.push_str(&format!(
            "CREATE TABLE IF NOT EXISTS {name} (id TEXT NOT NULL UNIQUE, time_ns INTEGER NOT NULL, service TEXT NOT NULL, \
             state TEXT NOT NULL, body TEXT NOT NULL);\
             CREATE INDEX IF NOT EXISTS {name}_time ON {name} (time_ns);\
             CREATE INDEX IF NOT EXISTS {name}_service ON {name} (service, time_ns);\
             CREATE INDEX IF NOT EXISTS {name}_state ON {name} (state, time_ns);"
        ));
    }
    sql.push_str(
        "CREATE TABLE IF NOT EXISTS audit (seq INTEGER PRIMARY KEY, time_ns INTEGER NOT NULL, actor TEXT NOT NULL, verb TEXT NOT NULL, \
         subject TEXT NOT NULL, detail TEXT NOT NULL, hash TEXT NOT NULL);\
         CREATE INDEX IF NOT EXISTS audit_time ON audit (time_ns);\
         CREATE TRIGGER IF NOT EXISTS audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;\
         CREATE TRIGGER IF NOT EXISTS audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit is append-only'); END;\
         COMMIT;",
    );
    sql
}

fn apply(transaction: &Transaction<'_>, write: Write) -> Result<(), LedgerError> {
    match write {
        Write::Put(table, document) => upsert(transaction, table, &document),
        Write::Insert(table, document) => match state_of(transaction, table, &document.id)? {
            Some(found) => Err(conflict(table, document.id, format!("there, {found:?}"), "absent")),
            None => upsert(transaction, table, &document),
        },
        Write::InsertOrKeep(table, document) => match state_of(transaction, table, &document.id)? {
            Some(_) => Ok(()),
            None => upsert(transaction, table, &document),
        },
        Write::Transition { table, from, to } => match state_of(transaction, table, &to.id)? {
            Some(found) if found == from => upsert(transaction, table, &to),
            Some(found) => Err(conflict(table, to.id, format!("{found:?}"), from)),
            None => Err(conflict(table, to.id, "absent".to_owned(), from)),
        },
        Write::Replace { table, was, to } => {
            let there = document_of(transaction, table, &to.id)?;
            if there != was {
                let word = |document: Option<Document>| document.map_or("absent", |_| "another version").to_owned();
                let wanted = if was.is_some() { "the version that was read" } else { "absent" };
                return Err(conflict(table, to.id, word(there), wanted));
            }
            upsert(transaction, table, &to)
        }
        Write::Expect { table, id, key, is } => expect::check(transaction, table, id, key, is),
        Write::Delete(table, id) => {
            transaction.execute(&format!("DELETE FROM {} WHERE id = ?1", table.as_str()), params![id])?;
            Ok(())
        }
        Write::Audit(entry) => append_audit(transaction, &entry),
    }
}

pub(crate) fn conflict(table: LedgerTable, id: String, found: String, wanted: &str) -> LedgerError {
    LedgerError::Conflict { table: table.as_str(), id, found, wanted: wanted.to_owned() }
}

fn state_of(transaction: &Transaction<'_>, table: LedgerTable, id: &str) -> Result<Option<String>, LedgerError> {
    let sql = format!("SELECT state FROM {} WHERE id = ?1", table.as_str());
    Ok(transaction.prepare_cached(&sql)?.query_row(params![id], |row| row.get(0)).optional()?)
}

fn document_of(transaction: &Transaction<'_>, table: LedgerTable, id: &str) -> Result<Option<Document>, LedgerError> {
    let sql = format!("SELECT rowid, id, time_ns, service, state, body FROM {} WHERE id = ?1", table.as_str());
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params![id])?;
    rows.next()?.map(|row| read_document(table, row)).transpose()
}

fn upsert(transaction: &Transaction<'_>, table: LedgerTable, document: &Document) -> Result<(), LedgerError> {
    let sql = format!(
        "INSERT INTO {} (id, time_ns, service, state, body) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET \
         time_ns = excluded.time_ns, service = excluded.service, state = excluded.state, body = excluded.body",
        table.as_str()
    );
    let Document { id, time, service, state, body } = document;
    transaction.prepare_cached(&sql)?.execute(params![id, time.0, service, state, body.to_string()])?;
    Ok(())
}

fn append_audit(transaction: &Transaction<'_>, entry: &AuditEntry) -> Result<(), LedgerError> {
    let last: Option<(i64, String)> = transaction
        .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (seq, before) = last.map_or((1, AUDIT_GENESIS.to_owned()), |(seq, hash)| (seq + 1, hash));
    let detail = canonical_json(&entry.detail);
    let hash = chain(&before, u64::try_from(seq).unwrap_or(0), entry, &detail);
    let sql =
        "INSERT INTO audit (seq, time_ns, actor, verb, subject, detail, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let AuditEntry { time, actor, verb, subject, .. } = entry;
    transaction.prepare_cached(sql)?.execute(params![seq, time.0, actor, verb, subject, detail, hash])?;
    Ok(())
}

/// The hash of an entry after another one, over the canonical JSON of its contents. The detail is taken as the text that is kept: a
/// number that is read and written again may end in another digit.
fn chain(before: &str, seq: u64, entry: &AuditEntry, detail: &str) -> String {
    let text = |text: &str| Json::String(text.to_owned());
    let AuditEntry { time, actor, verb, subject, .. } = entry;
    let contents = format!(
        r#"{{"actor":{},"detail":{detail},"seq":{seq},"subject":{},"time_ns":{},"verb":{}}}"#,
        text(actor),
        text(subject),
        time.0,
        text(verb)
    );
    sha256_hex(format!("{before}{contents}").as_bytes())
}

fn audit_record(row: &rusqlite::Row<'_>) -> Result<AuditRecord, LedgerError> {
    let seq: i64 = row.get(0)?;
    let detail: String = row.get(5)?;
    let detail = serde_json::from_str(&detail).map_err(|source| LedgerError::Document {
        table: "audit",
        id: seq.to_string(),
        source,
    })?;
    let entry = AuditEntry {
        time: Timestamp(row.get(1)?),
        actor: row.get(2)?,
        verb: row.get(3)?,
        subject: row.get(4)?,
        detail,
    };
    Ok(AuditRecord { seq: u64::try_from(seq).unwrap_or(0), entry, hash: row.get(6)? })
}

fn read_document(table: LedgerTable, row: &rusqlite::Row<'_>) -> Result<Document, LedgerError> {
    let id: String = row.get(1)?;
    let body: String = row.get(5)?;
    let body = serde_json::from_str(&body).map_err(|source| LedgerError::Document {
        table: table.as_str(),
        id: id.clone(),
        source,
    })?;
    Ok(Document { id, time: Timestamp(row.get(2)?), service: row.get(3)?, state: row.get(4)?, body })
}

fn list_sql(table: LedgerTable, filter: &Filter) -> (String, Vec<Sql>) {
    let mut sql = format!("SELECT rowid, id, time_ns, service, state, body FROM {} WHERE 1", table.as_str());
    let mut values = Vec::new();
    let bind = |values: &mut Vec<Sql>, value: Sql| {
        values.push(value);
        format!("?{}", values.len())
    };
    // `TimeRange::ALL` ends before the last representable time; it must not cut anything off.
    if filter.range != TimeRange::ALL {
        let start = bind(&mut values, Sql::Integer(filter.range.start.0));
        let end = bind(&mut values, Sql::Integer(filter.range.end.0));
        sql.push_str(&format!(" AND time_ns >= {start} AND time_ns < {end}"));
    }
    if let Some(service) = &filter.service {
        sql.push_str(&format!(" AND service = {}", bind(&mut values, Sql::Text(service.clone()))));
    }
    if let Some(prefix) = &filter.id_prefix {
        let text = bind(&mut values, Sql::Text(prefix.clone()));
        sql.push_str(&format!(" AND substr(id, 1, length({text})) = {text}"));
    }
    if !filter.states.is_empty() {
        let states: Vec<String> =
            filter.states.iter().map(|state| bind(&mut values, Sql::Text(state.clone()))).collect();
        sql.push_str(&format!(" AND state IN ({})", states.join(", ")));
    }
    let order = if filter.latest_first { "DESC" } else { "ASC" };
    let limit = bind(&mut values, Sql::Integer(sql_limit(filter.limit)));
    sql.push_str(&format!(" ORDER BY time_ns {order}, rowid {order} LIMIT {limit}"));
    (sql, values)
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit.min(LEDGER_LIST_MAX)).unwrap_or(i64::MAX)
}

fn sql_int(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn document_row(rowid: i64, document: Document) -> Row {
    let Document { id, time, service, state, body } = document;
    let mut row = Row::new(time);
    row.id = RowId(u64::try_from(rowid).unwrap_or(0));
    if let Some(summary) = body.get("summary").and_then(Json::as_str) {
        row.set(field::BODY, summary);
    }
    if let Json::Object(fields) = body {
        let shown = |name: &str| name != "summary" && !name.starts_with('_');
        for (name, value) in fields.into_iter().filter(|(name, _)| shown(name)) {
            row.set(&name, Value::from(value));
        }
    }
    for (name, value) in [("id", id), ("state", state), (field::SERVICE_NAME, service)] {
        if !value.is_empty() && row.get(name).is_none() {
            row.fields.push((Arc::from(name), Value::Str(value)));
        }
    }
    row.finish()
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
