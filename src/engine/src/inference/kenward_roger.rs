//! Kenward and Roger's adjusted covariance of the coefficients, with P_i, W and Q_ij, by REML.
//!
//! Two ways that differ in W, and so in their figures: by the expected information, from K = Z'V^-1Z, where every term is
//! unstructured and R is known (what lme4's users know); by the observed information, from the points of Satterthwaite's
//! differences, where psi or phi are among the parameters, for which no expected information is formed.
//!
//! The second way: with A = V^-1X and dA_j = -V^-1V_jA, Q_ij = A'V_iV^-1V_jA = -A'V_i dA_j, so every piece is a form of V_i in
//! vectors that are known, over levels for Z G_i Z' and over rows for sigma^2 R_i. Nothing larger than the rows is formed.
//! The adjustment is that of first order, 2 Phi {sum W_ij (Q_ij - P_i Phi P_j)} Phi with Phi = Var(beta), as in the first way,
//! where V is linear in its parameters. The term in second derivatives of V (Kenward and Roger 1997) is left out: it depends
//! on how parameters are chosen, is not zero where the analysis of variance is exact, and can make standard errors smaller.
//! Without it the adjustment is the same for all choices, and positive.
//!
//! Source: Kenward and Roger (1997), Biometrics 53, 983-997; Harville and Jeske (1992), JASA 87, 724-731.

use super::forms::{product, sandwich, Outward};
use super::information::Information;
use super::satterthwaite::{Differences, SolvedColumns};
use crate::covariance::{CorrelationPart, ResidualBlock};
use crate::crossprod::{WeightedSums, ROWS};
use crate::design::working_from_user;
use crate::error::{Error, Result};
use crate::fit::{Free, Problem};
use crate::numerics::small;

/// Rows without correlation that are taken at once.
const CHUNK: usize = 64;

/// Kenward and Roger (1997): P_i, W and the adjusted covariance.
#[derive(Clone, Debug)]
pub struct KenwardRoger {
    /// P_i = d(X'V^-1X) / d parameter i, p x p by rows each.
    pub p: Vec<Vec<f64>>,
    /// Asymptotic covariance of the parameters, m x m by rows.
    pub w: Vec<f64>,
    /// Adjusted covariance of the coefficients, p x p by rows.
    pub adjusted: Vec<f64>,
}

impl KenwardRoger {
    /// The same for the user's coefficients.
    pub(super) fn outward(self, by: &Outward) -> Result<KenwardRoger> {
        let p = by.p;
        let mut inverse = small::solve_identity(&by.jacobian, p).ok_or(Error::NotPositiveDefinite)?;
        small::transpose_in_place(&mut inverse, p);
        let inward = |x: &Vec<f64>| sandwich(&inverse, x, p, 1.0 / by.scale);
        Ok(KenwardRoger { p: self.p.iter().map(inward).collect(), w: self.w, adjusted: by.covariance(&self.adjusted) })
    }
}

/// By the expected information, in working coordinates; `None` where it is singular.
pub(super) fn expected(info: &Information, p: usize) -> Option<KenwardRoger> {
    let m = info.m;
    let w: Vec<f64> = small::solve_identity(&info.trace_reml, m)?.iter().map(|x| 2.0 * x).collect();
    let mut inner = vec![0.0; p * p];
    for i in 0..m {
        for j in 0..m {
            let bridge = product(&product(&info.p[i], &info.vcov_beta, p), &info.p[j], p);
            let weight = w[i * m + j];
            (0..p * p).for_each(|x| inner[x] += weight * (info.q[i * m + j][x] - bridge[x]));
        }
    }
    Some(KenwardRoger { p: info.p.clone(), w, adjusted: corrected(&info.vcov_beta, &inner, p) })
}

/// `phi + 2 phi inner phi` with phi = Var(beta), made symmetric.
fn corrected(vcov_beta: &[f64], inner: &[f64], p: usize) -> Vec<f64> {
    let mut adjusted = vcov_beta.to_vec();
    let correction = sandwich(vcov_beta, inner, p, 2.0);
    adjusted.iter_mut().zip(&correction).for_each(|(a, c)| *a += c);
    small::symmetrise(&mut adjusted, p);
    adjusted
}

/// By the observed information, in working coordinates, at the phi that is set; `None` where Var(beta) is singular or the
/// columns that were solved are not known.
pub(super) fn observed(problem: &Problem<'_>, known: &Differences) -> Result<Option<KenwardRoger>> {
    let Some((here, slopes)) = &known.columns else { return Ok(None) };
    let Free { theta, psi, phi } = &known.free;
    let (p, k) = (problem.model.a.p, theta.len() + psi.len() + phi.len());
    let mut forms =
        Forms { p, w: &known.satterthwaite.covariance, first: vec![vec![0.0; p * p]; k], second: vec![0.0; p * p] };
    add_levels(problem, known, (here, slopes), &mut forms)?;
    if !phi.is_empty() {
        add_rows(problem, known, (here, slopes), &mut forms);
    }
    Ok(forms.finish(&known.vcov_beta, known.sigma2))
}

/// Forms in V_i / sigma^2 and A sigma^2.
struct Forms<'a> {
    p: usize,
    /// Covariance matrix of the estimates of the parameters, sigma^2 last.
    w: &'a [f64],
    /// A'V_iA.
    first: Vec<Vec<f64>>,
    /// Sum over i and j of W_ij times -A'V_i dA_j.
    second: Vec<f64>,
}

impl Forms<'_> {
    /// Adds rows `a` of A (m columns, of which the first p count) with `turned` = (i, V_iA) and all dA_j.
    fn add(&mut self, m: usize, a: &[f64], turned: &[(usize, Vec<f64>)], da: &[&[f64]]) {
        let (p, n) = (self.p, self.first.len() + 1);
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
                let w = self.w[i * n + j];
                sum.iter_mut().zip(x).for_each(|(s, x)| *s += w * x);
            }
            form(&mut self.second, &sum, d, -1.0);
        }
    }

    /// Adds sigma^2 and puts the pieces together, in working coordinates.
    fn finish(self, vcov_beta: &[f64], s: f64) -> Option<KenwardRoger> {
        let (p, k, w) = (self.p, self.first.len(), self.w);
        let n = k + 1;
        let mut first: Vec<Vec<f64>> = self.first.iter().map(|x| x.iter().map(|v| -v / s).collect()).collect();
        first.push(small::invert_spd(vcov_beta, p)?.iter().map(|x| -x / s).collect());
        let mut inner: Vec<f64> =
            (0..p * p).map(|x| 0.5 * (self.second[x] + self.second[x % p * p + x / p]) / s).collect();
        for i in 0..n {
            // V_i V^-1 V_j = V_i / sigma^2 where j is sigma^2.
            let last = if i < k { 2.0 } else { 1.0 } * w[i * n + k] / s;
            (0..p * p).for_each(|x| inner[x] -= last * first[i][x]);
            for j in 0..n {
                let bridge = product(&product(&first[i], vcov_beta, p), &first[j], p);
                (0..p * p).for_each(|x| inner[x] -= w[i * n + j] * bridge[x]);
            }
        }
        Some(KenwardRoger { p: first, w: w.to_vec(), adjusted: corrected(vcov_beta, &inner, p) })
    }
}

/// Z G_i Z', from the sums over the rows of a level.
fn add_levels(
    problem: &Problem<'_>,
    known: &Differences,
    (here, slopes): (&SolvedColumns, &[SolvedColumns]),
    forms: &mut Forms<'_>,
) -> Result<()> {
    let (model, m) = (&problem.model, problem.model.a.p + 1);
    let t = problem.blocks(&known.at).ok_or(Error::NotPositiveDefinite)?;
    let mut turns: Vec<(usize, usize, Vec<f64>)> = Vec::new();
    for (k, (term, slope)) in slopes_of_factors(problem, known).into_iter().enumerate() {
        let (factor, first, own) = model.layout.terms[term];
        let q = model.a.factors[factor].q;
        let mut wide = vec![0.0; q * q];
        slope.iter().enumerate().for_each(|(x, v)| wide[(first + x / own) * q + first + x % own] = *v);
        let mut half = vec![0.0; q * q];
        small::mul_by_transposed(&mut half, &wide, &t[factor], q, q, q, 1.0);
        turns.push((k, factor, (0..q * q).map(|x| half[x] + half[x % q * q + x / q]).collect()));
    }
    for (factor, q, first, levels) in model.s.blocks() {
        let own: Vec<&(usize, usize, Vec<f64>)> = turns.iter().filter(|x| x.1 == factor).collect();
        for level in (0..levels).filter(|_| !own.is_empty()) {
            let range = (first + level * q) * m..(first + (level + 1) * q) * m;
            let a = &here.residual[range.clone()];
            let times = |g: &[f64]| {
                let mut out = vec![0.0; q * m];
                small::mul(&mut out, g, a, q, q, m, 1.0);
                out
            };
            let turned: Vec<(usize, Vec<f64>)> = own.iter().map(|(k, _, g)| (*k, times(g))).collect();
            let da: Vec<&[f64]> = slopes.iter().map(|x| &x.residual[range.clone()]).collect();
            forms.add(m, a, &turned, &da);
        }
    }
    Ok(())
}

/// For every free theta and psi its term and the derivative of that term's T.
fn slopes_of_factors(problem: &Problem<'_>, known: &Differences) -> Vec<(usize, Vec<f64>)> {
    let (layout, c) = (&problem.model.layout, &problem.model.a.coordinates);
    let of_theta = |&i: &usize| {
        let (term, row, col) = layout.places[i];
        let q = layout.terms[term].2;
        (term, (0..q * q).map(|x| f64::from(u8::from(x == row * q + col))).collect())
    };
    let mut out: Vec<(usize, Vec<f64>)> = known.free.theta.iter().map(of_theta).collect();
    for (term, pattern, range) in problem.patterned() {
        let (q, map) = (pattern.q, working_from_user(&c.terms[term]));
        let (_, slopes) = pattern.factor(&known.at.psi[range.clone()]);
        for i in known.free.psi.iter().filter(|i| range.contains(i)) {
            let mut t = vec![0.0; q * q];
            small::mul(&mut t, &map, &slopes[i - range.start], q, q, q, c.weight_mean.sqrt());
            out.push((term, t));
        }
    }
    out
}

/// sigma^2 R_i, in one pass over the rows.
fn add_rows(
    problem: &Problem<'_>,
    known: &Differences,
    solved: (&SolvedColumns, &[SolvedColumns]),
    forms: &mut Forms<'_>,
) {
    let Some(from) = &problem.rows else { return };
    let mut add = |rows: &[u32]| add_correlated(problem, from, known, solved, rows, forms);
    if problem.residual().serial().is_none() {
        let all: Vec<u32> = (0..problem.model.a.n as u32).collect();
        all.chunks(CHUNK).for_each(add);
    } else {
        problem.residual().classes.series.each(&mut add);
    }
}

/// Adds rows that are independent of all others.
fn add_correlated(
    problem: &Problem<'_>,
    from: &WeightedSums<'_>,
    known: &Differences,
    solved: (&SolvedColumns, &[SolvedColumns]),
    rows: &[u32],
    forms: &mut Forms<'_>,
) {
    let (residual, p) = (problem.residual(), problem.model.a.p);
    let block = ResidualBlock::new(residual, rows, &known.at.phi);
    let (e, mut da) = errors(problem, from, solved, rows);
    let a = block.solve(&e, p);
    let mut turned = Vec::new();
    let first = known.free.theta.len() + known.free.psi.len();
    for (k, &i) in (first..).zip(&known.free.phi) {
        if i == residual.k {
            turned.push((k, block.times(CorrelationPart::Slope, &a, p)));
            continue;
        }
        // d R = S R + R S with S = diag(s).
        let scaled = |x: &[f64]| {
            let rows = x.chunks_exact(p).zip(rows);
            rows.flat_map(|(x, r)| x.iter().map(move |v| v * residual.row_scales(*r as usize)[i])).collect()
        };
        let (mut x, behind): (Vec<f64>, Vec<f64>) = (scaled(&e), scaled(&a));
        let behind = block.times(CorrelationPart::Correlation, &behind, p);
        x.iter_mut().zip(&behind).for_each(|(x, b)| *x += b);
        turned.push((k, x));
    }
    for (k, d) in da.iter_mut().enumerate() {
        if let Some((_, x)) = turned.iter().find(|x| x.0 == k) {
            d.iter_mut().zip(x).for_each(|(d, x)| *d -= x);
        }
        *d = block.solve(d, p);
    }
    let da: Vec<&[f64]> = da.iter().map(Vec::as_slice).collect();
    forms.add(p, &a, &turned, &da);
}

/// R V^-1 X = X - Z T U of some rows, and -Z d(T U) for every free parameter.
fn errors(
    problem: &Problem<'_>,
    from: &WeightedSums<'_>,
    (here, slopes): (&SolvedColumns, &[SolvedColumns]),
    rows: &[u32],
) -> (Vec<f64>, Vec<Vec<f64>>) {
    let (model, p) = (&problem.model, problem.model.a.p);
    let mut block = from.reader.block();
    let mut e = vec![0.0; rows.len() * p];
    let mut de = vec![vec![0.0; rows.len() * p]; slopes.len()];
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
                    take(&mut e[own.clone()], &here.fitted[from.clone()]);
                    for (d, s) in de.iter_mut().zip(slopes) {
                        take(&mut d[own.clone()], &s.fitted[from.clone()]);
                    }
                }
            }
        }
    }
    (e, de)
}
