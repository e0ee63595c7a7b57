//! What is asked of metrics, in PromQL.

use benches::FleetManifest;

use crate::workload;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    OneSeries,
    HostRate,
    FleetRate,
    RegexAverage,
    Quantile,
    TopOfMax,
    CountAll,
    Ratio,
    Subquery,
    SeriesNow,
    Samples,
}

/// One host among many.
const HOST: &str = "host-00007:9100";

impl workload::Question for Question {
    const ALL: &'static [Self] = &[
        Self::OneSeries,
        Self::HostRate,
        Self::FleetRate,
        Self::RegexAverage,
        Self::Quantile,
        Self::TopOfMax,
        Self::CountAll,
        Self::Ratio,
        Self::Subquery,
        Self::SeriesNow,
        Self::Samples,
    ];

    fn id(self) -> &'static str {
        match self {
            Self::OneSeries => "one_series",
            Self::HostRate => "host_rate",
            Self::FleetRate => "fleet_rate",
            Self::RegexAverage => "regex_average",
            Self::Quantile => "quantile",
            Self::TopOfMax => "top_of_max",
            Self::CountAll => "count_of_all",
            Self::Ratio => "ratio",
            Self::Subquery => "subquery",
            Self::SeriesNow => "series_now",
            Self::Samples => "samples",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::OneSeries => "one series",
            Self::HostRate => "one host's rate by mode",
            Self::FleetRate => "fleet's rate by region and mode",
            Self::RegexAverage => "average of a regex by mountpoint",
            Self::Quantile => "histogram_quantile of the fleet",
            Self::TopOfMax => "topk of max_over_time",
            Self::CountAll => "count of all series",
            Self::Ratio => "ratio of two rates by instance",
            Self::Subquery => "subquery of a rate",
            Self::SeriesNow => "series at the end, instant",
            Self::Samples => "count of a metric's samples, instant",
        }
    }
}

impl Question {
    /// Whether it is asked at the end of the data instead of over a range.
    pub(crate) fn is_at_end(self) -> bool {
        matches!(self, Self::SeriesNow | Self::Samples)
    }

    /// Whether MetricsQL means the same by it as PromQL: its rates look at the sample before the window and do not extrapolate.
    pub(crate) fn agrees_with_metricsql(self) -> bool {
        !matches!(self, Self::HostRate | Self::FleetRate | Self::Quantile | Self::Ratio | Self::Subquery)
    }

    /// The question in PromQL.
    pub(crate) fn query(self, data: &FleetManifest) -> String {
        // Longer than the data, so that it has all of it. One metric: the samples of several would lose the names that tell them apart.
        let seconds = (data.end_ms - data.start_ms) / 1000 + 60;
        match self {
            Self::OneSeries => format!("node_load1{{instance=\"{HOST}\"}}"),
            Self::HostRate => format!("sum by (mode) (rate(node_cpu_seconds_total{{instance=\"{HOST}\"}}[5m]))"),
            Self::FleetRate => "sum by (region, mode) (rate(node_cpu_seconds_total[5m]))".to_owned(),
            Self::RegexAverage => {
                "avg by (mountpoint) (node_filesystem_avail_bytes{mountpoint=~\"/(var|home|srv|data)\"})".to_owned()
            }
            Self::Quantile => {
                "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket[5m])))".to_owned()
            }
            Self::TopOfMax => "topk(5, max_over_time(node_scrape_collector_duration_seconds[10m]))".to_owned(),
            Self::CountAll | Self::SeriesNow => "count({__name__=~\".+\"})".to_owned(),
            Self::Ratio => "sum by (instance) (rate(node_network_receive_bytes_total[5m])) \
                / sum by (instance) (rate(node_network_receive_packets_total[5m]))"
                .to_owned(),
            Self::Subquery => format!(
                "max_over_time(rate(node_disk_read_bytes_total{{instance=\"{HOST}\",device=\"sda\"}}[5m])[30m:1m])"
            ),
            Self::Samples => format!("sum(count_over_time(node_cpu_seconds_total[{seconds}s]))"),
        }
    }
}
