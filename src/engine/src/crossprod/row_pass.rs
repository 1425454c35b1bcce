//! One pass over the rows in blocks and pieces: who adds what is left to the caller.

use std::ops::Range;

use crate::covariance::ResidualCovariance;
use crate::covariance::NONE;
use crate::crossprod::add_rows::{Addition, Selection};
use crate::crossprod::crossprod::{add, Crossprod};
use crate::crossprod::row_reader::{blocks, RowBlock, RowReader, IDENTITY, ROWS};
use crate::crossprod::sum_layout::SumLayout;
use crate::numerics::threads::Workers;

/// Rows in one piece of work at least.
pub(crate) const PIECE: usize = 65_536;

/// Rows that are summed in some coordinates.
#[derive(Clone, Copy)]
pub(crate) struct RowPass<'s, 'd> {
    /// Coordinates and cells.
    pub a: &'s Crossprod,
    /// Places of its sums.
    pub layout: &'s SumLayout,
    /// Reads the rows.
    pub reader: &'s RowReader<'d>,
    /// Series of correlated rows.
    pub residual: &'s ResidualCovariance,
    /// True if every series lies in one level of every factor.
    pub one_level: bool,
    /// Threads.
    pub workers: &'s Workers,
}

/// Room for one block of rows.
pub(crate) struct Buffers {
    /// The rows of the block.
    pub here: RowBlock,
    /// The rows before them in their series.
    pub before: RowBlock,
    /// Rows of the block with one before them, and those before them.
    pub late: Vec<u32>,
    /// Rows of the design before those.
    pub early: Vec<u32>,
    /// Sets of sums that rows are added to; all zero.
    pub sets: Vec<u32>,
    /// Weights; all one.
    pub weights: Vec<f64>,
}

impl Buffers {
    /// What becomes of rows: weights and sets as they stand.
    pub fn addition(&self) -> Addition<'_> {
        Addition { weights: &self.weights, sets: &self.sets }
    }

    /// The first `count` rows of the block.
    pub fn rows(&self, count: usize) -> Selection<'_> {
        Selection { block: &self.here, rows: &IDENTITY[..count] }
    }

    /// Rows that have one before them, and those before them.
    pub fn pairs(&self) -> (Selection<'_>, Selection<'_>) {
        let early = &IDENTITY[..self.late.len()];
        (Selection { block: &self.here, rows: &self.late }, Selection { block: &self.before, rows: early })
    }
}

impl RowPass<'_, '_> {
    /// Visits `count` things in pieces, each with its own `sets` of sums; they are added in order.
    pub fn run(&self, sets: usize, count: usize, visit: impl Fn(Range<usize>, &mut [f64]) + Sync) -> Vec<f64> {
        // A function of sizes alone, so that results do not depend on threads.
        let len = sets * self.layout.len;
        let pieces = (self.a.n / PIECE).min(self.a.n / (2 * len).max(1)).clamp(1, 8);
        let piece = |k: usize| {
            let mut out = vec![0.0; len];
            visit(k * count / pieces..(k + 1) * count / pieces, &mut out);
            out
        };
        let mut total = self.workers.sum(pieces, piece, |total, part| add(total, &part)).unwrap_or_default();
        self.layout.mirror(self.a, &mut total);
        total
    }

    /// Visits rows in blocks.
    pub fn blocks(&self, rows: Range<usize>, mut visit: impl FnMut(Range<usize>, &mut Buffers)) {
        let mut room = self.buffers();
        blocks(rows).for_each(|block| visit(block, &mut room));
    }

    /// Room for one block.
    pub fn buffers(&self) -> Buffers {
        Buffers {
            here: self.reader.block(),
            before: self.reader.block(),
            late: Vec::with_capacity(ROWS),
            early: Vec::with_capacity(ROWS),
            sets: vec![0; ROWS],
            weights: vec![1.0; ROWS],
        }
    }

    /// Finds the rows of a block that have one before them in their series; false where there is none.
    pub fn find_pairs(&self, rows: &Range<usize>, room: &mut Buffers) -> bool {
        room.late.clear();
        room.early.clear();
        for (k, &j) in self.residual.classes.series.previous[rows.clone()].iter().enumerate() {
            if j != NONE {
                room.late.push(k as u32);
                room.early.push(j);
            }
        }
        !room.early.is_empty()
    }

    /// Reads the rows before those of a block; false where there is none.
    pub fn read_pairs(&self, rows: &Range<usize>, room: &mut Buffers) -> bool {
        let some = self.find_pairs(rows, room);
        let early = &room.early;
        self.reader.read(early.len(), &|k| early[k] as usize, &mut room.before);
        some
    }
}
