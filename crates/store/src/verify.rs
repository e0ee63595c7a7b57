//! Looking for damage on demand.

use std::sync::Arc;

use segment::Segment;

use crate::Store;

/// What reading every live segment found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Segments that were read.
    pub checked: usize,
    /// Id of each damaged one, and what is wrong with it; those that were out of use already included.
    pub damaged: Vec<(String, String)>,
}

impl Store {
    /// Reads every live segment whole. Changes nothing.
    pub fn verify(&self) -> VerifyReport {
        let (live, mut damaged): (Vec<Arc<Segment>>, Vec<(String, String)>) = {
            let state = self.inner.state.lock();
            let damaged = state.damaged.values().map(|segment| (segment.id.clone(), segment.reason.clone()));
            (state.live.values().cloned().collect(), damaged.collect())
        };
        let checked = live.len() + damaged.len();
        for segment in live {
            if let Err(error) = segment.verify() {
                damaged.push((segment.meta().id.clone(), error.to_string()));
            }
        }
        VerifyReport { checked, damaged }
    }
}
