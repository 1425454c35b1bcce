//! Products with Z'WZ, and the fixed part of the gradient: sums over rows in the order of elimination.

use crate::crossprod::{Crossprod, Pair};
use crate::likelihood::evaluation::Solved;
use crate::likelihood::structure::Structure;
use crate::numerics::small::{self, block, by_columns, columns};

/// Rows whitened at once.
pub(crate) const BATCH: usize = 64;

/// Replaces the first p elements h of every row (of p + 1) by R^-1 h, with C = R R': many rows at once.
pub(crate) fn whiten(rx: &[f64], p: usize, rows: &mut [f64], work: &mut Vec<f64>) {
    let (m, n) = (p + 1, rows.len() / (p + 1));
    work.resize(p * n, 0.0);
    for (k, row) in rows.chunks_exact(m).enumerate() {
        (0..p).for_each(|c| work[c * n + k] = row[c]);
    }
    small::solve_lower(rx, p, work, n);
    for (k, row) in rows.chunks_exact_mut(m).enumerate() {
        (0..p).for_each(|c| row[c] = work[c * n + k]);
    }
}

/// `gamma -= sum over levels of H_j C^-1 U_j' + h_j u_j' / sigma^2`; `r` holds [H, h] and `u` [U, u], rows of p + 1.
pub(crate) fn subtract_fixed(gamma: &mut [f64], r: &[f64], u: &[f64], q: usize, p: usize, at: &Solved<'_>) {
    let m = p + 1;
    let size = (BATCH / q).max(1) * q * m;
    let (mut left, mut right, mut work) = (Vec::with_capacity(size), Vec::with_capacity(size), Vec::new());
    for (r, u) in r.chunks(size).zip(u.chunks(size)) {
        left.clear();
        left.extend_from_slice(r);
        right.clear();
        right.extend_from_slice(u);
        if at.reml {
            whiten(&at.pls.rx, p, &mut left, &mut work);
            whiten(&at.pls.rx, p, &mut right, &mut work);
        }
        for row in left.chunks_exact_mut(m) {
            if !at.reml {
                row[..p].fill(0.0);
            }
            row[p] /= at.sigma2;
        }
        for (left, right) in left.chunks_exact(q * m).zip(right.chunks_exact(q * m)) {
            small::mul_by_transposed(gamma, left, right, q, m, q, -1.0);
        }
    }
}

/// `out += sign * Z'WZ x`, rows in the order of elimination, k columns by rows.
pub(crate) fn add_cross(s: &Structure, a: &Crossprod, x: &[f64], k: usize, out: &mut [f64], sign: f64) {
    for (factor, q, first, levels) in s.blocks() {
        let rows = first * k..(first + levels * q) * k;
        let diag = a.factors[factor].diag.chunks_exact(q * q);
        for (d, (out, x)) in diag.zip(out[rows.clone()].chunks_exact_mut(q * k).zip(x[rows].chunks_exact(q * k))) {
            small::mul(out, d, x, q, q, k, sign);
        }
    }
    for (pair, [qf, qg], [row_f, row_g]) in s.pairs() {
        let p = &a.pairs[pair];
        if qf == 1 && qg == 1 {
            by_columns!(k, add_scalar_pair, p, [row_f, row_g], x, k, out, sign);
            continue;
        }
        for l in 0..p.starts.len() - 1 {
            let f = (row_f + l * qf) * k..(row_f + (l + 1) * qf) * k;
            for c in p.starts[l]..p.starts[l + 1] {
                let g = (row_g + p.cols[c] as usize * qg) * k..(row_g + (p.cols[c] as usize + 1) * qg) * k;
                let block = block(&p.blocks, c, qf * qg);
                small::mul(&mut out[f.clone()], block, &x[g.clone()], qf, qg, k, sign);
                small::mul_transposed(&mut out[g], block, &x[f.clone()], qg, qf, k, sign);
            }
        }
    }
}

/// The same for one pair of factors with one column each.
fn add_scalar_pair<const K: usize>(p: &Pair, rows: [usize; 2], x: &[f64], k: usize, out: &mut [f64], sign: f64) {
    let k = columns::<K>(k);
    for l in 0..p.starts.len() - 1 {
        let f = (rows[0] + l) * k;
        for (b, &col) in p.blocks[p.starts[l]..p.starts[l + 1]].iter().zip(&p.cols[p.starts[l]..p.starts[l + 1]]) {
            let (b, g) = (sign * b, (rows[1] + col as usize) * k);
            for c in 0..k {
                out[f + c] += b * x[g + c];
                out[g + c] += b * x[f + c];
            }
        }
    }
}

/// Z'WZ as a dense matrix by rows, in the order of elimination.
pub(crate) fn dense_cross(s: &Structure, a: &Crossprod) -> Vec<f64> {
    let n = s.q;
    let mut z = vec![0.0; n * n];
    for (factor, q, first, levels) in s.blocks() {
        for (j, block) in a.factors[factor].diag.chunks_exact(q * q).enumerate().take(levels) {
            for r in 0..q {
                let at = (first + j * q + r) * n + first + j * q;
                z[at..at + q].copy_from_slice(&block[r * q..(r + 1) * q]);
            }
        }
    }
    for (pair, [qf, qg], [row_f, row_g]) in s.pairs() {
        let p = &a.pairs[pair];
        for l in 0..p.starts.len() - 1 {
            for c in p.starts[l]..p.starts[l + 1] {
                let (row, col) = (row_f + l * qf, row_g + p.cols[c] as usize * qg);
                for (e, x) in block(&p.blocks, c, qf * qg).iter().enumerate() {
                    z[(row + e / qg) * n + col + e % qg] = *x;
                    z[(col + e % qg) * n + row + e / qg] = *x;
                }
            }
        }
    }
    z
}

/// Takes the fixed part off the last column of rows of p + 1: `y - X beta` in place of `y`.
#[inline(always)]
pub(crate) fn subtract_fitted(rows: &mut [f64], p: usize, beta: &[f64]) {
    for row in rows.chunks_exact_mut(p + 1) {
        row[p] -= row[..p].iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
    }
}

/// Puts it back: the inverse of [`subtract_fitted`].
pub(crate) fn add_fitted(rows: &mut [f64], p: usize, beta: &[f64]) {
    for row in rows.chunks_exact_mut(p + 1) {
        row[p] += row[..p].iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
    }
}
