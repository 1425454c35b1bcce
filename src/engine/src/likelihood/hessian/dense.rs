//! Small crossed or nested models: K of all levels as one dense matrix, sums over pairs of levels as products.

use super::parts::{Pairs, Parts};
use crate::covariance::Blocks;
use crate::error::Result;
use crate::likelihood::evaluation::Here;
use crate::likelihood::products::dense_cross;
use crate::numerics::{dense, small};

/// Pairs of levels whose products are added at once.
const PANEL: usize = 512;

/// All of K at once, by rows in the order of elimination.
pub(super) fn parts(here: Here<'_>, v: &[f64], threads: usize) -> Result<Parts> {
    let Here { s, a, inverse, layout, t, at, .. } = here;
    let (n, p, m, k) = (s.q, a.p, a.p + 1, layout.len());
    let blocks: Vec<_> = s.blocks().collect();
    let mut cov = dense_cross(s, a);
    let mut b = turned(&cov, &blocks, t, n);
    let mut factor = dense::Dense::new(n, threads);
    factor.values = turned(&dense::transposed(&b, n), &blocks, t, n);
    (0..n).for_each(|i| factor.values[i * n + i] += 1.0);
    factor.factor()?;
    factor.forward(&mut b, n);
    let par = dense::parallel(threads, n);
    dense::add_gram(&mut cov, &b, n, n, -1.0, par);
    // H, whitened by C, as columns.
    let mut h = vec![0.0; p * n];
    for (i, row) in inverse.residual.chunks_exact(m).enumerate() {
        (0..p).for_each(|c| h[c * n + i] = row[c]);
    }
    small::solve_lower(&at.pls.rx, p, &mut h, n);
    if at.reml && p > 0 {
        dense::add_gram(&mut cov, &h, p, n, -1.0, par);
    }
    dense::mirror(&mut cov, n);
    let mut kx = vec![0.0; n * k];
    dense::add_product(&mut kx, &cov, v, (n, n, k), 1.0, par);
    let mut quadratic = vec![0.0; k * k];
    dense::add_transposed_product(&mut quadratic, v, &kx, (n, k, k), 1.0, par);
    if !at.reml && p > 0 {
        let mut linear = vec![0.0; p * k];
        dense::add_product(&mut linear, &h, v, (p, n, k), 1.0, par);
        dense::add_transposed_product(&mut quadratic, &linear, &linear, (p, k, k), -1.0, par);
    }
    let tk = turned(&cov, &blocks, t, n);
    let kt = dense::transposed(&tk, n);
    let tkt = turned(&kt, &blocks, t, n);
    let mut score: Blocks = a.factors.iter().map(|f| vec![0.0; f.q * f.q]).collect();
    for &(f, q, first, levels) in &blocks {
        for here in (first..first + levels * q).step_by(q) {
            for r in 0..q {
                let from = (here + r) * n + here;
                score[f][r * q..(r + 1) * q].iter_mut().zip(&cov[from..from + q]).for_each(|(s, x)| *s += x);
            }
        }
    }
    let mut pairs = Vec::new();
    for (i, f) in blocks.iter().enumerate() {
        for g in &blocks[i..] {
            pairs.push(sum_pairs([&cov, &tkt, &tk, &kt], *f, *g, n));
        }
    }
    let widths = a.factors.iter().map(|f| f.q).collect();
    Ok(Parts { pairs, quadratic, score, form: vec![0.0; k], fixed: Vec::new(), widths })
}

/// Lambda' x (n x n by rows).
fn turned(x: &[f64], blocks: &[(usize, usize, usize, usize)], t: &Blocks, n: usize) -> Vec<f64> {
    let mut out = vec![0.0; n * n];
    for &(f, q, first, levels) in blocks {
        for here in (first..first + levels * q).step_by(q) {
            let rows = here * n..(here + q) * n;
            small::mul_transposed(&mut out[rows.clone()], &t[f], &x[rows], q, q, n, 1.0);
        }
    }
    out
}

/// Sums over all pairs of a level of f and a level of g, from K, T'KT, T'K and KT.
fn sum_pairs(
    matrices: [&[f64]; 4],
    (f, qf, first, levels): (usize, usize, usize, usize),
    (g, qg, first_g, levels_g): (usize, usize, usize, usize),
    n: usize,
) -> Pairs {
    let size = qf * qg;
    let (mut straight, mut crossed) = (vec![0.0; size * size], vec![0.0; size * size]);
    let mut panels = vec![vec![0.0; PANEL * size]; 4];
    let mut filled = 0;
    for i in 0..levels {
        for j in 0..levels_g {
            let (row, col, at) = (first + i * qf, first_g + j * qg, filled * size);
            for r in 0..qf {
                let (from, to) = ((row + r) * n + col, at + r * qg);
                for (panel, x) in panels.iter_mut().zip(matrices) {
                    panel[to..to + qg].copy_from_slice(&x[from..from + qg]);
                }
            }
            filled += 1;
            if filled == PANEL || (i + 1 == levels && j + 1 == levels_g) {
                add_panel(&mut straight, &panels[0], &panels[1], filled, size);
                add_panel(&mut crossed, &panels[2], &panels[3], filled, size);
                filled = 0;
            }
        }
    }
    Pairs { f, g, straight, crossed }
}

/// `out += x'y` for two panels of `rows` rows.
fn add_panel(out: &mut [f64], x: &[f64], y: &[f64], rows: usize, size: usize) {
    if size == 1 {
        out[0] += x[..rows].iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
        return;
    }
    dense::add_transposed_product(out, x, y, (rows, size, size), 1.0, dense::parallel(1, rows));
}
