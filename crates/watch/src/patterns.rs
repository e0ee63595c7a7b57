//! Error lines by their shape.

use std::collections::BTreeMap;

use model::{TimeRange, Value};
use rules::{RuleQuery, RuleQueryError};

/// Most error lines that one look reads.
const LINES_MAX: usize = 2_000;
/// Longest pattern that is kept, in characters.
const PATTERN_CHARS_MAX: usize = 160;
/// The least severity that counts as an error.
const SEVERITIES: &str = "severity:in(ERROR, FATAL)";

/// Error lines of a service in a range of time: by version and pattern.
pub(crate) fn error_lines(
    query: &dyn RuleQuery,
    service: &str,
    range: TimeRange,
) -> Result<BTreeMap<(String, String), f64>, RuleQueryError> {
    let mut lines = BTreeMap::new();
    if range.start >= range.end {
        return Ok(lines);
    }
    let text = format!(
        "service.name:={} {SEVERITIES} | fields body, service.version | limit {LINES_MAX}",
        serde_json::Value::String(service.to_owned())
    );
    let mut cutter = shape::Cutter::default();
    for row in query.logs(&text, range)? {
        let text = |name: &str| row.get(name).map(Value::text).unwrap_or_default().into_owned();
        let pattern = pattern(&mut cutter, &text("body"));
        *lines.entry((text("service.version"), pattern)).or_default() += 1.0;
    }
    Ok(lines)
}

/// A line with `*` for what varies.
fn pattern(cutter: &mut shape::Cutter, line: &str) -> String {
    let (mut shape, mut variables) = (String::new(), String::new());
    let first = line.lines().next().unwrap_or("");
    shape::marked(cutter, first, &mut shape, &mut variables);
    let holes_as_stars = shape.chars().map(|c| if c.is_control() { '*' } else { c });
    holes_as_stars.take(PATTERN_CHARS_MAX).collect()
}
