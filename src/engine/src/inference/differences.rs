//! Satterthwaite's pieces from differences of the exact gradient, for models whose K is too large to form.
//!
//! Parameters: the free elements of T (working basis, zero columns left out) and sigma^2, not profiled. The Hessian is
//! the central difference of the gradient, Phi = sigma^2 C^-1 is differenced itself: 2 (m + 1) evaluations in all.

use super::directions::{compressed, rank, Satterthwaite};
use crate::covariance::theta::Blocks;
use crate::error::{Error, Result};
use crate::likelihood::model::Model;
use crate::numerics::small;
use crate::options::Criterion;

/// One evaluation: gradient in the free parameters and Phi.
type Point = (Vec<f64>, Vec<f64>);

/// Phi and the pieces, in working coordinates.
pub(super) fn satterthwaite(model: &mut Model, t: &Blocks, kind: Criterion) -> Result<(Vec<f64>, Satterthwaite)> {
    let mut base = model.layout.zeros();
    let mut free = Vec::new();
    for (term, &(_, _, q)) in model.layout.terms.clone().iter().enumerate() {
        let l = compressed(&model.layout.term_block(t, term), q);
        let r = rank(&l, q);
        model.layout.set_term_block(&mut base, term, &l);
        let places = &model.layout.places;
        free.extend((0..places.len()).filter(|&i| places[i].0 == term && places[i].2 < r));
    }
    let theta = model.layout.theta(&base);
    let value = model.value(&base, kind)?;
    let s = value.pls.pwrss / model.nu(kind);
    let n = free.len() + 1;
    let (_, phi) = point(model, &theta, &free, s, kind)?;
    let mut hessian = vec![0.0; n * n];
    let mut jacobian = Vec::with_capacity(n);
    for k in 0..n {
        let at = if k + 1 < n { theta[free[k]] } else { s };
        let step = if k + 1 < n { 1e-4 * (at.abs() + 0.1) } else { 1e-4 * at };
        let mut side = |sign: f64| -> Result<Point> {
            let mut moved = theta.clone();
            let mut sigma2 = s;
            if k + 1 < n {
                moved[free[k]] += sign * step;
            } else {
                sigma2 += sign * step;
            }
            point(model, &moved, &free, sigma2, kind)
        };
        let (up, down) = (side(1.0)?, side(-1.0)?);
        (0..n).for_each(|i| hessian[i * n + k] = (up.0[i] - down.0[i]) / (2.0 * step));
        jacobian.push(up.1.iter().zip(&down.1).map(|(a, b)| (a - b) / (2.0 * step)).collect());
    }
    for i in 0..n {
        for j in 0..i {
            let x = 0.5 * (hessian[i * n + j] + hessian[j * n + i]);
            (hessian[i * n + j], hessian[j * n + i]) = (x, x);
        }
    }
    let covariance = small::solve_identity(&hessian, n).ok_or(Error::NotPositiveDefinite)?;
    Ok((phi, Satterthwaite { jacobian, covariance: covariance.iter().map(|x| 2.0 * x).collect() }))
}

fn point(model: &mut Model, theta: &[f64], free: &[usize], s: f64, kind: Criterion) -> Result<Point> {
    let mut t = model.layout.zeros();
    model.layout.fill(theta, &mut t);
    let (value, gamma) = model.value_and_gamma_at(&t, kind, Some(s))?;
    let mut full = vec![0.0; theta.len()];
    model.layout.pick(&gamma.total, &mut full);
    let mut g: Vec<f64> = free.iter().map(|&i| 2.0 * full[i]).collect();
    g.push(model.nu(kind) / s - value.pls.pwrss / (s * s));
    let p = model.a.p;
    let mut c = vec![0.0; p * p];
    small::mul_by_transposed(&mut c, &value.pls.rx, &value.pls.rx, p, p, p, 1.0);
    let phi = small::invert_spd(&c, p).ok_or(Error::NotPositiveDefinite)?.iter().map(|x| x * s).collect();
    Ok((g, phi))
}
