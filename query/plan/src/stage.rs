//! Pipes that work on rows by themselves, between the operators that engines of tables have.

use std::collections::BTreeSet;

use lang::{
    Aggregate, Bin, Context, Dedup, Diff, DiffAgainst, Facets, Fill, Filter, FormatPart, FormatPipe, Group, Join,
    Lookup, ParsePipe, Patterns, Replace, Sample, Timechart, Within, WithinSide,
};
use model::{TimeRange, field};

use crate::LogicalPlan;
use crate::names::filter_fields;
use crate::rewrites::columns::{Needed, aggregate_fields, union};

/// What a stage does with the rows of its input. What each means for rows is said where its pipe is defined, in `lang`.
#[derive(Clone, Debug, PartialEq)]
pub enum Stage {
    /// Fields out of a text.
    Parse(ParsePipe),
    /// A part of a text becomes another.
    Replace(Replace),
    /// A text made of fields.
    Format(FormatPipe),
    /// A row for each value of a JSON array, for each of these fields.
    Unroll(Vec<String>),
    /// A value becomes the start of its bucket. Never [`lang::Bucket::AutoTime`] in a plan that runs.
    Bin(Bin),
    /// The first rows of each value.
    Dedup(Dedup),
    /// Some rows, chosen by chance.
    Sample(Sample),
    /// Fields of the rows of another plan. The query inside [`Join`] is that plan's, and means nothing here.
    Join(Join, Box<LogicalPlan>),
    /// The rows, then those of another plan.
    Union(Box<LogicalPlan>),
    /// Fields of a table of names.
    Lookup(Lookup),
    /// The rows around each row.
    Context(Context),
    /// The templates of the bodies.
    Patterns(Patterns),
    /// The column `_pattern` with the id of each body's template.
    PatternId,
    /// The most frequent values of each field.
    Facets(Facets),
    /// What is different against the rows of another plan, which is this one's input over another time.
    Diff(Diff, Box<LogicalPlan>),
    /// One row for each group, by functions or buckets that only stages know.
    Group(Vec<Group>, Vec<Aggregate>),
    /// One row for each bucket of time and group, also for empty buckets.
    Timechart(Timechart),
    /// Rows for the buckets of time that have none.
    Fill(Fill, Buckets),
    /// A column with each row's share of the sum of another column, in percent.
    Percent {
        /// The column that is summed.
        of: String,
        /// The new column.
        to: String,
    },
}

/// The buckets of time that rows were grouped by before they are filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    /// The column that holds the starts.
    pub time: String,
    /// Their width in nanoseconds; `None` while it is to be chosen.
    pub step_ns: Option<i64>,
    /// Their shift.
    pub offset_ns: i64,
    /// The other keys; `None` for every column but time and `value`, which is what PromQL answers.
    pub keys: Option<Vec<String>>,
}

impl Stage {
    /// The name of the pipe.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Parse(_) => "Parse",
            Self::Replace(_) => "Replace",
            Self::Format(_) => "Format",
            Self::Unroll(_) => "Unroll",
            Self::Bin(_) => "Bin",
            Self::Dedup(_) => "Dedup",
            Self::Sample(_) => "Sample",
            Self::Join(..) => "Join",
            Self::Union(_) => "Union",
            Self::Lookup(_) => "Lookup",
            Self::Context(_) => "Context",
            Self::Patterns(_) => "Patterns",
            Self::PatternId => "PatternId",
            Self::Facets(_) => "Facets",
            Self::Diff(..) => "Diff",
            Self::Group(..) => "Group",
            Self::Timechart(_) => "Timechart",
            Self::Fill(..) => "Fill",
            Self::Percent { .. } => "Percent",
        }
    }

    /// The other plan whose rows it reads.
    pub fn other(&self) -> Option<&LogicalPlan> {
        match self {
            Self::Join(_, other) | Self::Union(other) | Self::Diff(_, other) => Some(other),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn other_mut(&mut self) -> Option<&mut LogicalPlan> {
        match self {
            Self::Join(_, other) | Self::Union(other) | Self::Diff(_, other) => Some(other),
            _ => None,
        }
    }

    /// Its filters.
    pub(crate) fn filters_mut(&mut self) -> Vec<&mut Filter> {
        match self {
            Self::Parse(pipe) => pipe.filter.iter_mut().collect(),
            Self::Replace(pipe) => pipe.filter.iter_mut().collect(),
            Self::Format(pipe) => pipe.filter.iter_mut().collect(),
            Self::Group(_, aggregates) => aggregates.iter_mut().filter_map(|one| one.filter.as_mut()).collect(),
            Self::Timechart(chart) => chart.aggregates.iter_mut().filter_map(|one| one.filter.as_mut()).collect(),
            _ => Vec::new(),
        }
    }

    /// Narrows the time of the other plan as a caller narrows that of the plan around it, whose own time was `own` before.
    pub(crate) fn narrow_other(&mut self, own: TimeRange, range: TimeRange) {
        match self {
            Self::Diff(diff, other) => {
                let own = own.intersect(&range);
                let length = own.end.0.saturating_sub(own.start.0);
                let back = |ns: i64| TimeRange::new(own.start.saturating_add_ns(-ns), own.end.saturating_add_ns(-ns));
                other.scan_mut().range = match diff.against {
                    DiffAgainst::Previous => back(length),
                    DiffAgainst::Ago(ns) => back(ns),
                    DiffAgainst::Range(range) => range,
                };
            }
            // A query that names its time keeps it; what it reads itself is narrowed to that.
            Self::Join(_, other) | Self::Union(other) if names_time(other) => {
                let own = other.scan().range;
                **other = std::mem::replace(&mut **other, crate::logical::EMPTY).within(own);
            }
            Self::Join(join, other) => {
                let (mut start, mut end) = (range.start, range.end);
                match join.within {
                    Some(Within { ns, side: WithinSide::Before }) => start = start.saturating_add_ns(-ns),
                    Some(Within { ns, side: WithinSide::After }) => end = end.saturating_add_ns(ns),
                    None => {}
                }
                let widened = TimeRange::new(start, end);
                **other = std::mem::replace(&mut **other, crate::logical::EMPTY).within(widened);
            }
            Self::Union(other) => {
                **other = std::mem::replace(&mut **other, crate::logical::EMPTY).within(range);
            }
            _ => {}
        }
    }

    /// Whether there is exactly one row for each row of the input, in the same order, so that a limit above it may be one
    /// below it.
    pub fn keeps_rows(&self) -> bool {
        match self {
            Self::Parse(_) | Self::Replace(_) | Self::Format(_) | Self::Bin(_) | Self::Lookup(_) | Self::PatternId => {
                true
            }
            // The nearest partner, or none.
            Self::Join(join, _) => join.within.is_some() && join.kind == lang::JoinKind::Left,
            _ => false,
        }
    }

    /// Whether rows come out in the order of the input's rows, which then matters.
    pub(crate) fn keeps_order(&self) -> bool {
        !matches!(
            self,
            Self::Patterns(_)
                | Self::Facets(_)
                | Self::Diff(..)
                | Self::Group(..)
                | Self::Timechart(_)
                | Self::Context(_)
                | Self::Fill(..)
        )
    }

    /// Whether which rows come out depends on the order of the input's rows.
    pub(crate) fn depends_on_order(&self) -> bool {
        matches!(self, Self::Dedup(_) | Self::Union(_))
    }

    /// The columns that it needs of its input, when these are needed of it; `None` for all.
    pub(crate) fn needed_of_input(&self, needed: Needed) -> Needed {
        let and =
            |needed: Needed, more: &[&str]| union(needed, Some(more.iter().map(|name| (*name).to_owned()).collect()));
        let of = |names: &[String]| Some(names.iter().cloned().collect::<BTreeSet<String>>());
        let filter = |filter: &Option<Filter>| filter.as_ref().map_or(Some(BTreeSet::new()), filter_fields);
        match self {
            Self::Parse(pipe) => union(and(needed, &[&pipe.from, field::TIME]), filter(&pipe.filter)),
            Self::Replace(pipe) => union(needed, filter(&pipe.filter)),
            Self::Format(pipe) => union(union(needed, format_fields(pipe)), filter(&pipe.filter)),
            Self::Unroll(fields) => union(needed, of(fields)),
            Self::Bin(bin) => and(needed, &[&bin.field]),
            Self::Dedup(dedup) => union(needed, of(&dedup.by)),
            Self::Sample(_) => and(needed, &[field::ID]),
            Self::Join(join, _) => {
                let keys: Vec<String> = join.on.iter().map(|(own, _)| own.clone()).collect();
                let needed = union(needed, of(&keys));
                if join.within.is_some() { and(needed, &[field::TIME]) } else { needed }
            }
            Self::Union(_) => needed,
            Self::Lookup(lookup) => {
                let keys: Vec<String> = lookup.on.iter().map(|(own, _)| own.clone()).collect();
                union(needed, of(&keys))
            }
            Self::Context(_) => and(needed, &[field::TIME, field::ID, field::STREAM]),
            Self::Patterns(patterns) => and(of(&patterns.by), &[field::BODY, field::TIME]),
            Self::PatternId => and(needed, &[field::BODY]).map(|mut names| {
                names.remove(PATTERN_FIELD);
                names
            }),
            Self::Facets(facets) if facets.fields.is_empty() => None,
            Self::Facets(facets) => of(&facets.fields),
            Self::Diff(diff, _) if diff.by.is_empty() => None,
            Self::Diff(diff, _) => and(of(&diff.by), &[field::BODY]),
            Self::Group(by, aggregates) => aggregate_fields(by, aggregates),
            Self::Timechart(chart) => {
                and(union(of(&chart.by), aggregate_fields(&[], &chart.aggregates)), &[field::TIME])
            }
            Self::Fill(..) => None,
            Self::Percent { of, .. } => and(needed, &[of]),
        }
    }
}

/// The field that is the id of a body's template, and that no row has stored.
pub const PATTERN_FIELD: &str = "_pattern";

/// Whether a plan says itself which time it reads.
fn names_time(plan: &LogicalPlan) -> bool {
    plan.scan().range != TimeRange::ALL
}

/// The fields that a text is made of.
fn format_fields(pipe: &FormatPipe) -> Needed {
    let names = pipe.parts.iter().filter_map(|part| match part {
        FormatPart::Field { name, .. } => Some(name.clone()),
        FormatPart::Text(_) => None,
    });
    Some(names.collect())
}
