//! Which releases are simulated.

use anyhow::{Result, bail};
use serde::Serialize;
use sim::{CONFOUNDERS, Confounder, Kind, Release};

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
    /// What surrounds every one of them, where it is not left to chance.
    pub(crate) confounder: Option<Confounder>,
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
    pub(crate) fn all(options: &Options) -> Result<Vec<Self>> {
        let confounder = options.confounder.as_deref().map(confounder_named).transpose()?;
        let mut groups = Vec::new();
        for &set in &options.sets {
            let group = |rate, content, count| Self { set, rate, content, count, confounder };
            groups.extend(options.rates.iter().map(|rate| group(*rate, Content::Mixed, options.releases)));
            for kind in [Kind::Errors(20), Kind::Errors(100)] {
                groups.push(group(GOAL_RATE, Content::Only(kind), options.focus));
            }
            groups.push(group(GOAL_RATE, Content::Only(Kind::Good), options.good));
        }
        groups.retain(|group| group.count > 0);
        Ok(groups)
    }

    /// The release of an index. Groups share no seed.
    pub(crate) fn release(&self, index: u32) -> Release {
        let seeds = self.set * 1_000;
        let (set, kind) = match self.content {
            Content::Mixed => (seeds, Release::kind_of(index)),
            Content::Only(Kind::Good) => (seeds + 1, Kind::Good),
            Content::Only(Kind::Errors(tenths)) => (seeds + 100 + u64::from(tenths), Kind::Errors(tenths)),
            Content::Only(kind) => (seeds + 2, kind),
        };
        Release::with_confounder(set, index, self.rate, kind, self.confounder)
    }

    /// Its name in reports.
    pub(crate) fn title(&self) -> String {
        let what = match self.content {
            Content::Mixed => "mixed".to_owned(),
            Content::Only(kind) => format!("only {kind}"),
        };
        let under = self.confounder.map(|confounder| format!(", {confounder}")).unwrap_or_default();
        format!("set {}, {} requests/s, {what}{under}", self.set, self.rate)
    }
}

/// The confounder that reports call so.
fn confounder_named(name: &str) -> Result<Confounder> {
    let names = CONFOUNDERS.map(|(confounder, _)| confounder.to_string());
    match names.iter().position(|known| known == name) {
        Some(at) => Ok(CONFOUNDERS[at].0),
        None => bail!("no confounder is called {name:?}; names are {names:?}"),
    }
}
