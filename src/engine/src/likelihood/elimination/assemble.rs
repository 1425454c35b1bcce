//! M = Lambda'Z'WZ Lambda + I and the border Lambda'Z'W[X, y], written into the workspace at one theta.

use crate::covariance::Blocks;
use crate::crossprod::Crossprod;
use crate::error::Result;
use crate::likelihood::structure::{Link, Structure};
use crate::likelihood::workspace::Workspace;
use crate::numerics::small::{self, block};

/// Fills all blocks, before elimination.
pub(super) fn assemble(w: &mut Workspace, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<()> {
    let m = a.p + 1;
    for (c, link) in s.chain.iter().enumerate() {
        let (q, tf, sums, out) = (link.q, &t[link.factor], &a.factors[link.factor], &mut w.links[c]);
        for (out, d) in out.diag.chunks_exact_mut(q * q).zip(sums.diag.chunks_exact(q * q)) {
            add_identity_after(out, d, tf, q, &mut w.scratch);
        }
        for (k, &pair) in link.up.iter().enumerate() {
            let upper = &s.chain[c + 1 + k];
            let (tg, size) = (&t[upper.factor], q * upper.q);
            for (out, x) in out.up[k].chunks_exact_mut(size).zip(a.pairs[pair].blocks.chunks_exact(size)) {
                sandwich(out, x, tf, tg, q, upper.q, &mut w.scratch);
            }
        }
        if !link.cols.is_empty() {
            assemble_across(s, a, link, t, &mut out.across, &mut w.scratch);
        }
        transform_rows(&mut w.border[link.row * m..(link.row + link.levels * q) * m], &sums.rhs, tf, q, m);
    }
    assemble_trailing(w, s, a, t)
}

fn assemble_trailing(w: &mut Workspace, s: &Structure, a: &Crossprod, t: &Blocks) -> Result<()> {
    let (m, widest) = (a.p + 1, s.trail.iter().map(|tr| tr.q).max().unwrap_or(0));
    let Workspace { trailing, scratch, border, .. } = w;
    let (scratch, own) = scratch.split_at_mut(2 * widest * widest);
    let (own, turned) = own.split_at_mut(widest * widest);
    trailing.clear();
    for tr in &s.trail {
        let (q, tf, sums) = (tr.q, &t[tr.factor], &a.factors[tr.factor]);
        for (j, d) in sums.diag.chunks_exact(q * q).enumerate() {
            add_identity_after(&mut own[..q * q], d, tf, q, scratch);
            trailing.add_block(tr.col + j * q, tr.col + j * q, &own[..q * q], q)?;
        }
        let row = s.trail_row + tr.col;
        transform_rows(&mut border[row * m..(row + tr.levels * q) * m], &sums.rhs, tf, q, m);
    }
    for &(pair, i, j) in &s.trail_pairs {
        let (f, g, p) = (&s.trail[i], &s.trail[j], &a.pairs[pair]);
        let (own, turned) = (&mut own[..f.q * g.q], &mut turned[..f.q * g.q]);
        for l in 0..f.levels {
            for cell in p.starts[l]..p.starts[l + 1] {
                sandwich(own, block(&p.blocks, cell, f.q * g.q), &t[f.factor], &t[g.factor], f.q, g.q, scratch);
                small::transpose(turned, own, f.q, g.q);
                trailing.add_block(g.col + p.cols[cell] as usize * g.q, f.col + l * f.q, turned, f.q)?;
            }
        }
    }
    Ok(())
}

/// `out = t' d t + I`.
fn add_identity_after(out: &mut [f64], d: &[f64], t: &[f64], q: usize, scratch: &mut [f64]) {
    small::congruence(out, d, t, q, scratch);
    (0..q).for_each(|i| out[i * q + i] += 1.0);
}

/// `out = tf' block tg` with block (qf x qg) by rows.
fn sandwich(out: &mut [f64], block: &[f64], tf: &[f64], tg: &[f64], qf: usize, qg: usize, scratch: &mut [f64]) {
    if qf == 1 && qg == 1 {
        out[0] = tf[0] * block[0] * tg[0];
        return;
    }
    let half = &mut scratch[..qf * qg];
    half.fill(0.0);
    small::mul(half, block, tg, qf, qg, qg, 1.0);
    out.fill(0.0);
    small::mul_transposed(out, tf, half, qf, qf, qg, 1.0);
}

/// `out = tf' rows` for every block of q rows of length m.
fn transform_rows(out: &mut [f64], rows: &[f64], tf: &[f64], q: usize, m: usize) {
    if q == 1 {
        out.iter_mut().zip(rows).for_each(|(o, x)| *o = tf[0] * x);
        return;
    }
    out.fill(0.0);
    for (o, x) in out.chunks_exact_mut(q * m).zip(rows.chunks_exact(q * m)) {
        small::mul_transposed(o, tf, x, q, q, m, 1.0);
    }
}

/// The cells of a level with all trailing factors, side by side: q x cols by rows.
fn assemble_across(s: &Structure, a: &Crossprod, link: &Link, t: &Blocks, out: &mut [f64], scratch: &mut [f64]) {
    let (q, tf) = (link.q, &t[link.factor]);
    let scalar = q == 1 && s.trail.iter().all(|tr| tr.q == 1);
    for j in 0..link.levels {
        let (target, width) = (&mut out[link.across_range(j)], link.range(j).len());
        let half = &mut scratch[..q * width];
        let mut at = 0;
        for (tr, &pair) in s.trail.iter().zip(&link.across) {
            let (p, tg) = (&a.pairs[pair], &t[tr.factor]);
            let cells = p.starts[j]..p.starts[j + 1];
            if scalar {
                let f = tf[0] * tg[0];
                let blocks = &p.blocks[cells];
                target[at..at + blocks.len()].iter_mut().zip(blocks).for_each(|(o, v)| *o = f * v);
                at += blocks.len();
                continue;
            }
            for cell in cells {
                for (r, row) in block(&p.blocks, cell, q * tr.q).chunks_exact(tr.q).enumerate() {
                    let half = &mut half[r * width + at..r * width + at + tr.q];
                    half.fill(0.0);
                    small::mul(half, row, tg, 1, tr.q, tr.q, 1.0);
                }
                at += tr.q;
            }
        }
        if !scalar {
            target.fill(0.0);
            small::mul_transposed(target, tf, half, q, q, width, 1.0);
        }
    }
}
