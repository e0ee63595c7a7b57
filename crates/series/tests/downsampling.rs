//! Downsampling of blocks: what is left, and that crashes, late samples, deletions and retention leave it right. What queries make of
//! it is in the tests of `promql`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

use std::path::{Path, PathBuf};

use model::{Labels, METRIC_NAME, Sample, SeriesBatch, SeriesSamples, TenantId, stale_nan};
use series::{MatchOp, Matcher, SeriesData, SeriesDb, SeriesDownsampling, SeriesOptions, SeriesRetention, Wanted};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

fn labels(name: &str) -> Labels {
    [(METRIC_NAME, name)].into_iter().collect()
}

fn rule(name: Option<&str>, days: i64, resolution_ms: i64) -> SeriesDownsampling {
    let matcher = |name: &str| Matcher::new(METRIC_NAME, MatchOp::Equal, name).unwrap();
    SeriesDownsampling { matchers: name.map(matcher).into_iter().collect(), after_ms: days * DAY, resolution_ms }
}

fn options(downsampling: Vec<SeriesDownsampling>) -> SeriesOptions {
    SeriesOptions { downsampling, merge_blocks_min: 2, recent_bytes_max: 0, ..SeriesOptions::default() }
}

fn insert(db: &SeriesDb, name: &str, samples: &[(i64, f64)]) {
    let samples = samples.iter().map(|(time_ms, value)| Sample { time_ms: *time_ms, value: *value }).collect();
    let series = vec![SeriesSamples { labels: labels(name), samples, ..SeriesSamples::default() }];
    db.insert(&TenantId::default(), &SeriesBatch { series, metadata: Vec::new() });
}

/// A sample every 15 seconds, of which the value is its number.
fn scraped(from_ms: i64, to_ms: i64) -> Vec<(i64, f64)> {
    (from_ms / 15_000..to_ms / 15_000).map(|at| (at * 15_000, at as f64)).collect()
}

fn read(db: &SeriesDb, wanted: Wanted) -> Vec<SeriesData> {
    let selection = db.open_selection(&TenantId::default(), &[], i64::MIN, i64::MAX).wanting(wanted);
    (0..selection.len()).map(|at| selection.read(at).unwrap()).filter(|data| !data.times.is_empty()).collect()
}

/// How many samples each series has, how many it had, and its resolution in minutes.
fn counts(db: &SeriesDb) -> Vec<(String, usize, usize, i64)> {
    let count = |data: SeriesData| {
        let folded: usize = data.folds.iter().map(|fold| fold.count as usize).sum();
        let (left, minutes) = (data.times.len(), data.resolution_ms / MINUTE);
        (data.labels.metric_name().to_owned(), left, left + folded, minutes)
    };
    read(db, Wanted::Everything).into_iter().map(count).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect();
    files.sort();
    files
}

/// A day of two series in four blocks.
fn loaded(dir: &Path, downsampling: Vec<SeriesDownsampling>) -> SeriesDb {
    let db = SeriesDb::open(dir, options(downsampling)).unwrap();
    for part in 0..4 {
        for name in ["a", "b"] {
            insert(&db, name, &scraped(part * 6 * HOUR, (part + 1) * 6 * HOUR));
        }
        db.flush().unwrap();
    }
    db
}

fn row(name: &str, left: usize, minutes: i64) -> (String, usize, usize, i64) {
    (name.to_owned(), left, 5760, minutes)
}

#[test]
fn series_follow_the_rules_that_fit_first_step_by_step() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![rule(Some("a"), 2, MINUTE), rule(None, 100, HOUR), rule(None, 3, 5 * MINUTE)];
    let db = loaded(dir.path(), rules.clone());
    db.retain_at(2 * DAY + HOUR, None).unwrap();
    assert_eq!(counts(&db), [row("a", 5760, 0), row("b", 5760, 0)], "not all of a block is old enough");
    db.retain_at(3 * DAY + 3 * HOUR, None).unwrap();
    assert_eq!(counts(&db), [row("a", 2 * 1440 + 4, 1), row("b", 5760, 0)]);
    db.retain_at(4 * DAY, None).unwrap();
    let split = [row("a", 2 * 1440 + 4, 1), row("b", 2 * 288 + 4, 5)];
    assert_eq!(counts(&db), split, "each block has a sample of the bucket of the one before");
    db.merge().unwrap();
    assert_eq!((counts(&db), files(dir.path()).len()), (vec![row("a", 2 * 1440 + 1, 1), row("b", 2 * 288 + 1, 5)], 1));
    drop(db);
    let db = SeriesDb::open(dir.path(), options(rules)).unwrap();
    assert_eq!(counts(&db), [row("a", 2 * 1440 + 1, 1), row("b", 2 * 288 + 1, 5)]);
    db.retain_at(200 * DAY, None).unwrap();
    assert_eq!(counts(&db), [row("a", 2 * 1440 + 1, 1), row("b", 2 * 24 + 1, 60)]);
    assert!(db.damaged().is_empty() && db.verify().is_empty());
}

#[test]
fn what_is_done_is_not_done_again_and_a_crash_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![rule(None, 2, 5 * MINUTE)];
    let db = loaded(dir.path(), rules.clone());
    let raw: Vec<(PathBuf, Vec<u8>)> =
        files(dir.path()).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    db.retain_at(10 * DAY, None).unwrap();
    let (want, done) = (read(&db, Wanted::Everything), files(dir.path()));
    db.retain_at(11 * DAY, None).unwrap();
    assert_eq!((read(&db, Wanted::Everything), files(dir.path())), (want.clone(), done.clone()));
    drop(db);
    // As if it had ended before the blocks that were replaced were removed, and one was not complete yet.
    for (path, bytes) in &raw {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(dir.path().join("0000000000000009-0000.tmp"), b"half").unwrap();
    let db = SeriesDb::open(dir.path(), options(rules.clone())).unwrap();
    assert_eq!((read(&db, Wanted::Everything), files(dir.path())), (want.clone(), done.clone()));
    drop(db);
    // Or one of them was not written at all.
    std::fs::remove_file(&done[1]).unwrap();
    std::fs::write(&raw[1].0, &raw[1].1).unwrap();
    let db = SeriesDb::open(dir.path(), options(rules)).unwrap();
    assert_eq!(counts(&db), [row("a", 1440 + 3 * 145, 5), row("b", 1440 + 3 * 145, 5)]);
    db.retain_at(12 * DAY, None).unwrap();
    assert_eq!(read(&db, Wanted::Everything), want);
}

#[test]
fn late_samples_that_are_covered_are_left_out_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![rule(None, 2, 5 * MINUTE)];
    let db = loaded(dir.path(), rules.clone());
    db.retain_at(10 * DAY, None).unwrap();
    db.compact().unwrap();
    let before = read(&db, Wanted::Everything);
    // All of the day again, as a sender that repeats itself would have it.
    for name in ["a", "b"] {
        insert(&db, name, &scraped(0, DAY));
    }
    for round in ["memory", "a block", "downsampled", "merged", "opened"] {
        assert_eq!(read(&db, Wanted::Everything), before, "{round}");
        let plain = db.select(&TenantId::default(), &[], HOUR, 2 * HOUR).unwrap();
        assert_eq!(plain[0].times.len(), 2 * 12 + 1, "{round}");
        match round {
            "memory" => drop(db.flush().unwrap()),
            "a block" => db.retain_at(11 * DAY, None).unwrap(),
            "downsampled" => drop(db.compact().unwrap()),
            _ => {}
        }
    }
    // At the time of a sample that is there, before all others, and between two buckets.
    insert(&db, "a", &[(-5, -7.0), (15_000, 70.0), (300_001, 7.0), (30_000, 1e9)]);
    let data = read(&db, Wanted::Everything).remove(0);
    assert_eq!(data.times[..6], [-5, 0, 15_000, 300_000, 300_001, 315_000]);
    assert_eq!(data.values[..6], [-7.0, 0.0, 70.0, 20.0, 7.0, 21.0]);
    assert_eq!((data.folds[3].count, data.folds[3].max), (18, 20.0));
}

#[test]
fn samples_that_lie_among_those_of_another_block_wait_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![rule(None, 2, 5 * MINUTE)];
    let db = SeriesDb::open(dir.path(), options(rules)).unwrap();
    let (even, odd): (Vec<_>, Vec<_>) = scraped(0, HOUR).into_iter().partition(|(_, value)| value % 2.0 == 0.0);
    for part in [even, odd] {
        insert(&db, "a", &part);
        db.flush().unwrap();
    }
    db.retain_at(10 * DAY, None).unwrap();
    let all = |left| vec![("a".to_owned(), left, 240, 5)];
    assert_eq!(counts(&db), all(240), "nothing is folded that others lie among");
    assert_eq!(db.merge().unwrap().inputs, 2);
    assert_eq!(counts(&db), all(2 * 12 + 1));
    let sum: f64 = read(&db, Wanted::Sum)
        .iter()
        .flat_map(|data| data.values.iter().chain(data.folds.iter().map(|fold| &fold.sum)).copied().collect::<Vec<_>>())
        .sum();
    assert_eq!(sum, 240.0 * 239.0 / 2.0);
}

#[test]
fn deletions_and_retention_are_about_what_is_downsampled_too() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![rule(None, 2, HOUR)];
    let tenant = TenantId::default();
    let db = loaded(dir.path(), rules.clone());
    db.retain_at(10 * DAY, None).unwrap();
    let everything = vec![vec![Matcher::new(METRIC_NAME, MatchOp::Equal, "a").unwrap()]];
    db.delete(&tenant, &everything, 2 * HOUR + 30 * MINUTE, 3 * HOUR + 30 * MINUTE).unwrap();
    let left = |db: &SeriesDb| {
        let data = read(db, Wanted::Everything).remove(0);
        let fold = |at: usize| (data.times[at] / 1000, data.folds[at].count);
        (0..data.times.len()).map(fold).filter(|(time, _)| (3600..=5 * 3600).contains(time)).collect::<Vec<_>>()
    };
    let want = [(3600, 238), (3615, 0), (7200, 238), (7215, 0), (4 * 3600, 0), (4 * 3600 + 15, 0), (5 * 3600, 238)];
    assert_eq!(left(&db), want, "what is folded there can not be told apart, and goes");
    db.clean_tombstones().unwrap();
    assert_eq!(left(&db), want);
    drop(db);
    let keep = SeriesRetention { matchers: vec![], keep_ms: DAY };
    let db = SeriesDb::open(dir.path(), SeriesOptions { retention: vec![keep], ..options(rules) }).unwrap();
    assert_eq!(left(&db), want);
    db.retain_at(DAY + 20 * HOUR, None).unwrap();
    let data = read(&db, Wanted::Samples).remove(0);
    assert_eq!((data.times[0], data.times.len(), data.folds.len()), (20 * HOUR, 9, 0));
    db.retain_at(3 * DAY, Some(DAY)).unwrap();
    assert!(read(&db, Wanted::Everything).is_empty() && files(dir.path()).is_empty());
}

#[test]
fn staleness_gaps_and_rare_columns_stay() {
    let dir = tempfile::tempdir().unwrap();
    let rules = vec![rule(None, 2, HOUR)];
    let db = SeriesDb::open(dir.path(), options(rules)).unwrap();
    let mut samples = scraped(15_000, 20 * MINUTE);
    samples.push((20 * MINUTE, stale_nan()));
    samples.extend(scraped(40 * MINUTE, HOUR + 15_000));
    let starts = samples.iter().map(|(time, _)| if *time < 30 * MINUTE { 1 } else { 39 * MINUTE }).collect();
    let samples: Vec<Sample> = samples.into_iter().map(|(time_ms, value)| Sample { time_ms, value }).collect();
    let series = vec![SeriesSamples { labels: labels("a"), samples, starts, ..SeriesSamples::default() }];
    db.insert(&TenantId::default(), &SeriesBatch { series, metadata: Vec::new() });
    db.flush().unwrap();
    db.retain_at(10 * DAY, None).unwrap();
    let data = read(&db, Wanted::Everything).remove(0);
    let seconds: Vec<i64> = data.times.iter().map(|time| time / 1000).collect();
    assert_eq!(seconds, [15, 1185, 1200, 2400, 3600]);
    assert_eq!(data.folds.iter().map(|fold| fold.count).collect::<Vec<_>>(), [0, 77, 0, 0, 79]);
    assert_eq!(data.values[2].to_bits(), stale_nan().to_bits());
    assert_eq!(data.starts, [1, 1, 1, 39 * MINUTE, 39 * MINUTE]);
    // The values rise throughout, so that nothing is said twice; each read has what it wants.
    assert_eq!(data.folds[4].lost, 0.0);
    let figure = |wanted| read(&db, wanted)[0].folds[4].figure(wanted);
    assert_eq!([figure(Wanted::Min), figure(Wanted::Max), figure(Wanted::Counter)], [160.0, 240.0, 0.0]);
    assert_eq!(figure(Wanted::Sum), f64::from((161..240).sum::<i32>()));
}

#[test]
fn damage_of_a_downsampled_block_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), options(vec![rule(None, 2, HOUR)])).unwrap();
    let jagged: Vec<(i64, f64)> = scraped(0, 3 * HOUR).into_iter().map(|(time, value)| (time, value % 7.0)).collect();
    insert(&db, "a", &jagged);
    db.flush().unwrap();
    db.retain_at(10 * DAY, None).unwrap();
    let want = read(&db, Wanted::Everything);
    assert!(want[0].folds.iter().any(|fold| fold.resets > 0));
    drop(db);
    let path = files(dir.path()).remove(0);
    let bytes = std::fs::read(&path).unwrap();
    let mut failed = 0;
    for at in (4..bytes.len()).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let other = tempfile::tempdir().unwrap();
        std::fs::write(other.path().join(path.file_name().unwrap()), damaged).unwrap();
        let db = SeriesDb::open(other.path(), options(Vec::new())).unwrap();
        if !db.damaged().is_empty() {
            failed += 1;
            continue;
        }
        let selection = db.open_selection(&TenantId::default(), &[], i64::MIN, i64::MAX).wanting(Wanted::Everything);
        match selection.read(0) {
            Ok(data) => assert_eq!(data, want[0], "byte {at}"),
            Err(_) => failed += 1,
        }
    }
    assert!(failed * 11 > bytes.len() / 2, "{failed} of {} bytes were noticed", bytes.len() / 11);
}
