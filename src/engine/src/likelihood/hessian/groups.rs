//! Nested factors: K of V^-1 is block diagonal by level of the outermost one, and each block is small.
//!
//! P is V^-1 less HH' (REML), which joins the blocks: its parts of the traces are products of sums over the blocks.

use super::parts::Parts;
use crate::covariance::Blocks;
use crate::error::{Error, Result};
use crate::likelihood::evaluation::Here;
use crate::likelihood::structure::Structure;
use crate::numerics::small;

/// A level: its link of the chain, its number, and its first row in the block.
type Member = (usize, usize, usize);

/// Levels by level of the outermost factor, innermost factors first, and the rows of each block.
pub(super) fn groups(s: &Structure, parent: impl Fn(usize, usize) -> usize) -> Vec<(Vec<Member>, usize)> {
    let last = s.chain.len() - 1;
    let mut out = vec![(Vec::new(), 0); s.chain[last].levels];
    for (c, link) in s.chain.iter().enumerate() {
        for j in 0..link.levels {
            let (members, rows) = &mut out[if c == last { j } else { parent(c, j) }];
            members.push((c, j, *rows));
            *rows += link.q;
        }
    }
    out
}

/// The sums over all blocks.
pub(super) fn parts(here: Here<'_>, v: &[f64]) -> Result<Parts> {
    let Here { s, a, inverse, layout, at, .. } = here;
    let (p, m, k) = (a.p, a.p + 1, layout.len());
    let mut score: Blocks = a.factors.iter().map(|f| vec![0.0; f.q * f.q]).collect();
    let (mut quadratic, mut fixed) = (vec![0.0; k * k], vec![0.0; k * k]);
    let (mut linear, mut forms) = (vec![0.0; p * k], vec![0.0; k * p * p]);
    let outermost = |c: usize, j: usize| s.chain[c].up.last().map_or(j, |&pair| a.pairs[pair].cols[j] as usize);
    for (members, n) in groups(s, outermost) {
        let k0 = block(here, &members, n)?;
        // H, whitened by C, as columns; and v.
        let (mut h, mut own) = (vec![0.0; p * n], vec![0.0; n * k]);
        for &(c, j, at_row) in &members {
            let link = &s.chain[c];
            for r in 0..link.q {
                let (row, i) = (link.row + j * link.q + r, at_row + r);
                (0..p).for_each(|x| h[x * n + i] = inverse.residual[row * m + x]);
                own[i * k..(i + 1) * k].copy_from_slice(&v[row * k..(row + 1) * k]);
            }
        }
        small::solve_lower(&at.pls.rx, p, &mut h, n);
        let mut kv = vec![0.0; n * k];
        small::mul(&mut kv, &k0, &own, n, n, k, 1.0);
        small::mul_transposed(&mut quadratic, &own, &kv, k, n, k, 1.0);
        small::mul(&mut linear, &h, &own, p, n, k, 1.0);
        for &(c, _, from) in &members {
            let link = &s.chain[c];
            for (x, sum) in score[link.factor].iter_mut().enumerate() {
                let (i, j) = (from + x / link.q, from + x % link.q);
                *sum += k0[i * n + j];
                if at.reml {
                    *sum -= (0..p).map(|e| h[e * n + i] * h[e * n + j]).sum::<f64>();
                }
            }
        }
        // K E_a of all elements, and its transpose: the trace of two is the sum of products.
        let (mut straight, mut turned) = (vec![0.0; k * n * n], vec![0.0; k * n * n]);
        for e in 0..k {
            let out = &mut straight[e * n * n..(e + 1) * n * n];
            times_direction(here, &members, e, &k0, n, out);
            (0..n * n).for_each(|x| turned[e * n * n + x] = out[x % n * n + x / n]);
        }
        small::mul_by_transposed(&mut fixed, &straight, &turned, k, n * n, k, 1.0);
        if at.reml && p > 0 {
            // H'E_a (p x n), and K E_a H.
            let (mut he, mut keh) = (vec![0.0; k * p * n], vec![0.0; k * p * n]);
            for e in 0..k {
                let part = e * p * n..(e + 1) * p * n;
                times_direction(here, &members, e, &h, n, &mut he[part.clone()]);
                small::mul(&mut keh[part.clone()], &he[part.clone()], &k0, p, n, n, 1.0);
                small::mul_by_transposed(&mut forms[e * p * p..(e + 1) * p * p], &he[part], &h, p, n, p, 1.0);
            }
            small::mul_by_transposed(&mut fixed, &he, &keh, k, p * n, k, -2.0);
        }
    }
    small::mul_transposed(&mut quadratic, &linear, &linear, k, p, k, -1.0);
    // The forms are symmetric, so a trace of two is a sum of products.
    small::mul_by_transposed(&mut fixed, &forms, &forms, k, p * p, k, 1.0);
    let widths = a.factors.iter().map(|f| f.q).collect();
    Ok(Parts { pairs: Vec::new(), quadratic, score, form: vec![0.0; k], fixed, widths })
}

/// K = D - B'B with B = L^-1 T'D of one block.
fn block(here: Here<'_>, members: &[Member], n: usize) -> Result<Vec<f64>> {
    let Here { s, a, t, .. } = here;
    let mut cov = vec![0.0; n * n];
    for (x, &(c, j, row)) in members.iter().enumerate() {
        let link = &s.chain[c];
        let q = link.q;
        let own = &a.factors[link.factor].diag[j * q * q..(j + 1) * q * q];
        (0..q * q).for_each(|e| cov[(row + e / q) * n + row + e % q] = own[e]);
        for &(c2, j2, col) in members[x + 1..].iter().filter(|y| y.0 > c) {
            let pair = &a.pairs[link.up[c2 - c - 1]];
            if pair.cols[j] as usize != j2 {
                continue;
            }
            let q2 = s.chain[c2].q;
            for (e, value) in pair.blocks[j * q * q2..(j + 1) * q * q2].iter().enumerate() {
                cov[(row + e / q2) * n + col + e % q2] = *value;
                cov[(col + e % q2) * n + row + e / q2] = *value;
            }
        }
    }
    let turned = |x: &[f64]| {
        let mut out = vec![0.0; n * n];
        for &(c, _, row) in members {
            let (q, rows) = (s.chain[c].q, row * n..(row + s.chain[c].q) * n);
            small::mul_transposed(&mut out[rows.clone()], &t[s.chain[c].factor], &x[rows], q, q, n, 1.0);
        }
        out
    };
    let mut b = turned(&cov);
    let across: Vec<f64> = (0..n * n).map(|x| b[x % n * n + x / n]).collect();
    let mut l = turned(&across);
    (0..n).for_each(|i| l[i * n + i] += 1.0);
    if !small::cholesky(&mut l, n) {
        return Err(Error::NotPositiveDefinite);
    }
    small::solve_lower(&l, n, &mut b, n);
    small::mul_transposed(&mut cov, &b, &b, n, n, n, -1.0);
    Ok(cov)
}

/// `out = x E` (rows of `n`) for the direction E = e_r t_c' + t_c e_r' of element `e` of theta.
fn times_direction(here: Here<'_>, members: &[Member], e: usize, x: &[f64], n: usize, out: &mut [f64]) {
    let Here { s, layout, t, .. } = here;
    let (term, row, col) = layout.places[e];
    let (factor, first, _) = layout.terms[term];
    let (r, c, tf) = (first + row, first + col, &t[factor]);
    for &(link, _, from) in members.iter().filter(|y| s.chain[y.0].factor == factor) {
        let q = s.chain[link].q;
        for (x, out) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            let (x, out) = (&x[from..from + q], &mut out[from..from + q]);
            let along: f64 = (0..q).map(|i| x[i] * tf[i * q + c]).sum();
            (0..q).for_each(|i| out[i] += x[r] * tf[i * q + c]);
            out[r] += along;
        }
    }
}
