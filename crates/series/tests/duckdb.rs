//! Blocks as another program reads them. Needs a Python with DuckDB and NumPy in `BACKSTOP_TEST_VENV`, and passes without.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use model::{Labels, Sample, SeriesBatch, SeriesSamples, TenantId, stale_nan};
use series::{SeriesDb, SeriesDownsampling, SeriesOptions, Wanted};

/// A name, and the value at a place.
type Kind = (&'static str, fn(u32) -> f64);

/// Series of every kind, by name.
fn fleet() -> Vec<(String, Vec<f64>)> {
    let whole = 9_007_199_254_740_992.0f64;
    let payload = |at: u64| f64::from_bits(0x7ff8_0000_0000_0000 | at << 3);
    let kinds: [Kind; 7] = [
        ("counter", |at| f64::from(at * 7 + at % 3)),
        ("resets", |at| f64::from(at % 50) * 1e12),
        ("cents", |at| f64::from(at) / 100.0),
        ("micros", |at| f64::from(at * at) / 1e6 - 0.5),
        ("doubles", |at| f64::from(at).sqrt() * 1e-9),
        ("constant", |_| -3.25),
        ("subnormal", |at| f64::from_bits(u64::from(at))),
    ];
    let mut series: Vec<(String, Vec<f64>)> =
        kinds.iter().map(|(name, value)| ((*name).to_owned(), (0..300).map(value).collect())).collect();
    series.push(("edge".to_owned(), (0..300).map(|at| whole - 150.0 + f64::from(at)).collect()));
    series.push(("far".to_owned(), (0..300).map(|at| [whole - 1.0, 1.0 - whole][at % 2]).collect()));
    series.push(("payloads".to_owned(), (0..300).map(payload).collect()));
    let odd = [stale_nan(), f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0];
    let mixed = |at: usize| if at.is_multiple_of(17) { odd[at / 17 % 5] } else { at as f64 * 0.25 };
    series.push(("mixed".to_owned(), (0..300).map(mixed).collect()));
    series
}

fn insert(db: &SeriesDb, labels: &Labels, samples: Vec<Sample>) {
    let series = vec![SeriesSamples { labels: labels.clone(), samples, ..SeriesSamples::default() }];
    db.insert(&TenantId::default(), &SeriesBatch { series, metadata: Vec::new() });
}

/// The interpreter, if it is there and has what the script needs.
fn python() -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("BACKSTOP_TEST_VENV")?).join("bin/python");
    let found = Command::new(&python).args(["-c", "import duckdb, numpy"]).output().ok()?;
    found.status.success().then_some(python)
}

#[test]
fn the_manual_shows_the_sql_that_is_tested() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let sql = std::fs::read_to_string(root.join("tests/blocks.sql")).unwrap();
    let manual = std::fs::read_to_string(root.join("../../docs/storage-metrics.md")).unwrap();
    assert!(manual.contains(sql.trim()), "copy tests/blocks.sql into docs/storage-metrics.md");
}

#[test]
fn duckdb_reads_the_same_values() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let blocks = dir.path().join("blocks");
    let db = SeriesDb::open(&blocks, SeriesOptions { merge_blocks_min: 3, ..SeriesOptions::default() }).unwrap();
    for round in 0..4 {
        for (name, values) in fleet() {
            let labels: Labels = [("__name__", "m"), ("kind", &name), ("größe", "a=\"b\", c")].into_iter().collect();
            let all = values.iter().zip(0i64..).map(|(value, at)| Sample { time_ms: at * 15_000, value: *value });
            // Each round has its part, and writes again some of what the round before had.
            let part = all.skip(round * 70).take(85).map(|sample| {
                let value = if round == 3 { sample.value } else { sample.value + 1.0 };
                let is_last = sample.time_ms / 15_000 >= round as i64 * 70 + 70;
                Sample { value: if is_last && round < 3 { value } else { sample.value }, ..sample }
            });
            insert(&db, &labels, part.collect());
        }
        db.flush().unwrap();
        if round == 2 {
            assert_eq!(db.merge().unwrap().inputs, 3);
        }
    }
    compare(&python, &db, &blocks, dir.path(), false);
}

/// Compares what DuckDB reads of blocks with what the database reads.
fn compare(python: &Path, db: &SeriesDb, blocks: &Path, dir: &Path, with_folds: bool) {
    let (mut samples, mut folds) = (String::new(), String::new());
    let selection = db.open_selection(&TenantId::default(), &[], i64::MIN, i64::MAX).wanting(Wanted::Everything);
    for data in (0..selection.len()).map(|at| selection.read(at).unwrap()) {
        let labels: Vec<String> = data.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let labels = labels.join(",");
        for (time, value) in data.times.iter().zip(&data.values) {
            writeln!(samples, "{labels}\t{time}\t{}", value.to_bits()).unwrap();
        }
        for (at, fold) in data.folds.iter().enumerate().filter(|(_, fold)| !fold.is_empty()) {
            let (after, time) = (data.times[at - 1], data.times[at]);
            let bits = [fold.sum, fold.min, fold.max, fold.lost].map(|value| value.to_bits().to_string()).join("\t");
            writeln!(folds, "{labels}\t{after}\t{time}\t{}\t{}\t{bits}", fold.count, fold.resets).unwrap();
        }
    }
    let (samples_file, folds_file) = (dir.join("samples"), dir.join("folds"));
    std::fs::write(&samples_file, samples).unwrap();
    std::fs::write(&folds_file, folds).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut command = Command::new(python);
    command.arg(tests.join("blocks.py")).arg(blocks).arg(&samples_file).arg(tests.join("blocks.sql"));
    command.args(with_folds.then_some(&folds_file));
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("samples, 0 differ"), "{text}");
}

#[test]
fn duckdb_reads_what_is_left_of_downsampled_series() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let blocks = dir.path().join("blocks");
    let day_ms = 86_400_000;
    let rule = |resolution_ms| SeriesDownsampling { matchers: Vec::new(), after_ms: day_ms, resolution_ms };
    let options = SeriesOptions { downsampling: vec![rule(300_000)], recent_bytes_max: 0, ..SeriesOptions::default() };
    let db = SeriesDb::open(&blocks, options).unwrap();
    // The second block stays as it is.
    for block in 0..2 {
        for (name, values) in fleet() {
            let labels: Labels = [("__name__", "m"), ("kind", &name)].into_iter().collect();
            let time = |at: usize| block * 2 * day_ms + at as i64 * 15_000;
            let samples = values.iter().enumerate().map(|(at, value)| Sample { time_ms: time(at), value: *value });
            insert(&db, &labels, samples.collect());
        }
        db.flush().unwrap();
    }
    db.retain_at(2 * day_ms, None).unwrap();
    compare(&python, &db, &blocks, dir.path(), true);
}
