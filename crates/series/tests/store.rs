//! The metric store against a plain map, across flushes, merges, restarts and damage.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::histogram::{BucketSpan, Buckets};
use model::{
    Exemplar, FloatHistogram, HistogramSample, Labels, MetricKind, MetricMetadata, ResetHint, Sample, SeriesBatch,
    SeriesSamples, TenantId, stale_nan,
};
use proptest::prelude::*;
use series::{Limit, MatchOp, Matcher, REWRITE_EVERY_MS, SeriesDb, SeriesError, SeriesOptions, SeriesRetention};

fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    [("__name__", name)].into_iter().chain(pairs.iter().copied()).collect()
}

fn batch(labels: &Labels, samples: &[(i64, f64)]) -> SeriesBatch {
    let samples = samples.iter().map(|(time_ms, value)| Sample { time_ms: *time_ms, value: *value }).collect();
    let series = SeriesSamples { labels: labels.clone(), samples, ..SeriesSamples::default() };
    SeriesBatch { series: vec![series], metadata: Vec::new() }
}

fn matcher(name: &str, op: MatchOp, value: &str) -> Matcher {
    Matcher::new(name, op, value).unwrap()
}

fn open(dir: &Path) -> SeriesDb {
    let options = SeriesOptions { merge_blocks_min: 2, recent_bytes_max: 320, ..SeriesOptions::default() };
    SeriesDb::open(dir, options).unwrap()
}

fn all(db: &SeriesDb) -> BTreeMap<Labels, Vec<(i64, u64)>> {
    let found = db.select(&TenantId::default(), &[], i64::MIN, i64::MAX).unwrap();
    let bits =
        |times: &[i64], values: &[f64]| times.iter().copied().zip(values.iter().map(|value| value.to_bits())).collect();
    found.into_iter().map(|data| (data.labels, bits(&data.times, &data.values))).collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 0xff;
    std::fs::write(path, bytes).unwrap();
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, Vec<(i64, f64)>),
    Flush,
    Merge,
    Reopen,
    /// Series with a number up to this one, from a time to another.
    Delete(u8, i64, i64),
    Clean,
}

fn step() -> impl Strategy<Value = Step> {
    let bits = any::<u64>().prop_map(f64::from_bits);
    let value = prop_oneof![(-50i32..50).prop_map(f64::from), any::<f64>(), bits, Just(stale_nan()), Just(-0.0)];
    let samples = prop::collection::vec((0i64..60, value), 1..12);
    prop_oneof![
        5 => (0u8..3, samples).prop_map(|(series, samples)| Step::Insert(series, samples)),
        2 => Just(Step::Flush),
        1 => Just(Step::Merge),
        1 => Just(Step::Reopen),
        2 => (0u8..3, -5i64..65, -5i64..65).prop_map(|(series, a, b)| Step::Delete(series, a.min(b), a.max(b))),
        1 => Just(Step::Clean),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn reads_equal_a_map_whatever_happens_in_between(steps in prop::collection::vec(step(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let mut db = open(dir.path());
        let mut want: BTreeMap<Labels, BTreeMap<i64, u64>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Insert(series, samples) => {
                    let labels = labels("m", &[("s", &series.to_string())]);
                    db.insert(&TenantId::default(), &batch(&labels, &samples));
                    let known = want.entry(labels).or_default();
                    known.extend(samples.iter().map(|(time, value)| (*time, value.to_bits())));
                }
                Step::Flush => drop(db.flush().unwrap()),
                Step::Merge => drop(db.merge().unwrap()),
                Step::Reopen => {
                    // What is not flushed is the log's to bring back.
                    db.flush().unwrap();
                    db = open(dir.path());
                }
                Step::Delete(series, start_ms, end_ms) => {
                    db.flush().unwrap();
                    let meant = vec![matcher("s", MatchOp::Regex, &format!("[0-{series}]"))];
                    db.delete(&TenantId::default(), &[meant], start_ms, end_ms).unwrap();
                    let meant = |labels: &Labels| labels.get("s").unwrap() <= series.to_string().as_str();
                    for (_, samples) in want.iter_mut().filter(|(labels, _)| meant(labels)) {
                        samples.retain(|time, _| !(start_ms..=end_ms).contains(time));
                    }
                    want.retain(|_, samples| !samples.is_empty());
                }
                Step::Clean => drop(db.clean_tombstones().unwrap()),
            }
            let want: BTreeMap<Labels, Vec<(i64, u64)>> =
                want.iter().map(|(labels, samples)| (labels.clone(), samples.clone().into_iter().collect())).collect();
            prop_assert_eq!(&all(&db), &want);
            let listed = db.series(&TenantId::default(), &[], i64::MIN, i64::MAX);
            let samples: usize = want.values().map(Vec::len).sum();
            prop_assert!(want.keys().all(|labels| listed.contains(labels)), "{:?} of {:?}", listed, want);
            prop_assert!(db.samples_at_most(&TenantId::default(), &[], i64::MIN, i64::MAX) >= samples);
        }
        prop_assert_eq!(db.verify(), vec![]);
    }
}

#[test]
fn what_is_deleted_is_gone_from_lists_and_comes_back_when_written_again() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = TenantId::default();
    let (gone, kept) = (labels("up", &[("job", "a")]), labels("up", &[("job", "b")]));
    let mut db = open(dir.path());
    for labels in [&gone, &kept] {
        let mut batch = batch(labels, &[(1, 1.0), (2, 2.0), (3, 3.0)]);
        let exemplar = Exemplar { labels: Labels::default(), time_ms: 2, value: 0.5 };
        batch.series[0].exemplars.push(exemplar);
        db.insert(&tenant, &batch);
    }
    db.flush().unwrap();
    let meant = || vec![vec![matcher("job", MatchOp::Equal, "a")]];
    assert_eq!(db.delete(&tenant, &meant(), i64::MIN, i64::MAX).unwrap(), 1);
    assert_eq!(db.delete(&tenant, &meant(), i64::MIN, i64::MAX).unwrap(), 0, "nothing is left to delete");
    let other = TenantId::new("other").unwrap();
    db.insert(&other, &batch(&gone, &[(1, 1.0)]));
    db.flush().unwrap();
    for round in ["in memory", "after a restart"] {
        assert_eq!(db.series(&tenant, &[], 0, 10), std::slice::from_ref(&kept), "{round}");
        assert_eq!(db.label_values(&tenant, "job", &[], 0, 10), ["b"], "{round}");
        assert_eq!(db.exemplars(&tenant, &[], 0, 10).len(), 1, "{round}");
        assert_eq!(db.cardinality(&tenant, 1).series, 2, "{round}: until tombstones are cleaned");
        assert_eq!(db.select(&other, &[], 0, 10).unwrap().len(), 1, "{round}: another tenant");
        db = open(dir.path());
    }
    db.insert(&tenant, &batch(&gone, &[(2, 7.0)]));
    assert_eq!(all(&db)[&gone], [(2, 7f64.to_bits())]);
    db.flush().unwrap();
    let copy = dir.path().join("copy");
    db.snapshot(&copy).unwrap();
    assert!(db.clean_tombstones().unwrap() > 0);
    assert_eq!(db.clean_tombstones().unwrap(), 0);
    for db in [open(dir.path()), open(&copy)] {
        assert_eq!(all(&db)[&gone], [(2, 7f64.to_bits())], "written after the delete");
        assert_eq!(all(&db)[&kept].len(), 3);
    }
}

#[test]
fn blocks_written_after_every_older_one_went_are_not_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let (tenant, up) = (TenantId::default(), labels("up", &[]));
    let db = open(dir.path());
    db.insert(&tenant, &batch(&up, &[(1, 1.0)]));
    db.flush().unwrap();
    db.delete(&tenant, &[vec![matcher("__name__", MatchOp::Equal, "up")]], 0, 100).unwrap();
    drop(db);
    for file in std::fs::read_dir(dir.path()).unwrap().flatten() {
        if file.path().extension().is_some_and(|ending| ending == "parquet") {
            std::fs::remove_file(file.path()).unwrap();
        }
    }
    let db = open(dir.path());
    db.insert(&tenant, &batch(&up, &[(2, 2.0)]));
    db.flush().unwrap();
    assert_eq!(all(&open(dir.path()))[&up], [(2, 2f64.to_bits())]);
}

#[test]
fn matchers_select_by_every_operator() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let tenant = TenantId::default();
    for (name, job) in [("up", "a"), ("up", "b"), ("up", ""), ("down", "a"), ("größe.bytes", "a|b")] {
        db.insert(&tenant, &batch(&labels(name, &[("job", job)]), &[(1, 1.0)]));
    }
    let count = |matchers: &[Matcher]| db.series(&tenant, matchers, 0, 10).len();
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    assert_eq!(count(&[matcher("__name__", Equal, "up")]), 3);
    assert_eq!(count(&[matcher("__name__", Equal, "up"), matcher("job", NotEqual, "a")]), 2);
    assert_eq!(count(&[matcher("__name__", Equal, "up"), matcher("job", Equal, "")]), 1);
    assert_eq!(count(&[matcher("job", Regex, "a|b")]), 3);
    assert_eq!(count(&[matcher("job", NotRegex, ".+")]), 1);
    assert_eq!(count(&[matcher("job", Regex, "a\\|b")]), 1);
    assert_eq!(count(&[matcher("__name__", Equal, "größe.bytes")]), 1);
    assert_eq!(count(&[]), 5);
    assert_eq!(db.series(&tenant, &[], 2, 10).len(), 0, "no sample is that young");
    assert_eq!(db.label_names(&tenant, &[], 0, 10), ["__name__", "job"]);
    assert_eq!(db.label_values(&tenant, "job", &[matcher("__name__", Equal, "up")], 0, 10), ["a", "b"]);
    assert_eq!(db.cardinality(&tenant, 1).series_by_metric, [("up".to_owned(), 3)]);
    let other = TenantId::new("other").unwrap();
    assert!(db.select(&other, &[], 0, 10).unwrap().is_empty(), "tenants do not see each other");
}

#[test]
fn a_series_over_a_limit_is_returned_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let options = SeriesOptions {
        series_per_tenant_max: 1,
        labels_per_series_max: 2,
        label_value_bytes_max: 4,
        ..SeriesOptions::default()
    };
    let db = SeriesDb::open(dir.path(), options).unwrap();
    let mut input = batch(&labels("a", &[]), &[(1, 1.0)]);
    for bad in
        [labels("b", &[]), labels("c", &[("x", "1"), ("y", "2")]), labels("d", &[("x", "12345")]), Labels::default()]
    {
        input.series.extend(batch(&bad, &[(1, 1.0), (2, 2.0)]).series);
    }
    let report = db.insert(&TenantId::default(), &input);
    assert_eq!((report.samples, report.series_new), (1, 1));
    let reasons: Vec<Limit> = report.rejected.iter().map(|rejected| rejected.reason).collect();
    assert_eq!(
        reasons,
        [
            Limit::SeriesPerTenant { max: 1 },
            Limit::LabelsPerSeries { count: 3, max: 2 },
            Limit::LabelValueBytes { bytes: 5, max: 4 },
            Limit::NoLabels,
        ]
    );
    assert!(report.rejected.iter().all(|rejected| rejected.samples == 2));
    let known = db.insert(&TenantId::default(), &batch(&labels("a", &[]), &[(2, 2.0)]));
    assert!(known.rejected.is_empty(), "a series that is there already is not refused");
}

#[test]
fn a_metric_with_too_many_series_takes_no_room_from_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let options = SeriesOptions { series_per_metric_max: 3, ..SeriesOptions::default() };
    let db = SeriesDb::open(dir.path(), options).unwrap();
    let tenant = TenantId::default();
    let mut flood = SeriesBatch::default();
    for user in 0..10 {
        flood.series.extend(batch(&labels("flood", &[("user", &user.to_string())]), &[(1, 1.0)]).series);
        flood.series.extend(batch(&labels("calm", &[("at", &(user % 2).to_string())]), &[(user, 1.0)]).series);
    }
    let refused = db.refused(&tenant, &flood);
    let report = db.insert(&tenant, &flood);
    assert_eq!(report.rejected, refused, "what is announced is what happens");
    assert_eq!((report.series_new, report.rejected.len()), (5, 7));
    assert!(report.rejected.iter().all(|rejected| rejected.labels.metric_name() == "flood"));
    let reason = report.rejected[0].reason;
    assert_eq!((reason, reason.name()), (Limit::SeriesPerMetric { max: 3 }, "series_per_metric_max"));
    assert_eq!(db.cardinality(&tenant, 1).series_by_metric, [("flood".to_owned(), 3)]);
}

#[test]
fn metrics_that_nobody_asks_for_come_first() {
    let dir = tempfile::tempdir().unwrap();
    let (db, tenant) = (open(dir.path()), TenantId::default());
    for (name, count) in [("few", 1), ("many", 3), ("asked", 5), ("lately", 2)] {
        for at in 0..count {
            db.insert(&tenant, &batch(&labels(name, &[("at", &at.to_string())]), &[(1, 1.0)]));
        }
    }
    db.note_asked(&tenant, &[matcher("__name__", MatchOp::Regex, "asked|lately|none")], 1000);
    db.note_asked(&tenant, &[matcher("__name__", MatchOp::Regex, "l.t.ly"), matcher("at", MatchOp::Equal, "9")], 2000);
    db.note_asked(&tenant, &[matcher("at", MatchOp::Equal, "0"), matcher("__name__", MatchOp::NotEqual, "few")], 3000);
    let found = db.metric_usage(&tenant, 9);
    let shown: Vec<_> = found.iter().map(|usage| (&*usage.metric, usage.series, usage.asked_ms)).collect();
    let want = [("many", 3, None), ("few", 1, None), ("asked", 5, Some(1000)), ("lately", 2, Some(2000))];
    assert_eq!(shown, want);
    assert_eq!(db.metric_usage(&tenant, 1).len(), 1);
}

#[test]
fn series_come_and_go_without_mixing() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = TenantId::default();
    let mut db = open(dir.path());
    for round in 0..20i64 {
        for pod in 0..40 {
            let name = format!("pod-{round}-{pod}");
            db.insert(&tenant, &batch(&labels("m", &[("pod", &name)]), &[(round * 100, pod as f64)]));
        }
        db.flush().unwrap();
        db.merge().unwrap();
        db.retain((round - 1) * 100).unwrap();
        let found = all(&db);
        assert_eq!(found.len(), if round == 0 { 40 } else { 80 });
        for (labels, samples) in found {
            let mut parts = labels.get("pod").unwrap().split('-').skip(1).map(|part| part.parse::<i64>().unwrap());
            let (of, pod) = (parts.next().unwrap(), parts.next().unwrap());
            assert_eq!(samples, [(of * 100, (pod as f64).to_bits())]);
        }
        if round % 5 == 4 {
            db = open(dir.path());
        }
    }
    assert_eq!(db.series(&tenant, &[matcher("pod", MatchOp::Regex, "pod-19-1.?")], 0, 9999).len(), 11);
}

#[test]
fn metadata_and_exemplars_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = TenantId::default();
    let exemplar = Exemplar { labels: [("trace_id", "abc")].into_iter().collect(), time_ms: 5, value: 0.5 };
    let metadata =
        MetricMetadata { name: "m".into(), kind: MetricKind::Counter, help: "helps".into(), unit: "s".into() };
    let mut input = batch(&labels("m", &[]), &[(5, 1.0)]);
    input.series[0].exemplars.push(exemplar.clone());
    input.metadata.push(metadata.clone());
    let db = open(dir.path());
    db.insert(&tenant, &input);
    db.insert(&tenant, &input);
    db.flush().unwrap();
    assert_eq!(db.flush().unwrap().blocks, 0, "nothing new, nothing written");
    let db = open(dir.path());
    assert_eq!(db.metadata(&tenant, Some("m")), [metadata]);
    let found = db.exemplars(&tenant, &[], 0, 10);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].exemplars, [exemplar]);
    assert!(db.exemplars(&tenant, &[], 6, 10).is_empty());
}

#[test]
fn retention_hides_at_once_and_removes_files_and_series() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let tenant = TenantId::default();
    db.insert(&tenant, &batch(&labels("old", &[]), &[(1, 1.0), (2, 2.0)]));
    db.flush().unwrap();
    db.insert(&tenant, &batch(&labels("new", &[]), &[(1, 1.0), (100, 2.0)]));
    db.flush().unwrap();
    let before = db.disk_bytes();
    db.retain(50).unwrap();
    assert!(db.disk_bytes() < before);
    assert_eq!(db.series(&tenant, &[], i64::MIN, i64::MAX), [labels("new", &[])]);
    assert_eq!(all(&db)[&labels("new", &[])], [(100, 2.0f64.to_bits())]);
    assert_eq!(db.series_count(), 1);
}

#[test]
fn merges_write_a_sample_again_few_times_and_compaction_leaves_one_block() {
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), SeriesOptions { recent_bytes_max: 0, ..SeriesOptions::default() }).unwrap();
    let tenant = TenantId::default();
    let (flushes, mut inputs) = (60, 0);
    for at in 0..flushes {
        for series in 0..50 {
            let samples: Vec<(i64, f64)> = (0..40).map(|n| (at * 40 + n, f64::from(series).sin() * n as f64)).collect();
            db.insert(&tenant, &batch(&labels("m", &[("s", &series.to_string())]), &samples));
        }
        db.flush().unwrap();
        inputs += db.merge().unwrap().inputs;
        let blocks = std::fs::read_dir(dir.path()).unwrap().count();
        assert!(blocks <= 12, "{blocks} blocks after {at} flushes");
    }
    assert!(inputs < flushes as usize * 3, "{flushes} flushes became {inputs} inputs of merges");
    let want = all(&db);
    db.compact().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(all(&db), want);
    assert_eq!(db.compact().unwrap().inputs, 0);
}

#[test]
fn some_series_are_kept_for_another_time() {
    let dir = tempfile::tempdir().unwrap();
    let hour = REWRITE_EVERY_MS;
    let keep = |tier: &str, hours: i64| SeriesRetention {
        matchers: vec![matcher("tier", MatchOp::Equal, tier)],
        keep_ms: hours * hour,
    };
    let retention = vec![keep("debug", 2), keep("slo", 20)];
    let options = SeriesOptions { retention, merge_blocks_min: 2, recent_bytes_max: 0, ..SeriesOptions::default() };
    let tenant = TenantId::default();
    let mut db = SeriesDb::open(dir.path(), options.clone()).unwrap();
    let tiers = ["debug", "slo", "rest"];
    let span = |db: &SeriesDb, tier: &str| {
        let found = db.select(&tenant, &[matcher("tier", MatchOp::Equal, tier)], i64::MIN, i64::MAX).unwrap();
        found.first().map(|data| (data.times[0] / hour, data.times[data.times.len() - 1] / hour))
    };
    for at in 0..8 {
        for tier in tiers {
            db.insert(&tenant, &batch(&labels("m", &[("tier", tier)]), &[(at * hour, 1.0)]));
        }
        db.flush().unwrap();
    }
    db.retain_at(7 * hour, Some(5 * hour)).unwrap();
    for round in ["blocks", "merged", "opened"] {
        let found = tiers.map(|tier| span(&db, tier));
        assert_eq!(found, [Some((5, 7)), Some((0, 7)), Some((2, 7))], "{round}");
        match round {
            "blocks" => drop(db.merge().unwrap()),
            _ => {
                db = SeriesDb::open(dir.path(), options.clone()).unwrap();
                db.retain_at(7 * hour, Some(5 * hour)).unwrap();
            }
        }
    }
    db.retain_at(14 * hour, Some(5 * hour)).unwrap();
    assert_eq!(tiers.map(|tier| span(&db, tier)), [None, Some((0, 7)), None]);
    assert_eq!(db.series(&tenant, &[], i64::MIN, i64::MAX).len(), 1);
    assert_eq!(db.series_count(), 1, "the block was written anew");
    db.retain_at(24 * hour, Some(5 * hour)).unwrap();
    assert_eq!(tiers.map(|tier| span(&db, tier)), [None, Some((4, 7)), None]);
    db.retain_at(40 * hour, Some(5 * hour)).unwrap();
    assert_eq!((db.series_count(), db.disk_bytes()), (0, 0));
}

#[test]
fn a_damaged_block_is_set_aside_and_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let tenant = TenantId::default();
    for name in ["first", "second"] {
        db.insert(&tenant, &batch(&labels(name, &[]), &[(1, 1.0)]));
        db.flush().unwrap();
    }
    drop(db);
    let first = &files(dir.path())[0];
    flip(first, std::fs::read(first).unwrap().len() - 40);
    let db = open(dir.path());
    let damaged = db.damaged();
    assert_eq!(damaged.len(), 1);
    assert!(damaged[0].path.exists() && damaged[0].reason.contains("checksum"), "{damaged:?}");
    assert_eq!(db.series(&tenant, &[], 0, 10), [labels("second", &[])]);
    drop(db);
    assert!(open(dir.path()).damaged().is_empty(), "it is set aside once");
}

#[test]
fn damage_anywhere_is_noticed_and_nothing_partial_is_returned() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = TenantId::default();
    let db = open(dir.path());
    db.insert(&tenant, &batch(&labels("m", &[]), &[(1, 1.0), (2, f64::MAX)]));
    db.flush().unwrap();
    let want = all(&db);
    drop(db);
    let file = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&file).unwrap();
    let (mut aside, mut failed) = (0, 0);
    // The first bytes are Parquet's magic number, which says nothing that the footer does not.
    for at in 4..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x40;
        std::fs::write(&file, &damaged).unwrap();
        let db = open(dir.path());
        if let [block] = &db.damaged()[..] {
            std::fs::remove_file(&block.path).unwrap();
            assert!(db.series(&tenant, &[], 0, 10).is_empty(), "byte {at}");
            aside += 1;
            continue;
        }
        assert_eq!(db.verify().len(), 1, "byte {at}");
        match db.select(&tenant, &[], 0, 10) {
            Err(SeriesError::Damaged { .. }) => failed += 1,
            // A page that this series does not need.
            found => assert_eq!((found.unwrap().len(), all(&db)), (1, want.clone()), "byte {at}"),
        }
    }
    assert!(aside > 100 && failed > 20, "{aside} blocks were set aside, {failed} reads failed");
}

#[test]
fn a_crash_between_writing_a_merged_block_and_removing_its_inputs_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    for time in 1..4 {
        db.insert(&TenantId::default(), &batch(&labels("m", &[]), &[(time, time as f64), (9, time as f64)]));
        db.flush().unwrap();
    }
    let inputs: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let copies: Vec<_> = inputs.iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    let want = all(&db);
    assert_eq!(db.merge().unwrap().inputs, 3);
    drop(db);
    for (path, bytes) in copies {
        std::fs::write(path, bytes).unwrap();
    }
    std::fs::write(dir.path().join("leftover.tmp"), b"half").unwrap();
    let db = open(dir.path());
    assert_eq!(all(&db), want);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "inputs and leftovers are gone");
}

#[test]
fn a_damaged_merged_block_does_not_take_its_inputs_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    for time in 1..4 {
        db.insert(&TenantId::default(), &batch(&labels("m", &[]), &[(time, time as f64), (9, time as f64)]));
        db.flush().unwrap();
    }
    let copies: Vec<_> =
        files(dir.path()).into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect();
    let want = all(&db);
    db.merge().unwrap();
    drop(db);
    flip(&files(dir.path())[0], 10);
    for (path, bytes) in &copies {
        std::fs::write(path, bytes).unwrap();
    }
    for damaged in [1, 0] {
        let db = open(dir.path());
        assert_eq!((all(&db), db.damaged().len()), (want.clone(), damaged));
    }
}

#[test]
fn a_damaged_block_holds_up_no_other_and_what_is_deleted_in_it_stays_deleted() {
    let dir = tempfile::tempdir().unwrap();
    // A page that was read while it was whole is kept otherwise, and its damage shows when it is read again.
    let defaults = SeriesOptions::default();
    let options = SeriesOptions { merge_blocks_min: 2, recent_bytes_max: 0, decoded_bytes_max: 0, ..defaults };
    let db = SeriesDb::open(dir.path(), options.clone()).unwrap();
    let tenants = ["a", "b"].map(|name| TenantId::new(name).unwrap());
    let write = |time: i64| {
        for tenant in &tenants {
            db.insert(tenant, &batch(&labels("m", &[]), &[(time, 0.5), (time + 1, 1.5)]));
        }
        db.flush().unwrap();
    };
    write(10);
    write(20);
    let first = &files(dir.path())[0];
    let whole = std::fs::read(first).unwrap();
    let fails = |at: &usize| {
        std::fs::write(first, &whole).unwrap();
        flip(first, *at);
        matches!(db.select(&tenants[0], &[], 0, 99), Err(SeriesError::Damaged { .. }))
    };
    (4..whole.len()).find(fails).unwrap();
    assert_eq!(db.merge().unwrap().inputs, 2, "those of the other tenant");
    assert_eq!(db.merge().unwrap().inputs, 0);
    assert_eq!(db.damaged().into_iter().map(|block| block.path).collect::<Vec<_>>(), std::slice::from_ref(first));
    let meant = vec![matcher("__name__", MatchOp::Equal, "m")];
    assert_eq!(db.delete(&tenants[0], &[meant], 10, 10).unwrap(), 1);
    assert_eq!(db.clean_tombstones().unwrap(), 0);
    write(30);
    assert_eq!(db.compact().unwrap().inputs, 4, "two newer ones of each tenant");
    drop(db);
    std::fs::write(first, &whole).unwrap();
    let db = SeriesDb::open(dir.path(), options).unwrap();
    assert_eq!(db.select(&tenants[0], &[], 0, 99).unwrap()[0].times, [11, 20, 21, 30, 31]);
    assert!(db.damaged().is_empty());
}

#[test]
fn a_tenant_that_cannot_be_written_holds_up_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path());
    let one = batch(&labels("m", &[]), &[(1, 1.0)]);
    let tenants = ["a", "b", "c"].map(|name| TenantId::new(name).unwrap());
    db.insert(&tenants[2], &one);
    db.flush().unwrap();
    let first = files(dir.path())[0].clone();
    let next = first.to_str().unwrap().replace("0000000000000001-", "0000000000000002-");
    std::fs::create_dir(&next).unwrap();
    for tenant in &tenants[..2] {
        db.insert(tenant, &one);
    }
    assert!(matches!(db.flush(), Err(SeriesError::Io { .. })));
    assert!(db.unflushed_bytes() > 0);
    std::fs::remove_dir(&next).unwrap();
    assert_eq!(files(dir.path()).len(), 2, "the second tenant was written");
    assert_eq!(db.flush().unwrap().blocks, 1);
    drop(db);
    let db = open(dir.path());
    assert!(tenants.iter().all(|tenant| db.select(tenant, &[], 0, 9).unwrap().len() == 1));
}

#[test]
fn metadata_has_a_limit_and_what_is_known_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let options = || SeriesOptions { metadata_per_tenant_max: 2, ..SeriesOptions::default() };
    let db = SeriesDb::open(dir.path(), options()).unwrap();
    let tenant = TenantId::default();
    let of = |names: &[&str], help: &str| {
        let one = |name: &&str| MetricMetadata {
            name: (*name).to_owned(),
            kind: MetricKind::Counter,
            help: help.to_owned(),
            unit: String::new(),
        };
        SeriesBatch { series: Vec::new(), metadata: names.iter().map(one).collect() }
    };
    let limit = Limit::MetadataPerTenant { max: 2 };
    let first = of(&["a", "b", "a", "c", "b"], "first");
    assert_eq!(db.refused_metadata(&tenant, &first.metadata), Some((limit, vec![3])));
    assert_eq!(db.insert(&tenant, &first).metadata_rejected, Some(limit));
    let known = of(&["b", "a", "b"], "second");
    assert_eq!(db.refused_metadata(&tenant, &known.metadata), None);
    assert_eq!(db.insert(&tenant, &known).metadata_rejected, None);
    let check = |db: &SeriesDb| {
        let found = db.metadata(&tenant, None);
        let found: Vec<(&str, &str)> = found.iter().map(|known| (&*known.name, &*known.help)).collect();
        assert_eq!(found, [("a", "second"), ("b", "second")]);
    };
    check(&db);
    db.flush().unwrap();
    drop(db);
    check(&SeriesDb::open(dir.path(), options()).unwrap());
}

#[test]
fn tenants_have_a_limit_and_leave_when_nothing_of_them_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), SeriesOptions { tenants_max: 1, ..SeriesOptions::default() }).unwrap();
    let [known, new] = ["known", "new"].map(|name| TenantId::new(name).unwrap());
    let one = batch(&labels("m", &[]), &[(1, 1.0)]);
    assert!(db.refused(&new, &one).is_empty());
    assert!(db.tenants().is_empty(), "asking makes no tenant");
    db.insert(&known, &one);
    let refused = db.refused(&new, &one);
    assert_eq!(db.insert(&new, &one).rejected, refused, "what is announced is what happens");
    assert_eq!((refused[0].reason, refused[0].reason.name()), (Limit::Tenants { max: 1 }, "tenants_max"));
    let metadata =
        MetricMetadata { name: "m".into(), kind: MetricKind::Gauge, help: String::new(), unit: String::new() };
    let alone = SeriesBatch { series: Vec::new(), metadata: vec![metadata] };
    assert_eq!(db.insert(&new, &alone).metadata_rejected, Some(Limit::Tenants { max: 1 }));
    let refuses = |tenant| db.refused_metadata(tenant, &alone.metadata);
    assert_eq!((refuses(&new), refuses(&known)), (Some((Limit::Tenants { max: 1 }, vec![0])), None));
    assert_eq!(db.tenants(), std::slice::from_ref(&known));
    db.flush().unwrap();
    db.retain(100).unwrap();
    assert!(db.insert(&new, &one).rejected.is_empty());
    assert_eq!(db.tenants(), std::slice::from_ref(&new));
    assert_eq!(db.insert(&new, &alone).metadata_rejected, None);
    // What is known of its metrics is kept, and the tenant with it.
    db.flush().unwrap();
    db.retain(100).unwrap();
    assert_eq!(db.tenants(), [new]);
}

#[test]
fn what_was_hidden_is_hidden_from_the_first_read_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let retention =
        || vec![SeriesRetention { matchers: vec![matcher("__name__", MatchOp::Equal, "short")], keep_ms: 10 }];
    let open =
        || SeriesDb::open(dir.path(), SeriesOptions { retention: retention(), ..SeriesOptions::default() }).unwrap();
    let (db, tenant) = (open(), TenantId::default());
    for name in ["short", "long"] {
        db.insert(&tenant, &batch(&labels(name, &[]), &[(1, 1.0), (50, 2.0), (95, 3.0)]));
    }
    db.flush().unwrap();
    drop(db);
    let db = open();
    db.hide_at(100, Some(60));
    // What comes out of the log only now is hidden as well.
    db.insert(&tenant, &batch(&labels("short", &[]), &[(60, 4.0)]));
    let seen = || -> Vec<Vec<i64>> {
        let found = db.select(&tenant, &[], i64::MIN, i64::MAX).unwrap();
        found.into_iter().map(|data| data.times.into_vec()).collect()
    };
    assert_eq!(seen(), [[50, 95].to_vec(), [95].to_vec()]);
    db.retain_at(100, Some(60)).unwrap();
    assert_eq!(seen(), [[50, 95].to_vec(), [95].to_vec()], "a retention round changes nothing more");
    db.hide_at(20, Some(60));
    assert_eq!(seen().len(), 2, "a clock that jumps back brings nothing back");
}

/// Bytes of recent samples of some tenants, and from when on each has all samples in memory.
fn recent(sizes: &[usize], recent_bytes_max: usize) -> (usize, Vec<bool>) {
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), SeriesOptions { recent_bytes_max, ..SeriesOptions::default() }).unwrap();
    let tenants: Vec<TenantId> = (0..sizes.len()).map(|at| TenantId::new(&format!("t{at}")).unwrap()).collect();
    for (tenant, size) in tenants.iter().zip(sizes) {
        let samples: Vec<(i64, f64)> = (0..*size as i64).map(|at| (at * 1000, (at * 7919) as f64 / 3.0)).collect();
        db.insert(tenant, &batch(&labels("m", &[]), &samples));
    }
    db.flush().unwrap();
    let whole = tenants.iter().map(|tenant| db.in_memory_from(tenant) == Some(i64::MIN)).collect();
    (db.recent_bytes(), whole)
}

#[test]
fn tenants_share_the_memory_of_recent_samples_and_the_largest_gives_way_first() {
    let sizes = [2000, 100, 3000, 100, 200];
    let (all, whole) = recent(&sizes, usize::MAX);
    assert_eq!(whole, [true; 5]);
    for (max, want) in
        [(all, [true; 5]), (all / 2, [false, true, false, true, true]), (all / 10 * 9, [true, true, false, true, true])]
    {
        let (held, whole) = recent(&sizes, max);
        assert!(held <= max && held * 4 > max, "{held} of {max}");
        assert_eq!(whole, want, "{max} of {all}");
    }
    let many = vec![300; 40];
    let (one, _) = recent(&[300], usize::MAX);
    let (held, whole) = recent(&many, 10 * one);
    assert!(held <= 10 * one, "{held}: many tenants have no more than one");
    assert!(whole.iter().all(|whole| !whole), "and none of them more than its share");
}

#[test]
fn what_is_deleted_stays_deleted_while_a_block_of_both_sides_of_retention_holds_it() {
    let dir = tempfile::tempdir().unwrap();
    let tenant = TenantId::default();
    let db = open(dir.path());
    db.insert(&tenant, &batch(&labels("m", &[]), &[(1, 1.0), (2, 2.0), (100, 3.0)]));
    db.flush().unwrap();
    db.delete(&tenant, &[vec![matcher("__name__", MatchOp::Equal, "m")]], 0, 1).unwrap();
    db.retain(50).unwrap();
    drop(db);
    let db = open(dir.path());
    assert!(!all(&db)[&labels("m", &[])].contains(&(1, 1.0f64.to_bits())));
    assert_eq!(db.clean_tombstones().unwrap(), 1, "it was remembered");
    db.retain(200).unwrap();
    assert!(files(dir.path()).iter().all(|path| path.ends_with("tombstones")));
}

#[test]
fn a_sample_of_the_last_millisecond_ends_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), SeriesOptions { recent_bytes_max: 0, ..SeriesOptions::default() }).unwrap();
    db.insert(&TenantId::default(), &batch(&labels("m", &[]), &[(1, 1.0), (i64::MAX, 2.0)]));
    db.flush().unwrap();
    assert_eq!(all(&db)[&labels("m", &[])], [(1, 1.0f64.to_bits()), (i64::MAX, 2.0f64.to_bits())]);
}

fn histogram(count: f64) -> FloatHistogram {
    let positive = Buckets { spans: vec![BucketSpan { offset: 1, length: 2 }], counts: vec![count - 1.0, 1.0] };
    FloatHistogram { schema: 3, count, sum: count * 2.0, positive, ..FloatHistogram::default() }
}

#[test]
fn histograms_and_starts_come_back_through_flush_merge_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut db = open(dir.path());
    let labels = labels("h", &[]);
    let write = |db: &SeriesDb, times: &[i64], counts: &[f64]| {
        let sample = |(time, count): (&i64, &f64)| HistogramSample {
            time_ms: *time,
            start_ms: *time / 10 * 10,
            histogram: Arc::new(histogram(*count)),
        };
        let histograms = times.iter().zip(counts).map(sample).collect();
        // A number among them, as when a target changes its kind, with a start of its own.
        let samples = vec![Sample { time_ms: times[0] - 1, value: 7.5 }];
        let series =
            SeriesSamples { labels: labels.clone(), samples, starts: vec![5], histograms, ..SeriesSamples::default() };
        let report = db.insert(&TenantId::default(), &SeriesBatch { series: vec![series], metadata: Vec::new() });
        assert_eq!(report.samples, times.len() + 1);
    };
    let read = |db: &SeriesDb| db.select(&TenantId::default(), &[], 0, 1000).unwrap().remove(0);
    write(&db, &[10, 20], &[4.0, 6.0]);
    db.flush().unwrap();
    write(&db, &[30, 40], &[2.0, 3.0]);
    let before = read(&db);
    db.flush().unwrap();
    assert_eq!(read(&db), before);
    db.merge().unwrap();
    assert_eq!(read(&db), before);
    db = open(dir.path());
    let after = read(&db);
    assert_eq!(after, before);
    assert_eq!(after.times, [9, 10, 20, 29, 30, 40]);
    assert_eq!(after.starts, [5, 10, 20, 5, 30, 40]);
    let hints: Vec<_> = after.histograms.iter().map(|slot| slot.as_ref().map(|found| found.reset_hint)).collect();
    let (unknown, continues) = (Some(ResetHint::Unknown), Some(ResetHint::NotReset));
    assert_eq!(hints, [None, unknown, continues, None, unknown, continues]);
    assert!(after.histograms[2].as_ref().unwrap().same_data(&histogram(6.0)));
    assert_eq!((after.values[0], after.values[3]), (7.5, 7.5));
    // A number written over a histogram takes its place.
    db.insert(&TenantId::default(), &batch(&labels, &[(20, 1.0)]));
    let over = read(&db);
    assert_eq!((over.values[2], over.histograms[2].is_none(), over.starts[2]), (1.0, true, 0));
    assert_eq!(db.verify(), []);
}
