//! Rows to an index file.

use std::collections::BTreeSet;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use model::{Row, Value, field};
use tantivy::directory::RamDirectory;
use tantivy::indexer::SingleSegmentIndexWriter;
use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::store::Compressor;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer, TokenizerManager};
use tantivy::{Document, Index, IndexSettings};

use crate::error::panic_text;
use crate::{FIELD_NAME_BYTES_MAX, IndexError, SEPARATOR, TERMS_FIELD, TOKEN_BYTES_MAX, pack, tokenize};

/// Sizes tantivy's term table at the start; it grows as needed, so this is no limit.
const TABLE_BUDGET_BYTES: usize = 64 << 20;

/// Name of the tokenizer in the schema.
const TOKENIZER: &str = "backstop_terms";

/// Builds the index of one segment. Rows are added in the segment's order; the n-th row is document n. After an error the
/// whole build is worthless (a half-added row would share its number with the next), so every later call fails too.
pub struct IndexWriter {
    inner: Option<SingleSegmentIndexWriter<RowTerms>>,
    directory: RamDirectory,
    field: Field,
    terms: Arc<String>,
    incomplete: BTreeSet<String>,
    rows: u32,
}

/// What a finished index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexWritten {
    /// Rows in the index.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// Fields with a token that is not indexed; see [`crate::IndexReader::is_complete`].
    pub incomplete_fields: BTreeSet<String>,
}

impl IndexWriter {
    /// Starts an empty index in memory.
    pub fn new() -> Result<Self, IndexError> {
        let (schema, field) = schema();
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let tokenizers = TokenizerManager::new();
        tokenizers.register(TOKENIZER, Unpack::default());
        let directory = RamDirectory::create();
        let inner = Index::builder()
            .schema(schema)
            .settings(settings)
            .tokenizers(tokenizers)
            .single_segment_index_writer(directory.clone(), TABLE_BUDGET_BYTES)
            .map_err(IndexError::building)?;
        let terms = Arc::new(String::new());
        Ok(Self { inner: Some(inner), directory, field, terms, incomplete: BTreeSet::new(), rows: 0 })
    }

    /// Adds the next row.
    pub fn add(&mut self, row: &Row) -> Result<(), IndexError> {
        let mut inner = self.inner.take().ok_or_else(|| IndexError::Build("an earlier row failed".to_owned()))?;
        self.collect(row);
        let document = RowTerms { field: self.field, terms: self.terms.clone() };
        let added = catch_unwind(AssertUnwindSafe(|| inner.add_document(document)));
        added.map_err(|payload| IndexError::Build(panic_text(&*payload)))?.map_err(IndexError::building)?;
        self.rows = self.rows.checked_add(1).ok_or_else(|| IndexError::Build("more than 2^32 rows".to_owned()))?;
        self.inner = Some(inner);
        Ok(())
    }

    /// Bytes that the index takes in memory while it is built.
    pub fn memory_bytes(&self) -> usize {
        self.inner.as_ref().map_or(0, SingleSegmentIndexWriter::mem_usage)
    }

    /// Writes the index as one file. The sink is not flushed to the disk: that is its owner's.
    pub fn finish(mut self, sink: &mut impl Write) -> Result<IndexWritten, IndexError> {
        let inner = self.inner.take().ok_or_else(|| IndexError::Build("an earlier row failed".to_owned()))?;
        let index = catch_unwind(AssertUnwindSafe(|| inner.finalize()));
        let index = index.map_err(|payload| IndexError::Build(panic_text(&*payload)))?.map_err(IndexError::building)?;
        let metas = index.searchable_segment_metas().map_err(IndexError::building)?;
        let documents: u64 = metas.iter().map(|meta| u64::from(meta.max_doc())).sum();
        if metas.len() != 1 || documents != u64::from(self.rows) {
            let message = format!("{} rows became {documents} documents in {} segments", self.rows, metas.len());
            return Err(IndexError::Build(message));
        }
        let bytes = pack::write(&self.directory, &metas[0], self.rows, &self.incomplete, sink)?;
        Ok(IndexWritten { rows: self.rows.into(), bytes, incomplete_fields: self.incomplete })
    }

    /// Collects the row's terms, packed, in the buffer that all rows share.
    fn collect(&mut self, row: &Row) {
        // The last row's document is gone, so the buffer is ours alone again and nothing is copied.
        let terms = Arc::make_mut(&mut self.terms);
        terms.clear();
        for (name, value) in &row.fields {
            if matches!(value, Value::Null) || !is_indexed(name) {
                continue;
            }
            let mut complete = name.len() <= FIELD_NAME_BYTES_MAX && !name.contains(SEPARATOR);
            if complete {
                for token in tokenize(&value.text()) {
                    if token.len() > TOKEN_BYTES_MAX {
                        complete = false;
                    } else {
                        push_term(terms, name, &token);
                    }
                }
            }
            if !complete && !self.incomplete.contains(&**name) {
                self.incomplete.insert(name.to_string());
            }
        }
    }
}

/// Whether a field goes into the index: all but the three that every row has and that statistics and sorting serve.
pub(crate) fn is_indexed(name: &str) -> bool {
    ![field::TIME, field::ID, field::STREAM].contains(&name)
}

/// Appends a term: its length in bytes as one character, then the term.
fn push_term(terms: &mut String, name: &str, token: &str) {
    let len = name.len() + SEPARATOR.len_utf8() + token.len();
    terms.push(char::from_u32(len as u32).unwrap_or('\0'));
    terms.push_str(name);
    terms.push(SEPARATOR);
    terms.push_str(token);
}

/// The lengths that [`push_term`] writes as a character are below the surrogates, which are none.
const _: () = assert!(FIELD_NAME_BYTES_MAX + 1 + TOKEN_BYTES_MAX < 0xD800);

/// The one text field, by its terms.
pub(crate) fn schema() -> (Schema, Field) {
    let indexing = TextFieldIndexing::default()
        .set_tokenizer(TOKENIZER)
        .set_index_option(IndexRecordOption::Basic)
        .set_fieldnorms(false);
    let mut builder = Schema::builder();
    let field = builder.add_text_field(TERMS_FIELD, TextOptions::default().set_indexing_options(indexing));
    (builder.build(), field)
}

/// The terms of a row as a tantivy document with one text.
#[derive(Debug)]
struct RowTerms {
    field: Field,
    terms: Arc<String>,
}

impl Document for RowTerms {
    type Value<'a> = TermsValue<'a>;
    type FieldsValuesIter<'a> = std::iter::Once<(Field, TermsValue<'a>)>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        std::iter::once((self.field, TermsValue(&self.terms)))
    }
}

#[derive(Clone, Copy, Debug)]
struct TermsValue<'a>(&'a str);

impl<'a> tantivy::schema::Value<'a> for TermsValue<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(ReferenceValueLeaf::Str(self.0))
    }
}

/// The "tokenizer" that unpacks what [`push_term`] packed.
#[derive(Clone, Default)]
struct Unpack {
    token: Token,
}

impl Tokenizer for Unpack {
    type TokenStream<'a> = Unpacked<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Unpacked<'a> {
        self.token.reset();
        Unpacked { rest: text, token: &mut self.token }
    }
}

struct Unpacked<'a> {
    rest: &'a str,
    token: &'a mut Token,
}

impl TokenStream for Unpacked<'_> {
    fn advance(&mut self) -> bool {
        let mut chars = self.rest.chars();
        let Some(len) = chars.next() else { return false };
        let rest = chars.as_str();
        let (term, rest) = rest.split_at(len as usize);
        self.token.text.clear();
        self.token.text.push_str(term);
        self.token.position = 0;
        self.rest = rest;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}
