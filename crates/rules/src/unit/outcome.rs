//! What tests found, compared and shown as promtool shows it.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use model::Labels;

/// What became of one test file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestReport {
    /// The file.
    pub file: String,
    /// What is odd about it.
    pub warnings: Vec<String>,
    /// Why it could not be run.
    pub errors: Vec<String>,
    /// Its groups of tests that ran.
    pub cases: Vec<CaseReport>,
}

/// What became of one group of tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseReport {
    /// Its name, or `unnamed#` and its place.
    pub name: String,
    /// What failed.
    pub failures: Vec<String>,
}

impl TestReport {
    /// Whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty() && self.cases.iter().all(|case| case.failures.is_empty())
    }
}

/// As promtool prints it.
impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Unit Testing:  {}", self.file)?;
        for warning in &self.warnings {
            writeln!(f, "  WARNING: {warning}")?;
        }
        if self.is_ok() {
            return writeln!(f, "  SUCCESS");
        }
        writeln!(f, "  FAILED:")?;
        for failure in self.errors.iter().chain(self.cases.iter().flat_map(|case| &case.failures)) {
            writeln!(f, "{failure}")?;
        }
        Ok(())
    }
}

/// An alert that fires, or should.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FoundAlert {
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
}

/// A sample of an expression, or one that should be.
#[derive(Clone, Debug)]
pub(super) struct FoundSample {
    pub(super) labels: Labels,
    pub(super) value: f64,
    /// Empty for a number.
    pub(super) histogram: String,
}

/// Whether results are the same: exactly, or up to the last bit of the fraction.
pub(super) fn same_samples(a: &[FoundSample], b: &[FoundSample], fuzzy: bool) -> bool {
    let value = |a: f64, b: f64| {
        let near = || fuzzy && (a.next_up() == b || a.next_down() == b);
        a == b || (a.is_nan() && b.is_nan()) || near()
    };
    let same = |(a, b): (&FoundSample, &FoundSample)| {
        a.labels == b.labels && a.histogram == b.histogram && value(a.value, b.value)
    };
    a.len() == b.len() && a.iter().zip(b).all(same)
}

/// The text of alerts that are not those expected.
pub(super) fn alerts_failure(head: &str, expected: &[FoundAlert], found: &[FoundAlert], diff: bool) -> String {
    const INDENT: &str = "            ";
    let (expected, found) = (alerts_text(expected), alerts_text(found));
    if diff {
        return format!("{head}\n        diff:\n{}", diff_text(&expected, &found, INDENT));
    }
    let (expected, found) = (indent(&expected, INDENT), indent(&found, INDENT));
    format!("{head}\n        exp:{expected}, \n        got:{found}")
}

/// The text of samples that are not those expected.
pub(super) fn samples_failure(head: &str, expected: &[FoundSample], found: &[FoundSample], diff: bool) -> String {
    let lines = |samples: &[FoundSample]| samples.iter().map(sample_text).collect::<Vec<_>>();
    let (expected, found) = (lines(expected), lines(found));
    if diff {
        let text = diff_text(&expected.join("\n"), &found.join("\n"), "            ");
        return format!("{head}\n        diff:\n{text}");
    }
    let joined = |lines: &[String]| if lines.is_empty() { "nil".to_owned() } else { lines.join(", ") };
    format!("{head}\n        exp: {}\n        got: {}", joined(&expected), joined(&found))
}

fn alerts_text(alerts: &[FoundAlert]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let shown = alerts.iter().enumerate().map(|(at, alert)| {
        let pairs = |map: &BTreeMap<String, String>| labels_text(map.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let text = format!("\nLabels:{}\nAnnotations:{}", pairs(&alert.labels), pairs(&alert.annotations));
        format!("{at}:{}", indent(&text, "  "))
    });
    let shown: Vec<String> = shown.collect();
    format!("[\n{}\n]", shown.join(",\n"))
}

fn sample_text(sample: &FoundSample) -> String {
    let labels = labels_text(sample.labels.iter());
    if !sample.histogram.is_empty() {
        return format!("{labels} {}", sample.histogram);
    }
    format!("{labels} {}", exponent_form(sample.value))
}

/// Go's `strconv.FormatFloat(value, 'E', -1, 64)`.
fn exponent_form(value: f64) -> String {
    if !value.is_finite() {
        return promql::format_number(value);
    }
    let text = format!("{value:E}");
    let (digits, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}E{sign}{exponent:0>2}")
}

fn labels_text<'a>(labels: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = labels.map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

/// Every line but the first moved to the right.
fn indent(text: &str, by: &str) -> String {
    text.replace('\n', &format!("\n{by}"))
}

/// What is only expected with `-`, what was only found with `+`.
fn diff_text(expected: &str, found: &str, by: &str) -> String {
    let mut out = String::new();
    for change in similar::TextDiff::from_lines(expected, found).iter_all_changes() {
        let sign = match change.tag() {
            similar::ChangeTag::Delete => '-',
            similar::ChangeTag::Insert => '+',
            similar::ChangeTag::Equal => ' ',
        };
        let _ = writeln!(out, "{by}{sign} {}", change.value().trim_end_matches('\n'));
    }
    out
}

/// Reports as JUnit's XML, for continuous integration.
pub fn junit(reports: &[TestReport]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for report in reports {
        let failed = |case: &&CaseReport| !case.failures.is_empty();
        let (tests, failures) = (report.cases.len(), report.cases.iter().filter(failed).count());
        let _ = writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{}\">",
            xml(&report.file),
            report.errors.len()
        );
        for error in &report.errors {
            let _ = writeln!(out, "    <testcase name=\"load\"><error>{}</error></testcase>", xml(error));
        }
        for case in &report.cases {
            let _ = write!(out, "    <testcase name=\"{}\">", xml(&case.name));
            for failure in &case.failures {
                let _ = write!(out, "<failure>{}</failure>", xml(failure));
            }
            out.push_str("</testcase>\n");
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

/// Text inside XML. Characters that XML can not have are left out.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && !['\n', '\t'].contains(&c) => {}
            c => out.push(c),
        }
    }
    out
}
