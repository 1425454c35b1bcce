//! Kenward and Roger's adjusted covariance with psi and phi among the variance parameters.
//!
//! With A = V^-1X and dA_j = -V^-1V_jA, Q_ij = A'V_iV^-1V_jA = -A'V_i dA_j: every piece is a form of V_i in vectors that are
//! known from the points of Satterthwaite's differences, over levels for Z G_i Z' and over rows for sigma^2 R_i. Nothing
//! larger than the rows is formed.
//!
//! The adjustment is that of first order, 2 Phi {sum W_ij (Q_ij - P_i Phi P_j)} Phi, as for plain fits, where V is linear in
//! its parameters. The term in second derivatives of V (Kenward and Roger 1997) is left out: it depends on how parameters are
//! chosen, is not zero where the analysis of variance is exact, and can make standard errors smaller. Without it the
//! adjustment is the same for all choices, and positive.
//!
//! Source: Kenward and Roger (1997), Biometrics 53, 983-997; Harville and Jeske (1992), JASA 87, 724-731.

use super::fixed::{corrected, sandwich_of, KenwardRoger};
use crate::covariance::products::{Middle, Strand};
use crate::covariance::theta::Blocks;
use crate::crossprod::row_reader::ROWS;
use crate::crossprod::weighted_sums::WeightedSums;
use crate::design::coordinates;
use crate::error::{Error, Result};
use crate::fit::problem::{Parameters, Problem};
use crate::likelihood::gradient::blocks_of;
use crate::likelihood::model::Model;
use crate::numerics::small;

/// Rows without correlation that are taken at once.
const CHUNK: usize = 64;

/// What is solved at one point, by columns of Z, rows of p + 1: U T with U = M^-1 Lambda'Z'R^-1X, and H = Z'V^-1X.
pub(super) struct Solution {
    fitted: Vec<f64>,
    residual: Vec<f64>,
}

impl Solution {
    /// Of the point that a model was evaluated at last.
    pub fn new(model: &Model, t: &Blocks) -> Solution {
        let (inverse, m) = (&model.inverse, model.a.p + 1);
        let mut fitted = vec![0.0; inverse.solution.len()];
        for (factor, q, first, levels) in blocks_of(&model.s) {
            let own = first * m..(first + levels * q) * m;
            let u = inverse.solution[own.clone()].chunks_exact(q * m);
            for (out, u) in fitted[own].chunks_exact_mut(q * m).zip(u) {
                small::mul(out, &t[factor], u, q, q, m, 1.0);
            }
        }
        Solution { fitted, residual: inverse.residual.clone() }
    }

    /// (self - other) / f.
    pub fn minus(mut self, other: &Solution, f: f64) -> Solution {
        let into = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(x, y)| *x = (*x - y) / f);
        into(&mut self.fitted, &other.fitted);
        into(&mut self.residual, &other.residual);
        self
    }
}

/// A fit: parameters, which of them are free (0 theta, 1 psi, 2 phi, with their place), sigma^2 (the last parameter), the
/// covariance matrix of their estimates, Phi; the solution, and its derivatives in the free parameters.
pub(super) struct Known<'a> {
    pub at: &'a Parameters,
    pub free: &'a [(usize, usize)],
    pub s: f64,
    pub w: &'a [f64],
    pub phi: &'a [f64],
    pub here: &'a Solution,
    pub slopes: &'a [Solution],
}

/// Forms in V_i / sigma^2 and A sigma^2.
struct Sums {
    p: usize,
    /// A'V_iA.
    first: Vec<Vec<f64>>,
    /// Sum over i and j of W_ij times -A'V_i dA_j.
    second: Vec<f64>,
}

impl Sums {
    /// Adds rows `a` of A (m columns, of which the first p count) with `turned` = (i, V_iA) and all dA_j.
    fn add(&mut self, known: &Known<'_>, m: usize, a: &[f64], turned: &[(usize, Vec<f64>)], da: &[&[f64]]) {
        let (p, n) = (self.p, known.free.len() + 1);
        let form = |out: &mut [f64], a: &[f64], b: &[f64], f: f64| {
            for (a, b) in a.chunks_exact(m).zip(b.chunks_exact(m)) {
                small::mul_transposed(out, &a[..p], &b[..p], p, 1, p, f);
            }
        };
        turned.iter().for_each(|(i, x)| form(&mut self.first[*i], a, x, 1.0));
        let mut sum = vec![0.0; a.len()];
        for (j, d) in da.iter().enumerate() {
            sum.fill(0.0);
            for (i, x) in turned {
                let w = known.w[i * n + j];
                sum.iter_mut().zip(x).for_each(|(s, x)| *s += w * x);
            }
            form(&mut self.second, &sum, d, -1.0);
        }
    }

    /// Adds sigma^2 and puts the pieces together, in working coordinates.
    fn finish(self, known: &Known<'_>) -> Option<KenwardRoger> {
        let (p, k, s, w) = (self.p, self.first.len(), known.s, known.w);
        let n = k + 1;
        let mut first: Vec<Vec<f64>> = self.first.iter().map(|x| x.iter().map(|v| -v / s).collect()).collect();
        first.push(small::invert_spd(known.phi, p)?.iter().map(|x| -x / s).collect());
        let mut inner: Vec<f64> =
            (0..p * p).map(|x| 0.5 * (self.second[x] + self.second[x % p * p + x / p]) / s).collect();
        for i in 0..n {
            // V_i V^-1 V_j = V_i / sigma^2 where j is sigma^2.
            let last = if i < k { 2.0 } else { 1.0 } * w[i * n + k] / s;
            (0..p * p).for_each(|x| inner[x] -= last * first[i][x]);
            for j in 0..n {
                let bridge = sandwich_of(&first[i], known.phi, &first[j], p);
                (0..p * p).for_each(|x| inner[x] -= w[i * n + j] * bridge[x]);
            }
        }
        Some(KenwardRoger { p: first, w: w.to_vec(), adjusted: corrected(known.phi, &inner, p) })
    }
}

impl Problem<'_> {
    /// Kenward and Roger's pieces in working coordinates, at the phi that is set.
    pub(super) fn adjusted(&self, known: &Known<'_>) -> Result<Option<KenwardRoger>> {
        let (p, k) = (self.model.a.p, known.free.len());
        let mut sums = Sums { p, first: vec![vec![0.0; p * p]; k], second: vec![0.0; p * p] };
        self.add_levels(known, &mut sums)?;
        if known.free.iter().any(|f| f.0 == 2) {
            self.add_rows(known, &mut sums);
        }
        Ok(sums.finish(known))
    }

    /// Z G_i Z', from the sums over the rows of a level.
    fn add_levels(&self, known: &Known<'_>, sums: &mut Sums) -> Result<()> {
        let (model, m) = (&self.model, self.model.a.p + 1);
        let t = self.blocks(known.at).ok_or(Error::NotPositiveDefinite)?;
        let mut turns: Vec<(usize, usize, Vec<f64>)> = Vec::new();
        for (k, place) in known.free.iter().enumerate().filter(|(_, place)| place.0 < 2) {
            let (term, slope) = self.slope_of(known.at, *place)?;
            let (factor, first, own) = model.layout.terms[term];
            let q = model.a.factors[factor].q;
            let mut wide = vec![0.0; q * q];
            slope.iter().enumerate().for_each(|(x, v)| wide[(first + x / own) * q + first + x % own] = *v);
            let mut half = vec![0.0; q * q];
            small::mul_by_transposed(&mut half, &wide, &t[factor], q, q, q, 1.0);
            turns.push((k, factor, (0..q * q).map(|x| half[x] + half[x % q * q + x / q]).collect()));
        }
        for (factor, q, first, levels) in blocks_of(&model.s) {
            let own: Vec<&(usize, usize, Vec<f64>)> = turns.iter().filter(|x| x.1 == factor).collect();
            for level in (0..levels).filter(|_| !own.is_empty()) {
                let range = (first + level * q) * m..(first + (level + 1) * q) * m;
                let a = &known.here.residual[range.clone()];
                let times = |g: &[f64]| {
                    let mut out = vec![0.0; q * m];
                    small::mul(&mut out, g, a, q, q, m, 1.0);
                    out
                };
                let turned: Vec<(usize, Vec<f64>)> = own.iter().map(|(k, _, g)| (*k, times(g))).collect();
                let da: Vec<&[f64]> = known.slopes.iter().map(|x| &x.residual[range.clone()]).collect();
                sums.add(known, m, a, &turned, &da);
            }
        }
        Ok(())
    }

    /// The term of a free theta or psi, and the derivative of its T.
    fn slope_of(&self, at: &Parameters, (which, i): (usize, usize)) -> Result<(usize, Vec<f64>)> {
        let layout = &self.model.layout;
        if which == 0 {
            let (term, row, col) = layout.places[i];
            let q = layout.terms[term].2;
            return Ok((term, (0..q * q).map(|x| f64::from(u8::from(x == row * q + col))).collect()));
        }
        let mut patterned = self.patterned().into_iter();
        let found = patterned.find(|(_, _, range)| range.contains(&i));
        let (term, shape, range) = found.ok_or_else(|| Error::Internal("a psi has no term".into()))?;
        let (_, slopes) = shape.factor(&at.psi[range.clone()]);
        let (c, q) = (&self.model.a.coordinates, shape.q);
        let mut out = vec![0.0; q * q];
        let map = coordinates::working_from_user(&c.terms[term]);
        small::mul(&mut out, &map, &slopes[i - range.start], q, q, q, c.weight_mean.sqrt());
        Ok((term, out))
    }

    /// sigma^2 R_i, in one pass over the rows.
    fn add_rows(&self, known: &Known<'_>, sums: &mut Sums) {
        let Some(from) = &self.rows else { return };
        if self.residual().serial().is_none() {
            let all: Vec<u32> = (0..self.model.a.n as u32).collect();
            all.chunks(CHUNK).for_each(|rows| self.add_strand(from, known, rows, sums));
        } else {
            self.residual().classes.series.each(|rows| self.add_strand(from, known, rows, sums));
        }
    }

    fn add_strand(&self, from: &WeightedSums<'_>, known: &Known<'_>, rows: &[u32], sums: &mut Sums) {
        let (residual, p) = (self.residual(), self.model.a.p);
        let strand = Strand::new(residual, rows, &known.at.phi);
        let (e, mut da) = self.errors(from, known, rows);
        let a = strand.solve(&e, p);
        let mut turned = Vec::new();
        for (k, &(_, i)) in known.free.iter().enumerate().filter(|(_, place)| place.0 == 2) {
            if i == residual.k {
                turned.push((k, strand.times(Middle::Slope, &a, p)));
                continue;
            }
            // d R = S R + R S with S = diag(s).
            let scaled = |x: &[f64]| {
                let rows = x.chunks_exact(p).zip(rows);
                rows.flat_map(|(x, r)| x.iter().map(move |v| v * residual.row_scales(*r as usize)[i])).collect()
            };
            let (mut x, behind): (Vec<f64>, Vec<f64>) = (scaled(&e), scaled(&a));
            let behind = strand.times(Middle::Correlation, &behind, p);
            x.iter_mut().zip(&behind).for_each(|(x, b)| *x += b);
            turned.push((k, x));
        }
        for (k, d) in da.iter_mut().enumerate() {
            if let Some((_, x)) = turned.iter().find(|x| x.0 == k) {
                d.iter_mut().zip(x).for_each(|(d, x)| *d -= x);
            }
            *d = strand.solve(d, p);
        }
        let da: Vec<&[f64]> = da.iter().map(Vec::as_slice).collect();
        sums.add(known, p, &a, &turned, &da);
    }

    /// R V^-1 X = X - Z T U of some rows, and -Z d(T U) for every free parameter.
    fn errors(&self, from: &WeightedSums<'_>, known: &Known<'_>, rows: &[u32]) -> (Vec<f64>, Vec<Vec<f64>>) {
        let (model, p) = (&self.model, self.model.a.p);
        let mut block = from.reader.block();
        let mut e = vec![0.0; rows.len() * p];
        let mut de = vec![vec![0.0; rows.len() * p]; known.slopes.len()];
        for (at, rows) in rows.chunks(ROWS).enumerate() {
            from.reader.read(rows.len(), &|k| rows[k] as usize, &mut block);
            for k in 0..rows.len() {
                let own = (at * ROWS + k) * p..(at * ROWS + k + 1) * p;
                e[own.clone()].copy_from_slice(&block.xy[k * (p + 1)..k * (p + 1) + p]);
                for (f, levels) in block.levels.iter().enumerate() {
                    let q = model.a.factors[f].q;
                    let first = model.s.first_row(f) + levels[k] as usize * q;
                    for (c, z) in block.z[f][k * q..(k + 1) * q].iter().enumerate() {
                        let from = (first + c) * (p + 1)..(first + c) * (p + 1) + p;
                        let take = |out: &mut [f64], b: &[f64]| out.iter_mut().zip(b).for_each(|(o, b)| *o -= z * b);
                        take(&mut e[own.clone()], &known.here.fitted[from.clone()]);
                        for (d, s) in de.iter_mut().zip(known.slopes) {
                            take(&mut d[own.clone()], &s.fitted[from.clone()]);
                        }
                    }
                }
            }
        }
        (e, de)
    }
}
