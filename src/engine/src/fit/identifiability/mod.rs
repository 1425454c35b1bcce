//! Models whose variances the data cannot tell apart are refused before they are fitted.
//!
//! Var(y) is linear in sigma^2 and the elements of the covariance matrices, and restricted likelihood sees M Var(y) M, M the
//! projection off X. So the parameters are identified if and only if the matrix F of [`mivque`] has full rank,
//! whatever y and the parameters are: a vector of its null space is a direction along which the likelihood is constant.
//! ML gets the same verdict: along such a direction it sees the fixed effects alone, and never the data.
//!
//! A rank in floating point is a guess where weights or columns have many sizes. So a direction that F calls flat is
//! followed: log|M'VM| is strictly concave along every direction but the flat ones.
//! Not here: patterns and residuals that are not alike (see [`probes`]).

mod mivque;
mod probes;

use self::mivque::Mivque;
use super::problem::Problem;
use crate::design::{user_from_working, working_from_user};
use crate::error::{Element, Error, Result};
use crate::likelihood::Model;
use crate::numerics::null_space;
use crate::numerics::small;
use crate::options::Criterion;

/// sigma^2 beside the variance of the response that is zero to working precision.
pub(crate) const PERFECT: f64 = 1e-13;
/// The same where the search did not end: sigma^2 is on its way to zero.
pub(crate) const VANISHING: f64 = 1e-6;
/// Element of the square of a column that may be left outside of X without a variance of its own.
const WITHIN_X: f64 = 1e-10;
/// What the others may leave of a parameter's diagonal element of F before it is worth a closer look.
const SUSPECT: f64 = 1e-9;
/// Rounding of an element of F beside the sums it is a difference of.
const ROUNDING: f64 = 1e-13;
/// Largest second difference of log|M'VM| along a flat direction, and its share of the log-determinants.
const FLAT: (f64, f64) = (1e-8, 1e-13);
/// Elements of a direction below this share of the largest are none.
const SHARE: f64 = 1e-6;

/// Refuses a problem with parameters that cannot be told apart.
///
/// # Errors
/// [`Error::Unidentified`] with the first direction that is found, [`Error::ResidualScale`] for one of phi.
pub(crate) fn check(problem: &mut Problem<'_>, kind: Criterion) -> Result<()> {
    match problem.is_plain() {
        true => check_variances(&mut problem.model),
        false => probes::check(problem, kind),
    }
}

/// Refuses a model with variances that cannot be told apart.
///
/// # Errors
/// [`Error::Unidentified`] with the first direction that is found.
pub(crate) fn check_variances(model: &mut Model) -> Result<()> {
    check_count(model)?;
    let u = mivque::within_x(&model.a)?;
    check_against_fixed(model, &u)?;
    let Mivque { mut f, size } = Mivque::new(&model.a, &model.layout, &u);
    let k = size.len();
    let diagonal: Vec<f64> = (0..k).map(|i| f[i * k + i].max(ROUNDING * size[i])).collect();
    let scale: Vec<f64> = diagonal.iter().map(|x| 1.0 / x.sqrt().max(f64::MIN_POSITIVE)).collect();
    (0..k * k).for_each(|x| f[x] *= scale[x / k] * scale[x % k]);
    let limits: Vec<f64> = (0..k).map(|i| SUSPECT + ROUNDING * size[i] / diagonal[i]).collect();
    for mut direction in null_space::null_vectors(f, &limits) {
        direction.iter_mut().zip(&scale).for_each(|(x, s)| *x *= s);
        if is_flat(model, &direction) {
            return Err(unidentified(model, &direction));
        }
    }
    Ok(())
}

/// More parameters than the rows have products: those of a term within its levels, and all of them.
fn check_count(model: &Model) -> Result<()> {
    let (a, layout) = (&model.a, &model.layout);
    let triangle = |q: usize| q * (q + 1) / 2;
    for (k, &(f, _, q)) in layout.terms.iter().enumerate() {
        let seen = |count: &u32| triangle(q.min(*count as usize));
        // As many levels as parameters have one product each.
        if triangle(q) > a.factors[f].levels && triangle(q) > a.factors[f].counts.iter().map(seen).sum() {
            let parts = layout.places.iter().filter(|p| p.0 == k).map(|&(_, row, col)| Element::new(k, row, col));
            return Err(Error::Unidentified {
                term: k + 1,
                column: 1,
                reason: "few",
                other: 0,
                parts: parts.collect(),
            });
        }
    }
    Ok(())
}

/// Refuses a random column that lies in the span of X.
fn check_against_fixed(model: &Model, u: &[Vec<f64>]) -> Result<()> {
    let (a, p) = (&model.a, model.a.p);
    for (k, &(f, first, q)) in model.layout.terms.iter().enumerate() {
        let s = &a.factors[f];
        for c in first..first + q {
            let total: f64 = (0..s.levels).map(|j| s.diag[(j * s.q + c) * s.q + c]).sum();
            let own = |j: usize| u[f][(j * s.q + c) * p..][..p].iter().map(|x| x * x).sum::<f64>();
            let inside: f64 = (0..s.levels).map(own).sum();
            if total - inside <= WITHIN_X * total {
                let parts = vec![Element::new(k, c - first, c - first)];
                let (term, column) = (k + 1, c - first + 1);
                return Err(Error::Unidentified { term, column, reason: "fixed", other: 0, parts });
            }
        }
    }
    Ok(())
}

/// True if log|M'VM| is straight along a direction, at variances of several sizes.
fn is_flat(model: &mut Model, direction: &[f64]) -> bool {
    let mut sizes: Vec<f64> = Vec::new();
    for s in &model.a.factors {
        let trace = |j: usize| (0..s.q).map(|c| s.diag[(j * s.q + c) * s.q + c]).sum::<f64>() / s.q as f64;
        sizes.extend((0..s.levels).map(|j| trace(j) / f64::from(s.counts[j].max(1))).filter(|x| *x > 0.0));
    }
    sizes.sort_by(f64::total_cmp);
    let at = |share: f64| sizes.get((share * (sizes.len() - 1) as f64) as usize).copied().unwrap_or(1.0);
    // Larger variances than these drown the rest in rounding.
    let most = 1e5 / at(1.0).max(f64::MIN_POSITIVE);
    let mut scales = vec![1.0, 1.0 / at(0.5), 1.0 / at(0.1)];
    scales.iter_mut().for_each(|g| *g = g.min(most));
    scales.dedup();
    scales.into_iter().all(|g| bend(model, direction, g).is_none_or(|(bend, rounding)| bend.abs() <= rounding))
}

/// Second difference of log|M'VM| along a direction from sigma^2 = 1 and covariance matrices g I, and what is rounding
/// of it; `None` where a matrix cannot be factored.
fn bend(model: &mut Model, direction: &[f64], g: f64) -> Option<(f64, f64)> {
    let widest = model.layout.terms.iter().map(|t| t.2).max()? as f64;
    let largest = direction[1..].iter().fold(0.0_f64, |m, x| m.max(x.abs())) * widest / g;
    let length = 0.4 / largest.max(direction[0].abs());
    let nu = model.nu(Criterion::Reml);
    let mut at = |step: f64| -> Option<(f64, f64)> {
        let layout = &model.layout;
        let sigma2 = 1.0 + step * length * direction[0];
        let (mut moved, mut t) = (layout.zeros(), layout.zeros());
        let scaled: Vec<f64> = direction[1..].iter().map(|x| step * length * x / sigma2).collect();
        layout.fill(&scaled, &mut moved);
        for (k, &(_, _, q)) in layout.terms.iter().enumerate() {
            let mut block = layout.term_block(&moved, k);
            (0..q).for_each(|i| block[i * q + i] += g / sigma2);
            if !small::cholesky(&mut block, q) {
                return None;
            }
            layout.set_term_block(&mut t, k, &block);
        }
        let pls = model.value(&t, Criterion::Reml).ok()?.pls;
        let size = pls.log_det_m.abs() + pls.log_det_c.abs() + nu;
        Some((pls.log_det_m + pls.log_det_c + nu * sigma2.ln(), size))
    };
    let (here, up, down) = (at(0.0)?, at(1.0)?, at(-1.0)?);
    Some((up.0 + down.0 - 2.0 * here.0, FLAT.0 + FLAT.1 * here.1))
}

/// The direction in the user's columns: the elements that it moves, each in units of its columns.
fn unidentified(model: &Model, direction: &[f64]) -> Error {
    let layout = &model.layout;
    let mut blocks = layout.zeros();
    layout.fill(&direction[1..], &mut blocks);
    let mut sizes = vec![(direction[0].abs(), Element::SIGMA)];
    for (k, term) in model.a.coordinates.terms.iter().enumerate() {
        let q = term.q();
        let mut block = layout.term_block(&blocks, k);
        (0..q).for_each(|i| (0..i).for_each(|j| block[j * q + i] = block[i * q + j]));
        let (back, forth) = (user_from_working(term), working_from_user(term));
        let user = congruence(&back, &block, q);
        let unit = |c: usize| (0..q).map(|i| forth[i * q + c].powi(2)).sum::<f64>().sqrt();
        for col in 0..q {
            for row in col..q {
                sizes.push((user[row * q + col].abs() * unit(row) * unit(col), Element::new(k, row, col)));
            }
        }
    }
    let largest = sizes.iter().map(|s| s.0).fold(0.0, f64::max);
    sizes.retain(|s| s.0 > SHARE * largest);
    let random: Vec<Element> = sizes.iter().map(|s| s.1).filter(|p| *p != Element::SIGMA).collect();
    let first = random.first().copied().unwrap_or(Element::SIGMA);
    let other = random.iter().find(|p| p.term != first.term).map_or(0, |p| p.term);
    let parts = sizes.iter().map(|s| s.1).collect();
    Error::Unidentified { term: first.term, column: first.row, reason: "flat", other, parts }
}

/// `b x b'`, all q x q by rows.
fn congruence(b: &[f64], x: &[f64], q: usize) -> Vec<f64> {
    let (mut half, mut out) = (vec![0.0; q * q], vec![0.0; q * q]);
    small::mul(&mut half, b, x, q, q, q, 1.0);
    small::mul_by_transposed(&mut out, &half, b, q, q, q, 1.0);
    out
}
