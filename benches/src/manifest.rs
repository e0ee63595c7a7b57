//! What a data directory says about itself, and what an engine must therefore answer.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const FILE: &str = "manifest.json";

/// What generated data holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Log records.
    pub lines: u64,
    /// Bytes of the records' bodies: "raw text" of every ratio.
    pub text_bytes: u64,
    /// Bytes of the OTLP export requests.
    pub otlp_bytes: u64,
    /// Export requests.
    pub bodies: u64,
    /// Seed of the generator; the same seed, size, end and corpus give the same bytes.
    pub seed: u64,
    /// Where the lines came from.
    pub corpus: String,
    /// Time of the first record, Unix nanoseconds.
    pub start_ns: i64,
    /// Time after the last record, Unix nanoseconds.
    pub end_ns: i64,
    /// A word in few records.
    pub rare: Needle,
    /// Two or more words side by side, in 2 % of the records.
    pub phrase: Needle,
    /// A word in 5.75 % of the records.
    pub common: Needle,
    /// A trace id, in hexadecimal, of few records.
    pub trace: Needle,
    /// Records by severity.
    pub severities: BTreeMap<String, u64>,
    /// Records by service.
    pub services: BTreeMap<String, u64>,
}

/// What is looked for, and how many records have it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Needle {
    /// Word, phrase or id.
    pub text: String,
    /// Records that have it: all of them, exactly.
    pub lines: u64,
}

/// What generated metrics hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FleetManifest {
    /// Samples.
    pub samples: u64,
    /// Series.
    pub series: u64,
    /// Hosts that are scraped.
    pub hosts: u64,
    /// Time between two scrapes of a host, milliseconds.
    pub interval_ms: i64,
    /// Time of the first scrape, Unix milliseconds.
    pub start_ms: i64,
    /// Time of the last scrape, Unix milliseconds.
    pub end_ms: i64,
    /// Remote write requests.
    pub bodies: u64,
    /// Their bytes, compressed.
    pub sent_bytes: u64,
}

/// What can say what is in a data directory.
pub trait Described: Serialize + DeserializeOwned {
    /// Reads the manifest of a data directory.
    fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let text = std::fs::read(&path).with_context(|| format!("{}: run loadgen first", path.display()))?;
        serde_json::from_slice(&text).with_context(|| path.display().to_string())
    }

    /// Writes the manifest into a data directory, as the last thing, so that a directory that has one is whole.
    fn write(&self, dir: &Path) -> Result<()> {
        std::fs::write(dir.join(FILE), serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }
}

impl Described for Manifest {}
impl Described for FleetManifest {}
