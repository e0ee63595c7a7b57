//! What a scan reads: the segments and memtable chunks of a snapshot, as parts that share the work.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, TimeUnit};
use column::{FieldCount, FieldCounts, FieldType};
use model::{TimeRange, Timestamp, field};
use roaring::RoaringBitmap;
use segment::Segment;

pub use crate::chunk::Chunk;
use crate::part::Part;

/// The data of one query: a snapshot's segments and memtable chunks, and the times that count.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Immutable segments.
    pub segments: Vec<SourceSegment>,
    /// Rows not yet in a segment.
    pub chunks: Vec<Arc<Chunk>>,
    /// Segments that should be here and are out of use: id and reason.
    pub damaged: Vec<(String, String)>,
}

/// A segment, and which of its rows do not count any more.
#[derive(Clone, Debug)]
pub struct SourceSegment {
    /// The segment.
    pub segment: Arc<Segment>,
    /// Rows that were deleted since it was written.
    pub deleted: Option<Arc<RoaringBitmap>>,
}

/// The type of a field over a whole source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `_time`.
    Time,
    /// `_id`.
    Id,
    /// One scalar type everywhere.
    One(FieldType),
    /// Integers here, doubles there.
    Number,
    /// Several types, or values that are not scalars: shown as text.
    Mixed,
}

impl Kind {
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
            Kind::Id => DataType::UInt64,
            Kind::One(one) => one.data_type(),
            Kind::Number => DataType::Float64,
            Kind::Mixed => DataType::Utf8,
        }
    }

    pub(crate) fn with(self, other: Kind) -> Kind {
        let numeric = |kind| matches!(kind, Kind::Number | Kind::One(FieldType::Int | FieldType::Double));
        match (self, other) {
            (a, b) if a == b => a,
            (a, b) if numeric(a) && numeric(b) => Kind::Number,
            _ => Kind::Mixed,
        }
    }
}

impl Source {
    /// The parts whose times overlap the range.
    pub(crate) fn parts(&self, range: TimeRange) -> Vec<Part> {
        let segments = self.segments.iter().cloned().map(Part::Segment);
        let chunks = self.chunks.iter().cloned().map(Part::Chunk);
        let overlaps = |part: &Part| part.times().is_some_and(|(min, max)| range.overlaps(min, max));
        segments.chain(chunks).filter(overlaps).collect()
    }

    /// The first and the last time of all parts.
    pub(crate) fn times(&self, range: TimeRange) -> Option<(Timestamp, Timestamp)> {
        let times: Vec<_> = self.parts(range).iter().filter_map(Part::times).collect();
        let min = times.iter().map(|(min, _)| *min).min()?;
        let max = times.iter().map(|(_, max)| *max).max()?;
        Some((min.max(range.start), max.min(range.end)))
    }

    /// The names of all fields, sorted; `_time`, `_id` and `_stream` are not among them.
    pub fn names(&self, range: TimeRange) -> Vec<String> {
        self.field_names(range).into_iter().collect()
    }

    /// Every field that some part has, built-in ones not among them.
    pub(crate) fn field_names(&self, range: TimeRange) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for part in self.parts(range) {
            names.extend(part.field_names().0.iter().cloned());
        }
        names
    }

    /// How many rows have which field with values of which types, and how many rows there are, over all rows in a range:
    /// from manifest entries, without reading a row of a segment. `None` when those do not tell: a part reaches over the
    /// edge of the range, has deleted rows, or has more fields than its entry lists.
    pub fn field_counts(&self, range: TimeRange) -> Option<(FieldCounts, u64)> {
        let mut counts = FieldCounts::new();
        let mut rows = 0;
        for part in self.parts(range) {
            if !part.is_inside(range) || part.deleted().is_some() || !part.field_names().1 {
                return None;
            }
            rows += part.rows();
            match &part {
                Part::Segment(part) => {
                    part.segment.meta().fields.iter().for_each(|field| counts.add_count(&field.name, field.count));
                }
                Part::Chunk(chunk) => counts.add_batch(chunk.batch()),
            }
        }
        (!counts.is_truncated()).then_some((counts, rows))
    }

    /// The types of fields. A field that no part has is text.
    pub(crate) fn kinds(&self, names: &BTreeSet<String>, range: TimeRange) -> BTreeMap<String, Kind> {
        let mut kinds: BTreeMap<String, Option<Kind>> =
            names.iter().map(|name| (name.clone(), built_in(name))).collect();
        if names.iter().all(|name| crate::is_built_in(name)) {
            return kinds.into_iter().filter_map(|(name, kind)| Some((name, kind?))).collect();
        }
        for part in self.parts(range) {
            let fields = SegmentFields::of(&part);
            for (name, kind) in kinds.iter_mut().filter(|(name, _)| !crate::is_built_in(name)) {
                let here = match &part {
                    Part::Segment(_) => fields.kind(name),
                    Part::Chunk(chunk) => chunk.kind(name),
                };
                *kind = match (*kind, here) {
                    (Some(a), Some(b)) => Some(a.with(b)),
                    (a, b) => a.or(b),
                };
            }
        }
        kinds.into_iter().map(|(name, kind)| (name, kind.unwrap_or(Kind::One(FieldType::Str)))).collect()
    }
}

fn built_in(name: &str) -> Option<Kind> {
    match name {
        field::TIME => Some(Kind::Time),
        field::ID => Some(Kind::Id),
        field::STREAM => Some(Kind::One(FieldType::Str)),
        _ => None,
    }
}

/// The counts that a segment's manifest entry has of its fields.
struct SegmentFields<'a> {
    counts: HashMap<&'a str, &'a FieldCount>,
    complete: bool,
}

impl<'a> SegmentFields<'a> {
    fn of(part: &'a Part) -> Self {
        let Part::Segment(part) = part else { return Self { counts: HashMap::new(), complete: true } };
        let meta = part.segment.meta();
        let counts = meta.fields.iter().map(|field| (field.name.as_str(), &field.count)).collect();
        Self { counts, complete: meta.fields_complete }
    }

    /// The type of a field; `None` when no row has it.
    fn kind(&self, name: &str) -> Option<Kind> {
        let Some(count) = self.counts.get(name) else {
            return if self.complete { None } else { Some(Kind::Mixed) };
        };
        let scalars = FieldType::ALL.into_iter().zip(count.scalars).filter(|(_, rows)| *rows > 0);
        let kinds = scalars.map(|(one, _)| Kind::One(one)).chain((count.others > 0).then_some(Kind::Mixed));
        kinds.reduce(Kind::with)
    }
}
