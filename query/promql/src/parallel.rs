//! Several cores: series are computed in blocks beside each other, and rows or groups are handed on in order, so that results do not depend
//! on how many threads there are.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::annotation::Annotations;
use crate::axis::Axis;
use crate::error::EvalError;
use crate::eval::{Evaluator, Stop};
use crate::groups::Groups;
use crate::input::{Input, Reading};
use crate::selector::Series;
use crate::tile::{Grid, Meta, Row, Sink};

/// Values computed before they are handed on: large enough that a hand-over costs nothing, small enough for a cache.
const BLOCK_VALUES: usize = 64 * 1024;
/// Below this many values a second thread costs more than it brings.
const PARALLEL_VALUES_MIN: usize = 64 * 1024;
/// Blocks that a thread may be ahead.
const BLOCKS_AHEAD: usize = 2;

/// Where rows go.
pub(crate) enum Out<'o, 's> {
    /// One after the other to a function.
    Rows(&'o mut Sink<'s>),
    /// Into the groups of an aggregation.
    Groups(&'o mut Groups<'s>),
}

/// Computes the row of one series.
pub(crate) type Compute<'a> = dyn Fn(&Series, &mut Axis, &mut Row, &mut Annotations) -> Meta + Sync + 'a;

/// The rows of a block and what is to be said about them.
struct Block {
    rows: Vec<(Meta, Row)>,
    notes: Annotations,
}

/// What every thread needs.
struct Job<'a> {
    input: &'a Input<'a>,
    grid: Grid,
    compute: &'a Compute<'a>,
    reading: &'a Reading,
    stop: Stop,
}

impl Evaluator<'_> {
    /// Computes a row for every series and hands on those that are not empty, in the order of the series.
    pub(crate) fn each_series(
        &mut self,
        input: &Input<'_>,
        grid: Grid,
        compute: &Compute<'_>,
        out: Out<'_, '_>,
    ) -> Result<(), EvalError> {
        let mut threads = self.limits.threads.min(input.len());
        if threads < 2 || input.samples_at_most().saturating_add(input.len() * grid.steps) < PARALLEL_VALUES_MIN {
            threads = 1;
        }
        let reading = self.reading(threads);
        let job = Job { input, grid, compute, reading: &reading, stop: self.stop() };
        match out {
            Out::Groups(groups) => job.group(threads, groups)?,
            Out::Rows(sink) if threads == 1 => {
                let mut notes = Annotations::default();
                let result = job.in_turn(0..input.len(), &mut Axis::default(), &mut notes, sink);
                self.annotations.extend(notes);
                result?;
            }
            Out::Rows(sink) => self.beside(&job, threads, sink)?,
        }
        self.has_read(&reading.total(), threads)
    }

    /// Computes blocks of series on several threads, and hands their rows on in order.
    fn beside(&mut self, job: &Job<'_>, threads: usize, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        let (series, steps) = (job.input.len(), job.grid.steps);
        let per_block = (BLOCK_VALUES / steps.max(1)).clamp(1, series.div_ceil(threads));
        let blocks = series.div_ceil(per_block);
        self.hold_bytes(threads * (BLOCKS_AHEAD + 1) * per_block * steps * size_of::<f64>())?;
        let block = move |at: usize| at * per_block..((at + 1) * per_block).min(series);
        std::thread::scope(|scope| {
            let receivers: Vec<Receiver<Result<Block, EvalError>>> = (0..threads)
                .map(|thread| {
                    let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
                    scope.spawn(move || job.work((thread..blocks).step_by(threads).map(block), &sender));
                    receiver
                })
                .collect();
            for at in 0..blocks {
                // A thread hangs up early only after it has sent why.
                let block = receivers[at % threads].recv().map_err(|_| EvalError::Canceled)??;
                self.annotations.extend(block.notes);
                for (meta, mut row) in block.rows {
                    sink(meta, &mut row)?;
                }
            }
            Ok(())
        })
    }
}

impl Job<'_> {
    /// Computes a row for every series and hands on those that are not empty.
    fn in_turn(
        &self,
        series: Range<usize>,
        axis: &mut Axis,
        notes: &mut Annotations,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let mut row = Row::new(self.grid.steps);
        for at in series {
            self.stop.check()?;
            let series = self.input.get(at, self.reading)?;
            if series.times.is_empty() {
                continue;
            }
            row.clear();
            let meta = (self.compute)(&series, axis, &mut row, notes);
            if !row.is_empty() {
                sink(meta, &mut row)?;
            }
        }
        Ok(())
    }

    /// Adds up blocks of series on several threads, this one among them, and joins them in order. The blocks do not depend on the number
    /// of threads, so that neither do the sums.
    fn group<'g>(&self, threads: usize, groups: &mut Groups<'g>) -> Result<(), EvalError> {
        let (series, grouping) = (self.input.len(), groups.grouping());
        let per_block = (BLOCK_VALUES / self.grid.steps.max(1)).max(1);
        let blocks = series.div_ceil(per_block);
        let threads = threads.min(blocks).max(1);
        let block = |at: usize| at * per_block..((at + 1) * per_block).min(series);
        let part = |at: usize, axis: &mut Axis| {
            let (mut part, mut notes) = (grouping.part(), Annotations::default());
            self.in_turn(block(at), axis, &mut notes, &mut |meta, row| part.add(meta, row))?;
            part.notes.extend(notes);
            Ok(part)
        };
        std::thread::scope(|scope| {
            let receivers: Vec<Receiver<Result<Groups<'g>, EvalError>>> = (1..threads)
                .map(|thread| {
                    let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
                    scope.spawn(move || {
                        let mut axis = Axis::default();
                        for at in (thread..blocks).step_by(threads) {
                            let result = part(at, &mut axis);
                            let failed = result.is_err();
                            // Nobody may be listening any more, and then nobody needs to know.
                            if sender.send(result).is_err() || failed {
                                return;
                            }
                        }
                    });
                    receiver
                })
                .collect();
            let mut axis = Axis::default();
            for at in 0..blocks {
                let part = match (at % threads).checked_sub(1) {
                    None => part(at, &mut axis)?,
                    // A thread hangs up early only after it has sent why.
                    Some(thread) => receivers[thread].recv().map_err(|_| EvalError::Canceled)??,
                };
                groups.join(part)?;
            }
            Ok(())
        })
    }

    /// One thread's blocks. Ends when the receiver is gone, which is how an error elsewhere stops it.
    fn work(&self, blocks: impl Iterator<Item = Range<usize>>, sender: &SyncSender<Result<Block, EvalError>>) {
        let mut axis = Axis::default();
        for block in blocks {
            let mut done = Block { rows: Vec::with_capacity(block.len()), notes: Annotations::default() };
            let result = self.in_turn(block, &mut axis, &mut done.notes, &mut |meta, row| {
                done.rows.push((meta, std::mem::replace(row, Row::new(self.grid.steps))));
                Ok(())
            });
            let failed = result.is_err();
            // Nobody may be listening any more, and then nobody needs to know.
            if sender.send(result.map(|()| done)).is_err() || failed {
                return;
            }
        }
    }
}
