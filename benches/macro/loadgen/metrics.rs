//! Metrics: `loadgen metrics` writes what a scraper of a fleet of hosts would send, as requests of remote write 1.0.
//!
//! Hosts are scraped one after the other within each interval, and a request is full at as many samples as Prometheus puts into one by
//! default, so that one request holds the samples of two or three hosts. The same hosts, scrapes and end give the same bytes.

use std::path::PathBuf;

use anyhow::{Context, Result};
use benches::fleet::{Fleet, STEP_MS};
use benches::{BodyWriter, FleetManifest};
use clap::Args;

use crate::end_seconds;
use crate::wire::{encoded_labels, push_series};

/// Writes the metrics of a fleet of hosts into a directory.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Directory that gets `bodies.bin` and `manifest.json`.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Hosts, each with 760 series.
    #[arg(long, default_value_t = 20)]
    hosts: usize,
    /// Scrapes of each host, 15 seconds apart.
    #[arg(long, default_value_t = 480)]
    scrapes: i64,
    /// Samples of one request.
    #[arg(long, default_value_t = 2_000)]
    batch: usize,
    /// Time after the last scrape, in Unix seconds; now without it.
    #[arg(long)]
    end: Option<u64>,
}

/// Writes the requests; says what is in them.
pub(crate) fn generate(options: &Options) -> Result<FleetManifest> {
    std::fs::create_dir_all(&options.out)?;
    let mut fleet = Fleet::new(options.hosts);
    let labels: Vec<Vec<Vec<u8>>> =
        fleet.hosts().iter().map(|host| host.labels().map(encoded_labels).collect()).collect();
    let end_ms = i64::try_from(end_seconds(options.end))? * 1000;
    let start_ms = end_ms - options.scrapes * STEP_MS;
    let mut manifest = FleetManifest {
        series: fleet.series() as u64,
        hosts: options.hosts as u64,
        interval_ms: STEP_MS,
        start_ms,
        ..FleetManifest::default()
    };
    let mut out = Requests { writer: BodyWriter::create(&options.out)?, body: Vec::new(), samples: 0 };
    for scrape in 0..options.scrapes {
        for (host, labels) in fleet.hosts().iter_mut().zip(&labels) {
            let (time_ms, values) = host.scrape(start_ms, scrape);
            manifest.end_ms = manifest.end_ms.max(time_ms);
            for (labels, value) in labels.iter().zip(values) {
                push_series(&mut out.body, labels, time_ms, value);
                out.samples += 1;
                manifest.samples += 1;
                if out.samples == options.batch {
                    out.emit()?;
                }
            }
        }
    }
    out.emit()?;
    (manifest.bodies, manifest.sent_bytes) = out.writer.finish()?;
    Ok(manifest)
}

/// Requests that are written as they fill.
struct Requests {
    writer: BodyWriter,
    body: Vec<u8>,
    samples: usize,
}

impl Requests {
    fn emit(&mut self) -> Result<()> {
        if self.samples > 0 {
            let compressed = snap::raw::Encoder::new().compress_vec(&self.body).context("compressing a request")?;
            self.writer.append(&compressed)?;
        }
        self.body.clear();
        self.samples = 0;
        Ok(())
    }
}
