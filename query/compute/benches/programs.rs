//! How many rows a second a few programs compute, for information: `cargo bench -p compute`.

use std::hint::black_box;

use compute::{Program, Template, Value};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use lang::{Expr, FormatPart, FormatStyle, PipeKind};
use model::Timestamp;

const ROWS: usize = 8192;
const NAMES: [&str; 6] = ["body", "status", "took", "client.address", "url", "_time"];

/// Rows as an access log has them.
fn rows() -> Vec<[Value<'static>; NAMES.len()]> {
    let row = |at: usize| {
        let (a, b) = (at % 251, at % 7);
        [
            Value::text(format!(
                "GET /cart/{at}?user={a} HTTP/1.1 took {}.{b} ms from pool-{b} {{\"shard\":{b}}}",
                at % 900
            )),
            Value::text((200 + b * 50).to_string()),
            Value::Int((at as i64 % 900) * 1_000_000),
            Value::text(format!("10.{b}.{a}.{}", at % 200)),
            Value::text(format!("https://shop-{b}.example.com/cart/{at}?q=red+shoe&page={a}")),
            Value::Time(1_795_424_400_000_000_000 + at as i64 * 1_234_567),
        ]
    };
    (0..ROWS).map(row).collect()
}

fn expr(text: &str) -> Expr {
    let (query, diagnostics) = lang::parse(&format!("* | eval x = {text}"), Timestamp(0));
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    match query.pipes.into_iter().next().map(|pipe| pipe.kind) {
        Some(PipeKind::Eval(mut columns)) => columns.remove(0).1,
        other => panic!("{other:?}"),
    }
}

fn programs(c: &mut Criterion) {
    let rows = rows();
    let names = NAMES.map(str::to_owned);
    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(ROWS as u64)).sample_size(20);
    for (name, text) in [
        ("arithmetic", "took / 1000000 * 2 + 1"),
        ("number in text", "status >= 500"),
        ("length", "len(body)"),
        ("contains", r#"contains(body, "pool-3")"#),
        ("in a long list", "status in (1, 2, 3, 4, 5, 6, 7, 8, 9, 500)"),
        ("case", r#"case(status >= 500, "server", status >= 400, "client", "fine")"#),
        ("upper", "upper(body)"),
        ("extract", r#"extract(body, "took (\d+)")"#),
        ("matches", r#"body =~ "took \d+\.[35] ms""#),
        ("replace_regex", r#"replace_regex(body, "\d+", "N")"#),
        ("ip_in", r#"ip_in(`client.address`, "10.3.0.0/16", "192.168.0.0/16")"#),
        ("url_query", r#"url_query(url, "q")"#),
        ("json_get", r#"json_get(extract(body, "\{.*"), "shard")"#),
        ("time_bin", "time_bin(_time, 5m)"),
        ("format_time", r#"format_time(_time, "%Y-%m-%d %H:%M", "Europe/Berlin")"#),
        ("bucket", "bucket(url, 100)"),
    ] {
        let program = Program::new(&expr(text), &names, Timestamp(0)).unwrap_or_else(|error| panic!("{text}: {error}"));
        group.bench_function(name, |b| {
            b.iter(|| {
                rows.iter().filter(|row| black_box(program.eval(&|at| borrowed(&row[at]))) != Value::Missing).count()
            });
        });
    }
    let field = |name: &str, style| FormatPart::Field { name: name.to_owned(), style };
    let parts = [
        field("status", FormatStyle::Plain),
        FormatPart::Text(" ".to_owned()),
        field("url", FormatStyle::Upper),
        field("took", FormatStyle::Duration),
    ];
    let template = Template::of_parts(&parts, &names).unwrap_or_else(|error| panic!("{error}"));
    group.bench_function("template", |b| {
        b.iter(|| {
            rows.iter().filter(|row| black_box(template.render(&|at| borrowed(&row[at]))) != Value::Missing).count()
        });
    });
    group.finish();
}

/// A value as a column hands it out.
fn borrowed<'r>(value: &'r Value<'static>) -> Value<'r> {
    match value {
        Value::Text(text) => Value::text(text.as_ref()),
        other => other.clone(),
    }
}

criterion_group!(benches, programs);
criterion_main!(benches);
