//! Which releases are simulated.

use serde::Serialize;
use sim::{Kind, Release};

use crate::Options;

/// The rate at which the goals are stated.
pub(crate) const GOAL_RATE: f64 = 20.0;

/// Releases that are scored together.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Group {
    /// The set of seeds, as given.
    pub(crate) set: u64,
    /// Requests a second.
    pub(crate) rate: f64,
    /// What is in it.
    pub(crate) content: Content,
    /// Releases.
    pub(crate) count: u32,
}

/// What a group is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Content {
    /// Half good, half of each bad kind in turn.
    Mixed,
    /// One kind only.
    Only(Kind),
}

impl Group {
    /// What a run simulates: for each set the mixed releases of each rate, then what single goals need more of.
    pub(crate) fn all(options: &Options) -> Vec<Self> {
        let mut groups = Vec::new();
        for &set in &options.sets {
            let group = |rate, content, count| Self { set, rate, content, count };
            groups.extend(options.rates.iter().map(|rate| group(*rate, Content::Mixed, options.releases)));
            for kind in [Kind::Errors(20), Kind::Errors(100)] {
                groups.push(group(GOAL_RATE, Content::Only(kind), options.focus));
            }
            groups.push(group(GOAL_RATE, Content::Only(Kind::Good), options.good));
        }
        groups.retain(|group| group.count > 0);
        groups
    }

    /// The release of an index. Groups share no seed.
    pub(crate) fn release(&self, index: u32) -> Release {
        let seeds = self.set * 1_000;
        match self.content {
            Content::Mixed => Release::of_set(seeds, index, self.rate),
            Content::Only(Kind::Good) => Release::new(seeds + 1, index, self.rate, Kind::Good),
            Content::Only(Kind::Errors(tenths)) => {
                Release::new(seeds + 100 + u64::from(tenths), index, self.rate, Kind::Errors(tenths))
            }
            Content::Only(kind) => Release::new(seeds + 2, index, self.rate, kind),
        }
    }

    /// Its name in reports.
    pub(crate) fn title(&self) -> String {
        let what = match self.content {
            Content::Mixed => "mixed".to_owned(),
            Content::Only(kind) => format!("only {kind}"),
        };
        format!("set {}, {} requests/s, {what}", self.set, self.rate)
    }
}
