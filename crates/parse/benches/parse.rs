//! Lines a second of the formats and of redaction. `cargo bench -p parse`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use model::{Row, Timestamp};
use parse::redact::{Detector, Scanner};
use parse::rules::Rules;
use parse::{Extractor, Format, Limits};

const AT: Timestamp = Timestamp(1_795_424_400_000_000_000);

/// A line of each format, of the length that such lines have.
const LINES: [(&str, &str); 6] = [
    (
        "json",
        r#"{"ts":"2026-11-23T09:00:00.123Z","level":"info","msg":"request served","service":"checkout","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","http":{"method":"GET","path":"/api/cart/42","status":200},"duration_ms":12.5,"user":"u-1842"}"#,
    ),
    (
        "logfmt",
        r#"ts=2026-11-23T09:00:00.123Z level=info msg="request served" service=checkout trace_id=4bf92f3577b34da6a3ce929d0e0e4736 method=GET path=/api/cart/42 status=200 duration_ms=12.5 user=u-1842"#,
    ),
    (
        "access_log",
        r#"203.0.113.9 - - [23/Nov/2026:09:00:00 +0000] "GET /api/cart/42?page=2 HTTP/1.1" 200 5316 "https://shop.example/cart" "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36""#,
    ),
    ("syslog", "<38>Nov 23 09:00:00 web1 sshd[24200]: Connection closed by authenticating user root [preauth]"),
    (
        "user_agent",
        "Mozilla/5.0 (Linux; Android 13; SM-S901B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/112.0.0.0 Mobile Safari/537.36",
    ),
    ("kv", "user=bob action=login took=35 result=ok session=5d41402a"),
];

/// Lines in which no detector finds anything, with the times, numbers and names that logs are full of.
const CLEAN: [&str; 4] = [
    "2026-11-23 09:00:00,123 INFO dfs.DataNode$PacketResponder: PacketResponder 1 for block blk_38865049064139660 terminating",
    r#"{"ts":"2026-11-23T09:00:00.123Z","level":"info","msg":"request served","path":"/api/cart/42","status":200,"duration_ms":12.5}"#,
    "nova.compute.manager [req-3ea4052c 113d3a99 54fadb41] [instance: b9000564] VM Started (Lifecycle Event) in 19.84 seconds",
    "level=info msg=\"compaction finished\" level_from=1 level_to=2 files=17 bytes=104857600 took=1.532s",
];

fn formats(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("extract");
    group.throughput(Throughput::Elements(1));
    let pattern =
        Format::Pattern(r#"<ip> - <user> [<_>] "<method> <path> <_>" <status> <size> "<referer>" "<agent>""#.into());
    let regex = Format::Regex(r#"^(?P<ip>\S+) - (?P<user>\S+) \[[^\]]*\] "(?P<method>[A-Z]+) (?P<path>\S+)[^"]*" (?P<status>[0-9]+) (?P<size>[0-9]+)"#.into());
    let named = LINES.iter().map(|(name, line)| (*name, Format::from_name(name), *line));
    let more = [("pattern", Some(pattern), LINES[2].1), ("regex", Some(regex), LINES[2].1)];
    for (name, format, line) in named.chain(more) {
        let Some(extractor) = format.and_then(|format| Extractor::new(&format, &Limits::default()).ok()) else {
            continue;
        };
        let mut fields = 0usize;
        assert!(extractor.extract(line, AT, &mut |_, _| fields += 1).is_ok() && fields > 3, "{name}");
        group.bench_function(name, |bencher| {
            bencher.iter(|| extractor.extract(black_box(line), AT, &mut |_, value| drop(black_box(value))));
        });
    }
    group.finish();
}

fn redaction(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("redact");
    group.throughput(Throughput::Elements(CLEAN.len() as u64));
    let scanner = Scanner::new(&Detector::ALL, Vec::new());
    let mut found = Vec::new();
    for line in CLEAN {
        scanner.scan(line, &mut found);
        assert!(found.is_empty(), "{line}: {found:?}");
    }
    group.bench_function("all detectors, nothing found", |bencher| {
        bencher.iter(|| CLEAN.iter().for_each(|line| scanner.scan(black_box(line), &mut found)));
    });
    group.finish();
}

/// What every record pays for rules that are about others.
fn no_rule(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("rules");
    group.throughput(Throughput::Elements(1));
    let file = (0..20).map(|at| format!("- {{name: r{at}, match: {{service.name: s{at}}}, format: json}}\n"));
    let file = format!("parse:\n{}", file.collect::<String>());
    let Ok(rules) = Rules::load(&[("bench.yaml".to_owned(), file)], b"") else { return };
    let mut row = Row::new(AT);
    for (name, value) in [("severity", "INFO"), ("body", CLEAN[0]), ("service.name", "checkout"), ("host.name", "web1")]
    {
        row.set(name, value);
    }
    group.bench_function("20 rules, none matches", |bencher| bencher.iter(|| rules.wants(black_box(&row))));
    group.finish();
}

criterion_group!(benches, formats, redaction, no_rule);
criterion_main!(benches);
