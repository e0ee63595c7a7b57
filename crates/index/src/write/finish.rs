//! The last step of a build: deciding what is a group and what is not, and writing everything out, field by field. What is
//! written is freed at once, because a merge of millions of rows has its columns in memory at the same time.

use std::borrow::Cow;
use std::io::Write;

use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionaryBuilder;

use super::field::{FieldBuilder, Group, Groups, Kind, key};
use super::terms::{TermRows, Terms, dense_bytes};
use super::{IndexWriter, IndexWritten};
use crate::filter::{FilterBuilder, MIXED, PAGE_KEYS, PageKeys, Width};
use crate::pack::{COARSE, COARSE_ROWS, Compressed, FieldEntry, Header, NumbersEntry, Output, Span};
use crate::rare::{RARE_ROWS_MAX, RareBuilder, RareRows};
use crate::rows::RowsBuilder;
use crate::{IndexError, TOKEN_BYTES_MAX, TierBytes, varint};
use shape::is_hole;
use shape::static_words;

/// Rows that a shape needs to be a group. A group costs its text and its words once, some 40 bytes; a loose row costs a
/// byte or more a word. More groups make phrases slower, for each is looked at.
const SHAPE_ROWS_MIN: u32 = 8;

/// A token with a digit in fewer rows than one in so many is kept by blocks: then a segment has that part of its rows to look
/// at, times [`COARSE_ROWS`], and the list takes half.
const COARSE_SPARSE: u32 = 4096;

/// Below so many keys a field has no page of its own: a page has some 70 bytes that do not depend on its keys.
const OWN_PAGE_KEYS_MIN: usize = 256;

/// Writes the index file.
pub(super) fn write(writer: IndexWriter, sink: &mut dyn Write) -> Result<IndexWritten, IndexError> {
    let IndexWriter { fields, slots, tools, incomplete, truncated, rows, .. } = writer;
    let mut names = vec![String::new(); fields.len()];
    slots.into_iter().for_each(|(name, slot)| names[slot] = name);
    let mut finish = Finish {
        out: Output::new(sink)?,
        rows,
        filters: tools.filters,
        mixed: PageKeys::new(Width::Wide),
        dictionary: TermDictionaryBuilder::create(Vec::new())?,
        listed: 0,
        rares: RareBuilder::new(rows),
    };
    let mut entries = Vec::with_capacity(fields.len());
    for (field, name) in fields.into_iter().zip(names) {
        entries.push(finish.field(field, name)?);
    }
    let Finish { mut out, mut filters, mut mixed, dictionary, listed, mut rares, .. } = finish;
    let fields_end = out.len();
    let terms = if listed > 0 { out.append(&dictionary.finish()?)? } else { Span::default() };
    rares.end_block()?;
    let directory = match rares.directory.is_empty() {
        true => Compressed::default(),
        false => out.append_compressed([&rares.directory[..]].into_iter())?,
    };
    let rares = (directory, out.append(&rares.bytes)?);
    let terms_end = out.len();
    if !mixed.is_empty() {
        filters.page(MIXED, &mut mixed);
    }
    let filters = filters.write(&mut out)?;
    let listed = listed as u64;
    let tiers = TierBytes {
        groups: fields_end - listed,
        terms: terms_end - fields_end + listed,
        filters: out.len() - terms_end,
    };
    let header =
        Header { rows, fields: entries, terms, rares, filters, tiers, incomplete_fields: incomplete, truncated };
    let bytes = out.finish(&header)?;
    Ok(IndexWritten { rows: rows.into(), bytes, tiers, incomplete_fields: header.incomplete_fields })
}

/// An index file that is being written, and what all its fields share.
struct Finish<'w> {
    out: Output<'w>,
    /// Rows of the segment.
    rows: u32,
    filters: FilterBuilder,
    /// Keys of fields that have too few for a page.
    mixed: PageKeys,
    dictionary: TermDictionaryBuilder<Vec<u8>>,
    /// Bytes of the lists of all terms in the dictionary.
    listed: usize,
    rares: RareBuilder,
}

impl Finish<'_> {
    fn field(&mut self, mut field: FieldBuilder, name: String) -> Result<FieldEntry, IndexError> {
        let is_values = field.values.is_some();
        let mut loosened = Loosened::default();
        let entry = match field.values.take() {
            Some(mut values) => {
                let list = values.take_list();
                self.groups(list.into_iter().map(|group| value_group(group, &values)).collect())?
            }
            None => {
                let mut shapes = std::mem::take(&mut field.shapes);
                let list = shapes.take_list();
                self.groups(shape_groups(list, &shapes, &mut field, &mut loosened))?
            }
        };
        field.terms.free_tables();
        loosened.words.sort_unstable();
        loosened.words.dedup();
        let mut late = Late { words_filtered: field.words_filtered, ..Late::default() };
        let term_lists = self.terms(&mut field, &std::mem::take(&mut loosened.words), &mut late)?;
        field.terms = Terms::new(0);
        late.keys.sort_unstable();
        let loose = std::mem::take(&mut field.loose).merged(loosened.loose);
        loosened.hidden.extend(loose.kept(late.keys.iter().map(|key| key.row)));
        let hidden = std::mem::take(&mut field.hidden).merged(loosened.hidden);
        self.keys(&mut field, late.keys);
        let numbers = match &field.numbers {
            numbers if numbers.rows.len() == 0 => None,
            numbers => {
                Some(NumbersEntry { rows: self.rows(&numbers.rows)?, ints: numbers.ints, doubles: numbers.doubles })
            }
        };
        Ok(FieldEntry {
            name,
            is_values,
            loose: self.rows(&loose)?,
            hidden: self.rows(&hidden)?,
            term_lists,
            words_filtered: late.words_filtered,
            numbers,
            ..entry
        })
    }

    /// Writes a list, unless it is empty.
    fn rows(&mut self, rows: &RowsBuilder) -> Result<Span, IndexError> {
        let start = self.out.len();
        if rows.len() > 0 {
            rows.encode(&mut self.out.buffer);
            self.out.flush_large()?;
        }
        Ok(self.out.since(start))
    }

    fn groups(&mut self, mut groups: Vec<FinishedGroup<'_>>) -> Result<FieldEntry, IndexError> {
        groups.sort_unstable_by(|a, b| (&a.text, a.kind as u8).cmp(&(&b.text, b.kind as u8)));
        let (mut table, mut lens) = (Vec::new(), Vec::new());
        let mut words = WordGroups { words: Terms::new(0), groups: Vec::new() };
        let lists = self.out.len();
        for (id, group) in groups.iter_mut().enumerate() {
            let list = self.rows(&std::mem::take(&mut group.rows))?;
            varint::put(&mut table, u64::from(group.count) << 2 | group.kind as u64);
            varint::put(&mut table, list.1);
            varint::put(&mut lens, group.text.len() as u64);
            static_words(&group.text).for_each(|word| words.add(word.as_bytes(), id as u32));
        }
        let lists = self.out.since(lists);
        let texts = [&lens[..]].into_iter().chain(groups.iter().map(|group| &*group.text));
        Ok(FieldEntry {
            groups: groups.len() as u32,
            lists,
            table: self.out.append(&table)?,
            texts: self.out.append_compressed(texts)?,
            words: self.out.append_compressed([&words.encode()[..]].into_iter())?,
            ..FieldEntry::default()
        })
    }

    /// Writes the terms of a field with all their rows: `more` has those of its words that were in shapes until now. Tokens
    /// that are too long, and rare ones with a digit, are left for the filters.
    fn terms(&mut self, field: &mut FieldBuilder, more: &[(u32, u32)], late: &mut Late) -> Result<Span, IndexError> {
        let start = self.out.len();
        let mut term_key = (field.id as u16).to_be_bytes().to_vec();
        let field_bytes = term_key.len();
        for id in field.terms.in_order() {
            let from = more.partition_point(|(term, _)| *term < id);
            let mine = more[from..].iter().take_while(|(term, _)| *term == id).map(|(_, row)| *row).collect();
            let list = field.terms.take(id).merged(mine);
            let token = field.terms.text(id);
            let has_digit = token.iter().any(u8::is_ascii_digit);
            let is_rare = list.len() as usize <= RARE_ROWS_MAX;
            if !list.is_coarse() && (token.len() > TOKEN_BYTES_MAX || (is_rare && has_digit)) {
                let (width, key) = key(field.id, token);
                late.keys.extend(list.list().to_vec().into_iter().map(|row| LateKey { row, width, key }));
                late.words_filtered |= !has_digit;
                continue;
            }
            term_key.truncate(field_bytes);
            term_key.extend_from_slice(token);
            let rare =
                if is_rare && !list.is_coarse() { RareRows::new(list.list().to_vec().into_iter()) } else { None };
            if let Some(rows) = rare {
                self.rares.add(&term_key, rows)?;
                continue;
            }
            let at = self.out.len();
            term_list(&list, has_digit, self.rows, &mut self.out.buffer);
            let postings_range = self.listed..self.listed + self.out.since(at).1 as usize;
            self.listed = postings_range.end;
            self.dictionary
                .insert(&term_key, &TermInfo { doc_freq: list.len(), postings_range, positions_range: 0..0 })?;
            self.out.flush_large()?;
        }
        Ok(self.out.since(start))
    }

    /// Makes pages of a field's last keys.
    fn keys(&mut self, field: &mut FieldBuilder, late: Vec<LateKey>) {
        // Early keys and late ones are each in the order of their rows, but not together.
        self.end_pages(field);
        for LateKey { row, width, key } in late {
            field.add_key(&mut self.filters, width, key, row);
        }
        self.end_pages(field);
    }

    fn end_pages(&mut self, field: &mut FieldBuilder) {
        for width in Width::ALL {
            let keys = &mut field.keys[width as usize];
            if keys.len() >= OWN_PAGE_KEYS_MIN {
                self.filters.page(field.id, keys);
                continue;
            }
            // Those of one field stay together: some stand for further places of others.
            if self.mixed.len() + keys.len() >= PAGE_KEYS {
                self.filters.page(MIXED, &mut self.mixed);
            }
            for (key, span) in keys.spans() {
                self.mixed.add_span(key, span);
            }
            keys.clear();
        }
    }
}

/// A group to be written.
struct FinishedGroup<'a> {
    text: Cow<'a, [u8]>,
    kind: Kind,
    count: u32,
    rows: RowsBuilder,
}

fn value_group(group: Group, values: &Groups) -> FinishedGroup<'_> {
    let text = group.text_in(values);
    let text = match text.try_into() {
        Ok(bits) if group.kind != Kind::Str => Cow::Owned(group.kind.value(bits).text().into_owned().into_bytes()),
        _ => Cow::Borrowed(text),
    };
    FinishedGroup { text, kind: group.kind, count: group.rows.len(), rows: group.rows }
}

/// What the rows of shapes that are too rare to be groups leave behind.
#[derive(Default)]
struct Loosened {
    loose: Vec<u32>,
    hidden: Vec<u32>,
    /// Terms of static words, and rows.
    words: Vec<(u32, u32)>,
}

fn shape_groups<'a>(
    list: Vec<Group>,
    shapes: &'a Groups,
    field: &mut FieldBuilder,
    out: &mut Loosened,
) -> Vec<FinishedGroup<'a>> {
    let mut groups = Vec::new();
    for group in list {
        let text = group.text_in(shapes);
        if group.rows.len() >= SHAPE_ROWS_MIN {
            let count = group.rows.len();
            groups.push(FinishedGroup { text: Cow::Borrowed(text), kind: group.kind, count, rows: group.rows });
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
    keys: Vec<LateKey>,
    /// Whether one of all keys is of a word without a digit.
    words_filtered: bool,
}

/// A key of a row. The order is that of the rows.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct LateKey {
    row: u32,
    width: Width,
    key: u64,
}

/// The rows of a term, or only in which blocks of rows it is: when it has a digit and is so rare that looking at its blocks
/// is next to nothing, and when it is so frequent that its list would be a large part of the file.
fn term_list(term: &TermRows, has_digit: bool, rows: u32, out: &mut Vec<u8>) {
    let at = out.len();
    let list = term.list();
    let is_rare = has_digit && term.len() <= rows / COARSE_SPARSE;
    if term.is_coarse() {
        list.encode(out);
    } else if is_rare || list.encoded_bytes() > dense_bytes(rows) as usize {
        list.blocks(COARSE_ROWS.ilog2()).encode(out);
    } else {
        return list.encode(out);
    }
    out[at] |= COARSE;
}

/// Words and the groups that have them.
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
