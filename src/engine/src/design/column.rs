//! Columns made ready to be squared and summed: shifted and scaled, without a copy.
//!
//! A column is used as (raw - shift) / scale with a power of two as scale, so that squares neither overflow nor
//! underflow and nothing is rounded.

use crate::design::design::Column;
use crate::numerics::sums;
use crate::numerics::threads::Workers;

/// A column whose range is smaller than this beside its size is a constant with rounding noise.
const CONSTANT: f64 = 4.0 * f64::EPSILON;

/// Values looked at side by side.
const LANES: usize = 8;

/// First and largest values of a column.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Mean.
    pub mean: f64,
    /// Smallest value.
    pub min: f64,
    /// Largest value.
    pub max: f64,
}

impl Range {
    /// Finds the range of the values `at(i)`, i < n; `None` if one is not finite.
    pub fn of(n: usize, workers: &Workers, at: impl Fn(usize) -> f64 + Sync) -> Option<Range> {
        let parts = workers.map(sums::chunks(n), |c| {
            // The mean is a centre, not a result: a share of each value keeps the sum of huge ones finite.
            let share = 1.0 / n as f64;
            let (mut sums, mut mins, mut maxs) = ([0.0; LANES], [f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
            // Zero times a value is zero unless the value is not finite.
            let mut nulls = [0.0; LANES];
            let rows = sums::chunk(c, n);
            for start in rows.clone().step_by(LANES) {
                for k in 0..LANES.min(rows.end - start) {
                    let v = at(start + k);
                    nulls[k] += 0.0 * v;
                    sums[k] += v * share;
                    mins[k] = if v < mins[k] { v } else { mins[k] };
                    maxs[k] = if v > maxs[k] { v } else { maxs[k] };
                }
            }
            let finite = nulls.iter().all(|x| *x == 0.0);
            let sum = sums.iter().sum::<f64>();
            let (min, max) = (
                mins.iter().fold(f64::INFINITY, |a, b| a.min(*b)),
                maxs.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b)),
            );
            (sum, min, max, finite)
        });
        let mut r = Range { mean: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };
        for (sum, min, max, finite) in parts {
            if !finite {
                return None;
            }
            r = Range { mean: r.mean + sum, min: r.min.min(min), max: r.max.max(max) };
        }
        r.mean = r.mean.clamp(r.min, r.max);
        Some(r)
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
    Owned(Vec<f64>),
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
    pub fn fill(&self, rows: std::ops::Range<usize>, out: &mut [f64]) {
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
