//! Kernels on tiny dense blocks (a handful of rows), stored by rows in slices.
//!
//! These are the q_k x q_k blocks of one level; a call into a large library would cost more than the arithmetic.
//! Large blocks go to faer ([`super::dense`]).

use super::tiny;

/// Cholesky factor of the lower triangle of `a` (q x q), in place, upper triangle set to zero.
/// Returns `false` if a pivot is not positive (the content is then meaningless).
#[inline]
pub fn cholesky(a: &mut [f64], q: usize) -> bool {
    tiny::cholesky(a, q)
}

/// `b <- L^-1 b` for lower triangular `l` (q x q) and `b` (q x m).
#[inline]
pub fn solve_lower(l: &[f64], q: usize, b: &mut [f64], m: usize) {
    tiny::solve_lower(l, q, b, m);
}

/// `b <- L^-T b` for lower triangular `l` (q x q) and `b` (q x m).
#[inline]
pub fn solve_lower_transposed(l: &[f64], q: usize, b: &mut [f64], m: usize) {
    tiny::solve_lower_transposed(l, q, b, m);
}

/// `c += alpha * a b` with `a` (m x k), `b` (k x n).
#[inline]
pub fn mul(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
    tiny::mul(c, a, b, m, k, n, alpha);
}

/// `c += alpha * a' b` with `a` (k x m), `b` (k x n).
#[inline]
pub fn mul_transposed(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
    tiny::mul_transposed(c, a, b, m, k, n, alpha);
}

/// `c += alpha * a b'` with `a` (m x k), `b` (n x k).
#[inline]
pub fn mul_by_transposed(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
    tiny::mul_by_transposed(c, a, b, m, k, n, alpha);
}

/// `out <- t' a t` for square `a`, `t` (q x q); `work` has at least q * q places.
#[inline]
pub fn congruence(out: &mut [f64], a: &[f64], t: &[f64], q: usize, work: &mut [f64]) {
    tiny::congruence(out, a, t, q, work);
}

/// Inverse of an upper triangular matrix by rows (q x q).
pub fn invert_upper(r: &[f64], q: usize) -> Vec<f64> {
    let mut inv = vec![0.0; q * q];
    for j in 0..q {
        inv[j * q + j] = 1.0 / r[j * q + j];
        for i in (0..j).rev() {
            let s: f64 = (i + 1..=j).map(|k| r[i * q + k] * inv[k * q + j]).sum();
            inv[i * q + j] = -s / r[i * q + i];
        }
    }
    inv
}

/// Inverse of a symmetric positive definite matrix by rows; `None` if it is not.
pub fn invert_spd(a: &[f64], q: usize) -> Option<Vec<f64>> {
    let mut l = a.to_vec();
    if !cholesky(&mut l, q) {
        return None;
    }
    let mut inv = vec![0.0; q * q];
    (0..q).for_each(|i| inv[i * q + i] = 1.0);
    solve_lower(&l, q, &mut inv, q);
    solve_lower_transposed(&l, q, &mut inv, q);
    Some(inv)
}

/// Solution of `a x = b` (a n x n by rows) by elimination with row pivots; `None` if `a` is singular.
pub fn solve_general(mut a: Vec<f64>, mut b: Vec<f64>, n: usize) -> Option<Vec<f64>> {
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i * n + k].abs().total_cmp(&a[j * n + k].abs()))?;
        if a[pivot * n + k].abs() < 1e-300 {
            return None;
        }
        if pivot != k {
            (0..n).for_each(|c| a.swap(k * n + c, pivot * n + c));
            b.swap(k, pivot);
        }
        for i in k + 1..n {
            let f = a[i * n + k] / a[k * n + k];
            if f != 0.0 {
                for c in k..n {
                    a[i * n + c] -= f * a[k * n + c];
                }
                b[i] -= f * b[k];
            }
        }
    }
    for k in (0..n).rev() {
        let s: f64 = (k + 1..n).map(|c| a[k * n + c] * b[c]).sum();
        b[k] = (b[k] - s) / a[k * n + k];
    }
    b.iter().all(|x| x.is_finite()).then_some(b)
}

/// Inverse of a square matrix by rows, by elimination; `None` if it is singular.
pub fn solve_identity(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut out = vec![0.0; n * n];
    for j in 0..n {
        let unit = (0..n).map(|i| f64::from(u8::from(i == j))).collect();
        let column = solve_general(a.to_vec(), unit, n)?;
        (0..n).for_each(|i| out[i * n + j] = column[i]);
    }
    Some(out)
}

/// Turns `l` (lower triangular, by rows) and the rotation `o` so that a zero pivot has a zero column below it: the
/// Cholesky factor of a singular matrix in its usual form.
pub fn sweep_zero_pivots(l: &mut [f64], o: &mut [f64], q: usize) {
    for i in 0..q {
        for k in 0..i {
            if l[k * q + k] != 0.0 || l[i * q + k] == 0.0 {
                continue;
            }
            let h = l[i * q + i].hypot(l[i * q + k]);
            let (c, s) = (l[i * q + i] / h, l[i * q + k] / h);
            for m in [&mut *l, &mut *o] {
                for r in 0..q {
                    let (u, v) = (m[r * q + i], m[r * q + k]);
                    m[r * q + i] = c * u + s * v;
                    m[r * q + k] = c * v - s * u;
                }
            }
            l[i * q + k] = 0.0;
        }
    }
}

/// Lower triangular `l` with non-negative diagonal and `l l' = b b'`, and the orthogonal `o` with `b = l o'`
/// (so that `l = b o`); `b` is q x q by rows and may be singular. Givens rotations on the columns.
pub fn lower_from_product(b: &[f64], q: usize) -> (Vec<f64>, Vec<f64>) {
    let mut l = b.to_vec();
    let mut o = vec![0.0; q * q];
    for i in 0..q {
        o[i * q + i] = 1.0;
    }
    for i in 0..q {
        for j in (i + 1..q).rev() {
            let (x, y) = (l[i * q + i], l[i * q + j]);
            let h = x.hypot(y);
            if y == 0.0 || h == 0.0 {
                continue;
            }
            let (c, s) = (x / h, y / h);
            for m in [&mut l, &mut o] {
                for r in 0..q {
                    let (u, v) = (m[r * q + i], m[r * q + j]);
                    m[r * q + i] = c * u + s * v;
                    m[r * q + j] = c * v - s * u;
                }
            }
            l[i * q + j] = 0.0;
        }
        if l[i * q + i] < 0.0 {
            for m in [&mut l, &mut o] {
                for r in 0..q {
                    m[r * q + i] = -m[r * q + i];
                }
            }
        }
    }
    (l, o)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_of_a_known_matrix() {
        // [[4, 2], [2, 5]] = L L' with L = [[2, 0], [1, 2]], by hand.
        let mut a = vec![4.0, 2.0, 2.0, 5.0];
        assert!(cholesky(&mut a, 2));
        assert_eq!(a, vec![2.0, 0.0, 1.0, 2.0]);
        let mut b = vec![2.0, 5.0];
        solve_lower(&a, 2, &mut b, 1);
        assert_eq!(b, vec![1.0, 2.0]);
        solve_lower_transposed(&a, 2, &mut b, 1);
        assert_eq!(b, vec![0.0, 1.0]);
        assert!(!cholesky(&mut [1.0, 2.0, 2.0, 1.0], 2));
    }

    #[test]
    fn singular_product_gets_a_lower_factor() {
        // b b' = [[0, 0], [0, 25]]: the lower factor is [[0, 0], [5, 0]] up to the place of the zero column.
        let (l, o) = lower_from_product(&[0.0, 0.0, 3.0, 4.0], 2);
        let mut g = vec![0.0; 4];
        mul_by_transposed(&mut g, &l, &l, 2, 2, 2, 1.0);
        assert!((g[3] - 25.0).abs() < 1e-14 && g[0].abs() < 1e-14 && g[1].abs() < 1e-14);
        let mut eye = vec![0.0; 4];
        mul_transposed(&mut eye, &o, &o, 2, 2, 2, 1.0);
        assert!((eye[0] - 1.0).abs() < 1e-15 && eye[1].abs() < 1e-15);
    }
}
