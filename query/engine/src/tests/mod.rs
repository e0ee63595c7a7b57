//! Queries against a real store in a temporary directory.

mod deletes;
mod goldens;
mod layouts;
mod limits;
mod oracle;
mod pipes;
mod random;
mod small;
mod sql;
mod sql_limits;

use std::sync::Arc;

use model::{Batch, BatchData, Row, Table, TenantId, Timestamp};
use store::{Store, StoreOptions};

use crate::{Engine, NoStateTables, QueryError, QueryLimits, QueryRequest, QueryResult};

/// A store with an engine, gone when dropped.
struct Bench {
    engine: Engine,
    store: Arc<Store>,
    _dir: tempfile::TempDir,
}

/// The time that queries take for now.
const NOW: Timestamp = Timestamp(1_800_000_000_000_000_000);

/// Where the rows of a test are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Memtable,
    Segments,
    Both,
}

const PLACES: [Place; 3] = [Place::Memtable, Place::Segments, Place::Both];

impl Bench {
    fn new(limits: QueryLimits) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(StoreOptions::new(dir.path())).unwrap());
        let engine = Engine::new(store.clone(), Arc::new(NoStateTables), limits).unwrap();
        Self { engine, store, _dir: dir }
    }

    /// With these rows, in this order of arrival.
    fn with(rows: &[Row], place: Place) -> Self {
        let bench = Self::new(QueryLimits::default());
        bench.fill(rows, place);
        bench
    }

    fn fill(&self, rows: &[Row], place: Place) {
        let half = if place == Place::Both { rows.len() / 2 } else { rows.len() };
        self.append(&rows[..half]);
        if place != Place::Memtable {
            self.store.flush(false).unwrap();
        }
        self.append(&rows[half..]);
    }

    fn append(&self, rows: &[Row]) {
        if rows.is_empty() {
            return;
        }
        let data = BatchData::Rows(Table::Logs, rows.to_vec());
        self.store.append(vec![Batch { tenant: TenantId::default(), data }]).unwrap().wait().unwrap();
    }

    fn delete(&self, text: &str) -> Result<crate::DeleteReport, QueryError> {
        block_on(self.engine.delete(Self::request(text)))
    }

    fn request(text: &str) -> QueryRequest {
        QueryRequest::new(TenantId::default(), text, NOW)
    }

    fn run(&self, request: QueryRequest) -> Result<QueryResult, QueryError> {
        block_on(async { self.engine.run(request).await?.collect_all().await })
    }

    fn lines(&self, text: &str) -> Vec<String> {
        self.run(Self::request(text)).unwrap().json_lines()
    }
}

fn block_on<F: Future>(task: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(task)
}

/// A row `seconds` after the start of 2026-11-23.
fn row(seconds: i64, fields: &[(&str, model::Value)]) -> Row {
    let mut row = Row::new(Timestamp((1_795_392_000 + seconds) * 1_000_000_000));
    for (name, value) in fields {
        row.set(name, value.clone());
    }
    row.finish()
}
