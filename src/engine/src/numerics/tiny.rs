//! The kernels of [`super::small`] with their bodies in the caller, for loops over levels whose number of columns the
//! compiler knows: a call would cost more than the arithmetic.

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
