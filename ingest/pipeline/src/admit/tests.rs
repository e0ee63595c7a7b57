//! Batches in, rejects out; and what is said of them again.

use expect_test::{Expect, expect};
use model::{MetricKind, MetricMetadata, Sample, SeriesSamples};
use series::SeriesOptions;

use super::*;

fn series(name: &str, value: &str) -> SeriesSamples {
    SeriesSamples {
        labels: [("__name__", name), ("l", value)].into_iter().collect(),
        samples: vec![Sample { time_ms: 1, value: 1.0 }, Sample { time_ms: 2, value: 2.0 }],
        ..SeriesSamples::default()
    }
}

fn metadata(name: &str) -> MetricMetadata {
    MetricMetadata { name: name.into(), kind: MetricKind::Gauge, help: String::new(), unit: String::new() }
}

fn batch(series: Vec<SeriesSamples>, metadata: Vec<MetricMetadata>) -> Decoded {
    Decoded { series: SeriesBatch { series, metadata }, ..Decoded::default() }
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// What is left of a batch, and its rejects, one a line.
fn check(options: SeriesOptions, of: &TenantId, mut decoded: Decoded, want: Expect) {
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), options).unwrap();
    db.insert(&tenant("known"), &SeriesBatch { series: vec![series("up", "a")], metadata: Vec::new() });
    admit(&db, of, &mut decoded);
    let kept = decoded.series.series.iter().map(|series| series.labels.to_string()).collect::<Vec<_>>().join(" ");
    let mut said = format!("{kept}; {} of metadata\n", decoded.series.metadata.len());
    for reject in decoded.rejects {
        let raw = String::from_utf8_lossy(&reject.raw).replace('\n', " ");
        let over = reject.over.map(|over| format!("{} {:?}", over.limit, over.metric)).unwrap_or_default();
        said.push_str(&format!("{} items, {over}: {} [{raw}]\n", reject.items, reject.reason));
    }
    want.assert_eq(&said);
}

#[test]
fn metadata_of_a_tenant_that_is_one_too_many_is_told() {
    let options = || SeriesOptions { tenants_max: 1, ..SeriesOptions::default() };
    let alone = || batch(Vec::new(), vec![metadata("up"), metadata("down")]);
    check(
        options(),
        &tenant("more"),
        alone(),
        expect![[r#"
            ; 0 of metadata
            0 items, tenants_max "up": metadata of 2 metrics over a limit: there are 1 tenants with metrics already (limit tenants_max); send it as one of them, or raise store.tenants_max [up down]
        "#]],
    );
    check(
        options(),
        &tenant("known"),
        alone(),
        expect![[r#"
            ; 2 of metadata
        "#]],
    );
    check(
        options(),
        &tenant("more"),
        batch(vec![series("up", "b")], vec![metadata("up")]),
        expect![[r#"
            ; 0 of metadata
            2 items, tenants_max "up": series over a limit: there are 1 tenants with metrics already (limit tenants_max); send it as one of them, or raise store.tenants_max [up{l="b"}]
            0 items, tenants_max "up": metadata of 1 metrics over a limit: there are 1 tenants with metrics already (limit tenants_max); send it as one of them, or raise store.tenants_max [up]
        "#]],
    );
}

#[test]
fn metadata_of_one_metric_too_many_is_told_and_the_others_stay() {
    let options = SeriesOptions { metadata_per_tenant_max: 2, ..SeriesOptions::default() };
    check(
        options,
        &tenant("known"),
        batch(vec![series("up", "a")], ["up", "down", "calm", "up", "flood"].map(metadata).to_vec()),
        expect![[r#"
            up{l="a"}; 3 of metadata
            0 items, metadata_per_tenant_max "calm": metadata of 2 metrics over a limit: the tenant has metadata of 2 metrics already (limit metadata_per_tenant_max); do metrics have names of their own? [calm flood]
        "#]],
    );
}

#[test]
fn what_is_over_a_limit_is_left_out_and_its_neighbours_stay() {
    let options = SeriesOptions { series_per_metric_max: 2, label_value_bytes_max: 8, ..SeriesOptions::default() };
    let all = vec![series("up", "b"), series("up", "c"), series("down", "too long a value"), series("calm", "b")];
    check(
        options,
        &tenant("known"),
        batch(all, vec![metadata("up")]),
        expect![[r#"
            up{l="b"} calm{l="b"}; 1 of metadata
            2 items, series_per_metric_max "up": series over a limit: the metric has 2 series already (limit series_per_metric_max); drop a label with many values [up{l="c"}]
            2 items, label_value_bytes_max "down": series over a limit: a label value has 16 bytes, 8 are allowed (limit label_value_bytes_max) [down{l="too long a value"}]
        "#]],
    );
}

#[test]
fn a_flood_is_a_few_rejects() {
    let options = SeriesOptions { series_per_metric_max: 1, ..SeriesOptions::default() };
    let mut all: Vec<_> = (0..1000).map(|at| series("flood", &at.to_string())).collect();
    all.extend((0..70).flat_map(|at| [series(&format!("m{at}"), "a"), series(&format!("m{at}"), "b")]));
    let mut decoded = batch(all, Vec::new());
    let dir = tempfile::tempdir().unwrap();
    let db = SeriesDb::open(dir.path(), options).unwrap();
    admit(&db, &TenantId::default(), &mut decoded);
    assert_eq!((decoded.series.series.len(), decoded.rejected()), (71, 2 * (999 + 70)), "no sample is forgotten");
    assert_eq!(decoded.rejects.len(), REFUSED_SERIES_TOLD_MAX + REFUSED_METRICS_TOLD_MAX + 1);
    let (flood, rest) = (&decoded.rejects[REFUSED_SERIES_TOLD_MAX], decoded.rejects.last().unwrap());
    assert!(flood.reason.starts_with("979 more series are over a limit, like: the metric has 1"), "{}", flood.reason);
    assert!(rest.reason.starts_with("21 more series"), "{}", rest.reason);
    assert_eq!(rest.over.as_ref().map(|over| &*over.metric), Some(""));
}

fn reject(metric: &str, items: usize) -> Reject {
    let over = OverLimit { limit: "series_per_metric_max", metric: metric.into() };
    Reject { over: Some(over), ..Reject::new("over", b"raw").of_items(items) }
}

/// How many rows are kept of a request.
fn told(refusals: &Refusals, of: &TenantId, mut rejects: Vec<Reject>, now: Instant) -> usize {
    let tally = refusals.tally(of, &mut rejects, now);
    refusals.stored(of, tally, now);
    rejects.len()
}

#[test]
fn the_same_is_told_again_after_a_while_and_counted_each_time() {
    let (refusals, start, shop) = (Refusals::default(), Instant::now(), tenant("told-again"));
    let request = |metric| vec![reject(metric, 3), reject(metric, 4), Reject::new("bad line", b"x")];
    assert_eq!(told(&refusals, &shop, request("a"), start), 3);
    assert_eq!(told(&refusals, &shop, request("a"), start + REFUSAL_AGAIN / 2), 1, "other rejects are always kept");
    assert_eq!(told(&refusals, &shop, request("b"), start + REFUSAL_AGAIN / 2), 3, "another metric");
    assert_eq!(told(&refusals, &tenant("told-too"), request("a"), start), 3, "another tenant");
    assert_eq!(told(&refusals, &shop, request("a"), start + REFUSAL_AGAIN), 3);
    assert_eq!(REFUSED_SAMPLES.get("told-again", "series_per_metric_max"), 4 * 7);
}

#[test]
fn what_was_not_stored_was_not_told() {
    let (refusals, now, shop) = (Refusals::default(), Instant::now(), tenant("not-stored"));
    for _ in 0..2 {
        let mut rejects = vec![reject("a", 1)];
        drop(refusals.tally(&shop, &mut rejects, now));
        assert_eq!(rejects.len(), 1);
    }
    assert_eq!(REFUSED_SAMPLES.get("not-stored", "series_per_metric_max"), 0);
}

#[test]
fn what_is_remembered_is_bounded() {
    let (refusals, start, shop) = (Refusals::default(), Instant::now(), tenant("bounded"));
    for at in 0..REFUSALS_KNOWN_MAX {
        assert_eq!(told(&refusals, &shop, vec![reject(&at.to_string(), 1)], start), 1);
    }
    assert_eq!(told(&refusals, &shop, vec![reject("more", 1)], start), 0);
    assert_eq!(refusals.0.lock().len(), REFUSALS_KNOWN_MAX);
    assert_eq!(told(&refusals, &shop, vec![reject("more", 1)], start + REFUSAL_AGAIN), 1);
    assert_eq!(refusals.0.lock().len(), 1, "what is long ago makes room");
}
