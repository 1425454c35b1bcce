//! Eigenvalues of small symmetric matrices, by Jacobi's rotations: a few dozen rows at most, to full relative accuracy.

use crate::error::{Error, Result};

/// Sweeps after which a matrix that still is not diagonal holds something that is no number.
const SWEEPS: usize = 60;

/// Eigenvalues (ascending) and eigenvectors (one a row) of a symmetric matrix by rows.
///
/// # Errors
/// [`Error::Internal`] if an element is not finite.
pub fn symmetric(a: &[f64], n: usize) -> Result<(Vec<f64>, Vec<Vec<f64>>)> {
    let mut m: Vec<f64> = (0..n * n).map(|k| 0.5 * (a[k] + a[k % n * n + k / n])).collect();
    let mut v = vec![0.0; n * n];
    (0..n).for_each(|i| v[i * n + i] = 1.0);
    let size: f64 = m.iter().map(|x| x * x).sum();
    if !size.is_finite() {
        return Err(Error::Internal("eigenvalues of a matrix that is not finite".into()));
    }
    for _ in 0..SWEEPS {
        let mut turned = false;
        for p in 0..n {
            for q in p + 1..n {
                let x = m[p * n + q];
                // Nothing in either eigenvalue depends on an element this small.
                if x * x > 1e-36 * (m[p * n + p] * m[q * n + q]).abs() && x * x > 1e-60 * size {
                    rotate(&mut m, &mut v, n, p, q);
                    turned = true;
                }
            }
        }
        if !turned {
            break;
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| m[i * n + i].total_cmp(&m[j * n + j]));
    let values = order.iter().map(|&k| m[k * n + k]).collect();
    let vectors = order.iter().map(|&k| v[k * n..(k + 1) * n].to_vec()).collect();
    Ok((values, vectors))
}

/// Makes element (p, q) zero; the rows of `v` turn along.
fn rotate(m: &mut [f64], v: &mut [f64], n: usize, p: usize, q: usize) {
    let x = m[p * n + q];
    let (dp, dq) = (m[p * n + p], m[q * n + q]);
    let half = 0.5 * (dq - dp) / x;
    let t = half.signum() / (half.abs() + half.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for rows in [&mut *m, v] {
        let (head, tail) = rows.split_at_mut(q * n);
        for (a, b) in head[p * n..(p + 1) * n].iter_mut().zip(&mut tail[..n]) {
            (*a, *b) = (c * *a - s * *b, s * *a + c * *b);
        }
    }
    for k in 0..n {
        m[k * n + p] = m[p * n + k];
        m[k * n + q] = m[q * n + k];
    }
    (m[p * n + p], m[q * n + q]) = (dp - t * x, dq + t * x);
    (m[p * n + q], m[q * n + p]) = (0.0, 0.0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_of_a_known_matrix() {
        // [[2, 1], [1, 2]] has 1 and 3, with (1, -1) and (1, 1); by hand.
        let (values, vectors) = symmetric(&[2.0, 1.0, 1.0, 2.0], 2).unwrap();
        assert!((values[0] - 1.0).abs() < 1e-15 && (values[1] - 3.0).abs() < 1e-15);
        assert!((vectors[0][0] + vectors[0][1]).abs() < 1e-15 && (vectors[1][0] - vectors[1][1]).abs() < 1e-15);
        assert!(symmetric(&[f64::NAN], 1).is_err());
    }

    #[test]
    fn vectors_diagonalise_a_larger_matrix() {
        let n = 9;
        let a: Vec<f64> = (0..n * n).map(|k| 1.0 / (1.0 + (k / n + k % n) as f64)).collect();
        let (values, vectors) = symmetric(&a, n).unwrap();
        for (value, x) in values.iter().zip(&vectors) {
            for i in 0..n {
                let ax: f64 = (0..n).map(|j| a[i * n + j] * x[j]).sum();
                assert!((ax - value * x[i]).abs() < 1e-14, "{ax} {value}");
            }
        }
        assert!(values.windows(2).all(|w| w[0] <= w[1]));
    }
}
