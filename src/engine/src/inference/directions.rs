//! The directions in which variance parameters are free at a fit, and what is known along them.

use crate::numerics::small;

/// Satterthwaite: derivatives of Phi in the free variance parameters and the covariance of their estimates.
#[derive(Clone, Debug)]
pub struct Satterthwaite {
    /// d Phi / d parameter k, p x p by rows each.
    pub jacobian: Vec<Vec<f64>>,
    /// 2 H^-1, K x K by rows.
    pub covariance: Vec<f64>,
}

/// Lower triangular factor of t t' with its zero columns last.
pub(super) fn compressed(t: &[f64], q: usize) -> Vec<f64> {
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
pub(super) fn rank(l: &[f64], q: usize) -> usize {
    (0..q).filter(|&col| (0..q).any(|r| l[r * q + col] != 0.0)).count()
}
