//! From rows to [`Crossprod`]: two passes, in threads, without a copy of the data.
//!
//! The first pass finds centres, scales and the Gram matrix of X; the second sums by level, with y replaced on the
//! fly by its least-squares residual. Pieces are cut by the number of rows, so results do not depend on threads.

use crate::block::small;
use crate::cells;
use crate::column::{power_of_two, Basis, Kind, Prepared, Range, Source};
use crate::crossprod::{BasisMap, Coordinates, Crossprod, FactorSums, TermMap};
use crate::design::{Column, Design};
use crate::error::{Error, Result};
use crate::order;
use crate::rows::{self, Weight};
use crate::workers::Workers;

/// Rows packed at once.
const PACK: usize = 256;

/// A grouping factor with all its columns.
pub(crate) struct Grouping<'a, 'b> {
    pub codes: &'a [i32],
    pub levels: usize,
    pub columns: Vec<&'b Prepared<'a>>,
    /// Block diagonal R^-1, q x q upper triangular by rows.
    pub rotate: Vec<f64>,
}

impl Grouping<'_, '_> {
    pub fn q(&self) -> usize {
        self.columns.len()
    }

    fn is_intercept(&self) -> bool {
        self.q() == 1
            && matches!(self.columns[0].source, Source::Borrowed(Column::Constant))
            && self.columns[0].factor == 1.0
            && self.columns[0].shift == 0.0
    }
}

impl Crossprod {
    /// Sums the rows of `design`.
    ///
    /// # Errors
    /// Every check that needs the values: [`Error::NonFinite`], [`Error::NotPositiveWeight`], [`Error::ConstantResponse`],
    /// [`Error::PerfectFit`] by the fixed part, [`Error::NoResidualDf`], [`Error::RankRandom`], [`Error::Dimension`].
    pub fn from_design(design: &Design<'_>, threads: usize) -> Result<Crossprod> {
        design.validate()?;
        let n = design.n();
        let workers = Workers::new(if n >= 65_536 { threads } else { 1 })?;
        let weight = Weight::new(design, &workers)?;
        let y_range = response_range(design, &workers)?;
        let x = Basis::new(design, &design.x, &weight, &workers, Kind { name: "fixed", term: 0 })?;
        let p = x.kept.len();
        if p >= n {
            return Err(Error::NoResidualDf { n, rank: p });
        }
        if y_range.max <= y_range.min {
            return Err(Error::ConstantResponse);
        }
        let mut bases = Vec::with_capacity(design.terms.len());
        for (t, term) in design.terms.iter().enumerate() {
            let basis = Basis::new(design, &term.basis, &weight, &workers, Kind { name: "random", term: t + 1 })?;
            if let Some(c) = (0..term.basis.len()).find(|c| !basis.kept.contains(c)) {
                return Err(Error::RankRandom { term: t + 1, column: c + 1 });
            }
            bases.push(basis);
        }
        let groupings = groupings(design, &bases);
        let widths: Vec<usize> = groupings.iter().map(Grouping::q).collect();
        let order = order::choose(&design.factors, &widths);

        let y_shift = if x.ones.is_some() { y_range.mean } else { 0.0 };
        let y_factor = 1.0 / y_range.scale(y_shift);
        let response = |i: usize| (design.response(i) - y_shift) * y_factor;
        let (xx, coefficients) = least_squares(&x, n, &weight, &workers, &response);
        let mut gamma = vec![0.0; p];
        small::mul(&mut gamma, &x.rotate, &coefficients, p, p, 1, 1.0);
        let pass = LevelPass { n, x: &x, gamma: &gamma, weight: &weight, groupings: &groupings };
        let mut sums = pass.run(&workers, &response);

        let mean_square = sums.yy / n as f64;
        let noise = 8.0 * f64::EPSILON * y_factor * y_range.min.abs().max(y_range.max.abs());
        if mean_square.sqrt() <= noise {
            return Err(Error::PerfectFit { reason: "fixed" });
        }
        let rescale = power_of_two(mean_square.sqrt());
        let mut pairs = cells::pairs(&groupings, &order, &weight, &workers);
        sums.rotate(&x.rotate, p, &groupings, 1.0 / rescale);
        for pair in &mut pairs {
            cells::rotate(pair, &groupings[pair.f], &groupings[pair.g]);
        }

        let mut gram = vec![0.0; (p + 1) * (p + 1)];
        for i in 0..p {
            gram[i * (p + 1)..i * (p + 1) + p].copy_from_slice(&xx[i * p..(i + 1) * p]);
            gram[i * (p + 1) + p] = sums.xy[i];
            gram[p * (p + 1) + i] = sums.xy[i];
        }
        gram[p * (p + 1) + p] = sums.yy;
        let mut next = vec![0; groupings.len()];
        let terms = bases
            .iter()
            .zip(&design.terms)
            .map(|(basis, term)| {
                let first = next[term.factor];
                next[term.factor] += basis.kept.len();
                TermMap { factor: term.factor, first, basis: map(basis) }
            })
            .collect();
        let coordinates = Coordinates {
            columns: design.x.len(),
            x: map(&x),
            gamma: subtracted(&coefficients, &x, y_factor, y_shift),
            y_scale: rescale / y_factor,
            weight_mean: weight.mean,
            weight_log_sum: weight.log_sum,
            terms,
        };
        Ok(Crossprod { n, p, gram, factors: sums.factors, pairs, order, coordinates })
    }
}

/// Coefficients on the scaled columns of the part of y that was subtracted: the fit to the centred y, and the centre.
fn subtracted(coefficients: &[f64], x: &Basis<'_>, y_factor: f64, y_shift: f64) -> Vec<f64> {
    let p = coefficients.len();
    let mut out = vec![0.0; p];
    small::mul(&mut out, &small::invert_upper(&x.r, p), coefficients, p, p, 1, 1.0 / y_factor);
    if let Some(ones) = &x.ones {
        out.iter_mut().zip(ones).for_each(|(o, c)| *o += y_shift * c);
    }
    out
}

fn response_range(design: &Design<'_>, workers: &Workers) -> Result<Range> {
    let n = design.n();
    if n == 0 {
        return Err(Error::NoResidualDf { n: 0, rank: 0 });
    }
    Range::of(n, workers, |i| design.response(i)).ok_or_else(|| {
        let bad = |v: &[f64]| v.iter().position(|x| !x.is_finite());
        match (bad(design.y), design.offset.and_then(bad)) {
            (Some(row), _) => Error::NonFinite { kind: "response", term: 0, column: 1, row: row + 1 },
            (None, Some(row)) => Error::NonFinite { kind: "offset", term: 0, column: 1, row: row + 1 },
            (None, None) => Error::NonFinite { kind: "response", term: 0, column: 1, row: 1 },
        }
    })
}

fn map(basis: &Basis<'_>) -> BasisMap {
    BasisMap {
        kept: basis.kept.clone(),
        shift: basis.shift.clone(),
        scale: basis.scale.clone(),
        constant: basis.constant,
        r: basis.r.clone(),
    }
}

fn groupings<'a, 'b>(design: &Design<'a>, bases: &'b [Basis<'a>]) -> Vec<Grouping<'a, 'b>> {
    let mut all: Vec<Grouping<'a, 'b>> = design
        .factors
        .iter()
        .map(|f| Grouping { codes: f.codes, levels: f.levels, columns: Vec::new(), rotate: Vec::new() })
        .collect();
    for (term, basis) in design.terms.iter().zip(bases) {
        all[term.factor].columns.extend(basis.columns.iter());
    }
    for (f, g) in all.iter_mut().enumerate() {
        let q = g.q();
        g.rotate = vec![0.0; q * q];
        let mut at = 0;
        for (_, basis) in design.terms.iter().zip(bases).filter(|(t, _)| t.factor == f) {
            let m = basis.kept.len();
            for i in 0..m {
                for j in i..m {
                    g.rotate[(at + i) * q + at + j] = basis.rotate[i * m + j];
                }
            }
            at += m;
        }
    }
    all
}

/// X'WX and the least-squares coefficients, both on the orthonormal columns.
fn least_squares(
    x: &Basis<'_>,
    n: usize,
    weight: &Weight<'_>,
    workers: &Workers,
    response: &(impl Fn(usize) -> f64 + Sync),
) -> (Vec<f64>, Vec<f64>) {
    let p = x.kept.len();
    let g = rows::gram(n, workers, p + 1, weight, |i, out| {
        for (o, c) in out.iter_mut().zip(&x.columns) {
            *o = c.at(i);
        }
        out[p] = response(i);
    });
    let mut inner = vec![0.0; p * p];
    for i in 0..p {
        inner[i * p..(i + 1) * p].copy_from_slice(&g[i * (p + 1)..i * (p + 1) + p]);
    }
    let mut half = vec![0.0; p * p];
    small::mul(&mut half, &inner, &x.rotate, p, p, p, 1.0);
    let mut xx = vec![0.0; p * p];
    small::mul_transposed(&mut xx, &x.rotate, &half, p, p, p, 1.0);
    let xy: Vec<f64> = (0..p).map(|i| g[i * (p + 1) + p]).collect();
    let mut qy = vec![0.0; p];
    small::mul_transposed(&mut qy, &x.rotate, &xy, p, p, 1, 1.0);
    let mut l = xx.clone();
    if small::cholesky(&mut l, p) {
        small::solve_lower(&l, p, &mut qy, 1);
        small::solve_lower_transposed(&l, p, &mut qy, 1);
    }
    (xx, qy)
}

/// The pass that sums by level.
struct LevelPass<'r, 'a, 'b> {
    n: usize,
    x: &'r Basis<'a>,
    gamma: &'r [f64],
    weight: &'r Weight<'a>,
    groupings: &'r [Grouping<'a, 'b>],
}

struct Sums {
    factors: Vec<FactorSums>,
    xy: Vec<f64>,
    yy: f64,
}

impl LevelPass<'_, '_, '_> {
    /// Pieces of the pass: enough for threads, but never so many that their sums outweigh the rows.
    fn pieces(&self) -> usize {
        let m = self.x.kept.len() + 1;
        let places: usize = self.groupings.iter().map(|g| g.levels * g.q() * (g.q() + m)).sum();
        (self.n / 65_536).min(8 * self.n / places.max(1)).clamp(1, 8)
    }

    fn run(&self, workers: &Workers, response: &(impl Fn(usize) -> f64 + Sync)) -> Sums {
        let pieces = self.pieces();
        let mut parts =
            workers.map(pieces, |k| self.piece(k * self.n / pieces..(k + 1) * self.n / pieces, response)).into_iter();
        let mut total = parts.next().unwrap_or_else(|| self.empty());
        for part in parts {
            let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(x, y)| *x += y);
            for (a, b) in total.factors.iter_mut().zip(&part.factors) {
                add(&mut a.diag, &b.diag);
                add(&mut a.rhs, &b.rhs);
                a.counts.iter_mut().zip(&b.counts).for_each(|(x, y)| *x += y);
            }
            add(&mut total.xy, &part.xy);
            total.yy += part.yy;
        }
        total
    }

    fn empty(&self) -> Sums {
        let p = self.x.kept.len();
        let factors = self
            .groupings
            .iter()
            .map(|g| FactorSums {
                levels: g.levels,
                q: g.q(),
                diag: vec![0.0; g.levels * g.q() * g.q()],
                rhs: vec![0.0; g.levels * g.q() * (p + 1)],
                counts: vec![0; g.levels],
            })
            .collect();
        Sums { factors, xy: vec![0.0; p], yy: 0.0 }
    }

    fn piece(&self, range: std::ops::Range<usize>, response: &(impl Fn(usize) -> f64 + Sync)) -> Sums {
        let (p, m) = (self.x.kept.len(), self.x.kept.len() + 1);
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
        let (q, m) = (grouping.q(), self.x.kept.len() + 1);
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

impl Sums {
    /// Turns the sums to orthonormal coordinates of X and the bases, and scales y.
    fn rotate(&mut self, x_rotate: &[f64], p: usize, groupings: &[Grouping<'_, '_>], y_factor: f64) {
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
