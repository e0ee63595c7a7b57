//! What a scan reads: the segments and memtable chunks of a snapshot, as parts that share the work.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use column::{FieldCount, FieldType, FieldView, OVERFLOW};
use model::{TimeRange, Timestamp, field};
use segment::Segment;

/// The data of one query: a snapshot's segments and memtable chunks, and the times that count.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// Immutable segments.
    pub segments: Vec<Arc<Segment>>,
    /// Rows not yet in a segment, in batches of the same shape.
    pub chunks: Vec<Arc<RecordBatch>>,
    /// Segments that should be here and are out of use: id and reason.
    pub damaged: Vec<(String, String)>,
}

/// One piece of a source.
#[derive(Clone)]
pub(crate) enum Part {
    Segment(Arc<Segment>),
    Chunk(Arc<RecordBatch>),
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Segment(segment) => write!(f, "segment {}", segment.meta().id),
            Part::Chunk(chunk) => write!(f, "chunk of {} rows", chunk.num_rows()),
        }
    }
}

impl Part {
    /// The first and the last time in it; `None` when it has no rows.
    pub(crate) fn times(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Part::Segment(segment) => Some((segment.meta().min_time, segment.meta().max_time)),
            Part::Chunk(chunk) => {
                let times = chunk.column_by_name(field::TIME)?.as_primitive_opt::<TimestampNanosecondType>()?;
                let min = times.values().iter().min()?;
                let max = times.values().iter().max()?;
                Some((Timestamp(*min), Timestamp(*max)))
            }
        }
    }

    /// Whether all of its rows are in the range.
    pub(crate) fn is_inside(&self, range: TimeRange) -> bool {
        self.times().is_some_and(|(min, max)| range.contains(min) && range.contains(max))
    }
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

    fn with(self, other: Kind) -> Kind {
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

    /// Every field that some part has, built-in ones not among them.
    pub(crate) fn field_names(&self, range: TimeRange) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for part in self.parts(range) {
            match part {
                Part::Segment(segment) => names.extend(segment.field_names().iter().cloned()),
                Part::Chunk(chunk) => names.extend(column::field_names(&chunk)),
            }
        }
        names
    }

    /// The types of fields. A field that no part has is text.
    pub(crate) fn kinds(&self, names: &BTreeSet<String>, range: TimeRange) -> BTreeMap<String, Kind> {
        let mut kinds: BTreeMap<String, Option<Kind>> =
            names.iter().map(|name| (name.clone(), built_in(name))).collect();
        for part in self.parts(range) {
            let fields = SegmentFields::of(&part);
            for (name, kind) in kinds.iter_mut().filter(|(name, _)| !crate::is_built_in(name)) {
                let here = match &part {
                    Part::Segment(_) => fields.kind(name),
                    Part::Chunk(chunk) => chunk_kind(chunk, name),
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
        let Part::Segment(segment) = part else { return Self { counts: HashMap::new(), complete: true } };
        let meta = segment.meta();
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

/// The type of a field in a chunk; `None` when the chunk lacks it. Chunks are small: overflow values are looked at.
fn chunk_kind(chunk: &RecordBatch, name: &str) -> Option<Kind> {
    let view = FieldView::new(chunk, name);
    if view.is_absent() {
        return None;
    }
    let array = if name == OVERFLOW { None } else { chunk.column_by_name(name) };
    let column = array.filter(|array| array.null_count() < array.len());
    let column = column.and_then(|array| FieldType::ALL.into_iter().find(|ty| ty.data_type() == *array.data_type()));
    let mut kind = column.map(Kind::One);
    for row in (0..chunk.num_rows()).filter(|row| array.is_none_or(|array| array.is_null(*row))) {
        let Some(value) = view.value(row) else { continue };
        let here = FieldType::of(&value).map_or(Kind::Mixed, Kind::One);
        kind = Some(kind.map_or(here, |kind| kind.with(here)));
    }
    kind
}
