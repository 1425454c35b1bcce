//! The pass over the rows that sums by level: Z'WZ and Z'W[X, y] of every grouping factor at once.
//!
//! y is replaced by its least-squares residual on the fly; X is packed once for all factors. Whoever reads rows later reads
//! them in orthonormal coordinates (see [`super::row_reader`]); this pass sums them as they are scaled and turns the sums
//! afterwards, which is once a level and not once a row, and knows which factors have but an intercept.

use std::ops::Range;

use crate::crossprod::crossprod::{add, FactorSums};
use crate::design::{Basis, Grouping, Weight};
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
pub(crate) struct SumsByLevel {
    /// Z'WZ and Z'W[X, e] of every factor.
    pub factors: Vec<FactorSums>,
    /// X'We, p.
    pub xy: Vec<f64>,
    /// e'We.
    pub yy: f64,
}

/// Sums of some levels of a factor.
struct LevelRange<'s> {
    factor: usize,
    /// The first of them, from 0.
    first: usize,
    diag: &'s mut [f64],
    rhs: &'s mut [f64],
    counts: &'s mut [u32],
}

impl LevelPass<'_, '_, '_> {
    /// Sums all rows, in pieces of rows that are added in order; or, where the sums are more than an eighth of X and y, in
    /// pieces of levels: then every thread reads all rows, as a second set of sums costs more memory and time than that, and a
    /// level has the sum of its rows in their order, whatever the number of threads.
    pub fn run(&self, workers: &Workers, response: &(impl Fn(usize) -> f64 + Sync)) -> SumsByLevel {
        let m = self.x.columns.len() + 1;
        let places: usize = self.groupings.iter().map(|g| g.levels * g.q() * (g.q() + m)).sum();
        if 8 * places > self.n * m {
            return self.by_levels(workers, response);
        }
        let pieces = (self.n / 65_536).clamp(1, 8);
        let piece = |k: usize| {
            let mut sums = self.empty();
            let all: Vec<_> = sums.factors.iter_mut().enumerate().flat_map(|(f, s)| ranges(f, s, m, 1)).collect();
            (sums.xy, sums.yy) = self.add(k * self.n / pieces..(k + 1) * self.n / pieces, response, all);
            sums
        };
        let total = workers.sum(pieces, piece, |total, part| {
            total.factors.iter_mut().zip(&part.factors).for_each(|(a, b)| a.add(b));
            add(&mut total.xy, &part.xy);
            total.yy += part.yy;
        });
        total.unwrap_or_else(|| self.empty())
    }

    fn by_levels(&self, workers: &Workers, response: &(impl Fn(usize) -> f64 + Sync)) -> SumsByLevel {
        let m = self.x.columns.len() + 1;
        let mut sums = self.empty();
        let mut parts: Vec<Vec<LevelRange<'_>>> = (0..workers.count()).map(|_| Vec::new()).collect();
        for (f, own) in sums.factors.iter_mut().enumerate() {
            parts.iter_mut().zip(ranges(f, own, m, workers.count())).for_each(|(part, range)| part.push(range));
        }
        let mut found = workers.map_each(parts, |part| self.add(0..self.n, response, part)).into_iter();
        if let Some((xy, yy)) = found.next() {
            (sums.xy, sums.yy) = (xy, yy);
        }
        sums
    }

    fn empty(&self) -> SumsByLevel {
        let p = self.x.columns.len();
        let factors = self.groupings.iter().map(|g| FactorSums::zero(g.levels, g.q(), p + 1)).collect();
        SumsByLevel { factors, xy: vec![0.0; p], yy: 0.0 }
    }

    /// Adds rows to their levels as far as these are among `levels`; returns X'We and e'We of all of them.
    fn add(
        &self,
        range: Range<usize>,
        response: &(impl Fn(usize) -> f64 + Sync),
        mut levels: Vec<LevelRange<'_>>,
    ) -> (Vec<f64>, f64) {
        let (p, m) = (self.x.columns.len(), self.x.columns.len() + 1);
        let mut sums = (vec![0.0; p], 0.0);
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
            add(&mut sums.0, &xy);
            sums.1 += yy;
            levels.iter_mut().for_each(|own| self.add_levels(own, rows.clone(), &packed, &mut z));
        }
        sums
    }

    fn add_levels(&self, out: &mut LevelRange<'_>, rows: Range<usize>, packed: &[f64], z: &mut [f64]) {
        let grouping = &self.groupings[out.factor];
        let (q, m) = (grouping.q(), self.x.columns.len() + 1);
        let place = |i: usize| (grouping.codes[i] as usize - 1).wrapping_sub(out.first);
        if grouping.is_intercept() {
            for (k, i) in rows.enumerate() {
                let j = place(i);
                if j < out.counts.len() {
                    out.counts[j] += 1;
                    out.diag[j] += self.weight.at(i);
                    add(&mut out.rhs[j * m..(j + 1) * m], &packed[k * m..(k + 1) * m]);
                }
            }
            return;
        }
        for (a, column) in grouping.columns.iter().enumerate() {
            for (k, i) in rows.clone().enumerate() {
                z[k * q + a] = column.at(i);
            }
        }
        for (k, i) in rows.enumerate() {
            let (j, w) = (place(i), self.weight.at(i));
            if j >= out.counts.len() {
                continue;
            }
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

/// Cuts the levels of a factor into at most `pieces` ranges.
fn ranges(factor: usize, sums: &mut FactorSums, m: usize, pieces: usize) -> impl Iterator<Item = LevelRange<'_>> {
    let (q, each) = (sums.q, sums.levels.div_ceil(pieces).max(1));
    let blocks = sums.diag.chunks_mut(each * q * q).zip(sums.rhs.chunks_mut(each * q * m));
    let all = blocks.zip(sums.counts.chunks_mut(each)).enumerate();
    all.map(move |(k, ((diag, rhs), counts))| LevelRange { factor, first: k * each, diag, rhs, counts })
}

impl SumsByLevel {
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
