//! Which rows go where, source by source.

use std::ops::Range;

/// A range of rows of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub(crate) source: u32,
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// Rows of picks.
pub(crate) fn rows_of(picks: &[Pick]) -> usize {
    picks.iter().map(|pick| pick.len as usize).sum()
}

/// A range of rows of a source and where its first row goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) to: u32,
}

impl Place {
    /// Where the rows are.
    pub(crate) fn rows(&self) -> Range<usize> {
        self.start as usize..(self.start + self.len) as usize
    }

    /// Where they go.
    pub(crate) fn target(&self) -> Range<usize> {
        self.to as usize..(self.to + self.len) as usize
    }

    /// Each row and where it goes.
    pub(crate) fn each(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        self.rows().zip(self.target())
    }
}

/// Picks in the order of their sources. Only sources with a pick are in it.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Rows of all picks.
    pub(crate) rows: usize,
    places: Vec<Place>,
    /// Each source and where its places end.
    ends: Vec<(u32, u32)>,
}

impl Plan {
    /// Deals the picks to `sources` sources.
    pub(crate) fn new(picks: &[Pick], sources: usize) -> Self {
        let mut next = vec![0u32; sources + 1];
        picks.iter().for_each(|pick| next[pick.source as usize + 1] += 1);
        let used = (0..sources).filter(|source| next[source + 1] > 0).collect::<Vec<_>>();
        for source in 0..sources {
            next[source + 1] += next[source];
        }
        let ends = used.into_iter().map(|source| (source as u32, next[source + 1])).collect();
        let mut places = vec![Place::default(); picks.len()];
        let mut to = 0;
        for pick in picks {
            let at = &mut next[pick.source as usize];
            places[*at as usize] = Place { start: pick.start, len: pick.len, to };
            *at += 1;
            to += pick.len;
        }
        Self { rows: to as usize, places, ends }
    }

    /// The sources that are picked from.
    pub(crate) fn sources(&self) -> impl Iterator<Item = usize> {
        self.ends.iter().map(|(source, _)| *source as usize)
    }

    /// Each source with its places.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (usize, &[Place])> {
        let mut start = 0;
        self.ends.iter().map(move |(source, end)| {
            let places = std::mem::replace(&mut start, *end as usize)..*end as usize;
            (*source as usize, &self.places[places])
        })
    }

    /// A plan for what the rows hold, `rows` in all: `inner` says which range that is and where it goes; empty ranges are
    /// left out.
    pub(crate) fn within(&self, rows: usize, inner: impl Fn(usize, &Place) -> Option<Place>) -> Self {
        let (mut places, mut ends) = (Vec::new(), Vec::new());
        for (source, outer) in self.groups() {
            let before = places.len();
            places.extend(outer.iter().filter_map(|place| inner(source, place)).filter(|place| place.len > 0));
            if places.len() > before {
                ends.push((source as u32, places.len() as u32));
            }
        }
        Self { rows, places, ends }
    }
}
