//! What is concluded.

use serde::{Deserialize, Serialize};

/// Whether a change is bad. **Only `Bad` may act.** `Unknown` may hold or page, never roll back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
pub enum Verdict {
    /// It does no harm.
    Good,
    /// It does harm.
    Bad,
    /// It can not be told.
    Unknown(UnknownReason),
}

impl Verdict {
    /// For people.
    pub fn text(&self) -> String {
        match self {
            Self::Good => "good".to_owned(),
            Self::Bad => "bad".to_owned(),
            Self::Unknown(reason) => format!("unknown ({})", reason.as_str()),
        }
    }
}

/// Why it can not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownReason {
    /// The alert rests on missing data.
    NoData,
    /// The alert's query fails now.
    QueryError,
    /// The alert was not evaluated for longer than twice its interval.
    StaleData,
    /// Another change ran at the same time, or what else could be the cause is not well.
    Conflict,
    /// No change to the service is recent enough and before the alert.
    NoChange,
    /// The alert names no service.
    NoService,
    /// Too few requests to tell either way.
    LowSample,
    /// What measures is suspected of being at fault itself: data is late or has gaps for everyone.
    SelfSuspect,
}

impl UnknownReason {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no data",
            Self::QueryError => "could not be measured at the last evaluation",
            Self::StaleData => "stale data",
            Self::Conflict => "another cause is as likely",
            Self::NoChange => "no change to the service in the window before the alert",
            Self::NoService => "the alert names no service",
            Self::LowSample => "too few requests to tell",
            Self::SelfSuspect => "the measuring itself is suspect",
        }
    }
}
