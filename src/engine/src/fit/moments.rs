//! Starting values from moments of the least-squares residuals.
//!
//! Minimum norm quadratic unbiased estimation at zero (Rao 1971): the sums of squares by level are linear in the
//! variances, and their coefficients are squares of cells that the cross-products hold already.

use crate::covariance::Layout;
use crate::crossprod::Crossprod;
use crate::numerics::small;

/// Range of a starting standard deviation beside sigma.
const RANGE: (f64, f64) = (0.05, 30.0);

/// Theta (working basis) whose diagonal comes from moments.
pub fn standard_deviations(a: &Crossprod, layout: &Layout) -> Vec<f64> {
    let diagonal = variances(a, layout).unwrap_or_default();
    let mut theta = vec![0.0; layout.len()];
    for (x, &(term, row, col)) in theta.iter_mut().zip(&layout.places) {
        if row == col {
            let (f, first, _) = layout.terms[term];
            *x = diagonal.get(f).and_then(|d| d.get(first + row)).copied().unwrap_or(1.0);
        }
    }
    theta
}

/// Theta with every diagonal element equal to `value`.
pub fn constant(layout: &Layout, value: f64) -> Vec<f64> {
    layout.places.iter().map(|&(_, row, col)| if row == col { value } else { 0.0 }).collect()
}

/// Ratio of standard deviations by factor and column; `None` if the equations are singular.
fn variances(a: &Crossprod, layout: &Layout) -> Option<Vec<Vec<f64>>> {
    let m = a.p + 1;
    let mut place = Vec::new();
    for (f, s) in a.factors.iter().enumerate() {
        place.extend((0..s.q).map(|c| (f, c)));
    }
    let k = place.len();
    let at = |f: usize, c: usize| place.iter().position(|x| *x == (f, c));
    let mut e = vec![0.0; (k + 1) * (k + 1)];
    let mut rhs = vec![0.0; k + 1];
    for (f, s) in a.factors.iter().enumerate() {
        for c in 0..s.q {
            let i = at(f, c)?;
            rhs[i] = (0..s.levels).map(|j| s.rhs[(j * s.q + c) * m + a.p].powi(2)).sum();
            let trace: f64 = (0..s.levels).map(|j| s.diag[(j * s.q + c) * s.q + c]).sum();
            e[i * (k + 1) + k] = trace;
            e[k * (k + 1) + i] = trace;
            for d in 0..s.q {
                e[i * (k + 1) + at(f, d)?] = (0..s.levels).map(|j| s.diag[(j * s.q + c) * s.q + d].powi(2)).sum();
            }
        }
    }
    for p in &a.pairs {
        let (qf, qg) = (a.factors[p.f].q, a.factors[p.g].q);
        for c in 0..qf {
            for d in 0..qg {
                let s: f64 = p.blocks.chunks_exact(qf * qg).map(|b| b[c * qg + d].powi(2)).sum();
                let (i, j) = (at(p.f, c)?, at(p.g, d)?);
                e[i * (k + 1) + j] = s;
                e[j * (k + 1) + i] = s;
            }
        }
    }
    e[k * (k + 1) + k] = (a.n - a.p) as f64;
    rhs[k] = a.gram[a.p * m + a.p];
    let total = rhs[k] / (a.n as f64);
    let x = small::solve_general(&e, &rhs, k + 1)?;
    let sigma2 = if x[k] > 1e-6 * total { x[k] } else { 0.05 * total };
    let mut out: Vec<Vec<f64>> = a.factors.iter().map(|s| vec![0.0; s.q]).collect();
    for (i, &(f, c)) in place.iter().enumerate() {
        out[f][c] = (x[i].max(0.0) / sigma2).sqrt().clamp(RANGE.0, RANGE.1);
    }
    debug_assert!(!layout.is_empty());
    Some(out)
}
