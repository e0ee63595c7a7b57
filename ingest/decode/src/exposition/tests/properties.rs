//! What holds for any body.

use proptest::prelude::*;

use super::Log;
use crate::exposition::{ExpositionFormat, ExpositionOptions, Fact, Point, PointValue, Visitor, read_exposition};

/// Labels, value and time of a sample.
type Sample = (Vec<(String, String)>, f64, Option<i64>);

/// Collects samples.
#[derive(Default)]
struct Collected(Vec<Sample>);

impl Visitor for Collected {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        let mut labels = Vec::new();
        point.series.each_label(|name, value| labels.push((name.into_owned(), value.into_owned())));
        if let PointValue::Number(value) = point.value {
            self.0.push((labels, value, point.time_ms));
        }
        Ok(())
    }

    fn metadata(&mut self, _: &str, _: Fact<'_>) {}
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// A series as a target writes it: labels with names of any characters, in quotes where they must be.
fn series() -> impl Strategy<Value = Sample> {
    let name = prop_oneof!["[a-zA-Z_:][a-zA-Z0-9_:]{0,8}", "[a-z.é\"\\\\ ]{1,6}"];
    let labels = proptest::collection::btree_map(prop_oneof!["[a-z_][a-z0-9_]{0,5}", "[.é\"\n]{1,4}"], ".{0,6}", 0..4);
    let value =
        prop_oneof![any::<f64>().prop_filter("one NaN", |value| !value.is_nan()), (0u32..2000).prop_map(f64::from)];
    (name, labels, value, proptest::option::of(0i64..2_000_000_000_000)).prop_map(|(name, labels, value, time)| {
        let mut all = vec![("__name__".to_owned(), name)];
        all.extend(labels.into_iter().filter(|(name, _)| name != "__name__"));
        (all, value, time)
    })
}

fn written(series: &[(String, String)], value: f64, time: Option<i64>) -> String {
    let pairs: Vec<String> =
        series[1..].iter().map(|(name, value)| format!("\"{}\"=\"{}\"", escaped(name), escaped(value))).collect();
    let name = format!("\"{}\"", escaped(&series[0].1));
    let inside: Vec<String> = std::iter::once(name).chain(pairs).collect();
    let time = time.map_or(String::new(), |time| format!(" {time}"));
    format!("{{{}}} {value}{time}\n", inside.join(","))
}

const WORDS: &[&str] = &[
    "foo",
    "{",
    "}",
    "\"",
    "=",
    ",",
    " ",
    "\n",
    "# ",
    "TYPE ",
    "HELP ",
    "UNIT ",
    "EOF",
    "counter",
    "histogram",
    "1",
    "-1.5",
    "NaN",
    "+Inf",
    "a=\"b\"",
    "\\",
    "_bucket",
    "le=\"1\"",
    "_created",
    " # {",
    "\t",
    "é",
    "foo_total 1\n",
    "# TYPE foo counter\n",
    "# EOF\n",
    "\0",
];

proptest! {
    #[test]
    fn what_is_written_is_read(all in proptest::collection::vec(series(), 0..8)) {
        let body: String = all.iter().map(|(labels, value, time)| written(labels, *value, *time)).collect();
        let mut read = Collected::default();
        read_exposition(ExpositionFormat::Text, body.as_bytes(), ExpositionOptions::default(), &mut read).expect("good");
        prop_assert_eq!(read.0, all);
    }

    #[test]
    fn nothing_panics(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        let body = words.concat();
        for format in [ExpositionFormat::Text, ExpositionFormat::OpenMetrics, ExpositionFormat::Protobuf] {
            let _ = read_exposition(format, body.as_bytes(), ExpositionOptions::default(), &mut Log::default());
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let options = ExpositionOptions { native_histograms: true, classic_too: true };
        for format in [ExpositionFormat::Text, ExpositionFormat::OpenMetrics, ExpositionFormat::Protobuf] {
            let _ = read_exposition(format, &bytes, options, &mut Log::default());
        }
    }

    #[test]
    fn openmetrics_is_never_taken_when_cut(cut in 0usize..100) {
        let body = "# TYPE foo counter\nfoo_total{a=\"b\"} 1 2 # {c=\"d\"} 3\nfoo_created{a=\"b\"} 5\n# EOF";
        let cut = cut.min(body.len() - 1);
        let read = read_exposition(ExpositionFormat::OpenMetrics, &body.as_bytes()[..cut], ExpositionOptions::default(), &mut Log::default());
        prop_assert!(read.is_err(), "{:?}", &body[..cut]);
    }
}
