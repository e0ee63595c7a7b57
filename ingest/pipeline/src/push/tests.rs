use arrow_array::RecordBatch;
use column::BatchBuilder;
use decode::{Format, LineOptions, Reject, decode_lines};
use model::{BatchData, Row, Sample, SeriesBatch, SeriesSamples, Table, TimeRange, Value};
use series::SeriesOptions;
use store::StoreOptions;

use crate::{APPEND_BYTES_MAX, APPEND_DAYS_MAX};

use super::*;

const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);

struct Rig {
    _dir: tempfile::TempDir,
    store: Arc<Store>,
    pipeline: Pipeline,
}

fn rig(change: impl FnOnce(&mut StoreOptions)) -> Rig {
    let dir = tempfile::tempdir().unwrap();
    let mut options = StoreOptions::new(dir.path());
    change(&mut options);
    let store = Arc::new(Store::open(options).unwrap());
    let pipeline = Pipeline::new(Arc::clone(&store), &PipelineOptions::default());
    Rig { _dir: dir, store, pipeline }
}

impl Rig {
    fn rows(&self, table: Table) -> Vec<Row> {
        let snapshot = self.store.snapshot(&TenantId::default(), table, TimeRange::ALL);
        assert!(snapshot.segments.is_empty());
        snapshot.chunks.iter().flat_map(|chunk| column::rows_from_batch(chunk.batch())).collect()
    }

    async fn push(&self, decoded: Decoded) -> Result<Accepted, PushError> {
        let source = Source { protocol: Protocol::Native, peer: "10.0.0.1".into() };
        self.pipeline.push(&TenantId::default(), &source, RECEIVED, decoded).await
    }
}

fn json(lines: &str) -> Decoded {
    decode_lines(Format::Json, lines.as_bytes(), RECEIVED, &LineOptions::default())
}

#[tokio::test]
async fn rejects_are_stored_beside_their_good_neighbours() {
    let rig = rig(|_| {});
    let accepted = rig.push(json("{\"msg\":\"a\"}\n{oops\n{\"msg\":\"b\"}\n")).await;
    assert_eq!(accepted, Ok(Accepted { rows: 2, samples: 0, quarantined: 1 }));
    let bodies: Vec<String> = rig.rows(Table::Logs).iter().map(|row| row.body().to_owned()).collect();
    assert_eq!(bodies, ["a", "b"]);
    let quarantined = &rig.rows(Table::Quarantine)[0];
    let field = |name| quarantined.get(name).map(Value::text).unwrap_or_default();
    assert_eq!((quarantined.body(), &*field("protocol"), &*field("peer")), ("{oops", "native", "10.0.0.1"));
    assert!(field("reason").contains("not JSON"), "{}", field("reason"));
}

#[tokio::test]
async fn a_series_over_a_limit_is_quarantined_and_its_neighbours_are_stored() {
    let rig = rig(|options| options.series.series_per_tenant_max = 2);
    let series = |name: &str, value: &str| SeriesSamples {
        labels: [("__name__", name), ("l", value)].into_iter().collect(),
        samples: vec![Sample { time_ms: 1, value: 1.0 }, Sample { time_ms: 2, value: 2.0 }],
        ..SeriesSamples::default()
    };
    let long = "v".repeat(SeriesOptions::default().label_value_bytes_max + 1);
    let batch = vec![series("up", "a"), series("up", &long), series("up", "b"), series("up", "c"), series("up", "a")];
    let mut decoded = Decoded { series: SeriesBatch { series: batch, metadata: Vec::new() }, ..Decoded::default() };
    rig.pipeline.admit(&TenantId::default(), &mut decoded);
    assert_eq!(decoded.rejected(), 4, "two samples of two series");
    let accepted = rig.push(decoded).await;
    assert_eq!(accepted, Ok(Accepted { rows: 0, samples: 6, quarantined: 4 }));
    assert_eq!(rig.store.series().series_count(), 2);
    let reasons: Vec<String> =
        rig.rows(Table::Quarantine).iter().filter_map(|row| row.get("reason")).map(|r| r.text().into_owned()).collect();
    assert_eq!(reasons.len(), 2);
    assert!(reasons.iter().all(|reason| reason.starts_with("series over a limit: ")), "{reasons:?}");
    assert_eq!(rig.store.stats().series_rejected, 0, "nothing is refused after it was acknowledged");
}

#[tokio::test]
async fn nothing_is_acknowledged_at_once() {
    assert_eq!(rig(|_| {}).push(Decoded::default()).await, Ok(Accepted::default()));
}

#[tokio::test]
async fn busy_takes_nothing_and_says_when_to_come_back() {
    let rig = rig(|options| options.memory_bytes_max = 1);
    rig.push(json("{\"msg\":\"the first passes\"}")).await.unwrap();
    let busy = rig.push(json("{\"msg\":\"refused\"}\n{oops")).await;
    assert!(matches!(busy, Err(PushError::Busy { retry_after_ms: 1.., .. })), "{busy:?}");
    assert_eq!((rig.rows(Table::Logs).len(), rig.rows(Table::Quarantine).len()), (1, 0));
}

#[tokio::test]
async fn a_large_request_goes_in_several_appends_and_keeps_its_order() {
    let rig = rig(|_| {});
    let text = "x".repeat(900_000);
    let mut decoded = json(&(0..40).map(|n| format!("{{\"msg\":\"{text}\",\"n\":{n}}}\n")).collect::<String>());
    decoded.rejects.push(Reject::new("bad", b"raw"));
    let appends = appends(
        &TenantId::default(),
        &Source { protocol: Protocol::Native, peer: String::new() },
        RECEIVED,
        decoded.clone(),
    );
    assert_eq!(appends.len(), 3);
    assert_eq!(rig.push(decoded).await, Ok(Accepted { rows: 40, samples: 0, quarantined: 1 }));
    let numbers: Vec<f64> = rig.rows(Table::Logs).iter().filter_map(|row| row.get("n")?.number()).collect();
    assert_eq!(numbers, (0..40).map(f64::from).collect::<Vec<_>>());
    assert_eq!(rig.rows(Table::Quarantine).len(), 1);
}

/// A batch of bodies and their times.
fn columns(rows: impl IntoIterator<Item = (Timestamp, String)>) -> RecordBatch {
    let mut builder = BatchBuilder::new();
    let body = builder.slot("body");
    for (time, text) in rows {
        builder.begin(time);
        builder.put_str(body, &text);
        builder.stream("{}");
        builder.end();
    }
    builder.finish()
}

fn cut(decoded: Decoded) -> Vec<Vec<Batch>> {
    appends(&TenantId::default(), &Source { protocol: Protocol::OtlpHttp, peer: String::new() }, RECEIVED, decoded)
}

fn days_of(append: &[Batch]) -> usize {
    let mut days = std::collections::BTreeSet::new();
    for batch in append {
        match &batch.data {
            BatchData::Columns(_, batch) => days.extend(column::days(batch)),
            BatchData::Rows(_, rows) => days.extend(rows.iter().map(|row| row.time.day())),
            BatchData::Series(_) => {}
        }
    }
    days.len()
}

#[tokio::test]
async fn columns_and_their_rejects_are_stored_together() {
    let rig = rig(|_| {});
    let batch = columns((0..3).map(|n| (RECEIVED, format!("line {n}"))));
    let mut decoded = Decoded { log_batches: vec![batch.clone(), batch], ..json("{\"msg\":\"a row\"}") };
    decoded.rejects.push(Reject::new("bad", b"raw"));
    assert_eq!(cut(decoded.clone()).len(), 1);
    assert_eq!(rig.push(decoded).await, Ok(Accepted { rows: 7, samples: 0, quarantined: 1 }));
    let bodies: Vec<String> = rig.rows(Table::Logs).iter().map(|row| row.body().to_owned()).collect();
    assert_eq!(bodies, ["line 0", "line 1", "line 2", "line 0", "line 1", "line 2", "a row"]);
    assert_eq!(rig.rows(Table::Quarantine).len(), 1);
}

#[test]
fn a_large_batch_is_cut_into_slices() {
    let text = "x".repeat(100_000);
    let batch = columns((0..400).map(|n| (RECEIVED, format!("{n} {text}"))));
    let appends = cut(Decoded { log_batches: vec![batch], ..Decoded::default() });
    assert_eq!(appends.len(), 3);
    let mut next = 0;
    for batch in appends.iter().flatten() {
        let BatchData::Columns(Table::Logs, batch) = &batch.data else { panic!("columns became {batch:?}") };
        assert!(column::batch_bytes(batch) <= APPEND_BYTES_MAX);
        for row in column::rows_from_batch(batch) {
            assert!(row.body().starts_with(&format!("{next} ")));
            next += 1;
        }
    }
    assert_eq!(next, 400);
}

/// Late and far-future records: many days are many appends, each within the store's limit, and no row is lost.
#[tokio::test]
async fn a_request_of_many_days_is_cut_by_day() {
    const DAY_NS: i64 = 86_400_000_000_000;
    const ROWS: i64 = 3000;
    // Every day but a few occurs twice, far apart.
    let time = |n: i64| Timestamp(n * 7 % 1600 * DAY_NS + n);
    let rows = |prefix: &str| (0..ROWS).map(move |n| (time(n), format!("{prefix} {n}"))).collect::<Vec<_>>();
    let as_rows = rows("row").into_iter().map(|(time, text)| {
        let mut row = Row::new(time);
        row.set("body", text);
        row.finish()
    });
    let decoded = Decoded { log_batches: vec![columns(rows("column"))], logs: as_rows.collect(), ..Decoded::default() };
    let appends = cut(decoded.clone());
    assert!(appends.iter().all(|append| days_of(append) <= APPEND_DAYS_MAX));
    assert!(appends.len() <= 8, "{} appends", appends.len());
    let rig = rig(|_| {});
    assert_eq!(rig.push(decoded).await, Ok(Accepted { rows: 2 * ROWS as u64, samples: 0, quarantined: 0 }));
    let mut stored: Vec<(i64, String)> =
        rig.rows(Table::Logs).iter().map(|row| (row.time.0, row.body().to_owned())).collect();
    let mut wanted: Vec<(i64, String)> =
        rows("row").into_iter().chain(rows("column")).map(|(time, text)| (time.0, text)).collect();
    stored.sort();
    wanted.sort();
    assert!(stored == wanted);
}
