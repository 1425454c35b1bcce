//! The derivative of the criterion in R^-1: what a change of the cross-products does at a solved point.
//!
//! For R^-1 that changes by A: tr(M^-1 Lambda'Z'AZ Lambda) + [REML] tr(C^-1 (X - Z Lambda U)'A(X - Z Lambda U)) + e'Ae / sigma^2
//! with e = y - X beta - Zb, all from the cross-products of A and the selected inverse.

use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::evaluation::{Here, Solved};
use crate::likelihood::gradient::spread;
use crate::likelihood::products::add_fitted;
use crate::numerics::small::{self, block};

/// The derivative along `change`, the cross-products of A, which have the cells of the model.
pub(crate) fn derivative(here: Here<'_>, change: &Crossprod) -> Result<f64> {
    let Here { s, w, inverse, t, at: Solved { pls, sigma2, reml }, .. } = here;
    let (p, m) = (change.p, change.p + 1);
    let dot = |(x, t): (&Vec<f64>, &Vec<f64>)| x.iter().zip(t).map(|(a, b)| a * b).sum::<f64>();
    let spread: f64 = spread(inverse, s, change, w, t)?.iter().zip(t).map(dot).sum();
    let inner = quadratic(here, change);
    let contrast = |i: usize| if i == p { 1.0 } else { -pls.beta[i] };
    let square: f64 = (0..m * m).map(|k| contrast(k / m) * inner[k] * contrast(k % m)).sum();
    let mut sum = spread + square / sigma2;
    if reml {
        let mut xx: Vec<f64> = (0..p * p).map(|k| inner[k / p * m + k % p]).collect();
        small::solve_lower(&pls.rx, p, &mut xx, p);
        small::transpose_in_place(&mut xx, p);
        small::solve_lower(&pls.rx, p, &mut xx, p);
        sum += (0..p).map(|i| xx[i * p + i]).sum::<f64>();
    }
    Ok(sum)
}

/// [X - Z Lambda U, y - Z Lambda u0]' A [the same] with u0 = u + U beta, m x m by rows.
fn quadratic(here: Here<'_>, change: &Crossprod) -> Vec<f64> {
    let m = change.p + 1;
    let mut inner = change.gram.clone();
    let mut v: Vec<Vec<f64>> = Vec::with_capacity(change.factors.len());
    for (f, sums) in change.factors.iter().enumerate() {
        let (q, from) = (sums.q, here.s.first_row(f) * m);
        let mut own = vec![0.0; sums.levels * q * m];
        for (o, u) in own.chunks_exact_mut(q * m).zip(here.inverse.solution[from..].chunks_exact(q * m)) {
            small::mul(o, &here.t[f], u, q, q, m, 1.0);
        }
        add_fitted(&mut own, change.p, &here.at.pls.beta);
        v.push(own);
    }
    // gram - V'rhs - rhs'V + V'SV: with half = rhs - S V / 2, minus V'half and its transpose.
    let mut half = Vec::new();
    for (sums, v) in change.factors.iter().zip(&v) {
        let q = sums.q;
        for j in 0..sums.levels {
            let own = block(v, j, q * m);
            half.clear();
            half.extend_from_slice(block(&sums.rhs, j, q * m));
            small::mul(&mut half, block(&sums.diag, j, q * q), own, q, q, m, -0.5);
            subtract_both(&mut inner, own, &half, q, m);
        }
    }
    for pair in &change.pairs {
        let (qf, qg) = (change.factors[pair.f].q, change.factors[pair.g].q);
        half.resize(qf * m, 0.0);
        for j in 0..pair.starts.len() - 1 {
            for cell in pair.starts[j]..pair.starts[j + 1] {
                let other = block(&v[pair.g], pair.cols[cell] as usize, qg * m);
                half.fill(0.0);
                small::mul(&mut half, block(&pair.blocks, cell, qf * qg), other, qf, qg, m, -1.0);
                subtract_both(&mut inner, block(&v[pair.f], j, qf * m), &half, qf, m);
            }
        }
    }
    inner
}

/// `out -= a'b + b'a` for a, b (q x m by rows).
fn subtract_both(out: &mut [f64], a: &[f64], b: &[f64], q: usize, m: usize) {
    if q == 1 {
        for (out, (x, y)) in out.chunks_exact_mut(m).zip(a.iter().zip(b)) {
            out.iter_mut().zip(a.iter().zip(b)).for_each(|(o, (a, b))| *o -= x * b + y * a);
        }
        return;
    }
    small::mul_transposed(out, a, b, m, q, m, -1.0);
    small::mul_transposed(out, b, a, m, q, m, -1.0);
}
