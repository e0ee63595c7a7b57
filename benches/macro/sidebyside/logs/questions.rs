//! What is asked. Each engine's file says it in the engine's own language.

use crate::workload;

/// A question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    CountAll,
    CountBySeverity,
    RareLines,
    RareCount,
    TraceLines,
    PhraseCount,
    CommonCount,
    NewestOfCommon,
    Regex,
    RegexWithoutWords,
    ServiceByHour,
    TopHosts,
    FilteredAverage,
}

/// What an answer is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Records: time and body of each.
    Lines,
    /// A table with these columns.
    Table(&'static [&'static str]),
}

/// A regular expression whose words are in the index: a few thousand real lines have it.
pub(crate) const REGEX: &str = r"authentication failure.*rhost=\S+\.com";
/// One without a whole word: no index helps.
pub(crate) const REGEX_WITHOUT_WORDS: &str = r"[Tt]imeo?ut|timed.out";
/// Records of the newest of a common word.
pub(crate) const NEWEST: u64 = 100;
/// Hosts of the top hosts.
pub(crate) const TOP: u64 = 10;

impl workload::Question for Question {
    const ALL: &'static [Self] = &[
        Self::CountAll,
        Self::CountBySeverity,
        Self::RareLines,
        Self::RareCount,
        Self::TraceLines,
        Self::PhraseCount,
        Self::CommonCount,
        Self::NewestOfCommon,
        Self::Regex,
        Self::RegexWithoutWords,
        Self::ServiceByHour,
        Self::TopHosts,
        Self::FilteredAverage,
    ];

    fn id(self) -> &'static str {
        match self {
            Self::CountAll => "count_all",
            Self::CountBySeverity => "count_by_severity",
            Self::RareLines => "rare_lines",
            Self::RareCount => "rare_count",
            Self::TraceLines => "trace_lines",
            Self::PhraseCount => "phrase_count",
            Self::CommonCount => "common_count",
            Self::NewestOfCommon => "newest_of_common",
            Self::Regex => "regex",
            Self::RegexWithoutWords => "regex_without_words",
            Self::ServiceByHour => "service_by_hour",
            Self::TopHosts => "top_hosts",
            Self::FilteredAverage => "filtered_average",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::CountAll => "count all",
            Self::CountBySeverity => "count by severity",
            Self::RareLines => "rare word, its lines",
            Self::RareCount => "rare word, count",
            Self::TraceLines => "one trace id, its lines",
            Self::PhraseCount => "phrase, count",
            Self::CommonCount => "common word, count",
            Self::NewestOfCommon => "newest 100 of a common word",
            Self::Regex => "regex on body, count",
            Self::RegexWithoutWords => "regex without a whole word, count",
            Self::ServiceByHour => "one service by hour",
            Self::TopHosts => "top hosts of errors",
            Self::FilteredAverage => "average of an attribute by service, filtered",
        }
    }
}

impl Question {
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::RareLines | Self::TraceLines | Self::NewestOfCommon => Shape::Lines,
            Self::CountBySeverity => Shape::Table(&["severity", "n"]),
            Self::ServiceByHour => Shape::Table(&["_time", "n"]),
            Self::TopHosts => Shape::Table(&["host.name", "n"]),
            Self::FilteredAverage => Shape::Table(&["service.name", "mean"]),
            _ => Shape::Table(&["n"]),
        }
    }
}
