//! Working coordinates and the way back to the user's: y is scaled, X and the bases of the random terms are orthonormal over
//! the rows, weights are divided by their geometric mean.

use crate::numerics::small;

/// The way from working coordinates back to the user's.
#[derive(Clone, Debug)]
pub struct Coordinates {
    /// Columns of X as given.
    pub columns: usize,
    /// Fixed part.
    pub x: BasisMap,
    /// Centre that was subtracted from y before the rest, in units of y; zero where 1 is not in the span of X.
    pub y_shift: f64,
    /// Coefficients of the least-squares fit that was subtracted from y - shift, on the scaled columns of X, in units of y.
    pub gamma: Vec<f64>,
    /// Scale of y, a power of two: y = shift + X gamma + scale * working y.
    pub y_scale: f64,
    /// Geometric mean of the weights.
    pub weight_mean: f64,
    /// Sum of log weights.
    pub weight_log_sum: f64,
    /// Random terms in the order of theta.
    pub terms: Vec<TermMap>,
}

/// The way from the orthonormal columns Q of a basis to the user's: column c = shift_c + scale_c * (Q R)_c.
#[derive(Clone, Debug)]
pub struct BasisMap {
    /// Kept columns among the given ones, from 0.
    pub kept: Vec<usize>,
    /// Shifts.
    pub shift: Vec<f64>,
    /// Scales.
    pub scale: Vec<f64>,
    /// The constant among the kept columns.
    pub constant: Option<usize>,
    /// R by rows, upper triangular.
    pub r: Vec<f64>,
    /// Coefficients of the constant 1 on the scaled columns, if it lies in their span.
    pub ones: Option<Vec<f64>>,
}

/// A random term and its place among the columns of its factor.
#[derive(Clone, Debug)]
pub struct TermMap {
    /// Factor.
    pub factor: usize,
    /// First column within the factor.
    pub first: usize,
    /// Its basis.
    pub basis: BasisMap,
}

impl TermMap {
    /// Columns of the term.
    pub fn q(&self) -> usize {
        self.basis.kept.len()
    }
}

/// B with b_user = B b_working: the columns of Z are Z_working B^-1.
pub fn user_from_working(term: &TermMap) -> Vec<f64> {
    jacobian(&term.basis)
}

/// B^-1: the user's column c is shift_c * constant + scale_c * (Q R)_c.
pub fn working_from_user(term: &TermMap) -> Vec<f64> {
    let (q, basis) = (term.q(), &term.basis);
    let mut map = vec![0.0; q * q];
    for c in 0..q {
        for i in 0..=c {
            map[i * q + c] += basis.scale[c] * basis.r[i * q + c];
        }
        if let Some(k) = basis.constant.filter(|k| *k != c) {
            for i in 0..=k {
                map[i * q + c] += basis.shift[c] * basis.r[i * q + k];
            }
        }
    }
    map
}

/// Coefficients of the user's kept columns of X from the working ones.
pub fn fixed_to_user(c: &Coordinates, beta: &[f64]) -> Vec<f64> {
    let p = c.x.kept.len();
    let r_inverse = small::invert_upper(&c.x.r, p);
    let mut scaled = vec![0.0; p];
    small::mul(&mut scaled, &r_inverse, beta, p, p, 1, c.y_scale);
    scaled.iter_mut().zip(&c.gamma).for_each(|(s, g)| *s += g);
    if let Some(ones) = &c.x.ones {
        scaled.iter_mut().zip(ones).for_each(|(s, one)| *s += c.y_shift * one);
    }
    unshift(&c.x, &scaled)
}

/// Coefficients of the user's columns from those of the shifted and scaled ones.
fn unshift(basis: &BasisMap, scaled: &[f64]) -> Vec<f64> {
    let mut out: Vec<f64> = scaled.iter().zip(&basis.scale).map(|(b, s)| b / s).collect();
    if let Some(k) = basis.constant {
        let moved: f64 = (0..out.len()).filter(|i| *i != k).map(|i| basis.shift[i] * out[i]).sum();
        out[k] = (scaled[k] - moved) / basis.scale[k];
    }
    out
}

/// Matrix (by rows) that takes coefficients of the working columns to those of the user's.
pub fn jacobian(basis: &BasisMap) -> Vec<f64> {
    let p = basis.kept.len();
    let r_inverse = small::invert_upper(&basis.r, p);
    let mut out = vec![0.0; p * p];
    for j in 0..p {
        let scaled: Vec<f64> = (0..p).map(|i| r_inverse[i * p + j]).collect();
        for (i, x) in unshift(basis, &scaled).into_iter().enumerate() {
            out[i * p + j] = x;
        }
    }
    out
}
