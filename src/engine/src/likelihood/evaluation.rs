//! What is found at one point: penalised least squares, the criterion, Gamma; and where all of it is read together.

use std::sync::Arc;

use crate::covariance::{Blocks, Layout};
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::selected_inverse::{Inverse, Place};
use crate::likelihood::structure::Structure;
use crate::likelihood::workspace::Workspace;

/// Penalised least squares at one theta, in working coordinates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pls {
    /// Cholesky factor of C = X'V^-1X, lower triangle by rows (p x p).
    pub rx: Vec<f64>,
    /// Coefficients.
    pub beta: Vec<f64>,
    /// Penalised weighted residual sum of squares r2.
    pub pwrss: f64,
    /// log|M|.
    pub log_det_m: f64,
    /// log|C|.
    pub log_det_c: f64,
}

/// Criterion and solution at one theta.
#[derive(Clone, Debug)]
pub(crate) struct Evaluation {
    /// The criterion.
    pub f: f64,
    /// The solution.
    pub pls: Arc<Pls>,
}

/// What the gradient needs of a solution.
#[derive(Clone, Copy)]
pub(crate) struct Solved<'a> {
    /// beta, r2 and the factor of C.
    pub pls: &'a Pls,
    /// sigma^2: r2 / nu, or what is given.
    pub sigma2: f64,
    /// True to add the term of log|C|.
    pub reml: bool,
}

/// Gamma of every factor and its first, positive part.
#[derive(Clone, Debug)]
pub(crate) struct Gamma {
    /// Gamma_k, q_k x q_k by rows.
    pub total: Blocks,
    /// Sum of (Z'WZ Lambda M^-1)_jj = Z'V^-1Z T.
    pub spread: Blocks,
}

/// A model at the point whose gradient was found last: everything here belongs to that point.
#[derive(Clone, Copy)]
pub(crate) struct Here<'a> {
    /// Block structure.
    pub s: &'a Structure,
    /// Cross-products.
    pub a: &'a Crossprod,
    /// The factor of M.
    pub w: &'a Workspace,
    /// The selected inverse, the solutions and Z'P[., y].
    pub inverse: &'a Inverse,
    /// Order of theta.
    pub layout: &'a Layout,
    /// Factors T in working coordinates.
    pub t: &'a Blocks,
    /// Coefficients and sigma^2.
    pub at: Solved<'a>,
    /// The gradient in T.
    pub gamma: &'a Gamma,
}

impl Here<'_> {
    /// Element of M^-1 between two coefficients; `None` off the pattern of the selected inverse.
    pub fn inverse_between(&self, x: Place, y: Place) -> Option<f64> {
        self.inverse.between(self.s, self.a, self.w, x, y)
    }

    /// Diagonal blocks of M^-1 of a grouping factor (J blocks q x q by rows).
    pub fn inverse_diagonal(&self, factor: usize) -> Result<Vec<f64>> {
        self.inverse.diagonal(self.s, self.w, factor)
    }
}
