//! Evidence that something is worse everywhere, or in one stratum only.
//!
//! A fault may hit one endpoint. Looked for in all of them together it drowns, and looked for in each alone a fault of all is found
//! late. The mean of both e-processes is one again, whatever the strata have to do with each other.

use std::collections::BTreeMap;

use model::Timestamp;

use crate::block::REST;
use crate::evidence::{Detector, log_add};

/// How likely it is taken to be that a fault is everywhere.
const EVERYWHERE: f64 = 0.7;

/// A detector of all strata together and one of each.
#[derive(Clone, Debug)]
pub(crate) struct Everywhere {
    all: Detector,
    each: BTreeMap<String, Detector>,
    empty: Detector,
    /// Over how many places the rest of the prior is spread: one for each stratum that is known beforehand, and one for all others.
    places: usize,
}

impl Everywhere {
    /// For alternatives of these weights; `strata` are known beforehand. More may turn up, and share one place that is kept for them
    /// from the start: a place that were made later would have no part of the prior.
    pub(crate) fn new(weights: &[f64], horizon_ns: i64, strata: usize) -> Self {
        let empty = Detector::new(weights, horizon_ns);
        Self { all: empty.clone(), each: BTreeMap::new(), empty, places: strata + 1 }
    }

    /// Takes the logarithms of likelihood ratios of a tick that ends at `at`, by stratum.
    pub(crate) fn push(&mut self, at: Timestamp, ratios: &BTreeMap<String, Vec<f64>>) {
        let alternatives = self.empty.alternatives();
        let mut sums = vec![0.0; alternatives];
        let mut by_place: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut taken = self.each.keys().filter(|place| *place != REST).count();
        for (stratum, ratios) in ratios {
            add(&mut sums, ratios);
            let place = match self.each.contains_key(stratum) {
                true => stratum,
                false if taken + 1 < self.places && stratum != REST => {
                    taken += 1;
                    stratum
                }
                false => REST,
            };
            // Strata that share a place are one there: what a moment may add is limited for all of them together.
            add(by_place.entry(place).or_insert_with(|| vec![0.0; alternatives]), ratios);
        }
        for (place, ratios) in by_place {
            self.each.entry(place.to_owned()).or_insert_with(|| self.empty.clone()).push(at, &ratios);
        }
        self.all.push(at, &sums);
    }

    /// The logarithm of the e-value now.
    pub(crate) fn log_e(&self) -> f64 {
        // A stratum that was not seen yet has an e-value of 1.
        let places = self.places as f64;
        let unseen = places - self.each.len() as f64;
        let rest = if unseen > 0.0 { unseen.ln() } else { f64::NEG_INFINITY };
        let sum = self.each.values().map(Detector::log_e).fold(rest, log_add);
        log_add(self.all.log_e() + EVERYWHERE.ln(), sum + ((1.0 - EVERYWHERE) / places).ln())
    }

    /// Which alternative has gained the most, and the stratum when it is one of them alone.
    pub(crate) fn likeliest(&self) -> (Option<usize>, Option<&str>) {
        let alone = ((1.0 - EVERYWHERE) / EVERYWHERE / self.places as f64).ln();
        let best = self.each.iter().max_by(|a, b| a.1.log_e().total_cmp(&b.1.log_e()));
        match best {
            Some((stratum, found)) if self.each.len() > 1 && found.log_e() + alone > self.all.log_e() => {
                (found.likeliest(), Some(stratum))
            }
            _ => (self.all.likeliest(), None),
        }
    }

    /// Forgets what it has gathered; see [`Detector::forget`].
    pub(crate) fn forget(&mut self) {
        self.all.forget();
        self.each.values_mut().for_each(Detector::forget);
    }
}

/// Adds ratios, alternative by alternative.
fn add(sums: &mut [f64], ratios: &[f64]) {
    sums.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += ratio);
}
