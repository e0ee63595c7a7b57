//! `timechart 5m by (f) limit 5 count() as n`: rows for a chart over time.

use super::stats;
use crate::Timechart;
use crate::format as text;

/// The canonical text.
pub(super) fn print(chart: &Timechart) -> String {
    let by = match chart.by[..] {
        [] => String::new(),
        _ => format!(" by ({}) limit {}", text::list(&chart.by), chart.limit),
    };
    format!("timechart {}{by} {}", text::bucket_text(&chart.bucket), stats::print_aggregates(&chart.aggregates))
}
