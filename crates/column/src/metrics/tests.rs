//! Blocks there and back, and what damage does to them.

use std::sync::Arc;

use super::*;
use crate::Source;

fn labels(pairs: &[(&str, &str)]) -> Vec<(Arc<str>, Arc<str>)> {
    pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
}

/// Rows of all forms, enough for several pages of some columns.
fn written(rows: u32) -> Vec<u8> {
    written_as(rows, false)
}

fn written_as(rows: u32, downsampled: bool) -> Vec<u8> {
    let mut writer = SeriesWriter::new(Vec::new(), downsampled).unwrap();
    for row in 0..rows {
        let text = format!("value{row:05}");
        let labels = labels(&[("__name__", "m"), ("own", &text)]);
        let deltas: Vec<i64> = (0..i64::from(row % 7) * 20).map(|n| n * n - i64::from(row)).collect();
        let doubles = [f64::from_bits(0x7ff0_0000_0000_0002), f64::from(row), -0.0];
        let row = SeriesRow {
            labels: &labels,
            first_ms: -1,
            last_ms: i64::from(row),
            samples: deltas.len() as u32,
            axis: row / 2,
            times: if row.is_multiple_of(2) { &[i64::MIN, 0, i64::MAX] } else { &[] },
            decimal: &[3, i64::MAX, i64::MIN],
            deltas: &deltas,
            exceptions: &[1, 2],
            doubles: &doubles,
            starts: &deltas[..deltas.len() / 2],
            histograms: &text.as_bytes()[..row as usize % 3],
            resolution_ms: if downsampled { i64::from(row) * 1000 } else { 0 },
            aggregate: if downsampled { Aggregate::ALL[row as usize % 7] } else { Aggregate::Sample },
        };
        writer.push(&row).unwrap();
    }
    writer.finish(&[("mine", "kept".to_owned())]).unwrap()
}

fn numbers(file: &SeriesFile, part: Part, row: u32) -> Vec<i64> {
    let page = file.page(part, file.page_of(part, row).unwrap()).unwrap();
    page.numbers(row).to_vec()
}

#[test]
fn rows_come_back_from_any_page() {
    let (file, pairs) = SeriesFile::open(Source::from(written(5000))).unwrap();
    assert_eq!(file.rows(), 5000);
    assert!(pairs.contains(&("mine".to_owned(), "kept".to_owned())), "{pairs:?}");
    assert!(file.page_of(Part::Deltas, 4999).unwrap() > 10, "there are several pages");
    file.verify().unwrap();
    let mut heads = 0u32;
    file.heads(|head| {
        let text = format!("value{heads:05}");
        assert_eq!(head.labels, [("__name__", "m"), ("own", &text)]);
        let found = (head.first_ms, head.last_ms, head.axis, head.samples, head.parts & PART_HISTOGRAMS != 0);
        assert_eq!(found, (-1, heads.into(), heads / 2, heads % 7 * 20, !heads.is_multiple_of(3)));
        heads += 1;
    })
    .unwrap();
    assert_eq!(heads, 5000);
    for row in [0, 1, 2, 6, 7, 1233, 4095, 4096, 4999] {
        let deltas: Vec<i64> = (0..i64::from(row % 7) * 20).map(|n| n * n - i64::from(row)).collect();
        assert_eq!(numbers(&file, Part::Deltas, row), deltas, "{row}");
        assert_eq!(numbers(&file, Part::Starts, row), deltas[..deltas.len() / 2], "{row}");
        assert_eq!(numbers(&file, Part::Decimal, row), [3, i64::MAX, i64::MIN]);
        assert_eq!(numbers(&file, Part::Exceptions, row), [1, 2]);
        assert_eq!(numbers(&file, Part::Times, row).len(), if row.is_multiple_of(2) { 3 } else { 0 });
        let doubles = [0x7ff0_0000_0000_0002, f64::from(row).to_bits() as i64, i64::MIN];
        assert_eq!(numbers(&file, Part::Doubles, row), doubles, "{row}");
        let page = file.page(Part::Histograms, file.page_of(Part::Histograms, row).unwrap()).unwrap();
        assert_eq!(page.bytes(row), &format!("value{row:05}").as_bytes()[..row as usize % 3]);
    }
    assert!(file.page_of(Part::Deltas, 5000).is_err());
}

#[test]
fn long_labels_end_a_batch_as_many_samples_do() {
    let mut writer = SeriesWriter::new(Vec::new(), false).unwrap();
    for row in 0..70 {
        let text = format!("{row:016384}");
        let labels = labels(&[("__name__", "m"), ("long", &text)]);
        let (numbers, doubles) = (&[][..], &[][..]);
        let row = SeriesRow {
            labels: &labels,
            first_ms: 1,
            last_ms: 1,
            samples: 1,
            axis: row,
            times: &[1],
            decimal: numbers,
            deltas: numbers,
            exceptions: numbers,
            doubles,
            starts: numbers,
            ..SeriesRow::default()
        };
        writer.push(&row).unwrap();
    }
    assert!(format!("{writer:?}").contains("rows: 6"), "{writer:?}: 64 of 16 KiB are a MiB");
    let (file, _) = SeriesFile::open(Source::from(writer.finish(&[]).unwrap())).unwrap();
    assert_eq!(file.rows(), 70);
}

#[test]
fn a_block_without_rows_opens() {
    let (file, _) = SeriesFile::open(Source::from(written(0))).unwrap();
    file.verify().unwrap();
    file.heads(|_| panic!("there is no row")).unwrap();
}

#[test]
fn no_changed_byte_goes_unnoticed() {
    let bytes = written(40);
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let opened = SeriesFile::open(Source::from(damaged)).and_then(|(file, _)| file.verify());
        // The first four bytes are Parquet's magic number, which no reader of ours looks at.
        assert!(at < 4 || opened.is_err(), "byte {at} of {}", bytes.len());
    }
    for len in 0..bytes.len() {
        assert!(SeriesFile::open(Source::from(bytes[..len].to_vec())).is_err(), "{len} bytes");
    }
}

#[test]
fn files_with_and_without_downsampled_series_are_read_alike() {
    for downsampled in [false, true] {
        let (file, _) = SeriesFile::open(Source::from(written_as(5000, downsampled))).unwrap();
        file.verify().unwrap();
        let mut row = 0;
        file.heads(|head| {
            let of = |resolution_ms, aggregate| {
                if downsampled { (resolution_ms, aggregate) } else { (0, Aggregate::Sample) }
            };
            let want = of(row * 1000, Aggregate::ALL[row as usize % 7]);
            assert_eq!((head.resolution_ms, head.aggregate), want);
            row += 1;
        })
        .unwrap();
        assert_eq!(row, 5000);
        assert_eq!(numbers(&file, Part::Exceptions, 4999), [1, 2]);
    }
}

#[test]
fn a_file_without_room_for_downsampled_series_takes_none() {
    let mut writer = SeriesWriter::new(Vec::new(), false).unwrap();
    assert!(writer.push(&SeriesRow { resolution_ms: 1, ..SeriesRow::default() }).is_err());
}
