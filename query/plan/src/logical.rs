//! The tree of a logical plan.

use lang::{Aggregate, Bucket, Expr, Filter, Function, Group, Input, SortKey, Source};
use model::TimeRange;

use crate::rewrites::{each_filter, each_other, push_fetch};
use crate::stage::Stage;

/// What is to be done, as a tree of operators: each takes the rows of its input, the leaf is a scan.
#[derive(Clone, Debug, PartialEq)]
pub enum LogicalPlan {
    /// Rows of a table.
    Scan(Scan),
    /// Rows for which the predicate holds.
    Filter {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// What must hold.
        predicate: Filter,
    },
    /// One row for each group: the columns of `by`, then the aggregates, of which there may be none (`uniq`). Without `by`
    /// exactly one row, even of no input. The order of the rows is open.
    Aggregate {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The keys.
        by: Vec<Group>,
        /// The values. `Function::Median` does not occur: it is `Quantile(0.5)` here.
        aggregates: Vec<Aggregate>,
    },
    /// Rows in the order of the keys.
    Sort {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The keys, most important first.
        keys: Vec<SortKey>,
        /// Only the first rows are needed: a top-k.
        fetch: Option<u64>,
    },
    /// Rows after the first `offset`, at most `fetch` of them.
    Limit {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// How many rows to pass over.
        offset: u64,
        /// How many rows to keep; `None` for all.
        fetch: Option<u64>,
    },
    /// Only these columns, in this order. A name that ends in `*` stands for every column that starts so.
    Project {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The columns.
        fields: Vec<String>,
    },
    /// All but these columns; `*` as in `Project`.
    Drop {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// The columns.
        fields: Vec<String>,
    },
    /// Columns under new names, one after the other; a column that has the new name already is replaced.
    Rename {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// From, to.
        renames: Vec<(String, String)>,
    },
    /// New columns, one after the other; a column that has the name already is replaced.
    Eval {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// Name, value.
        columns: Vec<(String, Expr)>,
    },
    /// A pipe that works on rows by itself.
    Stage {
        /// Where rows come from.
        input: Box<LogicalPlan>,
        /// What it does.
        stage: Stage,
    },
}

/// The leaf: rows of one table.
#[derive(Clone, Debug, PartialEq)]
pub struct Scan {
    /// The table, or the PromQL query.
    pub input: Input,
    /// The times asked for by `_time` filters; [`TimeRange::ALL`] without. The caller's own range is added by
    /// [`LogicalPlan::within`].
    pub range: TimeRange,
    /// Which rows; holds no `_time` filter that `range` says already.
    pub filter: Filter,
    /// The fields that operators above read, sorted; `None` for whole records, an empty list when only the number of rows
    /// matters. Fields that only `filter` reads are not among them: [`crate::filter_fields`] lists those. A name that ends
    /// in `*` stands for every field that starts so.
    pub fields: Option<Vec<String>>,
    /// In which order rows must come; `None` when it does not matter.
    pub order: Option<ScanOrder>,
    /// At most this many rows are needed: the first ones in `order`, any ones without an order.
    pub fetch: Option<u64>,
}

/// An order that a scan can deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanOrder {
    /// `_time` descending, then `_id` descending.
    NewestFirst,
    /// `_time` ascending, then `_id` ascending.
    OldestFirst,
}

/// A placeholder while an operator's input is taken out to be rewritten; never part of a finished plan.
pub(crate) const EMPTY: LogicalPlan = LogicalPlan::Scan(Scan {
    input: Input::Table(Source::Logs),
    range: TimeRange::ALL,
    filter: Filter::Nothing,
    fields: None,
    order: None,
    fetch: None,
});

impl Default for Scan {
    /// Every log record, whole.
    fn default() -> Self {
        let (filter, input) = (Filter::All, Input::default());
        Self { input, range: TimeRange::ALL, filter, fields: None, order: None, fetch: None }
    }
}

impl Scan {
    /// Whether only the number of matching rows matters, so that index and statistics may answer alone.
    pub fn is_count_only(&self) -> bool {
        self.fields.as_ref().is_some_and(Vec::is_empty)
    }
}

impl LogicalPlan {
    /// The operator's input; `None` for the leaf.
    pub fn input(&self) -> Option<&LogicalPlan> {
        match self {
            Self::Scan(_) => None,
            Self::Filter { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::Project { input, .. }
            | Self::Drop { input, .. }
            | Self::Rename { input, .. }
            | Self::Eval { input, .. }
            | Self::Stage { input, .. } => Some(input),
        }
    }

    /// The operator's input, to be changed.
    pub fn input_mut(&mut self) -> Option<&mut LogicalPlan> {
        match self {
            Self::Scan(_) => None,
            Self::Filter { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::Project { input, .. }
            | Self::Drop { input, .. }
            | Self::Rename { input, .. }
            | Self::Eval { input, .. }
            | Self::Stage { input, .. } => Some(input),
        }
    }

    /// The leaf.
    pub fn scan(&self) -> &Scan {
        let mut at = self;
        loop {
            match at {
                Self::Scan(scan) => return scan,
                Self::Filter { input, .. }
                | Self::Aggregate { input, .. }
                | Self::Sort { input, .. }
                | Self::Limit { input, .. }
                | Self::Project { input, .. }
                | Self::Drop { input, .. }
                | Self::Rename { input, .. }
                | Self::Eval { input, .. }
                | Self::Stage { input, .. } => at = input,
            }
        }
    }

    /// The leaf, to be changed.
    pub fn scan_mut(&mut self) -> &mut Scan {
        match self {
            Self::Scan(scan) => scan,
            Self::Filter { input, .. }
            | Self::Aggregate { input, .. }
            | Self::Sort { input, .. }
            | Self::Limit { input, .. }
            | Self::Project { input, .. }
            | Self::Drop { input, .. }
            | Self::Rename { input, .. }
            | Self::Eval { input, .. }
            | Self::Stage { input, .. } => input.scan_mut(),
        }
    }

    /// The same plan over a shorter time: what a caller's own start and end ask for. Other plans that it reads are too, each
    /// unless it names a time itself; those of a join `within` some time see as much more.
    pub fn within(mut self, range: TimeRange) -> Self {
        self.narrow(range);
        self
    }

    /// Closes an open time: of the plan's own rows, and of the windows that `diff` compares them with. Other plans that it reads
    /// keep theirs.
    pub fn close(&mut self, range: TimeRange) {
        let closed = self.scan().range.intersect(&range);
        let mut at = Some(&mut *self);
        while let Some(plan) = at {
            if let Self::Stage { stage: stage @ Stage::Diff(..), .. } = plan {
                stage.narrow_other(closed, closed);
            }
            at = plan.input_mut();
        }
        self.scan_mut().range = closed;
    }

    fn narrow(&mut self, range: TimeRange) {
        let own = self.scan().range;
        let mut at = Some(&mut *self);
        while let Some(plan) = at {
            if let Self::Stage { stage, .. } = plan {
                stage.narrow_other(own, range);
            }
            at = plan.input_mut();
        }
        let scan = self.scan_mut();
        scan.range = own.intersect(&range);
    }

    /// Calls a function for the scans of the plan and of all others that it reads.
    pub fn each_scan(&self, see: &mut dyn FnMut(&Scan)) {
        let mut at = Some(self);
        while let Some(plan) = at {
            match plan {
                Self::Scan(scan) => see(scan),
                Self::Stage { stage, .. } => {
                    if let Some(other) = stage.other() {
                        other.each_scan(see);
                    }
                }
                _ => {}
            }
            at = plan.input();
        }
    }

    /// Changes every filter, also those of the other plans that it reads.
    pub fn change_filters(&mut self, change: &mut dyn FnMut(&mut Filter)) {
        each_filter(self, change);
        let mut at = Some(self);
        while let Some(plan) = at {
            if let Self::Stage { stage, .. } = plan
                && let Some(other) = stage.other_mut()
            {
                other.change_filters(change);
            }
            at = plan.input_mut();
        }
    }

    /// Shows every filter, also those of the other plans that it reads.
    pub fn each_filter(&self, see: &mut dyn FnMut(&Filter)) {
        self.clone().change_filters(&mut |filter| see(filter));
    }

    /// Whether the length of some buckets is still to be chosen.
    pub fn has_auto_buckets(&self) -> bool {
        let of_group = |group: &Group| matches!(group, Group::Bucket { bucket: Bucket::AutoTime, .. });
        let here = match self {
            Self::Aggregate { by, .. } => by.iter().any(of_group),
            Self::Stage { stage, .. } => match stage {
                Stage::Group(by, _) => by.iter().any(of_group),
                Stage::Bin(bin) => bin.bucket == Bucket::AutoTime,
                Stage::Timechart(chart) => chart.bucket == Bucket::AutoTime,
                other => other.other().is_some_and(Self::has_auto_buckets),
            },
            Self::Scan(Scan { input: Input::Promql(promql), .. }) => promql.step_ns.is_none(),
            _ => false,
        };
        here || self.input().is_some_and(Self::has_auto_buckets)
    }

    /// Chooses the length of buckets that nobody said, for rows of this range.
    pub fn choose_buckets(&mut self, range: TimeRange) {
        let step_ns = Bucket::auto_step_ns(range.end.0.saturating_sub(range.start.0));
        let chosen = Bucket::Time { step_ns, offset_ns: 0 };
        let of_groups = |by: &mut Vec<Group>| {
            for group in by {
                if let Group::Bucket { bucket: bucket @ Bucket::AutoTime, .. } = group {
                    *bucket = chosen;
                }
            }
        };
        match self {
            Self::Aggregate { by, .. } => of_groups(by),
            Self::Stage { stage, .. } => match stage {
                Stage::Group(by, _) => of_groups(by),
                Stage::Bin(bin) if bin.bucket == Bucket::AutoTime => bin.bucket = chosen,
                Stage::Timechart(chart) if chart.bucket == Bucket::AutoTime => chart.bucket = chosen,
                Stage::Fill(_, buckets) => buckets.step_ns = buckets.step_ns.or(Some(step_ns)),
                _ => {}
            },
            Self::Scan(Scan { input: Input::Promql(promql), .. }) => promql.step_ns = promql.step_ns.or(Some(step_ns)),
            _ => {}
        }
        each_other(self, &|other| other.choose_buckets(range));
        if let Some(input) = self.input_mut() {
            input.choose_buckets(range);
        }
    }

    /// The same plan with at most this many rows, which the scan learns when that is right.
    pub fn with_limit(self, fetch: u64) -> Self {
        let mut plan = match self {
            Self::Limit { input, offset, fetch: known } => {
                Self::Limit { input, offset, fetch: Some(known.map_or(fetch, |known| known.min(fetch))) }
            }
            other => Self::Limit { input: Box::new(other), offset: 0, fetch: Some(fetch) },
        };
        push_fetch(&mut plan);
        plan
    }

    /// Whether the answer is one row with the number of matching rows: `... | stats count()`. Index and statistics may
    /// answer it alone.
    pub fn is_count_only(&self) -> bool {
        let counts_rows = |aggregate: &Aggregate| {
            aggregate.function == Function::Count && aggregate.fields.is_empty() && aggregate.filter.is_none()
        };
        match self {
            Self::Aggregate { input, by, aggregates } => {
                matches!(**input, Self::Scan(Scan { fetch: None, .. }))
                    && by.is_empty()
                    && aggregates.iter().all(counts_rows)
            }
            _ => false,
        }
    }

    /// Whether rows come as records of a table, and so in the scan's order, rather than computed or sorted.
    pub fn is_record_search(&self) -> bool {
        match self {
            Self::Scan(_) => true,
            Self::Aggregate { .. } | Self::Sort { .. } => false,
            Self::Stage { input, stage } => stage.keeps_rows() && input.is_record_search(),
            other => other.input().is_some_and(Self::is_record_search),
        }
    }
}
