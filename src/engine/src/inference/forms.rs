//! Products of p x p matrices (by rows) that several kinds of inference share, and the way to the user's coefficients.

use crate::design::{jacobian, Coordinates};
use crate::error::{Error, Result};
use crate::likelihood::Pls;
use crate::numerics::small;

/// Var(beta) = sigma^2 C^-1 in working coordinates.
pub(super) fn vcov_beta(pls: &Pls, p: usize, sigma2: f64) -> Result<Vec<f64>> {
    let mut c = vec![0.0; p * p];
    small::mul_by_transposed(&mut c, &pls.rx, &pls.rx, p, p, p, 1.0);
    let inverse = small::invert_spd(&c, p).ok_or(Error::NotPositiveDefinite)?;
    Ok(inverse.iter().map(|x| x * sigma2).collect())
}

/// From working coefficients to the user's: coefficients are turned by the jacobian, variances are `scale` times as large.
pub(super) struct Outward {
    pub jacobian: Vec<f64>,
    pub p: usize,
    pub scale: f64,
}

impl Outward {
    pub fn new(c: &Coordinates) -> Outward {
        Outward { jacobian: jacobian(&c.x), p: c.x.kept.len(), scale: c.y_scale * c.y_scale }
    }

    /// A covariance matrix of coefficients.
    pub fn covariance(&self, x: &[f64]) -> Vec<f64> {
        sandwich(&self.jacobian, x, self.p, self.scale)
    }
}

/// `f * a x a'`.
pub(super) fn sandwich(a: &[f64], x: &[f64], p: usize, f: f64) -> Vec<f64> {
    let mut half = vec![0.0; p * p];
    small::mul(&mut half, a, x, p, p, p, f);
    let mut out = vec![0.0; p * p];
    small::mul_by_transposed(&mut out, &half, a, p, p, p, 1.0);
    out
}

/// `a b`.
pub(super) fn product(a: &[f64], b: &[f64], p: usize) -> Vec<f64> {
    let mut out = vec![0.0; p * p];
    small::mul(&mut out, a, b, p, p, p, 1.0);
    out
}
