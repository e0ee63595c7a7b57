//! One field while a segment is indexed: which of its rows are in which group, and what the groups do not say.

use std::ops::Range;

use model::Value;
use shape::{Cutter, Looks, fill, static_words, tokenize};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::split::Shape;
use super::terms::{NUMBER_DIGITS_MAX, Terms};
use crate::TOKEN_BYTES_MAX;
use crate::filter::{FilterBuilder, PageKeys, Width};
use crate::rows::RowsBuilder;
use crate::table::{self, IdTable};

/// So many different values a field may have however few its rows are.
const VALUES_FREE: u32 = 64;

/// Above that, a field keeps its values whole as long as each has this many rows on average: then the list of rows of a value
/// costs less than the tokens in it.
const VALUE_ROWS_MIN: u32 = 16;

/// Most whole values of a field, which bounds memory.
const VALUES_MAX: u32 = 1 << 16;

/// Longest whole value, in bytes. A longer text is better known by its words.
const VALUE_BYTES_MAX: usize = 256;

/// Longest shape, in bytes. Longer ones are stack traces and documents, of which hardly two are alike.
const SHAPE_BYTES_MAX: usize = 4096;

/// Most bytes of shapes that a field keeps; texts of new shapes are loose from there on.
const SHAPE_MEMORY_MAX: usize = 16 << 20;

/// Rows after which a field is judged by how often its shapes repeat.
const FREE_ROWS_MIN: u32 = 10_000;

/// Fewer rows a shape than this on average, and the field is free text: no new shapes.
const FREE_SHAPE_ROWS: u32 = 4;

/// Tokens with a digit and fewer bytes than this repeat, as codes, versions and counts do; longer ones are mostly ids.
const RANDOM_BYTES_MIN: usize = 6;

/// Most tokens of a field with row lists of their own; more go to the filters.
pub(super) const TERMS_MAX: usize = 1 << 19;

/// What all fields share while a batch is added.
#[derive(Default)]
pub(crate) struct Tools {
    cutter: Cutter,
    lower: String,
    /// Where the variables of a row are, and a word put together of them.
    places: Vec<Range<usize>>,
    word: String,
    text: String,
    pub(crate) filters: FilterBuilder,
}

/// What kind of value a text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Str,
    Int,
    Double,
    Bool,
}

impl Kind {
    pub(crate) const ALL: [Kind; 4] = [Self::Str, Self::Int, Self::Double, Self::Bool];

    /// The value of a number's bits.
    pub(crate) fn value(self, bits: [u8; 8]) -> Value {
        match self {
            Self::Int => Value::Int(i64::from_le_bytes(bits)),
            Self::Double => Value::Double(f64::from_le_bytes(bits)),
            Self::Bool => Value::Bool(bits[0] != 0),
            Self::Str => Value::Null,
        }
    }
}

/// Rows with the same value or shape.
pub(crate) struct Group {
    pub(crate) kind: Kind,
    at: usize,
    len: usize,
    pub(crate) rows: RowsBuilder,
}

impl Group {
    /// Its text among those of all.
    pub(crate) fn text_in<'a>(&self, groups: &'a Groups) -> &'a [u8] {
        &groups.texts[self.at..self.at + self.len]
    }
}

/// Values or shapes, each with its rows.
#[derive(Default)]
pub(crate) struct Groups {
    table: IdTable,
    pub(crate) list: Vec<Group>,
    texts: Vec<u8>,
}

impl Groups {
    fn find(&self, hash: u64, kind: Kind, text: &[u8]) -> Option<u32> {
        self.table.find(hash, |id| self.list[id as usize].kind == kind && self.text(id) == text)
    }

    fn insert(&mut self, hash: u64, kind: Kind, text: &[u8]) -> u32 {
        let id = self.list.len() as u32;
        // Not to twice of it: there are megabytes of texts.
        reserve_eighth(&mut self.texts, text.len());
        reserve_eighth(&mut self.list, 1);
        self.list.push(Group { kind, at: self.texts.len(), len: text.len(), rows: RowsBuilder::default() });
        self.texts.extend_from_slice(text);
        self.table.insert(hash, id);
        id
    }

    /// The groups; none is found afterwards, and only the texts are left.
    pub(crate) fn take_list(&mut self) -> Vec<Group> {
        self.table = IdTable::default();
        std::mem::take(&mut self.list)
    }

    /// A text or shape, or the bits of a number.
    fn text(&self, id: u32) -> &[u8] {
        self.list[id as usize].text_in(self)
    }

    fn memory_bytes(&self) -> usize {
        let lists: usize = self.list.iter().map(|group| group.rows.memory_bytes()).sum();
        lists + self.list.capacity() * size_of::<Group>() + self.texts.capacity() + self.table.memory_bytes()
    }
}

/// Numbers of a field that has too many different ones to group: only which rows have one, and which there can be.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) rows: RowsBuilder,
    /// Least and greatest absolute value of the integers.
    pub(crate) ints: Option<(u64, u64)>,
    pub(crate) doubles: bool,
}

impl Numbers {
    fn add(&mut self, kind: Kind, bits: [u8; 8], row: u32) {
        self.rows.push(row);
        match kind.value(bits) {
            Value::Int(n) => {
                let n = n.unsigned_abs();
                self.ints = Some(self.ints.map_or((n, n), |(min, max)| (min.min(n), max.max(n))));
            }
            _ => self.doubles = true,
        }
    }
}

/// A field of a segment. Rows are added in ascending order, each once.
pub(crate) struct FieldBuilder {
    pub(crate) id: u32,
    /// Whole values, until there are too many.
    pub(crate) values: Option<Groups>,
    /// Rows of `values`.
    value_rows: u32,
    pub(crate) shapes: Groups,
    /// Texts that were cut to shapes.
    shaped: u32,
    /// Whether no new shapes are made.
    free: bool,
    pub(crate) numbers: Numbers,
    /// Rows whose text is in no group.
    pub(crate) loose: RowsBuilder,
    /// Those of them with a token that only a filter knows.
    pub(crate) hidden: RowsBuilder,
    /// Whether a word without a digit is in a filter.
    pub(crate) words_filtered: bool,
    pub(crate) terms: Terms,
    /// Keys for the filters, by width.
    pub(crate) keys: [PageKeys; 2],
}

impl FieldBuilder {
    /// An empty field; `dense_bytes` is for its [`Terms`].
    pub(crate) fn new(id: u32, dense_bytes: u32) -> Self {
        Self {
            id,
            values: Some(Groups::default()),
            value_rows: 0,
            shapes: Groups::default(),
            shaped: 0,
            free: false,
            numbers: Numbers::default(),
            loose: RowsBuilder::default(),
            hidden: RowsBuilder::default(),
            words_filtered: false,
            terms: Terms::new(dense_bytes),
            keys: Width::ALL.map(PageKeys::new),
        }
    }

    /// Adds a text; the number of its group when the field keeps its values whole.
    pub(crate) fn add_text(&mut self, tools: &mut Tools, text: &str, row: u32) -> Option<u32> {
        if self.values.is_some() && text.len() <= VALUE_BYTES_MAX {
            return self.add_value(tools, Kind::Str, text.as_bytes(), xxh3_64(text.as_bytes()), row);
        }
        if self.values.is_some() {
            self.leave_values(tools);
        }
        self.add_shaped(tools, text, row);
        None
    }

    /// Adds a number or boolean, given by its bits.
    pub(crate) fn add_number(&mut self, tools: &mut Tools, kind: Kind, bits: u64, row: u32) -> Option<u32> {
        if self.values.is_some() {
            return self.add_value(tools, kind, &bits.to_le_bytes(), table::mix(bits), row);
        }
        self.numbers.add(kind, bits.to_le_bytes(), row);
        None
    }

    /// Whether the numbers of groups that were given out still hold.
    pub(crate) fn has_values(&self) -> bool {
        self.values.is_some()
    }

    /// Adds a row to a group whose number an earlier call gave, while [`Self::has_values`].
    pub(crate) fn add_known(&mut self, group: u32, row: u32) {
        if let Some(values) = &mut self.values {
            self.value_rows += 1;
            values.list[group as usize].rows.push(row);
        }
    }

    fn add_value(&mut self, tools: &mut Tools, kind: Kind, text: &[u8], hash: u64, row: u32) -> Option<u32> {
        let values = self.values.as_mut()?;
        let known = values.find(hash, kind, text);
        let id = known.unwrap_or_else(|| values.insert(hash, kind, text));
        values.list[id as usize].rows.push(row);
        self.value_rows += 1;
        let count = values.list.len() as u32;
        if known.is_none() && (count > VALUES_FREE + self.value_rows / VALUE_ROWS_MIN || count > VALUES_MAX) {
            self.leave_values(tools);
            return None;
        }
        Some(id)
    }

    /// Turns whole values into shapes and numbers.
    fn leave_values(&mut self, tools: &mut Tools) {
        let Some(values) = self.values.take() else { return };
        let mut rows: Vec<(u32, u32)> = Vec::with_capacity(self.value_rows as usize);
        for (id, group) in values.list.iter().enumerate() {
            rows.extend(group.rows.to_vec().into_iter().map(|row| (row, id as u32)));
        }
        rows.sort_unstable();
        for (row, id) in rows {
            let text = values.text(id);
            match (values.list[id as usize].kind, text.try_into()) {
                (Kind::Str, _) | (_, Err(_)) => self.add_shaped(tools, str::from_utf8(text).unwrap_or_default(), row),
                (kind, Ok(bits)) => self.numbers.add(kind, bits, row),
            }
        }
    }

    fn add_shaped(&mut self, tools: &mut Tools, text: &str, row: u32) {
        let mut cutter = std::mem::take(&mut tools.cutter);
        cutter.cut(text);
        self.shaped += 1;
        let shape = self.shape(&cutter.shape);
        let mut hidden = false;
        for word in &cutter.variables {
            hidden |= self.add_variable(tools, &text[word.at.clone()], word.looks, row);
        }
        self.add_to_shape(tools, shape, &cutter.shape, hidden, row);
        tools.cutter = cutter;
    }

    /// Adds a text in two parts: its marked shape, which `known` remembers, and what fills the holes.
    pub(crate) fn add_split(&mut self, tools: &mut Tools, known: &mut Shape, shape: &str, variables: &str, row: u32) {
        if self.values.is_some() || !known.is_cut {
            let mut text = std::mem::take(&mut tools.text);
            text.clear();
            fill(shape, variables, &mut text);
            self.add_text(tools, &text, row);
            tools.text = text;
            return;
        }
        self.shaped += 1;
        let group = *known.group.get_or_insert_with(|| self.shape(&known.raw));
        let (mut places, mut word) = (std::mem::take(&mut tools.places), std::mem::take(&mut tools.word));
        let mut hidden = false;
        known.words.each(variables, &mut places, &mut word, |token| {
            hidden |= self.add_variable(tools, token.text, token.looks, row);
        });
        self.add_to_shape(tools, group, &known.raw, hidden, row);
        (tools.places, tools.word) = (places, word);
    }

    /// Adds a row to the group of its shape, or makes it loose. `hidden` says that a filter took one of its words.
    fn add_to_shape(&mut self, tools: &mut Tools, group: Option<u32>, shape: &[u8], mut hidden: bool, row: u32) {
        if let Some(id) = group {
            self.shapes.list[id as usize].rows.push(row);
            return;
        }
        self.loose.push(row);
        for word in static_words(shape) {
            hidden |= self.add_word(tools, word.as_bytes(), row);
        }
        if hidden {
            self.hidden.push(row);
        }
    }

    /// The group of a shape, which may be new.
    fn shape(&mut self, shape: &[u8]) -> Option<u32> {
        if shape.len() > SHAPE_BYTES_MAX {
            return None;
        }
        let hash = xxh3_64(shape);
        let known = self.shapes.find(hash, Kind::Str, shape);
        if known.is_some() || self.free {
            return known;
        }
        let count = self.shapes.list.len() as u32;
        self.free = self.shaped > FREE_ROWS_MIN && count > self.shaped / FREE_SHAPE_ROWS
            || self.shapes.texts.len() > SHAPE_MEMORY_MAX;
        (!self.free).then(|| self.shapes.insert(hash, Kind::Str, shape))
    }

    /// Adds a variable word; whether a filter took it.
    fn add_variable(&mut self, tools: &mut Tools, word: &str, looks: Looks, row: u32) -> bool {
        let bytes = word.as_bytes();
        let digits = looks == Looks::Digits;
        if digits && bytes.len() <= NUMBER_DIGITS_MAX {
            let id = self.terms.number(bytes);
            self.terms.list[id as usize].rows.push(row);
            return false;
        }
        let mut lower = std::mem::take(&mut tools.lower);
        let token = match looks {
            Looks::Digits | Looks::Lower => bytes,
            Looks::Other => lower_case(word, &mut lower).as_bytes(),
        };
        let hidden = if bytes.len() < RANDOM_BYTES_MIN && !digits {
            self.add_word(tools, token, row)
        } else {
            let (width, key) = key(self.id, token);
            self.add_key(&mut tools.filters, width, key, row);
            true
        };
        tools.lower = lower;
        hidden
    }

    /// Adds a word in lower case; whether a filter took it.
    fn add_word(&mut self, tools: &mut Tools, word: &[u8], row: u32) -> bool {
        if self.terms.list.len() >= TERMS_MAX || word.len() > TOKEN_BYTES_MAX {
            self.words_filtered |= !word.iter().any(u8::is_ascii_digit);
            let (width, key) = key(self.id, word);
            self.add_key(&mut tools.filters, width, key, row);
            return true;
        }
        let id = self.terms.get(word);
        self.terms.list[id as usize].rows.push(row);
        false
    }

    /// Adds a key of a row to the filters.
    pub(crate) fn add_key(&mut self, filters: &mut FilterBuilder, width: Width, key: u64, row: u32) {
        let keys = &mut self.keys[width as usize];
        if keys.add(key, row) {
            filters.page(self.id, keys);
        }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let values = self.values.as_ref().map_or(0, Groups::memory_bytes);
        let rows = [&self.loose, &self.hidden, &self.numbers.rows];
        let rows: usize = rows.into_iter().map(RowsBuilder::memory_bytes).sum();
        let keys: usize = self.keys.iter().map(PageKeys::memory_bytes).sum();
        values + self.shapes.memory_bytes() + rows + keys + self.terms.memory_bytes() + size_of::<Self>()
    }
}

/// Makes room for more, growing by an eighth.
fn reserve_eighth<T>(list: &mut Vec<T>, more: usize) {
    if list.capacity() - list.len() < more {
        list.reserve_exact(more.max(list.len() / 8).max(8));
    }
}

/// The filter key of a token in lower case.
pub(crate) fn key(field: u32, token: &[u8]) -> (Width, u64) {
    (Width::of(token), xxh3_64_with_seed(token, field.into()))
}

/// A word in lower case, as [`tokenize`] makes it.
fn lower_case<'a>(word: &str, buffer: &'a mut String) -> &'a str {
    buffer.clear();
    if word.is_ascii() {
        buffer.push_str(word);
        buffer.make_ascii_lowercase();
    } else {
        buffer.extend(tokenize(word));
    }
    buffer
}
