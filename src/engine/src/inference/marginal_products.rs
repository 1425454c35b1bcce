//! K = Z'V^-1Z within one connected component of the levels: cross-products in the metric of the marginal covariance V.
//!
//! With B = Lambda'Z'WZ and M = B Lambda + I, K = Z'WZ - B'M^-1B for V / sigma^2, exact for any T. Where every T is far from
//! singular, K = T^-T (I - M^-1) T^-1 costs half of that, and M^-1 is made by a Schur complement.

use super::connected_components::{cross, Component, Locator};
use super::schur_complement;
use crate::covariance::Blocks;
use crate::error::{Error, Result};
use crate::likelihood::Model;
use crate::numerics::{dense, small};

/// Largest element of T^-1 for which I - M^-1 keeps enough digits.
const LOOSE: f64 = 100.0;

/// Columns up to which the plain loops are faster than a dense factorisation.
const SMALL: usize = 24;

/// K of one component for V scaled by sigma^2 (so that K is that of V / sigma^2), by rows, size x size.
///
/// # Errors
/// [`Error::NotPositiveDefinite`] at a theta where M is not positive definite.
pub fn marginal_products(model: &Model, c: &Component, at: &Locator, t: &Blocks) -> Result<Vec<f64>> {
    let (a, n) = (&model.a, c.size);
    let z = cross(model, c, at);
    if let Some(inverse) = inverses(model, c, t).filter(|_| n > SMALL) {
        return model.workers.run(|| from_inverse(model, c, z, t, &inverse));
    }
    // B = Lambda'Z'WZ, M = B Lambda + I, both by rows.
    let mut b = vec![0.0; n * n];
    for &(f, _, here) in &c.members {
        let q = a.factors[f].q;
        let rows = here * n..(here + q) * n;
        small::mul_transposed(&mut b[rows.clone()], &t[f], &z[rows], q, q, n, 1.0);
    }
    let mut m = vec![0.0; n * n];
    for &(f, _, here) in &c.members {
        let q = a.factors[f].q;
        for i in 0..n {
            for s in 0..q {
                m[i * n + here + s] = (0..q).map(|r| b[i * n + here + r] * t[f][r * q + s]).sum();
            }
        }
    }
    (0..n).for_each(|i| m[i * n + i] += 1.0);
    model.watch.advance(c.members.len());
    if n <= SMALL {
        if !small::cholesky(&mut m, n) {
            return Err(Error::NotPositiveDefinite);
        }
        small::solve_lower(&m, n, &mut b, n);
        let mut k = z;
        small::mul_transposed(&mut k, &b.clone(), &b, n, n, n, -1.0);
        return Ok(k);
    }
    model.workers.run(|| from_product(model, z, b, m, n))
}

/// Inverse of every T that the component uses, if all are far enough from singular for [`from_inverse`].
fn inverses(model: &Model, c: &Component, t: &Blocks) -> Option<Vec<Vec<f64>>> {
    let mut out = vec![Vec::new(); t.len()];
    for &(f, _, _) in &c.members {
        if out[f].is_empty() {
            let q = model.a.factors[f].q;
            let inverse = small::solve_identity(&t[f], q)?;
            if inverse.iter().any(|x| x.abs() > LOOSE) {
                return None;
            }
            out[f] = inverse;
        }
    }
    Some(out)
}

/// K = T^-T (I - M^-1) T^-1: one inverse, half the work of a product; loses (1 / theta)^2 digits to cancellation.
fn from_inverse(model: &Model, c: &Component, z: Vec<f64>, t: &Blocks, inverse: &[Vec<f64>]) -> Result<Vec<f64>> {
    let n = c.size;
    let mut m = z;
    congruence(model, c, &mut m, t);
    (0..n).for_each(|i| m[i * n + i] += 1.0);
    let mut k = schur_complement::invert(model, c, &m)?;
    k.iter_mut().for_each(|x| *x = -*x);
    (0..n).for_each(|i| k[i * n + i] += 1.0);
    congruence(model, c, &mut k, inverse);
    Ok(k)
}

/// `k <- blocks' k blocks`, with the block of its factor for every level.
fn congruence(model: &Model, c: &Component, k: &mut [f64], blocks: &[Vec<f64>]) {
    let n = c.size;
    let widest = model.a.factors.iter().map(|f| f.q).max().unwrap_or(1);
    let mut turned = vec![0.0; widest * n];
    let mut own = vec![0.0; widest];
    for &(f, _, here) in &c.members {
        let q = model.a.factors[f].q;
        let rows = here * n..(here + q) * n;
        turned[..q * n].fill(0.0);
        small::mul_transposed(&mut turned[..q * n], &blocks[f], &k[rows.clone()], q, q, n, 1.0);
        for row in turned[..q * n].chunks_exact_mut(n) {
            for &(g, _, there) in &c.members {
                let width = model.a.factors[g].q;
                if width == 1 {
                    row[there] *= blocks[g][0];
                    continue;
                }
                own[..width].copy_from_slice(&row[there..there + width]);
                for s in 0..width {
                    row[there + s] = (0..width).map(|r| own[r] * blocks[g][r * width + s]).sum();
                }
            }
        }
        k[rows].copy_from_slice(&turned[..q * n]);
    }
}

/// K = Z'WZ - B'M^-1B: exact for any T.
fn from_product(model: &Model, z: Vec<f64>, mut b: Vec<f64>, m: Vec<f64>, n: usize) -> Result<Vec<f64>> {
    let threads = model.workers.count();
    let mut factor = dense::Dense::new(n, threads);
    factor.values = m;
    factor.factor()?;
    factor.forward(&mut b, n);
    let mut k = z;
    dense::add_gram(&mut k, &b, n, n, -1.0, dense::parallel(threads, n));
    dense::mirror(&mut k, n);
    Ok(k)
}
