//! Eigenvalues of small symmetric matrices.

use faer::{Mat, Side};

use crate::error::{Error, Result};

/// Eigenvalues (ascending) and eigenvectors (one a row) of a symmetric matrix by rows.
pub fn symmetric(a: &[f64], n: usize) -> Result<(Vec<f64>, Vec<Vec<f64>>)> {
    if n == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let m = Mat::from_fn(n, n, |i, j| 0.5 * (a[i * n + j] + a[j * n + i]));
    let e = m.self_adjoint_eigen(Side::Lower).map_err(|e| Error::Internal(format!("eigenvalues: {e:?}")))?;
    let values = (0..n).map(|k| e.S()[k]).collect();
    let vectors = (0..n).map(|k| (0..n).map(|i| e.U()[(i, k)]).collect()).collect();
    Ok((values, vectors))
}
