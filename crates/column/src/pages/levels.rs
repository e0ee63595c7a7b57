//! Levels: which rows have a value, and which values are of one row.
//!
//! A flat column has no more than a flag a row. Of a map, a row has one entry or more; what its definition level is without
//! one says whether the map is empty or missing.

use arrow_buffer::BooleanBuffer;

use super::header::PageHeader;
use super::out::Lists;
use super::page::LeafShape;
use super::rle::{Runs, bits};
use super::{Checked, Damage};

/// The levels of a page.
#[derive(Debug, Default)]
pub(super) enum Levels {
    /// Every row has a value.
    #[default]
    Valid,
    /// No row has one.
    Null,
    /// A flag a row, and the row that is next.
    Flat { valid: BooleanBuffer, at: usize },
    /// Of a repeated column.
    Nested(Nested),
}

impl Levels {
    /// The levels of a version 2 page, which are not compressed.
    pub(super) fn of_v2(header: &PageHeader, bytes: &[u8], shape: LeafShape) -> Checked<Self> {
        let (repetition, definition) = bytes.split_at_checked(header.repetition_bytes).ok_or(LEVELS_END)?;
        if let Some(list) = shape.list_definition {
            return Nested::new(header, repetition, definition, list, shape.max_definition).map(Self::Nested);
        }
        Ok(match header.nulls {
            _ if shape.max_definition == 0 => Self::Valid,
            Some(0) => Self::Valid,
            Some(nulls) if nulls == header.values => Self::Null,
            _ => Self::Flat { valid: bits(definition, header.values)?, at: 0 },
        })
    }

    /// The levels of a version 1 page, each after its length in four bytes, and where the values begin.
    pub(super) fn of_v1(header: &PageHeader, bytes: &[u8], shape: LeafShape) -> Checked<(Self, usize)> {
        let mut rest = bytes;
        let repetition = if shape.list_definition.is_some() { prefixed(&mut rest)? } else { &[] };
        let definition = if shape.max_definition > 0 { prefixed(&mut rest)? } else { &[] };
        let levels = match shape.list_definition {
            Some(list) => Self::Nested(Nested::new(header, repetition, definition, list, shape.max_definition)?),
            None if shape.max_definition == 0 => Self::Valid,
            None => Self::Flat { valid: bits(definition, header.values)?, at: 0 },
        };
        Ok((levels, bytes.len() - rest.len()))
    }

    /// Values that are not null.
    pub(super) fn dense(&self, values: usize) -> usize {
        match self {
            Self::Valid => values,
            Self::Null => 0,
            Self::Flat { valid, .. } => valid.count_set_bits(),
            Self::Nested(nested) => nested.dense,
        }
    }

    /// Checks the levels against what the header counts.
    pub(super) fn check(&self, nulls: Option<usize>, values: usize, rows: usize) -> Checked<()> {
        let dense = self.dense(values);
        if nulls.is_some_and(|nulls| nulls != values - dense) {
            return Err(Damage::new(format!("{dense} of {values} values are there by its levels, not by its header")));
        }
        match self {
            Self::Nested(nested) if nested.rows != rows => {
                Err(Damage::new(format!("it has {} rows by its levels and {rows} by the page index", nested.rows)))
            }
            _ => Ok(()),
        }
    }
}

const LEVELS_END: Damage = Damage::of("its levels end early");

fn prefixed<'a>(rest: &mut &'a [u8]) -> Checked<&'a [u8]> {
    let (len, after) = rest.split_first_chunk().ok_or(LEVELS_END)?;
    let (levels, after) = after.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(LEVELS_END)?;
    *rest = after;
    Ok(levels)
}

/// The levels of a repeated column.
#[derive(Debug)]
pub(super) struct Nested {
    /// Zero where a row begins. `None` when every row has one level, as when no row has more than one entry.
    repetition: Option<Vec<u8>>,
    definition: Vec<u8>,
    list: u8,
    max: u8,
    /// The level that is next.
    at: usize,
    rows: usize,
    dense: usize,
}

impl Nested {
    fn new(header: &PageHeader, repetition: &[u8], definition: &[u8], list: u8, max: u8) -> Checked<Self> {
        let decode = |bytes: &[u8], max: u8| {
            let mut levels = Vec::new();
            let width = u8::BITS - max.leading_zeros();
            Runs::new(0, width)?.read(bytes, header.values, &mut levels, |level| level as u8)?;
            Ok(levels)
        };
        let definition: Vec<u8> = decode(definition, max)?;
        let dense = definition.iter().filter(|level| **level == max).count();
        let repetition = match header.rows {
            Some(rows) if rows == header.values => None,
            _ => Some(decode(repetition, 1)?),
        };
        let starts = |levels: &Vec<u8>| levels.iter().filter(|level| **level == 0).count();
        let rows = repetition.as_ref().map_or(header.values, starts);
        let begins_late = repetition.as_ref().is_some_and(|levels| levels.first().is_some_and(|level| *level != 0));
        if begins_late || definition.iter().any(|level| *level > max) {
            return Err(Damage::of("its levels are impossible"));
        }
        Ok(Self { repetition, definition, list, max, at: 0, rows, dense })
    }

    /// Where the level after some rows is.
    fn after(&self, rows: usize) -> usize {
        let Some(repetition) = &self.repetition else { return (self.at + rows).min(self.definition.len()) };
        let mut starts = repetition[self.at..].iter().enumerate().filter(|(_, level)| **level == 0);
        starts.nth(rows).map_or(repetition.len(), |(at, _)| self.at + at)
    }

    /// Steps over rows; says how many values they have that are not null.
    pub(super) fn skip(&mut self, rows: usize) -> usize {
        let end = self.after(rows);
        let dense = match self.dense {
            0 => 0,
            _ => self.definition[self.at..end].iter().filter(|level| **level == self.max).count(),
        };
        self.at = end;
        dense
    }

    /// Appends the lists of rows; says which of their values are not null. `None` is no values at all.
    pub(super) fn read(&mut self, rows: usize, lists: &mut Lists) -> Checked<Option<BooleanBuffer>> {
        let end = self.after(rows);
        let levels = self.at..end;
        let definition = &self.definition[levels.clone()];
        self.at = end;
        let has_values = match &self.repetition {
            None => lists.push_short(definition, self.list)?,
            Some(repetition) => push_long(&repetition[levels], definition, self.list, lists)?,
        };
        if !has_values {
            return Ok(None);
        }
        let entries = definition.iter().filter(|level| **level > self.list);
        Ok(Some(entries.map(|level| *level == self.max).collect()))
    }
}

/// Appends rows of any number of entries; says whether there are any.
fn push_long(repetition: &[u8], definition: &[u8], list: u8, lists: &mut Lists) -> Checked<bool> {
    let before = lists.offsets.last().copied().unwrap_or_default();
    let mut entries = before;
    let mut is_first = true;
    for (repetition, definition) in repetition.iter().zip(definition) {
        if *repetition == 0 {
            if !is_first {
                lists.offsets.push(entries);
            }
            is_first = false;
            lists.nulls.append(*definition >= list);
        } else if *definition <= list {
            return Err(Damage::of("a row goes on with an entry that is none"));
        }
        entries = entries.checked_add(i32::from(*definition > list)).ok_or(LEVELS_END)?;
    }
    if !is_first {
        lists.offsets.push(entries);
    }
    Ok(entries > before)
}
