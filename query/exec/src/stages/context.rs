//! The stage `context`: the rows around each row, of the same stream.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use compute::Value;
use futures::{StreamExt as _, stream};
use lang::{Case, Context, FieldName, Filter, Input, Test};
use model::{TimeRange, Timestamp, field};
use plan::{LogicalPlan, Scan, ScanOrder};

use super::cells::{self, ColumnBuilder, Table, with_columns};
use super::rows::ENTRY_BYTES;
use super::{Batches, Run, unsupported};
use crate::ExecError;
use crate::memory::Held;

/// Rows whose surroundings are shown, at most.
pub(crate) const CONTEXT_MATCHES_MAX: usize = 1_000;

/// Rows of one stream and one moment that are looked through for the neighbours of one of them.
const SAME_MOMENT_ROWS_MAX: u64 = 100_000;

/// Where a row stands: its stream, its time and its id.
type Place = (String, i64, String);

/// What a row is to the rows that match. The smallest counts when it is several.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Match,
    Before,
    After,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// The rows of a table around those that match, in the order of streams and times.
pub(super) async fn rows(
    run: &Run,
    table: Input,
    mut matches: Batches,
    context: Context,
) -> Result<Batches, ExecError> {
    let mut found: BTreeMap<Place, (Role, RecordBatch)> = BTreeMap::new();
    let mut places: Vec<Place> = Vec::new();
    let (mut held, mut bytes) = (Held::new(&run.pool, "context"), 0);
    while let Some(batch) = matches.next().await {
        for (place, row) in placed(&batch?)? {
            places.push(place.clone());
            bytes += cells::bytes(&row) + ENTRY_BYTES;
            held.set(bytes)?;
            found.insert(place, (Role::Match, row));
        }
        if places.len() > CONTEXT_MATCHES_MAX {
            return Err(unsupported(
                format!(
                    "more than {CONTEXT_MATCHES_MAX} rows match, which is the limit of `context` (CONTEXT_MATCHES_MAX)"
                ),
                "narrow the filter, or the time range",
            ));
        }
    }
    for place in places {
        for (role, rows) in [(Role::Before, context.before), (Role::After, context.after)] {
            if rows == 0 {
                continue;
            }
            run.control.check()?;
            for (near, row) in neighbours(run, &table, &place, role, rows).await? {
                bytes += cells::bytes(&row) + ENTRY_BYTES;
                held.set(bytes)?;
                let known = found.entry(near).or_insert((role, row));
                known.0 = known.0.min(role);
            }
        }
    }
    let rows = found.into_values().map(|(role, row)| {
        let mut column = ColumnBuilder::default();
        column.push(Value::Text(role.as_str().into()));
        with_columns(&row, [column.finish(Context::COLUMN)])
    });
    let rows: Vec<RecordBatch> = rows.collect::<Result<_, _>>()?;
    let all = if rows.is_empty() { Vec::new() } else { vec![cells::unite(&rows)] };
    Ok(Box::pin(stream::iter(all)))
}

/// The rows of a batch one by one, each with its place.
fn placed(batch: &RecordBatch) -> Result<Vec<(Place, RecordBatch)>, ExecError> {
    let table = Table::new(batch);
    let mut out = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let Value::Time(time) = table.value(field::TIME, row) else { continue };
        let (stream, id) = (table.text(field::STREAM, row).into_owned(), table.text(field::ID, row).into_owned());
        out.push(((stream, time, id), cells::take(batch, vec![row as u32])?));
    }
    Ok(out)
}

/// The nearest rows of the same stream on one side.
async fn neighbours(
    run: &Run,
    table: &Input,
    place: &Place,
    role: Role,
    rows: u64,
) -> Result<Vec<(Place, RecordBatch)>, ExecError> {
    let (stream, time, id) = place;
    let before = role == Role::Before;
    let range = match before {
        true => TimeRange::new(TimeRange::ALL.start, Timestamp(time.saturating_add(1))),
        false => TimeRange::new(Timestamp(*time), TimeRange::ALL.end),
    };
    let of_stream = Test::Exact { text: stream.clone(), prefix: false, case: Case::Sensitive };
    let mut wanted = rows.saturating_add(1);
    loop {
        let scan = Scan {
            input: table.clone(),
            range,
            filter: Filter::Field(FieldName::Named(field::STREAM.to_owned()), of_stream.clone()),
            fields: None,
            order: Some(if before { ScanOrder::NewestFirst } else { ScanOrder::OldestFirst }),
            fetch: Some(wanted),
        };
        let plan = LogicalPlan::Limit { input: Box::new(LogicalPlan::Scan(scan)), offset: 0, fetch: Some(wanted) };
        let mut found = run.rows_of(plan).await?;
        let (mut near, mut seen) = (Vec::new(), 0u64);
        while let Some(batch) = found.next().await {
            let batch = batch?;
            seen += batch.num_rows() as u64;
            near.extend(placed(&batch)?.into_iter().filter(|((_, at, other), _)| {
                let order = (*at, other).cmp(&(*time, id));
                if before { order.is_lt() } else { order.is_gt() }
            }));
        }
        near.truncate(usize::try_from(rows).unwrap_or(usize::MAX));
        // Rows of the same moment may have taken the places: then more are asked for.
        if near.len() as u64 == rows || seen < wanted {
            return Ok(near);
        }
        wanted = wanted.saturating_mul(4);
        if wanted > SAME_MOMENT_ROWS_MAX {
            return Err(unsupported(
                format!(
                    "more than {SAME_MOMENT_ROWS_MAX} rows of one stream have the same time (SAME_MOMENT_ROWS_MAX)"
                ),
                "their order is not known; choose rows by a field instead",
            ));
        }
    }
}
