//! The pass over the rows that sums by level: Z'WZ and Z'W[X, y] of every grouping factor at once.
//!
//! y is replaced by its least-squares residual on the fly; X is packed once for all factors. Whoever reads rows later reads
//! them in orthonormal coordinates (see [`super::row_reader`]); this pass sums them as they are scaled and turns the sums
//! afterwards, which is once a level and not once a row, and knows which factors have but an intercept.

use crate::crossprod::crossprod::{add, FactorSums};
use crate::design::basis::Basis;
use crate::design::grouping::Grouping;
use crate::design::weights::Weight;
use crate::numerics::small;
use crate::numerics::threads::Workers;

/// Rows packed at once.
const PACK: usize = 256;

/// The pass that sums by level.
pub(crate) struct LevelPass<'r, 'a, 'b> {
    /// Rows.
    pub n: usize,
    /// Columns of X.
    pub x: &'r Basis<'a>,
    /// Least-squares coefficients on the columns of X as they are read.
    pub gamma: &'r [f64],
    /// Prior weights.
    pub weight: &'r Weight<'a>,
    /// Grouping factors.
    pub groupings: &'r [Grouping<'a, 'b>],
}

/// Sums of all rows, with e = y - X gamma in the place of y.
pub(crate) struct LevelSums {
    /// Z'WZ and Z'W[X, e] of every factor.
    pub factors: Vec<FactorSums>,
    /// X'We, p.
    pub xy: Vec<f64>,
    /// e'We.
    pub yy: f64,
}

impl LevelPass<'_, '_, '_> {
    /// Pieces of the pass: enough for threads, but never so many that their sums outweigh the rows.
    fn pieces(&self) -> usize {
        let m = self.x.columns.len() + 1;
        let places: usize = self.groupings.iter().map(|g| g.levels * g.q() * (g.q() + m)).sum();
        (self.n / 65_536).min(8 * self.n / places.max(1)).clamp(1, 8)
    }

    /// Sums all rows; the pieces are combined in order.
    pub fn run(&self, workers: &Workers, response: &(impl Fn(usize) -> f64 + Sync)) -> LevelSums {
        let pieces = self.pieces();
        let piece = |k| self.piece(k * self.n / pieces..(k + 1) * self.n / pieces, response);
        let total = workers.sum(pieces, piece, |total, part| {
            total.factors.iter_mut().zip(&part.factors).for_each(|(a, b)| a.add(b));
            add(&mut total.xy, &part.xy);
            total.yy += part.yy;
        });
        total.unwrap_or_else(|| self.empty())
    }

    fn empty(&self) -> LevelSums {
        let p = self.x.columns.len();
        let factors = self.groupings.iter().map(|g| FactorSums::zero(g.levels, g.q(), p + 1)).collect();
        LevelSums { factors, xy: vec![0.0; p], yy: 0.0 }
    }

    fn piece(&self, range: std::ops::Range<usize>, response: &(impl Fn(usize) -> f64 + Sync)) -> LevelSums {
        let (p, m) = (self.x.columns.len(), self.x.columns.len() + 1);
        let mut sums = self.empty();
        let widest = self.groupings.iter().map(Grouping::q).max().unwrap_or(1);
        let mut packed = vec![0.0; PACK * m];
        let mut z = vec![0.0; PACK * widest];
        for start in range.clone().step_by(PACK) {
            let rows = start..(start + PACK).min(range.end);
            for (c, column) in self.x.columns.iter().enumerate() {
                for (k, i) in rows.clone().enumerate() {
                    packed[k * m + c] = column.at(i);
                }
            }
            let (mut xy, mut yy) = (vec![0.0; p], 0.0);
            for (k, i) in rows.clone().enumerate() {
                let row = &mut packed[k * m..(k + 1) * m];
                let fitted: f64 = row[..p].iter().zip(self.gamma).map(|(a, b)| a * b).sum();
                let (y, w) = (response(i) - fitted, self.weight.at(i));
                row[p] = y;
                if !self.weight.is_unit() {
                    row.iter_mut().for_each(|v| *v *= w);
                }
                xy.iter_mut().zip(&*row).for_each(|(s, v)| *s += v * y);
                yy += row[p] * y;
            }
            sums.xy.iter_mut().zip(&xy).for_each(|(s, v)| *s += v);
            sums.yy += yy;
            for (grouping, out) in self.groupings.iter().zip(&mut sums.factors) {
                self.add_levels(grouping, out, rows.clone(), &packed, &mut z);
            }
        }
        sums
    }

    fn add_levels(
        &self,
        grouping: &Grouping<'_, '_>,
        out: &mut FactorSums,
        rows: std::ops::Range<usize>,
        packed: &[f64],
        z: &mut [f64],
    ) {
        let (q, m) = (grouping.q(), self.x.columns.len() + 1);
        if grouping.is_intercept() {
            for (k, i) in rows.enumerate() {
                let j = grouping.codes[i] as usize - 1;
                out.counts[j] += 1;
                out.diag[j] += self.weight.at(i);
                out.rhs[j * m..(j + 1) * m].iter_mut().zip(&packed[k * m..(k + 1) * m]).for_each(|(s, v)| *s += v);
            }
            return;
        }
        for (a, column) in grouping.columns.iter().enumerate() {
            for (k, i) in rows.clone().enumerate() {
                z[k * q + a] = column.at(i);
            }
        }
        for (k, i) in rows.enumerate() {
            let (j, w) = (grouping.codes[i] as usize - 1, self.weight.at(i));
            let z = &z[k * q..(k + 1) * q];
            out.counts[j] += 1;
            let diag = &mut out.diag[j * q * q..(j + 1) * q * q];
            let rhs = &mut out.rhs[j * q * m..(j + 1) * q * m];
            for (a, za) in z.iter().enumerate() {
                let f = w * za;
                diag[a * q..(a + 1) * q].iter_mut().zip(z).for_each(|(s, v)| *s += f * v);
                rhs[a * m..(a + 1) * m].iter_mut().zip(&packed[k * m..(k + 1) * m]).for_each(|(s, v)| *s += za * v);
            }
        }
    }
}

impl LevelSums {
    /// Turns the sums to orthonormal coordinates of X and the bases, and scales y.
    pub fn rotate(&mut self, x_rotate: &[f64], p: usize, groupings: &[Grouping<'_, '_>], y_factor: f64) {
        let m = p + 1;
        let turn = |row: &mut [f64]| {
            for c in (0..p).rev() {
                row[c] = (0..=c).map(|k| row[k] * x_rotate[k * p + c]).sum();
            }
        };
        turn(&mut self.xy);
        self.xy.iter_mut().for_each(|v| *v *= y_factor);
        self.yy *= y_factor * y_factor;
        for (f, g) in self.factors.iter_mut().zip(groupings) {
            let q = f.q;
            let mut work = vec![0.0; q * q];
            let mut out = vec![0.0; q * q];
            let mut rhs = vec![0.0; q * m];
            for row in f.rhs.chunks_exact_mut(m) {
                turn(row);
                row[p] *= y_factor;
            }
            if q == 1 && g.rotate[0] == 1.0 {
                continue;
            }
            for (diag, block) in f.diag.chunks_exact_mut(q * q).zip(f.rhs.chunks_exact_mut(q * m)) {
                small::congruence(&mut out, diag, &g.rotate, q, &mut work);
                diag.copy_from_slice(&out);
                rhs.fill(0.0);
                small::mul_transposed(&mut rhs, &g.rotate, block, q, q, m, 1.0);
                block.copy_from_slice(&rhs);
            }
        }
    }
}
