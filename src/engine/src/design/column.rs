//! Columns made ready to be squared and summed: shifted and scaled, without a copy.
//!
//! A column is used as (raw - shift) / scale with a power of two as scale, so that squares neither overflow nor
//! underflow and nothing is rounded.

use std::ops;
use std::sync::Arc;

use crate::design::design::Column;
use crate::numerics::sums;
use crate::numerics::threads::Workers;

/// A column whose range is smaller than this beside its size is a constant with rounding noise.
const CONSTANT: f64 = 4.0 * f64::EPSILON;

/// Values looked at side by side.
const LANES: usize = 8;

/// Centre and ends of the values of a column.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Mean.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

/// Ranges of several columns in one pass over `n` rows; `None` for a column with a value that is not finite. `of` finds
/// those of some rows, by [`Range::of_rows`].
pub fn ranges(
    n: usize,
    workers: &Workers,
    of: impl Fn(ops::Range<usize>) -> Vec<Option<Range>> + Sync,
) -> Vec<Option<Range>> {
    let join = |a: Option<Range>, b: Option<Range>| {
        let (a, b) = (a?, b?);
        Some(Range { mean: a.mean + b.mean, min: a.min.min(b.min), max: a.max.max(b.max) })
    };
    let mut parts = workers.map(sums::chunks(n), |c| of(sums::chunk(c, n))).into_iter();
    let mut all = parts.next().unwrap_or_default();
    parts.for_each(|part| all.iter_mut().zip(part).for_each(|(a, b)| *a = join(*a, b)));
    all.iter_mut().flatten().for_each(|r| r.mean = r.mean.clamp(r.min, r.max));
    all
}

impl Range {
    /// The range of the values `at(i)` in some of `n` rows, with their share of the mean; `None` if one is not finite.
    pub fn of_rows(rows: ops::Range<usize>, n: usize, at: impl Fn(usize) -> f64) -> Option<Range> {
        // The mean is a centre, not a result: a share of each value keeps the sum of huge ones finite.
        let share = 1.0 / n as f64;
        let (mut sums, mut mins, mut maxs) = ([0.0; LANES], [f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        // Zero times a value is zero unless the value is not finite.
        let mut nulls = [0.0; LANES];
        for start in rows.clone().step_by(LANES) {
            for k in 0..LANES.min(rows.end - start) {
                let v = at(start + k);
                nulls[k] += 0.0 * v;
                sums[k] += v * share;
                mins[k] = if v < mins[k] { v } else { mins[k] };
                maxs[k] = if v > maxs[k] { v } else { maxs[k] };
            }
        }
        let (min, max) =
            (mins.into_iter().fold(f64::INFINITY, f64::min), maxs.into_iter().fold(f64::NEG_INFINITY, f64::max));
        nulls.iter().all(|x| *x == 0.0).then(|| Range { mean: sums.iter().sum(), min, max })
    }

    /// The same for a column.
    pub fn of_column(column: &Column<'_>, rows: ops::Range<usize>, n: usize) -> Option<Range> {
        match column {
            Column::Constant => Some(Range { mean: rows.len() as f64 / n as f64, min: 1.0, max: 1.0 }),
            Column::Values(v) => Range::of_rows(rows, n, |i| v[i]),
        }
    }

    /// True if all values are equal, to rounding.
    pub fn is_constant(&self) -> bool {
        self.max - self.min <= CONSTANT * self.min.abs().max(self.max.abs())
    }

    /// Power of two near the largest distance from `centre`.
    pub fn scale(&self, centre: f64) -> f64 {
        power_of_two((self.max - centre).abs().max((self.min - centre).abs()))
    }
}

/// The power of two at or below `x` (1 for zero).
pub fn power_of_two(x: f64) -> f64 {
    if x > 0.0 && x.is_finite() {
        x.log2().floor().clamp(-1000.0, 1000.0).exp2()
    } else {
        1.0
    }
}

/// Where the values of a prepared column are.
#[derive(Clone, Debug)]
pub enum Source<'a> {
    /// The caller's column.
    Borrowed(Column<'a>),
    /// A column that was made orthonormal on the rows.
    Owned(Arc<Vec<f64>>),
}

/// One prepared column: (raw - shift) / scale.
#[derive(Clone, Debug)]
pub struct Prepared<'a> {
    /// Its values before shift and scale.
    pub source: Source<'a>,
    /// Centre.
    pub shift: f64,
    /// One over the scale, a power of two.
    pub factor: f64,
}

impl Prepared<'_> {
    /// Writes the values of some rows.
    pub fn fill(&self, rows: ops::Range<usize>, out: &mut [f64]) {
        match &self.source {
            Source::Borrowed(Column::Constant) => out.fill((1.0 - self.shift) * self.factor),
            Source::Borrowed(Column::Values(v)) => {
                out.iter_mut().zip(&v[rows]).for_each(|(o, x)| *o = (x - self.shift) * self.factor);
            }
            Source::Owned(v) => out.copy_from_slice(&v[rows]),
        }
    }

    /// Value in row `i`.
    #[inline]
    pub fn at(&self, i: usize) -> f64 {
        match &self.source {
            Source::Borrowed(c) => (c.at(i) - self.shift) * self.factor,
            Source::Owned(v) => v[i],
        }
    }
}
