//! Satterthwaite's method: derivatives of Var(beta) in the free variance parameters, and the covariance of their estimates.
//!
//! Parameters: the free elements of T (a singular T keeps its rank), of psi and of phi, and sigma^2, not profiled. A correlation
//! that multiplies nothing, or that is at its limit, counts as known. Two ways to the same figures: exact, from K = Z'V^-1Z,
//! where every term is unstructured, R is known and K fits in memory; and by central differences of the exact gradient, for
//! every problem, which costs 2 (m + 1) evaluations for m parameters.
//!
//! Source: Fai and Cornelius (1996), J. Stat. Comput. Simul. 54, 363-378.

use super::forms::{sandwich, vcov_beta, Outward};
use super::information::Information;
use crate::covariance::Blocks;
use crate::error::{Error, Result};
use crate::fit::{Free, Parameters, Problem};
use crate::likelihood::Here;
use crate::likelihood::Model;
use crate::numerics::small;
use crate::options::Criterion;

/// Derivatives of Var(beta) in the free variance parameters and the covariance of their estimates.
#[derive(Clone, Debug)]
pub struct Satterthwaite {
    /// d Var(beta) / d parameter k, p x p by rows each.
    pub jacobian: Vec<Vec<f64>>,
    /// 2 H^-1, K x K by rows.
    pub covariance: Vec<f64>,
}

impl Satterthwaite {
    /// The same for the user's coefficients.
    pub(super) fn outward(self, by: &Outward) -> Satterthwaite {
        Satterthwaite { jacobian: self.jacobian.iter().map(|x| by.covariance(x)).collect(), ..self }
    }
}

/// What is solved for X at one point, by columns of Z, rows of p + 1: U T with U = M^-1 Lambda'Z'R^-1X, and Z'V^-1X.
pub(super) struct SolvedColumns {
    pub fitted: Vec<f64>,
    pub residual: Vec<f64>,
}

impl SolvedColumns {
    /// Of the point whose gradient was found last.
    fn new(here: Here<'_>) -> SolvedColumns {
        let Here { s, a, inverse, t, .. } = here;
        let m = a.p + 1;
        let mut fitted = vec![0.0; inverse.solution.len()];
        for (factor, q, first, levels) in s.blocks() {
            let own = first * m..(first + levels * q) * m;
            let u = inverse.solution[own.clone()].chunks_exact(q * m);
            for (out, u) in fitted[own].chunks_exact_mut(q * m).zip(u) {
                small::mul(out, &t[factor], u, q, q, m, 1.0);
            }
        }
        SolvedColumns { fitted, residual: inverse.residual.clone() }
    }

    /// (self - other) / f.
    fn minus(mut self, other: &SolvedColumns, f: f64) -> SolvedColumns {
        let into = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(x, y)| *x = (*x - y) / f);
        into(&mut self.fitted, &other.fitted);
        into(&mut self.residual, &other.residual);
        self
    }
}

/// What the differences give, in working coordinates.
pub(super) struct Differences {
    pub at: Parameters,
    pub free: Free,
    /// sigma^2, the last parameter.
    pub sigma2: f64,
    pub vcov_beta: Vec<f64>,
    pub satterthwaite: Satterthwaite,
    /// The columns that were solved, and their derivatives in the free parameters, if they were asked for.
    pub columns: Option<(SolvedColumns, Vec<SolvedColumns>)>,
}

/// One evaluation: gradient in the free parameters and sigma^2, Var(beta), and what was solved.
struct Side {
    gradient: Vec<f64>,
    vcov_beta: Vec<f64>,
    columns: Option<SolvedColumns>,
}

/// The pieces at a fit (theta in the user's basis), in working coordinates; with `columns` what Kenward and Roger's need.
pub(super) fn by_differences(
    problem: &mut Problem<'_>,
    theta: &[f64],
    phi: &[f64],
    kind: Criterion,
    columns: bool,
) -> Result<Differences> {
    problem.set(phi);
    let mut at = problem.parameters(theta, phi)?;
    let free = free_parameters(problem, &mut at);
    let blocks = problem.blocks(&at).ok_or(Error::NotPositiveDefinite)?;
    let s = problem.model.value(&blocks, kind)?.pls.pwrss / problem.model.nu(kind);
    let x = free.pick(&at);
    let n = x.len() + 1;
    let here = evaluate(problem, (&at, &free), s, kind, columns)?;
    let (mut hessian, mut jacobian, mut slopes) = (vec![0.0; n * n], Vec::with_capacity(n), Vec::new());
    problem.model.watch.announce(n);
    for k in 0..n {
        problem.model.watch.advance(1);
        let step = x.get(k).map_or(1e-4 * s, |v| 1e-4 * (v.abs() + 0.1));
        let mut side = |sign: f64| {
            let mut moved = [&x[..], &[s]].concat();
            moved[k] += sign * step;
            let mut there = at.clone();
            free.put(&moved[..n - 1], &mut there);
            evaluate(problem, (&there, &free), moved[n - 1], kind, columns && k + 1 < n)
        };
        let (up, down) = (side(1.0)?, side(-1.0)?);
        let difference =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| (a - b) / (2.0 * step)).collect() };
        let column = difference(&up.gradient, &down.gradient);
        (0..n).for_each(|i| hessian[i * n + k] = column[i]);
        jacobian.push(difference(&up.vcov_beta, &down.vcov_beta));
        slopes.extend(up.columns.zip(down.columns).map(|(up, down)| up.minus(&down, 2.0 * step)));
    }
    problem.set(phi);
    small::symmetrise(&mut hessian, n);
    let covariance = small::solve_identity(&hessian, n).ok_or(Error::NotPositiveDefinite)?;
    let covariance = covariance.iter().map(|x| 2.0 * x).collect();
    Ok(Differences {
        at,
        free,
        sigma2: s,
        vcov_beta: here.vcov_beta,
        satterthwaite: Satterthwaite { jacobian, covariance },
        columns: here.columns.map(|here| (here, slopes)),
    })
}

/// The free parameters; puts the zero columns of every T last.
fn free_parameters(problem: &Problem<'_>, at: &mut Parameters) -> Free {
    let layout = &problem.model.layout;
    let mut blocks = layout.zeros();
    layout.fill(&at.theta, &mut blocks);
    let mut ranks = vec![0; layout.terms.len()];
    for (term, &(_, _, q)) in layout.terms.iter().enumerate().filter(|(k, _)| problem.patterns[*k].is_none()) {
        let l = compressed(&layout.term_block(&blocks, term), q);
        ranks[term] = rank(&l, q);
        layout.set_term_block(&mut blocks, term, &l);
    }
    at.theta = layout.theta(&blocks);
    let mut psi = Vec::new();
    for (_, shape, range) in problem.patterned() {
        let own = &at.psi[range.clone()];
        let known = |i: usize| shape.is_idle(own, i) || own[i] == 0.0;
        psi.extend((0..own.len()).filter(|&i| !known(i)).map(|i| range.start + i));
    }
    let phi = (0..at.phi.len()).filter(|&i| !problem.residual().is_idle(&at.phi, i)).collect();
    Free { theta: problem.free_theta(Some(&ranks)), psi, phi }
}

fn evaluate(
    problem: &mut Problem<'_>,
    (at, free): (&Parameters, &Free),
    s: f64,
    kind: Criterion,
    columns: bool,
) -> Result<Side> {
    problem.set(&at.phi);
    let t = problem.blocks(at).ok_or(Error::NotPositiveDefinite)?;
    let (value, gamma) = problem.model.value_and_gamma_at(&t, kind, Some(s))?;
    let mut gradient = problem.gradient(at, free, &gamma)?;
    gradient.push(problem.model.nu(kind) / s - value.pls.pwrss / (s * s));
    let columns = if columns { Some(SolvedColumns::new(problem.model.here()?)) } else { None };
    Ok(Side { gradient, vcov_beta: vcov_beta(&value.pls, problem.model.a.p, s)?, columns })
}

/// The pieces from all exact derivatives, along the free elements of sigma T and sigma^2, in working coordinates.
pub(super) fn exact(model: &Model, info: &Information, t: &Blocks) -> Result<Satterthwaite> {
    let (m, k, p) = (info.m, info.m - 1, model.a.p);
    let sigma = info.values[k].sqrt();
    let places = &model.layout.places;
    let mut directions: Vec<Vec<f64>> = Vec::new();
    let mut owners: Vec<(usize, usize, usize)> = Vec::new();
    for (term, &(_, _, q)) in model.layout.terms.iter().enumerate() {
        let mut l = compressed(&model.layout.term_block(t, term), q);
        l.iter_mut().for_each(|x| *x *= sigma);
        for (col, row) in (0..rank(&l, q)).flat_map(|col| (col..q).map(move |row| (col, row))) {
            // dG = e_row l_col' + l_col e_row'.
            let mut d = vec![0.0; m];
            for (i, &(_, r, c)) in places.iter().enumerate().filter(|x| x.1 .0 == term) {
                d[i] = if r == row { l[c * q + col] } else { 0.0 } + if c == row { l[r * q + col] } else { 0.0 };
            }
            directions.push(d);
            owners.push((term, row, col));
        }
    }
    directions.push((0..m).map(|i| f64::from(u8::from(i == k))).collect());
    let n = directions.len();
    let mut hessian = vec![0.0; n * n];
    for (y, dy) in directions.iter().enumerate() {
        let mut turned = vec![0.0; m];
        small::mul(&mut turned, &info.hessian, dy, m, m, 1, 1.0);
        for (x, dx) in directions.iter().enumerate() {
            hessian[x * n + y] = dx.iter().zip(&turned).map(|(a, b)| a * b).sum();
        }
    }
    // Curvature of G in the elements of one column: d2 G = e_r e_s' + e_s e_r'.
    for (x, a) in owners.iter().enumerate() {
        for (y, b) in owners.iter().enumerate().filter(|(_, b)| b.0 == a.0 && b.2 == a.2) {
            let (r, s) = (a.1.max(b.1), a.1.min(b.1));
            if let Some(i) = places.iter().position(|place| *place == (a.0, r, s)) {
                hessian[x * n + y] += info.score[i] * if r == s { 2.0 } else { 1.0 };
            }
        }
    }
    let covariance = small::solve_identity(&hessian, n).ok_or(Error::NotPositiveDefinite)?;
    let along = |d: &Vec<f64>| {
        let mut sum = vec![0.0; p * p];
        for (i, f) in d.iter().enumerate().filter(|(_, f)| **f != 0.0) {
            sum.iter_mut().zip(&info.p[i]).for_each(|(s, x)| *s += f * x);
        }
        sandwich(&info.vcov_beta, &sum, p, -1.0)
    };
    let jacobian = directions.iter().map(along).collect();
    Ok(Satterthwaite { jacobian, covariance: covariance.iter().map(|x| 2.0 * x).collect() })
}

/// Lower triangular factor of t t' with its zero columns last.
fn compressed(t: &[f64], q: usize) -> Vec<f64> {
    let mut l = small::lower_from_product(t, q).0;
    let largest = l.iter().fold(0.0_f64, |a, x| a.max(x.abs()));
    let mut next = 0;
    for col in 0..q {
        if (0..q).any(|r| l[r * q + col].abs() > 1e-10 * largest) {
            (0..q).for_each(|r| l.swap(r * q + next, r * q + col));
            next += 1;
        } else {
            (0..q).for_each(|r| l[r * q + col] = 0.0);
        }
    }
    l
}

/// Columns before the zero ones.
fn rank(l: &[f64], q: usize) -> usize {
    (0..q).filter(|&col| (0..q).any(|r| l[r * q + col] != 0.0)).count()
}
