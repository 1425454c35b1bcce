//! Penalised least squares at one theta: beta, r2 and the log-determinants, from the factor and its border.

use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::{Error, Result};
use crate::likelihood::elimination;
use crate::likelihood::evaluation::Pls;
use crate::likelihood::structure::Structure;
use crate::likelihood::workspace::Workspace;
use crate::numerics::{small, sums};

/// Factors M at `t` and solves for beta.
///
/// # Errors
/// [`Error::NotPositiveDefinite`] if M or C has a pivot that is not positive, or r2 is not.
pub(crate) fn solve(s: &Structure, a: &Crossprod, t: &Blocks, w: &mut Workspace) -> Result<Pls> {
    let log_det_m = elimination::factor(w, s, a, t)?;
    let (p, m) = (a.p, a.p + 1);
    let mut c = a.gram.clone();
    sums::subtract_gram_of_rows(&mut c, &w.border, m);
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
    Ok(Pls { rx, beta, pwrss: c[p * m + p].powi(2), log_det_m, log_det_c })
}
