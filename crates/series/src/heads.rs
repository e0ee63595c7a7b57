//! Heads by series id, in pieces of equal size, so that a million of them never move.

use crate::head::Head;
use crate::index::SeriesId;

/// Heads of a piece.
const PIECE: usize = 512;

/// Every head of a tenant; its id is its place.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    pieces: Vec<Box<[Option<Head>]>>,
    len: usize,
}

impl Heads {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: SeriesId) -> Option<&Head> {
        self.pieces.get(id as usize / PIECE)?[id as usize % PIECE].as_ref()
    }

    pub(crate) fn get_mut(&mut self, id: SeriesId) -> Option<&mut Head> {
        self.pieces.get_mut(id as usize / PIECE)?[id as usize % PIECE].as_mut()
    }

    pub(crate) fn insert(&mut self, id: SeriesId, head: Head) {
        while self.pieces.len() <= id as usize / PIECE {
            self.pieces.push((0..PIECE).map(|_| None).collect());
        }
        let place = &mut self.pieces[id as usize / PIECE][id as usize % PIECE];
        self.len += usize::from(place.is_none());
        *place = Some(head);
    }

    /// In order of ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (SeriesId, &Head)> {
        let places = self.pieces.iter().flatten().enumerate();
        places.filter_map(|(id, head)| head.as_ref().map(|head| (id as SeriesId, head)))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Head> {
        self.pieces.iter().flatten().flatten()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut Head> {
        self.pieces.iter_mut().flatten().flatten()
    }

    /// Forgets heads of which `keep` is false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Head) -> bool) {
        for place in self.pieces.iter_mut().flatten() {
            if place.as_ref().is_some_and(|head| !keep(head)) {
                *place = None;
                self.len -= 1;
            }
        }
    }
}
