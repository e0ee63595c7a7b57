//! What a miner has learned, to be kept over a restart and to be brought together with what others learned.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::form::{Piece, decode, encode, key};
use crate::id::PatternId;
use crate::limits::{Limits, TUNING};
use crate::miner::{Form, Miner};
use crate::templates::{Slot, Template};

/// Version of [`State`] that is written.
pub const STATE_VERSION: u16 = 1;

/// All that a miner has learned; about 200 bytes for each form. Text, so it fits into any format of serde.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    version: u16,
    templates: Vec<KeptTemplate>,
    /// A form and the number of its template.
    forms: Vec<(String, Slot)>,
    /// Replaced ids, the oldest first, and what replaced them.
    aliases: Vec<(PatternId, PatternId)>,
    born: u64,
    fresh: usize,
    overflow_rows: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeptTemplate {
    id: PatternId,
    born: u64,
    settled: bool,
    closed: bool,
    rows: u64,
    text: String,
}

/// What is wrong with a state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadState {
    /// It was written by another version.
    #[error(
        "the patterns are of version {0}, this program reads {STATE_VERSION}: start without them, and they are learned again"
    )]
    Version(u16),
    /// Something in it does not fit together.
    #[error("the patterns are damaged ({0}): start without them, and they are learned again")]
    Damaged(&'static str),
}

impl Miner {
    /// All that was learned.
    pub fn state(&self) -> State {
        let template = |template: &Template| KeptTemplate {
            id: template.id,
            born: template.born,
            settled: template.settled,
            closed: template.closed,
            rows: template.rows,
            text: encode(&template.pieces),
        };
        State {
            version: STATE_VERSION,
            templates: self.templates.all.iter().map(template).collect(),
            forms: self.forms.iter().map(|form| (form.text.to_string(), form.slot)).collect(),
            aliases: self.templates.aliases.values().copied().collect(),
            born: self.born,
            fresh: self.fresh,
            overflow_rows: self.overflow_rows,
        }
    }

    /// A miner that goes on where another one was.
    pub fn restore(limits: Limits, state: &State) -> Result<Self, BadState> {
        let mut templates = state.templates()?;
        let mut miner = Self::with_tuning(limits, TUNING);
        for ((text, slot), pieces) in state.forms.iter().zip(state.forms(&templates)?) {
            templates[*slot as usize].forms += 1;
            miner.insert(xxh3_64(key(&pieces).as_bytes()), Form { text: text.as_str().into(), slot: *slot });
        }
        if templates.iter().any(|template| template.forms == 0 && !template.closed) {
            return Err(BadState::Damaged("a pattern has no form"));
        }
        miner.templates.replace(templates);
        for (from, to) in &state.aliases {
            miner.templates.alias(*from, *to, limits.aliases_max);
        }
        miner.born = state.born;
        miner.fresh = state.fresh;
        miner.overflow_rows = state.overflow_rows;
        Ok(miner)
    }

    /// Learns what another miner has learned. Where both know a pattern the own id stays and the other's leads to it.
    pub fn merge(&mut self, other: &State) -> Result<(), BadState> {
        let templates = other.templates()?;
        let mut forms: Vec<Vec<Vec<Piece>>> = vec![Vec::new(); templates.len()];
        for ((_, slot), pieces) in other.forms.iter().zip(other.forms(&templates)?) {
            forms[*slot as usize].push(pieces);
        }
        for (template, forms) in templates.iter().zip(&mut forms) {
            if template.closed {
                forms.push(template.pieces.clone());
            }
            for pieces in forms.iter() {
                let before = self.templates.all.len();
                if let Some(slot) = self.place(pieces).filter(|slot| *slot as usize == before) {
                    self.templates.call(slot, template.id);
                    self.templates.get_mut(slot).settled = template.settled;
                }
            }
        }
        self.refine();
        let max = self.limits.aliases_max;
        for (template, forms) in templates.iter().zip(&forms) {
            let slot = forms.iter().find_map(|pieces| self.find_pieces(pieces));
            let Some(slot) = slot else {
                self.overflow_rows = self.overflow_rows.saturating_add(template.rows);
                continue;
            };
            let own = self.templates.get_mut(slot);
            own.rows = own.rows.saturating_add(template.rows);
            let id = own.id;
            self.templates.alias(template.id, id, max);
        }
        for (from, to) in &other.aliases {
            if let Some(id) = self.templates.resolve(*to) {
                self.templates.alias(*from, id, max);
            }
        }
        self.overflow_rows = self.overflow_rows.saturating_add(other.overflow_rows);
        Ok(())
    }
}

impl State {
    fn templates(&self) -> Result<Vec<Template>, BadState> {
        if self.version != STATE_VERSION {
            return Err(BadState::Version(self.version));
        }
        let template = |kept: &KeptTemplate| {
            Some(Template {
                id: kept.id,
                born: kept.born,
                settled: kept.settled,
                closed: kept.closed,
                forms: 0,
                rows: kept.rows,
                pieces: decode(&kept.text)?,
            })
        };
        self.templates
            .iter()
            .map(template)
            .collect::<Option<_>>()
            .ok_or(BadState::Damaged("a template can not be read"))
    }

    /// The pieces of every form, seen to be as many as its template has.
    fn forms(&self, templates: &[Template]) -> Result<Vec<Vec<Piece>>, BadState> {
        let form = |(text, slot): &(String, Slot)| {
            let pieces = decode(text).ok_or(BadState::Damaged("a form can not be read"))?;
            let template = templates.get(*slot as usize).filter(|template| template.pieces.len() == pieces.len());
            template.map(|_| pieces).ok_or(BadState::Damaged("a form belongs to no pattern"))
        };
        self.forms.iter().map(form).collect()
    }
}
