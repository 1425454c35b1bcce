//! What the ways to the Hessian sum over levels.

use crate::covariance::Blocks;
use crate::likelihood::evaluation::Here;
use crate::numerics::small;

/// Sums over pairs of levels of the outer products of K and T'KT, and of T'K and KT.
pub(super) struct Pairs {
    pub f: usize,
    pub g: usize,
    pub straight: Vec<f64>,
    pub crossed: Vec<f64>,
}

/// What all ways sum: pairs of levels, v'(Z'PZ)v, the first part of the score, and what the fixed part adds to traces.
pub(super) struct Parts {
    pub pairs: Vec<Pairs>,
    pub quadratic: Vec<f64>,
    pub score: Blocks,
    pub form: Vec<f64>,
    pub fixed: Vec<f64>,
    pub widths: Vec<usize>,
}

impl Parts {
    /// Adds v'h to the forms and takes hh' / sigma^2 off the scores.
    pub fn add_residuals(&mut self, here: Here<'_>, v: &[f64]) {
        let Here { s, a, inverse, layout, at, .. } = here;
        let (m, k) = (a.p + 1, layout.len());
        for (r, x) in inverse.residual.chunks_exact(m).zip(v.chunks_exact(k)) {
            self.form.iter_mut().zip(x).for_each(|(f, y)| *f += r[a.p] * y);
        }
        for (factor, q, first, levels) in s.blocks() {
            let d = &mut self.score[factor];
            for j in 0..levels {
                let h: Vec<f64> = (0..q).map(|i| inverse.residual[(first + j * q + i) * m + a.p]).collect();
                small::mul(d, &h, &h, q, 1, q, -1.0 / at.sigma2);
            }
        }
    }
}
