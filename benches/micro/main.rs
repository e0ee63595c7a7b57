//! Micro benches of the hot paths. Compare two commits with `cargo bench -p benches -- --save-baseline A` and
//! `--baseline A`; single figures from different machines say nothing.
#![allow(missing_docs, reason = "criterion's macros make undocumented items")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use decode::exposition::{ExpositionFormat, ExpositionOptions, Fact, Point, Visitor, read_exposition};
use decode::syslog::{SyslogOptions, decode};
use model::{Batch, BatchData, Row, Table, TenantId, Timestamp};
use store::{Store, StoreOptions};

const MESSAGE: &[u8] = b"<134>1 2026-11-23T09:00:00.123456Z web-1 checkout 4711 PAY [shop@32473 order=\"991\" trace_id=\"4bf92f3577b34da6\"] \
    order 991: payment authorised at acquirer 7 in 31 ms";
/// Rows of one append in the bench of the write path.
const ROWS_PER_APPEND: usize = 1_000;

fn syslog(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    let options = SyslogOptions::default();
    group.bench_function("syslog_rfc5424", |bencher| bencher.iter(|| decode(MESSAGE, Timestamp(0), &options)));
    group.finish();
}

/// Counts samples and looks at nothing else.
struct Counted(usize);

impl Visitor for Counted {
    fn point(&mut self, _: Point<'_>) -> Result<(), String> {
        self.0 += 1;
        Ok(())
    }

    fn metadata(&mut self, _: &str, _: Fact<'_>) {}
}

/// The answer of a target with 15,200 series, 20 to a family, as a scrape reads it.
fn exposition(criterion: &mut Criterion) {
    let mut body = String::new();
    for family in 0..760 {
        body.push_str(&format!("# HELP shop_requests_{family} Requests.\n# TYPE shop_requests_{family} counter\n"));
        for n in 0..20 {
            let value = family * 1000 + n * 17;
            body.push_str(&format!("shop_requests_{family}{{cpu=\"{n}\",mode=\"user\",host=\"host-7\"}} {value}\n"));
        }
    }
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("exposition_text", |bencher| {
        bencher.iter(|| {
            let mut counted = Counted(0);
            let (format, options) = (ExpositionFormat::Text, ExpositionOptions::default());
            read_exposition(format, body.as_bytes(), options, &mut counted).expect("a good body");
            counted.0
        });
    });
    group.finish();
}

fn tokens(criterion: &mut Criterion) {
    let text = String::from_utf8_lossy(MESSAGE);
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Bytes(text.len() as u64));
    group.bench_function("tokenize", |bencher| bencher.iter(|| shape::tokenize(&text).count()));
    group.finish();
}

fn parse(criterion: &mut Criterion) {
    let query = "error service.name:checkout !timeout | stats by (host.name, _time:5m) count() as n | sort by (n desc) | limit 10";
    criterion.bench_function("lang/parse", |bencher| bencher.iter(|| lang::parse(query, Timestamp(0))));
}

fn append(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(StoreOptions::new(dir.path())).expect("store");
    let rows: Vec<Row> = (0..ROWS_PER_APPEND)
        .map(|n| {
            let mut row = Row::new(Timestamp::from_millis(n as i64));
            row.set("body", format!("order {n}: payment authorised at acquirer 7"));
            row.set("service.name", "checkout");
            row.set("order.id", n as i64);
            row.finish()
        })
        .collect();
    let mut group = criterion.benchmark_group("store");
    group.throughput(Throughput::Elements(ROWS_PER_APPEND as u64));
    group.sample_size(20);
    group.bench_function("append_and_wait_for_fdatasync", |bencher| {
        bencher.iter(|| {
            let batch = Batch { tenant: TenantId::default(), data: BatchData::Rows(Table::Logs, rows.clone()) };
            match store.append(vec![batch]) {
                Ok(ack) => ack.wait().expect("durable"),
                Err(_) => drop(store.flush(false)),
            }
        });
    });
    group.finish();
}

criterion_group!(benches, syslog, exposition, tokens, parse, append);
criterion_main!(benches);
