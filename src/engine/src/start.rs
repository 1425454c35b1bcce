//! Starting values from moments of the least-squares residuals, and the expected curvature there.
//!
//! Minimum norm quadratic unbiased estimation at zero (Rao 1971): the sums of squares by level are linear in the
//! variances, and their coefficients are squares of cells that the cross-products hold already.

use crate::block::small;
use crate::crossprod::Crossprod;
use crate::gradient::Gamma;
use crate::theta::Layout;

/// Range of a starting standard deviation beside sigma.
const RANGE: (f64, f64) = (0.05, 30.0);

/// Theta (working basis) whose diagonal comes from moments.
pub fn moments(a: &Crossprod, layout: &Layout) -> Vec<f64> {
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
    let x = small::solve_general(e, rhs, k + 1)?;
    let sigma2 = if x[k] > 1e-6 * total { x[k] } else { 0.05 * total };
    let mut out: Vec<Vec<f64>> = a.factors.iter().map(|s| vec![0.0; s.q]).collect();
    for (i, &(f, c)) in place.iter().enumerate() {
        out[f][c] = (x[i].max(0.0) / sigma2).sqrt().clamp(RANGE.0, RANGE.1);
    }
    debug_assert!(!layout.is_empty());
    Some(out)
}

/// Inverse of the expected Hessian in the free elements of theta, with levels taken as alike (m x m by rows).
pub fn curvature(a: &Crossprod, layout: &Layout, theta: &[f64], free: &[usize], gamma: &Gamma) -> Vec<f64> {
    let n = free.len();
    let mut h = vec![0.0; n * n];
    for (term, &(f, _, q)) in layout.terms.iter().enumerate() {
        let mut blocks = layout.zeros();
        layout.fill(theta, &mut blocks);
        let t = layout.term_block(&blocks, term);
        let levels = a.factors[f].levels as f64;
        // Y = K T by level on average, K = Y T^-1.
        let y: Vec<f64> = layout.term_block(&gamma.spread, term).iter().map(|x| x / levels).collect();
        let Some(t_inverse) = small::invert_lower(&t, q) else { continue };
        let mut k = vec![0.0; q * q];
        small::mul(&mut k, &y, &t_inverse, q, q, q, 1.0);
        let mut ty = vec![0.0; q * q];
        small::mul_transposed(&mut ty, &t, &y, q, q, q, 1.0);
        for (i, &fi) in free.iter().enumerate() {
            for (j, &fj) in free.iter().enumerate() {
                let ((ti, r, c), (tj, s, d)) = (layout.places[fi], layout.places[fj]);
                if ti == term && tj == term {
                    h[i * n + j] = 2.0 * levels * (y[s * q + c] * y[r * q + d] + ty[c * q + d] * k[s * q + r]);
                }
            }
        }
    }
    let largest = (0..n).map(|i| h[i * n + i]).fold(1.0, f64::max);
    for i in 0..n {
        for j in 0..i {
            let x = 0.5 * (h[i * n + j] + h[j * n + i]);
            h[i * n + j] = x;
            h[j * n + i] = x;
        }
        h[i * n + i] += 1e-3 * largest;
    }
    small::invert_spd(&h, n).unwrap_or_else(|| {
        let mut eye = vec![0.0; n * n];
        (0..n).for_each(|i| eye[i * n + i] = 1.0 / largest);
        eye
    })
}
