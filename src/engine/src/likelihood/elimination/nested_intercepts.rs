//! Random intercepts of nested factors: factor, solves, selected inverse and gradient, one number a level.
//!
//! Writes what the general way writes, into the same places; a level touches one level of each later factor.

use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::{Error, Result};
use crate::likelihood::evaluation::{Gamma, Solved};
use crate::likelihood::products::subtract_fitted;
use crate::likelihood::selected_inverse::Inverse;
use crate::likelihood::structure::Structure;
use crate::likelihood::workspace::Workspace;
use crate::numerics::small::{self, by_columns, columns, LogProduct};

/// `to -= f * from`.
#[inline]
fn subtract(to: &mut [f64], f: f64, from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(x, y)| *x -= f * y);
}

/// Factors M and solves for the border; returns log|L|^2.
pub(super) fn factor(w: &mut Workspace, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<f64> {
    let m = a.p + 1;
    for (c, link) in s.chain.iter().enumerate() {
        let (own, sums, out) = (t[link.factor][0], &a.factors[link.factor], &mut w.links[c]);
        out.diag.iter_mut().zip(&sums.diag).for_each(|(x, d)| *x = own * own * d + 1.0);
        for (k, &pair) in link.up.iter().enumerate() {
            let f = own * t[s.chain[c + 1 + k].factor][0];
            out.up[k].iter_mut().zip(&a.pairs[pair].blocks).for_each(|(x, b)| *x = f * b);
        }
        let border = &mut w.border[link.row * m..(link.row + link.levels) * m];
        border.iter_mut().zip(&sums.rhs).for_each(|(x, r)| *x = own * r);
    }
    let mut log_det = 0.0;
    for c in 0..s.chain.len() {
        log_det += by_columns!(m, eliminate, w, s, a, c).ok_or(Error::NotPositiveDefinite)?;
    }
    Ok(log_det)
}

fn eliminate<const M: usize>(w: &mut Workspace, s: &Structure, a: &Crossprod, c: usize) -> Option<f64> {
    let (link, m) = (&s.chain[c], columns::<M>(a.p + 1));
    let (this, above) = w.links[c..].split_at_mut(1);
    let this = &mut this[0];
    let split = (link.row + link.levels) * m;
    let (own, later) = w.border[link.row * m..].split_at_mut(split - link.row * m);
    let mut pivots = LogProduct::new();
    for (j, (d, row)) in this.diag.iter_mut().zip(own.chunks_exact_mut(m)).enumerate() {
        if d.is_nan() || *d <= 0.0 {
            return None;
        }
        pivots.multiply(*d);
        *d = d.sqrt();
        let f = 1.0 / *d;
        row.iter_mut().for_each(|x| *x *= f);
        for (k, up) in this.up.iter_mut().enumerate() {
            let parent = a.pairs[link.up[k]].cols[j] as usize;
            up[j] *= f;
            above[k].diag[parent] -= up[j] * up[j];
            let at = (s.chain[c + 1 + k].row + parent) * m - split;
            subtract(&mut later[at..at + m], up[j], row);
        }
        for (k, target) in above.iter_mut().enumerate() {
            let parent = a.pairs[link.up[k]].cols[j] as usize;
            for (entries, second) in target.up.iter_mut().zip(&this.up[k + 1..]) {
                entries[parent] -= this.up[k][j] * second[j];
            }
        }
    }
    Some(pivots.ln())
}

/// `rhs <- L^-1 rhs` (rows of k columns).
pub(super) fn forward(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], k: usize) {
    by_columns!(k, go_forward, w, s, a, rhs, k);
}

fn go_forward<const M: usize>(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) {
    let m = columns::<M>(m);
    for (c, link) in s.chain.iter().enumerate() {
        let (blocks, split) = (&w.links[c], (link.row + link.levels) * m);
        let (own, later) = rhs.split_at_mut(split);
        for (j, row) in own[link.row * m..].chunks_exact_mut(m).enumerate() {
            let f = 1.0 / blocks.diag[j];
            row.iter_mut().for_each(|x| *x *= f);
            for (k, &pair) in link.up.iter().enumerate() {
                let at = (s.chain[c + 1 + k].row + a.pairs[pair].cols[j] as usize) * m - split;
                subtract(&mut later[at..at + m], blocks.up[k][j], row);
            }
        }
    }
}

/// `rhs <- L^-T rhs` (rows of k columns).
pub(super) fn backward(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], k: usize) {
    by_columns!(k, go_backward, w, s, a, rhs, k);
}

fn go_backward<const M: usize>(w: &Workspace, s: &Structure, a: &Crossprod, rhs: &mut [f64], m: usize) {
    let m = columns::<M>(m);
    for (c, link) in s.chain.iter().enumerate().rev() {
        let (blocks, split) = (&w.links[c], (link.row + link.levels) * m);
        let (own, later) = rhs.split_at_mut(split);
        for (j, row) in own[link.row * m..].chunks_exact_mut(m).enumerate() {
            for (k, &pair) in link.up.iter().enumerate() {
                let at = (s.chain[c + 1 + k].row + a.pairs[pair].cols[j] as usize) * m - split;
                subtract(row, blocks.up[k][j], &later[at..at + m]);
            }
            let f = 1.0 / blocks.diag[j];
            row.iter_mut().for_each(|x| *x *= f);
        }
    }
}

/// Solutions [U, u] and entries of M^-1 on the pattern: between a level and its ancestors, then its own.
pub(super) fn invert(inverse: &mut Inverse, s: &Structure, a: &Crossprod, w: &Workspace, beta: &[f64]) {
    inverse.solution.copy_from_slice(&w.border);
    backward(w, s, a, &mut inverse.solution, a.p + 1);
    subtract_fitted(&mut inverse.solution, a.p, beta);
    for (c, link) in s.chain.iter().enumerate().rev() {
        let blocks = &w.links[c];
        let (this, later_up) = inverse.up[c..].split_at_mut(1);
        let (own, later) = inverse.diag[c..].split_at_mut(1);
        let pairs: Vec<&[u32]> = link.up.iter().map(|&pair| &a.pairs[pair].cols[..]).collect();
        for (j, (x, l)) in own[0].iter_mut().zip(&blocks.diag).enumerate() {
            let f = 1.0 / l;
            let mut sum = 0.0;
            for k in 0..pairs.len() {
                let parent = pairs[k][j] as usize;
                let mut entry = blocks.up[k][j] * later[k][parent];
                for k2 in (0..pairs.len()).filter(|k2| *k2 != k) {
                    let (low, high) = (k.min(k2), k.max(k2));
                    entry += blocks.up[k2][j] * later_up[low][high - low - 1][pairs[low][j] as usize];
                }
                this[0][k][j] = -f * entry;
                sum += blocks.up[k][j] * entry;
            }
            *x = f * f * (1.0 + sum);
        }
    }
}

/// Gamma; fills the residuals.
pub(crate) fn gamma(inverse: &mut Inverse, s: &Structure, a: &Crossprod, t: &Blocks, at: &Solved<'_>) -> Gamma {
    by_columns!(a.p + 1, sum_gamma, inverse, s, a, t, at)
}

fn sum_gamma<const M: usize>(
    inverse: &mut Inverse,
    s: &Structure,
    a: &Crossprod,
    t: &Blocks,
    at: &Solved<'_>,
) -> Gamma {
    let (p, m, beta) = (a.p, columns::<M>(a.p + 1), &at.pls.beta);
    let mut spread: Blocks = a.factors.iter().map(|_| vec![0.0]).collect();
    for (c, link) in s.chain.iter().enumerate() {
        let (own, sums) = (t[link.factor][0], &a.factors[link.factor]);
        let rows = link.row * m..(link.row + link.levels) * m;
        let all = inverse.residual[rows.clone()].chunks_exact_mut(m).zip(sums.rhs.chunks_exact(m));
        let solved = inverse.solution[rows].chunks_exact(m);
        let mut total = 0.0;
        for (((r, rhs), u), (d, x)) in all.zip(solved).zip(sums.diag.iter().zip(&inverse.diag[c])) {
            total += d * x;
            r.copy_from_slice(rhs);
            subtract_fitted(r, p, beta);
            subtract(r, d * own, u);
        }
        spread[link.factor][0] += own * total;
    }
    for (c, link) in s.chain.iter().enumerate() {
        for (k, &pair) in link.up.iter().enumerate() {
            let (upper, pair) = (&s.chain[c + 1 + k], &a.pairs[pair]);
            let (f, g) = (t[link.factor][0], t[upper.factor][0]);
            let total: f64 = pair.blocks.iter().zip(&inverse.up[c][k]).map(|(b, x)| b * x).sum();
            spread[link.factor][0] += g * total;
            spread[upper.factor][0] += f * total;
            let split = (link.row + link.levels) * m;
            let (own, later) = inverse.residual.split_at_mut(split);
            let rows = own[link.row * m..].chunks_exact_mut(m).zip(inverse.solution[link.row * m..].chunks_exact(m));
            for ((r, u), (b, &parent)) in rows.zip(pair.blocks.iter().zip(&pair.cols)) {
                let to = (upper.row + parent as usize) * m;
                subtract(r, b * g, &inverse.solution[to..to + m]);
                subtract(&mut later[to - split..to - split + m], b * f, u);
            }
        }
    }
    let mut total = spread.clone();
    let mut sums = vec![0.0; m * m];
    for link in &s.chain {
        sums.fill(0.0);
        let rows = link.row * m..(link.row + link.levels) * m;
        for (r, u) in inverse.residual[rows.clone()].chunks_exact(m).zip(inverse.solution[rows].chunks_exact(m)) {
            for (out, x) in sums.chunks_exact_mut(m).zip(r) {
                out.iter_mut().zip(u).for_each(|(o, y)| *o += x * y);
            }
        }
        total[link.factor][0] -= sums[m * m - 1] / at.sigma2;
        if at.reml {
            total[link.factor][0] -= trace(&at.pls.rx, p, &sums);
        }
    }
    Gamma { total, spread }
}

/// tr(C^-1 A) for the first p rows and columns of `sums`, C = R R'.
fn trace(rx: &[f64], p: usize, sums: &[f64]) -> f64 {
    let mut a: Vec<f64> = sums.chunks_exact(p + 1).take(p).flat_map(|row| row[..p].to_vec()).collect();
    small::solve_lower(rx, p, &mut a, p);
    small::solve_lower_transposed(rx, p, &mut a, p);
    (0..p).map(|i| a[i * p + i]).sum()
}
