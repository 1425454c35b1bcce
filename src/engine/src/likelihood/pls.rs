//! Penalised least squares at one theta: beta, u, r2 and the log-determinants, from the factor and its border.

use crate::covariance::theta::Blocks;
use crate::crossprod::crossprod::Crossprod;
use crate::error::{Error, Result};
use crate::likelihood::factor::Workspace;
use crate::likelihood::structure::Structure;
use crate::numerics::{dense, small};
use faer::Par;

/// The solution at one theta, in working coordinates.
#[derive(Clone, Debug, Default)]
pub struct Pls {
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

/// Factors M at `t` and solves for beta.
///
/// # Errors
/// [`Error::NotPositiveDefinite`] if M or C has a pivot that is not positive, or r2 is not.
pub fn solve(s: &Structure, a: &Crossprod, t: &Blocks, w: &mut Workspace) -> Result<Pls> {
    w.update(s, a, t)?;
    let (p, m) = (a.p, a.p + 1);
    let mut c = a.gram.clone();
    if m >= 8 {
        dense::add_gram(&mut c, &w.border, s.q, m, -1.0, Par::Seq);
        // Column-major lower is row-major upper: mirror it.
        for j in 0..m {
            for i in j + 1..m {
                c[i * m + j] = c[j * m + i];
            }
        }
    } else {
        let mut g = vec![0.0; m * m];
        for chunk in w.border.chunks(1024 * m) {
            let mut part = vec![0.0; m * m];
            for row in chunk.chunks_exact(m) {
                for i in 0..m {
                    for j in 0..=i {
                        part[i * m + j] += row[i] * row[j];
                    }
                }
            }
            g.iter_mut().zip(&part).for_each(|(x, y)| *x += y);
        }
        for i in 0..m {
            for j in 0..=i {
                c[i * m + j] -= g[i * m + j];
            }
        }
    }
    if !small::cholesky(&mut c, m) {
        return Err(Error::NotPositiveDefinite);
    }
    let mut rx = vec![0.0; p * p];
    for i in 0..p {
        rx[i * p..i * p + i + 1].copy_from_slice(&c[i * m..i * m + i + 1]);
    }
    let mut beta = c[p * m..p * m + p].to_vec();
    small::solve_lower_transposed(&rx, p, &mut beta, 1);
    let log_det_c = (0..p).map(|i| 2.0 * rx[i * p + i].ln()).sum();
    Ok(Pls { rx, beta, pwrss: c[p * m + p].powi(2), log_det_m: w.log_det, log_det_c })
}
