//! Reading a data directory on which no server runs.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use api::{FileFormat, ResultFile};
use catalog::ledger::Ledger;
use engine::{Engine, QueryError, QueryLimits, QueryRequest};
use model::{TenantId, TimeRange, Timestamp};
use serde_json::{Value, json};
use store::{Store, StoreError, StoreOptions};
use tokio::runtime::Runtime;

use crate::cli::QueryArgs;
use crate::exit::Failure;
use crate::loops::state::LedgerTables;

/// Name of the ledger's file in a data directory.
pub(crate) const LEDGER_FILE: &str = "ledger.sqlite";

/// Opens the store of a directory that exists.
pub(crate) fn open_store(dir: &Path) -> Result<Store, Failure> {
    if !dir.is_dir() {
        return Err(Failure::usage(
            format!("{} is not a directory", dir.display()),
            "name the directory that `backstop serve --data` was given",
        ));
    }
    Store::open(StoreOptions::new(dir)).map_err(|error| store_failure(&error))
}

/// A store that can not be opened: exit code 70.
pub(crate) fn store_failure(error: &StoreError) -> Failure {
    let hint = match error {
        StoreError::Locked { .. } => "ask the running server with --url, or stop it first",
        _ => "the directory is left as it was",
    };
    Failure::internal(error.to_string(), hint)
}

/// Runs a query without a server and gives the whole answer.
pub(crate) fn query(args: &QueryArgs, dir: &Path) -> Result<Value, Failure> {
    let (engine, request, runtime) = opened(args, dir)?;
    let result = runtime.block_on(async { engine.run(request).await?.collect_all().await });
    let result = result.map_err(|error| refused(args, error))?;
    Ok(json!({"rows": result.json_rows(), "stats": result.stats, "limit_reached": result.stats.limit_reached}))
}

/// Runs a query without a server and writes its rows as a file; the inner result is that of writing.
pub(crate) fn write_file(args: &QueryArgs, dir: &Path, format: FileFormat) -> Result<std::io::Result<()>, Failure> {
    let (engine, request, runtime) = opened(args, dir)?;
    runtime.block_on(async {
        let mut file = ResultFile::open(&engine, request, format).await.map_err(|error| refused(args, error))?;
        let mut out = std::io::stdout().lock();
        loop {
            let next = file.next().await;
            let (bytes, more) =
                next.map_err(|error| Failure::internal(format!("the file is not whole: {error}"), ""))?;
            if let Err(error) = out.write_all(&bytes) {
                return Ok(Err(error));
            }
            if !more {
                return Ok(Ok(()));
            }
        }
    })
}

fn refused(args: &QueryArgs, error: QueryError) -> Failure {
    match error {
        QueryError::Parse(diagnostics) => crate::query::unreadable(&args.query, &diagnostics),
        error => Failure::negative(format!("{error}\nhint: {}", error.hint())),
    }
}

/// An engine over a directory, what is asked of it, and what runs it.
fn opened(args: &QueryArgs, dir: &Path) -> Result<(Engine, QueryRequest, Runtime), Failure> {
    let broken = |error: &dyn std::fmt::Display| Failure::internal(error.to_string(), "");
    let store = Arc::new(open_store(dir)?);
    let ledger = Arc::new(Ledger::open(&dir.join(LEDGER_FILE)).map_err(|error| broken(&error))?);
    let engine = Engine::new(store, Arc::new(LedgerTables::new(ledger)), QueryLimits::default())
        .map_err(|error| broken(&error))?;
    let now = telemetry::clock::now();
    let mut request = QueryRequest::new(TenantId::default(), args.query.clone(), now);
    request.range = TimeRange::new(
        time(args.from.as_deref(), TimeRange::ALL.start, now)?,
        time(args.to.as_deref(), TimeRange::ALL.end, now)?,
    );
    request.limit = args.limit;
    request.language = args.language.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| broken(&error))?;
    Ok((engine, request, runtime))
}

fn time(text: Option<&str>, default: Timestamp, now: Timestamp) -> Result<Timestamp, Failure> {
    text.map_or(Ok(default), |text| Timestamp::parse(text, now).map_err(|error| Failure::usage(error.to_string(), "")))
}
