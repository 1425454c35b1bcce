//! Kernels on tiny dense blocks (a handful of rows), stored by rows in slices.
//!
//! These are the q_k x q_k blocks of one level; a call into a large library would cost more than the arithmetic.
//! Large blocks go to faer ([`super::dense`]). The kernels stand in [`inlined`], whose bodies go into the caller, for loops
//! over levels whose number of columns the compiler knows; elsewhere their twins of the same name keep the code small.

use super::dense;

/// Block `j` of blocks of `size` elements.
#[inline(always)]
pub fn block(data: &[f64], j: usize, size: usize) -> &[f64] {
    &data[j * size..(j + 1) * size]
}

/// The same, to be written.
#[inline(always)]
pub fn block_mut(data: &mut [f64], j: usize, size: usize) -> &mut [f64] {
    &mut data[j * size..(j + 1) * size]
}

/// The logarithm of a product of positive numbers: one logarithm for many, the product kept away from overflow.
pub struct LogProduct {
    log: f64,
    product: f64,
}

impl LogProduct {
    /// An empty product.
    pub fn new() -> LogProduct {
        LogProduct { log: 0.0, product: 1.0 }
    }

    /// Multiplies by `x`.
    #[inline(always)]
    pub fn multiply(&mut self, x: f64) {
        self.product *= x;
        if !(1e-100..=1e100).contains(&self.product) {
            self.log += self.product.ln();
            self.product = 1.0;
        }
    }

    /// Its logarithm.
    pub fn ln(&self) -> f64 {
        self.log + self.product.ln()
    }

    /// The logarithm of its square.
    pub fn ln_square(&self) -> f64 {
        2.0 * self.ln()
    }
}

/// Calls `f` with the number of columns known to the compiler where it is small; see [`columns`].
macro_rules! by_columns {
    ($m:expr, $f:ident, $($x:expr),*) => {
        match $m {
            1 => $f::<1>($($x),*),
            2 => $f::<2>($($x),*),
            3 => $f::<3>($($x),*),
            4 => $f::<4>($($x),*),
            _ => $f::<0>($($x),*),
        }
    };
}
pub(crate) use by_columns;

/// The number of columns: `M`, or `m` where the compiler does not know it.
#[inline(always)]
pub fn columns<const M: usize>(m: usize) -> usize {
    if M == 0 {
        m
    } else {
        M
    }
}

/// `out += x'y` (k x m) for tall x (rows of k) and y (rows of m).
pub fn add_gram(out: &mut [f64], x: &[f64], y: &[f64], k: usize, m: usize) {
    if k == m {
        return by_columns!(k, add_square_gram, out, x, y, k);
    }
    x.chunks_exact(k).zip(y.chunks_exact(m)).for_each(|(x, y)| add_outer(out, x, y, 1.0));
}

fn add_square_gram<const K: usize>(out: &mut [f64], x: &[f64], y: &[f64], k: usize) {
    let k = columns::<K>(k);
    let mut sum = [[0.0; K]; K];
    for (x, y) in x.chunks_exact(k).zip(y.chunks_exact(k)) {
        if K == 0 {
            add_outer(out, x, y, 1.0);
        }
        for i in 0..K {
            (0..K).for_each(|j| sum[i][j] += x[i] * y[j]);
        }
    }
    out.chunks_exact_mut(k).zip(&sum).for_each(|(o, s)| o.iter_mut().zip(s).for_each(|(o, s)| *o += s));
}

/// The kernels with their bodies in the caller: there a call would cost more than the arithmetic.
pub mod inlined {
    /// Cholesky factor of the lower triangle of `a` (q x q), in place, upper triangle set to zero.
    /// Returns `false` if a pivot is not positive (the content is then meaningless).
    #[inline(always)]
    pub fn cholesky(a: &mut [f64], q: usize) -> bool {
        if q == 1 {
            if a[0].is_nan() || a[0] <= 0.0 {
                return false;
            }
            a[0] = a[0].sqrt();
            return true;
        }
        for j in 0..q {
            let mut d = a[j * q + j];
            for k in 0..j {
                d -= a[j * q + k] * a[j * q + k];
            }
            if d.is_nan() || d <= 0.0 {
                return false;
            }
            let d = d.sqrt();
            a[j * q + j] = d;
            for i in j + 1..q {
                let mut s = a[i * q + j];
                for k in 0..j {
                    s -= a[i * q + k] * a[j * q + k];
                }
                a[i * q + j] = s / d;
            }
            for k in j + 1..q {
                a[j * q + k] = 0.0;
            }
        }
        true
    }

    /// `b <- L^-1 b` for lower triangular `l` (q x q) and `b` (q x m).
    #[inline(always)]
    pub fn solve_lower(l: &[f64], q: usize, b: &mut [f64], m: usize) {
        for i in 0..q {
            let (done, rest) = b.split_at_mut(i * m);
            let row = &mut rest[..m];
            for k in 0..i {
                let f = l[i * q + k];
                if f != 0.0 {
                    for (r, d) in row.iter_mut().zip(&done[k * m..(k + 1) * m]) {
                        *r -= f * d;
                    }
                }
            }
            let f = 1.0 / l[i * q + i];
            for r in row.iter_mut() {
                *r *= f;
            }
        }
    }

    /// `b <- L^-T b` for lower triangular `l` (q x q) and `b` (q x m).
    #[inline(always)]
    pub fn solve_lower_transposed(l: &[f64], q: usize, b: &mut [f64], m: usize) {
        for i in (0..q).rev() {
            let (head, tail) = b.split_at_mut((i + 1) * m);
            let row = &mut head[i * m..];
            for k in i + 1..q {
                let f = l[k * q + i];
                if f != 0.0 {
                    for (r, d) in row.iter_mut().zip(&tail[(k - i - 1) * m..(k - i) * m]) {
                        *r -= f * d;
                    }
                }
            }
            let f = 1.0 / l[i * q + i];
            for r in row.iter_mut() {
                *r *= f;
            }
        }
    }

    /// `c += alpha * a b` with `a` (m x k), `b` (k x n).
    #[inline(always)]
    pub fn mul(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
        for i in 0..m {
            let row = &mut c[i * n..(i + 1) * n];
            for l in 0..k {
                let f = alpha * a[i * k + l];
                if f != 0.0 {
                    for (r, d) in row.iter_mut().zip(&b[l * n..(l + 1) * n]) {
                        *r += f * d;
                    }
                }
            }
        }
    }

    /// `c += alpha * a' b` with `a` (k x m), `b` (k x n).
    #[inline(always)]
    pub fn mul_transposed(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
        for l in 0..k {
            for i in 0..m {
                let f = alpha * a[l * m + i];
                if f != 0.0 {
                    for (r, d) in c[i * n..(i + 1) * n].iter_mut().zip(&b[l * n..(l + 1) * n]) {
                        *r += f * d;
                    }
                }
            }
        }
    }

    /// `c += alpha * a b'` with `a` (m x k), `b` (n x k).
    #[inline(always)]
    pub fn mul_by_transposed(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
        for i in 0..m {
            for j in 0..n {
                let s: f64 = a[i * k..(i + 1) * k].iter().zip(&b[j * k..(j + 1) * k]).map(|(x, y)| x * y).sum();
                c[i * n + j] += alpha * s;
            }
        }
    }

    /// `out <- t' a t` for square `a`, `t` (q x q); `work` has at least q * q places.
    #[inline(always)]
    pub fn congruence(out: &mut [f64], a: &[f64], t: &[f64], q: usize, work: &mut [f64]) {
        if q == 1 {
            out[0] = t[0] * a[0] * t[0];
            return;
        }
        let w = &mut work[..q * q];
        w.fill(0.0);
        mul(w, a, t, q, q, q, 1.0);
        out[..q * q].fill(0.0);
        mul_transposed(out, t, w, q, q, q, 1.0);
    }

    /// `a <- I` (q x q).
    #[inline(always)]
    pub fn set_identity(a: &mut [f64], q: usize) {
        a.fill(0.0);
        (0..q).for_each(|i| a[i * q + i] = 1.0);
    }
}

/// Cholesky factor of the lower triangle of `a` (q x q), in place, upper triangle set to zero.
/// Returns `false` if a pivot is not positive (the content is then meaningless).
#[inline]
pub fn cholesky(a: &mut [f64], q: usize) -> bool {
    inlined::cholesky(a, q)
}

/// `b <- L^-1 b` for lower triangular `l` (q x q) and `b` (q x m).
#[inline]
pub fn solve_lower(l: &[f64], q: usize, b: &mut [f64], m: usize) {
    inlined::solve_lower(l, q, b, m);
}

/// `b <- L^-T b` for lower triangular `l` (q x q) and `b` (q x m).
#[inline]
pub fn solve_lower_transposed(l: &[f64], q: usize, b: &mut [f64], m: usize) {
    inlined::solve_lower_transposed(l, q, b, m);
}

/// `c += alpha * a b` with `a` (m x k), `b` (k x n).
#[inline]
pub fn mul(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
    inlined::mul(c, a, b, m, k, n, alpha);
}

/// `c += alpha * a' b` with `a` (k x m), `b` (k x n).
#[inline]
pub fn mul_transposed(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
    inlined::mul_transposed(c, a, b, m, k, n, alpha);
}

/// `c += alpha * a b'` with `a` (m x k), `b` (n x k).
#[inline]
pub fn mul_by_transposed(c: &mut [f64], a: &[f64], b: &[f64], m: usize, k: usize, n: usize, alpha: f64) {
    inlined::mul_by_transposed(c, a, b, m, k, n, alpha);
}

/// `out <- t' a t` for square `a`, `t` (q x q); `work` has at least q * q places.
#[inline]
pub fn congruence(out: &mut [f64], a: &[f64], t: &[f64], q: usize, work: &mut [f64]) {
    inlined::congruence(out, a, t, q, work);
}

/// `a <- I` (q x q).
#[inline]
pub fn set_identity(a: &mut [f64], q: usize) {
    inlined::set_identity(a, q);
}

/// `out <- a'` for `a` (rows x cols) by rows.
#[inline]
pub fn transpose(out: &mut [f64], a: &[f64], rows: usize, cols: usize) {
    for (r, row) in a.chunks_exact(cols).enumerate().take(rows) {
        row.iter().enumerate().for_each(|(c, x)| out[c * rows + r] = *x);
    }
}

/// `a <- a'` (q x q).
#[inline]
pub fn transpose_in_place(a: &mut [f64], q: usize) {
    (1..q).for_each(|r| (0..r).for_each(|c| a.swap(r * q + c, c * q + r)));
}

/// `a <- (a + a') / 2` (q x q).
pub fn symmetrise(a: &mut [f64], q: usize) {
    for i in 0..q {
        for j in 0..i {
            let x = 0.5 * (a[i * q + j] + a[j * q + i]);
            (a[i * q + j], a[j * q + i]) = (x, x);
        }
    }
}

/// `out += f x y'`, `out` by rows.
#[inline]
pub fn add_outer(out: &mut [f64], x: &[f64], y: &[f64], f: f64) {
    for (row, x) in out.chunks_exact_mut(y.len()).zip(x).filter(|(_, x)| **x != 0.0) {
        row.iter_mut().zip(y).for_each(|(o, y)| *o += f * x * y);
    }
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
    set_identity(&mut inv, q);
    solve_lower(&l, q, &mut inv, q);
    solve_lower_transposed(&l, q, &mut inv, q);
    Some(inv)
}

/// Solution of `a x = b` (a n x n by rows); `None` if `a` is singular.
pub fn solve_general(a: &[f64], b: &[f64], n: usize) -> Option<Vec<f64>> {
    dense::solve_general(a, b, n, 1)
}

/// Inverse of a square matrix by rows; `None` if it is singular.
pub fn solve_identity(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut unit = vec![0.0; n * n];
    set_identity(&mut unit, n);
    dense::solve_general(a, &unit, n, n)
}

/// Turns `l` (lower triangular, by rows) and the rotation `o` so that a zero pivot has a zero column below it: the
/// Cholesky factor of a singular matrix in its usual form.
pub fn clear_zero_pivots(l: &mut [f64], o: &mut [f64], q: usize) {
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
    set_identity(&mut o, q);
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
