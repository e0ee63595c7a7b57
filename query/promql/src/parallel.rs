//! Several cores: series are computed in blocks beside each other and handed on in order, so that results do not depend on how
//! many threads there are.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use crate::annotation::Annotations;
use crate::error::EvalError;
use crate::eval::{Evaluator, Stop};
use crate::selector::Series;
use crate::tile::{Grid, Meta, Row, Sink};

/// Values computed before they are handed on: large enough that a hand-over costs nothing, small enough for a cache.
const BLOCK_VALUES: usize = 64 * 1024;
/// Below this many values a second thread costs more than it brings.
const PARALLEL_VALUES_MIN: usize = 256 * 1024;
/// Blocks that a thread may be ahead.
const BLOCKS_AHEAD: usize = 2;

/// Computes the row of one series.
pub(crate) type Compute<'a> = dyn Fn(&Series, &mut Row, &mut Annotations) -> Meta + Sync + 'a;

/// The rows of a block and what is to be said about them.
struct Block {
    rows: Vec<(Meta, Row)>,
    notes: Annotations,
}

impl Evaluator<'_> {
    /// Computes a row for every series and hands on those that are not empty, in the order of the series.
    pub(crate) fn each_series(
        &mut self,
        series: &[Series],
        grid: Grid,
        compute: &Compute<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        let threads = self.limits.threads.min(series.len());
        let samples: usize = series.iter().map(|series| series.times.len()).sum();
        if threads < 2 || samples.saturating_add(series.len() * grid.steps) < PARALLEL_VALUES_MIN {
            let (stop, mut notes) = (self.stop(), Annotations::default());
            let result = in_turn(series, grid, compute, &stop, &mut notes, sink);
            self.annotations.extend(notes);
            return result;
        }
        let per_block = (BLOCK_VALUES / grid.steps.max(1)).clamp(1, series.len().div_ceil(threads));
        let blocks: Vec<&[Series]> = series.chunks(per_block).collect();
        self.hold_bytes(threads * (BLOCKS_AHEAD + 1) * per_block * grid.steps * size_of::<f64>())?;
        let stop = self.stop();
        let (blocks, stop) = (&blocks[..], &stop);
        std::thread::scope(|scope| {
            let receivers: Vec<Receiver<Result<Block, EvalError>>> = (0..threads)
                .map(|thread| {
                    let (sender, receiver) = sync_channel(BLOCKS_AHEAD);
                    scope.spawn(move || {
                        let own = blocks.iter().skip(thread).step_by(threads);
                        work(own, grid, compute, stop, &sender);
                    });
                    receiver
                })
                .collect();
            for at in 0..blocks.len() {
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

/// Computes a row for every series and hands on those that are not empty.
fn in_turn(
    series: &[Series],
    grid: Grid,
    compute: &Compute<'_>,
    stop: &Stop,
    notes: &mut Annotations,
    sink: &mut Sink<'_>,
) -> Result<(), EvalError> {
    let mut row = Row::new(grid.steps);
    for series in series {
        stop.check()?;
        row.clear();
        let meta = compute(series, &mut row, notes);
        if !row.is_empty() {
            sink(meta, &mut row)?;
        }
    }
    Ok(())
}

/// One thread's blocks. Ends when the receiver is gone, which is how an error elsewhere stops it.
fn work<'b>(
    blocks: impl Iterator<Item = &'b &'b [Series]>,
    grid: Grid,
    compute: &Compute<'_>,
    stop: &Stop,
    sender: &SyncSender<Result<Block, EvalError>>,
) {
    for block in blocks {
        let mut done = Block { rows: Vec::with_capacity(block.len()), notes: Annotations::default() };
        let result = in_turn(block, grid, compute, stop, &mut done.notes, &mut |meta, row| {
            done.rows.push((meta, std::mem::replace(row, Row::new(grid.steps))));
            Ok(())
        });
        let failed = result.is_err();
        // Nobody may be listening any more, and then nobody needs to know.
        if sender.send(result.map(|()| done)).is_err() || failed {
            return;
        }
    }
}
