//! The header before each page: what kind it is, how it is encoded, how long its parts are.
//!
//! Specification: `PageHeader` in <https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift>.

use super::thrift::{FALSE, STRUCT, TRUE, Thrift};
use super::{Checked, Damage, PAGE_VALUES_MAX};

/// Kinds of pages that a column file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageKind {
    /// Levels within what is compressed, each after its length.
    DataV1,
    /// Levels before what is compressed.
    DataV2,
    /// The distinct values of a chunk.
    Dictionary,
}

/// How values are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageEncoding {
    Plain,
    Dictionary,
    Rle,
    DeltaBinaryPacked,
    DeltaLengthByteArray,
    DeltaByteArray,
    ByteStreamSplit,
}

impl PageEncoding {
    fn of(number: i64) -> Checked<Self> {
        Ok(match number {
            0 => Self::Plain,
            2 | 8 => Self::Dictionary,
            3 => Self::Rle,
            5 => Self::DeltaBinaryPacked,
            6 => Self::DeltaLengthByteArray,
            7 => Self::DeltaByteArray,
            9 => Self::ByteStreamSplit,
            _ => return Err(Damage::new(format!("encoding number {number} is not one that this program writes"))),
        })
    }
}

/// A page's header.
#[derive(Debug)]
pub(super) struct PageHeader {
    pub(super) kind: PageKind,
    pub(super) encoding: PageEncoding,
    /// Bytes of the header itself.
    pub(super) header_bytes: usize,
    /// Bytes after the header.
    pub(super) stored_bytes: usize,
    /// The same without compression.
    pub(super) inflated_bytes: usize,
    /// Values, with nulls.
    pub(super) values: usize,
    /// Nulls, where the header says it.
    pub(super) nulls: Option<usize>,
    /// Rows, where the header says it.
    pub(super) rows: Option<usize>,
    /// Bytes of the repetition levels (version 2).
    pub(super) repetition_bytes: usize,
    /// Bytes of the definition levels (version 2).
    pub(super) definition_bytes: usize,
    /// Whether the values of a version 2 page are compressed, if the chunk is.
    pub(super) is_compressed: bool,
}

impl PageHeader {
    /// Parses the header at the beginning of a page's bytes.
    pub(super) fn parse(bytes: &[u8]) -> Checked<Self> {
        let mut thrift = Thrift::new(bytes);
        let (mut kind, mut stored, mut inflated, mut inner) = (None, None, None, None);
        let mut last = 0;
        while let Some((number, ty)) = thrift.field(&mut last)? {
            match (number, ty) {
                (1, _) => kind = Some(thrift.integer(ty)?),
                (2, _) => inflated = Some(thrift.count(ty)?),
                (3, _) => stored = Some(thrift.count(ty)?),
                (5, STRUCT) => inner = Some((PageKind::DataV1, Inner::parse(&mut thrift, PageKind::DataV1)?)),
                (7, STRUCT) => inner = Some((PageKind::Dictionary, Inner::parse(&mut thrift, PageKind::Dictionary)?)),
                (8, STRUCT) => inner = Some((PageKind::DataV2, Inner::parse(&mut thrift, PageKind::DataV2)?)),
                _ => thrift.skip(ty)?,
            }
        }
        let kind = match kind {
            Some(0) => PageKind::DataV1,
            Some(2) => PageKind::Dictionary,
            Some(3) => PageKind::DataV2,
            _ => return Err(Damage::of("its header is of no known kind")),
        };
        let (Some(stored_bytes), Some(inflated_bytes)) = (stored, inflated) else { return Err(INCOMPLETE) };
        let inner = inner.filter(|(of, _)| *of == kind).ok_or(INCOMPLETE)?.1;
        let values = inner.values.ok_or(INCOMPLETE)?;
        if values > PAGE_VALUES_MAX {
            return Err(Damage::new(format!("its header claims {values} values, of at most {PAGE_VALUES_MAX}")));
        }
        Ok(Self {
            kind,
            encoding: PageEncoding::of(inner.encoding.ok_or(INCOMPLETE)?)?,
            header_bytes: thrift.position(),
            stored_bytes,
            inflated_bytes,
            values,
            nulls: inner.nulls,
            rows: inner.rows,
            repetition_bytes: inner.repetition_bytes,
            definition_bytes: inner.definition_bytes,
            is_compressed: !inner.is_uncompressed,
        })
    }
}

const INCOMPLETE: Damage = Damage::of("its header lacks what every page has");

/// What the three kinds of pages say of themselves.
#[derive(Default)]
struct Inner {
    values: Option<usize>,
    encoding: Option<i64>,
    nulls: Option<usize>,
    rows: Option<usize>,
    repetition_bytes: usize,
    definition_bytes: usize,
    is_uncompressed: bool,
}

impl Inner {
    fn parse(thrift: &mut Thrift<'_>, kind: PageKind) -> Checked<Self> {
        let mut inner = Self::default();
        let mut last = 0;
        while let Some((number, ty)) = thrift.field(&mut last)? {
            match (kind, number) {
                (_, 1) => inner.values = Some(thrift.count(ty)?),
                (PageKind::DataV1 | PageKind::Dictionary, 2) => inner.encoding = Some(thrift.integer(ty)?),
                (PageKind::DataV2, 2) => inner.nulls = Some(thrift.count(ty)?),
                (PageKind::DataV2, 3) => inner.rows = Some(thrift.count(ty)?),
                (PageKind::DataV2, 4) => inner.encoding = Some(thrift.integer(ty)?),
                (PageKind::DataV2, 5) => inner.definition_bytes = thrift.count(ty)?,
                (PageKind::DataV2, 6) => inner.repetition_bytes = thrift.count(ty)?,
                (PageKind::DataV2, 7) if ty == TRUE || ty == FALSE => inner.is_uncompressed = ty == FALSE,
                _ => thrift.skip(ty)?,
            }
        }
        Ok(inner)
    }
}
