use std::fs;
use std::sync::Arc;

use blob::LocalDir;
use column::{FieldView, rows_from_batch};
use model::{Row, RowId, Table, TenantId, Timestamp, Value};
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;

const DAY: i64 = 20_780;

fn spec(level: u32) -> SegmentSpec {
    SegmentSpec { tenant: TenantId::default(), table: Table::Logs, day: DAY, level }
}

fn row(id: u64, second: i64, stream: &str, body: &str) -> Row {
    let mut row = Row::new(Timestamp::from_secs(DAY * 86_400 + second));
    row.id = RowId(id);
    row.stream = stream.into();
    row.set("body", body);
    row
}

fn open_dir() -> (tempfile::TempDir, LocalDir) {
    let temp = tempfile::tempdir().unwrap();
    let dir = LocalDir::open(temp.path()).unwrap();
    (temp, dir)
}

fn rows_of(segment: &Segment) -> Vec<Row> {
    let batches = segment.read(&Projection::All, None).unwrap();
    batches.flat_map(|batch| rows_from_batch(&batch.unwrap())).collect()
}

/// Equal by content: fields in any order, NaN equal to itself.
fn canonical(rows: &[Row]) -> Vec<String> {
    let canonical = |row: &Row| {
        let mut row = row.clone();
        row.fields.sort_by(|a, b| a.0.cmp(&b.0));
        format!("{row:?}")
    };
    rows.iter().map(canonical).collect()
}

fn in_order(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    rows.sort_by(|a, b| (&a.stream, a.time, a.id).cmp(&(&b.stream, b.time, b.id)));
    rows
}

fn sample() -> Vec<Row> {
    let mut rows = vec![
        row(4, 10, "{b}", "disk full"),
        row(1, 20, "{a}", "request done"),
        row(2, 5, "{a}", "request failed"),
        row(3, 5, "{a}", "request slow"),
    ];
    rows[0].set("severity", "ERROR");
    rows[1].set("severity", "INFO");
    rows[2].set("code", 5i64);
    rows[3].set("code", "five");
    rows
}

#[test]
fn rows_come_back_in_order_with_their_words_indexed() {
    let (_temp, dir) = open_dir();
    let meta = write_segment(&dir, &spec(0), &sample()).unwrap();
    assert_eq!((meta.rows, meta.min_id, meta.max_id), (4, RowId(1), RowId(4)));
    assert_eq!(format!("{:?}", meta.severities), r#"{"ERROR": 1, "INFO": 1}"#);
    assert_eq!(dir.list("").unwrap(), [meta.index_key(), meta.parquet_key()]);
    let json = serde_json::to_string(&meta).unwrap();
    assert_eq!(serde_json::from_str::<SegmentMeta>(&json).unwrap(), meta);

    let segment = Segment::open(&dir, meta).unwrap();
    assert_eq!(rows_of(&segment).iter().map(|row| row.id.0).collect::<Vec<_>>(), [2, 3, 1, 4]);
    assert_eq!(segment.field_names().iter().collect::<Vec<_>>(), ["body", "code", "severity"]);
    let hits = segment.index().unwrap().term("body", "request").unwrap();
    assert_eq!(hits.iter().collect::<Vec<_>>(), [0, 1, 2]);
    let hits = segment.index().unwrap().term("code", "five").unwrap();
    let fields = Projection::Fields(vec!["code".to_owned()]);
    let batch = segment.read(&fields, Some(&hits)).unwrap().next().unwrap().unwrap();
    assert_eq!(FieldView::new(&batch, "code").value(0), Some("five".into()));
    assert!(segment.index_covers("body") && !segment.index_covers("_stream"));
    segment.verify().unwrap();
}

#[test]
fn a_segment_stays_readable_when_its_files_are_deleted() {
    let (_temp, dir) = open_dir();
    let segment = Segment::open(&dir, write_segment(&dir, &spec(0), &sample()).unwrap()).unwrap();
    segment.meta().keys().iter().for_each(|key| assert!(dir.delete(key).unwrap()));
    assert_eq!(rows_of(&segment).len(), 4);
    assert_eq!(segment.index().unwrap().doc_freq("body", "request").unwrap(), 3);
}

#[test]
fn writing_the_same_rows_again_gives_the_same_names() {
    let (_temp, dir) = open_dir();
    let rows = sample();
    let first = write_segment(&dir, &spec(0), &rows).unwrap();
    let again = write_segment(&dir, &spec(0), &in_order(&rows)).unwrap();
    assert_eq!(first.id, again.id);
    assert_ne!(first.id, write_segment(&dir, &spec(1), &rows).unwrap().id);
    assert_ne!(first.id, write_segment(&dir, &spec(0), &rows[1..]).unwrap().id);
}

#[test]
fn rows_that_make_no_segment_leave_no_file() {
    let (_temp, dir) = open_dir();
    for rows in [Vec::<Row>::new(), vec![row(1, 0, "{}", "x"), row(2, 86_400, "{}", "tomorrow")]] {
        let error = write_segment(&dir, &spec(0), &rows).unwrap_err();
        assert!(matches!(error, SegmentError::Rows { .. }), "{error}");
        assert_eq!(dir.list("").unwrap(), [""; 0]);
    }
}

#[test]
fn merging_keeps_every_row_in_order() {
    let (_temp, dir) = open_dir();
    let mut inputs = Vec::new();
    let mut all = Vec::new();
    for part in 0..3u64 {
        let line = |n: u64| {
            let mut row = row(n * 3 + part, (n % 50) as i64, ["{a}", "{b}"][n as usize % 2], &format!("line {n}"));
            row.set("part", if part == 0 { Value::Int(0) } else { Value::Str(format!("p{part}")) });
            row
        };
        let rows: Vec<Row> = (0..9000).map(line).collect();
        let meta = write_segment(&dir, &spec(0), &rows).unwrap();
        inputs.push(Arc::new(Segment::open(&dir, meta).unwrap()));
        all.extend(rows);
    }
    let meta = merge_segments(&dir, &spec(1), &inputs).unwrap();
    let segment = Segment::open(&dir, meta).unwrap();
    segment.verify().unwrap();
    assert_eq!(canonical(&rows_of(&segment)), canonical(&in_order(&all)));
    assert_eq!(segment.index().unwrap().doc_freq("part", "p1").unwrap(), 9000);
    let direct = write_segment(&dir, &spec(1), &all).unwrap();
    let sorted = |meta: &SegmentMeta| {
        let mut fields: Vec<String> = meta.fields.iter().map(|field| format!("{field:?}")).collect();
        fields.sort();
        fields
    };
    assert_eq!(sorted(&direct), sorted(segment.meta()));
}

/// R16: a flipped bit in either file is an error that names the segment.
#[test]
fn a_flipped_bit_is_an_error_that_names_the_segment() {
    let (_temp, dir) = open_dir();
    let rows: Vec<Row> = (0..500).map(|n| row(n, n as i64, "{}", &format!("line {n}"))).collect();
    let meta = write_segment(&dir, &spec(0), &rows).unwrap();
    for key in meta.keys() {
        let path = dir.path(&key).unwrap();
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(good.len() / 40) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            let segment = Segment::open(&dir, meta.clone()).unwrap();
            let read = segment.read(&Projection::All, None).map(drop);
            let indexed = segment.index().map(drop);
            let (hit, other) = if key == meta.parquet_key() { (read, indexed) } else { (indexed, read) };
            let error = hit.unwrap_err();
            assert!(error.is_corrupt() && error.to_string().contains(&meta.id), "{error}");
            other.unwrap();
            assert!(segment.verify().is_err());
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        assert!(Segment::open(&dir, meta.clone()).unwrap_err().is_corrupt());
        fs::remove_file(&path).unwrap();
        assert!(Segment::open(&dir, meta.clone()).unwrap_err().is_corrupt());
        fs::write(&path, &good).unwrap();
    }
    Segment::open(&dir, meta).unwrap().verify().unwrap();
}

#[test]
fn files_of_another_segment_are_refused() {
    let (_temp, dir) = open_dir();
    let meta = write_segment(&dir, &spec(0), &sample()).unwrap();
    let claims: [fn(&mut SegmentMeta); 4] =
        [|meta| meta.rows += 1, |meta| meta.fields.clear(), |meta| meta.day += 1, |meta| meta.checksum_parquet ^= 1];
    for change in claims {
        let mut wrong = meta.clone();
        change(&mut wrong);
        let read = Segment::open(&dir, wrong).and_then(|segment| segment.read(&Projection::All, None).map(drop));
        assert!(read.unwrap_err().is_corrupt());
    }
}

#[test]
fn a_lost_index_is_rebuilt_from_the_columns() {
    let (_temp, dir) = open_dir();
    let meta = write_segment(&dir, &spec(0), &sample()).unwrap();
    dir.delete(&meta.index_key()).unwrap();
    assert!(Segment::open(&dir, meta.clone()).is_err());

    let mut without = meta.clone();
    without.bytes_index = 0;
    without.index_failure = Some("lost".to_owned());
    let segment = Segment::open(&dir, without.clone()).unwrap();
    assert!(!segment.index_covers("body"));
    assert!(matches!(segment.index(), Err(SegmentError::NoIndex { .. })));
    segment.verify().unwrap();

    let rebuilt = rebuild_index(&dir, &meta).unwrap();
    assert_eq!(rebuilt.index_failure, None);
    let segment = Segment::open(&dir, rebuilt).unwrap();
    assert_eq!(segment.index().unwrap().doc_freq("body", "request").unwrap(), 3);
    segment.verify().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_rows_come_back_sorted(
        parts in proptest::collection::vec((0..86_400i64, "[ab]{0,1}", "\\PC{0,12}", any::<i64>()), 1..200),
    ) {
        let (_temp, dir) = open_dir();
        let make = |(id, (second, stream, body, n)): (usize, &(i64, String, String, i64))| {
            let mut row = row(id as u64, *second, stream, body);
            row.set("n", if n % 3 == 0 { Value::Str(n.to_string()) } else { Value::Int(*n) });
            row
        };
        let rows: Vec<Row> = parts.iter().enumerate().map(make).collect();
        let segment = Segment::open(&dir, write_segment(&dir, &spec(0), &rows).unwrap()).unwrap();
        prop_assert_eq!(canonical(&rows_of(&segment)), canonical(&in_order(&rows)));
        let half: RoaringBitmap = (0..rows.len() as u32).filter(|at| at % 2 == 0).collect();
        let batches = segment.read(&Projection::All, Some(&half)).unwrap();
        let some: Vec<Row> = batches.flat_map(|batch| rows_from_batch(&batch.unwrap())).collect();
        let want: Vec<Row> = in_order(&rows).into_iter().step_by(2).collect();
        prop_assert_eq!(canonical(&some), canonical(&want));
    }
}
