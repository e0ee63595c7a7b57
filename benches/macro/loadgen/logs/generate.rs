//! Puts templates, shapes and needles together, a request at a time.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use benches::{BodyWriter, Manifest};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::Options;
use super::corpus::{Corpus, Service};
use super::needles::Needles;
use super::otlp::{push_record, push_resource_logs};
use super::shape::{Record, Resource, Severities, Traces, pick_resource, pick_served, resources};

/// Steps between records by which a time may be late.
const JITTER_STEPS: i64 = 5;

/// Writes one data directory.
pub(crate) struct Generator<'a> {
    corpus: &'a Corpus,
    rng: SmallRng,
    resources: Vec<Resource>,
    severities: Severities,
    traces: Traces,
    needles: Needles,
    lanes: Vec<Lane>,
    batch: usize,
    step_ns: i64,
    writer: BodyWriter,
    manifest: Manifest,
    line: String,
    scratch: Vec<u8>,
}

/// A request that is being filled: encoded records by resource.
struct Lane {
    records: Vec<Vec<u8>>,
    len: usize,
}

impl<'a> Generator<'a> {
    pub(crate) fn new(options: &Options, corpus: &'a Corpus) -> Result<Self> {
        ensure!(options.batch > 0 && options.lanes > 0, "batch and lanes are at least 1");
        ensure!(options.lines >= Needles::LINES_MIN, "at least {} lines, for the needles", Needles::LINES_MIN);
        let mut rng = SmallRng::seed_from_u64(options.seed);
        let resources = resources(corpus);
        let end_ns = options.end_ns()?;
        let span_ns = i64::try_from(options.hours * 3_600_000_000_000)?;
        let needles = Needles::new(options.lines, &mut rng);
        let lanes = (0..options.lanes).map(|_| Lane::new(resources.len())).collect();
        let mut manifest = Manifest {
            lines: options.lines,
            seed: options.seed,
            corpus: corpus.origin.clone(),
            start_ns: end_ns - span_ns,
            end_ns,
            ..Manifest::default()
        };
        needles.describe(&mut manifest);
        Ok(Self {
            corpus,
            rng,
            severities: Severities::new(corpus.bad_share()),
            resources,
            traces: Traces::default(),
            needles,
            lanes,
            batch: options.batch,
            step_ns: span_ns / i64::try_from(options.lines)?,
            writer: BodyWriter::create(&options.out)?,
            manifest,
            line: String::new(),
            scratch: Vec::new(),
        })
    }

    /// Writes every request; returns what is in them.
    pub(crate) fn run(mut self) -> Result<Manifest> {
        for number in 0..self.manifest.lines {
            if let Some(full) = self.record(number) {
                self.emit(full)?;
            }
        }
        for lane in 0..self.lanes.len() {
            self.emit(lane)?;
        }
        (self.manifest.bodies, self.manifest.otlp_bytes) = self.writer.finish()?;
        Ok(self.manifest)
    }

    /// Makes record `number` and appends it to a lane; returns the lane when it is full.
    fn record(&mut self, number: u64) -> Option<usize> {
        let corpus = self.corpus;
        let rng = &mut self.rng;
        let service_number = rng.random_range(0..corpus.services.len());
        let service = &corpus.services[service_number];
        let template = &service.templates[rng.random_range(0..service.templates.len())];
        let (words, known) = self.needles.pick(number, rng);
        self.line.clear();
        template.fill(&words, rng, &mut self.line);
        let severity = self.severities.pick(template.bad, rng);
        let until_end_ns = self.step_ns * (self.manifest.lines - number) as i64;
        let late_ns = rng.random_range(0..(self.step_ns * JITTER_STEPS).min(until_end_ns));
        let time_ns = self.manifest.start_ns + number as i64 * self.step_ns + late_ns;
        let record = Record {
            time_ns,
            severity,
            body: &self.line,
            served: pick_served(service_number, rng),
            span: known.or_else(|| self.traces.pick(rng)),
        };
        let resource = pick_resource(service_number, rng);
        let lane = rng.random_range(0..self.lanes.len());
        push_record(&record, &mut self.scratch, &mut self.lanes[lane].records[resource]);
        self.lanes[lane].len += 1;
        self.count(service, severity.text);
        (self.lanes[lane].len == self.batch).then_some(lane)
    }

    fn count(&mut self, service: &Service, severity: &str) {
        self.manifest.text_bytes += self.line.len() as u64;
        increment(&mut self.manifest.severities, severity);
        increment(&mut self.manifest.services, &service.name);
    }

    /// Writes a lane's records as one request and empties it.
    fn emit(&mut self, lane: usize) -> Result<()> {
        let lane = &mut self.lanes[lane];
        if lane.len == 0 {
            return Ok(());
        }
        let mut body = Vec::new();
        for (resource, records) in self.resources.iter().zip(&mut lane.records) {
            if !records.is_empty() {
                push_resource_logs(resource, records, &mut body);
                records.clear();
            }
        }
        lane.len = 0;
        self.writer.append(&body)
    }
}

impl Lane {
    fn new(resources: usize) -> Self {
        Self { records: vec![Vec::new(); resources], len: 0 }
    }
}

fn increment(counts: &mut BTreeMap<String, u64>, key: &str) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => drop(counts.insert(key.to_owned(), 1)),
    }
}
