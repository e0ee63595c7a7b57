//! The last step of a build: deciding what is a group and what is not, and laying everything out.

use std::io::Write;

use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionaryBuilder;

use super::field::{FieldBuilder, Group, Groups, Kind, key};
use super::terms::Terms;
use super::{IndexWriter, IndexWritten};
use crate::filter::{FilterBuilder, MIXED, PageKeys, Width};
use crate::pack::{self, COARSE, COARSE_ROWS, Compressed, FieldEntry, Header, NumbersEntry, Span, TermsEntry};
use crate::rows::RowsBuilder;
use crate::{IndexError, TOKEN_BYTES_MAX, TierBytes, varint};
use shape::is_hole;
use shape::static_words;

/// Rows that a shape needs to be a group. A group costs its text and its words once, some 40 bytes; a loose row costs a
/// byte or more a word. More groups make phrases slower, for each is looked at.
const SHAPE_ROWS_MIN: u32 = 8;

/// A token in so few rows goes to the filters: two keys take less than a place in the dictionary, with its list.
const RARE_ROWS_MAX: usize = 2;

/// A token with a digit in fewer rows than one in so many is kept by blocks: then a segment has that part of its rows to look
/// at, times [`COARSE_ROWS`], and the list takes half.
const COARSE_SPARSE: u32 = 4096;

/// A list that takes more than a byte for as many of the segment's rows is kept by blocks.
const COARSE_DENSE: u32 = 128;

/// Below so many keys a field has no page of its own: a page has some 70 bytes that do not depend on its keys.
const OWN_PAGE_KEYS_MIN: usize = 256;

/// How hard texts and words are compressed; levels above save a few per cent of what is a small part of the file.
const ZSTD_LEVEL: i32 = 3;

/// A finished index, not yet written.
pub(super) struct Parts {
    header: Header,
    bytes: Vec<u8>,
}

impl Parts {
    pub(super) fn write(self, sink: &mut impl Write) -> Result<IndexWritten, IndexError> {
        let bytes = pack::write(&self.header, &self.bytes, sink)?;
        let Header { rows, tiers, incomplete_fields, .. } = self.header;
        Ok(IndexWritten { rows: rows.into(), bytes, tiers, incomplete_fields })
    }
}

/// A term with all its rows.
struct FinishedTerm {
    key: Vec<u8>,
    count: u32,
    list: Vec<u8>,
}

/// Keys that are left when all rows have been added.
#[derive(Default)]
struct Leftover {
    mixed: PageKeys,
}

pub(super) fn parts(writer: IndexWriter) -> Result<Parts, IndexError> {
    let IndexWriter { fields, slots, tools, incomplete, truncated, rows, .. } = writer;
    let mut filters = tools.filters;
    let mut names = vec![String::new(); fields.len()];
    slots.into_iter().for_each(|(name, slot)| names[slot] = name);
    let mut bytes = Vec::new();
    let mut entries = Vec::with_capacity(fields.len());
    let mut terms = Vec::new();
    let mut leftover = Leftover::default();
    for (field, name) in fields.into_iter().zip(names) {
        entries.push(finish_field(field, name, rows, &mut bytes, &mut filters, &mut leftover, &mut terms)?);
    }
    let groups = bytes.len() as u64;
    let terms = write_terms(terms, &mut bytes)?;
    let after_terms = bytes.len() as u64;
    if !leftover.mixed.is_empty() {
        filters.page(MIXED, Width::Wide, &mut leftover.mixed);
    }
    let (directory, cells) = filters.finish();
    let filters = [append(&mut bytes, &directory), append(&mut bytes, &cells)];
    let tiers = TierBytes { groups, terms: after_terms - groups, filters: bytes.len() as u64 - after_terms };
    let header = Header { rows, fields: entries, terms, filters, tiers, incomplete_fields: incomplete, truncated };
    Ok(Parts { header, bytes })
}

fn append(bytes: &mut Vec<u8>, part: &[u8]) -> Span {
    let start = bytes.len() as u64;
    bytes.extend_from_slice(part);
    Span(start, part.len() as u64)
}

fn append_rows(bytes: &mut Vec<u8>, rows: &RowsBuilder) -> Span {
    let start = bytes.len();
    if rows.len() > 0 {
        rows.encode(bytes);
    }
    Span(start as u64, (bytes.len() - start) as u64)
}

fn append_compressed(bytes: &mut Vec<u8>, part: &[u8]) -> Result<Compressed, IndexError> {
    let packed = zstd::bulk::compress(part, ZSTD_LEVEL)?;
    Ok(Compressed { span: append(bytes, &packed), len: part.len() as u64 })
}

fn finish_field(
    mut field: FieldBuilder,
    name: String,
    rows: u32,
    bytes: &mut Vec<u8>,
    filters: &mut FilterBuilder,
    leftover: &mut Leftover,
    terms: &mut Vec<FinishedTerm>,
) -> Result<FieldEntry, IndexError> {
    let is_values = field.values.is_some();
    let mut loosened = Loosened::default();
    let groups = match field.values.take() {
        Some(values) => value_groups(values),
        None => shape_groups(&mut field, &mut loosened),
    };
    loosened.words.sort_unstable();
    loosened.words.dedup();
    let mut late = Late::default();
    finish_terms(&mut field, &loosened.words, rows, &mut late, terms);
    loosened.hidden.extend(late.hidden);
    finish_keys(&mut field, late.keys, filters, leftover);
    let loose = merged(&field.loose, loosened.loose);
    let hidden = merged(&field.hidden, loosened.hidden);
    let entry = write_groups(groups, bytes)?;
    let numbers = (field.numbers.rows.len() > 0).then(|| NumbersEntry {
        rows: append_rows(bytes, &field.numbers.rows),
        ints: field.numbers.ints,
        doubles: field.numbers.doubles,
    });
    Ok(FieldEntry {
        name,
        is_values,
        loose: append_rows(bytes, &loose),
        hidden: append_rows(bytes, &hidden),
        numbers,
        ..entry
    })
}

/// A list and more rows, in any order.
fn merged(list: &RowsBuilder, mut more: Vec<u32>) -> RowsBuilder {
    if more.is_empty() {
        return list.clone();
    }
    more.extend(list.to_vec());
    more.sort_unstable();
    more.into_iter().collect()
}

/// A group to be written.
struct FinishedGroup {
    text: Vec<u8>,
    kind: Kind,
    rows: RowsBuilder,
}

fn value_groups(mut values: Groups) -> Vec<FinishedGroup> {
    let list = std::mem::take(&mut values.list);
    let finished = |group: Group| {
        let text = group.text_in(&values);
        let text = match text.try_into() {
            Ok(bits) if group.kind != Kind::Str => group.kind.value(bits).text().into_owned().into_bytes(),
            _ => text.to_vec(),
        };
        FinishedGroup { text, kind: group.kind, rows: group.rows }
    };
    list.into_iter().map(finished).collect()
}

/// What the rows of shapes that are too rare to be groups leave behind.
#[derive(Default)]
struct Loosened {
    loose: Vec<u32>,
    hidden: Vec<u32>,
    /// Terms of static words, and rows.
    words: Vec<(u32, u32)>,
}

fn shape_groups(field: &mut FieldBuilder, out: &mut Loosened) -> Vec<FinishedGroup> {
    let mut shapes = std::mem::take(&mut field.shapes);
    let list = std::mem::take(&mut shapes.list);
    let mut groups = Vec::new();
    for group in list {
        let text = group.text_in(&shapes);
        if group.rows.len() >= SHAPE_ROWS_MIN {
            groups.push(FinishedGroup { text: text.to_vec(), kind: group.kind, rows: group.rows });
            continue;
        }
        let rows = group.rows.to_vec();
        for word in static_words(text) {
            let id = field.terms.get(word.as_bytes());
            out.words.extend(rows.iter().map(|row| (id, *row)));
        }
        if text.iter().any(|byte| is_hole(*byte)) {
            // Some of what was in the holes may be in a filter; which rows' is not known any more.
            out.hidden.extend_from_slice(&rows);
        }
        out.loose.extend(rows);
    }
    groups
}

/// What terms leave for the filters.
#[derive(Default)]
struct Late {
    keys: Vec<(u32, Width, u64)>,
    hidden: Vec<u32>,
}

/// Writes the terms of a field, but for those that are so rare or so long that a filter is the better place.
fn finish_terms(
    field: &mut FieldBuilder,
    mut more: &[(u32, u32)],
    rows: u32,
    late: &mut Late,
    out: &mut Vec<FinishedTerm>,
) {
    let id_bytes = (field.id as u16).to_be_bytes();
    for id in 0..field.terms.list.len() as u32 {
        let own = more.partition_point(|(term, _)| *term == id);
        let (mine, rest) = more.split_at(own);
        more = rest;
        let list = std::mem::take(&mut field.terms.list[id as usize].rows);
        let token = field.terms.text(id);
        let count = list.len() as usize + mine.len();
        let has_digit = token.iter().any(u8::is_ascii_digit);
        if count <= RARE_ROWS_MAX || token.len() > TOKEN_BYTES_MAX {
            let (width, key) = key(field.id, token);
            let rows = list.to_vec().into_iter().chain(mine.iter().map(|(_, row)| *row));
            for row in rows {
                late.keys.push((row, width, key));
                if !has_digit {
                    late.hidden.push(row);
                }
            }
            continue;
        }
        let list = merged(&list, mine.iter().map(|(_, row)| *row).collect());
        out.push(FinishedTerm {
            key: [&id_bytes[..], token].concat(),
            count: list.len(),
            list: term_list(&list, has_digit, rows),
        });
    }
}

/// The rows of a term, or only in which blocks of rows it is: when it has a digit and is so rare that looking at its blocks
/// is next to nothing, and when it is so frequent that its list would be a large part of the file.
fn term_list(list: &RowsBuilder, has_digit: bool, rows: u32) -> Vec<u8> {
    let is_rare = has_digit && list.len() <= rows / COARSE_SPARSE;
    let mut out = Vec::new();
    if is_rare || list.encoded_bytes() > (rows / COARSE_DENSE) as usize {
        list.blocks(COARSE_ROWS.ilog2()).encode(&mut out);
        out[0] |= COARSE;
    } else {
        list.encode(&mut out);
    }
    out
}

/// Makes pages of a field's last keys.
fn finish_keys(
    field: &mut FieldBuilder,
    mut late: Vec<(u32, Width, u64)>,
    filters: &mut FilterBuilder,
    leftover: &mut Leftover,
) {
    let mut end = |field: &mut FieldBuilder, filters: &mut FilterBuilder| {
        for width in Width::ALL {
            let keys = &mut field.keys[width as usize];
            if keys.len() >= OWN_PAGE_KEYS_MIN {
                filters.page(field.id, width, keys);
                continue;
            }
            for row in [keys.rows().start, keys.rows().end.saturating_sub(1)] {
                for key in keys.keys() {
                    if leftover.mixed.add(key, row) {
                        filters.page(MIXED, Width::Wide, &mut leftover.mixed);
                    }
                }
            }
            keys.clear();
        }
    };
    // Early keys and late ones are each in the order of their rows, but not together.
    end(field, filters);
    late.sort_unstable_by_key(|(row, ..)| *row);
    for (row, width, key) in late {
        field.add_key(filters, width, key, row);
    }
    end(field, filters);
}

fn write_groups(mut groups: Vec<FinishedGroup>, bytes: &mut Vec<u8>) -> Result<FieldEntry, IndexError> {
    groups.sort_unstable_by(|a, b| (&a.text, a.kind as u8).cmp(&(&b.text, b.kind as u8)));
    let (mut table, mut texts, mut all) = (Vec::new(), Vec::new(), Vec::new());
    let mut words = WordGroups::default();
    let lists_at = bytes.len();
    for (id, group) in groups.iter().enumerate() {
        let at = bytes.len();
        group.rows.encode(bytes);
        varint::put(&mut table, u64::from(group.rows.len()) << 2 | group.kind as u64);
        varint::put(&mut table, (bytes.len() - at) as u64);
        varint::put(&mut texts, group.text.len() as u64);
        all.extend_from_slice(&group.text);
        static_words(&group.text).for_each(|word| words.add(word.as_bytes(), id as u32));
    }
    let lists = Span(lists_at as u64, (bytes.len() - lists_at) as u64);
    texts.extend_from_slice(&all);
    Ok(FieldEntry {
        groups: groups.len() as u32,
        lists,
        table: append(bytes, &table),
        texts: append_compressed(bytes, &texts)?,
        words: append_compressed(bytes, &words.encode())?,
        ..FieldEntry::default()
    })
}

/// Words and the groups that have them.
#[derive(Default)]
struct WordGroups {
    words: Terms,
    /// For each word its groups, ascending.
    groups: Vec<Vec<u32>>,
}

impl WordGroups {
    fn add(&mut self, word: &[u8], group: u32) {
        let id = self.words.get(word) as usize;
        if id == self.groups.len() {
            self.groups.push(Vec::new());
        }
        if self.groups[id].last() != Some(&group) {
            self.groups[id].push(group);
        }
    }

    /// The words in order, front-coded: bytes shared with the word before, further bytes, groups.
    fn encode(&self) -> Vec<u8> {
        let mut order: Vec<(&[u8], &[u32])> = Vec::with_capacity(self.groups.len());
        order
            .extend(self.groups.iter().enumerate().map(|(id, groups)| (self.words.text(id as u32), groups.as_slice())));
        order.sort_unstable();
        let mut out = Vec::new();
        let mut before: &[u8] = &[];
        for (word, groups) in order {
            let shared = word.iter().zip(before).take_while(|(a, b)| a == b).count();
            varint::put(&mut out, shared as u64);
            varint::put(&mut out, (word.len() - shared) as u64);
            out.extend_from_slice(&word[shared..]);
            varint::put(&mut out, groups.len() as u64);
            let mut next = 0;
            for group in groups {
                varint::put(&mut out, u64::from(group - next));
                next = group + 1;
            }
            before = word;
        }
        out
    }
}

fn write_terms(mut terms: Vec<FinishedTerm>, bytes: &mut Vec<u8>) -> Result<TermsEntry, IndexError> {
    if terms.is_empty() {
        return Ok(TermsEntry::default());
    }
    terms.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    let start = bytes.len();
    let mut dictionary = TermDictionaryBuilder::create(Vec::new())?;
    for term in &terms {
        let at = bytes.len() - start;
        bytes.extend_from_slice(&term.list);
        let end = bytes.len() - start;
        dictionary
            .insert(&term.key, &TermInfo { doc_freq: term.count, postings_range: at..end, positions_range: 0..0 })?;
    }
    let lists = Span(start as u64, (bytes.len() - start) as u64);
    Ok(TermsEntry { lists, dictionary: append(bytes, &dictionary.finish()?) })
}
