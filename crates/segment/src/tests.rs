use std::fs;
use std::sync::Arc;

use arrow_array::RecordBatch;
use blob::{BlockSums, CHECK_BLOCK_BYTES, LocalDir};
use column::{FieldView, rows_from_batch, rows_to_batch};
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

/// Rows as batches of `size` rows, each of a layout of its own.
fn batches(rows: &[Row], size: usize) -> Vec<RecordBatch> {
    rows.chunks(size).map(|rows| rows_to_batch(&rows.iter().collect::<Vec<_>>())).collect()
}

fn write(dir: &LocalDir, level: u32, rows: &[Row]) -> Result<SegmentMeta, SegmentError> {
    write_segment(dir, &spec(level), &batches(rows, 3))
}

/// No row is deleted.
fn none(_: &Segment) -> Option<RoaringBitmap> {
    None
}

fn rows_of(segment: &Segment) -> Vec<Row> {
    let batches = segment.read(&Projection::All, None).unwrap();
    batches.flat_map(|batch| rows_from_batch(&batch.unwrap())).collect()
}

/// The rows that have the token or may have it.
fn hits(segment: &Segment, field: &str, token: &str) -> RoaringBitmap {
    let hits = segment.index().unwrap().word(field, token, &|| false).unwrap();
    hits.sure | hits.maybe
}

fn doc_freq(segment: &Segment, field: &str, token: &str) -> u64 {
    hits(segment, field, token).len()
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
    let meta = write(&dir, 0, &sample()).unwrap();
    assert_eq!((meta.rows, meta.min_id, meta.max_id), (4, RowId(1), RowId(4)));
    assert_eq!(format!("{:?}", meta.severities), r#"{"ERROR": 1, "INFO": 1}"#);
    assert_eq!(dir.list("").unwrap(), [meta.index_key(), meta.parquet_key()]);
    let json = serde_json::to_string(&meta).unwrap();
    assert_eq!(serde_json::from_str::<SegmentMeta>(&json).unwrap(), meta);

    let segment = Segment::open(&dir, meta).unwrap();
    assert_eq!(rows_of(&segment).iter().map(|row| row.id.0).collect::<Vec<_>>(), [2, 3, 1, 4]);
    assert_eq!(segment.field_names().iter().collect::<Vec<_>>(), ["body", "code", "severity"]);
    let found = hits(&segment, "body", "request");
    assert_eq!(found.iter().collect::<Vec<_>>(), [0, 1, 2]);
    let found = hits(&segment, "code", "five");
    let fields = Projection::Fields(vec!["code".to_owned()]);
    let batch = segment.read(&fields, Some(&found)).unwrap().next().unwrap().unwrap();
    assert_eq!(FieldView::new(&batch, "code").value(0), Some("five".into()));
    assert!(segment.index_covers("body") && !segment.index_covers("_stream"));
    segment.verify().unwrap();
}

#[test]
fn a_segment_stays_readable_when_its_files_are_deleted() {
    let (_temp, dir) = open_dir();
    let segment = Segment::open(&dir, write(&dir, 0, &sample()).unwrap()).unwrap();
    segment.meta().keys().iter().for_each(|key| assert!(dir.delete(key).unwrap()));
    assert_eq!(rows_of(&segment).len(), 4);
    assert_eq!(doc_freq(&segment, "body", "request"), 3);
}

#[test]
fn writing_the_same_rows_again_gives_the_same_names() {
    let (_temp, dir) = open_dir();
    let rows = sample();
    let first = write(&dir, 0, &rows).unwrap();
    let again = write(&dir, 0, &in_order(&rows)).unwrap();
    assert_eq!(first.id, again.id);
    assert_ne!(first.id, write(&dir, 1, &rows).unwrap().id);
    assert_ne!(first.id, write(&dir, 0, &rows[1..]).unwrap().id);
}

#[test]
fn rows_that_make_no_segment_leave_no_file() {
    let (_temp, dir) = open_dir();
    for rows in [Vec::<Row>::new(), vec![row(1, 0, "{}", "x"), row(2, 86_400, "{}", "tomorrow")]] {
        let error = write(&dir, 0, &rows).unwrap_err();
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
        let meta = write(&dir, 0, &rows).unwrap();
        inputs.push(Arc::new(Segment::open(&dir, meta).unwrap()));
        all.extend(rows);
    }
    let meta = merge_segments(&dir, &spec(1), &inputs, &none).unwrap();
    let segment = Segment::open(&dir, meta).unwrap();
    segment.verify().unwrap();
    assert_eq!(canonical(&rows_of(&segment)), canonical(&in_order(&all)));
    assert_eq!(doc_freq(&segment, "part", "p1"), 9000);
    let direct = write(&dir, 1, &all).unwrap();
    let sorted = |meta: &SegmentMeta| {
        let mut fields: Vec<String> = meta.fields.iter().map(|field| format!("{field:?}")).collect();
        fields.sort();
        fields
    };
    assert_eq!(sorted(&direct), sorted(segment.meta()));
}

/// A segment of several blocks in each file.
fn large(dir: &LocalDir) -> SegmentMeta {
    let word = |n: u64| format!(" {:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (n << 7));
    let line = |n: u64| {
        let words: String = (0..6).map(|at| word(n * 6 + at)).collect();
        row(n, (n % 80_000) as i64, ["{a}", "{b}", "{c}"][n as usize % 3], &format!("line {n}{words}"))
    };
    let rows: Vec<Row> = (0..20_000).map(line).collect();
    let meta = write_segment(dir, &spec(0), &batches(&rows, 1000)).unwrap();
    assert!(meta.bytes_parquet > 4 * CHECK_BLOCK_BYTES && meta.bytes_index > CHECK_BLOCK_BYTES, "{meta:?}");
    meta
}

/// R16: a flipped bit of the column file is an error that names segment and block, wherever it is.
#[test]
fn a_flipped_bit_of_the_columns_is_an_error_that_names_the_block() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    let path = dir.path(&meta.parquet_key()).unwrap();
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40).chain([good.len() - 1, good.len() - 9]) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let segment = Segment::open(&dir, meta.clone()).unwrap();
        let read = segment.read(&Projection::All, None).and_then(|batches| batches.collect::<Result<Vec<_>, _>>());
        let error = read.unwrap_err();
        let block = format!("block {} ", at as u64 / CHECK_BLOCK_BYTES);
        assert!(error.is_corrupt() && error.segments() == [&meta.id], "{error}");
        assert!(error.to_string().contains(&meta.id) && error.to_string().contains(&block), "{error}");
        assert_eq!(segment.index().unwrap().rows(), meta.rows, "the index is whole");
        assert!(segment.verify().unwrap_err().is_corrupt());
    }
}

/// R16: what does not touch a bad block is read as ever, in both files.
#[test]
fn a_bad_block_leaves_the_others_readable() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    for key in meta.keys() {
        let path = dir.path(&key).unwrap();
        let good = fs::read(&path).unwrap();
        let (mut readable, mut answered) = (0, 0);
        let blocks = good.len().div_ceil(CHECK_BLOCK_BYTES as usize);
        for block in 0..blocks {
            let mut bad = good.clone();
            bad[block * CHECK_BLOCK_BYTES as usize + 5] ^= 8;
            fs::write(&path, &bad).unwrap();
            let segment = Segment::open(&dir, meta.clone()).unwrap();
            for row in [0, meta.rows as u32 / 2, meta.rows as u32 - 1] {
                let fields = Projection::Fields(vec!["body".to_owned()]);
                let read = segment.read(&fields, Some(&RoaringBitmap::from_iter([row])));
                match read.and_then(|batches| batches.collect::<Result<Vec<_>, _>>()) {
                    Ok(batches) => {
                        readable += 1;
                        let text = FieldView::new(&batches[0], "body").text(0).map(|text| text.into_owned());
                        assert!(text.is_some_and(|text| text.starts_with("line ")));
                    }
                    Err(error) => assert!(error.is_corrupt(), "{error}"),
                }
            }
            let hits = segment.index().map(|index| index.word("body", "line", &|| false));
            answered += usize::from(matches!(hits, Ok(Ok(hits)) if hits.rows().len() == meta.rows));
        }
        let is_columns = key == meta.parquet_key();
        assert!(if is_columns { readable > blocks } else { readable == blocks * 3 }, "{readable} of {blocks} * 3");
        assert!(if is_columns { answered == blocks } else { answered > 0 }, "{answered} of {blocks}");
        fs::write(&path, &good).unwrap();
    }
}

#[test]
fn only_touched_blocks_are_read() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    let segment = Segment::open(&dir, meta.clone()).unwrap();
    let passed = |segment: &Segment| segment.columns_map().blocks_passed();
    let index_passed = |segment: &Segment| segment.index_map().unwrap().blocks_passed();
    assert_eq!((passed(&segment), index_passed(&segment)), (0, 0), "nothing is read to open");
    segment.page_times().unwrap();
    assert!(passed(&segment) <= 2, "the footer");
    let row = RoaringBitmap::from_iter([meta.rows as u32 / 2]);
    let fields = Projection::Fields(vec!["body".to_owned()]);
    segment.read(&fields, Some(&row)).unwrap().for_each(|batch| drop(batch.unwrap()));
    let blocks = meta.bytes_parquet.div_ceil(CHECK_BLOCK_BYTES);
    assert!(passed(&segment) < blocks, "{} of {blocks}", passed(&segment));
    segment.verify().unwrap();
    assert_eq!(passed(&segment), blocks);
    assert_eq!(index_passed(&segment), meta.bytes_index.div_ceil(CHECK_BLOCK_BYTES));
}

/// R16: a flipped bit of the index leaves the columns in use.
#[test]
fn a_flipped_bit_of_the_index_leaves_the_columns() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    let path = dir.path(&meta.index_key()).unwrap();
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(good.len() / 40).chain([good.len() - 1]) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let segment = Segment::open(&dir, meta.clone()).unwrap();
        let error = segment.verify().unwrap_err();
        assert!(matches!(&error, SegmentError::IndexDamaged { id, .. } if *id == meta.id), "{error}");
        assert!(!error.is_corrupt() && error.to_string().contains("block"), "{error}");
        assert!(matches!(segment.index().unwrap_err(), SegmentError::IndexDamaged { .. }));
        assert!(!segment.index_covers("body"));
        assert_eq!(rows_of(&segment).len() as u64, meta.rows);
    }
}

#[test]
fn a_file_that_is_cut_or_missing_is_an_error() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    for key in meta.keys() {
        let path = dir.path(&key).unwrap();
        let good = fs::read(&path).unwrap();
        let cut = |len: usize| fs::write(&path, &good[..len]).unwrap();
        for damage in [&(|| cut(good.len() - 1)) as &dyn Fn(), &|| cut(0), &|| fs::remove_file(&path).unwrap()] {
            damage();
            match Segment::open(&dir, meta.clone()) {
                Err(error) => assert!(error.is_corrupt() && key == meta.parquet_key(), "{error}"),
                Ok(segment) => {
                    assert!(matches!(segment.index().unwrap_err(), SegmentError::IndexDamaged { .. }));
                    assert!(matches!(segment.verify().unwrap_err(), SegmentError::IndexDamaged { .. }));
                    assert_eq!(rows_of(&segment).len() as u64, meta.rows);
                }
            }
        }
        fs::write(&path, &good).unwrap();
    }
    Segment::open(&dir, meta).unwrap().verify().unwrap();
}

#[test]
fn a_file_that_is_cut_while_it_is_open_is_an_error() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    let segment = Segment::open(&dir, meta.clone()).unwrap();
    for key in meta.keys() {
        fs::OpenOptions::new().write(true).open(dir.path(&key).unwrap()).unwrap().set_len(10).unwrap();
    }
    assert!(segment.read(&Projection::All, None).map(drop).unwrap_err().is_corrupt());
    assert!(matches!(segment.index().unwrap_err(), SegmentError::IndexDamaged { .. }));
    assert!(segment.verify().unwrap_err().is_corrupt());
}

#[test]
fn files_of_another_segment_are_refused() {
    let (_temp, dir) = open_dir();
    let meta = write(&dir, 0, &sample()).unwrap();
    let claims: [fn(&mut SegmentMeta); 7] = [
        |meta| meta.rows += 1,
        |meta| meta.fields.clear(),
        |meta| meta.day += 1,
        |meta| meta.blocks_parquet = Some(BlockSums::new(vec![1])),
        |meta| meta.blocks_parquet = Some(BlockSums::new(Vec::new())),
        |meta| meta.hours = Some([1; 24]),
        |meta| meta.streams.as_mut().unwrap()[1].first_row += 1,
    ];
    for (at, change) in claims.into_iter().enumerate() {
        let mut wrong = meta.clone();
        change(&mut wrong);
        let read = Segment::open(&dir, wrong).and_then(|segment| segment.read(&Projection::All, None).map(drop));
        assert!(read.unwrap_err().is_corrupt(), "claim {at}");
    }
}

#[test]
fn verify_holds_the_manifest_against_the_rows() {
    let (_temp, dir) = open_dir();
    let meta = write(&dir, 0, &sample()).unwrap();
    let claims: [fn(&mut SegmentMeta); 6] = [
        |meta| meta.min_time.0 -= 1,
        |meta| meta.max_id.0 += 1,
        |meta| meta.severities.clear(),
        |meta| meta.hours.as_mut().unwrap().rotate_left(1),
        |meta| meta.streams.as_mut().unwrap()[0].stream.push('x'),
        |meta| meta.streams.as_mut().unwrap()[1].max_time.0 += 1,
    ];
    for (at, change) in claims.into_iter().enumerate() {
        let mut wrong = meta.clone();
        change(&mut wrong);
        assert!(Segment::open(&dir, wrong).unwrap().verify().unwrap_err().is_corrupt(), "claim {at}");
    }
}

#[test]
fn a_lost_index_is_rebuilt_from_the_columns() {
    let (_temp, dir) = open_dir();
    let meta = write(&dir, 0, &sample()).unwrap();
    let old_reader = Segment::open(&dir, meta.clone()).unwrap();
    let rebuilt = rebuild_index(&dir, &meta).unwrap();
    assert_eq!((rebuilt.index_failure.as_deref(), rebuilt.index_generation), (None, 1));
    assert_ne!(rebuilt.index_key(), meta.index_key());
    assert_eq!(doc_freq(&old_reader, "body", "request"), 3);
    assert!(dir.delete(&meta.index_key()).unwrap());

    let segment = Segment::open(&dir, meta.clone()).unwrap();
    assert!(!segment.index_covers("body"));
    assert!(matches!(segment.index(), Err(SegmentError::IndexDamaged { .. })));
    let mut without = meta.clone();
    without.bytes_index = 0;
    without.index_failure = Some("lost".to_owned());
    let segment = Segment::open(&dir, without).unwrap();
    assert!(!segment.index_covers("body"));
    assert!(matches!(segment.index(), Err(SegmentError::NoIndex { .. })));
    segment.verify().unwrap();

    let again = rebuild_index(&dir, &rebuilt).unwrap();
    assert_eq!(dir.list("").unwrap(), [rebuilt.index_key(), again.index_key(), meta.parquet_key()]);
    for meta in [rebuilt, again] {
        let segment = Segment::open(&dir, meta).unwrap();
        assert_eq!(doc_freq(&segment, "body", "request"), 3);
        segment.verify().unwrap();
    }
}

#[test]
fn entries_of_older_versions_are_read() {
    let (_temp, dir) = open_dir();
    let meta = large(&dir);
    let mut json = serde_json::to_value(&meta).unwrap();
    for name in [
        "blocks_parquet",
        "blocks_index",
        "index_groups_bytes",
        "index_terms_bytes",
        "index_filters_bytes",
        "hours",
        "streams",
    ] {
        json.as_object_mut().unwrap().remove(name).unwrap();
    }
    let old: SegmentMeta = serde_json::from_value(json).unwrap();
    assert_eq!((old.streams.is_none(), old.hours, old.blocks_parquet.is_none()), (true, None, true));
    let segment = Segment::open(&dir, old.clone()).unwrap();
    segment.verify().unwrap();
    let path = dir.path(&meta.parquet_key()).unwrap();
    let mut bad = fs::read(&path).unwrap();
    bad[CHECK_BLOCK_BYTES as usize] ^= 4;
    fs::write(&path, bad).unwrap();
    assert!(Segment::open(&dir, old).unwrap().read(&Projection::All, None).map(drop).unwrap_err().is_corrupt());
}

#[test]
fn a_manifest_entry_tells_streams_hours_and_blocks_shortly() {
    let (_temp, dir) = open_dir();
    let mut rows = sample();
    rows.push(row(9, 7_300, "{a}", "late"));
    let meta = write(&dir, 0, &rows).unwrap();
    let json = serde_json::to_string(&meta).unwrap();
    assert_eq!(serde_json::from_str::<SegmentMeta>(&json).unwrap(), meta);
    let mut hours = [0; 24];
    (hours[0], hours[2]) = (4, 1);
    assert_eq!(meta.hours, Some(hours));
    let streams: Vec<_> = meta.streams.iter().flatten().map(|s| (s.stream.as_str(), s.first_row, s.rows)).collect();
    assert_eq!(streams, [("{a}", 0, 4), ("{b}", 4, 1)]);
    let seconds = |time: Timestamp| time.0 / 1_000_000_000 - DAY * 86_400;
    let times: Vec<_> = meta.streams.iter().flatten().map(|s| (seconds(s.min_time), seconds(s.max_time))).collect();
    assert_eq!(times, [(5, 7_300), (10, 10)]);

    let many: Vec<Row> = (0..5_000).map(|n| row(n, 1, &format!("{{host=\"{n:05}\"}}"), "x")).collect();
    let many = write_segment(&dir, &spec(0), &batches(&many, 5_000)).unwrap();
    assert_eq!(many.streams, None);
    assert!(serde_json::to_string(&many).unwrap().len() < 2_000);
}

/// A row as the properties below make it: second, stream, body, number.
type Part = (i64, String, String, i64);

fn parts(max: usize) -> impl Strategy<Value = Vec<Part>> {
    proptest::collection::vec((0..86_400i64, "[ab]{0,2}", "\\PC{0,12}", any::<i64>()), 1..max)
}

/// Rows with fields of every kind: now an integer and now a text, in some rows only, nested, and by a name of its own.
fn make(id: usize, (second, stream, body, n): &Part) -> Row {
    let mut row = row(id as u64, *second % 100, stream, body);
    row.set("n", if n % 3 == 0 { Value::Str(n.to_string()) } else { Value::Int(*n) });
    row.set("level", ["low", "high"][(n & 1) as usize]);
    match n.rem_euclid(5) {
        0 => row.set("flag", n % 2 == 0),
        1 => row.set("ratio", *n as f64 / 7.0),
        2 => row.set("list", Value::Array(vec![Value::Int(*n), Value::Str(body.clone())])),
        3 => row.set(&format!("rare_{}", n.rem_euclid(97)), *n),
        _ => {}
    }
    row
}

fn make_all(parts: &[Part]) -> Vec<Row> {
    parts.iter().enumerate().map(|(id, part)| make(id, part)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_rows_come_back_sorted(parts in parts(200), size in 1..100usize) {
        let (_temp, dir) = open_dir();
        let rows = make_all(&parts);
        let meta = write_segment(&dir, &spec(0), &batches(&rows, size)).unwrap();
        let segment = Segment::open(&dir, meta).unwrap();
        segment.verify().unwrap();
        prop_assert_eq!(canonical(&rows_of(&segment)), canonical(&in_order(&rows)));
        let half: RoaringBitmap = (0..rows.len() as u32).filter(|at| at % 2 == 0).collect();
        let batches = segment.read(&Projection::All, Some(&half)).unwrap();
        let some: Vec<Row> = batches.flat_map(|batch| rows_from_batch(&batch.unwrap())).collect();
        let want: Vec<Row> = in_order(&rows).into_iter().step_by(2).collect();
        prop_assert_eq!(canonical(&some), canonical(&want));
    }

    #[test]
    fn a_merge_is_a_sort_of_everything_that_is_not_deleted(
        parts in parts(300), inputs in 1..5usize, deal in any::<bool>(), deletes in proptest::collection::vec(0..300u32, 0..100),
    ) {
        let (_temp, dir) = open_dir();
        let rows = make_all(&parts);
        // Either input by input in time, as flushes do, or dealt like cards.
        let of = |id: usize| if deal { id % inputs } else { id * inputs / rows.len() };
        let mut segments = Vec::new();
        let mut kept = Vec::new();
        for input in 0..inputs {
            let mine: Vec<Row> = rows.iter().filter(|row| of(row.id.0 as usize) == input).cloned().collect();
            if mine.is_empty() {
                continue;
            }
            let meta = write_segment(&dir, &spec(0), &batches(&mine, 37)).unwrap();
            let mine = in_order(&mine);
            kept.extend(mine.iter().enumerate().filter(|(at, _)| !deletes.contains(&(*at as u32))).map(|(_, row)| row.clone()));
            segments.push(Arc::new(Segment::open(&dir, meta).unwrap()));
        }
        let deletes: RoaringBitmap = deletes.into_iter().collect();
        let merged = merge_segments(&dir, &spec(1), &segments, &|_| Some(deletes.clone()));
        if kept.is_empty() {
            let is_rows = matches!(merged.unwrap_err(), SegmentError::Rows { .. });
            prop_assert!(is_rows);
            return Ok(());
        }
        let meta = merged.unwrap();
        let counted: u64 = meta.fields.iter().filter(|field| field.name == "level").map(|field| field.count.total()).sum();
        prop_assert_eq!(counted, kept.len() as u64);
        let segment = Segment::open(&dir, meta).unwrap();
        segment.verify().unwrap();
        prop_assert_eq!(canonical(&rows_of(&segment)), canonical(&in_order(&kept)));
    }
}
